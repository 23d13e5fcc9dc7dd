"""One document from the files in ``assets/`` and a scene: nothing in it is loaded from elsewhere.

The content security policy names the one script and the one style sheet by their hashes. Data lie in a JSON block,
which no browser runs; the script shows their text as text.
"""

import json
import re
from importlib.resources import files
from typing import Any

from vae_lab.standalone import one_script, policy, safe_json

SCRIPTS = ("decoder.js", "live.js", "latent.js", "ground.js", "plane.js", "gallery.js", "explorer.js")


def asset(name: str) -> str:
    """The text of a file in ``assets/``."""
    return (files("vae_lab.explorer") / "assets" / name).read_text(encoding="utf-8")


def document(content: dict[str, Any], connect: str = "'none'") -> str:
    """The page.

    Args:
        content: of the scene, with the ``network`` that the page decodes by, or none to ask its server.
        connect: what it may connect to, as a content security policy says it.
    """
    code, style = one_script(map(asset, SCRIPTS)), f"\n{asset('explorer.css')}"
    allowed = policy(style, [code], img="data:", connect=connect)
    scene = safe_json(json.dumps(content, separators=(",", ":")))
    parts = {"policy": allowed, "style": style, "script": code, "scene": scene}
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], asset("index.html"))
