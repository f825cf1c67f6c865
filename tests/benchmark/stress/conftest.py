from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.runs.runner import run
from benchmark.stress.running import Bench
from benchmark.stress.study import Study
from benchmark.trials.configuration import RunConfig
from tasks.definition import LabelDrawing
from tasks.task import Task
from tests.benchmark.stress.toys import Catalogue
from tests.minor import build

NO_LABELS = LabelDrawing(areas=lambda size, slots: [], draw=lambda image, slots: None)
"""The small task's screens are blank."""


def finished(mini, out: Path, simulators, split: str = "kfold", seeds=(1,)) -> Path:
    """Make a run of toys."""
    run(
        RunConfig("mini", split=split, simulators=simulators, seeds=seeds, reference=simulators[0]),
        mini,
        Catalogue(),
        out,
    )
    return out


def bench(mini, out: Path, split: str = "kfold", **more) -> Bench:
    return Bench(mini, split, out / "stress", Catalogue(), more.pop("drawing", NO_LABELS), **more)


def study(mini, out: Path, simulators=None, split: str = "kfold", **more) -> Study:
    return Study.of(out, bench(mini, out, split, **more), simulators)


@pytest.fixture(scope="session")
def toys(mini, tmp_path_factory) -> Path:
    """A finished run of every toy that repeats itself; tests copy it before they write."""
    names = ("by-label", "by-item", "by-place", "by-user", "leaking", "tight", "listing", "tuned", "oracle")
    return finished(mini, tmp_path_factory.mktemp("stress") / "run", names)


@pytest.fixture(scope="session")
def minor(tmp_path_factory) -> Task:
    """The second small task."""
    return build(tmp_path_factory.mktemp("minor"))
