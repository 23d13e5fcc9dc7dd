"""One document from the files in ``assets/`` and a scene: nothing in it is loaded from elsewhere.

The content security policy names the one script and the one style sheet by their hashes. Data lie in a JSON block,
which no browser runs; the script shows their text as text.
"""

import base64
import hashlib
import json
import re
from importlib.resources import files
from typing import Any

SCRIPTS = ("decoder.js", "live.js", "latent.js", "ground.js", "plane.js", "gallery.js", "explorer.js")


def asset(name: str) -> str:
    """The text of a file in ``assets/``."""
    return (files("vae_lab.explorer") / "assets" / name).read_text(encoding="utf-8")


def script() -> str:
    """All scripts as one, which leaves no names in the window."""
    parts = "\n".join(asset(name) for name in SCRIPTS)
    return f'\n(() => {{\n"use strict";\n{parts}}})();\n'


def digest(text: str) -> str:
    """The source expression of an inline block in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def policy(code: str, style: str, connect: str = "'none'") -> str:
    """The content security policy: our script and style, and the one address that the page may talk to."""
    return (
        f"default-src 'none'; script-src {digest(code)}; style-src {digest(style)}; img-src data:; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'"
    )


def as_json(content: Any) -> str:
    """JSON that cannot end the block that it lies in."""
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")


def document(content: dict[str, Any], connect: str = "'none'") -> str:
    """The page.

    Args:
        content: of the scene, with the ``network`` that the page decodes by, or none to ask its server.
        connect: what it may connect to, as a content security policy says it.
    """
    code, style = script(), f"\n{asset('explorer.css')}"
    parts = {"policy": policy(code, style, connect), "style": style, "script": code, "scene": as_json(content)}
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], asset("index.html"))
