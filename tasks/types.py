"""The plain typed values that cross every border of the suite, and visits, which follow from them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)``, pixels."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One area of interest (AOI) with one item.

    Attributes:
        label: What is drawn next to the slot and what an answer names: a letter or a number.
        kind: ``film``, ``snack``, ``organic_result``, ``native_ad``, ``dd_top`` or ``dd_right``.
        text: The item in words: title, year and genres, or the result's title where it is known.
        box: ``(x0, y0, x1, y1)`` in pixels of the session's image, edges included.
        rating: How the session's user rated the item, on the data's own scale; None where the data hold no ratings.
    """

    label: str
    kind: str
    text: str
    box: Box
    rating: float | None = None


@dataclass(frozen=True, slots=True)
class ScreenImage:
    """A screen kept as an encoded image, in memory or in a file, and decoded only when asked for."""

    data: bytes | None = field(default=None, repr=False)
    path: Path | None = None

    def __post_init__(self) -> None:
        if (self.data is None) == (self.path is None):
            raise ValueError("give either data or path")

    def encoded(self) -> bytes:
        """Return the bytes of the encoded image (PNG or JPEG)."""
        if self.data is not None:
            return self.data
        assert self.path is not None
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read the image {self.path}: {error.strerror}.") from error

    def open(self) -> Image:
        """Return the decoded image in mode RGB; InputError if the file is missing or is not an image."""
        from tasks.pictures import decode

        return decode(self.encoded(), self._what)

    def measure(self) -> tuple[tuple[int, int], str]:
        """Return width and height in pixels and the format, such as ``PNG``, without decoding the image.

        InputError if the file is missing or is not an image.
        """
        from tasks.pictures import measure

        return measure(self.encoded(), self._what)

    @property
    def _what(self) -> str:
        return f"the screenshot in {self.path if self.path is not None else 'a prepared data set'}"

    def digest(self) -> str:
        """Return the SHA-256 of the encoded bytes; equal screens are encoded and cached once."""
        return hashlib.sha256(self.encoded()).hexdigest()


class Fixation(NamedTuple):
    """One recorded fixation.

    Attributes:
        slot: Index of the slot that it is on, -1 for none.
        start_ms: Its start, ms from the beginning of the session's window.
        duration_ms: How much of it counts, ms, above 0.
    """

    slot: int
    start_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Stimulus:
    """What a simulator is shown: a session without its gaze, its cursor, its click, its flags and its fixations."""

    session_id: str
    user: str
    screen: str
    image: ScreenImage | None
    profile: str
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One user on one screen, ending in one click (PROTOCOL section 1).

    Attributes:
        session_id: ``<UserID>-<TaskID>`` on RecGaze, the trial id on AdSERP; unique in a task.
        user: The user's id as published.
        screen: Which screen it was, over users: the TaskID on RecGaze, the query on AdSERP.
        image: What the user saw at the click, or None if the task was prepared without images.
        profile: What is known of the user or the need, in words; may be empty.
        slots: The K slots, numbered 0..K-1 in this order.
        gaze_ms: Dwell time per slot, shape (K,), milliseconds; the human ground truth.
        cursor_ms: Cursor dwell time per slot, shape (K,), milliseconds.
        click: Index of the clicked slot.
        flags: Oddities of the recording, such as ``several-clicks``.
        fixations: The recorded fixations in time order; their time on a slot adds up to ``gaze_ms``. Empty where the
            data hold none, as folders prepared by earlier versions.
    """

    session_id: str
    user: str
    screen: str
    image: ScreenImage | None
    profile: str
    slots: tuple[Slot, ...]
    gaze_ms: Floats
    cursor_ms: Floats
    click: int
    flags: tuple[str, ...] = ()
    fixations: tuple[Fixation, ...] = ()

    def __post_init__(self) -> None:
        k = len(self.slots)
        for name in ("gaze_ms", "cursor_ms"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.shape != (k,):
                raise InputError(f"session {self.session_id}: {name} has shape {values.shape}, expected ({k},).")
            if not np.isfinite(values).all() or (values < 0).any():
                raise InputError(f"session {self.session_id}: {name} holds a negative or non-finite duration.")
            object.__setattr__(self, name, values)
        if not 0 <= self.click < k:
            raise InputError(f"session {self.session_id}: click {self.click} is not a slot 0..{k - 1}.")
        for index, fixation in enumerate(self.fixations):
            if not (-1 <= fixation.slot < k and fixation.duration_ms > 0 and math.isfinite(sum(fixation[1:]))):
                raise InputError(f"session {self.session_id}: fixation {index} {tuple(fixation)} is not one.")

    @property
    def gaze(self) -> Floats:
        """The human attention g = gaze_ms / sum(gaze_ms), shape (K,)."""
        total = float(self.gaze_ms.sum())
        if total <= 0:
            raise InputError(f"session {self.session_id}: all dwell times are 0.")
        share: Floats = self.gaze_ms / total
        return share

    def stimulus(self) -> Stimulus:
        """Return the view that a simulator is allowed to see."""
        return Stimulus(self.session_id, self.user, self.screen, self.image, self.profile, self.slots)


class Visit(NamedTuple):
    """A run of fixations on one slot.

    Attributes:
        start_ms: Start of its first fixation, ms from the beginning of the session's window.
        ms: Counted time of its fixations, ms.
    """

    slot: int
    start_ms: float
    ms: float


def visits(session: Session) -> tuple[Visit, ...]:
    """Return a session's visits in time order; empty where the data hold no fixations.

    Fixations on no slot neither count nor split a run, so two neighbouring visits are never on the same slot. The
    visits' ms add up to ``gaze_ms`` slot by slot, exactly.
    """
    on_slots = (fixation for fixation in session.fixations if fixation.slot >= 0)
    found = []
    for slot, run in groupby(on_slots, key=lambda fixation: fixation.slot):
        fixations = list(run)
        found.append(Visit(slot, fixations[0].start_ms, sum(fixation.duration_ms for fixation in fixations)))
    return tuple(found)
