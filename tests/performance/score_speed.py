"""Speed and memory of scoring a large predictions file.

The same file is read, checked and scored by the suite and by a plain definition that takes row after row, each in a
fresh process, turn about in one run; the scores are compared too. Counted are processor seconds, so that what else runs
makes no difference. With ``--before`` the suite of another checkout takes the place of the plain definition: one from
before predictions were read as columns.

    python tests/performance/score_speed.py --predictions 1000000 --suffix parquet
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
SLOTS, SESSIONS, SEEDS, SPLIT = 15, 10_000, 5, "loo"
PARTS = ("attention", "probabilities")


def drawn_task() -> Any:
    """Return a task of drawn sessions, as far as scoring looks at it."""
    from tasks.types import Session, Slot

    random = np.random.default_rng(1)
    slots = tuple(Slot("ABCDEFGHIJKLMNO"[k], "film", "", (0.0, 0.0, 1.0, 1.0)) for k in range(SLOTS))
    gaze = random.gamma(0.6, 300.0, (SESSIONS, SLOTS)) + 1e-3
    click = random.integers(0, SLOTS, SESSIONS)
    sessions = [
        Session(f"s{i}", f"u{i % 100}", "0", None, "", slots, gaze[i], np.zeros(SLOTS), int(click[i]))
        for i in range(SESSIONS)
    ]
    folds = [([], list(range(SESSIONS)))]
    return type(
        "DrawnTask",
        (),
        {
            "notice": "",
            "split": lambda self, name: SimpleNamespace(folds=folds),
            "sessions_at": lambda self, i: sessions,
        },
    )()


def write(path: Path, count: int) -> None:
    """Write drawn predictions of several simulators and seeds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(2)
    row = np.arange(count)
    columns = {
        "simulator": [f"simulator-{i}" for i in row // (SESSIONS * SEEDS)],
        "seed": row // SESSIONS % SEEDS,
        "session_id": [f"s{i}" for i in row % SESSIONS],
    }
    for part in PARTS:
        numbers = random.dirichlet(np.ones(SLOTS), count)
        columns[part] = pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32) * SLOTS, numbers.ravel())
    columns["answer"] = random.integers(0, SLOTS, count)
    table = pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd")
        return
    with path.open("w", encoding="utf-8") as file:
        for batch in table.to_batches(20_000):
            file.writelines(json.dumps(record) + "\n" for record in batch.to_pylist())


def of_suite(path: Path, task: Any) -> Callable[[], Any]:
    """Return what scores the file with the suite that is imported."""
    try:
        from benchmark.scores import checking, reading, scoring, tested
    except ImportError:  # a checkout from before
        from benchmark import predictions, scoring

        return lambda: scoring.score(task, SPLIT, predictions.read(path, scoring.test_slots(task, SPLIT)))
    return lambda: scoring.score(
        task, SPLIT, checking.table(reading.read_file(path), tested.of_task(task, SPLIT), path.name)
    )


def plainly(path: Path, task: Any) -> Any:
    """Score the file row by row, with the metrics of the suite: what a first version would do."""
    import pandas as pd
    import pyarrow.parquet as pq

    from benchmark.metrics import evaluate_sessions

    sessions = {s.session_id: s for s in task.sessions_at(None)}
    if path.suffix == ".parquet":
        records = pq.read_table(path).to_pylist()
    else:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    groups: dict[tuple[str, int], dict[str, dict]] = {}
    for record in records:
        k = len(sessions[record["session_id"]].slots)
        for part in PARTS:
            values = record[part] = np.asarray(record[part], dtype=np.float64)
            assert values.shape == (k,) and np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0
        assert abs(record["probabilities"].sum() - 1) < 1e-3 and 0 <= record["answer"] < k
        rows = groups.setdefault((record["simulator"], record["seed"]), {})
        assert record["session_id"] not in rows
        rows[record["session_id"]] = record
    tables = []
    for (simulator, seed), rows in groups.items():
        given = {part: [rows[s][part] for s in sessions] for part in (*PARTS, "answer")}
        gaze, click = zip(*((s.gaze_ms, s.click) for s in sessions.values()), strict=True)
        tables.append(evaluate_sessions(gaze, click, **given, session_ids=list(sessions)).reset_index())
        tables[-1].insert(0, "simulator", simulator)
        tables[-1].insert(1, "seed", seed)
    return pd.concat(tables, ignore_index=True)


def measured(how: str, path: Path, root: Path, scores: Path) -> dict[str, float]:
    """Return seconds and peak memory of a fresh process, which writes its scores."""
    call = [sys.executable, __file__, "--how", how, "--file", str(path), "--scores", str(scores)]
    done = subprocess.run(call, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=int, default=1_000_000)
    parser.add_argument("--suffix", choices=("parquet", "jsonl"), default="parquet")
    parser.add_argument("--before", type=Path, help="checkout that takes the place of the plain definition")
    parser.add_argument("--repeat", type=int, default=1)
    for hidden in ("--how", "--file", "--scores"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.how:
        path, task = Path(arguments.file), drawn_task()
        score = (lambda: plainly(path, task)) if arguments.how == "plain" else of_suite(path, task)
        start = time.process_time()
        scores = score()
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        scores.to_parquet(arguments.scores)
        print(json.dumps({"seconds": seconds, "gibibytes": peak}))
        return
    import pandas as pd

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"predictions.{arguments.suffix}"
        write(path, arguments.predictions)
        other = ("suite", arguments.before) if arguments.before else ("plain", ROOT)
        for _ in range(arguments.repeat):
            ours = measured("suite", path, ROOT, Path(scratch) / "ours")
            theirs = measured(other[0], path, other[1].resolve(), Path(scratch) / "theirs")
            ratio = theirs["seconds"] / ours["seconds"]
            print(
                f"{arguments.predictions:,} predictions, {arguments.suffix}: {ours['seconds']:.1f} s and "
                f"{ours['gibibytes']:.2f} GiB against {theirs['seconds']:.1f} s and {theirs['gibibytes']:.2f} GiB: "
                f"{ratio:.1f} times as fast"
            )
        a, b = (pd.read_parquet(Path(scratch) / name) for name in ("ours", "theirs"))
        metrics = [name for name in b if name not in ("simulator", "seed", "fold", "session_id", "user", "failed")]
        assert a["session_id"].equals(b["session_id"].astype(a["session_id"].dtype))
        assert a["seed"].equals(b["seed"])
        print(f"largest difference of a score: {np.abs(a[metrics].to_numpy() - b[metrics].to_numpy()).max():.2g}")


if __name__ == "__main__":
    main()
