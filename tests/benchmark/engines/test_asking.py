"""Asking: the recorded path is handed over one visit at a time, and what comes back is checked."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.engines.asking import ask
from benchmark.simulator import Prediction
from tasks.errors import InputError
from tasks.types import Slot, Stimulus, Visit

SHOWN = [
    Stimulus(name, "u", "1", None, "", tuple(Slot(x, "film", x, (0.0, 0.0, 1.0, 1.0)) for x in "ABC"))
    for name in ("s1", "s2")
]
PATHS = [[Visit(2, 0.0, 100.0), Visit(0, 150.0, 80.0)], []]


class Walker:
    def __init__(self, row=(0.2, 0.3, 0.4, 0.1)):
        self.row, self.asked = row, []

    def follow(self, stimulus, visited):
        self.asked.append((stimulus.session_id, visited))
        return self.row


class Talker(Walker):
    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        self.asked.append("simulate")
        return [Prediction(s.session_id, answer=1) for s in sessions]


def test_it_is_handed_one_visit_more_at_a_time_and_nothing_beyond():
    walker = Walker()
    first, second = ask(walker, SHOWN, PATHS, "toy")
    a, b = PATHS[0]
    assert walker.asked == [("s1", ()), ("s1", (a,)), ("s1", (a, b)), ("s2", ())]
    assert first.next_visit.shape == (3, 4) and second.next_visit.shape == (1, 4) and first.answer is None


def test_what_it_simulates_is_asked_first_and_kept():
    talker = Talker()
    found = ask(talker, SHOWN, PATHS, "toy")
    assert talker.asked[0] == "simulate" and [p.answer for p in found] == [1, 1] and len(found[0].next_visit) == 3


@pytest.mark.parametrize("row", [[0.5, 0.5], 0.5, ["a"], [[0.2, 0.3, 0.4, 0.1]], None])
def test_a_row_of_another_form_is_refused(row):
    with pytest.raises(InputError, match=r"^toy, session 's1': follow\(\) after 0 visits returned"):
        ask(Walker(row), SHOWN, PATHS, "toy")


def test_rows_from_simulate_are_refused():
    talker = Talker()
    talker.simulate = lambda sessions: [Prediction(s.session_id, next_visit=np.ones((1, 4)) / 4) for s in sessions]
    with pytest.raises(InputError, match="next_visit comes from follow"):
        ask(talker, SHOWN, PATHS, "toy")
