"""What the comparison with real people alters: screens between sessions, and people's habits."""

from __future__ import annotations

import numpy as np

from baselines.simulators.examination import ExaminationPrior
from tasks.types import Session, Slot
from tests.performance import pockets_on_people


def session(name: str, heights: list[float]) -> Session:
    edges = np.cumsum([0.0, *heights]).tolist()
    slots = tuple(
        Slot(str(k + 1), "organic_result", "", (0.0, y, 100.0, y + h))
        for k, (y, h) in enumerate(zip(edges, heights, strict=False))
    )
    return Session(name, name, "q", None, "", slots, np.ones(len(slots)), np.zeros(len(slots)), 0)


def test_screens_are_swapped_between_sessions_of_as_many_slots():
    shown = [session("a", [30, 30]), session("b", [50, 20]), session("c", [10, 10, 10])]
    found = pockets_on_people.swapped(shown)
    assert [s.session_id for s in found] == ["a", "b", "c"]
    assert [s.slots for s in found] == [shown[1].slots, shown[0].slots, shown[2].slots]


def test_people_the_other_way_round_look_least_where_the_prior_looks_most():
    shown = [session("a", [30, 50, 20])]
    [prior] = ExaminationPrior().simulate([s.stimulus() for s in shown])
    [other] = pockets_on_people.other_way_round(shown)
    np.testing.assert_allclose(other, (1 / prior.attention) / (1 / prior.attention).sum())
