"""The process that a command runs in: streams that can print anything, and SIGTERM as an interrupt."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM came; whatever keeps finished work on an interrupt keeps it now as well."""


@contextmanager
def guarded() -> Iterator[None]:
    """Run a command with streams that can print anything, and raise :class:`Terminated` on SIGTERM."""
    prepare_streams()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def prepare_streams() -> None:
    """Let stdout and stderr replace what their encoding lacks; where one is closed, discard what is printed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated
