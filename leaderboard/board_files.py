"""A board on disk: plain files that are only ever added, so that two boards are merged by taking the files of both.

::

    board.json                     says that this folder is a board
    tasks/<digest>.json            facts about one split of one task: users, sessions, card, heatmaps
    predictions/<digest>.parquet   predictions, named by the digest of their rows
    results/<id>.json              one result: who, on which split, which predictions
    paths/<digest>.json            paths that it drew, named by their digest; many results have none
    scores/<id>.parquet            its score per session, seed and metric
    added/<digest>.parquet         one column of scores that was added later (leaderboard.board_scores)
    reported/<id>.json             numbers stated elsewhere
    events/<id>.json               submit, withdraw, supersede

A result counts as soon as its submit event exists, and the event is written last: a process killed at any
moment leaves at most files that nothing points to. A file appears by renaming, after its content has reached the
disk. No file is ever changed, so writers need no lock. What was withdrawn or superseded stays so, in whatever order
the entries of two merged boards were made; a simulator comes back under a new version.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from benchmark.files import parquet_gate
from benchmark.files.limits import TableLimits, contents
from benchmark.files.replacing import replace_file
from benchmark.scores import paths
from benchmark.scores.paths import SampledPaths
from leaderboard import entries
from leaderboard.context import TaskContext
from leaderboard.entries import Event, ReportedRecord, ResultRecord, identity
from tasks.decoding import read_json
from tasks.errors import InputError
from tasks.storage import absolute

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

MARKER = "board.json"
MARK = '{"board": "gazebench", "format": 1}\n'
FOLDERS = ("tasks", "predictions", "results", "scores", "added", "reported", "events", "paths")
TABLES = ("predictions", "scores", "added")
PARTIAL = ".partial"

MAX_JSON_BYTES = 8 * 1024**2
LIMITS = TableLimits(file_bytes=64 * 1024**2, rows=1_000_000, numbers=50_000_000, decoded_bytes=256 * 1024**2)


@dataclass(frozen=True, slots=True)
class BoardStanding:
    """What the events say of the results: when each was first submitted, and the events that took some away."""

    submitted: Mapping[str, str]
    withdrawn: Mapping[str, Event]
    superseded: Mapping[str, Event]

    def active(self, result: str) -> bool:
        """Return whether a result is to be ranked."""
        return result in self.submitted and result not in self.withdrawn and result not in self.superseded

    def status(self, result: str) -> str:
        """Return ``active``, ``withdrawn``, ``superseded`` or ``not submitted``."""
        if result in self.withdrawn:
            return "withdrawn"
        if result in self.superseded:
            return "superseded"
        return "active" if result in self.submitted else "not submitted"


NOTHING = BoardStanding({}, {}, {})
"""The standing of an empty board."""


class Board:
    """A folder of results."""

    def __init__(self, root: str | Path) -> None:
        self.root = absolute(root)

    @classmethod
    def open(cls, root: str | Path) -> Board:
        """Return the board at ``root``; InputError if there is no board."""
        board = cls(root)
        if not (board.root / MARKER).is_file():
            raise InputError(f"there is no board at {root}; 'submit DIR --board {root}' starts one.")
        return board

    @classmethod
    def create(cls, root: str | Path) -> Board:
        """Return the board at ``root``, starting one if needed.

        InputError if the folder contains something else, or cannot be written.
        """
        board = cls(root)
        board.check_place()
        _publish(board.root / MARKER, MARK.encode())
        _publish(board.root / ".gitignore", f".*{PARTIAL}*\n".encode())
        return board

    def check_place(self) -> None:
        """Refuse a folder that contains something other than a board; InputError if it does."""
        if (self.root / MARKER).is_file() or not self.root.exists():
            return
        if not self.root.is_dir() or any(_named(self.root)):
            raise InputError(f"{self.root} exists and is not a board; choose another folder with --board.")

    def path(self, folder: str, name: str) -> Path:
        """Return where the record or table ``name`` (a SHA-256) is, or will be."""
        suffix = ".parquet" if folder in TABLES else ".json"
        return self.root / folder / f"{entries.check_sha(name, str(self.root))}{suffix}"

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, sorted; unfinished files are left out.

        InputError if a file's name is not a SHA-256.
        """
        place = self.root / folder
        return [entries.check_sha(name.split(".")[0], f"{place}/{name}") for name in sorted(_named(place))]

    def put(self, record: entries.Record) -> str:
        """Store a result, an event or reported numbers, unless they are there, and return their identity."""
        entries.require_readable(record)
        name, folders = identity(record), {ResultRecord: "results", Event: "events", ReportedRecord: "reported"}
        _publish(self.path(folders[type(record)], name), entries.to_json(record).encode())
        return name

    def put_context(self, context: TaskContext) -> None:
        """Store the facts about a split, unless they are there."""
        _publish(self.path("tasks", context.digest), context.to_json().encode())

    def put_paths(self, drawn: SampledPaths) -> None:
        """Store drawn paths, unless they are there."""
        _publish(self.path("paths", paths.digest(drawn)), paths.text(drawn).encode())

    def put_table(self, folder: str, name: str, table: pa.Table) -> None:
        """Store predictions or scores, unless they are there."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path(folder, name)
        if not path.exists():
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, compression="zstd")
            _publish(path, sink.getvalue().to_pybytes())

    def result(self, name: str) -> ResultRecord:
        """Return a result; InputError if it is missing or damaged."""
        return self._get("results", name, ResultRecord)

    def event(self, name: str) -> Event:
        """Return an event (see :meth:`result`)."""
        return self._get("events", name, Event)

    def reported(self, name: str) -> ReportedRecord:
        """Return reported numbers (see :meth:`result`)."""
        return self._get("reported", name, ReportedRecord)

    def context(self, digest: str) -> TaskContext:
        """Return the facts about a split; InputError if they are missing or damaged."""
        path = self.path("tasks", digest)
        context = _read(TaskContext, path)
        if context.digest != digest:
            raise InputError(f"{path} is about the split {context.digest[:12]}; restore the file.")
        return context

    def paths(self, digest: str) -> SampledPaths:
        """Return drawn paths; their sessions and slots are not compared with a task.

        InputError if they are missing, damaged or too large.
        """
        path = self.path("paths", digest)
        found = paths.read_given(path)
        if paths.digest(found) != digest:
            raise InputError(f"{path} was changed: its content does not belong to its name. Restore the file.")
        return found

    def table(self, folder: str, name: str, columns: Iterable[str] | None = None) -> pa.Table:
        """Return stored predictions or scores, checking sizes before anything is decoded.

        InputError if they are missing, damaged or too large.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path(folder, name)
        if not path.is_file():
            raise InputError(f"{path} is missing; the board is not complete. Restore the file.")
        try:
            data = contents(path, LIMITS.file_bytes)
            parquet_gate.check(data, LIMITS)
            kinds = pq.read_schema(pa.BufferReader(data))
            texts = [field.name for field in kinds if str(field.type) in ("string", "large_string")]
            if not all(field.name in texts or _plain(field.type) for field in kinds):
                raise InputError("a column holds neither numbers nor texts.")
            kept = None if columns is None else list(columns)
            found = pq.read_table(pa.BufferReader(data), columns=kept, use_threads=False, read_dictionary=texts)
            for column in set(texts) & set(found.column_names):  # a dictionary repeats a long text at no cost
                counts = found[column].value_counts().to_pylist()
                if sum(len(one["values"] or "") * one["counts"] for one in counts) > LIMITS.decoded_bytes:
                    raise InputError("its texts unpack to more than a result can have.")
            return found.cast(pa.schema([kinds.field(name) for name in found.column_names]))
        except InputError as error:
            raise InputError(f"{path}: {error} Restore the file.") from error
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"{path} is damaged ({str(error).splitlines()[0]}); restore the file.") from error

    def standing(self) -> BoardStanding:
        """Return what the events say, which does not depend on the order they are read in.

        InputError if an event is damaged.
        """
        submitted: dict[str, str] = {}
        withdrawn: dict[str, Event] = {}
        superseded: dict[str, Event] = {}
        for name in self.names("events"):
            event = self.event(name)
            if event.kind == "submit":
                submitted[event.result] = min(event.at, submitted.get(event.result, event.at))
                continue
            kept = withdrawn if event.kind == "withdraw" else superseded
            known = kept.get(event.result)
            if known is None or (event.at, event.by, event.reason) < (known.at, known.by, known.reason):
                kept[event.result] = event
        return BoardStanding(submitted, withdrawn, superseded)

    def _get(self, folder: str, name: str, kind: type[T]) -> T:
        path = self.path(folder, name)
        record = _read(kind, path)
        if identity(record) != name:  # type: ignore[arg-type]
            raise InputError(f"{path} was changed: its content does not belong to its name. Restore the file.")
        return record


def _plain(kind: pa.DataType) -> bool:
    """Return whether a column's type is numbers, lists of numbers, or nothing."""
    import pyarrow as pa

    return _plain(kind.value_type) if pa.types.is_list(kind) else pa.types.is_primitive(kind) or pa.types.is_null(kind)


def unfinished(board: Board) -> list[Path]:
    """Return files that a writer left behind when it was killed; they may be deleted while nobody writes."""
    places = [board.root, *(board.root / folder for folder in FOLDERS)]
    return sorted(
        p for place in places if place.is_dir() for p in place.iterdir() if p.name.startswith(".") and PARTIAL in p.name
    )


def _named(place: Path) -> list[str]:
    """Return the names in a folder that are not hidden; none if there is no folder."""
    try:
        return [name for name in os.listdir(place) if not name.startswith(".")]
    except FileNotFoundError:
        return []


def _read(kind: type[T], path: Path) -> T:
    """Return what a JSON file of bounded size holds."""
    if not path.is_file():
        raise InputError(f"{path} is missing; the board is not complete. Restore the file.")
    return read_json(kind, path, limit=MAX_JSON_BYTES, version=entries.VERSION)


def _publish(path: Path, content: bytes) -> None:
    """Write a whole file that reaches the disk before it appears; one that exists stays as it is."""
    if not path.exists():
        replace_file(path, lambda partial: partial.write_bytes(content))
