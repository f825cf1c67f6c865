"""What a finished trial says of where it ran."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import socket
import sys

PACKAGES = ("torch", "transformers", "ray", "deepspeed")
"""Recorded beside those of ``summary.PACKAGES``, where they are installed."""


def host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def environment(engine: str, where: str, threads: int) -> dict[str, object]:
    """Return the environment of a trial as JSON values; called after the trial, when its libraries are loaded.

    Args:
        engine: Name of the engine.
        where: Machine and process.
        threads: Threads that numerical libraries were given.
    """
    found: dict[str, object] = {
        "engine": engine,
        "where": where,
        "threads": threads,
        "cpu_count": os.cpu_count(),
        "platform": platform.platform(),
        "packages": dict(_packages()),
        "gpu": _gpu(),
    }
    device = os.environ.get("GAZEBENCH_DEVICE")
    if device:
        found["device"] = device
    return found


@functools.lru_cache(maxsize=1)
def _packages() -> tuple[tuple[str, str], ...]:
    from benchmark.summary import package_versions

    found = package_versions()
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(found.items())


def _gpu() -> str | None:
    """Return the name of the GPU that this process has used, or None; torch is not loaded to find out."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return str(torch.cuda.get_device_name())
