"""Reported results from files: JSON and YAML of our own schema, a submission's, a run's, CSV and Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmark.audit.printed import printed
from benchmark.audit.reading import documents, mapping, reproduced, runs, tables
from benchmark.audit.reading.reproduced import Originals
from benchmark.audit.reported import Cell, Reported, Row, Setting
from tasks.errors import InputError

MOST_BYTES = 5_000_000
MOST_CELLS = 50_000

_READERS = {
    ".json": documents.load_json,
    ".yaml": documents.load_yaml,
    ".yml": documents.load_yaml,
}
_TABLES = {".csv": tables.from_csv, ".tsv": tables.from_csv, ".md": tables.from_markdown}


def read(path: str | Path, originals: Originals | None = None) -> Reported:
    """Read reported results.

    Args:
        path: A file, known by its name (``.json``, ``.yaml``, ``.csv``, ``.tsv``, ``.md``), the folder of a
            finished run, or one that ``reproduce`` wrote: then every table in it.
        originals: Finds what the paper prints, for published values in tables of ``reproduce``.

    Raises:
        InputError: It cannot be read, is too large, or is not of a kind that is known; the place is named.
    """
    given = Path(path)
    if given.is_dir() and not (given / runs.FILE).exists():
        return _checked(_of_folder(given, originals), given)
    file = given / runs.FILE if given.is_dir() else given
    kind = file.suffix.lower()
    if file.exists() and kind not in _READERS and kind not in _TABLES:
        known = ", ".join([*_READERS, *_TABLES])
        raise InputError(f"{file} is not a table that can be read: its name must end in one of {known}.")
    text = _text(file)
    try:
        if kind in _TABLES:
            found = _TABLES[kind](text, file.name)
        else:
            found = _of_document(_READERS[kind](text), file, originals)
    except InputError as error:
        raise error if str(error).startswith(str(file)) else InputError(f"{file}: {error}") from error
    return _checked(found, file)


def _checked(found: Reported, path: Path) -> Reported:
    if sum(len(row.cells) for row in found.rows) > MOST_CELLS:
        raise InputError(f"{path} holds more than {MOST_CELLS} numbers. Give a smaller table.")
    if not any(row.cells for row in found.rows):
        raise InputError(f"{path} holds no number of a metric. Name the columns after metrics, such as CSH@1.")
    return found


def _of_folder(folder: Path, originals: Originals | None) -> Reported:
    """Return all tables of a folder that ``reproduce`` wrote, from their JSON. What has a picture is a figure."""
    tables = []
    for file in sorted(folder.glob("*.json")):
        if file.with_suffix(".svg").is_file():
            continue
        try:
            values = documents.load_json(_text(file))
            if isinstance(values, dict) and reproduced.is_table(values):
                tables.append(reproduced.from_json(values, str(file), originals))
        except InputError as error:
            raise error if str(error).startswith(str(file)) else InputError(f"{file}: {error}") from error
    if not tables:
        raise InputError(
            f"there is no file {folder / runs.FILE}, and no table of 'reproduce' in {folder}. Give a table of results, "
            "a run's folder, or one that 'reproduce' wrote."
        )
    return reproduced.merged(str(folder), tables)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise InputError(f"{file} is larger than {MOST_BYTES // 10**6} MB. Give a table of results.")
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(
            f"there is no file {file}. Give a table of results, a run's folder, or 'published'."
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error


def _of_document(values: object, file: Path, originals: Originals | None) -> Reported:
    """Return what a JSON or YAML document holds, known by its keys."""
    if not isinstance(values, dict):
        raise InputError("it must hold keys and values, with 'rows' (docs/audit.md shows the format).")
    if "simulators" in values and "schema_version" in values:
        return runs.from_results(values, str(file))
    if reproduced.is_table(values):
        return reproduced.from_json(values, str(file), originals)
    if reproduced.is_figure(values):
        raise InputError("it is a figure of 'reproduce'; tables are audited. Give its folder, or a table's .json.")
    if "reported" in values and "rows" not in values:
        return mapping.from_submission(values, file.name, file)
    return mapping.from_mapping(values, file.name, file)


def from_values(
    values: Mapping[str, float | str] | Iterable[tuple[str, float | str]],
    *,
    task: str = "",
    method: str = "",
    setting: Setting | None = None,
    source: str = "",
) -> Reported:
    """Return reported results of one row from numbers that you have.

    Args:
        values: Metric -> number, or pairs of these, where a metric may appear twice. A float is taken to be printed
            with the digits that it shows; give text (``"0.50"``) to keep trailing zeros.
        task: What it was measured on.
        method: What was measured.
        setting: How the numbers came about, as far as it is known.
        source: Where they are printed.

    Raises:
        InputError: A value is not a number.
    """
    pairs = list(values.items() if isinstance(values, Mapping) else values)
    rows: list[dict[str, Cell]] = [{}]
    for metric, value in pairs:
        text = value if isinstance(value, str) else repr(float(value))
        name = mapping.metric_name(metric)
        # a metric that appears a second time opens a second row: the check of repeats compares the two
        target = next((row for row in rows if name not in row), None)
        if target is None:
            rows.append(target := {})
        try:
            target[name] = Cell(printed(text))
        except InputError as error:
            raise InputError(f"{metric}: {error}") from error
    found = tuple(Row("", task, "", "", method, False, cells) for cells in rows)
    return Reported(source, found, {task: setting or Setting()})
