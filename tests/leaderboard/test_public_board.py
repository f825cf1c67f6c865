"""The board that the repository brings: its scores come out again from its predictions, and it holds no recording."""

from __future__ import annotations

import importlib.util

import pyarrow.parquet as pq
import pytest

from benchmark.cli import main
from benchmark.trials.configuration import read_preset
from leaderboard.board_files import Board
from tests.conftest import ROOT

BOARD = ROOT / "leaderboard" / "boards" / "public"
REPLAY = ROOT.parent / "shared" / "data" / "adserp" / "replay"


def test_it_holds_the_suites_lines_and_no_recording():
    board = Board.open(BOARD)
    suite = {*read_preset("full")["simulators"], "rating-prior", "step-markov", "attention-walk", "slot-transformer"}
    lines = {(board.result(name).task, board.result(name).metadata.name) for name in board.names("results")}
    assert suite <= {name for _, name in lines}
    for task in ("adserp", "adserp-page", "recgaze", "snacks"):  # screens do not repeat on two, snacks have no cursor
        assert suite - {name for on, name in lines if on == task} <= {
            *("other-users", "cursor-oracle", "rating-prior", "step-markov", "attention-walk", "slot-transformer")
        }
    oracles = {name for name in board.names("results") if board.result(name).metadata.kind == "oracle"}
    assert oracles and not any(board.path("predictions", board.result(name).predictions).exists() for name in oracles)
    assert len(board.names("reported")) > 10
    size = sum(path.stat().st_size for path in BOARD.rglob("*") if path.is_file())
    assert size < 9_000_000  # nearly half of it says where the eyes go next, a row of chances per visit
    for path in (BOARD / "predictions").iterdir():
        assert not {"gaze_ms", "cursor_ms", "click", "fixations"} & set(pq.read_schema(path).names)


def test_its_script_reports_the_lines_of_the_paper(tmp_path):
    spec = importlib.util.spec_from_file_location("public_board", ROOT / "docs" / "public_board.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    board = Board.create(tmp_path / "board")
    script._report(board)
    assert board.names("reported") == Board.open(BOARD).names("reported")


@pytest.mark.slow
@pytest.mark.skipif(not REPLAY.is_dir(), reason="the recorded trials are not there")
def test_every_score_comes_out_again(capsys):
    data = [word for task in ("adserp", "adserp-page") for word in ("--data", f"{task}={REPLAY}")]
    assert main(["leaderboard", "verify", "--board", str(BOARD), *data]) == 0
    assert "came out again" in capsys.readouterr().out
