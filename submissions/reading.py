"""Reads a submission: its folder and ``submission.yaml``, and its predictions as bounded, plain tables."""

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmark.files import plain_yaml
from benchmark.files.limits import TooLarge, contents
from benchmark.files.printable import shown
from benchmark.naming import TEST_INPUTS
from benchmark.parts import part_names
from benchmark.scores import checking, predictions, reading
from benchmark.scores.raw import RawPredictions, Unreadable
from submissions import json_schema
from submissions.format import (
    CONDITIONS,
    METADATA_FILE,
    PATH_PATTERN,
    PATHS_FILE,
    PLACEHOLDER_AUTHOR,
    PLACEHOLDER_CONTACT,
    PREDICTIONS_FOLDER,
    STRESS_FOLDER,
    STRESS_PATTERN,
    Entry,
    Submission,
    entry_of,
    from_record,
    predictions_folder,
)
from submissions.problems import DEFAULT, Findings, Limits
from tasks.errors import InputError

_ALONGSIDE = ("README.md", "README.txt", "LICENSE", "LICENCE", "LICENSE.txt", "LICENSE.md")
"""Files that may be next to the format's own; nothing reads them."""

_OLD_TRANSFERS = f"{STRESS_FOLDER}/transfer-"
"""Begins the predictions of another task's sessions, which older versions packed."""

_DIRECTIONS = frozenset("\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
"""Characters that turn or hide the text around them."""

_MAX_DEPTH = 6


def read(folder: str | Path, limits: Limits = DEFAULT) -> Submission:
    """Read the metadata of a submission and list its predictions files; none of them is opened.

    InputError with the first error of the folder or of ``submission.yaml``, and how many more there are.
    """
    found = Findings(limits)
    submission = inspect(Path(folder), found)
    found.require()
    assert submission is not None, "no submission and no error"
    return submission


def inspect(folder: Path, found: Findings) -> Submission | None:
    """Note every problem of a submission's layout and metadata, within the limits of ``found``.

    Returns None if the metadata cannot be read; fields that are wrong have a placeholder value. InputError if
    ``folder`` is not a folder.
    """
    listed = _files(folder, found.limits, found)
    if listed is None:
        return None
    entries = _entries(listed, folder, found)
    values, faulty = _metadata(folder, listed, found)
    if values is None:
        return None
    stand_in = {**_STAND_IN, "seeds": sorted({entry.seed for entry in entries})}
    values = {field: value for field, value in values.items() if field not in faulty}
    drawn = {match[1]: folder / name for name in listed if (match := PATHS_FILE.fullmatch(name))}
    submission = from_record({**stand_in, **values, "paths": drawn}, folder, tuple(entries))
    _check_promises(submission, faulty, found)
    return submission


_STAND_IN: dict[str, Any] = {
    "name": "unnamed",
    "version": "0",
    "authors": [],
    "contact": "",
    "licence": "",
    "description": "",
    "simulator": {"kind": "other", "inputs": []},
    "seeds": [],
    "digests": {},
}
"""What takes the place of fields that are missing or wrong, so that the rest can be checked all the same."""


def _files(folder: Path, limits: Limits, found: Findings) -> list[str] | None:
    """Return the paths of the regular files inside ``folder``, with ``/``, sorted; None if there are too many to list.

    Symbolic links and special files (devices, pipes) are errors and are not returned; nothing is opened. InputError if
    ``folder`` is not a folder that can be read.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}. Give the folder that holds submission.yaml.")
    listed: list[str] = []
    total = 0
    try:
        for count, (name, status) in enumerate(_walk(folder, "", 0), start=1):
            if count > limits.files:
                what = f"there are more than {limits.files} files and folders."
                found.error("size", ".", None, what, "Remove what is extra.")
                return None
            if stat.S_ISLNK(status.st_mode):
                found.error("link", shown(name), None, "it is a symbolic link.", "Put the file itself there.")
            elif stat.S_ISREG(status.st_mode):
                listed.append(name)
                total += status.st_size
            elif not stat.S_ISDIR(status.st_mode):
                found.error("link", shown(name), None, "it is not a regular file.", "Remove it.")
    except OSError as error:
        raise InputError(f"cannot read {shown(error.filename or folder)}: {error.strerror or error}.") from error
    if total > limits.total_bytes:
        what = f"the files take {total:,} bytes; {limits.total_bytes:,} are allowed."
        found.error("size", ".", None, what, "Make it smaller.")
        return None
    return sorted(listed)


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    """Yield everything below ``folder`` with its own status, links not followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            yield name, entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False) and depth < _MAX_DEPTH:
                yield from _walk(Path(entry.path), name + "/", depth + 1)


def metadata_values(path: Path, limits: Limits) -> object:
    """Return the plain values of a YAML file within limits.

    InputError if it is too large, cannot be read, or is not YAML of plain values; the line is named.
    """
    text = contents(path, limits.metadata_bytes)
    return plain_yaml.load(text, depth=limits.metadata_depth, values=limits.metadata_values)


def _metadata(folder: Path, listed: Sequence[str], found: Findings) -> tuple[dict[str, Any] | None, set[str]]:
    """Return the values of ``submission.yaml``, None if it is not a mapping, and the fields with noted faults."""
    if METADATA_FILE not in listed:
        remedy = f"Write {METADATA_FILE}; docs/submitting.md lists its fields."
        found.error("schema", METADATA_FILE, None, "there is no such file.", remedy)
        return None, set()
    try:
        values = metadata_values(folder / METADATA_FILE, found.limits)
    except InputError as error:
        found.error("schema", METADATA_FILE, None, str(error), "")
        return None, set()
    faulty = set()
    for where, what, remedy in json_schema.faults(values, json_schema.schema()):
        found.error("schema", METADATA_FILE, None, f"'{where or 'the file'}' {what}.", remedy)
        faulty.add(_field(where))
    if not isinstance(values, dict):
        return None, faulty
    for where, text in json_schema.text_values(values):
        bad = next((c for c in text if _unprintable(c)), None)
        if bad is not None:
            what = f"'{where}' holds the character U+{ord(bad):04X}, which does not print as it reads."
            found.error("schema", METADATA_FILE, None, what, "Remove it.")
            faulty.add(_field(where))
    return values, faulty


def _field(where: str) -> str:
    """Return the field of the file in which a fault is."""
    return where.partition(".")[0].partition("[")[0]


def _unprintable(character: str) -> bool:
    """Return whether a character controls, turns or hides the text around it, or is half a surrogate pair."""
    if character in "\n\t":
        return False
    return unicodedata.category(character) in ("Cc", "Cs") or character in _DIRECTIONS


def _entries(listed: Sequence[str], folder: Path, found: Findings) -> list[Entry]:
    """Return the predictions files; note what else is in the folder."""
    entries: dict[Entry, str] = {}
    older: dict[str, None] = {}
    for name in listed:
        if name == METADATA_FILE or name in _ALONGSIDE or PATHS_FILE.fullmatch(name):
            continue
        entry = entry_of(name, folder)
        if entry is None:
            if name.startswith(_OLD_TRANSFERS):
                older.setdefault(name.split("/")[1])
            elif name.startswith(PREDICTIONS_FOLDER + "/"):
                found.error("schema", shown(name), None, "its path is not of the format.", f"Use {PATH_PATTERN}.")
            elif name.startswith(STRESS_FOLDER + "/"):
                remedy = f"Use {STRESS_PATTERN} with a condition of {', '.join(CONDITIONS)}."
                found.error("schema", shown(name), None, "its path is not of the format.", remedy)
            else:
                found.warning("schema", shown(name), None, "it is not part of the format and is ignored.", "")
        elif entry in entries:
            other = entries[entry].rsplit("/", 1)[-1]
            found.error("schema", name, None, f"the same seed is in {other}.", "Keep one of the two files.")
        else:
            entries[entry] = name
    for other in older:
        what = "boards no longer score predictions of another task's sessions; it is ignored."
        found.warning("schema", shown(f"{STRESS_FOLDER}/{other}"), None, what, "Remove it, and that task's digest.")
    return sorted(entries)


def _check_promises(submission: Submission, faulty: set[str], found: Findings) -> None:
    """Check the metadata against the files: seeds, digests, and that there is anything at all."""
    if not submission.entries and not submission.reported:
        what, remedy = "there are no predictions.", f"Put them at {PATH_PATTERN}."
        found.error("coverage", ".", None, what, remedy)
    seeds: dict[str, set[int]] = {}
    for entry in submission.entries:
        seeds.setdefault(entry.key, set()).add(entry.seed)
    for key, there in seeds.items():
        place = f"{PREDICTIONS_FOLDER}/{key}"
        missing, extra = sorted(set(submission.seeds) - there), sorted(there - set(submission.seeds))
        if missing and "seeds" not in faulty:
            what = f"there is no file for seed {', '.join(map(str, missing[:10]))}, which {METADATA_FILE} names."
            found.error("coverage", place, None, what, "Add the file, or take the seed out of 'seeds'.")
        if extra and "seeds" not in faulty:
            what = f"there is a file for seed {', '.join(map(str, extra[:10]))}, which {METADATA_FILE} does not name."
            found.error("coverage", place, None, what, "Add the seed to 'seeds', or remove the file.")
    _check_stress(submission, seeds, found)
    for key in sorted(set(submission.digests) - set(seeds)):
        what = f"'digests' names {key}, but there are no predictions for it."
        found.warning("digest", METADATA_FILE, None, what, "Add the predictions, or remove the entry.")
    if PLACEHOLDER_AUTHOR in submission.authors or submission.contact == PLACEHOLDER_CONTACT:
        what = f"'authors' or 'contact' is still '{PLACEHOLDER_AUTHOR}' or '{PLACEHOLDER_CONTACT}'."
        found.warning("placeholder", METADATA_FILE, None, what, "Put in who made it and where questions go.")
    oracle = set(TEST_INPUTS) & set(submission.inputs)
    if (submission.kind == "oracle") != bool(oracle) and "simulator" not in faulty:
        what = "'simulator.kind' oracle and the inputs gaze-test or cursor-test belong together; only one is there."
        found.error("schema", METADATA_FILE, None, what, "Name both, or neither.")


def _check_stress(submission: Submission, seeds: dict[str, set[int]], found: Findings) -> None:
    """Check that files under stress conditions have the seeds of the predictions that they are compared with."""
    groups: dict[tuple[str, str], set[int]] = {}
    for entry in submission.stress:
        groups.setdefault((entry.condition, entry.key), set()).add(entry.seed)
    for (condition, key), there in sorted(groups.items()):
        if there != seeds.get(key, set()):
            place = f"{predictions_folder(condition)}/{key}"
            what = f"its seeds are not those of {predictions_folder()}/{key}, which it is compared with."
            found.error("coverage", place, None, what, "Give both the same seeds, or remove the folder.")


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
    left out if it is a part that came after the first submissions. InputError if the file cannot be read, or a row of
    it cannot be right whatever its session.
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

    InputError if a file cannot be read. ``doctor`` checks whether it fits its task.
    """
    tables = []
    for entry in entries:
        rows = load_predictions(entry, limits)
        keys = {"simulator": submission.name, "seed": entry.seed, "target": submission.target}
        tables.append(predictions.table({**keys, "session_id": rows["session_id"]}, predictions.cells_of(rows)))
    if not tables:
        raise InputError(f"{submission.folder} has no such predictions. Name a task and a split that it covers.")
    return predictions.joined(tables)
