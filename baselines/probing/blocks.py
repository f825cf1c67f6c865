"""Causal attention weights of one layer, recomputed in blocks of query rows.

A block covers some sequences of the batch and some query rows, and only the keys up to its last row. It is small enough
to stay in cache on a CPU, so nothing of size S x S is ever written to memory unless a caller keeps its blocks.
Inside a block heads are grouped by the key-value head they share: per-row tensors have shape (b, H_kv, G n, .) with
G = H / H_kv, which makes every product one batched matrix product without repeating keys or values.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.errors import InputError

# Bytes of one block of weights: about a core's cache on a CPU, enough to fill the card on a GPU.
_CPU_BYTES = 1_600_000
_GPU_BYTES = 256_000_000
_MIN_ROWS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Query rows ``start..stop-1`` of the sequences ``batch``; keys are 0..stop-1."""

    batch: slice
    start: int
    stop: int
    hidden: Tensor | None

    def rows(self, tensor: Tensor, groups: int) -> Tensor:
        """Return the block's rows of a (B, H, S, d) or (B, H, S) tensor as (b, H_kv, G n, d) or (b, H_kv, G n)."""
        part = tensor[self.batch, :, self.start : self.stop]
        batch, heads, count = part.shape[:3]
        return part.reshape(batch, groups, heads // groups * count, *part.shape[3:])

    def keys(self, tensor: Tensor) -> Tensor:
        """Return the block's keys of a (B, H_kv, S, d) tensor."""
        return tensor[self.batch, :, : self.stop]

    def add_rows(self, total: Tensor, part: Tensor) -> None:
        """Add (b, H_kv, G n[, d]) to the block's rows of ``total`` (B, H, S[, d])."""
        target = total[self.batch, :, self.start : self.stop]
        target += part.reshape(target.shape)

    def add_keys(self, total: Tensor, part: Tensor) -> None:
        """Add (b, H_kv, e, d) to the block's keys of ``total`` (B, H_kv, S, d)."""
        total[self.batch, :, : self.stop] += part

    def hide(self, scores: Tensor, value: float) -> Tensor:
        """Overwrite in place what is not attended in ``scores`` (b, H_kv, G n, e) or (b, n, e), and return it."""
        count = self.stop - self.start
        view = scores.view(scores.shape[0], -1, count, self.stop)
        if self.hidden is None:
            if count > 1:
                later = torch.ones(count, count, dtype=torch.bool, device=scores.device).triu_(1)
                view[..., self.start :].masked_fill_(later, value)
        else:
            view.masked_fill_(self.hidden, value)
        return scores


def accumulator(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which attention weights and relevance are kept: at least float32."""
    return torch.promote_types(dtype, torch.float32)


def blocks(query: Tensor, mask: Tensor | None, first_row: int = 0) -> Iterator[Block]:
    """Cut rows ``first_row..S-1`` of a layer's queries, shape (B, H, S, d), into blocks, batch by batch.

    The mask is None for plain causal attention, or True where attended, shape (B, 1, S, S), itself causal.
    """
    batch, heads, length, _ = query.shape
    budget = _GPU_BYTES if query.is_cuda else _CPU_BYTES
    row_bytes = 4 * heads * length
    together = min(batch, max(1, budget // (row_bytes * min(64, length))))
    count = min(length, max(_MIN_ROWS, budget // (row_bytes * together)))
    for low in range(0, batch, together):
        part = slice(low, min(batch, low + together))
        for start in range(first_row, length, count):
            stop = min(length, start + count)
            hidden = None if mask is None else ~mask[part, :, start:stop, :stop]
            yield Block(part, start, stop, hidden)


def attention_weights(block: Block, query: Tensor, key: Tensor, scale: float) -> Tensor:
    """Return the block's attention weights, shape (b, H_kv, G n, e), float32 or wider.

    A row that attends to nothing (padding) is 0 throughout.
    """
    groups = key.shape[1]
    scores = block.rows(query, groups) @ block.keys(key).transpose(-1, -2)
    scores = scores.to(accumulator(scores.dtype)).mul_(scale)
    weights = torch.softmax(block.hide(scores, torch.finfo(scores.dtype).min), -1)
    return weights if block.hidden is None else block.hide(weights, 0.0)


def product(left: Tensor, right: Tensor) -> Tensor:
    """Return ``left @ right`` computed in the type of ``right`` and given in the type weights are kept in."""
    return (left.to(right.dtype) @ right).to(accumulator(right.dtype))


def check_causal(masks: Iterable[Tensor | None]) -> None:
    """Refuse masks that let a position see a later one; blocks would cut such weights off unseen.

    InputError if a mask is not causal.
    """
    distinct = {id(mask): mask for mask in masks if mask is not None}
    for mask in distinct.values():
        if bool(mask.triu(1).any()):
            raise InputError("the model's attention mask lets a position see a later one; it cannot be probed.")
