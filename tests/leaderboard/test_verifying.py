from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from baselines import registry
from benchmark.scores import paths, predictions
from leaderboard import board_predictions
from leaderboard.board_files import Board
from leaderboard.entries import Event, Metadata, ResultRecord, to_json
from leaderboard.submitting import NewResult, prepare, store, submit
from leaderboard.verifying import verify
from tasks.errors import InputError
from tests.leaderboard.boards import AT, candidate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small(mini, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("small") / "board"
    for number, name in enumerate(("sim-0.1", "sim-0.5")):
        submit(root, [candidate(name, mini, random_state=number)], registry, now=AT)
    return root


@pytest.fixture
def board(small, tmp_path) -> Board:
    shutil.copytree(small, tmp_path / "board")
    return Board.open(tmp_path / "board")


def found(board: Board, task) -> list[str]:
    return [str(finding) for finding in verify(board, lambda name, wanted: task, registry)]


def result_of(board: Board, name: str) -> str:
    (result,) = (r for r in board.names("results") if (m := board.result(r)).metadata.name == name and m.split == "loo")
    return result


def test_a_whole_board_comes_out_again(stocked, mini):
    assert found(stocked, mini) == []


def test_a_changed_score_is_reported_with_its_place(board, mini):
    name = result_of(board, "sim-0.1")
    path = board.path("scores", name)
    table = pq.read_table(path)
    better = table.set_column(table.column_names.index("KL"), "KL", pc.multiply(table["KL"], 0.5))
    pq.write_table(better, path)
    (line,) = found(board, mini)
    assert line.startswith(
        f"error: results/{name[:12]} (sim-0.1@1, mini, loo): KL differs in 14 rows, first in session"
    )
    assert "stored 0." in line and ", is " in line


def test_a_change_below_rounding_is_none(board, mini):
    path = board.path("scores", result_of(board, "sim-0.1"))
    table = pq.read_table(path)
    near = table.set_column(table.column_names.index("KL"), "KL", pc.add(table["KL"], board_predictions.TOLERANCE / 2))
    pq.write_table(near, path)
    assert found(board, mini) == []


@pytest.mark.parametrize("column", ["user", "failed"])
def test_other_columns_are_held_against_the_data_too(board, mini, column):
    path = board.path("scores", result_of(board, "sim-0.1"))
    table = pq.read_table(path)
    values = ["u0"] * len(table) if column == "user" else [1] * len(table)
    pq.write_table(table.set_column(table.column_names.index(column), column, [values]), path)
    (line,) = found(board, mini)
    assert f"scores with another {column} than computed" in line


def test_changed_predictions_are_reported(board, mini):
    record = board.result(result_of(board, "sim-0.1"))
    path = board.path("predictions", record.predictions)
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index("answer"), "answer", [[0] * len(table)]), path)
    (line,) = found(board, mini)
    assert "its predictions were changed" in line


def test_a_changed_record_is_reported(board, mini):
    name = result_of(board, "sim-0.1")
    path = board.path("results", name)
    path.write_text(path.read_text().replace('"name": "sim-0.1"', '"name": "sim-0.2"'))
    lines = found(board, mini)
    assert any("was changed: its content does not belong to its name" in line for line in lines)


@pytest.mark.parametrize(("folder", "told"), [("scores", "is missing"), ("predictions", "is missing")])
def test_a_missing_file_is_reported(board, mini, folder, told):
    name = result_of(board, "sim-0.1")
    board.path(folder, board.result(name).predictions if folder == "predictions" else name).unlink()
    (line,) = found(board, mini)
    assert told in line and "sim-0.1" in line


def test_scores_that_pose_as_a_prior_of_the_suite_are_reported(mini, tmp_path):
    board = Board.create(tmp_path / "board")
    weak = dataclasses.replace(
        candidate("position-prior", mini, knows=0.0), metadata=Metadata("position-prior", "0.1.0")
    )
    unknown = candidate("best-prior", mini)
    for one in (weak, unknown):
        prepared = prepare(NewResult(one.metadata, mini, "loo", one.predictions), "baseline")
        store(board, prepared, board.standing(), AT)
    lines = found(board, mini)
    assert any("claims to be a baseline of the suite, which has none of that name" in line for line in lines)
    assert any("is not described as the suite" in line for line in lines)
    assert any("as this suite computes it" in line for line in lines)


def test_events_must_speak_about_results_that_are_there(board, mini):
    missing = "ab" * 32
    board.put(Event("withdraw", missing, AT))
    lines = found(board, mini)
    assert any(f"there is no result {missing[:12]}" in line for line in lines)


def test_superseding_in_a_circle_is_reported(board, mini):
    a, b = result_of(board, "sim-0.1"), result_of(board, "sim-0.5")
    board.put(Event("supersede", a, AT, b))
    board.put(Event("supersede", b, AT, a))
    lines = found(board, mini)
    assert sum("superseded in a circle" in line for line in lines) == 2


def test_two_contents_under_one_name_and_version_are_an_error(board, mini, tmp_path):
    submit(tmp_path / "other", [candidate("Sim-0.1", mini, random_state=5)], registry, now=AT)
    shutil.copytree(tmp_path / "other", board.root, dirs_exist_ok=True)
    (line,) = found(board, mini)
    assert line.startswith("error: ") and "has the name and version of" in line


def test_results_made_from_other_data_are_said_to_be_unverified(board, mini):
    class Other:
        digests = dict.fromkeys(mini.digests, "f" * 64)

    lines = found(board, Other())
    assert lines and all("nothing can be computed" in line for line in lines)

    def nowhere(name, wanted):
        raise InputError("there is no folder.")

    told = [str(f) for f in verify(board, nowhere, registry)]
    assert told and all("nothing can be computed" in line for line in told)


def test_what_an_interrupted_writer_left_is_a_note(board, mini):
    record = board.result(result_of(board, "sim-0.1"))
    orphan = ResultRecord(**{**{f: getattr(record, f) for f in record.__slots__}, "seeds": (9,)})
    board.put(orphan)
    (board.root / "events" / ".x.json.1-2.partial").write_text(to_json(record)[:40])
    (board.root / "predictions" / ("ab" * 32 + ".parquet")).write_bytes(b"")
    lines = found(board, mini)
    notes = [line for line in lines if line.startswith("note: ")]
    assert any("was never submitted" in n for n in notes) and any("belongs to no result" in n for n in notes)
    assert any("left by an interrupted writer" in n for n in notes)


def test_a_changed_context_is_reported(board, mini):
    digest = mini.digests["loo"]
    path = board.path("tasks", digest)
    raw = json.loads(path.read_text())
    raw["users"] = ["everyone"] * len(raw["users"])
    path.write_text(json.dumps(raw))
    lines = found(board, mini)
    assert any("the facts stored about its split are not those of the data" in line for line in lines)


def test_predictions_of_another_task_on_an_older_board_are_ignored_with_a_note(board, mini):
    name = result_of(board, "sim-0.1")
    record = board.result(name)
    said = board_predictions.stored_predictions(board.table("predictions", record.predictions))
    away = predictions.renamed(said.slice(0, 2), simulator="transfer-adserp@1", session_id=["their-0", "their-1"])
    whole = predictions.joined([said, away])
    older = dataclasses.replace(
        record,
        conditions=(*record.conditions, "transfer-adserp@1"),
        predictions=board_predictions.predictions_digest(whole),
        transfers={"transfer-adserp@1": "ab" * 32},
    )
    board.put_table("predictions", older.predictions, board_predictions.predictions_table(whole, {}))
    stored = board.put(older)
    board.put_table("scores", stored, board.table("scores", name))
    (board.root / "transfers").mkdir()
    lines = [line for line in found(board, mini) if "never submitted" not in line]
    assert len(lines) == 2 and all(line.startswith("note: ") for line in lines)
    assert "transfer-adserp@1: boards no longer score" in lines[0] and lines[1].startswith("note: transfers: ")
    # The same submission, which now has no such predictions, is the result that the board holds.
    for event in board.names("events"):
        if board.event(event).result == name:
            board.path("events", event).unlink()
    board.put(Event("submit", stored, AT))
    (placement,) = submit(board.root, [candidate("sim-0.1", mini, random_state=0)], registry, now=AT)
    assert (placement.result, placement.new) == (stored, False)


def test_paths_must_be_of_the_test_sessions(board, mini):
    name = result_of(board, "sim-0.1")
    record = dataclasses.replace(board.result(name), paths=paths.digest({"u0-0": [[0, 4]]}))
    board.put_paths({"u0-0": [[0, 4]]})
    assert any("belongs to no result" in line for line in found(board, mini))
    stored = board.put(record)
    board.put_table("scores", stored, board.table("scores", name))
    line = next(line for line in found(board, mini) if line.startswith("error: paths/"))
    assert "a path of session 'u0-0' leaves its 4 slots" in line
    with pytest.raises(InputError, match="leaves its 4 slots"):
        prepare(dataclasses.replace(candidate("x", mini), paths={"u0-0": [[0, 4]]}))
