from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from markupsafe import Markup

from benchmark.output.figure_style import Drawing
from benchmark.report import figures
from benchmark.runs.runner import TrialsFailed, run
from benchmark.stress import records as stress
from benchmark.trials.configuration import RunConfig
from tests.benchmark.toys import Toys

CONFIG = RunConfig(
    task="mini",
    split="kfold",
    simulators=("sharp", "noisy", "faint", "oracle"),
    seeds=(1, 2),
    settings={"sharp.weight": 0.6},
    reference="sharp",
)
NAN = float("nan")


@pytest.fixture(scope="session")
def finished(mini, tmp_path_factory) -> Path:
    """A run with seeds, folds, an oracle, failed sessions, a failed trial, training curves and stress tests."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(CONFIG, mini, Toys(), folder)
    with pytest.raises(TrialsFailed):
        run(RunConfig("mini", simulators=("broken",), split="kfold", reference="broken"), mini, Toys(), folder)
    results = run(CONFIG, mini, Toys(), folder)
    for path in sorted((folder / "trials").glob("[0-9a-f]*/trial.json")):
        if '"simulator": "noisy"' in path.read_text():
            curve(path.parent / "artifacts")
    row = stress.StressRow("relabel", "noisy", "answer stays with the item", 0.25, 0.125, 0.375, 0.04, 21, "it reads.")
    stress.write(folder, stress.StressResults("mini", "kfold", results.digest, 0, "invented", (row,)))
    return folder


def curve(folder: Path) -> None:
    """Write a small training curve as trials keep it."""
    folder.mkdir(exist_ok=True)
    columns = {"epoch": [0, 1, 2], "loss": [NAN, 3.0, 2.5], "valid_score": [4.0, 3.5, 3.75], "valid_kl": [NAN] * 3}
    pq.write_table(pa.table(columns).replace_schema_metadata({"best_epoch": "1"}), folder / "curves.parquet")


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    """A copy of the run, to be spoilt."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def no_figures(monkeypatch) -> None:
    """Leave the figures empty: what is not about them is faster so."""

    def plot(name, caption, words, picture, family=""):
        return figures.Plot(caption, words, Markup(), family, Drawing(picture))

    monkeypatch.setattr(figures, "plot", plot)
