"""Boards that somebody has tampered with: one file of a small board is damaged, swapped, blown up or written again.

What is written again is sound: tables decode, records are named by their content. Only what it says is wrong.
"""

import functools
import hashlib
import json
import os
import shutil
import zlib

import pyarrow as pa
import pyarrow.parquet as pq

from baselines import registry
from benchmark.output.rendering import render
from leaderboard import board_documents, columns, verifying
from leaderboard.board_files import TABLES, Board
from tasks.errors import InputError
from tasks.registry import load
from tests.fuzz import forked
from tests.fuzz.bytes_of import damaged

ODD = ("x" * 4_000, "", "‮\x1b[31m<script>", -1, 0.5, None, True, [], {}, [[1]], 10**400, float("nan"), "9" * 64)
NUMBERS = (float("nan"), float("inf"), -1e308, 1e308, -1.0, 0.0, 2.0**53)


def bomb(path):
    """A table of a million rows, each with a text of 4 kB, in a few kilobytes."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), pa.array(["x" * 4_000]))
    pq.write_table(pa.table({"condition": texts}), path)


def repeated(path):
    """A table whose columns are those of scores, with its first row a million times."""
    table = pq.read_table(path) if path.suffix == ".parquet" and pq.read_metadata(path).num_rows else None
    bomb(path) if table is None else pq.write_table(table.take([0] * 1_000_000), path)


def deep(path):
    path.write_text("[" * 200_000 + "]" * 200_000)


def wide(path):
    path.write_text(json.dumps({f"key{i}": [i] * 20 for i in range(20_000)}))


def long_number(path):
    path.write_text('{"format": ' + "9" * 100_000 + "}")


def squeezed(path):
    path.write_bytes(b"PAR1" + zlib.compress(bytes(10_000_000)) + b"PAR1")


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def folder_in_place(path):
    path.unlink()
    path.mkdir()


def link(path):
    path.unlink()
    path.symlink_to("/dev/zero")


BLOWN_UP = (bomb, repeated, deep, wide, long_number, squeezed, pipe, folder_in_place, link)


def rewritten(path, random):
    """Change one value of a table or a record, and write it as whoever knows the format would."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        column = int(random.integers(table.num_columns))
        name, values = table.column_names[column], table.column(column).to_pylist()
        kind = table.schema.field(name).type
        row = int(random.integers(max(len(values), 1)))
        which = int(random.integers(6))
        if which == 0:
            table = table.drop_columns([name])
        elif which == 1:
            table = table.take(random.integers(0, len(values), len(values)))
        elif which == 2:
            table = table.set_column(column, name, pa.array([str(value) for value in values]))
        elif values:
            odd = {"double": NUMBERS, "int64": (-1, 2**62, 7), "string": ("", "x" * 4_000, "‮\x1b[31m")}.get(str(kind))
            values[row] = None if odd is None or which == 3 else odd[int(random.integers(len(odd)))]
            table = table.set_column(column, name, pa.array(values, kind))
        pq.write_table(table, path)
        return
    said = json.loads(path.read_text())
    at = said
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = keys[int(random.integers(len(keys)))]
        if not (isinstance(at[key], dict | list) and at[key]) or random.random() < 0.2:
            break
        at = at[key]
    at[key] = ODD[int(random.integers(len(ODD)))]
    path.write_text(json.dumps(said, sort_keys=True, indent=1))
    if path.parent.name in ("results", "events", "reported"):
        own = json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode("ascii")
        path.rename(path.with_name(hashlib.sha256(own).hexdigest() + ".json"))


def tamper(root, random):
    """Change one file; return what was done, and the files that it was done to."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    path, other = (files[int(random.integers(len(files)))] for _ in range(2))
    which, where = int(random.integers(10)), path.parent.name
    if which == 0:
        change = BLOWN_UP[int(random.integers(len(BLOWN_UP)))]
        change(path)
        return f"{change.__name__} {where}", [path]
    if which == 1:
        one, two = path.read_bytes(), other.read_bytes()
        path.write_bytes(two), other.write_bytes(one)
        return f"swapped {where} {other.parent.name}", [path, other]
    if which == 2:
        path.rename(path.with_name(f"{random.integers(2**60):064x}{path.suffix}"))
        return f"renamed {where}", [path]
    if which < 7 and path.suffix in (".json", ".parquet"):
        rewritten(path, random)
        return f"rewritten {where}", [path]
    path.write_bytes(damaged(path.read_bytes(), random))
    return f"damaged {where}", [path]


def refused(root, path):
    """Whether the gate that a board's file goes through refuses it, in one line."""
    board, folder, name = Board(root), path.parent.name, path.stem
    readers = {"results": board.result, "events": board.event, "paths": board.paths, "tasks": board.context}
    if folder not in (*readers, *TABLES):
        return False
    try:
        board.table(folder, name) if folder in TABLES else readers[folder](name)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 2_000, error
        return True
    return False


def read(root, task=None):
    """What 'verify' finds in this process; anything but findings and one-line errors is raised.

    Without the data only what can be read is; nothing is computed.
    """

    def load(name, digests):
        if task is None:
            raise InputError("nothing can be computed")
        return task

    try:
        said = [str(finding) for finding in verifying.verify(Board.open(root), load, registry)]
    except InputError as error:
        said = [str(error)]
    for line in said:
        assert "\n" not in line and len(line) < 2_000, line
    return [line for line in said if "nothing can be computed" not in line]


def tables(root):
    """What the board's tables say, or the error."""
    try:
        return render(board_documents.documents(columns.views(Board.open(root))), "terminal")
    except InputError as error:
        assert "\n" not in str(error)
        return f"error: {error}"


class Boards:
    """A small board, its copies, and what commands said of it while it was whole."""

    def __init__(self, world):
        self.world, self.root, self.most = world, world.folder / "copy", [0.0, 0.0]
        done = world.folder / "done"
        self.whole, self.other = done / "submit", world.folder / "other"
        shutil.copytree(done / "pack", self.other)
        path = self.other / "submission.yaml"
        path.write_text(path.read_text().replace("name: mine", "name: other"))
        data = ["--data", f"snacks={done / 'prepare'}"]
        self.commands = {
            "tables": ["leaderboard", "--board", self.root],
            "verify": ["leaderboard", "verify", "--board", self.root, *data],
            "submit": ["submit", self.other, "--board", self.root, *data],
            "html": ["leaderboard", "--board", self.root, "--html", world.folder / "page", "--no-pictures", *data],
        }
        self.task = load("snacks", done / "prepare")
        # What the suite computes itself does not change with the board.
        verifying.suite_result = functools.cache(verifying.suite_result)
        shutil.copytree(self.whole, self.root)
        self.told = tables(self.whole)
        assert not read(self.whole, self.task)

    def ask(self, name):
        """Run a command on the copy in a child whose time and memory are measured."""
        page = self.world.folder / "page"
        shutil.rmtree(page, ignore_errors=True)
        answer = forked.call(self.commands[name], self.world.log).well()
        self.most = [max(self.most[0], answer.seconds), max(self.most[1], answer.mebibytes)]
        assert answer.status != 2 or not page.exists()

    def case(self, random, every):
        """Tamper with a copy and read it; meet one case in ``every`` with all commands.

        What its own gate refuses is refused by whatever reads the board; what it lets through is read with the rest.
        """
        (done, touched), drawn = tamper(self.root, random), random.random() < 1 / every
        try:
            if drawn or len(touched) > 1 or not refused(self.root, touched[0]):
                told = "" if read(self.root) else tables(self.root)
                changed = told not in ("", self.told) and not told.startswith("error: ")
                assert not changed or read(self.root, self.task), (done, "the tables have changed, nobody says so")
            for name in self.commands if drawn else ():
                self.ask(name)
        finally:
            self.restore(touched)

    def restore(self, touched):
        """Make the copy whole again."""
        kept = {path.relative_to(self.whole) for path in self.whole.rglob("*")}
        there = {path.relative_to(self.root) for path in self.root.rglob("*")}
        for name in (there - kept) | {path.relative_to(self.root) for path in touched}:
            path = self.root / name
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
            if name in kept:
                shutil.copyfile(self.whole / name, path)
