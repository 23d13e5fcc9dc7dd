"""Text for LaTeX."""

import re

SIGNS = {"≥": r"\geq", "≤": r"\leq", "β": r"\beta", "γ": r"\gamma", "σ²": r"\sigma^2", "×": r"\times", "<": "<"}
SIGNS |= {"ε": r"\epsilon", "±": r"\pm", "λ": r"\lambda"}


def escape(text: str) -> str:
    r"""Text with LaTeX's special characters escaped and the signs of our tables as mathematics.

    Example:
        >>> print(escape("σ² = 1 & 50%"))
        $\sigma^2$ = 1 \& 50\%
    """
    escaped = re.sub(r"([&%$#_{}])", r"\\\1", text.replace("\\", "/"))
    for sign, command in SIGNS.items():
        escaped = escaped.replace(sign, f"${command}$")
    return escaped
