"""How much memory there is, and whether a model fits before its weights are read."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from benchmark.engines.resources import free_memory, peak_resident
from tasks.errors import InputError

if TYPE_CHECKING:
    import torch

_HEADROOM = 1.1
"""Buffers, the tokenizer and one layer's conversion come on top of the weights."""


def check_memory(weights: int, device: torch.device, name: str) -> None:
    """Compare ``weights``, bytes in the number format they will have, with the memory that is free.

    The weights pass through main memory on their way to a GPU, so both must have room for them. InputError if they do
    not fit.
    """
    needed = int(weights * _HEADROOM)
    places = [(free_memory(), "main memory")]
    if device.type == "cuda":
        places.append((gpu_memory(device), f"memory of {device}"))
    for free, what in places:
        if free is not None and needed > free:
            raise InputError(
                f"{name} needs about {_gib(needed)} of {what}, but {_gib(free)} is free; "
                "use dtype bfloat16, a smaller backbone, or a larger machine."
            )


def gpu_memory(device: torch.device) -> int:
    """Return the free memory of a GPU in bytes."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return int(free)


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


_LOG = logging.getLogger(__name__)
_CPU_MESSAGES = ("not enough memory", "can't allocate memory", "cannot allocate memory", "out of memory")

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_batches(
    items: Sequence[Item],
    run: Callable[[Sequence[Item]], Sequence[Result]],
    size: int,
    say: Callable[[str], None] = _LOG.warning,
) -> list[Result]:
    """Run ``run`` over consecutive batches; on running out of memory halve the batch, say so, and go on.

    ``run`` returns one result per item, in order, and is called again on part of a batch that failed: nothing that the
    failed batch had begun is kept, so the results are those of smaller batches from the start. After a failure the
    smaller size stays. InputError if memory runs out with a single item, ValueError if ``size`` is below 1 or ``run``
    returned a wrong number of results.
    """
    if size < 1:
        raise ValueError(f"a batch has at least 1 item, not {size}")
    results: list[Result] = []
    while len(results) < len(items):
        batch = items[len(results) : len(results) + size]
        failed = False
        try:
            found = run(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            failed = True
        # Outside the except block: there the traceback still holds the failed batch's tensors.
        if failed:
            _release()
            if len(batch) == 1:
                raise InputError(
                    "not enough memory for a single session; use a smaller backbone, dtype bfloat16, "
                    "or a machine with more memory."
                )
            size = (len(batch) + 1) // 2
            say(f"out of memory with {len(batch)} sessions at once; going on with {size}.")
            continue
        if len(found) != len(batch):
            raise ValueError(f"{len(found)} results for a batch of {len(batch)}")
        results.extend(found)
    return results


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out, on the GPU or on the CPU."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _CPU_MESSAGES)


def _release() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


SMALL = 50_000_000
"""Parameters up to which a model counts as small."""


def small(model: Any) -> bool:
    """Return whether a model is too small for memory and threads to matter."""
    return bool(sum(parameter.numel() for parameter in model.parameters()) <= SMALL)


def peak_memory(device: torch.device) -> float | None:
    """Return the highest memory use so far in bytes, torch's on a GPU, the process's on a CPU; None if unknown."""
    if device.type == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated(device))
    return peak_resident()
