"""Text that anybody may have written, made safe to print.

Web pages escape by themselves; this module removes control characters that move a terminal's cursor and marks that
reverse the direction of writing, and escapes what Markdown or a spreadsheet would take for an instruction.
"""

import unicodedata
from urllib.parse import urlsplit

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


def web_link(text: str) -> str | None:
    """Return ``text`` if it is an http or https address with a host, else None: it is then shown as text."""
    address = text.strip()
    if plain(address, 2000) != address or any(c.isspace() or c in "\"'<>\\`" for c in address):
        return None
    try:
        parts = urlsplit(address)
        host = parts.hostname
        parts.port  # noqa: B018  # raises for an invalid port
    except ValueError:
        return None
    return address if parts.scheme.lower() in ("http", "https") and host and "@" not in parts.netloc else None


def folded(name: str) -> str:
    """Return the form in which two names count as the same: compatibility forms, case and spaces do not matter."""
    return " ".join(unicodedata.normalize("NFKC", plain(name)).casefold().split())


def beyond(said: str, known: str) -> str:
    """Return what a note says that another does not say already; notes are parts joined by semicolons."""
    there = known.split("; ")
    return "; ".join(part for part in said.split("; ") if part not in there)
