"""From a trial to a session: slots, gaze, cursor and click by the rules of PROTOCOL section 3."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from tasks.adserp import screen
from tasks.adserp.dialogs import presses
from tasks.adserp.trial import Fixations, Points, Trial
from tasks.definition import ReadOptions
from tasks.errors import InputError
from tasks.pictures import encode, fit_factor, one_colour
from tasks.storage import file_name
from tasks.types import Box, Fixation, Floats, ScreenImage, Session, Slot

NEAR_PX = 10.0
PAUSE_MS = 400.0
_JPEG = b"\xff\xd8"

Parts = tuple[NDArray[np.int64], Floats, Floats]
"""Parts of intervals in order of time: the interval that each belongs to, its start, and its duration, ms."""

NO_CLICK = "no click"
OUTSIDE = "the click is in no slot and not within 10 px of one"
FEW_SLOTS = "fewer than two slots"
NO_GAZE = "no gaze on the slots"


TRUTH = 2
"""Version of the ground truth that is read unless another one is asked for (PROTOCOL section 3)."""


def slot_of_points(boxes: Floats, x: Floats, y: Floats) -> NDArray[np.int64]:
    """Return the first of the boxes (K, 4) that contains each point (x, y: shape (n,)), edges included, or -1."""
    if not len(boxes):
        return np.full(len(x), -1, dtype=np.int64)
    inside = (
        (x[:, None] >= boxes[:, 0])
        & (x[:, None] <= boxes[:, 2])
        & (y[:, None] >= boxes[:, 1])
        & (y[:, None] <= boxes[:, 3])
    )
    return np.where(inside.any(axis=1), inside.argmax(axis=1), -1).astype(np.int64)


def nearest_slot(boxes: Floats, x: float, y: float, within: float = NEAR_PX) -> int:
    """Return the box whose edge is nearest to a point outside all boxes, or -1 if none is ``within`` pixels."""
    if not len(boxes):
        return -1
    away_x = np.maximum(np.maximum(boxes[:, 0] - x, x - boxes[:, 2]), 0.0)
    away_y = np.maximum(np.maximum(boxes[:, 1] - y, y - boxes[:, 3]), 0.0)
    distance = np.hypot(away_x, away_y)
    nearest = int(distance.argmin())
    return nearest if distance[nearest] <= within else -1


def last_pause(scroll_t: Floats, end: float) -> float:
    """Return the start of the last pause before the end of the window, milliseconds since the load.

    A pause is a gap of at least 400 ms between load, scroll events and end; without any, the whole trial
    is one, from 0.
    """
    edges = np.concatenate(([0.0], np.sort(scroll_t[scroll_t <= end]), [end]))
    pauses = np.flatnonzero(np.diff(edges) >= PAUSE_MS)
    return float(edges[pauses[-1]]) if pauses.size else 0.0


def open_times(start: float, end: float, dialogs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the window from start to end without its dialogs, which are in time order, as intervals."""
    found = []
    for press, click in dialogs:
        found.append((start, min(press, end)))
        start = max(start, click)
    return [(opened, closed) for opened, closed in [*found, (start, end)] if opened < closed]


def clipped(begin: Floats, finish: Floats, times: Sequence[tuple[float, float]]) -> Parts:
    """Return the parts of intervals (begin and finish of shape (n,)) that lie inside open times, in order of time."""
    rows, starts, durations = [], [], []
    for opened, closed in times:
        start = np.maximum(begin, opened)
        duration = np.minimum(finish, closed) - start
        inside = np.flatnonzero(duration > 0)
        inside = inside[np.argsort(start[inside], kind="stable")]
        rows.append(inside)
        starts.append(start[inside])
        durations.append(duration[inside])
    none = np.empty(0)
    return (
        np.concatenate([none.astype(np.int64), *rows]),
        np.concatenate([none, *starts]),
        np.concatenate([none, *durations]),
    )


def whole_fixations(fixations: Fixations, start: float, end: float) -> Parts:
    """Return the fixations that ended between start and end, both included, as ``clipped`` does (version 1)."""
    begin = fixations.end - fixations.duration
    rows = np.flatnonzero((fixations.end >= start) & (fixations.end <= end) & (fixations.duration > 0))
    rows = rows[np.argsort(begin[rows], kind="stable")]
    return rows, begin[rows], fixations.duration[rows]


def whole_positions(cursor: Points, start: float, end: float) -> Parts:
    """Return the pointer positions reported between start and end, as ``clipped`` does (version 1).

    A position lasts until the next mouse event, the last one until ``end``. A position reported before ``start``
    counts for nothing: the page has moved under the pointer since.
    """
    rows = np.flatnonzero((cursor.t >= start) & (cursor.t <= end))
    return rows, cursor.t[rows], np.diff(np.append(cursor.t[rows], end))


def time_per_slot(slots: NDArray[np.int64], durations: Floats, k: int) -> Floats:
    """Return the summed durations per slot, shape (k,); slot -1 means no slot."""
    hit = slots >= 0
    total: Floats = np.bincount(slots[hit], weights=durations[hit], minlength=k).astype(np.float64)
    return total


def slots_in_view(boxes: Floats, top: float, height: float) -> NDArray[np.bool_]:
    """Return which boxes have at least half their height between ``top`` and ``top + height``; shape (K,)."""
    visible = np.minimum(boxes[:, 3], top + height) - np.maximum(boxes[:, 1], top)
    half: NDArray[np.bool_] = visible >= 0.5 * (boxes[:, 3] - boxes[:, 1])
    return half


def build_session(trial: Trial, options: ReadOptions, whole_page: bool = False) -> Session | str:
    """Return the session of a trial, or the reason why it gives none.

    With ``whole_page`` it is one of ``adserp-page``: the full page, all slots, gaze from the load to the press.
    Otherwise it is one of ``adserp``: the viewport at the press, its slots, gaze of the last pause. Without a folder
    ``work`` the screen is kept in memory. InputError if the screenshot is missing, does not open or is not 1280 pixels
    wide, or the screen cannot be written.
    """
    if not len(trial.clicks):
        return NO_CLICK
    boxes = np.array([area.box for area in trial.areas], dtype=np.float64).reshape(-1, 4)
    truth = options.truth or TRUTH
    chosen, end, dialogs, flags = _choice(trial, truth)
    click = int(slot_of_points(boxes, trial.clicks.x[chosen : chosen + 1], trial.clicks.y[chosen : chosen + 1])[0])
    if click < 0:
        click = nearest_slot(boxes, float(trial.clicks.x[chosen]), float(trial.clicks.y[chosen]))
        flags.append("click-beside-slot")
    if click < 0:
        return OUTSIDE

    top = 0
    start = 0.0
    kept = np.ones(len(boxes), dtype=bool)
    if not whole_page:
        scrolls = trial.scrolls.until(end)
        top = round(float(scrolls.y[-1])) if len(scrolls) else 0
        start = last_pause(scrolls.t, end)
        kept = slots_in_view(boxes, top, trial.viewport[1])
        if not kept[click]:
            flags.append("clicked-slot-mostly-hidden")
        kept[click] = True
    order = np.flatnonzero(kept)
    place = np.full(len(boxes) + 1, -1)  # the last one is for points in no box
    place[order] = np.arange(len(order))
    fixations, cursor = trial.fixations, trial.cursor
    if truth == 1:
        looks, stays = whole_fixations(fixations, start, end), whole_positions(cursor, start, end)
    else:
        times = open_times(start, end, dialogs)
        looks = clipped(fixations.end - fixations.duration, fixations.end, times)
        stays = clipped(cursor.t, np.append(cursor.t[1:], np.inf)[: len(cursor)], times)
    looked_at = place[slot_of_points(boxes, fixations.x[looks[0]], fixations.y[looks[0]])]
    pointed_at = place[slot_of_points(boxes, cursor.x[stays[0]], cursor.y[stays[0]])]
    gaze = time_per_slot(looked_at, looks[2], len(order))
    if len(order) < 2:
        return FEW_SLOTS
    if not gaze.sum() > 0:
        return NO_GAZE

    labels = [str(number) for number in range(1, len(order) + 1)]
    kept_boxes = [trial.areas[index].box for index in order]
    image, drawn, colour = _screen(trial, options, whole_page, kept_boxes, labels, top)
    if colour:
        flags.append(f"{colour.replace(' ', '-')}-page")
    slots = tuple(
        Slot(label, trial.areas[index].kind, trial.areas[index].text, box)
        for label, index, box in zip(labels, order, drawn, strict=True)
    )
    return Session(
        session_id=trial.trial_id,
        user=trial.user,
        screen=trial.query,
        image=image,
        profile=f"Search query: {trial.query}",
        slots=slots,
        gaze_ms=gaze,
        cursor_ms=time_per_slot(pointed_at, stays[2], len(order)),
        click=int(place[click]),
        flags=tuple(flags),
        fixations=tuple(map(Fixation, looked_at.tolist(), (looks[1] - start).tolist(), looks[2].tolist())),
    )


def _choice(trial: Trial, truth: int) -> tuple[int, float, list[tuple[float, float]], list[str]]:
    """Return which click is the choice, the end of the window, the dialogs (from, to) and flags."""
    several = len(trial.clicks) > 1
    if truth == 1:
        return 0, float(trial.clicks.t[0]), [], ["several-clicks"] if several else []
    pressed, estimated = presses(trial)
    flags = [name for name, raised in (("reconsidered", several), ("press-estimated", estimated)) if raised]
    dialogs = list(zip(pressed.tolist(), trial.clicks.t.tolist(), strict=True))
    return len(trial.clicks) - 1, float(pressed[-1]), dialogs, flags


def _screen(
    trial: Trial, options: ReadOptions, whole_page: bool, boxes: Sequence[Box], labels: Sequence[str], top: int
) -> tuple[ScreenImage | None, list[Box], str]:
    """Return the drawn screen, if wanted, the boxes in its pixels, and the page's colour if it shows nothing else."""
    if not whole_page:
        boxes = screen.boxes_in_view(boxes, top, trial.viewport)
    if not options.images:
        return None, list(boxes), ""
    page = trial.page
    if page is None:
        page = trial.screenshot.open()
        screen.check_width(page, trial.screenshot.path)
    colour = one_colour(page)
    if options.check:
        return None, list(boxes), colour
    image = page if whole_page else screen.cut(page, top, trial.viewport)
    factor = fit_factor(image.size, options.size)
    if factor < 1.0:
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        by = (size[0] / image.width, size[1] / image.height)
        boxes = [(x0 * by[0], y0 * by[1], x1 * by[0], y1 * by[1]) for x0, y0, x1, y1 in boxes]
        image = image.resize(size, PilImage.Resampling.LANCZOS, reducing_gap=3.0)
    encoded = encode(screen.draw_numbers(image, boxes, labels, factor))
    if options.work is None:
        return ScreenImage(data=encoded), list(boxes), colour
    path = options.work / f"{file_name(trial.trial_id)}.{'jpg' if encoded[:2] == _JPEG else 'png'}"
    try:
        path.write_bytes(encoded)
    except OSError as error:
        raise InputError(f"cannot write the screen {path}: {error.strerror}.") from error
    return ScreenImage(path=path), list(boxes), colour
