"""Errors that a user can fix, as opposed to defects of the program, one by one or gathered."""

import contextlib
import difflib
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from contextvars import ContextVar
from itertools import islice
from typing import TypeVar


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


def require_known(what: str, names: Iterable[str], known: Collection[str]) -> None:
    """Refuse the first of some ``names`` that is not ``known``; InputError as :func:`unknown_name`."""
    for name in names:
        if name not in known:
            raise unknown_name(what, name, known)


T = TypeVar("T")

_gathered: ContextVar[list[str] | None] = ContextVar("gathered", default=None)

_SHOWN = 5


def refuse(message: str) -> None:
    """Raise ``message`` as an InputError; while findings are gathered, keep it and let the caller go on without."""
    found = _gathered.get()
    if found is None:
        raise InputError(message)
    found.append(str(InputError(message)))


@contextlib.contextmanager
def gathering() -> Iterator[list[str]]:
    """Gather what is refused inside the block, in order, into the list that the block is given."""
    token = _gathered.set([])
    try:
        found = _gathered.get()
        assert found is not None
        yield found
    finally:
        _gathered.reset(token)


def recovered(read: Callable[[], T]) -> T | None:
    """Return what ``read`` returns; while findings are gathered, keep its InputError and return None."""
    try:
        return read()
    except InputError as error:
        if _gathered.get() is None:
            raise
        refuse(str(error))
        return None


def gathers() -> bool:
    """Say whether findings are gathered."""
    return _gathered.get() is not None


def rows(numbers: Iterable[int], count: int, name: Callable[[int], str] = str) -> str:
    """Return ``row 6``, or ``row 6 (and 2 more: 9, 12)``, for at least one row number of ``count`` in order."""
    first, *others = islice(numbers, 1 + _SHOWN)
    if not others:
        return f"row {name(first)}"
    listed = ", ".join(name(number) for number in others)
    return f"row {name(first)} (and {count - 1} more: {listed}{', ...' if count > 1 + len(others) else ''})"
