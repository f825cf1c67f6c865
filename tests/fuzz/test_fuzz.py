"""The quick part of what ``python -m tests.fuzz`` does at length; damaged trials: tests/benchmark/trials."""

import shutil

import numpy as np
import pytest

from tests import mini
from tests.fuzz import boards, environments


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    task = mini.build(folder)
    return boards.make(folder / "board", task), task


def test_boards_that_were_tampered_with_are_answered_in_lines(whole, tmp_path):
    root, task = whole
    random, silent = np.random.default_rng(1), 0
    for _ in range(4):
        done, said = boards.case(root, tmp_path / "copy", task, random)
        silent += not said and not done.startswith("damaged")
    assert not silent


@pytest.mark.parametrize("change", boards.BLOWN_UP)
def test_what_is_blown_up_is_refused_in_one_line(whole, tmp_path, change):
    root, task = whole
    shutil.copytree(root, tmp_path / "copy")
    place = "scores" if change in (boards.bomb, boards.squeezed, boards.pipe) else "events"
    change(sorted((tmp_path / "copy" / place).iterdir())[0])
    assert boards.answered(tmp_path / "copy", task)


@pytest.mark.slow
def test_odd_machines_get_an_answer():
    for name, changes, started in environments.environments():
        good, *said = environments.answered(changes, started)
        assert good, (name, said)
