"""What a trial may use and what it used: threads, memory."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@contextlib.contextmanager
def environment_variables(values: Mapping[str, str]) -> Iterator[None]:
    """Within the context environment variables have other values; afterwards those that they had."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Within the context numerical libraries use ``count`` threads.

    Sums of floats depend on how they are shared out. A fixed number gives the same predictions on every machine and
    beside every other work; trials side by side, each with as many threads as there are cores, slow each other down.

    Args:
        count: At least 1.
    """
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    torch_before = torch.get_num_threads() if torch is not None else None
    # A library that is loaded within the context reads the environment; those that are loaded already are told.
    with environment_variables(dict.fromkeys(_VARIABLES, str(count))), threadpool_limits(limits=count):
        try:
            if torch is not None:
                torch.set_num_threads(count)
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(torch_before)


@dataclass(slots=True)
class PeakMemory:
    """The highest memory use of this process within ``peak_memory``.

    Attributes:
        bytes: None where the system does not tell.
    """

    bytes: int | None = None


@contextlib.contextmanager
def peak_memory() -> Iterator[PeakMemory]:
    """Measure the highest resident memory within the context.

    Linux can forget the former peak, so that a process that runs one trial after the other measures each. Elsewhere
    the number is the peak since the process began.
    """
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5", encoding="ascii")
    _forget_gpu()
    found = PeakMemory()
    try:
        yield found
    finally:
        found.bytes = _peak()


def _forget_gpu() -> None:
    """Forget the highest use of every GPU that this process has used."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        for index in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(index)


def _peak() -> int | None:
    """Return the highest resident memory of this process in bytes."""
    try:
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
