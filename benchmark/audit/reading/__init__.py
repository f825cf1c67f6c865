"""Reported results from files: JSON and YAML of our own schema, a submission's, a run's, CSV and Markdown tables."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmark.audit.printed import printed
from benchmark.audit.reading import mapping, reproduced, runs, tables
from benchmark.audit.reading.reproduced import Originals
from benchmark.audit.reported import Cell, Reported, Row, Setting
from benchmark.files import plain_yaml
from benchmark.scores import results
from tasks.decoding import load_json
from tasks.errors import InputError

FILE = "results.json"
MOST_BYTES = 5_000_000
MOST_CELLS = 50_000

_TABLES = {".csv": tables.from_csv, ".tsv": tables.from_csv, ".md": tables.from_markdown}
_KINDS = (".json", ".yaml", ".yml", *_TABLES)
_GIVE = "give a table of results, a run's folder, one that 'reproduce' wrote, or 'published'"


def read(path: str | Path, originals: Originals | None = None) -> Reported:
    """Read reported results from a folder, or a file (``.json``, ``.yaml``, ``.csv``, ``.tsv``, ``.md``).

    A folder is that of a finished run, or one that ``reproduce`` wrote: then every table in it is read. ``originals``
    finds what the paper prints, for published values in such tables. InputError if it cannot be read, is too large, or
    is not of a kind that is known; the place is named.
    """
    file = Path(path)
    if file.is_dir():
        run = file / FILE
        if run.exists():
            return _checked(runs.from_results(results.read(file), str(run)), file)
        return _checked(_of_folder(file, originals), file)
    kind = file.suffix.lower()
    if file.exists() and kind not in _KINDS:
        raise InputError(f"{file} is not a table that can be read: its name must end in one of {', '.join(_KINDS)}.")
    try:
        if kind == ".json":
            found = _of_json(file, originals)
        elif kind in _TABLES:
            found = _TABLES[kind](_text(file), file.name)
        else:
            found = _of_document(plain_yaml.load(_text(file), as_text=("float", "timestamp", "binary")), file)
    except InputError as error:
        raise error if str(file) in str(error) else InputError(f"{file}: {error}") from error
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
        if not file.with_suffix(".svg").is_file():
            values = load_json(file, _GIVE, limit=MOST_BYTES)
            if isinstance(values, dict) and reproduced.is_table(values):
                tables.append(reproduced.from_json(values, file, originals))
    if not tables:
        raise InputError(f"there is no file {folder / FILE}, and no table of 'reproduce' in {folder}; {_GIVE}.")
    return reproduced.merged(str(folder), tables)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise InputError(f"{file} has more than {MOST_BYTES:,} bytes; {_GIVE}.")
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}; {_GIVE}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error


def _of_json(file: Path, originals: Originals | None) -> Reported:
    """Return what a JSON document holds, known by its keys."""
    values = load_json(file, _GIVE, limit=MOST_BYTES)
    keys = set(values) if isinstance(values, dict) else set()
    if keys >= {"simulators", "schema_version"}:
        return runs.from_results(results.decoded(values, file), str(file))
    if isinstance(values, dict) and reproduced.is_table(values):
        return reproduced.from_json(values, file, originals)
    if keys >= reproduced.OF_FIGURE:
        raise InputError("it is a figure of 'reproduce'; tables are audited. Give its folder, or a table's .json.")
    return _of_document(load_json(file, _GIVE, limit=MOST_BYTES, as_text=True), file)


def _of_document(values: object, file: Path) -> Reported:
    """Return a reported table in our own schema, or the numbers that a submission reports."""
    if not isinstance(values, dict):
        raise InputError("it must hold keys and values, with 'rows' (docs/audit.md shows the format).")
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
    """Return reported results of one row from numbers that you have: metric -> number, or pairs of these.

    In pairs a metric may appear twice. A float is taken to be printed with the digits that it shows; give text
    (``"0.50"``) to keep trailing zeros. InputError if a value is not a number.
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
        target[name] = Cell(printed(text, where=metric))
    found = tuple(Row("", task, "", "", method, False, cells) for cells in rows)
    return Reported(source, found, {task: setting or Setting()})
