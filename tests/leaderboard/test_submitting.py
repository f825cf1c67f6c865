from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from baselines import registry
from benchmark.output.rendering import FORMATS, render
from leaderboard import board_documents, board_table
from leaderboard.board_files import Board
from leaderboard.columns import views as views_of
from leaderboard.entries import ReportedRecord
from leaderboard.submitting import submit, supersede, withdraw
from tasks.errors import InputError
from tests.leaderboard.boards import AT, candidate, frame, table

pytestmark = pytest.mark.slow

LATER = "2026-02-01T00:00:00Z"


def files(root: Path) -> set[str]:
    return {p.relative_to(root).as_posix() for p in root.rglob("*")} if root.exists() else set()


def names(board: Board) -> list[str]:
    return sorted(
        row.record.metadata.label for v in views_of(board) for row in v.table.rows if row.record.kind == "submission"
    )


@pytest.fixture
def board(mini, tmp_path) -> Board:
    root = tmp_path / "board"
    submit(root, [candidate("first", mini, knows=0.3)], registry, now=AT)
    return Board.open(root)


def test_a_dry_run_writes_nothing_and_tells_the_place_it_would_take(mini, board):
    one = candidate("second", mini, knows=0.9, random_state=1)
    before = files(board.root)
    (dry,) = submit(board.root, [one], registry, dry_run=True)
    assert files(board.root) == before and dry.new
    (done,) = submit(board.root, [one], registry, now=LATER)
    assert list(board_documents.places(dry.view, dry.result)) == list(board_documents.places(done.view, done.result))
    (stored,) = views_of(board)
    assert list(board_documents.places(stored, done.result)) == list(board_documents.places(done.view, done.result))
    assert "tier 1 of" in next(iter(board_documents.places(stored, done.result)))


def test_a_dry_run_needs_no_board(mini, tmp_path):
    (dry,) = submit(tmp_path / "none", [candidate("x", mini)], registry, dry_run=True)
    assert not (tmp_path / "none").exists()
    assert {row.name for row in dry.view.table.rows} >= {"x", "position-prior", "gaze-oracle", "other-users"}


def test_the_same_again_changes_nothing(mini, board):
    before = files(board.root)
    (again,) = submit(board.root, [candidate("first", mini, knows=0.3)], registry, now=LATER)
    assert not again.new and files(board.root) == before


def test_a_name_and_version_is_taken_once(mini, board):
    before = files(board.root)
    for name in ("first", "FIRST", "ｆｉｒｓｔ"):
        with pytest.raises(InputError, match="is on the board already .* raise the version"):
            submit(board.root, [candidate(name, mini, knows=0.9)], registry)
    assert files(board.root) == before
    submit(board.root, [candidate("first", mini, version="2", knows=0.9)], registry)
    submit(board.root, [candidate("first", mini, "kfold", knows=0.9)], registry)
    assert names(board) == ["first@1", "first@1", "first@2"]


def test_nothing_is_written_when_one_of_several_splits_is_wrong(mini, tmp_path):
    good = candidate("x", mini)
    bad = dataclasses.replace(good, split="kfold", predictions=good.predictions.take([0, 0]))
    with pytest.raises(InputError, match="is in row 1 already"):
        submit(tmp_path / "board", [good, bad], registry)
    assert not (tmp_path / "board").exists()


def test_a_withdrawn_result_is_an_entry_and_final(mini, board):
    before = files(board.root)
    (gone,) = withdraw(board, "first@1", "wrong\nseed", now=LATER)
    assert before < files(board.root) and names(board) == []
    event = board.standing().withdrawn[gone]
    assert (event.at, event.reason) == (LATER, "wrong seed")
    with pytest.raises(InputError, match="was withdrawn from this board and stays so"):
        submit(board.root, [candidate("first", mini, knows=0.3)], registry)
    with pytest.raises(InputError, match="unknown submission 'first@1'"):
        withdraw(board, "first@1", "")
    submit(board.root, [candidate("first", mini, version="2", knows=0.3)], registry)
    assert names(board) == ["first@2"]


def test_a_result_is_found_by_the_beginning_of_its_identity(mini, board):
    (result,) = (n for n, r in board_table.records(board, board.standing()).items() if r.kind == "submission")
    with pytest.raises(InputError, match="say why .* is withdrawn"):
        withdraw(board, result[:8], " ")
    assert withdraw(board, result[:8], "a slip") == [result]


def test_superseding_takes_the_place_and_keeps_the_entry(mini, board):
    submit(board.root, [candidate("first", mini, version="2", knows=0.9)], registry, supersedes="first@1", now=LATER)
    assert names(board) == ["first@2"]
    standing = board.standing()
    assert [standing.status(n) for n in standing.superseded] == ["superseded"]
    with pytest.raises(InputError, match="was superseded from this board and stays so"):
        submit(board.root, [candidate("first", mini, knows=0.3)], registry)


def test_two_results_on_a_board_can_be_put_in_order_later(mini, board):
    submit(board.root, [candidate("next", mini, knows=0.9)], registry)
    ((old, new),) = supersede(board, "first@1", "next@1", reason="fixed", now=LATER)
    assert board.standing().superseded[old].by == new and names(board) == ["next@1"]
    with pytest.raises(InputError, match="unknown submission"):
        supersede(board, "first@1", "next@1")


def test_taking_the_place_of_somebody_elses_result_asks_for_a_reason_and_names_both(mini, board):
    mine, told = candidate("mine", mini, knows=0.9, authors=("Mallory",)), []
    with pytest.raises(
        InputError, match=r"first@1 \(by nobody\) cannot be superseded by mine@1 \(by Mallory\) without"
    ):
        submit(board.root, [mine], registry, supersedes="first@1")
    submit(board.root, [mine], registry, supersedes="first@1", reason="agreed", report=told.append)
    assert "first@1 (by nobody) is superseded by mine@1 (by Mallory)" in told
    submit(board.root, [candidate("next", mini, knows=0.8)], registry)
    with pytest.raises(InputError, match="without --reason"):
        supersede(board, "mine@1", "next@1")
    assert names(board) == ["mine@1", "next@1"]


@pytest.mark.parametrize("name", ["fixate", "FIX-ATE", "fixatе", "f1xate", "position_prior", "ｕｎｉｆｏｒｍ"])
def test_names_of_the_suite_are_its_own_however_they_are_spelt(mini, tmp_path, name):
    with pytest.raises(InputError, match="is taken by the suite's"):
        submit(tmp_path / "board", [candidate(name, mini, authors=("Mallory",))], registry)
    assert not (tmp_path / "board").exists()


def test_results_that_score_alike_are_named(mini, board):
    submit(board.root, [candidate("copy", mini, knows=0.3)], registry)
    view = submit(board.root, [candidate("other", mini, knows=0.3, random_state=4)], registry)[0].view
    twins = view.table.twins
    assert sorted(twins.values()) == [("copy@1 (correlation 1.0000)",), ("first@1 (correlation 1.0000)",)]


def test_only_a_result_on_the_same_split_can_take_the_place(mini, board):
    submit(board.root, [candidate("next", mini, "kfold")], registry)
    with pytest.raises(InputError, match="no two results on the same split"):
        supersede(board, "first@1", "next@1")
    with pytest.raises(InputError, match="no active result of it on these splits"):
        submit(board.root, [candidate("third", mini, "kfold")], registry, supersedes="first@1")


@pytest.mark.parametrize("who", ["position-prior@0.1.0", "firts@1", "abc"])
def test_what_is_no_submission_cannot_be_withdrawn(board, who):
    before = files(board.root)
    with pytest.raises(InputError, match="unknown submission"):
        withdraw(board, who, "")
    assert files(board.root) == before


def test_numbers_stated_elsewhere_are_kept_apart(mini, board):
    stated = ReportedRecord("paper", "table 1", "", "mini", "loo", 76, {"KL": 0.01})
    submit(board.root, [], registry, reported=[stated], now=LATER)
    (loo,) = views_of(board)
    assert loo.table.reported == (stated,) and "paper" not in [row.name for row in loo.table.rows]
    with pytest.raises(InputError, match="neither predictions nor reported"):
        submit(board.root, [], registry)


def test_what_could_not_be_read_again_is_not_written(mini, tmp_path):
    long = candidate("long", mini, description="x" * 5000)
    with pytest.raises(InputError, match="'metadata.description' must be text of length <= 4000"):
        submit(tmp_path / "board", [long], registry)
    many = ReportedRecord("many", "s", "", "mini", "loo", 0, {f"m{i}": 0.0 for i in range(101)})
    with pytest.raises(InputError, match="stated by many: 'metrics' must be"):
        submit(tmp_path / "board", [candidate("x", mini)], registry, reported=[many])
    assert not (tmp_path / "board").exists()


def test_half_a_surrogate_pair_in_any_text_does_no_harm(mini, tmp_path):
    from leaderboard.site import build

    text = "half \ud800 a pair"
    odd = candidate("odd", mini, description=text, notice=text, authors=(text,), backbone=text)
    submit(tmp_path / "board", [odd], registry, now=AT)
    board = Board.open(tmp_path / "board")
    views = views_of(board)
    for format in FORMATS:
        render(board_documents.documents(views), format).encode("utf-8")
    build(tmp_path / "site", board, views)


def test_a_board_holds_no_recorded_gaze(mini, board):
    """The predictions of the oracles are the recording itself: a public board must not carry them."""
    import pyarrow.parquet as pq

    recorded = [np.round(mini.session(i).gaze, 6).tolist() for i in range(len(mini))]
    known = board_table.records(board, board.standing())
    kinds = {board.path("predictions", r.predictions).exists(): r.kind for r in known.values()}
    assert kinds[False] == "reference" and len({r.kind for r in known.values()}) == 3
    for path in (board.root / "predictions").iterdir():
        for values in pq.read_table(path)["attention"].to_pylist():
            assert values is None or np.round(values, 6).tolist() not in recorded
    text = board.path("tasks", mini.digests["loo"]).read_text()
    assert "gaze_ms" not in text.split('"card"')[1].split('"citation"')[1]


def test_tricks_gain_nothing(mini, board):
    """Scaling attention, writing zeros as -0.0 and splitting ties changes no score."""
    plain = candidate("plain", mini, knows=0.5)
    given = frame(mini, knows=0.5)
    scaled, flat = (
        dataclasses.replace(candidate(name, mini), predictions=table(given.assign(attention=attention)))
        for name, attention in (("scaled", given["attention"] * 1e12), ("flat", given["attention"] * 0 + 1))
    )
    for one in (plain, scaled, flat):
        submit(board.root, [one], registry, now=LATER)
    (loo,) = views_of(board)
    index = {row.name: i for i, row in enumerate(loo.table.rows)}
    mean = loo.ranking.mean
    assert mean[index["scaled"]] == pytest.approx(mean[index["plain"]], nan_ok=True)
    csh = loo.table.metric_index("CSH@1")
    assert mean[index["flat"], csh] == pytest.approx(mean[index["uniform"], csh]) == pytest.approx(0.25)
