"""An altered stimulus, and the randomness of alterations."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from tasks.types import Stimulus

SEED = 0  # seed of the published conditions: what a submission's stress predictions are compared with

NOWHERE = -1  # in ``Altered.place``: the slot is where no slot was


@dataclass(frozen=True, slots=True)
class Altered:
    """A stimulus after an alteration, and what of it comes from where.

    A slot joins an item (picture and text), a place on the screen and a label. An alteration takes them apart: each
    of the three tuples holds, per slot of the altered stimulus, the slot of the original that the part comes from.

    Attributes:
        stimulus: What a simulator is shown; id, user, screen and profile are the original's.
        item: Where the slot's item was, shape (K,).
        place: Whose place it has, shape (K,); ``NOWHERE`` if no slot was there.
        label: Whose label it has, shape (K,).
    """

    stimulus: Stimulus
    item: tuple[int, ...]
    place: tuple[int, ...]
    label: tuple[int, ...]


def generator(condition: str, digest: str, key: str, seed: int) -> np.random.Generator:
    """Return the generator of an alteration of a task's data (``digest``), done to a session or the like (``key``)."""
    text = json.dumps([condition, digest, key, int(seed)], ensure_ascii=True)
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode("ascii")).digest()[:16], "big"))


def derangement(n: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Return a permutation of 0..n-1 (n at least 2) that leaves nothing in its place, each with the same chance."""
    if n < 2:
        raise ValueError("a single thing cannot leave its place")
    while True:
        found = rng.permutation(n)
        if (found != np.arange(n)).all():
            return tuple(int(i) for i in found)
