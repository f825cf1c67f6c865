"""A choice as either layout records it, and the session that it makes."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from tasks.errors import refuse
from tasks.plausible import Kind
from tasks.snacks.screen import Box, slots_of
from tasks.types import Fixation, Session, visits


@dataclass(slots=True)
class Trial:
    """One choice.

    Attributes:
        name: Unique for the subject.
        where: File and row, for messages.
        ratings: The user's own, NaN where there is none.
        boxes: Where the items were on the screen, pixels.
        choice: Index of the chosen item, -1 if it is none of them.
        rt: When the choice was made, ms from the beginning; NaN if not known.
        cross: The item in the place of the cross that people began on, -1 if there is none.
        gazes: In any order; NaN where a time is not known.
    """

    subject: str
    name: str
    where: str
    items: list[str]
    ratings: list[float]
    boxes: list[Box]
    choice: int
    rt: float
    cross: int = -1
    gazes: list[Fixation] = field(default_factory=list)


def session_of(trial: Trial, kind: Kind, size: tuple[int, int], counts: Counter[str]) -> Session | str:
    """Return the session of a trial without its screen, or the reason why it gives none; oddities are counted.

    ``kind`` says how the file calls durations and times, ``size`` is that of the screen in pixels.
    """
    gazes = sorted((g for g in trial.gazes if not math.isnan(sum(g[1:]))), key=lambda gaze: gaze.start_ms)
    counts["gazes without onset or duration, left out"] += len(trial.gazes) - len(gazes)
    if not gazes:
        return "no gaze recorded"
    if trial.choice < 0:
        return "the choice is not one of the items"
    _, onsets, ms = np.array(gazes).T
    fault = "a gaze is there twice" if len(set(gazes)) < len(gazes) else ""
    fault = fault or ("a time is negative" if min(*onsets, *ms) < 0 else "")
    if fault := fault or kind.fault(onsets, ms, 0.0, float(np.fmax(trial.rt, onsets[-1]))):
        refuse(f"{trial.where}: trial {trial.name} of subject {trial.subject}: {fault}. Use the published file.")
    if gazes[0].slot == trial.cross >= 0:
        gazes = gazes[1:]
        counts["first gazes on the item in the middle, where the cross was, left out"] += 1
    slots = slots_of(trial.items, trial.ratings, trial.boxes, size)
    rated = sorted((-slot.rating, i) for i, slot in enumerate(slots) if slot.rating is not None)
    best = ", ".join(f"{slots[i].text} ({slots[i].rating:g})" for _, i in rated)
    session = Session(
        session_id=f"{trial.subject}-{trial.name}",
        user=trial.subject,
        screen=f"{trial.subject}-{trial.name}",
        image=None,
        profile=f"Own ratings of the snacks shown, best to worst: {best}" if best else "",
        slots=slots,
        gaze_ms=np.zeros(len(slots)),
        cursor_ms=np.zeros(len(slots)),
        click=trial.choice,
        flags=("item-repeated",) if len(set(trial.items)) < len(slots) else (),
        fixations=tuple(gaze for gaze in gazes if gaze.duration_ms > 0),
    )
    for visit in visits(session):
        session.gaze_ms[visit.slot] += visit.ms
    return session if session.gaze_ms.any() else "no gaze on an item"
