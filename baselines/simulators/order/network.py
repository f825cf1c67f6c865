"""The network of ``slot-transformer``: an encoder over slots, a decoder over the path so far, a pointer to a slot.

After OAT, the Object-level Attention Transformer (arXiv 2407.13335): a path is a sequence of objects, not of pixels,
and the decoder points at one of the encoded objects. As there, where objects are enters the choice by how they lie to
each other. Ours are the sizes, the features of a slot, the scores of ``relations`` and the stop.
"""

import math
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tasks.types import Slot, Visit

BUCKETS = 1024
"""Words of a slot's text are hashed into so many."""
DTYPE = torch.float64
_BOX, _RELATIONS = 8, 9


class Screen(NamedTuple):
    """A session's slots as tensors: box features (K, 8), kinds (K,), words (K, words; 0 is none)."""

    boxes: Tensor
    kinds: Tensor
    words: Tensor


def screen(slots: Sequence[Slot], kinds: Sequence[str]) -> Screen:
    """Return slots as tensors; a kind that is not among ``kinds`` is 0, the others follow in order."""
    boxes = torch.tensor([slot.box for slot in slots], dtype=DTYPE)
    low, high = boxes[:, :2].amin(0), boxes[:, 2:].amax(0)
    span = (high - low).clamp(min=1e-9).repeat(2)
    boxes = (boxes - low.repeat(2)) / span
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    place = torch.arange(len(slots), dtype=DTYPE)[:, None]
    words = [[1 + zlib.crc32(word.encode()) % (BUCKETS - 1) for word in slot.text.lower().split()] for slot in slots]
    return Screen(
        torch.cat([boxes, middle, place / len(slots), place / 10], dim=1),
        torch.tensor([kinds.index(slot.kind) + 1 if slot.kind in kinds else 0 for slot in slots]),
        _padded([torch.tensor(each or [0]) for each in words]),
    )


def relations(shown: Screen, path: Sequence[int]) -> Tensor:
    """Return how each slot lies to the current one after every visit, shape (n, K, 9): across, down, steps, visited."""
    middle, count = shown.boxes[:, 4:6], len(shown.boxes)
    seen, found = torch.zeros(count, dtype=DTYPE), []
    for k, slot in enumerate(path):
        seen[slot] += 1
        step = torch.arange(count, dtype=DTYPE) - slot
        before = torch.zeros(count, dtype=DTYPE)
        if k:
            before[path[k - 1]] = 1.0
        shift = middle - middle[slot]
        near = [(step == 1).to(DTYPE), (step == -1).to(DTYPE), step / 5, (seen > 0).to(DTYPE), seen.log1p(), before]
        found.append(torch.stack([shift[:, 0], shift[:, 1], shift.norm(dim=1), *near], dim=1))
    return torch.stack(found) if found else torch.zeros((0, count, _RELATIONS), dtype=DTYPE)


class Example(NamedTuple):
    """A path on a screen: slots visited (n,), the time of each visit in ms (n,), and their relations (n, K, 9)."""

    screen: Screen
    path: Tensor
    ms: Tensor
    relations: Tensor


def example(shown: Screen, path: Sequence[Visit]) -> Example:
    """Return a path as tensors."""
    slots = [visit.slot for visit in path]
    ms = torch.tensor([visit.ms for visit in path], dtype=DTYPE)
    return Example(shown, torch.tensor(slots, dtype=torch.long), ms, relations(shown, slots))


class Batch(NamedTuple):
    """B paths, padded to K slots and n visits; ``slots`` (B, K) and ``steps`` (B, n) say what is there."""

    screens: Screen
    slots: Tensor
    path: Tensor
    ms: Tensor
    relations: Tensor
    steps: Tensor


def batch(examples: Sequence[Example]) -> Batch:
    """Pad paths."""
    screens = [one.screen for one in examples]
    shown = Screen(*(_padded([getattr(s, name) for s in screens]) for name in Screen._fields))
    path, ms, near = (_padded([getattr(one, name) for one in examples]) for name in ("path", "ms", "relations"))
    count, visits = (
        torch.tensor([len(each) for each in of]) for of in ([s.boxes for s in screens], [e.path for e in examples])
    )
    slots, steps = torch.arange(int(count.max())), torch.arange(int(visits.max()))
    return Batch(shown, slots < count[:, None], path, ms, near, steps < visits[:, None])


def _padded(tensors: Sequence[Tensor]) -> Tensor:
    """Stack tensors that differ in size, with zeros at their ends."""
    whole = tensors[0].new_zeros(
        (len(tensors), *(max(sizes) for sizes in zip(*(t.shape for t in tensors), strict=True)))
    )
    for row, tensor in zip(whole, tensors, strict=True):
        row[tuple(slice(size) for size in tensor.shape)] = tensor
    return whole


class Network(nn.Module):
    """Slots and the path so far -> log-probabilities of the next slot and of the stop."""

    def __init__(self, kinds: int, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.box, self.kind = nn.Linear(_BOX, width), nn.Embedding(kinds + 1, width)
        self.word = nn.Embedding(BUCKETS, width, padding_idx=0)
        sizes = (width, heads, 2 * width, dropout)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(*sizes, batch_first=True, norm_first=True), layers, enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(*sizes, batch_first=True, norm_first=True), layers, nn.LayerNorm(width)
        )
        self.begin, self.dwell = nn.Parameter(torch.zeros(width)), nn.Linear(1, width)
        self.relation = nn.Sequential(nn.Linear(_RELATIONS, 32), nn.GELU(), nn.Linear(32, 1))
        self.query, self.stop = nn.Linear(width, width), nn.Linear(width + 2, 1)
        self.to(DTYPE)

    def forward(self, given: Batch) -> tuple[Tensor, Tensor]:
        """Return after 0 .. n visits the log shares of the slots, (B, n + 1, K), and log odds of stopping, (B, n + 1).

        The current slot is not among the next ones.
        """
        shown, width = given.screens, self.begin.shape[0]
        spoken = (shown.words > 0).sum(-1, keepdim=True).clamp(min=1)
        slots = self.box(shown.boxes) + self.kind(shown.kinds) + self.word(shown.words).sum(2) / spoken
        slots = self.encoder(slots, src_key_padding_mask=~given.slots)
        visited = torch.gather(slots, 1, given.path[:, :, None].expand(-1, -1, width))
        visited = visited + self.dwell(given.ms[:, :, None].log1p() / 6)
        path = torch.cat([self.begin.expand(len(slots), 1, width), visited], dim=1)
        length = path.shape[1]
        path = path + _sinusoids(length, width)
        later = torch.triu(torch.ones(length, length, dtype=torch.bool), 1)
        state = self.decoder(path, slots, tgt_mask=later, memory_key_padding_mask=~given.slots)
        score = self.query(state) @ slots.transpose(1, 2) / math.sqrt(width)
        score = score + nn.functional.pad(self.relation(given.relations)[..., 0], (0, 0, 1, 0))
        here = nn.functional.one_hot(given.path, slots.shape[1]).bool() & given.steps[:, :, None]
        closed = nn.functional.pad(here, (0, 0, 1, 0)) | ~given.slots[:, None, :]
        share = score.masked_fill(closed, -1e9).log_softmax(-1)
        seen = nn.functional.pad((given.relations[..., 6] * given.slots[:, None, :]).sum(-1), (1, 0))
        number = torch.arange(length, dtype=DTYPE).log1p().expand_as(seen)
        known = torch.stack([number, seen / given.slots.sum(1, keepdim=True)], dim=-1)
        return share, self.stop(torch.cat([state, known], dim=-1))[..., 0]


def _sinusoids(length: int, width: int) -> Tensor:
    """Return the usual encoding of positions, (length, width)."""
    angle = np.arange(length)[:, None] / 10_000 ** (np.arange(0, width, 2) / width)
    return torch.from_numpy(np.concatenate([np.sin(angle), np.cos(angle)], axis=1))


def loss(network: Network, given: Batch) -> Tensor:
    """Return nats per session: the mean over visits of the next slot's, and over rows of stop or go on, shape (B,)."""
    share, odds = network(given)
    visits = given.steps.sum(1)
    hit = torch.gather(share[:, :-1], 2, given.path[:, :, None])[..., 0]
    next_slot = -(hit * given.steps).sum(1) / visits
    rows = torch.arange(odds.shape[1])
    sign = torch.where(rows == visits[:, None], 1.0, -1.0)
    ends = -nn.functional.logsigmoid(sign * odds) * ((rows > 0) & (rows <= visits[:, None]))
    return next_slot + ends.sum(1) / visits


def pass_through(
    network: Network, optimiser: torch.optim.Optimizer, examples: Sequence[Example], size: int, rng: np.random.Generator
) -> float:
    """Take a step per batch of ``size`` paths, in an order drawn; return the mean loss, nats per session."""
    network.train()
    order, total = rng.permutation(len(examples)), 0.0
    for first in range(0, len(order), size):
        found = loss(network, batch([examples[i] for i in order[first : first + size]]))
        optimiser.zero_grad()
        found.mean().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        total += float(found.detach().sum())
    return total / len(examples)


def mean_loss(network: Network, examples: Sequence[Example]) -> float:
    """Return the mean loss without dropout, nats per session."""
    network.eval()
    with torch.no_grad():
        parts = [loss(network, batch(examples[i : i + 64])) for i in range(0, len(examples), 64)]
    return float(torch.cat(parts).mean())
