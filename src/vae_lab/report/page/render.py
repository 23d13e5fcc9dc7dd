"""One HTML file of the page's data and of ``assets/``: nothing is fetched, and only our own scripts may run."""

import base64
import zlib
from html import escape
from pathlib import Path
from string import Template

import msgspec

from vae_lab.report.page.entries import Chapter, Page
from vae_lab.standalone import one_script, policy, safe_json

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = (
    *("dom", "theme", "colours", "data", "state", "tooltip", "chart"),
    *("filters", "curves", "plane", "heatmap", "dimensions", "details", "table", "main"),
)
LICENCE = "/* uPlot 1.6.32\n{} */\n"


def render(page: Page, block: bytes) -> str:
    """The file. Text of configs and names is escaped here, or becomes text nodes in the browser.

    Args:
        page: what it shows.
        block: the curves, as ``packed`` gives them.
    """
    style = asset("uplot/uPlot.min.css") + asset("page.css")
    chart = LICENCE.format(asset("uplot/LICENSE")) + asset("uplot/uPlot.iife.min.js")
    script = one_script(asset(f"js/{name}.js") for name in SCRIPTS)
    return Template(asset("page.html")).substitute(
        policy=policy(style, [chart, script], img="'self' data: file:"),
        title=escape(page.title),
        subtitle=escape(page.subtitle),
        words="\n".join(map(chapter, page.chapters)),
        style=style,
        chart=chart,
        script=script,
        data=safe_json(msgspec.json.encode(page).decode()),
        block=base64.b64encode(zlib.compress(block, 6)).decode(),
    )


def asset(name: str) -> str:
    """A file of ``assets/``."""
    return (ASSETS / name).read_text(encoding="utf-8")


def chapter(part: Chapter) -> str:
    """A part of the words as HTML. Lines that begin with a blank are a list below the one before."""
    lines: list[str] = []
    for line in part.lines:
        kind = "under" if line.startswith(" ") else "line"
        lines.append(f'<li class="{kind}">{escape(line.strip())}</li>')
    return f"<section><h3>{escape(part.title)}</h3><ul>{''.join(lines)}</ul></section>"
