"""Predictions of a submission as tables: bounded, plain data, and checked where they are used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from benchmark.parts import part_names
from benchmark.scores import checking, predictions, reading
from benchmark.scores.raw import RawPredictions, Unreadable
from submissions.folder import TooLarge, contents
from submissions.format import Entry, Submission
from submissions.limits import DEFAULT, Limits
from submissions.problems import Findings
from tasks.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("session_id",)
"""What a file of a submission holds besides parts."""


def read_rows(entry: Entry, found: Findings) -> RawPredictions | None:
    """Return the rows of a predictions file, or None after noting why it cannot be read."""
    try:
        data = contents(entry.path, found.limits.file_bytes)
        return reading.read(data, entry.path.suffix, COLUMNS, found.limits)
    except Unreadable as error:
        for fault in error.faults:
            found.error(fault.kind, entry.name, None, *fault.words(-1))
    except InputError as error:
        found.error("size" if isinstance(error, TooLarge) else "file", entry.name, None, str(error), "")
    return None


def load_predictions(entry: Entry, limits: Limits = DEFAULT) -> pa.Table:
    """Return one predictions file as a table, without comparing it with a task.

    Size, rows and what the pages unpack to are checked before anything is decoded; no file makes this take a gigabyte.
    The columns are ``session_id`` and one per part, in the order of the file; what the file does not have is blank, and
    left out if it is a part that came after the first submissions.

    Raises:
        InputError: The file cannot be read, or a row of it cannot be right whatever its session.
    """
    found = Findings(limits)
    raw = read_rows(entry, found)
    found.require()
    assert raw is not None, "no rows and no error"
    checked = checking.checked(raw, None, limits)
    checking.require(checked.faults, lambda row: f"{entry.name}, row {raw.numbers[row]}")
    table = predictions.table(raw.keys, checked.cells).select([*COLUMNS, *part_names()])
    return predictions.stored_columns(table)


def prediction_table(submission: Submission, entries: Iterable[Entry], limits: Limits = DEFAULT) -> pa.Table:
    """Return predictions files of one task and split as one table that ``benchmark.scores.scoring.score`` takes.

    Raises:
        InputError: A file cannot be read. ``doctor`` checks whether it fits its task.
    """
    tables = []
    for entry in entries:
        rows = load_predictions(entry, limits)
        keys = {"simulator": submission.name, "seed": entry.seed, "target": submission.target}
        tables.append(predictions.table({**keys, "session_id": rows["session_id"]}, predictions.cells_of(rows)))
    if not tables:
        raise InputError(f"{submission.folder} has no such predictions. Name a task and a split that it covers.")
    return predictions.joined(tables)
