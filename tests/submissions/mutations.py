"""Damages submissions: of structure, so that the damage gets deep into the checks, and of bytes."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from submissions.format import CONDITIONS

Files = dict[str, bytes]
Rng = np.random.Generator

METADATA = "submission.yaml"
LINK = b"\0link\0"
"""Contents that stand for a symbolic link to what follows."""

ODD_NUMBERS = [
    *(0, -0.0, -1, 1, 0.5, 1e-300, 1e300, 1e308, -1e308, math.nan, math.inf, -math.inf, 2**31, 2**63, 10**30, 1e-9),
]
ODD_TEXTS = [
    *(
        "",
        " ",
        "\x00",
        "<script>alert(1)</script>",
        "\u202eevil",
        "\ud800",
        "../../etc/passwd",
        "KInIT_1\u201130",
        "x" * 5000,
    ),
    *("' OR 1=1 --", "{{7*7}}", "%s%n", "\u041aInIT_1-30", "nan", "1e9", "null", "[]", "\x1b[2J", "e\u0301", "\ufeff"),
]


def odd(rng: Rng, depth: int = 0) -> Any:
    """Return a value that is unlikely to be expected."""
    kind = rng.integers(8 if depth < 3 else 5)
    if kind < 2:
        return ODD_NUMBERS[rng.integers(len(ODD_NUMBERS))]
    if kind < 4:
        return ODD_TEXTS[rng.integers(len(ODD_TEXTS))]
    if kind == 4:
        return [None, True, False][rng.integers(3)]
    if kind == 5:
        return [odd(rng, depth + 1) for _ in range(rng.integers(4))]
    if kind == 6:
        return {str(odd(rng, 3)): odd(rng, depth + 1) for _ in range(rng.integers(4))}
    return [odd(rng, depth + 1)] * int(rng.integers(1, 50))


def pick(rng: Rng, values: Any) -> Any:
    values = list(values)
    return values[int(rng.integers(len(values)))]


def predictions(files: Files) -> list[str]:
    return [name for name in files if name.startswith(("predictions/", "stress/")) and not files[name].startswith(LINK)]


# Metadata


def metadata_field(files: Files, rng: Rng) -> None:
    """Remove, replace or add a field, at the top or inside."""
    values = yaml.safe_load(files[METADATA])
    place = values
    while rng.random() < 0.4:
        inner = [v for v in (place.values() if isinstance(place, dict) else place) if isinstance(v, dict | list) and v]
        if not inner:
            break
        place = pick(rng, inner)
    key = pick(rng, place if isinstance(place, dict) else range(len(place)))
    action = rng.integers(3)
    if action == 0:
        del place[key]
    elif action == 1:
        place[key] = odd(rng)
    elif isinstance(place, dict):
        place[str(odd(rng, 3))] = odd(rng)
    else:
        place.append(odd(rng))
    try:
        files[METADATA] = yaml.safe_dump(values, allow_unicode=bool(rng.integers(2))).encode("utf-8", "surrogatepass")
    except (yaml.YAMLError, RecursionError):
        files[METADATA] = repr(values).encode("utf-8", "surrogatepass")


def metadata_syntax(files: Files, rng: Rng) -> None:
    """Put something that YAML understands and the format does not into the text."""
    lines = files[METADATA].decode().splitlines()
    extra = pick(
        rng,
        [
            "a: &a [x, x]\nb: *a",
            "a: &a {b: *a}",
            "<<: {name: other}",
            "name: other",
            "evil: !!python/object/apply:os.system ['true']",
            "evil: !!python/name:os.system",
            "x: !!binary aGVsbG8=",
            "x: !!set {a, b}",
            "x: 2020-99-99",
            "x: " + "9" * 5000,
            "x: " + "[" * 200 + "]" * 200,
            "x: " + "{a: " * 200,
            "x: 1:1:1:1:1:1:1:1:1:1",
            "? [a, b]\n: c",
            "x: |\n" + "  line\n" * 3000,
            "\t- tab",
            "---\nformat: 1",
            "%YAML 9.9\n---",
            "x: .inf",
            "x: 'no end",
            "&anchor x: 1",
            "l0: &l0 [lol, lol]\n" + "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 9)),
        ],
    )
    lines.insert(int(rng.integers(len(lines) + 1)), extra)
    files[METADATA] = ("\n".join(lines) + "\n").encode()


def metadata_size(files: Files, rng: Rng) -> None:
    """Make it long."""
    files[METADATA] += b"# " + b"x" * int(rng.integers(10_000, 200_000)) + b"\n"


# Rows


def read_rows(data: bytes, name: str) -> list[dict[str, Any]] | None:
    """Return a file's rows as plain values, or None if it was damaged before."""
    try:
        if name.endswith(".parquet"):
            found: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
            return found
        return [json.loads(line) for line in data.decode().splitlines()]
    except Exception:
        return None


def write_rows(table: list[dict[str, Any]], name: str, rng: Rng) -> bytes:
    """Write rows in one of many ways that the format's file types allow."""
    if name.endswith(".jsonl"):
        return "".join(json.dumps(row) + "\n" for row in table).encode("utf-8", "surrogatepass")
    columns: dict[str, list[Any]] = {}
    for row in table:
        for key in row:
            columns.setdefault(str(key).encode("utf-8", "replace").decode(), [])
    for key, cells in columns.items():
        cells.extend(row.get(key) for row in table)
    arrays = []
    for cells in columns.values():
        try:
            arrays.append(pa.array(cells))
        except (pa.ArrowException, OverflowError, TypeError, UnicodeError, ValueError):
            arrays.append(pa.array([repr(cell).encode("utf-8", "replace").decode() for cell in cells]))
    out = io.BytesIO()
    settings: dict[str, Any] = {
        "compression": pick(rng, ["zstd", "snappy", "gzip", "none", "brotli", "lz4"]),
        "row_group_size": int(pick(rng, [1, 7, 50, 1000])),
        "use_dictionary": bool(rng.integers(2)),
        "data_page_version": pick(rng, ["1.0", "2.0"]),
        "data_page_size": int(pick(rng, [64, 1024, 1024**2])),
        "write_statistics": bool(rng.integers(2)),
        "store_schema": bool(rng.integers(2)),
    }
    pq.write_table(pa.table(dict(zip(columns, arrays, strict=True))), out, **settings)
    return out.getvalue()


def change_rows(change: Callable[[list[dict[str, Any]], Rng], None]) -> Callable[[Files, Rng], None]:
    def mutate(files: Files, rng: Rng) -> None:
        name = pick(rng, predictions(files))
        table = read_rows(files[name], name)
        if table:
            change(table, rng)
            try:
                files[name] = write_rows(table, name, rng)
            except (pa.ArrowException, ValueError, TypeError):
                files[name] = b"PAR1"

    mutate.__name__ = change.__name__
    return mutate


def drop_rows(table: list[dict[str, Any]], rng: Rng) -> None:
    for _ in range(int(rng.integers(1, 6))):
        if len(table) > 1:
            del table[int(rng.integers(len(table)))]


def repeat_rows(table: list[dict[str, Any]], rng: Rng) -> None:
    table.extend([dict(pick(rng, table)) for _ in range(int(pick(rng, [1, 3, 300])))])


def shuffle_rows(table: list[dict[str, Any]], rng: Rng) -> None:
    """No fault at all: the order of rows says nothing."""
    order = rng.permutation(len(table))
    table[:] = [table[i] for i in order]


def rewrite(table: list[dict[str, Any]], rng: Rng) -> None:
    """No fault at all: the same rows in another of the ways to write them."""


def scale_attention(table: list[dict[str, Any]], rng: Rng) -> None:
    """Hardly a fault: attention is divided by its sum."""
    factor = float(pick(rng, [2.0, 1e-3, 1e6]))
    for row in table:
        if isinstance(row.get("attention"), list):
            row["attention"] = [factor * v for v in row["attention"] if isinstance(v, float)]


def drop_part(table: list[dict[str, Any]], rng: Rng) -> None:
    """No fault in itself: a part may be missing."""
    part = pick(rng, ["attention", "probabilities", "answer"])
    for row in table:
        row.pop(part, None)


def odd_cell(table: list[dict[str, Any]], rng: Rng) -> None:
    for _ in range(int(pick(rng, [1, 1, 5]))):
        row = pick(rng, table)
        if row:
            row[pick(rng, row)] = odd(rng)


def odd_number(table: list[dict[str, Any]], rng: Rng) -> None:
    cells = [row.get(part) for row in table for part in ("attention", "probabilities")]
    cells = [cell for cell in cells if isinstance(cell, list) and cell]
    if cells:
        cell = pick(rng, cells)
        cell[int(rng.integers(len(cell)))] = pick(rng, ODD_NUMBERS)


def odd_length(table: list[dict[str, Any]], rng: Rng) -> None:
    row = pick(rng, table)
    for part in ("attention", "probabilities"):
        if isinstance(row.get(part), list) and rng.integers(2):
            row[part] = row[part][: int(rng.integers(len(row[part]) + 1))] + [0.0] * int(pick(rng, [0, 1, 5, 2000]))


def other_id(table: list[dict[str, Any]], rng: Rng) -> None:
    row = pick(rng, table)
    text = str(row.get("session_id", ""))
    row["session_id"] = pick(rng, [text + " ", text.lower(), text[:-1], text.replace("I", "\u0406"), *ODD_TEXTS])


def other_column(table: list[dict[str, Any]], rng: Rng) -> None:
    old, new = (
        pick(rng, list(table[0]) or [""]),
        pick(rng, ["Attention", "prob", "seed", "\u0430ttention", "", "x" * 300]),
    )
    for row in table:
        if old in row:
            row[new] = row.pop(old)


# Bytes and paths


def flip(files: Files, rng: Rng) -> None:
    name = pick(rng, files)
    data = bytearray(files[name])
    for _ in range(int(pick(rng, [1, 2, 8, 64]))):
        if data:
            # The footer and the first page header decide what is decoded.
            place = pick(
                rng,
                [int(rng.integers(len(data))), max(0, len(data) - 1 - int(rng.integers(600))), int(rng.integers(100))],
            )
            data[min(place, len(data) - 1)] = int(rng.integers(256))
    files[name] = bytes(data)


def cut(files: Files, rng: Rng) -> None:
    name = pick(rng, files)
    files[name] = files[name][: int(rng.integers(len(files[name]) + 1))]


def splice(files: Files, rng: Rng) -> None:
    name, other = pick(rng, files), pick(rng, files)
    data, source = files[name], files[other]
    start = int(rng.integers(len(source) + 1))
    place = int(rng.integers(len(data) + 1))
    files[name] = data[:place] + source[start : start + int(rng.integers(1, 400))] + data[place:]


def numbers_in_footer(files: Files, rng: Rng) -> None:
    """Write large variable-length numbers over parts of a parquet footer: sizes, counts and offsets."""
    names = [name for name in predictions(files) if name.endswith(".parquet")]
    if names:
        name = pick(rng, names)
        data = bytearray(files[name])
        big = pick(
            rng, [b"\xff\xff\xff\xff\x0f", b"\xfe\xff\xff\xff\x07", b"\x80\x80\x80\x80\x80\x20", b"\x01", b"\x00"]
        )
        for _ in range(int(rng.integers(1, 4))):
            place = len(data) - 8 - int(rng.integers(1, max(2, min(900, len(data) - 8))))
            data[place : place + len(big)] = big
        files[name] = bytes(data)


def other_path(files: Files, rng: Rng) -> None:
    name = pick(rng, files)
    stem, _, last = name.rpartition("/")
    new = pick(
        rng,
        [
            f"{stem}/seed-007.parquet",
            f"{stem}/seed--1.jsonl",
            f"{stem}/seed-99999999999.parquet",
            f"{stem}/seed-42.pkl",
            f"{stem}/deep/er/{last}",
            f"predictions/recgaze@1.0/unseen-screen/{last}",
            f"predictions/recgaze@9/loo/{last}",
            f"stress/transfer-nothing@1/recgaze@1.0/loo/{last}",
            f"stress/transfer-recgaze@1.0/recgaze@1.0/loo/{last}",
            f"stress/transfer-adserp@9/recgaze@1.0/loo/{last}",
            f"predictions/nothing@1/loo/{last}",
            f"predictions/recgaze@1.0/\u043boo/{last}",
            f"predictions/RecGaze@1.0/loo/{last}",
            f"Submission.yaml/{last}",
            f"extra/{last}",
            name + ".jsonl",
        ],
    )
    files[new] = files.pop(name) if rng.integers(2) else files[name]


def link(files: Files, rng: Rng) -> None:
    name = pick(rng, [*files, "predictions/recgaze@1.0/loo/seed-7.parquet", "data"])
    files[name] = LINK + pick(rng, [b"/etc/passwd", b"/dev/zero", b"..", b"submission.yaml", b"/", b"nowhere"])


MUTATIONS: list[Callable[[Files, Rng], None]] = [
    metadata_field,
    metadata_syntax,
    metadata_size,
    *map(
        change_rows,
        (
            drop_rows,
            repeat_rows,
            shuffle_rows,
            rewrite,
            scale_attention,
            drop_part,
            odd_cell,
            odd_number,
            odd_length,
            other_id,
            other_column,
        ),
    ),
    flip,
    cut,
    splice,
    numbers_in_footer,
    other_path,
    link,
]


def load(folder: Path) -> Files:
    """Return the files below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def with_stress(base: Files) -> Files:
    """Return the files with those without a condition again under every stress condition."""
    under = {
        name.replace("predictions", f"stress/{condition}", 1): data
        for condition in CONDITIONS
        for name, data in base.items()
        if name.startswith("predictions/")
    }
    return {**base, **under}


def mutated(base: Files, rng: Rng) -> tuple[Files, list[str]]:
    """Return a damaged copy and the names of what was done to it."""
    files, done = dict(base), []
    for _ in range(int(pick(rng, [1, 1, 1, 2, 3]))):
        mutation = pick(rng, MUTATIONS)
        if METADATA in files and predictions(files):
            try:
                mutation(files, rng)
            except (yaml.YAMLError, ValueError, KeyError, IndexError, AttributeError, TypeError, RecursionError):
                continue  # an earlier damage went too deep for this one
            done.append(mutation.__name__)
    return files, done


def store(files: Files, folder: Path) -> None:
    """Write files; what cannot stand in a file system stays away."""
    for name, data in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if data.startswith(LINK):
                os.symlink(data[len(LINK) :].decode(), path)
            else:
                path.write_bytes(data)
        except (OSError, ValueError):  # a name that no file can have
            continue
