"""Errors a user can mend, kept apart from defects of the program."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Input that cannot be used: bad data, a mistyped name, a full disk.

    The message is one line that says what is wrong, where, and what to do. The command line prints
    it without a traceback and exits with code 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))


def unknown_name(what: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for a mistyped ``name``, with the nearest known one as a suggestion."""
    names = list(known)
    near = difflib.get_close_matches(name.lower(), [n.lower() for n in names], n=1, cutoff=0.5)
    hint = ""
    if near:
        hint = f" Did you mean '{next(n for n in names if n.lower() == near[0])}'?"
    return InputError(f"unknown {what} '{name}'.{hint} Known: {', '.join(names) or 'none'}.")
