"""The quick part of what ``python -m tests.fuzz`` does at length; damaged trials: tests/benchmark/trials."""

import shutil

import numpy as np
import pytest

from tests.fuzz import boards, environments, kills
from tests.fuzz.forked import World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GAZEBENCH_CACHE", "GAZEBENCH_WORKERS"):
            patch.setenv(name, "")
        yield World(tmp_path_factory.mktemp("fuzz"))


@pytest.fixture(scope="module")
def board(world):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boards.verifying, "suite_result", boards.verifying.suite_result)
        yield boards.Boards(world)


def test_boards_that_were_tampered_with_are_answered_in_lines_and_no_change_is_silent(board):
    for number in range(12):
        board.case(np.random.default_rng((1, number)), 12)


@pytest.mark.parametrize("change", boards.BLOWN_UP)
def test_what_is_blown_up_is_refused_in_one_line(board, tmp_path, change):
    shutil.copytree(board.whole, tmp_path / "copy")
    place = "events" if change in (boards.deep, boards.wide, boards.long_number, boards.link) else "scores"
    change(sorted((tmp_path / "copy" / place).iterdir())[0])
    assert boards.read(tmp_path / "copy") or boards.tables(tmp_path / "copy").startswith("error: ")


@pytest.mark.parametrize("verb", ["run", "submit"])
def test_a_killed_command_leaves_the_same_bytes_once_it_runs_again(world, verb):
    kills.Kills(world, (verb,)).case(verb, np.random.default_rng(3))


@pytest.mark.slow
def test_odd_machines_get_an_answer():
    for _, case in environments.cases():
        case()
