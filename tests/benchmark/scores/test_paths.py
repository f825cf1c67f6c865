"""Drawn paths: how alike two are, how they move, what is kept of them."""

import functools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.reproduction.figures.paths import LIST, OTHERS, PEOPLE, compared
from benchmark.scores import paths
from tasks.errors import InputError
from tasks.types import Fixation, Session, Slot

PATHS = st.lists(st.integers(0, 3), max_size=6)


def literal(one, other):
    """Levenshtein's distance by its definition."""

    @functools.cache
    def distance(i, j):
        if not (i and j):
            return i + j
        change = distance(i - 1, j - 1) + (one[i - 1] != other[j - 1])
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, change)

    return distance(len(one), len(other))


@given(PATHS, PATHS)
def test_similarity_is_one_minus_the_distance_over_the_longer(one, other):
    longer = max(len(one), len(other), 1)
    assert paths.similarity(one, other) == pytest.approx(1 - literal(one, other) / longer)


def test_steps_and_revisits_by_hand():
    shares = paths.step_shares([[0, 1, 0, 9], [3]])
    expected = np.zeros(10)
    expected[[5, 4, 9]] = 1 / 3  # one down, one up, one of nine slots
    np.testing.assert_allclose(shares, expected)
    assert paths.revisits([0, 1, 0, 1]) == 0.5 and paths.revisits([2]) == 0


def session(name, user, screen, path):
    slots = tuple(Slot(str(i), "film", "", (0, i, 1, i + 1)) for i in range(3))
    fixations = tuple(Fixation(slot, 100.0 * i, 50.0) for i, slot in enumerate(path))
    return Session(name, user, screen, None, "", slots, np.ones(3), np.ones(3), 0, fixations=fixations)


def test_people_simulators_the_list_and_other_people_are_compared_with_the_recorded_paths():
    sessions = [session("a", "u", "x", [0, 1]), session("b", "v", "x", [0, 1, 2]), session("c", "u", "y", [2, 0])]
    lines = compared([*sessions, session("none", "w", "x", [])], {"toy": {"a": [[0, 1], [1, 0]], "c": [[2, 0]]}})
    by_name = {line.name: line for line in lines}
    assert list(by_name) == [PEOPLE, "toy", LIST, OTHERS]
    assert by_name["toy"].similarity == pytest.approx(((1 + 0) / 2 + 1) / 2)
    assert by_name[LIST].similarity == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert by_name[OTHERS].similarity == pytest.approx(2 / 3)  # a and b on x; nobody else saw y
    assert by_name[PEOPLE].visits == pytest.approx(7 / 3) and np.isnan(by_name[PEOPLE].similarity)
    alone = compared(sessions[1:], {"toy": {}})
    assert [line.name for line in alone] == [PEOPLE, LIST, OTHERS]
    assert alone[2].similarity == 0, "no screen repeats: the other one's path on the other screen"


def test_what_a_trial_keeps_is_read_again_and_damage_is_named(tmp_path):
    for name, slots in (("one", [0, 1]), ("two", [2])):
        (tmp_path / name / "artifacts").mkdir(parents=True)
        paths.write({"s": [slots]}, tmp_path / name / "artifacts")
    (tmp_path / "none").mkdir()
    assert paths.read([tmp_path / "one", tmp_path / "none", tmp_path / "two"]) == {"s": [[0, 1], [2]]}
    for wrong in ({"s": [[-1]]}, {"s": [[]]}, {"s": [["x"]]}, [1]):
        (tmp_path / "one" / "artifacts" / "paths.json").write_text(json.dumps(wrong))
        with pytest.raises(InputError, match=r"paths\.json.*run the trial again"):
            paths.read([tmp_path / "one"])
