"""How much memory there is, and whether a model fits before its weights are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.errors import InputError

if TYPE_CHECKING:
    import torch

_HEADROOM = 1.1
"""Buffers, the tokenizer and one layer's conversion come on top of the weights."""
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def check_memory(weights: int, device: torch.device, name: str) -> None:
    """Compare ``weights``, bytes in the number format they will have, with the memory that is free.

    The weights pass through main memory on their way to a GPU, so both must have room for them.

    Raises:
        InputError: They do not fit.
    """
    needed = int(weights * _HEADROOM)
    places = [(main_memory(), "main memory")]
    if device.type == "cuda":
        places.append((gpu_memory(device), f"memory of {device}"))
    for free, what in places:
        if free is not None and needed > free:
            raise InputError(
                f"{name} needs about {_gib(needed)} of {what}, but {_gib(free)} is free; "
                "use dtype bfloat16, a smaller backbone, or a larger machine."
            )


def main_memory() -> int | None:
    """Return the free main memory in bytes, a container's limit included, or None where that is unknown."""
    found = [free for free in (_from_meminfo(), _from_cgroup(), _from_sysconf()) if free is not None]
    return min(found) if found else None


def gpu_memory(device: torch.device) -> int:
    """Return the free memory of a GPU in bytes."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return int(free)


def _from_meminfo() -> int | None:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _from_cgroup() -> int | None:
    """Return what a container may still take; its page cache counts as free."""
    try:
        limit = (_CGROUP / "memory.max").read_text(encoding="ascii").strip()
        if limit == "max":
            return None
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        return int(limit) - used + int(stat.get("inactive_file", 0))
    except (OSError, ValueError):
        return None


def _from_sysconf() -> int | None:
    if _MEMINFO.exists():
        return None
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
