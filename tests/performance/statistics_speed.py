"""Speed and memory of the statistics, side by side with what they take the place of.

- resamples drawn once for all metrics, against once per metric as the first versions did; the numbers must be equal;
- averaging over users within groups, against a matrix of users by sessions: peak memory of a fresh process each;
- the whole statistics of a table of many users and simulators, in processor seconds.

    OMP_NUM_THREADS=1 python tests/performance/statistics_speed.py
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

METRICS = 12


def per_metric(values: np.ndarray, n_resamples: int = 10_000, seed: int = 0) -> np.ndarray:
    """Return resampled means of one metric, drawing for it alone: the code of the first versions."""
    n = values.shape[0]
    generator, blocks, rows = np.random.default_rng(seed), [], max(1, (1 << 18) // n)
    for start in range(0, n_resamples, rows):
        indices = generator.integers(n, size=(min(rows, n_resamples - start), n), dtype=np.int64)
        flat = (indices + n * np.arange(len(indices))[:, None]).ravel()
        counts = np.bincount(flat, minlength=len(indices) * n).reshape(len(indices), n)
        blocks.append(counts.astype(np.float64) @ values / n)
    return np.concatenate(blocks)


def resamples(users: int, simulators: int) -> None:
    """Compare drawing once with drawing per metric."""
    from benchmark.statistics.bootstrap import bootstrap_tables

    tables = list(np.random.default_rng(1).normal(size=(METRICS, users, simulators)))
    started = time.process_time()
    before = [per_metric(table) for table in tables]
    middle = time.process_time()
    after = bootstrap_tables(tables)
    took = time.process_time() - middle
    equal = all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    print(
        f"resamples, {users} users, {simulators} simulators, {METRICS} metrics: per metric {middle - started:.1f} s, "
        f"once {took:.1f} s, ratio {(middle - started) / took:.1f}; equal to the last bit: {equal}"
    )


def average(how: str, sessions: int) -> None:
    """Average sessions within users and print the peak of the process in MiB."""
    from benchmark.statistics.design import Factor

    values = np.random.default_rng(0).normal(size=(sessions, METRICS))
    owner = np.arange(sessions) % (sessions // 10)
    if how == "matrix":
        belongs = np.zeros((sessions // 10, sessions))
        belongs[owner, np.arange(sessions)] = 1.0
        _ = (belongs / belongs.sum(axis=1, keepdims=True)) @ values
    else:
        Factor([str(i) for i in range(sessions // 10)], owner).means(values)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def averaging(sessions: int) -> None:
    """Compare averaging within groups with a matrix, on a tenth of the sessions too: a matrix of all may not fit."""
    for how, n in (("matrix", sessions // 10), ("groups", sessions // 10), ("groups", sessions)):
        call = [sys.executable, __file__, "--average", how, "--sessions", str(n)]
        peak = float(subprocess.run(call, capture_output=True, text=True, check=True).stdout)
        print(f"averaging, {n} sessions of {n // 10} users, {how}: peak {peak:.0f} MiB")


def board(sessions: int, lines: int = 20) -> None:
    """Rank a board of lines with many sessions and print the peak of the process."""
    from benchmark.metrics import all_metrics
    from leaderboard.board_table import BoardRow, BoardTable
    from leaderboard.context import SlotShares, TaskContext
    from leaderboard.entries import Metadata, ResultRecord
    from leaderboard.ranking import rank

    random = np.random.default_rng(0)
    users = tuple(f"u{i % (sessions // 10)}" for i in range(sessions))
    slots = SlotShares(("A",), (1.0,), (1.0,), (1,), (), (0, 0))
    ids = tuple(map(str, range(sessions)))
    context = TaskContext("t", "1", "loo", "ab" * 32, *[""] * 7, (), (1,), ids, users, slots, 0)
    rows = []
    for i in range(lines):
        record = ResultRecord(
            "submission", Metadata(str(i), "1"), "t", "1", "loo", "ab" * 32, (0,), ("own",), "cd" * 32
        )
        values = random.uniform(size=(1, sessions, len(all_metrics())))
        rows.append(BoardRow(str(i), record, "own", "", "", (0,), values, 0, {}))
    started = time.process_time()
    rank(BoardTable(context, tuple(rows), screens=tuple(str(i % 500) for i in range(sessions))))
    print(f"{time.process_time() - started:.1f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")


def ranking(sessions: int) -> None:
    """Measure :func:`board` in a fresh process."""
    call = [sys.executable, __file__, "--board", "--sessions", str(sessions)]
    seconds, peak = subprocess.run(call, capture_output=True, text=True, check=True).stdout.split()
    print(f"a board of 20 lines ranked, {sessions} sessions of {sessions // 10} users: {seconds} s, peak {peak} MiB")


def whole(users: int, simulators: int) -> None:
    """Time everything that a run computes from its scores: means, intervals, comparisons and families."""
    import pandas as pd

    from benchmark.metrics import all_metrics
    from benchmark.scores import summary
    from benchmark.statistics import ScoreCube, seed_sd
    from benchmark.trials.configuration import RunConfig

    random = np.random.default_rng(2)
    names = [f"simulator-{i:03}" for i in range(simulators)]
    ids, n = [f"s{i:05}" for i in range(users)], users * simulators
    columns = {
        "simulator": pd.array(names, dtype="str").take(np.repeat(np.arange(simulators), users)),
        "seed": np.zeros(n, dtype=np.int64),
        "fold": np.zeros(n, dtype=np.int64),
        "session_id": pd.array(ids, dtype="str").take(np.tile(np.arange(users), simulators)),
        "user": pd.array(ids, dtype="str").take(np.tile(np.arange(users), simulators)),
        "screen": pd.array([f"q{i}" for i in range(500)], dtype="str").take(
            np.tile(np.arange(users) % 500, simulators)
        ),
    }
    metrics = [m.name for m in all_metrics()][:METRICS]
    scores = pd.DataFrame({**columns, **{name: random.uniform(size=n) for name in metrics}}, copy=False)
    started = time.process_time()
    cube = ScoreCube(scores)
    tables = {name: cube.session_means(name) for name in metrics}
    for name in metrics:
        seed_sd(cube, name)
    laid = time.process_time()
    config = RunConfig("t", simulators=tuple(names), reference=names[0])
    summary.compare(config, tables, names, set(names))
    compared = time.process_time()
    for name, table in tables.items():
        for simulator in names:
            summary.metric_result(table, simulator, 0.0, name)
    done = time.process_time()
    print(
        f"statistics of {users} users, {simulators} simulators, {METRICS} metrics: {done - started:.0f} s of one core "
        f"(table {laid - started:.0f}, comparisons {compared - laid:.0f}, means {done - compared:.0f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--average", choices=("matrix", "groups"), help="only average, as one part of the measurement")
    parser.add_argument("--board", action="store_true", help="only rank a board, as one part of the measurement")
    parser.add_argument("--sessions", type=int, default=100_000)
    arguments = parser.parse_args()
    if arguments.average:
        average(arguments.average, arguments.sessions)
    elif arguments.board:
        board(arguments.sessions)
    else:
        resamples(5000, 13)
        averaging(arguments.sessions)
        ranking(arguments.sessions)
        whole(30_000, 200)


if __name__ == "__main__":
    main()
