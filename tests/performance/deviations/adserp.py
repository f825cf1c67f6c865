"""Deviations in how AdSERP is read."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from unittest import mock

import numpy as np

from baselines import registry
from tasks.adserp import screen
from tasks.adserp.dialogs import presses
from tasks.adserp.organic import find_organic
from tasks.adserp.raw import read_raw
from tasks.adserp.reading import boxes_of
from tasks.adserp.sessions import (
    clipped,
    last_pause,
    nearest_slot,
    open_times,
    slot_of_points,
    time_per_slot,
)
from tasks.adserp.trial import SCREEN_WIDTH, Area, Points, Trial, named, page_order
from tasks.definition import ReadOptions
from tasks.types import Session
from tests.performance.deviations.material import Material, kept
from tests.performance.deviations.measuring import (
    ADSERP,
    ADSERP_RAW,
    SEED,
    STAND_IN,
    Deviation,
    Effect,
    Tested,
    both,
    divergence,
    folds,
    tested,
)

PRIOR = "kind-position-prior"
MOUSE = ("mousemove", "mouseover")
"""The events that published code reads."""


def changed(material: Material, change: Callable[[Trial], Trial]) -> list[Session]:
    """Return the sessions that the trials give after a change."""
    return material.sessions_of([change(trial) for trial in material.trials])


def on(name: str, sessions: list[Session], split: str = "kfold") -> Tested:
    return tested(name, sessions, folds(sessions, split))


def compared(material: Material, there: list[Session], simulator: str, metrics: tuple[str, ...]) -> list[Effect]:
    """Return the metrics of a simulator fitted and tested on the sessions there, and on those here."""
    return both(metrics, on(simulator, there), on(simulator, material.adserp), simulator, ADSERP)


def clicked(trial: Trial, click: int = -1) -> Area | None:
    """Return the area that a click lies in, or within 10 px of."""
    boxes = np.array([area.box for area in trial.areas]).reshape(-1, 4)
    x, y = trial.clicks.x[click], trial.clicks.y[click]
    slot = int(slot_of_points(boxes, np.array([x]), np.array([y]))[0])
    slot = nearest_slot(boxes, float(x), float(y)) if slot < 0 else slot
    return trial.areas[slot] if slot >= 0 else None


def labels(material: Material, change: Callable[[Trial], Trial]) -> list[Effect]:
    """Return how many clicks lie in a slot, and how many in another slot or none though they are in one here."""
    pairs = [(clicked(change(trial)), clicked(trial)) for trial in material.trials]
    effects = []
    for what, chosen in (
        ("clicks", pairs),
        ("clicks on ads", [pair for pair in pairs if pair[1] is not None and pair[1].kind != "organic_result"]),
    ):
        found = [sum(pair[way] is not None for pair in chosen) for way in (0, 1)]
        wrong = [sum(pair[way] != pair[1] for pair in chosen) for way in (0, 1)]
        effects.append(Effect(f"{what} in a slot", *found, len(chosen), ADSERP, "trials", 0))
        effects.append(Effect("not in the slot found here", *wrong, len(chosen), ADSERP, "trials", 0))
    return effects


def scrolled(points: Points, scrolls: Points) -> Points:
    """Add to every point how far the page was scrolled at that time."""
    last = np.searchsorted(scrolls.t, points.t, side="right") - 1
    tops = np.append(scrolls.y, 0.0)[last]  # -1, before the first scroll event, takes the 0 at the end
    return Points(points.t, points.x, points.y + tops)


def with_scroll(trial: Trial) -> Trial:
    return dataclasses.replace(
        trial, cursor=scrolled(trial.cursor, trial.scrolls), clicks=scrolled(trial.clicks, trial.scrolls)
    )


def scroll(material: Material) -> list[Effect]:
    there = changed(material, with_scroll)
    return [*labels(material, with_scroll), *compared(material, there, "cursor-oracle", ("KL", "Accuracy"))]


def unscaled(trial: Trial) -> Trial:
    """Take vertical positions as they stand in the file: CSS pixels."""
    width = json.loads(trial.source.read_text(encoding="utf-8"))["win_width"]

    def plain(points: Points) -> Points:
        return Points(points.t, points.x, points.y * width / SCREEN_WIDTH)

    return dataclasses.replace(
        trial, cursor=plain(trial.cursor), clicks=plain(trial.clicks), scrolls=plain(trial.scrolls)
    )


def scale(material: Material) -> list[Effect]:
    there = changed(material, unscaled)
    return [*labels(material, unscaled), *compared(material, there, "cursor-oracle", ("KL", "Accuracy"))]


def truth(material: Material) -> list[Effect]:
    """Read gaze, cursor and choice with version 1 of the ground truth there, with version 2 here."""
    there = kept(material.trials, ReadOptions(images=False, truth=1))
    apart = divergence(there, material.adserp)
    return [
        Effect("sessions kept", len(there), len(material.adserp), len(material.trials), ADSERP, "trials", 0),
        Effect("mean JS to the gaze here", apart, 0.0, len(there), ADSERP),
        *compared(material, there, PRIOR, ("KL", "Accuracy")),
        *compared(material, there, "gaze-oracle", ("Accuracy",)),
    ]


def viewport(material: Material) -> list[Effect]:
    """Take every viewport to be 922 pixels high there, as recorded here."""
    there = changed(material, lambda trial: dataclasses.replace(trial, viewport=(trial.viewport[0], 922)))
    slots = [float(np.mean([len(s.slots) for s in sessions])) for sessions in (there, material.adserp)]
    return [
        Effect("sessions kept", len(there), len(material.adserp), len(material.trials), ADSERP, "trials", 0),
        Effect("slots per session", slots[0], slots[1], len(there), ADSERP, digits=2),
        *compared(material, there, PRIOR, ("KL", "Accuracy")),
    ]


def clicks_from_attention(material: Material) -> list[Effect]:
    """Take attention for the true click for click probabilities there, the model's own probabilities here."""
    sessions = material.adserp_screens
    found = {}
    for clicks in ("attention", "answer"):
        simulator = registry.build("backbone", {"clicks": clicks, "operator": "attnlrp"})
        simulator.fit([], SEED)
        label = clicks == "attention"
        shown = simulator.attend_to_label(sessions) if label else simulator.simulate([s.stimulus() for s in sessions])
        found[clicks] = Tested(sessions, shown)
    metrics = ("Accuracy", "LogLoss", "AUC")
    return both(metrics, found["attention"], found["answer"], "the frozen backbone", f"{ADSERP}; {STAND_IN}")


def whole_page(material: Material) -> list[Effect]:
    there, here = material.adserp, material.adserp_page
    slots = [float(np.mean([len(s.slots) for s in sessions])) for sessions in (there, here)]
    return [
        Effect("slots per session", slots[0], slots[1], len(here), ADSERP, digits=1),
        *both(
            ("KL", "Accuracy", "AUC"), on("position-prior", there), on("position-prior", here), "position-prior", ADSERP
        ),
    ]


def found_boxes(trial: Trial) -> Trial:
    """Replace the organic boxes of the file by those found in the screenshot."""
    ads = [area for area in trial.areas if area.kind != "organic_result"]
    found = find_organic(trial.screenshot.open(), [area.box for area in ads])
    return dataclasses.replace(trial, areas=page_order([*ads, *named({"organic_result": (found, ())})[0]]))


def organic(material: Material) -> list[Effect]:
    here = changed(material, found_boxes)
    slots = [float(np.mean([len(s.slots) for s in sessions])) for sessions in (material.adserp, here)]
    return [
        Effect("sessions kept", len(material.adserp), len(here), len(material.trials), ADSERP, "trials", 0),
        Effect("slots per session", slots[0], slots[1], len(here), ADSERP, digits=2),
        *both(("KL", "Accuracy"), on(PRIOR, material.adserp), on(PRIOR, here), PRIOR, ADSERP),
    ]


def cursor_events(material: Material) -> list[Effect]:
    assert material.raw is not None
    names = sorted(path.stem for path in (material.raw / "mouse-movement-data").glob("*.csv"))
    here_trials = [read_raw(name, material.raw) for name in names]
    there_trials = []
    for trial in here_trials:
        with trial.source.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file)]
        start = min(float(row["timestamp"]) for row in rows)
        # The width of the window is in another file; x of a click is in both readings.
        at = next(row for row in rows if row["event"] == "click")
        by = float(trial.clicks.x[0]) / float(at["xpos"])
        chosen = sorted(
            (float(row["timestamp"]) - start, float(row["xpos"]) * by, float(row["ypos"]) * by)
            for row in rows
            if row["event"] in MOUSE
        )
        there_trials.append(dataclasses.replace(trial, cursor=Points(*np.array(chosen).T)))
    there, here = (kept(trials, ReadOptions(images=False)) for trials in (there_trials, here_trials))
    none = [([], range(len(here)))]
    metrics = ("KL", "Accuracy")
    return both(
        metrics, tested("cursor-oracle", there, none), tested("cursor-oracle", here, none), "cursor-oracle", ADSERP_RAW
    )


def in_pause(trial: Trial) -> Trial:
    """Leave out the positions reported before the last pause."""
    if not len(trial.clicks):
        return trial
    press = float(presses(trial)[0][-1])
    cursor = trial.cursor
    later = cursor.t >= last_pause(trial.scrolls.until(press).t, press)
    return dataclasses.replace(trial, cursor=Points(cursor.t[later], cursor.x[later], cursor.y[later]))


def cursor_pause(material: Material) -> list[Effect]:
    there = changed(material, in_pause)
    still = [sum(not s.cursor_ms.sum() for s in sessions) for sessions in (there, material.adserp)]
    return [
        Effect("sessions without cursor dwell", still[0], still[1], len(there), ADSERP, digits=0),
        *compared(material, there, "cursor-oracle", ("KL", "Accuracy")),
    ]


def doubled(trial: Trial) -> Trial:
    """Repeat every pointer position."""
    cursor = trial.cursor
    return dataclasses.replace(trial, cursor=Points(*(np.repeat(v, 2) for v in (cursor.t, cursor.x, cursor.y))))


def repeated_rows(material: Material) -> list[Effect]:
    there = changed(material, doubled)
    noted = sum("repeated mouse rows" in trial.notes for trial in material.trials)
    seconds = [sum(s.cursor_ms.sum() for s in sessions) / 1000 for sessions in (there, material.adserp)]
    return [
        Effect("trials with a repeated row", noted, noted, len(material.trials), ADSERP, "trials", 0),
        Effect("seconds of cursor dwell, every row repeated", seconds[0], seconds[1], len(there), ADSERP),
    ]


def numbers(material: Material) -> list[Effect]:
    with mock.patch.object(screen, "draw_numbers", lambda image, *_: image):
        blank = kept(material.trials, ReadOptions())
    none = [([], range(len(blank)))]
    there, here = (tested("backbone", sessions, none) for sessions in (blank, material.adserp_screens))
    return both(("KL", "Accuracy", "LogLoss", "AUC"), there, here, "the frozen backbone", f"{ADSERP}; {STAND_IN}")


def only_first(trial: Trial) -> Trial:
    clicks = trial.clicks
    return dataclasses.replace(trial, clicks=Points(clicks.t[:1], clicks.x[:1], clicks.y[:1]))


def first_click(material: Material) -> list[Effect]:
    several = [trial for trial in material.trials if len(trial.clicks) > 1 and clicked(trial) is not None]
    same = sum(clicked(trial) == clicked(trial, 0) for trial in several)
    there = changed(material, only_first)
    return [
        Effect(
            "trials with several clicks that are given the last one's slot",
            same,
            len(several),
            len(several),
            ADSERP,
            "trials",
            0,
        ),
        *compared(material, there, PRIOR, ("KL", "Accuracy")),
        *compared(material, there, "gaze-oracle", ("Accuracy",)),
    ]


def click_margin(material: Material) -> list[Effect]:
    inside = [s for s in material.adserp if "click-beside-slot" not in s.flags]
    return [Effect("sessions kept", len(inside), len(material.adserp), len(material.trials), ADSERP, "trials", 0)]


def with_widgets(trial: Trial) -> Trial:
    """Make slots of widgets too."""
    boxes = json.loads(trial.source.read_text(encoding="utf-8"))["bboxes"].get("widget", [])
    widgets = [Area("widget", box, "widget") for box in boxes_of(boxes, "bboxes.widget", trial.source)]
    widgets = [area for area in widgets if area.box[2] > area.box[0] and area.box[3] > area.box[1]]
    return dataclasses.replace(trial, areas=page_order([*trial.areas, *widgets]))


def widget_share(trial: Trial) -> float:
    """Return the share of the gaze on slots until the press that falls on widgets."""
    boxes = np.array([area.box for area in trial.areas])
    looks, pressed = trial.fixations, presses(trial)[0].tolist()
    times = open_times(0.0, pressed[-1], list(zip(pressed, trial.clicks.t.tolist(), strict=True)))
    rows, _, durations = clipped(looks.end - looks.duration, looks.end, times)
    gaze = time_per_slot(slot_of_points(boxes, looks.x[rows], looks.y[rows]), durations, len(boxes))
    return float(sum(ms for area, ms in zip(trial.areas, gaze, strict=True) if area.kind == "widget") / gaze.sum())


def widgets(material: Material) -> list[Effect]:
    there = changed(material, with_widgets)
    slots = [float(np.mean([len(s.slots) for s in sessions])) for sessions in (there, material.adserp)]
    shares = [
        float(np.mean([widget_share(change(trial)) for trial in material.trials]))
        for change in (with_widgets, lambda trial: trial)
    ]
    return [
        Effect("share of gaze on widgets until the press", *shares, len(material.trials), ADSERP, "trials"),
        Effect("slots per session", slots[0], slots[1], len(there), ADSERP, digits=2),
        *compared(material, there, PRIOR, ("KL", "Accuracy")),
    ]


_REPLAY = frozenset({"adserp"})
DEVIATIONS = (
    Deviation("adserp-scroll", scroll, needs=_REPLAY),
    Deviation("adserp-scale", scale, needs=_REPLAY),
    Deviation("adserp-truth", truth, needs=_REPLAY),
    Deviation("adserp-viewport", viewport, needs=_REPLAY),
    Deviation("adserp-page", whole_page, needs=_REPLAY),
    Deviation("adserp-organic", organic, needs=_REPLAY),
    Deviation("adserp-widgets", widgets, needs=_REPLAY),
    Deviation("adserp-first-click", first_click, needs=_REPLAY),
    Deviation("adserp-click-margin", click_margin, needs=_REPLAY),
    Deviation("adserp-cursor-events", cursor_events, needs=frozenset({"raw"})),
    Deviation("adserp-cursor-pause", cursor_pause, needs=_REPLAY),
    Deviation("adserp-repeated-rows", repeated_rows, zero=True, tolerance=1e-9, needs=_REPLAY),
    Deviation("adserp-numbers", numbers, needs=_REPLAY),
    Deviation("adserp-clicks", clicks_from_attention, needs=_REPLAY),
    Deviation("adserp-sessions", None, "the paper's 493 sessions of 44 users are not listed anywhere"),
)
