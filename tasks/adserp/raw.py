"""The ``raw`` layout: the folders of AdSERP as published, one file per trial in each.

``fixation-data/*.csv``, ``mouse-movement-data/*.csv``, ``ad-boundary-data/*.json``, ``trial-metadata/*.xml`` and
``full-page-screenshots/*.png``. The boxes of the organic results are not published: they are found in the
screenshot (``tasks.adserp.organic``). PROTOCOL section 3.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers import expat

from tasks.adserp.reading import (
    MouseEvents,
    boxes_of,
    check_durations,
    check_trial_id,
    column,
    parse_number,
    read_bytes,
    read_text,
    refuse_duplicates,
    split_events,
)
from tasks.adserp.screen import check_width
from tasks.adserp.trial import AD_KINDS, SCREEN_WIDTH, Area, Box, Fixations, Trial, named, page_order
from tasks.adserp.trial import search_query as query_of
from tasks.errors import InputError
from tasks.types import ScreenImage

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDERS = {
    "fixation-data": ".csv",
    "mouse-movement-data": ".csv",
    "ad-boundary-data": ".json",
    "trial-metadata": ".xml",
    "full-page-screenshots": ".png",
}
_FIXATION_COLUMNS = ("timestamp", "FPOGX", "FPOGY", "FPOGD")
_MOUSE_COLUMNS = ("timestamp", "xpos", "ypos", "event")
_SIZE = re.compile(r"\s*(\d+)\s*x\s*(\d+)\s*")

Finder = Callable[["Image", Sequence[Box]], list[Box]]


def raw_trials(folder: Path) -> list[str]:
    """Return the ids of all trials that have a fixation or a mouse file, sorted as text.

    Raises:
        InputError: One of the five folders is missing.
    """
    missing = [name for name in FOLDERS if not (folder / name).is_dir()]
    if missing:
        raise InputError(f"{folder}: missing the folder {', '.join(missing)} of the raw layout. Copy it there too.")
    names = ("fixation-data", "mouse-movement-data")
    return sorted({path.stem for name in names for path in (folder / name).glob(f"*{FOLDERS[name]}")})


def read_raw(trial_id: str, folder: Path, find: Finder | None = None) -> Trial:
    """Read the five files of one trial.

    Args:
        trial_id: Such as ``p004-b1-t3``.
        folder: The folder that holds the five folders.
        find: Finds the organic results in the full-page screenshot, given the ads' boxes; by default
            ``tasks.adserp.organic.find_organic``.

    Raises:
        InputError: A file is missing or malformed; the message names the file and the row.
    """
    files = {name: folder / name / f"{trial_id}{suffix}" for name, suffix in FOLDERS.items()}
    check_trial_id(trial_id, files["mouse-movement-data"])
    for path in files.values():
        if not path.is_file():
            raise InputError(f"{path}: is missing, though trial {trial_id} has other files. Complete the folder.")
    query, (width, height) = _metadata(files["trial-metadata"])
    scale = SCREEN_WIDTH / width
    start, mouse = _mouse(files["mouse-movement-data"], scale)
    screenshot = ScreenImage(path=files["full-page-screenshots"])
    page = screenshot.open()
    check_width(page, files["full-page-screenshots"])
    return Trial(
        trial_id=trial_id,
        query=query,
        areas=_areas(files["ad-boundary-data"], page, find),
        fixations=_fixations(files["fixation-data"], start),
        cursor=mouse.cursor,
        scrolls=mouse.scrolls,
        clicks=mouse.clicks,
        viewport=(SCREEN_WIDTH, int(height * scale)),
        screenshot=screenshot,
        page=page,
        source=files["mouse-movement-data"],
        buttons=mouse.buttons,
        notes=mouse.notes,
    )


def _table(path: Path, columns: Sequence[str]) -> tuple[list[list[str]], Callable[[int], str]]:
    """Return the named columns of a CSV file as lists of texts, and what names a row in a message."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""))
    header = [name.strip() for name in next(reader, [])]
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(f"{path}: missing column {', '.join(missing)}. Found: {', '.join(header) or 'nothing'}.")
    places = [header.index(name) for name in columns]
    needed = max(places) + 1
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if len(row) >= needed:
                rows.append(row)
                lines.append(reader.line_num)
            elif row:
                raise InputError(f"{path}: row {reader.line_num} has {len(row)} fields, expected {len(header)}.")
    except csv.Error as error:
        raise InputError(f"{path}: row {reader.line_num} is not valid CSV ({error}).") from error
    return [[row[place] for row in rows] for place in places], lambda index: f"{path}: row {lines[index]}"


def _fixations(path: Path, start: float) -> Fixations:
    texts, where = _table(path, _FIXATION_COLUMNS)
    end, x, y, duration = (
        column(values, parse_number, name, where) for name, values in zip(_FIXATION_COLUMNS, texts, strict=True)
    )
    check_durations(duration, "FPOGD", where)
    refuse_duplicates([end, x, y, duration], "the fixation", where)
    return Fixations(end - start, x, y, duration)


def _mouse(path: Path, scale: float) -> tuple[float, MouseEvents]:
    """Return the time of the first mouse event, which is the load of the page, and the events."""
    texts, where = _table(path, _MOUSE_COLUMNS)
    t, x, y = (
        column(values, parse_number, name, where) for name, values in zip(_MOUSE_COLUMNS[:3], texts[:3], strict=True)
    )
    start = float(t.min()) if t.size else 0.0
    return start, split_events(t - start, x * scale, y * scale, texts[3])


def _areas(path: Path, page: Image, find: Finder | None) -> tuple[Area, ...]:
    try:
        document = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise InputError(f"{path}: is not valid JSON ({where}). Replace the file.") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a JSON object with {', '.join(AD_KINDS)}.")
    areas = [area for kind in AD_KINDS for area in named(kind, boxes_of(document.get(kind), kind, path))]
    if find is None:
        from tasks.adserp.organic import find_organic

        find = find_organic
    return page_order([*areas, *named("organic_result", find(page, [area.box for area in page_order(areas)]))])


def _metadata(path: Path) -> tuple[str, tuple[int, int]]:
    """Return the query and the size of the window in CSS pixels."""
    fields = _flat_xml(path)
    query = query_of(fields.get("url", ""), fields.get("task", ""))
    if not query:
        raise InputError(f"{path}: neither url nor task holds a search query.")
    size = _SIZE.fullmatch(fields.get("window", ""))
    if size is None or int(size[1]) == 0 or int(size[2]) == 0:
        raise InputError(f"{path}: window is {fields.get('window', '')!r}, expected a size such as 1422x1137.")
    return query, (int(size[1]), int(size[2]))


def _flat_xml(path: Path) -> dict[str, str]:
    """Return element name -> text of a small XML file.

    A document type declaration is refused outright, so no entity is ever defined, expanded or fetched.
    """
    fields: dict[str, str] = {}
    open_elements: list[str] = []

    def opened(name: str, _attributes: object) -> None:
        open_elements.append(name)

    def closed(_name: str) -> None:
        open_elements.pop()

    def text(data: str) -> None:
        fields[open_elements[-1]] = fields.get(open_elements[-1], "") + data

    def doctype(*_arguments: object) -> None:
        raise InputError(f"{path}: holds a DOCTYPE, which trial metadata never needs. Replace the file.")

    parser = expat.ParserCreate()
    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(read_bytes(path), True)
    except expat.ExpatError as error:
        raise InputError(f"{path}: line {error.lineno} is not valid XML ({error}). Replace the file.") from error
    return fields
