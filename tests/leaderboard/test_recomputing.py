"""Scores that a board lacks: a metric that is newer than its results, and score files that are gone."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baselines import registry
from benchmark.output.rendering import render
from leaderboard import board_documents, board_scores
from leaderboard.board_files import Board
from leaderboard.columns import views as views_of
from leaderboard.recomputing import rescore
from leaderboard.submitting import submit
from leaderboard.verifying import verify
from tasks.errors import InputError
from tests.leaderboard.boards import AT, candidate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(mini, tmp_path_factory) -> Board:
    root = tmp_path_factory.mktemp("whole") / "board"
    for number, name in enumerate(("sim-0.1", "sim-0.5")):
        submit(root, [candidate(name, mini, random_state=number)], registry, now=AT)
    return Board.open(root)


@pytest.fixture
def older(whole, tmp_path) -> Board:
    """A copy of the board that knows nothing of JS, as one that was made before that metric."""
    shutil.copytree(whole.root, tmp_path / "older")
    for path in (tmp_path / "older" / "scores").iterdir():
        pq.write_table(pq.read_table(path).drop_columns(["JS"]), path)
    return Board.open(tmp_path / "older")


def scored(board: Board, mini) -> list[str]:
    return [str(finding) for finding in rescore(board, lambda name, wanted: mini, registry)]


def verified(board: Board, mini) -> list[str]:
    return [str(finding) for finding in verify(board, lambda name, wanted: mini, registry)]


def tables(board: Board) -> str:
    return render(board_documents.documents(views_of(board)), "json")


def test_a_board_that_lacks_a_metric_is_shown_without_it_and_scored_again(whole, older, mini):
    (note,) = verified(older, mini)
    assert note == "note: scores: not scored yet: JS of 13 results (run 'leaderboard rescore')."
    (view,) = views_of(older)
    line = view.table.find("position-prior")
    assert "JS" not in [c.key for c in board_documents.chosen_columns(view, ["metrics"])]
    assert any("JS: not scored yet: run 'leaderboard rescore'" in line for line in board_documents.legend(view, "KL"))
    before = {p: p.read_bytes() for p in older.root.rglob("*.*")}
    lines = scored(older, mini)
    assert len(lines) == len(older.names("results")) and all(line.endswith(": JS") for line in lines)
    assert all(path.read_bytes() == content for path, content in before.items()), "a file was changed"
    assert verified(older, mini) == [] and scored(older, mini) == [] and line is not None
    assert tables(older) == tables(whole)


def test_a_submission_to_an_older_board_is_scored_next_to_blanks(older, mini):
    (placement,) = submit(older.root, [candidate("newer", mini, random_state=5)], registry, now=AT)
    table = placement.view
    j = table.table.metric_index("JS")
    assert table.ranking.n_ranked[j] == 1 and table.normalised.reasons[j].startswith("not scored yet")


def test_two_keepers_add_the_same_files_and_merge(older, mini, tmp_path):
    other = Board(shutil.copytree(older.root, tmp_path / "other"))
    scored(older, mini)
    scored(other, mini)
    mine, theirs = ({p.name: p.read_bytes() for p in (b.root / "added").iterdir()} for b in (older, other))
    assert mine == theirs and len(mine) == len(older.names("results"))


def test_a_score_file_that_is_gone_is_made_again(older, mini, whole):
    name = older.names("scores")[0]
    older.path("scores", name).unlink()
    with pytest.raises(InputError, match="is missing; run 'leaderboard rescore'"):
        views_of(older)
    scored(older, mini)
    assert verified(older, mini) == [] and tables(older) == tables(whole)
    assert older.table("scores", name).equals(whole.table("scores", name))


def test_what_cannot_be_scored_is_an_error_and_the_rest_is_scored(older, mini):
    record = next(r for r in map(older.result, older.names("results")) if r.metadata.name == "sim-0.1")
    older.path("predictions", record.predictions).unlink()
    lines = scored(older, mini)
    assert sum(line.startswith("error: ") for line in lines) == 1 and "sim-0.1" in "".join(lines[:1] + lines)
    assert len(older.names("added")) == len(lines) - 1


def test_added_scores_must_fit_and_those_of_nobody_are_noted(older, mini):
    name = older.names("results")[0]
    scored(older, mini)
    path = older.path("added", board_scores.column_file(name, "JS"))
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    with pytest.raises(InputError, match="rows are not those of the scores"):
        board_scores.read(older, name, older.result(name))
    pq.write_table(table.set_column(3, "JS", pa.array([0.5] * len(table))), path)
    (older.root / "added" / ("ab" * 32 + ".parquet")).write_bytes(b"")
    lines = verified(older, mini)
    assert any("JS differs in" in line for line in lines)
    assert any(line.startswith("note: added/abababababab: belongs to no result") for line in lines)
