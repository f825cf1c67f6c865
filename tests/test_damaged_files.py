"""Every JSON and YAML file that the suite reads, damaged in one value: accepted, or one line with file and place."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import itertools
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from baselines import registry
from baselines.backbones.settings import read_settings
from baselines.distributed import settings as deepspeed
from benchmark.audit import reading as audit
from benchmark.engines.resources import Place
from benchmark.engines.settings import engine_settings
from benchmark.reproduction.figures import read_figure_layout
from benchmark.reproduction.section import read_layout
from benchmark.runs import planning
from benchmark.runs.runner import TrialsFailed, run
from benchmark.runs.search.space import read_space
from benchmark.scores import results
from benchmark.stress import records as stress
from benchmark.trials.configuration import CONFIGS, ENGINE, RunConfig, read_config
from benchmark.trials.records import read_failure, read_trial
from leaderboard.board_files import Board, _read
from leaderboard.context import TaskContext
from leaderboard.entries import Event, ReportedRecord, ResultRecord
from leaderboard.submitting import submit
from submissions import reading as submissions
from submissions.facts import read_about
from submissions.problems import DEFAULT, Findings
from tasks.adserp.raw import _ads
from tasks.adserp.replay import read_replay
from tasks.errors import InputError
from tasks.manifest import _digest, read_manifest
from tests.benchmark.toys import Toys
from tests.leaderboard.boards import AT, candidate
from tests.submissions.builder import metadata

VALUES = ("x", "", 7, -1, 0.5, None, True, [], {}, [[1]], {"x": 1}, float("nan"), float("inf"), 10**400)
"""What is put in the place of a value, if it is not that value."""

SPACE = {
    "search": "random",
    "samples": 4,
    "seed": 1,
    "score": ["KL", "LogLoss"],
    "early_stopping": False,
    "settings": {"a": [1, 2], "b": {"low": 0.1, "high": 1.0, "log": True}},
}
AUDIT = {
    "format": 1,
    "source": "A paper, table 1",
    "notes": ["by hand"],
    "settings": {"recgaze": {"n_sessions": 76, "n_seeds": 5, "n_slots": 15, "average": "sessions", "ties": "broken"}},
    "decimals": {"mean": 4, "sd": 4, "improvement": 2},
    "percent": ["Accuracy"],
    "baseline": "Backbone",
    "deterministic": ["Backbone"],
    "stars": [0.05, 0.01],
    "rows": [
        {"table": "1", "task": "recgaze", "method": "Backbone", "values": {"KL": "0.5", "Accuracy": "12.50"}},
        {"method": "FixATE", "values": {"KL": {"mean": "0.4", "sd": "0.01", "stars": 1, "improvement": "20.00"}}},
    ],
}
BOX = {"location": {"x": 10, "y": 20}, "size": {"width": 100, "height": 50}, "title": "An advertisement"}
REPLAYED = {
    "trial_id": "p001-b1-t1",
    "url": "https://www.google.com/search?q=tea+kettle",
    "task": "Tea kettles",
    "screenshot": "p001-b1-t1.jpg",
    "win_width": 1280,
    "doc_height": 900,
    "bboxes": {"native_ad": [BOX], "organic_result": [BOX, BOX]},
    "cursor": [{"t": 100.5 + i, "x": 5, "y": 6 + i, "event": "mousemove"} for i in range(3)],
    "fixations": [{"t": 300.5 + 250 * i, "x": 5, "y": 6, "duration": 200.25} for i in range(3)],
}
ABOUT = {"authors": ["Ada"], "contact": "ada@example.org", "simulator": {"backbone": {"name": "x", "parameters": 1e9}}}
CONFIG = {
    "task": "recgaze",
    "data": "sample",
    "simulators": ["uniform", "position-prior"],
    "seeds": [1, 2],
    "settings": {"user-prior.smoothing": 2},
    "family": ["KL"],
    "alpha": 0.05,
    "label": False,
    "engine": {"name": "ray", "workers": 1, "cpus": 1.0, "gpus": 0.5, "address": "auto"},
}


def read_run(path: Path) -> object:
    """Read a configuration as the verb ``run`` does."""
    values = read_config(path)
    engine_settings(values.pop(ENGINE, {}), f"{path}: {ENGINE}")
    return RunConfig(**values) if "task" in values else None


def read_plan(path: Path) -> object:
    """Read a plan as the verb ``run --plan`` does."""
    return list(planning._read(path, 1, Place("local", "here", 1)))


def read_task(path: Path) -> object:
    """Read ``task.json`` once its digest has been made to fit, so that the damage itself is seen."""
    with contextlib.suppress(ValueError, RecursionError, AttributeError, TypeError):
        values = json.loads(path.read_text())
        values.pop("digest", None)
        path.write_text(json.dumps({**values, "digest": _digest(values)}))
    return read_manifest(path.parent)


def read_submission(path: Path) -> object:
    """Read a submission, and raise what is wrong with its metadata."""
    found = Findings(dataclasses.replace(DEFAULT, shown=100))
    submissions.inspect(path.parent, found)
    errors = [str(p) for p in found.listed() if p.severity == "error" and p.file == path.name]
    if errors:
        raise InputError("; ".join(errors)[:1400])
    return None


Case = tuple[Path, Callable[[Path], object]]


@pytest.fixture(scope="module")
def cases(mini, tmp_path_factory) -> dict[str, Case]:
    """Return kind of file -> a good one, and what reads it."""
    root = tmp_path_factory.mktemp("files")
    folder = root / "run"
    with pytest.raises(TrialsFailed):
        run(RunConfig("mini", simulators=("broken",), split="kfold", reference="broken"), mini, Toys(), folder)
    made = run(RunConfig("mini", simulators=("sharp", "noisy"), split="kfold", reference="sharp"), mini, Toys(), folder)
    row = stress.StressRow("relabel", "noisy", "answer stays with the item", 0.25, 0.125, 0.375, 0.04, 21, "it reads.")
    stress.write(folder, stress.StressResults("mini", "kfold", made.digest, 0, "invented", (row,)))
    timing = planning.Timing("kind", 1, 0.5, 0.25, 1.0, 7, "1 CPU thread of here")
    plan = planning.Plan((planning.PlannedTrials("mini", "sharp", "", "", 1, 2, 3.0, None, "timed"),), (timing,), "")
    (folder / planning.FILE).write_text(planning._json(plan))
    stated = ReportedRecord("n", "table 1", "", "mini", "loo", 21, {"KL": 1.25}, "")
    board = Board(root / "board")
    submit(board.root, [candidate("a", mini)], registry, reported=[stated], now=AT)
    submit(board.root, [candidate("a", mini, version="2", knows=0.7)], registry, now=AT)
    events = sorted(board.names("events"), key=lambda name: board.event(name).kind)

    def written(name: str, values: object) -> Path:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values) if path.suffix == ".json" else yaml.safe_dump(values, sort_keys=False))
        return path

    def record(folder: str, kind: type, name: str = "") -> Case:
        return board.path(folder, name or board.names(folder)[0]), lambda path: _read(kind, path)

    trials = folder / "trials"
    return {
        "results": (folder / "results.json", lambda path: results.read(path.parent)),
        "stress": (folder / "stress" / "stress.json", lambda path: stress.read(path.parent.parent)),
        "trial": (sorted(trials.glob("[0-9a-f]*/trial.json"))[0], lambda path: read_trial(path.parent)),
        "failure": (sorted(trials.glob(".w*/failure.json"))[0], lambda path: read_failure(path.parent)),
        "plan": (folder / planning.FILE, read_plan),
        "task": (mini.folder / "task.json", read_task),
        "board result": record("results", ResultRecord),
        "board event": record("events", Event, events[-1]),
        "board reported": record("reported", ReportedRecord),
        "board context": record("tasks", TaskContext),
        "submission": (written("sub/submission.yaml", metadata(mini)), read_submission),
        "about": (written("about.yaml", ABOUT), read_about),
        "configuration": (written("run.yaml", CONFIG), read_run),
        "preset": (CONFIGS / "presets" / "quick.yaml", read_run),
        "space": (written("space.yaml", SPACE), read_space),
        "table": (CONFIGS / "tables" / "main.yaml", read_layout),
        **{
            f"figure {name}": (CONFIGS / "figures" / f"{name}.yaml", read_figure_layout)
            for name in ("sensitivity", "examples-recgaze", "click-heatmaps", "click-ranks")
        },
        "audit yaml": (written("audit.yaml", AUDIT), audit.read),
        "audit json": (written("audit.json", AUDIT), audit.read),
        "backbone": (
            written("model/gazebench.json", {"letters": "Pick.", "order": "image-first", "fit": "tile", "notice": "x"}),
            lambda path: read_settings(path.parent),
        ),
        "replayed trial": (
            written("replay/trials/p001-b1-t1.json", REPLAYED),
            lambda path: read_replay(path, path.parent),
        ),
        "ad boundaries": (
            written("ads/p001-b1-t1.json", {"native_ad": [BOX, BOX], "dd_top": [BOX], "dd_right": []}),
            _ads,
        ),
        "deepspeed": (CONFIGS / "deepspeed" / "zero3-offload.json", lambda path: deepspeed.read(str(path))),
    }


KINDS = (
    *("results", "stress", "trial", "failure", "plan", "task", "board result", "board event", "board reported"),
    *("board context", "submission", "about", "configuration", "preset", "space", "table", "figure sensitivity"),
    *("figure examples-recgaze", "figure click-heatmaps", "figure click-ranks", "audit yaml", "audit json"),
    *("replayed trial", "ad boundaries", "backbone", "deepspeed"),
)

Where = tuple["str | int", ...]


def places(values: Any, at: Where = ()) -> Iterator[Where]:
    """Yield every place; of a list the first, second and last entry."""
    yield at
    if isinstance(values, dict):
        for key, value in values.items():
            yield from places(value, (*at, key))
    elif isinstance(values, list):
        for i in sorted({0, 1, len(values) - 1} & set(range(len(values)))):
            yield from places(values[i], (*at, i))


def damaged(values: Any) -> Iterator[tuple[Where, Any]]:
    """Yield the values with one of them replaced, removed, or, in a mapping, added."""
    for place in places(values):
        old = values
        for step in place:
            old = old[step]
        for new in VALUES:
            if type(new) is not type(old) or new != old:
                yield place, changed(values, place, lambda inner, step, new=new: inner.__setitem__(step, new))
        if place:
            yield place, changed(values, place, lambda inner, step: inner.__delitem__(step))
        if isinstance(old, dict):
            add = changed(values, (*place, "xyzzy"), lambda inner, step: inner.__setitem__(step, 1))
            yield place, add


def changed(values: Any, place: Where, change: Callable[[Any, Any], None]) -> Any:
    """Return a copy with one change at a place."""
    root = {"": copy.deepcopy(values)}
    inner: Any = root
    for step in ("", *place)[: len(place)]:
        inner = inner[step]
    change(inner, ("", *place)[-1])
    return root[""]


def text_of(values: Any, path: Path) -> str:
    """Return values as the file has them."""
    if path.suffix == ".json":
        return json.dumps(values)
    return yaml.safe_dump(values, sort_keys=False)


def says(read: Callable[[Path], object], path: Path) -> str | None:
    """Return the one line in which a file is refused, None if it is accepted."""
    try:
        read(path)
    except InputError as error:
        line = str(error)
        assert "\n" not in line and len(line) < 1500 and (path.name in line or path.parent.name in line), line
        return line
    return None


EVERY = [pytest.param(kind, 1, marks=pytest.mark.slow) for kind in KINDS]


@pytest.mark.parametrize(("kind", "share"), [*((kind, 20) for kind in KINDS), *EVERY])
def test_any_one_value(kind, share, cases, tmp_path):
    """One damage in ``share``: a sample in the quick tests, every one in the slow ones."""
    good, read = cases[kind]
    folder = shutil.copytree(good.parent, tmp_path / "copy") if good.parent.name != "presets" else tmp_path
    if kind == "stress":
        folder = shutil.copytree(good.parent, tmp_path / "run" / "stress")
    path = Path(folder) / good.name
    values = json.loads(good.read_text()) if good.suffix == ".json" else yaml.safe_load(good.read_text())
    refused, start = 0, random.Random(kind).randrange(share)
    problems: dict[str, str] = {}
    for place, wrong in itertools.islice(damaged(values), start, None, share):
        path.write_text(text_of(wrong, path))
        try:
            line = says(read, path)
        except Exception as error:
            problems.setdefault(f"{place}: {type(error).__name__}", f"{wrong!r:.300} {error!r:.300}")
            continue
        if line is not None:
            refused += 1
            named = [str(step) for step in place if isinstance(step, str)]
            if named and not any(step[:40].removesuffix("s") in line.replace("trial id", "trial_id") for step in named):
                problems.setdefault(f"{place} not named", line)
    assert not problems, "\n".join(f"{k}: {v}" for k, v in list(problems.items())[:8])
    assert refused


@pytest.mark.parametrize("kind", KINDS)
def test_any_cut_and_no_text(kind, cases, tmp_path):
    good, read = cases[kind]
    folder = tmp_path / "run" / "stress" if kind == "stress" else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / good.name
    content = good.read_bytes()
    cuts = [content[: len(content) * i // 12] for i in range(12)]
    odd = [
        b"\xff\xfe",
        b"\x00",
        b"[" * 100_000,
        b"{" * 100_000,
        b'{"a": ' * 3000,
        b"1" * 5000,
        b"\xef\xbb\xbf" + content,
    ]
    for wrong in [*cuts, *odd]:
        path.write_bytes(wrong)
        says(read, path)
