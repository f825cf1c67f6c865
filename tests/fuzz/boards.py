"""Boards that somebody has tampered with: one file of a small board is damaged, swapped, blown up or replaced."""

import json
import os
import shutil
import zlib

import pyarrow as pa
import pyarrow.parquet as pq

from baselines import registry
from leaderboard.board_files import Board
from leaderboard.columns import views
from leaderboard.submitting import submit
from leaderboard.verifying import verify
from tasks.errors import InputError
from tests.fuzz.bytes_of import damaged
from tests.leaderboard.boards import AT, candidate


def make(folder, task):
    """Write a board of two submissions."""
    submit(folder, [candidate("first", task, authors=("A",))], registry, now=AT)
    submit(folder, [candidate("second", task, knows=0.7, authors=("B",))], registry, now=AT)
    return folder


def bomb(path):
    """A table of a million rows, each with a text of 4 kB, in a few kilobytes."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), pa.array(["x" * 4_000]))
    pq.write_table(pa.table({"condition": texts}), path)


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


BLOWN_UP = (bomb, deep, wide, long_number, squeezed, pipe, folder_in_place, link)


def tamper(root, random):
    """Change one file; return what was done."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    path = files[int(random.integers(len(files)))]
    which = int(random.integers(10))
    if which == 0:
        change = BLOWN_UP[int(random.integers(len(BLOWN_UP)))]
        change(path)
        return f"{change.__name__} {path.parent.name}"
    if which == 1:
        other = files[int(random.integers(len(files)))]
        one, two = path.read_bytes(), other.read_bytes()
        path.write_bytes(two), other.write_bytes(one)
        return f"swapped {path.parent.name} {other.parent.name}"
    if which == 2:
        path.rename(path.with_name(f"{random.integers(2**60):064x}{path.suffix}"))
        return f"renamed {path.parent.name}"
    path.write_bytes(damaged(path.read_bytes(), random))
    return f"damaged {path.parent.name}"


def answered(root, task):
    """What reading, checking and printing the board says; anything but findings and one-line errors is raised."""
    said = []
    try:
        board = Board.open(root)
        said += [str(finding) for finding in verify(board, lambda name, digests: task, registry)]
        views(board)
    except InputError as error:
        said.append(str(error))
    for line in said:
        assert "\n" not in line and len(line) < 2_000, line
    return said


def case(whole, folder, task, random):
    """Tamper with a copy of a board; return what was done and whether it was answered well."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    done = tamper(folder, random)
    return done, answered(folder, task)
