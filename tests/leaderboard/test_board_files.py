from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baselines import registry
from leaderboard import board_files, board_table
from leaderboard.board_files import Board
from leaderboard.columns import views as views_of
from leaderboard.entries import Event
from leaderboard.submitting import submit, withdraw
from leaderboard.verifying import verify
from tasks.errors import InputError
from tests.leaderboard.boards import AT, candidate

ROOT = Path(__file__).parents[2]


def files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def findings(board: Board, task) -> list[str]:
    return [str(f) for f in verify(board, lambda name, wanted: task, registry)]


KILLED = """
import json, os, signal, sys
from pathlib import Path
import pyarrow as pa
pa.set_cpu_count(1)
from leaderboard import board_table, board_files
from leaderboard.context import SlotShares, TaskContext
from leaderboard.entries import Event, Metadata, ResultRecord, identity
from leaderboard.board_files import Board

root = Path(sys.argv[1])
digest = "ab" * 32
slots = SlotShares(("A",), (1.0,), (1.0,), (2,), (), (0, 0))
context = TaskContext("mini", "1", "loo", digest, *[""] * 7, (), (1,), ("s1", "s2"), ("u1", "u2"), slots, 0)
record = ResultRecord("submission", Metadata("n", "1"), "mini", "1", "loo", digest, (0,), ("own",), "cd" * 32)
scores = pa.table({"condition": ["own"] * 2, "seed": [0, 0], "session_id": ["s1", "s2"], "failed": [0, 0],
                   "KL": [0.5, 0.25]})

def submit(place):
    board = Board.create(place)
    board.put_context(context)
    board.put_table("predictions", record.predictions, pa.table({"x": [1]}))
    board.put_table("scores", identity(record), scores)
    board.put(record)
    board.put(Event("submit", identity(record), "2026-01-31T12:00:00Z"))

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Half:
    def __init__(self, file): self.file = file
    def __enter__(self): return self
    def __exit__(self, *_): self.file.close()
    def write(self, content):
        self.file.write(content[: len(content) // 2]); self.file.flush(); die()

def child(place, kind, step):
    count = 0
    def tick():
        nonlocal count
        count += 1
        return count == step
    replace, opened = os.replace, Path.open
    def patched_replace(*a):
        if kind == "before renaming" and tick(): die()
        replace(*a)
        if kind == "after renaming" and tick(): die()
    def patched_open(self, mode="r", *a, **k):
        file = opened(self, mode, *a, **k)
        return Half(file) if mode == "wb" and kind == "half written" and tick() else file
    board_files.os.replace, Path.open = patched_replace, patched_open
    submit(place)
    os._exit(0)

for kind in ("half written", "before renaming", "after renaming"):
    step = 0
    while True:
        step += 1
        place = root / f"{kind}-{step}"
        pid = os.fork()
        if pid == 0:
            child(place, kind, step)
        _, status = os.waitpid(pid, 0)
        survived = os.WIFEXITED(status)
        board = Board(place)
        board.check_place()
        standing = board.standing()
        counted = len(board_table.records(board, standing))
        rows = 0
        for d in board_table.digests(board_table.records(board, standing), standing):
            rows += len(board_table.load(board, d, standing, board_table.records(board, standing)).rows)
        left = len(board_files.unfinished(board)) if place.exists() else 0
        submit(place)  # the same again finishes what was begun
        standing = board.standing()
        again = len(board_table.records(board, standing))
        print(json.dumps([kind, step, survived, counted, rows, left, again]))
        if survived:
            break
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_writer_killed_anywhere_leaves_a_readable_board(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    written = 7  # marker, .gitignore, task, predictions, scores, result, event
    for kind in ("half written", "before renaming", "after renaming"):
        of_kind = [row for row in rows if row[0] == kind]
        assert len(of_kind) == written + 1 and of_kind[-1][2] and not any(row[2] for row in of_kind[:-1])
        # The result counts when, and only when, its event stands, which is written last.
        expected = [1 if kind == "after renaming" and row[1] == written else 0 for row in of_kind[:-1]]
        assert [row[3] for row in of_kind[:-1]] == expected == [row[4] for row in of_kind[:-1]]
        assert all(row[5] == (0 if kind == "after renaming" else 1) for row in of_kind[:-1])
        assert all(row[6] == 1 for row in of_kind)


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from baselines import registry
from leaderboard.submitting import submit
from tasks.task import open_folder
from tests import mini
from tests.leaderboard.boards import candidate
task = open_folder(mini.DEFINITION, Path(sys.argv[2]))
for number in range(4):
    name = f"{sys.argv[3]}-{number}" if number else "both"
    submit(sys.argv[1], [candidate(name, task, random_state=number)], registry)
"""


@pytest.mark.slow
def test_two_writers_at_once_lose_nothing(mini, tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path / "board"), str(mini.folder)]
    writers = [subprocess.Popen([*command, name, str(ROOT)], cwd=ROOT) for name in ("a", "b")]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    (loo,) = views_of(Board.open(tmp_path / "board"))
    names = [row.name for row in loo.table.rows if row.record.kind == "submission"]
    assert sorted(names) == sorted(["both", *[f"{w}-{n}" for w in "ab" for n in range(1, 4)]])
    assert findings(Board.open(tmp_path / "board"), mini) == []


@pytest.mark.slow
def test_boards_merge_by_union_of_their_files_in_any_order(mini, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    submit(first, [candidate("common", mini)], registry, now=AT)
    shutil.copytree(first, second)
    submit(first, [candidate("mine", mini, random_state=1)], registry, now="2026-02-01T00:00:00Z")
    submit(second, [candidate("yours", mini, random_state=2)], registry, now="2026-02-02T00:00:00Z")
    withdraw(Board.open(second), "common@1", "a mistake", now="2026-02-03T00:00:00Z")
    merged = []
    for one, other in ((first, second), (second, first)):
        place = tmp_path / f"merged-{one.name}"
        shutil.copytree(one, place)
        shutil.copytree(other, place, dirs_exist_ok=True)
        merged.append(place)
    assert files(merged[0]).keys() == files(merged[1]).keys() == files(first).keys() | files(second).keys()
    # No two boards disagree about a file they share: git merges them without a conflict.
    shared = files(first).keys() & files(second).keys()
    assert shared and all(files(first)[name] == files(second)[name] for name in shared)
    for place in merged:
        (loo,) = views_of(Board.open(place))
        assert {row.name for row in loo.table.rows if row.record.kind == "submission"} == {"mine", "yours"}
        assert findings(Board.open(place), mini) == []


@pytest.mark.slow
def test_boards_started_apart_show_the_suites_own_priors_once(mini, tmp_path):
    for name, at in (("a", AT), ("b", "2026-03-01T00:00:00Z")):
        submit(tmp_path / name, [candidate(name, mini)], registry, now=at)
    shutil.copytree(tmp_path / "b", tmp_path / "a", dirs_exist_ok=True)
    (loo,) = views_of(Board.open(tmp_path / "a"))
    names = [row.name for row in loo.table.rows]
    assert len(names) == len(set(names)) and {"a", "b", "position-prior", "gaze-oracle"} <= set(names)


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is not a board"):
        Board.create(tmp_path)
    with pytest.raises(InputError, match="there is no board at"):
        Board.open(tmp_path)
    assert files(tmp_path) == {"thesis.txt": b"mine"}


def test_what_is_stored_is_never_changed(tmp_path):
    board = Board.create(tmp_path / "board")
    event = Event("submit", "ab" * 32, AT)
    name = board.put(event)
    before = files(board.root)
    assert board.put(event) == name and files(board.root) == before


def test_a_changed_file_is_named(stocked, tmp_path):
    root = tmp_path / "board"
    shutil.copytree(stocked.root, root)
    board = Board.open(root)
    name = board.names("results")[0]
    path = board.path("results", name)
    path.write_text(path.read_text().replace('"licence": "', '"licence": "not '))
    with pytest.raises(InputError, match=f"{name}.json was changed"):
        board_table.records(board, board.standing())
    path.unlink()
    with pytest.raises(InputError, match="is missing"):
        board_table.records(board, board.standing())


@pytest.mark.parametrize("name", ["../x.json", "x.json", "AB" * 32 + ".json"])
def test_a_file_with_another_name_is_refused(tmp_path, name):
    board = Board.create(tmp_path / "board")
    (board.root / "events").mkdir()
    (board.root / "events" / Path(name).name).write_text("{}")
    with pytest.raises(InputError, match="is not a SHA-256"):
        board.standing()


def test_tables_that_are_too_large_are_refused_unread(tmp_path, monkeypatch):
    board = Board.create(tmp_path / "board")
    name = "ab" * 32
    path = board.path("scores", name)
    path.parent.mkdir()
    # A hundred thousand rows in a few hundred bytes: the size of the file alone says nothing.
    pq.write_table(pa.table({"seed": pa.array([0] * 100_000)}), path)
    assert path.stat().st_size < 5_000
    for limit, value in (("rows", 99_999), ("numbers", 99_999), ("file_bytes", 100), ("decoded_bytes", 10)):
        with monkeypatch.context() as patch:
            patch.setattr(board_files, "LIMITS", dataclasses.replace(board_files.LIMITS, **{limit: value}))
            patch.setattr(pq, "read_table", lambda *a, **k: pytest.fail("it was read"))
            with pytest.raises(InputError, match="Restore the file"):
                board.table("scores", name)
    # A long text for every row takes the file no more than one.
    pq.write_table(pa.table({"session_id": pa.array(["x" * 5_000] * 100_000)}), path)
    with pytest.raises(InputError, match="texts unpack to more"):
        board.table("scores", name)
    pq.write_table(pa.table({"seed": pa.array([["x"]])}), path)
    with pytest.raises(InputError, match="neither numbers nor texts"):
        board.table("scores", name)
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match="not a sound parquet file"):
        board.table("scores", name)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="is missing"):
        board.table("scores", name)


def test_drawn_paths_are_named_by_their_content_and_bounded(tmp_path):
    board = Board.create(tmp_path / "board")
    board.put_paths({"b": [[1, 0]], "a": [[2]]})
    (name,) = board.names("paths")
    assert board.paths(name) == {"a": [[2]], "b": [[1, 0]]} and list(board.paths(name)) == ["a", "b"]
    text = board.path("paths", name).read_text()
    assert name == hashlib.sha256(text.encode()).hexdigest()
    for wrong, said in ((text.replace("2", "3"), "was changed"), (text.replace("2", "-2"), "be a whole number >= 0")):
        board.path("paths", name).write_text(wrong)
        with pytest.raises(InputError, match=said):
            board.paths(name)
