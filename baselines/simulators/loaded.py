"""Backbones loaded once per process."""

import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DEVICE = "GAZEBENCH_DEVICE"
"""Environment variable: where models run; by default the first GPU if there is one, else the CPU."""
DTYPES = ("auto", "bfloat16", "float16", "float32", "float64")


def device_name() -> str | None:
    """Return the device that the environment asks for, or None."""
    return os.environ.get(DEVICE) or None


def number_format(dtype: str) -> str:
    """Return the number format that ``dtype`` means: ``auto`` is bfloat16 on a GPU and float32 on a CPU.

    InputError if there is no such format.
    """
    from tasks.errors import unknown_name

    if dtype not in DTYPES:
        raise unknown_name("dtype", dtype, DTYPES)
    if dtype != "auto":
        return dtype
    place = device_name() or ("cuda" if _cuda() else "cpu")
    return "bfloat16" if place.startswith("cuda") else "float32"


def _cuda() -> bool:
    """Return whether torch finds a GPU; it is not loaded where Linux shows the device of none."""
    if sys.platform == "linux" and not any(any(Path("/dev").glob(name)) for name in ("nvidia[0-9]*", "kfd", "dxg")):
        return False
    import torch

    return torch.cuda.is_available()


def load(name: str, dtype: str = "auto") -> Any:
    """Return the backbone ``name`` on the environment's device.

    The backbones used last stay loaded, two small ones or one larger one, so that no trial needs memory for another
    trial's model. InputErrors are those of ``backbones.load_backbone``.
    """
    from baselines.backbones.loading import load_backbone
    from baselines.backbones.memory import small

    key = (name, device_name(), number_format(dtype))
    found = _loaded.pop(key, None)
    if found is None:
        for other in [other for other, backbone in _loaded.items() if not small(backbone.model)]:
            del _loaded[other]
        gc.collect()  # a model and what hangs on it refer to each other
        found = load_backbone(*key)
        kept = _KEPT - 1 if small(found.model) else 0
        for other in list(_loaded)[: len(_loaded) - kept]:
            del _loaded[other]
    _loaded[key] = found
    return found


_KEPT = 2
_loaded: dict[tuple[str, str | None, str], Any] = {}
"""What is loaded, the one used last at the end."""


def forget() -> None:
    """Unload all backbones."""
    _loaded.clear()


def notice(name: str) -> str:
    """Return what every output made with a backbone must say, without loading its weights.

    InputErrors are those of ``backbones.describe``.
    """
    from baselines.backbones.checkpoint import describe

    return describe(name).notice


def material(name: str, dtype: str = "auto") -> dict[str, str]:
    """Return what a backbone contributes to a trial's identity, without loading its weights.

    InputErrors are those of ``backbones.describe``.
    """
    from baselines.backbones.checkpoint import describe
    from baselines.backbones.registry import ARCHITECTURES
    from baselines.backbones.settings import read_settings

    info = describe(name)
    asked = json.dumps(read_settings(info.folder).shaping())
    reader = f"{info.model_type} {ARCHITECTURES[info.model_type].behaviour}"
    return {"backbone": f"{info.fingerprint} {asked}", "dtype": number_format(dtype), "reader": reader}


@contextmanager
def few_threads(model: Any) -> Iterator[None]:
    """Within the context a small model on a CPU runs in one thread.

    Its matrices are too small to share out: a second thread costs more than it saves, much more on a busy machine. It
    also makes sums independent of the number of cores.
    """
    import torch

    from baselines.backbones.memory import small

    before = torch.get_num_threads()
    single = small(model) and next(model.parameters()).device.type == "cpu"
    try:
        if single:
            torch.set_num_threads(1)
        yield
    finally:
        if single:
            torch.set_num_threads(before)
