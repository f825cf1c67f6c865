"""The ``replay`` layout: ``trials/*.json`` with the boxes of every result, ``png/*.jpg`` screenshots.

It is the folder ``site/replay/data`` of the public repository andyed/approach-retreat. Its cursor x is already in
screenshot pixels and rounded; cursor and scroll y are CSS pixels (PROTOCOL section 3).
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tasks.adserp import reading
from tasks.adserp.trial import SCREEN_WIDTH, SLOT_KINDS, VIEWPORT_HEIGHT, Area, Fixations, Trial, named, page_order
from tasks.errors import InputError, clean, recovered, refuse
from tasks.types import Floats, ScreenImage

_FIELDS = ("trial_id", "screenshot", "win_width", "bboxes", "cursor", "fixations")


def replay_files(folder: Path) -> list[Path]:
    """Return the trial files of a folder, sorted by name."""
    return sorted((folder / "trials").glob("*.json"))


def read_replay(path: Path, folder: Path) -> Trial | None:
    """Read one ``trials/*.json``; None if findings are gathered and a part of it cannot be used.

    The trial's ``screenshot`` path is relative to ``folder``. InputError if the file is malformed; the message names
    the file and the entry.
    """
    document = _document(path)
    trial_id = reading.check_trial_id(document["trial_id"], path)
    query = reading.query_of(document.get("url"), document.get("task"), path)
    width = reading.as_number(document["win_width"])
    if not width > 0:
        raise InputError(f"{path}: win_width is {document['win_width']!r}, expected the window's width in pixels.")
    scale = SCREEN_WIDTH / width
    height = reading.as_number(document.get("doc_height")) * scale
    found = recovered(lambda: _areas(document["bboxes"], path, math.ceil(height) if height > 0 else math.inf))
    fixations = recovered(lambda: _fixations(document["fixations"], path))
    mouse = recovered(lambda: _events(document["cursor"], scale, path))
    if found is None or fixations is None or mouse is None:
        return None
    reading.check_times(fixations, mouse, f"{path}: fixations", f"{path}: cursor")
    areas, notes = found
    return Trial(
        trial_id=trial_id,
        query=query,
        areas=areas,
        fixations=fixations,
        cursor=mouse.cursor,
        scrolls=mouse.scrolls,
        clicks=mouse.clicks,
        viewport=(SCREEN_WIDTH, VIEWPORT_HEIGHT),
        screenshot=ScreenImage(path=_screenshot(document["screenshot"], folder, path)),
        source=path,
        notes=(*mouse.notes, *notes),
    )


def _document(path: Path) -> Mapping[str, Any]:
    document = reading.json_object(path, "is not a trial: expected a JSON object")
    missing = [name for name in _FIELDS if name not in document]
    if missing:
        raise InputError(f"{path}: missing {', '.join(missing)}. Is this a trial of the replay layout?")
    return document


def _screenshot(name: object, folder: Path, path: Path) -> Path:
    if not isinstance(name, str) or not name:
        raise InputError(f"{path}: screenshot is {name!r}, expected a path such as png/p004-b2-t9.jpg.")
    screenshot = folder / name
    if not screenshot.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{path}: screenshot {name!r} lies outside the data folder.")
    return screenshot


def _areas(bboxes: object, path: Path, height: float) -> tuple[tuple[Area, ...], tuple[str, ...]]:
    """Return the slots in order, and what was left out."""
    if not isinstance(bboxes, Mapping):
        raise InputError(f"{path}: bboxes is not an object of box lists.")
    found = {}
    for kind in SLOT_KINDS:
        entries = bboxes.get(kind, [] if kind != "organic_result" else None)
        boxes = reading.boxes_of(entries, f"bboxes.{kind}", path)
        titles = [entry.get("title") for entry in entries] if isinstance(entries, list) else []
        found[kind] = (boxes, [clean(title) if isinstance(title, str) else None for title in titles])
    areas, notes = named(found, height)
    return page_order(areas), notes


_Where = Callable[[int], str]


def _columns(entries: object, name: str, fields: tuple[str, ...], path: Path) -> tuple[list[Floats], _Where]:
    """Return the numeric fields of a list of objects, each of shape (n,), and what names an entry in a message."""
    kept: list[int] = []

    def where(index: int) -> str:
        return f"{path}: {name}[{kept[index]}]"

    if not isinstance(entries, list):
        raise InputError(f"{path}: {name} is not a list.")
    wrong: dict[str, list[int]] = {}
    for index, entry in enumerate(entries):
        missing = [field for field in fields if not isinstance(entry, dict) or field not in entry]
        said = f"missing {', '.join(missing)}" if isinstance(entry, dict) else "is not an object"
        (wrong.setdefault(said, []) if missing else kept).append(index)
    for said, (first, *others) in wrong.items():
        refuse(f"{path}: {name}[{first}]: {said}{f' (and {len(others)} more)' if others else ''}.")
    given = {field: [entries[index][field] for index in kept] for field in fields}
    return reading.columns(given, reading.as_number, where), where


def _fixations(entries: object, path: Path) -> Fixations:
    columns, where = _columns(entries, "fixations", ("t", "x", "y", "duration"), path)
    return reading.fixations_of(columns, "duration", where)


def _events(entries: object, scale: float, path: Path) -> reading.MouseEvents:
    (t, x, y), where = _columns(entries, "cursor", ("t", "x", "y"), path)
    assert isinstance(entries, list)
    known = [entry.get("event") for entry in entries if isinstance(entry, dict) and {"t", "x", "y"} <= entry.keys()]
    return reading.split_events(t, x, y * scale, reading.event_names(known, where))
