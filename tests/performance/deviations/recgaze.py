"""Deviations in how RecGaze is read; on the simulated sample, as the recordings are not available."""

from __future__ import annotations

from unittest import mock

import numpy as np

from tasks.recgaze import events
from tasks.recgaze.event_table import read_events
from tasks.recgaze.files import EVENTS
from tests.performance.deviations.material import Material
from tests.performance.deviations.measuring import SIMULATED, Deviation, Effect, both, divergence, folds, tested

REAL = "the same on RecGaze itself, whose recordings are not available"


def visible(material: Material) -> list[Effect]:
    there, here = material.recgaze, material.recgaze_visible
    swiped = [s for s in there if "swiped" in s.flags]
    effects = [
        Effect("sessions kept", len(there), len(here), len(there), SIMULATED, digits=0),
        Effect("mean JS to the gaze here", divergence(there, here), divergence(here, here), len(here), SIMULATED),
        Effect(
            "mean JS to the gaze here, swiped sessions",
            divergence(swiped, here),
            divergence(here, here),
            len(swiped),
            SIMULATED,
        ),
    ]
    for name, metrics in (("position-prior", ("KL",)), ("gaze-oracle", ("CSH@1",))):
        first, second = (tested(name, sessions, folds(sessions, "loo")) for sessions in (there, here))
        effects += both(metrics, first, second, name, SIMULATED)
    return effects


def page_of_click(material: Material) -> list[Effect]:
    """Hold the dwell of ``recgaze-visible`` on the clicked film's page against that on the replayed page."""
    table = read_events(material.recgaze_raw / EVENTS)
    here = events.select_sessions(table, visible=True).recordings

    def left(pages: events.Ints, carousel: events.Ints, position: events.Ints) -> events.Bools:
        return np.zeros(len(pages), dtype=np.bool_)

    with mock.patch.object(events, "_show_clicked_film", left):
        there = {(v.user, v.task): v for v in events.select_sessions(table, visible=True).recordings}
    turned = [v for v in here if "page-mismatch" in v.flags]
    on_click = [
        [float(v.gaze_ms[v.click] / v.gaze_ms.sum()) for v in visits]
        for visits in ([there[v.user, v.task] for v in turned], turned)
    ]
    shown = sum(there[v.user, v.task].pages == v.pages for v in here)
    return [
        Effect("sessions whose screen shows the clicked film", shown, len(here), len(here), SIMULATED, digits=0),
        Effect(
            "share of gaze on the clicked slot of recgaze-visible, where the page is turned",
            float(np.mean(on_click[0])),
            float(np.mean(on_click[1])),
            len(turned),
            SIMULATED,
        ),
    ]


DEVIATIONS = (
    Deviation("recgaze-visible", visible, REAL),
    Deviation("recgaze-page", page_of_click, REAL),
    Deviation("recgaze-sessions", None, "neither the recordings nor the file with their scrolling are available"),
    Deviation("recgaze-posters", None, "neither posters nor a model that knows films are available"),
)
