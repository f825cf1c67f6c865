"""What a trial may use and what it used, threads and memory, and what it says of where it ran."""

import contextlib
import functools
import os
import platform
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("torch", "transformers", "ray", "deepspeed")
"""Recorded in addition to those of ``summary.PACKAGES``, where they are installed."""


def host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a trial runs (machine, process), and what a scheduler was asked for and why; empty where there is none."""

    engine: str
    where: str
    threads: int = 1
    resources: Mapping[str, object] = field(default_factory=dict)


def environment(place: Place, parallel: str = "") -> dict[str, object]:
    """Return the environment of a trial as JSON values; called after the trial, when its libraries are loaded.

    ``parallel`` says how several processes shared it, see ``Trial.parallel``.
    """
    found: dict[str, object] = {
        "engine": place.engine,
        "where": place.where,
        "threads": place.threads,
        "cpu_count": os.cpu_count(),
        "platform": platform.platform(),
        "packages": _packages(),
        "gpu": gpu(),
    }
    more = {"device": os.environ.get("GAZEBENCH_DEVICE"), "parallel": parallel, "resources": dict(place.resources)}
    return {**found, **{name: value for name, value in more.items() if value}}


@functools.cache
def _packages() -> dict[str, str]:
    from benchmark.scores import summary

    return summary.package_versions(*summary.PACKAGES, *PACKAGES)


def gpu() -> str | None:
    """Return the name of the GPU that this process has used, or None; torch is not loaded to find out."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return str(torch.cuda.get_device_name())


_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_GROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")
_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_MACHINE = Path("/proc/stat")
"""Its first line: what all cores together have done; the fourth and fifth number are idle and waiting for disks."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What clocks show, in seconds; the difference of two moments is what happened between them.

    ``processor`` is of this process, ``busy`` of cores at work for anybody, ``cores`` of all; None where not known.
    """

    wall: float
    processor: float
    busy: float | None = None
    cores: float | None = None

    @classmethod
    def now(cls) -> "Moment":
        """Read the clocks."""
        clocks = time.perf_counter(), time.process_time()
        try:
            first = _MACHINE.read_text(encoding="ascii").partition("\n")[0]
        except OSError:
            return cls(*clocks)
        spent = [int(word) for word in first.split()[1:9]]
        return cls(*clocks, float(sum(spent) - sum(spent[3:5])), float(sum(spent)))

    def load(self, before: "Moment") -> float | None:
        """Return the share of the machine's cores, 0 to 1, that were at work since an earlier moment."""
        if self.busy is None or self.cores is None or before.busy is None or before.cores is None:
            return None
        return round((self.busy - before.busy) / max(1.0, self.cores - before.cores), 3)


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


def thread_variables(count: int) -> dict[str, str]:
    """Return the environment variables by which numerical libraries take ``count`` threads."""
    return dict.fromkeys(_VARIABLES, str(count))


def cores() -> int:
    """Return how many cores this process may use: those of the machine, less where it is held to fewer."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # "max" is no number: then there is no limit
        quota, period = map(int, (_GROUP / "cpu.max").read_text(encoding="ascii").split())
        allowed = min(allowed, -(-quota // period))
    return max(1, allowed)


def free_memory() -> int | None:
    """Return the bytes of main memory that are free for this process and its children; None if nobody tells.

    A container's limit is included, and its page cache counts as free. Where the system does not tell what is free, it
    is all there is.
    """
    found = []
    with contextlib.suppress(OSError, ValueError):
        limit, used = (int((_GROUP / f"memory.{n}").read_text(encoding="ascii")) for n in ("max", "current"))
        cached = dict(line.split() for line in (_GROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        found.append(limit - used + int(cached.get("inactive_file", 0)))
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        found.append(int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024)
    except (OSError, StopIteration):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found, default=None)


def has_gpu() -> bool:
    """Return whether models run on a GPU of this machine unless told otherwise; torch is not loaded to find out."""
    on_cpu = os.environ.get("GAZEBENCH_DEVICE", "").startswith("cpu") or os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    return not on_cpu and any(Path("/dev").glob("nvidia[0-9]*"))


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Within the context numerical libraries use ``count`` threads, at least 1.

    Sums of floats depend on how they are shared out. A fixed number gives the same predictions on every machine and
    with all other work; trials side by side, each with as many threads as there are cores, slow each other down.
    """
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    torch_before = torch.get_num_threads() if torch is not None else None
    # A library that is loaded within the context reads the environment; those loaded already are set here.
    with environment_variables(thread_variables(count)), threadpool_limits(limits=count):
        try:
            if torch is not None:
                torch.set_num_threads(count)
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(torch_before)


def forget_peaks() -> None:
    """Forget the highest use of memory, of this process and of every GPU that it has used.

    Only Linux can, so that a process that runs one trial after the other measures each. Elsewhere ``peak_resident`` is
    the peak since the process began.
    """
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5", encoding="ascii")
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        for index in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(index)


def peak_resident() -> int | None:
    """Return the highest resident memory of this process in bytes, since it was last forgotten; None if unknown."""
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
