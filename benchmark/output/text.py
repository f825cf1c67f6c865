"""Text that anybody may have written, made safe to print.

Web pages escape by themselves; this module removes control characters that move a terminal's cursor and marks that
reverse the direction of writing, and escapes what Markdown or a spreadsheet would take for an instruction.
"""

from __future__ import annotations

import unicodedata

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MARKDOWN = str.maketrans({**{c: f"\\{c}" for c in "\\|*_`[]"}, "<": "&lt;", ">": "&gt;", "&": "&amp;"})


def plain(text: str, limit: int | None = 200) -> str:
    """Return ``text`` on one line, without control and format characters, cut at ``limit`` characters (None: whole)."""
    if not (text.isascii() and text.isprintable()):
        kept = (c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
        text = "".join(" " if c.isspace() else c for c in kept)
    line = " ".join(text.split())
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def markdown(text: str) -> str:
    """Return ``text`` as Markdown that shows it letter by letter, in a table cell too."""
    return plain(text, None).translate(_MARKDOWN)


def spreadsheet(text: str) -> str:
    """Return ``text`` as a CSV cell that no spreadsheet evaluates: a quote goes before what looks like a formula."""
    line = plain(text, None)
    return f"'{line}" if line.startswith(_FORMULA) else line


def sentence(text: str) -> str:
    """Return a text that ends in one full stop."""
    return text.strip().rstrip(".;") + "."
