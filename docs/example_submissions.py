"""Makes the examples of submissions from the sample: a small noisy simulator, and the same with one fault of each kind.

python docs/example_submissions.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import tasks  # noqa: E402
from benchmark.parts import part_names  # noqa: E402
from benchmark.scores.predictions import of_rows  # noqa: E402
from benchmark.simulator import Prediction  # noqa: E402
from submissions.examples import FOLDER  # noqa: E402
from submissions.format import FORMAT, PREDICTIONS_FOLDER, write_metadata, write_predictions  # noqa: E402
from submissions.template.simulator import MySimulator  # noqa: E402
from tasks.storage import staged  # noqa: E402
from tasks.task import Task  # noqa: E402
from tasks.types import Session  # noqa: E402

TASK, SPLIT, SEEDS = "recgaze", "loo", (42, 123)

FAULTS = {
    "schema": "submission.yaml has a field 'licens', and no 'licence'",
    "missing": "the last test session has no row",
    "twice": "the first test session has two rows",
    "unknown": "an id has a Cyrillic letter for a Latin one",
    "length": "attention has a number too many",
    "nan": "attention has a blank among its numbers",
    "negative": "a probability is below 0",
    "normalised": "probabilities sum to 1.3",
    "answer": "an answer is the number of no slot",
    "leak": "attention is the human gaze",
}
"""Kind of problem that ``doctor`` names -> what is wrong in ``faulty``."""


def write(folder: Path) -> None:
    """Write ``good`` and ``faulty`` below ``folder``, replacing what is there.

    Raises:
        InputError: They cannot be written.
    """
    task = tasks.load(TASK, "sample")
    train, test = task.split(SPLIT).folds[0]
    sessions = task.sessions_at(test)
    runs = {seed: predictions(task.sessions_at(train), sessions, seed) for seed in SEEDS}
    with staged(folder / "good", replace=True) as out:
        _write(out, "good", task, runs, {}, "without a fault")
    faults = "\n".join(f"- `{kind}`: {what}" for kind, what in FAULTS.items())
    runs = {seed: _with_faults(rows, sessions) if seed == SEEDS[-1] else rows for seed, rows in runs.items()}
    with staged(folder / "faulty", replace=True) as out:
        _write(out, "faulty", task, runs, {"licence": None, "licens": "CC0-1.0"}, f"with ten faults:\n\n{faults}")


def predictions(train: Sequence[Session], test: Sequence[Session], seed: int) -> list[Prediction]:
    """Return those of the template's simulator with noise on them, rounded to six decimals as in many files."""
    rng = np.random.default_rng(seed)
    simulator = MySimulator()
    simulator.fit(train, seed)
    found = []
    for prediction in simulator.simulate([session.stimulus() for session in test]):
        assert prediction.attention is not None, "the template's simulator gives attention"
        noisy = [prediction.attention * np.exp(0.2 * rng.standard_normal(len(prediction.attention))) for _ in range(2)]
        attention, probabilities = (np.round(values / values.sum(), 6) for values in noisy)
        found.append(Prediction(prediction.session_id, attention, probabilities, int(probabilities.argmax())))
    return found


def _with_faults(rows: Sequence[Prediction], sessions: Sequence[Session]) -> list[Prediction]:
    """Return rows with the faults of ``FAULTS`` that rows can have, one row each."""
    found = list(rows[:-1])  # missing
    a, p = found[2].attention, found[2].probabilities
    assert a is not None and p is not None, "the example gives both"
    found[1] = replace(
        found[1], session_id=found[1].session_id.replace("K", "\u041a").replace("U", "\u054d")
    )  # unknown
    found[2] = replace(found[2], attention=np.append(a, 0.0))  # length
    found[3] = replace(found[3], attention=np.append(a[:-1], np.nan))  # nan
    found[4] = replace(found[4], probabilities=np.append(p[:-2], [-0.1, p[-2:].sum() + 0.1]))  # negative
    found[5] = replace(found[5], probabilities=p * 1.3)  # normalised
    found[6] = replace(found[6], answer=len(a))  # answer
    dwelt = next(i for i in range(7, len(found)) if (sessions[i].gaze > 0).sum() >= 3)
    found[dwelt] = replace(found[dwelt], attention=sessions[dwelt].gaze)  # leak
    return [*found, found[0]]  # twice


def _write(
    out: Path, name: str, task: Task, runs: dict[int, list[Prediction]], changes: dict[str, str | None], what: str
) -> None:
    """Write one example: the first seed as parquet, the others as JSON lines."""
    key = f"{task.name}@{task.version}/{SPLIT}"
    about = {"task": task.name, "split": SPLIT, "digest": task.digests[SPLIT], "notice": task.notice}
    for seed, rows in runs.items():
        if seed == SEEDS[0]:
            write_predictions(out, key, seed, of_rows(rows, name, seed), about)
        else:
            path = out / PREDICTIONS_FOLDER / key / f"seed-{seed}.jsonl"
            path.write_text("".join(_line(row) for row in rows), encoding="utf-8")
    values = {
        "format": FORMAT,
        "name": f"example-{name}",
        "version": "1.0",
        "authors": ["The gazebench maintainers"],
        "contact": "https://doi.org/10.1145/3726302.3730301",
        "link": None,
        "licence": "CC0-1.0",
        "description": "An example of the format. Looks where its user looked before, mixed with where everybody "
        "looked, with noise. Made from the simulated sample: neither users nor predictions are real.",
        "simulator": {"kind": "prior", "inputs": ["gaze-train"], "backbone": None, "training_data": None},
        "attention": {"source": "mean gaze of the training sessions", "target": "free"},
        "seeds": list(runs),
        "digests": {key: task.digests[SPLIT]},
        "failures": 0,
        "hardware": None,
        "cost": {},
        "notice": task.notice,
    }
    values = {field: value for field, value in {**values, **changes}.items() if field not in changes or value}
    write_metadata(out, values, f"Example of a submission; {task.notice}.")
    title = f"# Example of a submission\n\n**{task.notice}**: no user here is real.\n\nA submission {what}\n"
    (out / "README.md").write_text(title, encoding="utf-8")


def _line(row: Prediction) -> str:
    """Return a prediction as a line of JSON."""
    record = {"session_id": row.session_id, **{name: _numbers(getattr(row, name)) for name in part_names()}}
    return json.dumps(record, allow_nan=False) + "\n"


def _numbers(values: Any) -> Any:
    """Return a part as JSON has it: a blank for NaN."""
    if values is None or isinstance(values, int):
        return values
    return [None if np.isnan(v) else round(float(v), 9) for v in values]


if __name__ == "__main__":
    write(FOLDER)
    sys.stdout.write(f"{FOLDER}\n")
