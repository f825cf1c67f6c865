"""The ``raw`` layout: the folders of AdSERP as published, one file per trial in each.

``fixation-data/*.csv``, ``mouse-movement-data/*.csv``, ``ad-boundary-data/*.json``, ``trial-metadata/*.xml`` and
``full-page-screenshots/*.png``. The boxes of the organic results are not published: they are found in the
screenshot (``tasks.adserp.organic``). PROTOCOL section 3.
"""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from xml.parsers import expat

from PIL.Image import Image

from tasks.adserp import reading
from tasks.adserp.screen import check_width
from tasks.adserp.trial import AD_KINDS, SCREEN_WIDTH, Area, Fixations, Trial, named, page_order
from tasks.errors import InputError, clean, recovered, refuse, rows
from tasks.pictures import one_colour
from tasks.types import Box, ScreenImage

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

    InputError if one of the five folders is missing.
    """
    missing = [name for name in FOLDERS if not (folder / name).is_dir()]
    if missing:
        raise InputError(f"{folder}: missing the folder {', '.join(missing)} of the raw layout. Copy it there too.")
    names = ("fixation-data", "mouse-movement-data")
    return sorted({path.stem for name in names for path in (folder / name).glob(f"*{FOLDERS[name]}")})


def read_raw(trial_id: str, folder: Path, find: Finder | None = None) -> Trial | None:
    """Read the five files of one trial; None if findings are gathered and a file cannot be used.

    ``find`` finds the organic results in the full-page screenshot, given the ads' boxes; by default it is
    ``tasks.adserp.organic.find_organic``. InputError if a file is missing or malformed; the message names the file and
    the row.
    """
    files = {name: folder / name / f"{trial_id}{suffix}" for name, suffix in FOLDERS.items()}
    reading.check_trial_id(trial_id, files["mouse-movement-data"])
    missing = [path for path in files.values() if not path.is_file()]
    for path in missing:
        refuse(f"{path}: is missing, though trial {trial_id} has other files. Complete the folder.")
    if missing:
        return None
    metadata = recovered(lambda: _metadata(files["trial-metadata"]))
    scale = SCREEN_WIDTH / metadata[1][0] if metadata else 1.0
    timed = recovered(lambda: _mouse(files["mouse-movement-data"], scale))
    fixations = recovered(lambda: _fixations(files["fixation-data"], timed[0] if timed else 0.0))
    screenshot = ScreenImage(path=files["full-page-screenshots"])
    page = recovered(lambda: _page(screenshot))
    ads = recovered(lambda: _ads(files["ad-boundary-data"]))
    if metadata is None or timed is None or fixations is None or page is None or ads is None:
        return None
    query, (_, height) = metadata
    mouse = timed[1]
    reading.check_times(fixations, mouse, files["fixation-data"], files["mouse-movement-data"])
    areas, notes = _areas(ads, page, find)
    colour = one_colour(page)
    return Trial(
        trial_id=trial_id,
        query=query,
        areas=areas,
        fixations=fixations,
        cursor=mouse.cursor,
        scrolls=mouse.scrolls,
        clicks=mouse.clicks,
        viewport=(SCREEN_WIDTH, int(height * scale)),
        screenshot=screenshot,
        page=page,
        source=files["mouse-movement-data"],
        buttons=mouse.buttons,
        notes=(*mouse.notes, *notes, *([f"{colour} screenshot"] if colour else [])),
    )


def _page(screenshot: ScreenImage) -> Image:
    page = screenshot.open()
    check_width(page, screenshot.path)
    return page


def _table(path: Path, columns: Sequence[str]) -> tuple[dict[str, list[str]], Callable[[int], str]]:
    """Return the named columns of a CSV file, no field of which holds a line break, and what names a row."""
    lines = reading.read_text(path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    try:
        header = [clean(name) for name in _fields(lines[0])]
    except csv.Error as error:
        raise InputError(f"{path}: row 1 is not valid CSV ({error}). Correct its quotes.") from error
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(f"{path}: missing column {', '.join(missing)}. Found: {', '.join(header) or 'nothing'}.")
    places = {name: header.index(name) for name in columns}
    found: list[list[str]] = []
    numbers: list[int] = []
    wrong: dict[str, list[int]] = {}
    for number, line in enumerate(lines[1:], start=2):
        try:
            fields = _fields(line)
        except csv.Error as error:
            wrong.setdefault(f"is not valid CSV ({error}). Correct its quotes.", []).append(number)
            continue
        # An XPath may hold commas that are not quoted; it is the last column and is not read.
        if len(fields) == len(header) or (len(fields) > len(header) and header[-1] == "xpath"):
            found.append(fields)
            numbers.append(number)
        elif fields:
            wrong.setdefault(f"has {len(fields)} fields, expected {len(header)}.", []).append(number)
    for said, at in wrong.items():
        refuse(f"{path}: {rows(at, len(at))} {said}")
    texts = {name: [fields[place] for fields in found] for name, place in places.items()}
    return texts, lambda index: f"{path}: row {numbers[index]}"


def _fields(line: str) -> list[str]:
    """Return the fields of one line; csv.Error if a quote does not end in it, which would swallow the lines below."""
    if '"' not in line:
        return line.split(",") if line else []
    return next(csv.reader([line], strict=True))


def _fixations(path: Path, start: float) -> Fixations:
    texts, where = _table(path, _FIXATION_COLUMNS)
    found = reading.fixations_of(reading.columns(texts, reading.parse_number, where), "FPOGD", where)
    return replace(found, end=found.end - start)


def _mouse(path: Path, scale: float) -> tuple[float, reading.MouseEvents]:
    """Return the time of the first mouse event, which is the load of the page, and the events."""
    texts, where = _table(path, _MOUSE_COLUMNS)
    events = reading.event_names(texts.pop("event"), where)
    t, x, y = reading.columns(texts, reading.parse_number, where)
    start = float(t.min()) if t.size else 0.0
    return start, reading.split_events(t - start, x * scale, y * scale, events)


def _ads(path: Path) -> dict[str, list[Box]]:
    document = reading.json_object(path, f"expected a JSON object with {', '.join(AD_KINDS)}")
    return {kind: reading.boxes_of(document.get(kind), kind, path) for kind in AD_KINDS}


def _areas(ads: Mapping[str, list[Box]], page: Image, find: Finder | None) -> tuple[tuple[Area, ...], tuple[str, ...]]:
    """Return the slots in order, and what was left out."""
    if find is None:
        from tasks.adserp.organic import find_organic

        find = find_organic
    areas, notes = named({kind: (boxes, ()) for kind, boxes in ads.items()}, page.height)
    organic, _ = named({"organic_result": (find(page, [area.box for area in page_order(areas)]), ())}, page.height)
    return page_order([*areas, *organic]), notes


def _metadata(path: Path) -> tuple[str, tuple[int, int]]:
    """Return the query and the size of the window in CSS pixels."""
    fields = _flat_xml(path)
    query = reading.query_of(fields.get("url"), fields.get("task"), path)
    size = _SIZE.fullmatch(fields.get("window", ""))
    if size is None or int(size[1]) == 0 or int(size[2]) == 0:
        raise InputError(f"{path}: window is {fields.get('window', '')!r}, expected a size such as 1422x1137.")
    return query, (int(size[1]), int(size[2]))


def _flat_xml(path: Path) -> dict[str, str]:
    """Return element name -> text of a small XML file; without a DOCTYPE no entity is ever expanded or fetched."""
    fields: dict[str, str] = {}
    open_elements: list[str] = []

    def opened(name: str, _attributes: object) -> None:
        if name in fields:
            raise InputError(f"{path}: line {parser.CurrentLineNumber}: {name} is there twice. Replace the file.")
        fields[name] = ""
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
        parser.Parse(reading.read_bytes(path), True)
    except expat.ExpatError as error:
        raise InputError(f"{path}: line {error.lineno} is not valid XML ({error}). Replace the file.") from error
    return fields
