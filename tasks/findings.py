"""Refusing bad data at once, or gathering everything that is wrong with it (``prepare --check``)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from itertools import islice
from typing import TypeVar

from tasks.errors import InputError

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
