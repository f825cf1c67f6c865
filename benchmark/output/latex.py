"""Text as LaTeX prints it."""

from __future__ import annotations

import re

_SPECIAL = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\n": " ",
    "\u00a0": "~",
}
_MATHS = {
    "†": r"^\dagger",
    "↑": r"\uparrow",
    "↓": r"\downarrow",
    "→": r"\rightarrow",
    "≤": r"\leq",
    "≥": r"\geq",
    "≈": r"\approx",
    "−": "-",
    "∞": r"\infty",
    **{
        letter: rf"\{name}"
        for letter, name in zip(
            "αβγδεζηθικλμνξπρστυφχψω",
            "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi "
            "pi rho sigma tau upsilon phi chi psi omega".split(),
            strict=True,
        )
    },
}
_KNOWN = frozenset(
    [*map(chr, range(0x20, 0x7F)), *map(chr, range(0xA1, 0x17F)), *"–—‘’‚“”„•…‹›€™"],
) - frozenset("ĦħĸĿŀŉŦŧ")
"""Characters that pdfLaTeX prints as they are with the encodings utf8 and T1."""


def escape_latex(text: str) -> str:
    """Return text that pdfLaTeX prints as it is, in the encodings utf8 and T1.

    A character that it does not know, such as one of another script, is named by its number: ``[U+2603]``.
    """
    return re.sub("-(?=-)", "-{}", "".join(map(_escaped, text)))  # two hyphens would become a dash


def latex_number(text: str) -> str:
    """Return printed numbers, escaped: a minus sign in place of a hyphen, thin spaces around ±."""
    return re.sub(r"(?<![\w-])-(?=[\d.])", "$-$", escape_latex(text)).replace(" ± ", r"\,$\pm$\,")


def booktabs(body: str) -> str:
    """Return a table of tabulate's format ``latex_raw`` with the rules of booktabs in place of its lines."""
    for rule in ("\\toprule", "\\midrule", "\\bottomrule"):
        body = body.replace("\\hline", rule, 1)
    return body


def _escaped(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character in _MATHS:
        return f"${_MATHS[character]}$"
    return character if character in _KNOWN else f"[U+{ord(character):04X}]"
