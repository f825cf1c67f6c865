"""The two published layouts, read into trials.

``grid`` is the folder of the public repository many-item-choice, or its folder ``data``. Files were renamed between its
versions, so tables are known by their columns: a summary with a row per trial (items, their ratings and the choice;
items count from 0), tables with a row per gaze, and a table of positions per set size with a row per item, on a screen
of 1280 x 1024 pixels. The tables of ratings are not read: the summary has all ratings, and the numbers in their column
``subject`` are not those of the other tables.

``table`` is one CSV file with a row per fixation, for choices among a few items in a row: ``subject``, ``trial``, the
ratings of all items (``rating1``, ``rating2``, ...), the item looked at (``item``, from 0, or a column per item that
ends in ``roi``, of which one is 1), how long (``dur`` or ``eventduration`` in ms, or ``onset`` and ``offset``) and the
item chosen (``choice``, from 0, or ``choice1``, ``choice2``, ..., of which one is 1). ``rt`` is when the choice was
made, ms; ``fix_num`` orders rows without ``onset``.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count, takewhile
from pathlib import Path, PurePath

import numpy as np

from tasks.definition import Progress
from tasks.errors import InputError, one_line, recovered, refuse
from tasks.plausible import Kind
from tasks.snacks.screen import SCREEN, even_boxes, slots_of
from tasks.tables import identifier, number, read_header, records, require_columns
from tasks.types import Box, Fixation, Session, visits

GAZES = Kind("gazes", ("dur", "milliseconds"), ("onset", "milliseconds"), shortest_ms=10.0, longest_ms=10_000.0)
"""How the layout ``grid`` calls durations and times."""
_KEY = ("subject", "setsize", "trial")
TABLES = {
    "summary": (*_KEY, "choice", "stimulus_0", "item_value_0"),
    "gazes": (*_KEY, "choice", "item", "dur", "onset", "stimulus"),
    "positions": ("x_left", "y_top", "x_right", "y_lower"),
}
"""Kind of table in the layout ``grid`` -> columns by which it is known."""


@dataclass(slots=True)
class Trial:
    """One choice.

    Attributes:
        name: Unique for the subject.
        where: File and row, for messages.
        ratings: The user's own, NaN where there is none.
        boxes: Where the items were on the screen, pixels.
        choice: Index of the chosen item, -1 if it is none of them.
        rt: When the choice was made, ms from the beginning; NaN if not known.
        cross: The item in the place of the cross that people began on, -1 if there is none.
        gazes: In any order; NaN where a time is not known.
    """

    subject: str
    name: str
    where: str
    items: list[str]
    ratings: list[float]
    boxes: list[Box]
    choice: int
    rt: float
    cross: int = -1
    gazes: list[Fixation] = field(default_factory=list)


def ratings_told(rated: Iterable[tuple[str, float]]) -> str:
    """Return the profile that tells names with their ratings, best to worst; an empty one without any."""
    best = ", ".join(f"{name} ({rating:g})" for name, rating in sorted(rated, key=lambda one: -one[1]))
    return f"Own ratings of the snacks shown, best to worst: {best}" if best else ""


def session_of(trial: Trial, kind: Kind, size: tuple[int, int], counts: Counter[str]) -> Session | str:
    """Return the session of a trial without its screen, or the reason why it gives none; oddities are counted.

    ``kind`` says how the file calls durations and times, ``size`` is that of the screen in pixels.
    """
    gazes = sorted((g for g in trial.gazes if not math.isnan(sum(g[1:]))), key=lambda gaze: gaze.start_ms)
    counts["gazes without onset or duration, left out"] += len(trial.gazes) - len(gazes)
    if not gazes:
        return "no gaze recorded"
    if trial.choice < 0:
        return "the choice is not one of the items"
    _, onsets, ms = np.array(gazes).T
    fault = "a gaze is there twice" if len(set(gazes)) < len(gazes) else ""
    fault = fault or ("a time is negative" if min(*onsets, *ms) < 0 else "")
    if fault := fault or kind.fault(onsets, ms, 0.0, float(np.fmax(trial.rt, onsets[-1]))):
        refuse(f"{trial.where}: trial {trial.name} of subject {trial.subject}: {fault}. Use the published file.")
    if gazes[0].slot == trial.cross >= 0:
        gazes = gazes[1:]
        counts["first gazes on the item in the middle, where the cross was, left out"] += 1
    slots = slots_of(trial.items, trial.ratings, trial.boxes, size)
    session = Session(
        session_id=f"{trial.subject}-{trial.name}",
        user=trial.subject,
        screen=f"{trial.subject}-{trial.name}",
        image=None,
        profile=ratings_told((slot.text, slot.rating) for slot in slots if slot.rating is not None),
        slots=slots,
        gaze_ms=np.zeros(len(slots)),
        cursor_ms=np.zeros(len(slots)),
        click=trial.choice,
        flags=("item-repeated",) if len(set(trial.items)) < len(slots) else (),
        fixations=tuple(gaze for gaze in gazes if gaze.duration_ms > 0),
    )
    for visit in visits(session):
        session.gaze_ms[visit.slot] += visit.ms
    return session if session.gaze_ms.any() else "no gaze on an item"


Trials = dict[tuple[str, str], Trial]


def data_folder(path: Path) -> Path:
    """Return the repository's folder of data, given it or the repository."""
    return path / "data" if (path / "data").is_dir() else path


def tables(path: Path) -> dict[str, list[Path]]:
    """Return kind of table -> files of it below a folder, by name."""
    found: dict[str, list[Path]] = {kind: [] for kind in TABLES}
    for file in sorted(data_folder(path).rglob("[!.]*.csv")):
        header = set(read_header(file))
        if kind := next((kind for kind, columns in TABLES.items() if header.issuperset(columns)), None):
            found[kind].append(file)
    return found


def read_grid(path: Path, progress: Progress, counts: Counter[str]) -> list[Trial]:
    """Return the trials of a folder of layout ``grid``; oddities are counted.

    InputError if a table is missing or malformed; the message names file and row.
    """
    files = tables(path)
    if missing := [kind for kind, found in files.items() if not found]:
        raise InputError(f"{path} has no table of {' and none of '.join(missing)}. Give the repository's folder.")
    places: dict[int, list[Box]] = {}
    trials: Trials = {}
    for file in files["positions"]:
        boxes = recovered(partial(_read_positions, file)) or []
        if places.setdefault(len(boxes), boxes) != boxes:
            refuse(f"{file} and another table have other places for {len(boxes)} items. Remove one of them.")
    for file in files["summary"]:
        recovered(partial(_read_summary, file, places, trials))
    for file in progress(files["gazes"], total=len(files["gazes"]), desc="gazes"):
        recovered(partial(_read_gazes, file, trials, counts))
    return list(trials.values())


def _read_positions(file: Path) -> list[Box]:
    boxes = []
    for row, record in records(file, TABLES["positions"]):
        x0, y0, x1, y1 = (number(file, row, name, record[name]) for name in TABLES["positions"])
        if not (0 <= x0 < x1 <= SCREEN[0] and 0 <= y0 < y1 <= SCREEN[1]):
            raise InputError(f"{file} row {row} is not a box on a screen of {SCREEN[0]} x {SCREEN[1]}. Correct it.")
        boxes.append((x0, y0, x1, y1))
    return boxes


def _read_summary(file: Path, places: Mapping[int, list[Box]], trials: Trials) -> None:
    for row, record in records(file, TABLES["summary"]):
        k = next((k for k in places if k == number(file, row, "setsize", record["setsize"])), 0)
        if not k:
            raise InputError(f"{file} row {row}: there are no positions of {record['setsize']} items. Add their table.")
        columns = [f"stimulus_{item}" for item in range(k)], [f"item_value_{item}" for item in range(k)]
        require_columns(file, list(record), [*columns[0], *columns[1]])
        items = [_name(record[name]) for name in columns[0]]
        ratings = [number(file, row, name, record[name]) for name in columns[1]]
        if not all(items):
            refuse(f"{file} row {row} has an item without a stimulus. Fill it in.")
        chosen, rt = _index(file, row, record, ["choice"], k), number(file, row, "rt", record.get("rt", ""))
        key, cross = _key(file, row, record), k // 2 if k % 2 else -1
        trial = Trial(*key, f"{file} row {row}", items, ratings, places[k], chosen, rt, cross)
        if trials.setdefault(key, trial) is not trial:
            refuse(f"{trial.where} repeats trial {key[1]} of subject {key[0]} ({trials[key].where}). Remove one.")


def _read_gazes(file: Path, trials: Trials, counts: Counter[str]) -> None:
    for row, record in records(file, TABLES["gazes"]):
        trial = trials.get(_key(file, row, record))
        if trial is None:
            counts["gazes of trials that no summary has, left out"] += 1
            continue
        item, choice = (_index(file, row, record, [name], len(trial.items)) for name in ("item", "choice"))
        trial.gazes.append(Fixation(item, *(number(file, row, name, record[name]) for name in ("onset", "dur"))))
        if choice != trial.choice or (item >= 0 and _name(record["stimulus"]) != trial.items[item]):
            refuse(f"{file} row {row}: choice or stimulus is not that of {trial.where}. Use tables of one version.")


def _key(file: Path, row: int, record: Mapping[str, str]) -> tuple[str, str]:
    subject, size, trial = (identifier(file, row, name, record[name]) for name in _KEY)
    return subject, f"{size}-{trial}"


def _name(stimulus: str) -> str:
    """Return the name of an item: that of its picture without folder and ending."""
    return PurePath(one_line(stimulus)).stem


def _index(path: Path, row: int, record: Mapping[str, str], columns: Sequence[str], k: int) -> int:
    """Return the item that one column counts from 0, or whose column of k is 1; -1 if it is none of the k items."""
    values = [number(path, row, name, record[name]) for name in columns]
    if len(columns) == 1:
        return int(values[0]) if values[0] in range(k) else -1
    return values.index(1.0) if sorted(values) == [0.0] * (k - 1) + [1.0] else -1


def table_of(path: Path) -> Path | None:
    """Return the table of a folder: its only CSV file with the columns of one."""
    wanted = {"subject", "trial", "rating1", "rating2"}
    files = [file for file in sorted(path.glob("*.csv")) if wanted.issubset(read_header(file))]
    return files[0] if len(files) == 1 else None


def read_table(file: Path) -> tuple[list[Trial], Kind]:
    """Return the trials of a table, and how it calls durations and times (``rt`` if fixations have none).

    InputError if the table is malformed; the message names the row.
    """
    header = read_header(file)
    rated = list(takewhile(header.__contains__, (f"rating{n}" for n in count(1))))
    k, timed = len(rated), "onset" in header
    looked = ["item"] if "item" in header else [name for name in header if name.endswith("roi")]
    chosen = ["choice"] if "choice" in header else [f"choice{n}" for n in range(1, k + 1)]
    lasting = next((name for name in ("dur", "eventduration") if name in header), "offset" if timed else "dur")
    if k > 6 or len(looked) not in (1, k):
        raise InputError(f"{file} row 1: expected 2 to 6 ratings and 'item' or as many columns ending in roi.")
    rows = list(records(file, ["subject", "trial", *rated, *looked, *chosen, lasting]))
    if "fix_num" in header and not timed:
        rows.sort(key=lambda pair: number(file, pair[0], "fix_num", pair[1]["fix_num"]))
    trials: Trials = {}
    for row, record in rows:
        subject, name = (identifier(file, row, column, record[column]) for column in ("subject", "trial"))
        items, ratings = [f"snack {c}" for c in "ABCDEF"[:k]], [number(file, row, c, record[c]) for c in rated]
        choice, rt = _index(file, row, record, chosen, k), number(file, row, "rt", record.get("rt", ""))
        trial = Trial(subject, name, f"{file} row {row}", items, ratings, even_boxes(k, 1), choice, rt)
        first = trials.setdefault((subject, name), trial)
        if str((first.ratings, first.choice)) != str((ratings, choice)):  # as text: NaN is itself
            refuse(f"{trial.where}: ratings or choice are not those of {first.where}. Correct one of them.")
        onset = sum((gaze.duration_ms for gaze in first.gazes if gaze.duration_ms > 0), 0.0)
        onset = number(file, row, "onset", record["onset"]) if timed else onset
        ms = number(file, row, lasting, record[lasting]) - (onset if lasting == "offset" else 0.0)
        first.gazes.append(Fixation(_index(file, row, record, looked, k), onset, ms))
    times = ("onset" if timed else "rt", "milliseconds")
    return list(trials.values()), Kind("fixations", (lasting, "milliseconds"), times, 10.0, longest_ms=10_000.0)
