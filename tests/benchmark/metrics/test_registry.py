"""Facts that tables and the leaderboard rely on."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark import metrics
from benchmark.metrics import all_metrics, asked_of, evaluate_sessions, get, names, registry
from tasks.errors import InputError

ROOT = Path(__file__).parents[3]
ORDER = "KL JS Cosine CSH@1 CSH@3 CSH@5 TGO@1 TGO@3 TGO@5 Accuracy LogLoss AUC".split()
RISING = np.arange(15.0)
FIRST, LAST = np.eye(15)[0], np.eye(15)[14]

# gaze, click, attention, probabilities: a session on which the metric takes its worst value
WORST_SESSION = {
    "KL": (FIRST, 0, LAST, LAST),
    "JS": (FIRST, 0, LAST, LAST),
    "Cosine": (FIRST, 0, LAST, LAST),
    **{f"CSH@{k}": (FIRST, 0, RISING, LAST) for k in (1, 3, 5)},
    **{f"TGO@{k}": (RISING[::-1], 0, RISING, LAST) for k in (1, 3, 5)},
    "Accuracy": (FIRST, 0, LAST, LAST),
    "LogLoss": (FIRST, 0, LAST, LAST),
    "AUC": (FIRST, 0, LAST, RISING / RISING.sum()),
}
BEST_SESSION = (RISING + 1, 14, RISING + 1, LAST)


def test_names_and_order():
    assert tuple(name for name in names() if name in ORDER) == tuple(ORDER)
    assert get("TGO@3").name == "TGO@3"


def test_directions_and_parts():
    paper = [get(name) for name in ORDER]
    assert [m.name for m in paper if not m.higher_is_better] == ["KL", "JS", "LogLoss"]
    assert [m.arrow for m in map(get, ("KL", "AUC"))] == ["↓", "↑"]
    assert [m.name for m in paper if m.family == "click"] == ["Accuracy", "LogLoss", "AUC"]
    against_click = ["CSH@1", "CSH@3", "CSH@5", "Accuracy", "LogLoss", "AUC"]
    assert [m.name for m in paper if m.against == "click"] == against_click


def test_worst_is_the_bad_end_of_the_range():
    for metric in all_metrics():
        low, high = metric.range
        assert math.isfinite(low) and math.isfinite(high) and low < high
        assert metric.worst == (low if metric.higher_is_better else high), metric.name
    assert get("KL").worst == math.log((1 + 1e-8) / 1e-8)
    assert get("JS").worst == math.log(2)
    assert get("LogLoss").worst == -math.log(1e-8)


@pytest.mark.parametrize("name", ORDER)
def test_worst_is_attained(name):
    gaze, click, attention, probabilities = WORST_SESSION[name]
    table = evaluate_sessions([gaze], [click], [attention], [probabilities])
    assert table.loc[0, name] == pytest.approx(get(name).worst, abs=1e-12)


@pytest.mark.parametrize("name", ORDER)
def test_best_is_attained(name):
    gaze, click, attention, probabilities = BEST_SESSION
    metric = get(name)
    best = metric.range[1] if metric.higher_is_better else metric.range[0]
    table = evaluate_sessions([gaze], [click], [attention], [probabilities])
    assert table.loc[0, name] == pytest.approx(best, abs=15e-8 if name == "Cosine" else 1e-12)


def test_what_a_simulator_claims():
    paper = [get(name) for name in ORDER]
    assert [m.name for m in paper if m.claimed({"attention"})] == ORDER[:9]
    assert [m.name for m in paper if m.claimed(["answer"])] == ["Accuracy"]
    assert [m.name for m in paper if m.claimed(["probabilities"])] == ["Accuracy", "LogLoss", "AUC"]
    assert [m.name for m in all_metrics() if m.claimed([])] == []


def test_what_is_claimed_is_what_is_measured():
    parts = {"attention": [RISING], "probabilities": [LAST], "answer": [3]}
    for part, value in parts.items():
        table = evaluate_sessions([FIRST], [0], **{part: value})
        for metric in asked_of({part}):
            assert metric.claimed({part}) == bool(table[metric.name].notna().all()), (part, metric.name)


def test_every_metric_is_described():
    for metric in all_metrics():
        assert metric.citation and metric.unit and metric.definition.endswith("."), metric.name
        assert "\n" not in metric.definition + metric.citation


def test_every_metric_file_is_registered():
    folder = Path(metrics.__file__).parent
    declaring = {path.stem for path in folder.glob("*.py") if "\nMETRICS = " in path.read_text(encoding="utf-8")}
    assert declaring == set(registry.MODULES)


def test_a_new_metric_is_one_file_and_one_line(monkeypatch):
    import types

    twin = types.ModuleType("benchmark.metrics.twin")
    twin.METRICS = (
        registry.Metric(
            name="MaxAttention",
            family="attention",
            against="gaze",
            needs=("attention",),
            higher_is_better=True,
            range=(0.0, 1.0),
            worst=0.0,
            unit="share",
            citation="none",
            definition="The largest attention.",
            function=lambda block: block.attention.share.max(axis=0),
        ),
    )
    monkeypatch.setitem(sys.modules, "benchmark.metrics.twin", twin)
    monkeypatch.setattr(registry, "MODULES", (*registry.MODULES, "twin"))
    registry.all_metrics.cache_clear()
    try:
        table = evaluate_sessions([[1, 1]], [0], attention=[[1, 3]])
        assert list(table.columns) == [*ORDER, "MaxAttention"] and names()[-1] == "MaxAttention"
        assert table.loc[0, "MaxAttention"] == 0.75
        monkeypatch.setattr(registry, "MODULES", (*registry.MODULES, "kl"))
        registry.all_metrics.cache_clear()
        with pytest.raises(ValueError, match="metrics registered twice: KL"):
            all_metrics()
    finally:
        registry.all_metrics.cache_clear()


def test_unknown_metric():
    with pytest.raises(InputError, match="unknown metric 'LogLos'. Did you mean 'LogLoss'"):
        get("LogLos")


def test_importing_the_metrics_stays_light():
    heavy = {"torch", "ray", "pandas", "scipy", "datasets", "evaluate", "PIL"}
    code = f"import sys, benchmark.metrics as m; m.names(); sys.exit(', '.join({heavy!r} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == "" and done.returncode == 0
