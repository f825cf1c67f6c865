"""Rows of next visits that know what comes are found; those of whoever reads only the path so far are not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.metrics.inputs import Human
from benchmark.parts.ragged import ragged
from submissions.checks import foresight
from submissions.problems import DEFAULT, Findings

K = 6


def paths(random, sessions=40):
    """People who go on to the next slot in six of ten moves, else anywhere."""
    found = []
    for _ in range(sessions):
        path = [0]
        for _ in range(int(random.integers(2, 12))):
            onwards = (path[-1] + 1) % K
            path.append(onwards if random.random() < 0.6 else (path[-1] + 2 + int(random.integers(K - 2))) % K)
        found.append(path)
    return found


def normed(rows):
    return rows / rows.sum(axis=1, keepdims=True)


def process(path):
    """The rows of who knows the process: nobody who reads prefixes does better."""
    rows = np.full((len(path) + 1, K + 1), 0.4 / (K - 2))
    rows[:, K] = 0.15
    for k, slot in enumerate(path):
        rows[k + 1, slot] = 0.0
        rows[k + 1, (slot + 1) % K] = 0.6
    return normed(rows)


def tilted(path, weight):
    """The same, drawn to what comes."""
    came = np.zeros((len(path) + 1, K + 1))
    came[np.arange(len(path) + 1), [*path, K]] = 1.0
    return (1 - weight) * process(path) + weight * came


def ending(path):
    rows = 0.3 * process(path)
    rows[-1] = 0.2 * process(path)[-1]
    rows[:, K] = 0.0
    rows[:, K] = np.where(np.arange(len(path) + 1) == len(path), 0.6, 0.1)
    return normed(rows)


def said(rows, several, k=K):
    """What is noted about rows along paths over k slots."""
    count, path = len(several), ragged(np.array(p, float) for p in several)
    human = Human(ragged([np.ones(k)] * count), np.zeros(count), path)
    tested = SimpleNamespace(people=human, slots=np.full(count, k))
    usable = {"next_visit": np.ones(count, dtype=bool)}
    checked = SimpleNamespace(usable=usable, places=np.arange(count), cells={"next_visit": ragged(rows)})
    found = Findings(DEFAULT)
    foresight.check(None, checked, tested, "rows", found)
    return [problem.what for problem in found.listed()]


@pytest.fixture
def walked():
    return paths(np.random.default_rng(3))


def test_who_knows_the_process_is_no_suspect(walked):
    assert said([process(p) for p in walked], walked) == []
    assert said([np.full((len(p) + 1, K + 1), 1 / (K + 1)) for p in walked], walked) == []
    sure_of_the_next = [np.eye(K + 1)[[0, *((v + 1) % K for v in p)]] for p in walked]
    assert said(sure_of_the_next, walked) == []


def test_who_knows_the_path_is_found(walked):
    certain = [tilted(p, 1.0) for p in walked]
    assert "is the recorded path itself, sure of every row, in 40 of 40" in said(certain, walked)[0]
    some = [tilted(p, float(i < 5)) for i, p in enumerate(walked)]
    assert "in 5 of 40 sessions" in said(some, walked)[0]
    assert "likeliest in" in said([tilted(p, 0.5) for p in walked], walked)[0]
    assert "'stop' of next_visit is above one half" in said([ending(p) for p in walked], walked)[0]


def test_two_slots_say_nothing():
    rows = np.array([[0.5, 0.5, 0], [0, 0.9, 0.1], [0.9, 0, 0.1], [0, 0.9, 0.1], [0.9, 0, 0.1]])
    assert said([rows] * 30, [[0, 1, 0, 1]] * 30, 2) == []
