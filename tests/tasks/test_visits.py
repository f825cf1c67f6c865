from __future__ import annotations

import numpy as np
import pytest

from tasks.definition import ReadOptions, quiet
from tasks.registry import definition, names
from tasks.types import Fixation, Session, Slot, visits

SLOTS = tuple(Slot(label, "film", "", (0, 0, 1, 1)) for label in "AB")


def session(*fixations: tuple[int, float, float]) -> Session:
    found = tuple(Fixation(*fixation) for fixation in fixations)
    return Session("s", "u", "1", None, "", SLOTS, np.ones(2), np.zeros(2), 0, (), found)


def test_a_visit_is_a_run_of_fixations_on_one_slot():
    path = session((-1, 0, 9), (0, 10, 5), (-1, 20, 7), (0, 30, 2), (1, 40, 3), (0, 50, 4), (-1, 60, 1))
    assert visits(path) == ((0, 10, 7), (1, 40, 3), (0, 50, 4))
    assert visits(session()) == visits(session((-1, 0, 9))) == ()


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """What writes a sample -> its folder; tasks on the same recordings share it."""
    folders = {}
    for name in names():
        write = definition(name).write_sample
        if write not in folders:
            folders[write] = tmp_path_factory.mktemp("sample")
            write(folders[write])
    return folders


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_visits_add_up_to_the_gaze_exactly(name, samples):
    task = definition(name)
    for truth in (None, *task.truths):
        check(task.read(samples[task.write_sample], ReadOptions(images=False, truth=truth), quiet).sessions)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["raw", "replay"])
@pytest.mark.parametrize("name", ["adserp", "adserp-page"])
@pytest.mark.parametrize("truth", [1, 2])
def test_visits_of_the_recorded_trials(name, layout, truth, real_data):
    sessions = definition(name).read(real_data / layout, ReadOptions(images=False, truth=truth), quiet).sessions
    check(sessions)
    if truth == 2 and layout == "replay":
        last = [visits(session)[-1].slot == session.click for session in sessions]
        assert len(last) == 94
        assert np.mean(last) >= 0.7  # 0.35 and 0.42 with version 1


def check(sessions: list[Session]) -> None:
    assert sessions
    for found in sessions:
        sums = [0.0] * len(found.slots)
        path = visits(found)
        for visit in path:
            sums[visit.slot] += visit.ms
        assert sums == found.gaze_ms.tolist()
        assert all(a.slot != b.slot for a, b in zip(path, path[1:], strict=False))
        starts = [fixation.start_ms for fixation in found.fixations]
        assert starts == sorted(starts)
