"""Rows of next visits that know what comes are found; those of whoever reads only the path so far are not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.parts.ragged import ragged
from benchmark.scores.checking import Checked
from submissions.checks import foresight
from tasks.types import Fixation, Session, Slot

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


def laid_out(several, k=K):
    """The paths, each over k slots in a row."""
    slots = tuple(Slot("ABCDEF"[i], "film", "", (20.0 * i, 0.0, 20.0 * i + 18, 30.0)) for i in range(k))
    sessions = []
    for number, path in enumerate(several):
        looks = tuple(Fixation(slot, 200.0 * i, 200.0) for i, slot in enumerate(path))
        gaze = 200.0 * np.bincount(path, minlength=k)
        sessions.append(
            Session(f"s{number}", f"u{number % 8}", "1", None, "", slots, gaze, gaze, number % k, (), looks)
        )
    return foresight.Paths(sessions)


def known(rows, recorded):
    """Rule -> number for rows along paths."""
    good = np.ones(len(rows), dtype=bool)
    file = Checked(np.arange(len(rows)), {"next_visit": good}, {"next_visit": ragged(rows)})
    return {clue.rule: clue.number for clue in recorded.clues(file)}


@pytest.fixture(scope="module")
def walked():
    return paths(np.random.default_rng(3))


@pytest.fixture(scope="module")
def recorded(walked):
    return laid_out(walked)


def test_who_knows_the_process_is_no_suspect(walked, recorded):
    assert max(known([process(p) for p in walked], recorded).values()) < 0.5
    assert max(known([np.full((len(p) + 1, K + 1), 1 / (K + 1)) for p in walked], recorded).values()) < 0.5
    sure_of_the_next = [np.eye(K + 1)[[0, *((v + 1) % K for v in p)]] for p in walked]
    assert max(known(sure_of_the_next, recorded).values()) < 1


def test_who_knows_the_path_is_found(walked, recorded):
    certain = known([tilted(p, 1.0) for p in walked], recorded)
    assert certain["next"] > 2 and certain["path"] > 2 and certain["end"] > 2
    some = known([tilted(p, float(i < 5)) for i, p in enumerate(walked)], recorded)
    assert some["path"] > 2
    assert known([tilted(p, 0.5) for p in walked], recorded)["next"] > 2
    assert known([tilted(p, 0.2) for p in walked], recorded)["next"] > 1
    assert known([ending(p) for p in walked], recorded)["end"] > 2


def test_two_slots_say_nothing():
    rows = np.array([[0.5, 0.5, 0], [0, 0.9, 0.1], [0.9, 0, 0.1], [0, 0.9, 0.1], [0.9, 0, 0.1]])
    assert max(known([rows] * 30, laid_out([[0, 1, 0, 1]] * 30, 2)).values()) < 0.5
