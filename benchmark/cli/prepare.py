"""``prepare``: raw files in, a prepared data set out."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cli import options
from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    from tasks.prepare import Summary


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("--task", required=True, help="task name (list tasks)")
    add("--raw", required=True, type=Path, metavar="DIR", help="folder with the raw files as published")
    add("--out", type=Path, metavar="DIR", help="folder to write; replaced as a whole")
    add("--check", action="store_true", help="report all that would be refused or noted; write nothing")
    add("--layout", help="layout of the raw folder (adserp: replay or raw; default: recognised)")
    add("--posters", type=Path, metavar="DIR", help="folder with film posters (recgaze)")
    add("--size", metavar="WxH", help="screen size in pixels, such as 1100x600 or 480x288")
    add("--no-images", action="store_true", help="leave the screens out")
    add("--workers", type=int, default=2, help="processes that draw screens (default: 2)")
    add(
        "--texts",
        action=argparse.BooleanOptionalAction,
        help="read texts of results from the screenshots (adserp; default: where Tesseract is installed)",
    )
    options.add_truth_argument(add)
    add("--json", action="store_true", help="print the summary as JSON")


def size(text: str | None) -> tuple[int, int] | None:
    """Return ``1100x600`` as numbers; InputError if it is something else."""
    if text is None:
        return None
    width, x, height = text.partition("x")
    if not x or not width.isdigit() or not height.isdigit() or not int(width) or not int(height):
        raise InputError(f"--size expects WIDTHxHEIGHT in pixels, such as 1100x600, not '{text}'.")
    return int(width), int(height)


def call(arguments: argparse.Namespace) -> int:
    """Prepare and print the summary."""
    from tasks.definition import ReadOptions
    from tasks.prepare import check, prepare
    from tasks.registry import definition

    task = definition(arguments.task)
    if arguments.layout is not None and arguments.layout not in task.layouts:
        raise unknown_name(f"layout of {arguments.task}:", arguments.layout, task.layouts)
    if arguments.workers < 1:
        raise InputError(f"--workers expects at least 1, not {arguments.workers}.")
    reading = ReadOptions(
        layout=arguments.layout,
        images=not arguments.no_images,
        size=size(arguments.size),
        posters=arguments.posters,
        workers=arguments.workers,
        truth=arguments.truth,
        viewport=arguments.viewport,
        texts=arguments.texts,
    )
    if arguments.check:
        found = check(task, arguments.raw, reading, progress=options.bar)
        _print(found, arguments.json)
        return 2 if found.refused else 0
    if arguments.out is None:
        raise InputError("where to? Give --out DIR, or --check to write nothing.")
    summary = prepare(task, arguments.raw, arguments.out, reading, progress=options.bar, report=options.say)
    _print(summary, arguments.json)
    return 0


def _print(found: Summary, as_json: bool) -> None:
    text = json.dumps(found.record(), indent=1) if as_json else "\n".join(found.lines())
    sys.stdout.write(text + "\n")
