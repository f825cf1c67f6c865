"""A screen in words: the list of its items, without and with their places (PROTOCOL section 7, text, text-position).

The list is shuffled, so that its order says nothing of the screen, and its entries are labelled in list order: the
first entry has the label of slot 0 wherever its item is on the screen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.errors import InputError
from tasks.types import Session, Slot, Stimulus

_WORDS = {
    "film": ("films on the page", "film you would pick"),
    "snack": ("snacks on the screen", "snack you would choose"),
}
"""Kind of all slots -> what they are called, and the choice among them; other slots are results."""


@dataclass(frozen=True, slots=True)
class ItemList:
    """A session as text: what the model is asked, and the slot of the entry at each place of the list.

    Entry i has the label of slot i.
    """

    text: str
    order: tuple[int, ...]


def item_list(session: Stimulus | Session, seed: int, positions: bool) -> ItemList:
    """Put a session into words: its slots' texts, its profile and, with ``positions``, row and column of every item.

    The seed and the session's id decide the order, the same with and without positions.

    Raises:
        InputError: The slots have no texts.
    """
    slots = session.slots
    if not any(slot.text.strip() for slot in slots):
        raise InputError(
            f"session {session.session_id}: its slots have no texts, so there is no list to give to a language model."
        )
    entropy = int.from_bytes(hashlib.sha256(session.session_id.encode()).digest()[:8], "big")
    order = tuple(int(i) for i in np.random.default_rng((seed, entropy)).permutation(len(slots)))
    tags = [f"(row {row}, column {column}) " for row, column in grid(slots)] if positions else [""] * len(slots)
    entries = [
        f"{slots[place].label}. {tags[i]}{slots[i].text.strip() or '(no title)'}" for place, i in enumerate(order)
    ]
    kinds = {slot.kind for slot in slots}
    what, verb = _WORDS.get(kinds.pop() if len(kinds) == 1 else "", ("results on the page", "result you would click"))
    label = "letter" if slots[0].label.isalpha() else "number"
    lines = [session.profile] if session.profile else []
    lines += [f"Act as this user. The {what}:", *entries, f"Answer with exactly one {label}: that of the {verb}."]
    return ItemList("\n".join(lines), order)


def grid(slots: Sequence[Slot]) -> list[tuple[int, int]]:
    """Return row and column of each slot, counted from 1 at the top left.

    Slots share a row if the middle of one is within the height of the row's first slot; columns are formed in the same
    way.
    """
    return list(zip(_bands(slots, 1), _bands(slots, 0), strict=True))


def _bands(slots: Sequence[Slot], axis: int) -> list[int]:
    """Return the 1-based band of each slot along an axis (0 across, 1 down)."""
    spans = [(slot.box[axis], slot.box[axis + 2]) for slot in slots]
    firsts: list[tuple[float, float]] = []
    found = [0] * len(slots)
    for index in sorted(range(len(slots)), key=lambda i: spans[i]):
        low, high = spans[index]
        middle = (low + high) / 2
        band = next((b for b, (start, end) in enumerate(firsts) if start <= middle <= end), None)
        if band is None:
            firsts.append((low, high))
            band = len(firsts) - 1
        found[index] = band + 1
    return found
