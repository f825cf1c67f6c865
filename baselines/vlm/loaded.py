"""Backbones loaded once per process."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DEVICE = "GAZEBENCH_DEVICE"
"""Environment variable: where models run; by default the first GPU if there is one, else the CPU."""
_SOURCES = ("backbones", "probing", "tuning", "vlm")
DTYPES = ("auto", "bfloat16", "float16", "float32", "float64")


def device_name() -> str | None:
    """Return the device that the environment asks for, or None."""
    return os.environ.get(DEVICE) or None


def number_format(dtype: str) -> str:
    """Return the number format that ``dtype`` stands for: ``auto`` is bfloat16 on a GPU and float32 on a CPU.

    Raises:
        InputError: There is no such format.
    """
    from tasks.errors import unknown_name

    if dtype not in DTYPES:
        raise unknown_name("dtype", dtype, DTYPES)
    if dtype != "auto":
        return dtype
    import torch

    place = device_name() or ("cuda" if torch.cuda.is_available() else "cpu")
    return "bfloat16" if place.startswith("cuda") else "float32"


def load(name: str, dtype: str = "auto") -> Any:
    """Return the backbone ``name`` on the environment's device; the two used last stay loaded.

    Raises:
        InputError: See ``backbones.load_backbone``.
    """
    return _load(name, device_name(), number_format(dtype))


@functools.lru_cache(maxsize=2)
def _load(name: str, device: str | None, dtype: str) -> Any:
    from baselines.backbones import load_backbone

    return load_backbone(name, device, dtype)


def forget() -> None:
    """Let go of the backbones that are loaded."""
    _load.cache_clear()


@functools.lru_cache(maxsize=1)
def source() -> str:
    """Return a digest of the source that model simulators are made of.

    Their modules are imported when they are needed, operators and architectures by name, so following a simulator's
    imports would miss them.
    """
    digest = hashlib.sha256()
    for package in _SOURCES:
        for path in sorted((Path(__file__).parents[1] / package).glob("*.py")):
            digest.update(f"{package}/{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def notice(name: str) -> str:
    """Return what every output made with a backbone must say, without loading its weights.

    Raises:
        InputError: See ``backbones.describe``.
    """
    from baselines.backbones import describe

    return describe(name).notice


def material(name: str, dtype: str = "auto") -> Mapping[str, str]:
    """Return what a backbone contributes to a trial's identity, without loading its weights.

    Raises:
        InputError: See ``backbones.describe``.
    """
    from baselines.backbones import describe
    from baselines.backbones.settings import read_settings

    info = describe(name)
    words = read_settings(info.folder)
    return {"backbone": f"{info.fingerprint} {words}", "dtype": number_format(dtype), "source": source()}


@contextmanager
def few_threads(model: Any) -> Iterator[None]:
    """Within the context a small model on a CPU runs in one thread.

    Its matrices are too small to share out: a second thread costs more than it gives, far more beside other work. And
    sums do not depend on the number of cores.
    """
    import torch

    from baselines.tuning.memory import small

    before = torch.get_num_threads()
    single = small(model) and next(model.parameters()).device.type == "cpu"
    try:
        if single:
            torch.set_num_threads(1)
        yield
    finally:
        if single:
            torch.set_num_threads(before)
