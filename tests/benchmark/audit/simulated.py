"""Tables as an honest author would print them: simulated sessions, means over seeds, rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from benchmark.audit import Reported
from benchmark.audit.reading.mapping import from_mapping

K = 6
COUNTS = ("CSH@1", "CSH@3", "TGO@3", "Accuracy")
LEVELS = (0.05, 0.01)


def scores(generator: np.random.Generator, sessions: int, fixed: bool, seeds: int, skill: float) -> dict[str, Any]:
    """Return metric -> one mean over sessions per seed, shape (seeds,)."""
    runs = 1 if fixed else seeds
    found: dict[str, list[float]] = {name: [] for name in (*COUNTS, "JS", "KL", "LogLoss", "AUC")}
    for _ in range(runs):
        click = generator.integers(0, K, size=sessions)
        logits = generator.normal(size=(sessions, K))
        logits[np.arange(sessions), click] += skill
        p = np.exp(logits)
        p /= p.sum(axis=1, keepdims=True)
        gaze = generator.dirichlet(np.ones(K), size=sessions)
        at = np.arange(sessions)
        order = np.argsort(-logits, axis=1)
        found["CSH@1"].append(float(np.mean(order[:, 0] == click)))
        found["CSH@3"].append(float(np.mean((order[:, :3] == click[:, None]).any(axis=1))))
        top = np.argsort(-gaze, axis=1)[:, :3]
        overlap = [len(set(a) & set(b)) for a, b in zip(order[:, :3].tolist(), top.tolist(), strict=True)]
        found["TGO@3"].append(float(np.mean(overlap)) / 3)
        found["Accuracy"].append(found["CSH@1"][-1])
        middle = (p + gaze) / 2
        js = 0.5 * (gaze * np.log(gaze / middle)).sum(axis=1) + 0.5 * (p * np.log(p / middle)).sum(axis=1)
        found["JS"].append(float(js.mean()))
        found["KL"].append(float((gaze * np.log(gaze / p)).sum(axis=1).mean()))
        found["LogLoss"].append(float(-np.log(p[at, click]).mean()))
        found["AUC"].append(float(((p < p[at, click][:, None]).sum(axis=1) / (K - 1)).mean()))
    return {name: np.resize(values, seeds) for name, values in found.items()}


def table(seed: int, sessions: int = 40, seeds: int = 5, decimals: int = 4, sd_given: bool = True) -> dict[str, Any]:
    """Return a reported table as the document that ``from_mapping`` reads: a fixed baseline, another one, a method."""
    generator = np.random.default_rng(seed)
    skills = {"base": 0.4, "other": 0.6, "method": 1.2}
    runs = {name: scores(generator, sessions, name == "base", seeds, skill) for name, skill in skills.items()}
    baseline = ("base", "other")[seed % 2]
    rows = []
    for name, found in runs.items():
        values: dict[str, Any] = {}
        for metric, per_seed in found.items():
            entry: dict[str, Any] = {"mean": f"{np.mean(per_seed):.{decimals}f}"}
            if sd_given and name != "base":
                entry["sd"] = f"{np.std(per_seed, ddof=1):.3f}"
            base = np.mean(runs[baseline][metric])
            if name == "method" and base > 0:
                gain = (np.mean(per_seed) - base) / base * 100
                entry["improvement"] = f"{-gain if metric in ('KL', 'JS', 'LogLoss') else gain:.2f}"
                apart = per_seed - runs[baseline][metric]
                if sd_given and np.std(apart) > 1e-12:
                    p = stats.ttest_1samp(apart, 0.0).pvalue
                    entry["stars"] = sum(bool(p < level) for level in LEVELS)
            values[metric] = entry
        rows.append({"table": "1", "task": "toy", "method": name, "values": values})
    setting = {"n_sessions": sessions, "n_seeds": seeds, "n_slots": K, "average": "sessions", "ties": "broken"}
    return {
        "source": "a simulation",
        "settings": {"toy": {**setting, "sd": "sample"}},
        "baseline": baseline,
        "deterministic": ["base"],
        "rows": rows,
    }


def reported(document: dict[str, Any]) -> Reported:
    """Return the document as a reported table."""
    return from_mapping(document, "a simulation")
