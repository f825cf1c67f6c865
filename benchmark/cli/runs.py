"""``runs``: the trials on disk: list them, show one, remove some."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from benchmark.cli import options
from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    from benchmark.runs.kept import TrialRecord

ACTIONS = ("list", "show", "rm")


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("action", nargs="?", default="list", help="list (default), show ID or rm ID...")
    add("ids", nargs="*", metavar="ID", help="a trial's identity, or its first digits")
    add("--in", dest="root", type=Path, default=Path("runs"), metavar="DIR", help="a run, or a folder of runs (runs)")
    add("--state", help="only these: finished, failed or working")
    add("--json", action="store_true", help="print JSON")


def call(arguments: argparse.Namespace) -> int:
    """List, show or remove."""
    from benchmark.runs import kept as records

    if arguments.action not in ACTIONS:
        raise unknown_name("action", arguments.action, ACTIONS)
    if arguments.state is not None and arguments.state not in records.STATES:
        raise unknown_name("state", arguments.state, records.STATES)
    if arguments.action == "list":
        if arguments.ids:
            raise InputError("'runs list' takes no trial; did you mean 'runs show ID'?")
        return _list(_chosen(records.trials(arguments.root), arguments.state), arguments.json)
    if not arguments.ids and not (arguments.action == "rm" and arguments.state):
        raise InputError(f"which trial? Give 'runs {arguments.action} ID' ('runs' lists them).")
    if arguments.ids:
        found = [record for prefix in arguments.ids for record in records.find(arguments.root, prefix)]
    else:
        found = records.trials(arguments.root)
    found = _chosen(found, arguments.state)
    return _show(found, arguments.json) if arguments.action == "show" else _remove(found)


def _chosen(found: list[TrialRecord], state: str | None) -> list[TrialRecord]:
    return [record for record in found if state is None or record.state == state]


def _row(record: TrialRecord) -> dict[str, object]:
    state = "working, has checkpoint" if record.state == "working" and record.checkpoint else record.state
    return {
        "trial": record.identity,
        "run": str(record.run),
        "state": state,
        "simulator": record.text("simulator"),
        "seed": record.values.get("seed"),
        "fold": record.values.get("fold"),
        "seconds": record.seconds,
        "where": record.where,
        "when": record.text("finished") or record.text("began"),
    }


def _list(found: list[TrialRecord], as_json: bool) -> int:
    """Print a row per trial; of a failed one, the last line and where the log is."""
    from benchmark.output.document import Document, Grid

    rows = [_row(record) for record in found]
    # The first digits name a trial just as well, and a day and a minute suffice here.
    short = [{**row, "trial": str(row["trial"])[:12], "when": str(row["when"])[:16].replace("T", " ")} for row in rows]
    shown = Grid.of_records(short, digits=1, whole=("trial", "state"))
    failed = [f"{r.identity} failed: {r.line} [{r.log or r.folder}]" for r in found if r.state == "failed"]
    document = Document(
        "" if found else "no trials.",
        (shown,),
        legend=tuple(failed),
        data=lambda: [{**row, "line": r.line, "log": str(r.log or "")} for row, r in zip(rows, found, strict=True)],
    )
    options.show(document, "json" if as_json else "terminal")
    return 0


def _show(found: list[TrialRecord], as_json: bool) -> int:
    shown = []
    for record in found:
        files = [p.relative_to(record.folder).as_posix() for p in sorted(record.folder.rglob("*")) if p.is_file()]
        about = {"trial": record.identity, "state": record.state, "folder": str(record.folder), "files": files}
        if record.state == "failed":
            about |= {"line": record.line, "log": str(record.log or "")}
        shown.append({**about, "checkpoint": record.checkpoint, **record.values})
    if as_json:
        sys.stdout.write(json.dumps(shown, indent=1) + "\n")
    else:
        sys.stdout.write("\n".join(yaml.safe_dump(entry, sort_keys=False, allow_unicode=True) for entry in shown))
    return 0


def _remove(found: list[TrialRecord]) -> int:
    from benchmark.runs import kept as records

    records.remove(found)
    for record in found:
        sys.stdout.write(f"removed {record.folder}\n")
    sys.stdout.write(f"{len(found)} removed; results written before stay until 'run' is given again.\n")
    return 0
