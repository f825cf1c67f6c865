"""Batches that shrink when memory runs out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.backbones.memory import in_batches
from tasks.errors import InputError
from tests.baselines.backbones import tiny

pytestmark = pytest.mark.usefixtures("small_heap")


def fake(limit, sizes, error=torch.OutOfMemoryError):
    def run(batch):
        sizes.append(len(batch))
        if len(batch) > limit:
            raise error("CUDA out of memory. Tried to allocate 2 GiB")
        return [item * item for item in batch]

    return run


def test_halves_until_it_fits_and_stays_there():
    sizes, said = [], []
    assert in_batches(range(11), fake(2, sizes), 8, said.append) == [n * n for n in range(11)]
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 1]
    assert said == [
        "out of memory with 8 sessions at once; going on with 4.",
        "out of memory with 4 sessions at once; going on with 2.",
    ]


def test_memory_that_runs_out_later(caplog):
    calls = []

    def run(batch):
        calls.append(list(batch))
        if len(calls) == 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
        return list(batch)

    assert in_batches("abcdefg", run, 3) == list("abcdefg")
    assert calls == [["a", "b", "c"], ["d", "e", "f"], ["d", "e"], ["f", "g"]]
    assert "going on with 2" in caplog.text


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_one_session_that_does_not_fit(error):
    with pytest.raises(InputError, match="not enough memory for a single session"):
        in_batches([1, 2], fake(0, [], error), 2, lambda line: None)


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shape"):
        in_batches([1], lambda batch: (_ for _ in ()).throw(RuntimeError("shape mismatch")), 1)
    with pytest.raises(ValueError, match="1 results for a batch of 2"):
        in_batches([1, 2], lambda batch: [0], 2)
    with pytest.raises(ValueError, match="at least 1"):
        in_batches([1], lambda batch: [0], 0)


def test_nothing_of_a_failed_batch_is_kept():
    """The failed batch's tensors are freed before the next attempt."""
    import weakref

    alive = []

    class Block:
        """Something in a reference cycle, as autograd graphs with hooks are."""

        def __init__(self):
            self.me = self

    def run(batch):
        assert len(batch) == 1 or all(reference() is None for reference in alive)
        block = Block()
        alive.append(weakref.ref(block))
        if len(batch) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return [0] * len(batch)

    in_batches(range(4), run, 4, lambda line: None)
    assert len(alive) == 6


def test_halved_batches_of_a_backbone_give_the_same_scores(backbone):
    sessions = [tiny.session("ABCDE"[: 2 + n], seed=n % 2, profile="Drama " * n) for n in range(4)]
    whole = tiny.token_scores(backbone, sessions)

    def run(batch):
        if len(batch) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return tiny.token_scores(backbone, batch)

    said = []
    halved = in_batches(sessions, run, 4, said.append)
    assert len(said) == 1
    for one, two in zip(whole, halved, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4)
