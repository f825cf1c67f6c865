"""Digests of what a simulator can read of a task: what a stimulus shows, and what a recording holds, column by column.

The digest of a split (PROTOCOL section 4) covers what is scored: sessions, clicks and gaze, rounded to 0.1 ms. The same
sessions drawn at another size are the same split and may still give other predictions, so every trial's identity also
has the digest of the stimuli, and one digest for each column of the recording that its simulator reads. Recordings are
hashed to one decimal, as in the split's digest: sums that are added up in another order are the same recording. The
slots' texts are not part of the digest of the stimuli but a column of their own: not every copy of the data has them.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.task import Task
from tasks.types import ScreenImage, Session, Slot, Stimulus

TEXTS = "texts"
"""The column of the slots' texts."""

_SHOWN = ("session_id", "user", "screen", "profile", "slots", "image")
_WORDLESS = ("session_id", "user", "screen", "profile", "boxes", "image")
_FIRST = ("session_id", "user", "screen", "profile", "slots", "gaze_ms", "cursor_ms", "click", "flags", "image")
"""What sessions held up to format 2 of trials, in the order of ``content_digest``."""

RECORDED = tuple(
    field.name
    for field in dataclasses.fields(Session)
    if field.name not in {shown.name for shown in dataclasses.fields(Stimulus)}
)
"""The columns of a recording: the fields of a session that a stimulus does not have."""

_SLOTS = {TEXTS: lambda slot: slot.text, "boxes": lambda slot: dataclasses.replace(slot, text="")}
"""Column that is part of the slots -> what a slot holds of it."""


@dataclass(frozen=True, slots=True)
class ContentDigests:
    """SHA-256 digests (hexadecimal) over all sessions of a task in dataset order.

    Attributes:
        stimuli: Of what stimuli show without the slots' texts: ids, users, screens with their pixels, profiles, slots.
        recording: Column of ``RECORDED``, or ``TEXTS`` -> digest of its values.
    """

    stimuli: str
    recording: Mapping[str, str]

    def joined(self) -> str:
        """Return one digest of all of them."""
        return hashlib.sha256("".join([self.stimuli, *self.recording.values()]).encode()).hexdigest()


@functools.lru_cache(maxsize=8)
def content_digests(task: Task) -> ContentDigests:
    """Return the digests of a loaded task; those of one object are computed once."""
    shown, images = hashlib.sha256(), _Images()
    recorded = {name: hashlib.sha256() for name in (*RECORDED, TEXTS)}
    for index in range(len(task)):
        session = task.session(index)
        shown.update(images.row(session, _WORDLESS))
        for name, digest in recorded.items():
            digest.update(images.row(session, ("session_id", name), decimals=1))
    return ContentDigests(shown.hexdigest(), {name: digest.hexdigest() for name, digest in recorded.items()})


@functools.lru_cache(maxsize=8)
def content_digest(task: Task, columns: tuple[str, ...] = _FIRST) -> str:
    """Return one SHA-256 (hexadecimal) over columns, by default all that sessions held up to format 2."""
    digest, images = hashlib.sha256(), _Images()
    for index in range(len(task)):
        digest.update(images.row(task.session(index), columns))
    return digest.hexdigest()


NEEDED: Mapping[str, tuple[str, Callable[[Slot], object]]] = {
    "item texts": ("texts", lambda slot: slot.text),
    "item ratings": ("ratings", lambda slot: slot.rating is not None),
}
"""What a simulator may see that not every copy of the data has -> its name, and whether a slot has it."""


@functools.lru_cache(maxsize=16)
def has(task: Task, seen: str) -> bool:
    """Return whether any slot of a task has what a word of ``NEEDED`` names."""
    there = NEEDED[seen][1]
    return any(there(slot) for index in range(len(task)) for slot in task.session(index).slots)


def made_from(record: Mapping[str, object], task: Task) -> bool:
    """Return whether a trial was made from what a task holds now, by the values of its ``trial.json``.

    Up to format 2 these have one digest of everything, ``inputs``; later ones may have texts among the stimuli.
    """
    if "inputs" in record:
        return bool(record["inputs"] == content_digest(task))
    now, shown, read = content_digests(task), record.get("stimuli"), record.get("recording")
    if not isinstance(read, dict) or (shown != now.stimuli and shown != content_digest(task, _SHOWN)):
        return False
    return all(now.recording.get(column) == digest for column, digest in read.items())


class _Images:
    """Writes sessions as bytes; sessions that share an image object have its digest computed once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[ScreenImage, str]] = {}

    def row(self, session: Session, columns: tuple[str, ...], decimals: int | None = None) -> bytes:
        """Return the values of some columns as a line of JSON, floats in full or with some decimals."""
        values = [
            self._plain(list(map(_SLOTS[name], session.slots)) if name in _SLOTS else getattr(session, name), decimals)
            for name in columns
        ]
        return json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"

    def _plain(self, value: Any, decimals: int | None) -> Any:
        """Return a value as JSON has it: a dataclass as the list of its fields, an image as its digest."""
        if isinstance(value, ScreenImage):
            # The image is kept with its digest: while it lives, no other object can have its id.
            if id(value) not in self._known:
                self._known[id(value)] = (value, value.digest())
            return self._known[id(value)][1]
        if isinstance(value, np.ndarray | np.generic):
            return self._plain(value.tolist(), decimals)
        if isinstance(value, float) and decimals is not None:
            return round(value, decimals) + 0.0  # a negative zero counts as zero
        if dataclasses.is_dataclass(value):
            values = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            if isinstance(value, Slot) and value.rating is None:
                del values["rating"]  # data without ratings have the digests that they had before slots had any
            return [self._plain(one, decimals) for one in values.values()]
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self._plain(item, decimals) for item in value]
        return value
