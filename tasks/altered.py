"""Stimuli altered for stress tests: other labels on the same screen, and columns mirrored: what was left is right.

What is done to a session is a function of the data's digest, the session's id and a seed, so that anybody who has the
data makes the same altered stimuli. :data:`SEED` is the published one.

Mirrored: on a grid, where every slot has a slot of its size opposite, the items change places and the labels stay where
they are. Elsewhere (results in one column) each item is moved across the screen together with its label; no item takes
another one's place, and the order from top to bottom is as before. What is not a slot stays, so an item may cover it.
"""

import hashlib
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL.Image import Image

from tasks.definition import LabelDrawing
from tasks.errors import InputError
from tasks.types import Box, ScreenImage, Slot, Stimulus

Area = tuple[int, int, int, int]  # edges x0, y0, x1, y1 in pixels, the last two excluded

_RING = 3
_STEP = 16

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


def area_of(box: Box, size: tuple[int, int]) -> Area:
    """Return the pixels of a slot's box, edges included, that lie on a screen of ``size``."""
    (x0, y0, x1, y1), (width, height) = box, size
    left, top = max(0, math.floor(x0)), max(0, math.floor(y0))
    return left, top, max(left, min(width, math.floor(x1) + 1)), max(top, min(height, math.floor(y1) + 1))


def cover(image: Image, areas: Sequence[Area], slots: Sequence[Slot]) -> None:
    """Paint areas over, each in the colour that is most common around it outside the slots, in place.

    Colours are taken before any area is painted; the pictures of slots say nothing of the ground.
    """
    pixels = np.asarray(image)
    ground = np.ones(pixels.shape[:2], dtype=bool)
    for x0, y0, x1, y1 in [*(area_of(slot.box, image.size) for slot in slots), *areas]:
        ground[y0:y1, x0:x1] = False
    colours = [_around(pixels, ground, area) for area in areas]
    for area, colour in zip(areas, colours, strict=True):
        image.paste(colour, area)


def _around(pixels: np.ndarray, ground: np.ndarray, area: Area) -> tuple[int, int, int]:
    """Return the most common colour of the ground around an area: the middle of its cell of similar colours."""
    x0, y0, x1, y1 = area
    for reach in (_RING, 8 * _RING, max(pixels.shape)):
        rows = slice(max(0, y0 - reach), y1 + reach)
        columns = slice(max(0, x0 - reach), x1 + reach)
        found = pixels[rows, columns][ground[rows, columns]]
        if len(found):
            cells, which = np.unique(found // _STEP, axis=0, return_inverse=True)
            common = np.bincount(which.ravel(), minlength=len(cells)).argmax()
            red, green, blue = np.median(found[which.ravel() == common], axis=0).astype(int).tolist()
            return red, green, blue
    return 255, 255, 255


def encoded(image: Image) -> ScreenImage:
    """Return a screen as PNG, which changes no pixel."""
    data = io.BytesIO()
    image.save(data, format="PNG", compress_level=1)
    return ScreenImage(data=data.getvalue())


_OVERLAP = 0.5
_SIZE_PX = 2.0


def mirrored(stimulus: Stimulus, labels: LabelDrawing | None, *, draw: bool = True) -> Altered:
    """Return a stimulus with its columns mirrored; nothing in it is random.

    ``labels`` is needed for screens that are not a grid; without ``draw`` the altered stimulus has no screen.
    InputError if labels have to be drawn, and the task does not say how.
    """
    slots, k = stimulus.slots, len(stimulus.slots)
    screen = None if stimulus.image is None else stimulus.image.open()
    width = min(s.box[0] for s in slots) + max(s.box[2] for s in slots) if screen is None else float(screen.width)
    screen = screen if draw else None
    boxes = [(max(0.0, width - s.box[2]), s.box[1], min(width, width - s.box[0]), s.box[3]) for s in slots]
    opposite = _opposites(slots, boxes)
    same = tuple(range(k))
    if opposite is not None:
        if screen is not None:
            _exchange(screen, slots, opposite)
        moved = tuple(
            replace(slots[m], label=slot.label, box=slot.box) for slot, m in zip(slots, opposite, strict=True)
        )
        item, place, label = opposite, same, same
    else:
        moved = tuple(replace(slot, box=box) for slot, box in zip(slots, boxes, strict=True))
        if screen is not None:
            if labels is None:
                raise InputError(
                    "the task does not say how it draws labels (TaskDefinition.labels); items cannot take theirs along."
                )
            _move(screen, slots, moved, labels)
        item, place, label = same, (NOWHERE,) * k, same
    image = None if screen is None else encoded(screen)
    return Altered(replace(stimulus, slots=moved, image=image), item, place, label)


def _opposites(slots: Sequence[Slot], boxes: Sequence[Box]) -> tuple[int, ...] | None:
    """Return the slot opposite each slot, or None if the slots are not a grid with two columns or more."""
    found = []
    for slot, box in zip(slots, boxes, strict=True):
        there = [j for j, other in enumerate(slots) if _shared(box, other.box) > _OVERLAP]
        if len(there) != 1:
            return None
        (x0, y0, x1, y1), (u0, v0, u1, v1) = slot.box, slots[there[0]].box
        if max(abs((x1 - x0) - (u1 - u0)), abs((y1 - y0) - (v1 - v0))) > _SIZE_PX:
            return None
        found.append(there[0])
    whole = all(found[m] == j for j, m in enumerate(found))
    return tuple(found) if whole and any(m != j for j, m in enumerate(found)) else None


def _shared(a: Box, b: Box) -> float:
    """Return the area that two boxes share over the area that they cover together."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    both = across * down
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def _exchange(screen: Image, slots: Sequence[Slot], opposite: Sequence[int]) -> None:
    """Put each slot's picture where the opposite one was, in place."""
    areas = [area_of(slot.box, screen.size) for slot in slots]
    pictures = [screen.crop(area) for area in areas]
    for area, m in zip(areas, opposite, strict=True):
        size = (area[2] - area[0], area[3] - area[1])
        picture = pictures[m] if pictures[m].size == size else pictures[m].resize(size)
        screen.paste(picture, area[:2])


def _move(screen: Image, before: Sequence[Slot], after: Sequence[Slot], labels: LabelDrawing) -> None:
    """Move each slot's picture to its new box, cover the ground it leaves, and label it there, in place."""
    cover(screen, labels.areas(screen.size, before), before)
    areas = [area_of(slot.box, screen.size) for slot in before]
    pictures = [screen.crop(area) for area in areas]
    cover(screen, areas, before)
    for area, picture in zip(areas, pictures, strict=True):
        screen.paste(picture, (screen.width - area[2], area[1]))
    labels.draw(screen, after)


def relabelled(
    stimulus: Stimulus, digest: str, labels: LabelDrawing | None, seed: int = SEED, *, draw: bool = True
) -> Altered:
    """Return a stimulus whose slots have each other's labels, none its own.

    ``digest``, of the task's sessions and split, decides the labels, with the session's id and the seed. Without
    ``draw`` the altered stimulus has no screen. InputError if the task does not say how it draws labels.
    """
    k = len(stimulus.slots)
    label = derangement(k, generator("relabel", digest, stimulus.session_id, seed))
    slots = tuple(replace(slot, label=stimulus.slots[label[j]].label) for j, slot in enumerate(stimulus.slots))
    image = stimulus.image if draw else None
    if image is not None:
        if labels is None:
            raise InputError("the task does not say how it draws labels (TaskDefinition.labels), so none can be drawn.")
        screen = image.open()
        cover(screen, labels.areas(screen.size, stimulus.slots), stimulus.slots)
        labels.draw(screen, slots)
        image = encoded(screen)
    same = tuple(range(k))
    return Altered(replace(stimulus, slots=slots, image=image), item=same, place=same, label=label)
