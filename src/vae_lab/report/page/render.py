"""One HTML file of the page's data and of ``assets/``: nothing is fetched, and only our own scripts may run."""

import base64
import hashlib
import zlib
from html import escape
from pathlib import Path
from string import Template

import msgspec

from vae_lab.report.page.entries import Chapter, Page

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = (
    *("dom", "theme", "colours", "data", "state", "tooltip", "chart"),
    *("filters", "curves", "plane", "heatmap", "dimensions", "details", "table", "main"),
)
LICENCE = "/* uPlot 1.6.32\n{} */\n"
UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render(page: Page, block: bytes) -> str:
    """The file. Text of configs and names is escaped here, or becomes text nodes in the browser.

    Args:
        page: what it shows.
        block: the curves, as ``packed`` gives them.
    """
    style = asset("uplot/uPlot.min.css") + asset("page.css")
    chart = LICENCE.format(asset("uplot/LICENSE")) + asset("uplot/uPlot.iife.min.js")
    script = program()
    return Template(asset("page.html")).substitute(
        policy=policy(style, [chart, script]),
        title=escape(page.title),
        subtitle=escape(page.subtitle),
        words="\n".join(map(chapter, page.chapters)),
        style=style,
        chart=chart,
        script=script,
        data=safe_json(page),
        block=base64.b64encode(zlib.compress(block, 6)).decode(),
    )


def asset(name: str) -> str:
    """A file of ``assets/``."""
    return (ASSETS / name).read_text(encoding="utf-8")


def program() -> str:
    """Our scripts as one, in a scope of its own."""
    return '"use strict";\n(() => {\n' + "\n".join(asset(f"js/{name}.js") for name in SCRIPTS) + "})();\n"


def policy(style: str, scripts: list[str]) -> str:
    """The content security policy that lets these run, shows pictures that lie beside the page, and nothing else."""
    allowed = " ".join(f"'{digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src '{digest(style)}'; img-src 'self' data: file:; "
        "base-uri 'none'; form-action 'none'"
    )


def digest(content: str) -> str:
    """The hash by which a policy knows the content of an element."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def safe_json(page: Page) -> str:
    r"""The page's data as JSON that ends no ``<script>`` element."""
    text = msgspec.json.encode(page).decode()
    for sign, replacement in UNSAFE.items():
        text = text.replace(sign, replacement)
    return text


def chapter(part: Chapter) -> str:
    """A part of the words as HTML. Lines that begin with a blank are a list below the one before."""
    lines: list[str] = []
    for line in part.lines:
        kind = "under" if line.startswith(" ") else "line"
        lines.append(f'<li class="{kind}">{escape(line.strip())}</li>')
    return f"<section><h3>{escape(part.title)}</h3><ul>{''.join(lines)}</ul></section>"
