"""Names, links and notes that strangers wrote, made safe to show."""

from __future__ import annotations

import unicodedata
from urllib.parse import urlsplit

from benchmark.output.text import plain


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
