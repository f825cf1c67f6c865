"""Paths drawn from a simulator that follows one."""

from collections import Counter

import numpy as np
import pytest

from benchmark.engines.asking import sample, sampled
from benchmark.scores.paths import LONGEST
from tasks.types import Slot, Stimulus

SHOWN = Stimulus("s", "u", "x", None, "", tuple(Slot(str(i), "film", "", (0, i, 1, i + 1)) for i in range(3)))


class Toy:
    """Stops with a fixed chance; otherwise each slot, the current one too, has the given share."""

    def __init__(self, stop, shares=(0.5, 0.3, 0.2)):
        self.row = np.append((1 - stop) * np.array(shares), stop)

    def follow(self, stimulus, visited):
        assert all(visit.ms in (100.0, 300.0) for visit in visited)
        return self.row


def test_steps_and_ends_are_as_often_as_the_simulator_says():
    rng = np.random.default_rng(1)
    paths = [[visit.slot for visit in sample(Toy(0.2), SHOWN, rng, [100.0, 300.0])] for _ in range(4000)]
    assert all(a != b for path in paths for a, b in zip(path, path[1:], strict=False))
    starts = Counter(path[0] for path in paths)
    assert starts[0] / 4000 == pytest.approx(0.5, abs=0.03), "no path ends before it begins"
    # After slot 0: slots 1 and 2 with .24 and .16, the end with .2; the .4 of slot 0 itself is taken out.
    after = Counter(to for path in paths for at, to in zip(path, [*path[1:], "end"], strict=True) if at == 0)
    for way, chance in ((1, 0.24), (2, 0.16), ("end", 0.2)):
        assert after[way] / after.total() == pytest.approx(chance / 0.6, abs=0.02)


def test_a_path_has_an_end_and_starts_when_the_one_before_ended():
    path = sample(Toy(0.0), SHOWN, np.random.default_rng(1), [100.0])
    assert len(path) == LONGEST and [visit.start_ms for visit in path[:3]] == [0.0, 100.0, 200.0]
    assert len(sample(Toy(0.0, (1.0, 0.0, 0.0)), SHOWN, np.random.default_rng(1), [100.0])) == 1, "no way on"


def test_the_paths_of_a_session_depend_on_it_and_the_seed_alone():
    other = Stimulus("t", *(getattr(SHOWN, name) for name in ("user", "screen", "image", "profile", "slots")))
    first, alone, again = (
        sampled(Mute(), shown, [], seed) for shown, seed in (([other, SHOWN], 1), ([SHOWN], 1), ([SHOWN], 2))
    )
    assert first["s"] == alone["s"] != again["s"] and first["s"] != first["t"]


class Mute(Toy):
    """Reads no times."""

    def __init__(self):
        super().__init__(0.1)

    def follow(self, stimulus, visited):
        return self.row
