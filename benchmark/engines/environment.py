"""What a finished trial says of where it ran."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

PACKAGES = ("torch", "transformers", "ray", "deepspeed")
"""Recorded in addition to those of ``summary.PACKAGES``, where they are installed."""


def host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a trial runs and what it may use, for the record.

    Attributes:
        engine: Name of the engine.
        where: Machine and process.
        threads: Threads of numerical libraries.
        resources: What a scheduler was asked for, and why so much; empty where there is none.
    """

    engine: str
    where: str
    threads: int = 1
    resources: Mapping[str, object] = field(default_factory=dict)


def environment(place: Place, parallel: str = "") -> dict[str, object]:
    """Return the environment of a trial as JSON values; called after the trial, when its libraries are loaded.

    Args:
        place: Where it ran.
        parallel: How several processes shared it, ``Trial.parallel``.
    """
    found: dict[str, object] = {
        "engine": place.engine,
        "where": place.where,
        "threads": place.threads,
        "cpu_count": os.cpu_count(),
        "platform": platform.platform(),
        "packages": dict(_packages()),
        "gpu": gpu(),
    }
    device = os.environ.get("GAZEBENCH_DEVICE")
    if device:
        found["device"] = device
    if parallel:
        found["parallel"] = parallel
    if place.resources:
        found["resources"] = dict(place.resources)
    return found


@functools.lru_cache(maxsize=1)
def _packages() -> tuple[tuple[str, str], ...]:
    from benchmark.scores.summary import package_versions

    found = package_versions()
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(found.items())


def gpu() -> str | None:
    """Return the name of the GPU that this process has used, or None; torch is not loaded to find out."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return str(torch.cuda.get_device_name())
