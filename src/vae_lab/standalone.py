"""HTML files that hold all they need: scripts and style lie within, nothing is fetched, and nothing else may run."""

import base64
import hashlib
from collections.abc import Iterable

# what could end the element that it lies in, or a line of a script
UNSAFE = "<>&\u2028\u2029"


def one_script(parts: Iterable[str]) -> str:
    r"""Scripts as one, in a scope of its own: it leaves no names in the window.

    Example:
        >>> print(one_script(["const a = 1;\n", "show(a);\n"]))
        "use strict";
        (() => {
        const a = 1;
        <BLANKLINE>
        show(a);
        })();
        <BLANKLINE>
    """
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


def digest(content: str) -> str:
    """The hash by which a content security policy knows the content of an element."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def policy(style: str, scripts: Iterable[str], **sources: str) -> str:
    """The content security policy that lets these run and nothing else.

    Args:
        style: the content of the style element.
        scripts: the contents of the script elements.
        sources: what else may be loaded from where, such as ``img="data:"``.

    Example:
        >>> policy("", [], img="data:").split("; ")[3]
        'img-src data:'
    """
    allowed = " ".join(f"'{digest(script)}'" for script in scripts)
    further = "".join(f"{kind}-src {source}; " for kind, source in sources.items())
    return (
        f"default-src 'none'; script-src {allowed}; style-src '{digest(style)}'; {further}"
        "base-uri 'none'; form-action 'none'"
    )


def safe_json(text: str) -> str:
    r"""JSON that ends no ``<script>`` element.

    Example:
        >>> safe_json('"</script>"')
        '"\\u003c/script\\u003e"'
    """
    return text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in UNSAFE})
