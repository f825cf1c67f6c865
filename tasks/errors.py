"""Errors that a user can fix, as opposed to defects of the program."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot be used: bad data, a mistyped name, a full disk.

    The message is one line that says what is wrong, where, and what to do. The command line prints
    it without a traceback and exits with code 2. Characters that cannot be seen, such as a byte order
    mark inside a name, are written as escapes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(visible(str(message)).split()))


def visible(text: str) -> str:
    r"""Return ``text`` with every invisible character but blanks and line ends as an escape such as ``\ufeff``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in " \t\r\n" else c.encode("unicode_escape").decode() for c in text)


def clean(text: str) -> str:
    """Return ``text`` without invisible characters (byte order marks, zero-width spaces, controls) and outer blanks.

    The joiners of scripts that need them (U+200C, U+200D) stay inside words.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    kept = (c for c in text if c in "\t\n\u200c\u200d" or unicodedata.category(c) not in {"Cf", "Cc"})
    return "".join(kept).strip()


def one_line(text: str) -> str:
    """Return ``text`` as :func:`clean` does, with one blank for every run of blanks and line breaks."""
    return " ".join(clean(text).split())


def unknown_name(what: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for a mistyped ``name``, with the nearest known one as a suggestion."""
    names = list(known)
    near = difflib.get_close_matches(name.lower(), [n.lower() for n in names], n=1, cutoff=0.5)
    hint = ""
    if near:
        hint = f" Did you mean '{next(n for n in names if n.lower() == near[0])}'?"
    return InputError(f"unknown {what} '{name}'.{hint} Known: {', '.join(names) or 'none'}.")
