"""Speed and memory of the metrics.

Speed: the same sessions through a session-by-session loop over scipy and numpy and through
``evaluate_sessions``, turn about in one run; the values are compared too. Memory: peak resident size of a
fresh process that measures many sessions, inputs included.

    python tests/performance/metrics_speed.py --sessions 100000 --memory-sessions 1000000
    python tests/performance/metrics_speed.py --order 100000      # the order of looking alone, 20 visits a session
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmark.metrics import evaluate_sessions  # noqa: E402

EPS = 1e-8


def simulated(sessions: int, slots: int) -> dict[str, np.ndarray]:
    """Random sessions; a third of the gaze is 0, so that ties occur as they do on real data."""
    random = np.random.default_rng(20260409)
    gaze = random.gamma(0.6, 300.0, (sessions, slots))
    gaze[random.random((sessions, slots)) < 0.33] = 0.0
    gaze[:, 0] += 1.0
    probabilities = random.gamma(1.0, 1.0, (sessions, slots))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return {
        "gaze": gaze,
        "click": random.integers(0, slots, sessions),
        "attention": random.gamma(0.6, 1.0, (sessions, slots)),
        "probabilities": probabilities,
        "answer": random.integers(0, slots, sessions),
    }


def top_chance(x: np.ndarray, k: int) -> np.ndarray:
    threshold = np.sort(x)[-k]
    above, tied = x > threshold, x == threshold
    return above + tied * (k - above.sum()) / tied.sum()


def one_session(gaze: np.ndarray, click: int, attention: np.ndarray, p: np.ndarray, answer: int) -> list[float]:
    """What one would write for one session with the calls that scipy and numpy offer."""
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import rankdata

    g, a = gaze / gaze.sum(), attention / attention.sum()
    row = [
        float(np.sum(g * np.log((g + EPS) / (a + EPS)))),
        float(jensenshannon(g, a) ** 2),
        float(a @ g / (np.linalg.norm(a) * np.linalg.norm(g) + EPS)),
    ]
    above, tied = np.sum(a > a[click]), np.sum(a == a[click])
    row += [float(np.clip((k - above) / tied, 0, 1)) for k in (1, 3, 5)]
    row += [float(np.sum(top_chance(a, k) * top_chance(g, k)) / k) for k in (1, 3, 5)]
    row.append(float(answer == click))
    row.append(float(-np.log(max(p[click], EPS))))
    row.append(float((rankdata(p)[click] - 1) / (len(p) - 1)))
    return row


def measure_speed(sessions: int, slots: int, rounds: int) -> None:
    data = simulated(sessions, slots)
    one_session(*(column[0] for column in data.values()))  # imports happen before the clock starts
    evaluate_sessions(**{name: column[:10] for name, column in data.items()})
    loop_seconds, fast_seconds, rows = 0.0, [], []
    for chunk in np.array_split(np.arange(sessions), rounds):
        start = time.perf_counter()
        rows += [one_session(*(column[i] for column in data.values())) for i in chunk]
        loop_seconds += time.perf_counter() - start
        start = time.perf_counter()
        table = evaluate_sessions(**data)
        fast_seconds.append(time.perf_counter() - start)
    fast = statistics.median(fast_seconds)
    difference = np.abs(table.to_numpy() - np.array(rows)).max()
    print(f"{sessions} sessions of {slots} slots, 12 metrics, one run, turn about")
    print(f"  loop over scipy and numpy   {loop_seconds:9.3f} s   {loop_seconds / sessions * 1e6:9.2f} us per session")
    print(f"  evaluate_sessions           {fast:9.3f} s   {fast / sessions * 1e6:9.2f} us per session")
    print(f"  ratio                       {loop_seconds / fast:9.1f}     (median of {rounds} calls; aim: 50 or more)")
    print(f"  largest difference          {difference:9.1e}")


def measure_memory(sessions: int, slots: int) -> None:
    command = [sys.executable, __file__, "--child", "--memory-sessions", str(sessions), "--slots", str(slots)]
    peak, seconds = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    print(f"{sessions} sessions of {slots} slots in a fresh process")
    print(f"  peak resident size          {int(peak) / 2**20:9.2f} GiB (aim: at most 2)")
    print(f"  evaluate_sessions           {float(seconds):9.3f} s")


def paths(sessions: int, slots: int, visits: int) -> dict[str, np.ndarray]:
    """Random paths, in which no two neighbours are the same, and random rows along them."""
    random = np.random.default_rng(20260409)
    steps = random.integers(1, slots, (sessions, visits))
    rows = random.gamma(0.6, 1.0, (sessions, visits + 1, slots + 1))
    rows /= rows.sum(axis=2, keepdims=True)
    return {
        "gaze": np.ones((sessions, slots)),
        "click": np.zeros(sessions, dtype=int),
        "visits": np.cumsum(steps, axis=1) % slots,
        "next_visit": rows,
    }


def along_one_path(path: np.ndarray, rows: np.ndarray) -> list[float]:
    """What one would write for one session, row by row."""
    bits, hits, stops = [], [], []
    for k, row in enumerate(rows):
        stops.append(-np.log2(max(row[-1] if k == len(path) else 1 - row[-1], EPS)))
        if k < len(path):
            others = row[:-1].copy()
            if k:
                others[path[k - 1]] = 0.0
            bits.append(-np.log2(max(others[path[k]] / others.sum(), EPS)))
            hits.append(float(np.argmax(others) == path[k]))
    return [float(np.mean(bits)), float(np.mean(hits)), float(np.mean(stops))]


def measure_order(sessions: int, slots: int, visits: int = 20) -> None:
    """The metrics of the order family: values on some sessions, time and peak memory on all, in this process."""
    data = paths(sessions, slots, visits)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    table = evaluate_sessions(**data, metrics=["NextSlot", "NextHit@1", "Stop"])
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    some = range(0, sessions, max(1, sessions // 500))
    rows = [along_one_path(data["visits"][i], data["next_visit"][i]) for i in some]
    print(f"{sessions} sessions of {visits} visits and {slots} slots, 3 metrics, given the path so far")
    print(f"  evaluate_sessions           {seconds:9.3f} s (aim: at most 60)")
    print(f"  peak resident size          {peak / 2**20:9.2f} GiB, {before / 2**20:.2f} before (aim: at most 2)")
    print(f"  largest difference          {np.abs(table.to_numpy()[some] - np.array(rows)).max():9.1e}")


def child(sessions: int, slots: int) -> None:
    data = simulated(sessions, slots)
    start = time.perf_counter()
    evaluate_sessions(**data)
    seconds = time.perf_counter() - start
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, seconds)  # KiB on Linux


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=100_000, help="sessions for the comparison")
    parser.add_argument("--memory-sessions", type=int, default=1_000_000, help="sessions for the memory; 0 leaves out")
    parser.add_argument("--slots", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=5, help="turns that the two take")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--order", type=int, default=0, help="sessions for the order family, and nothing else")
    options = parser.parse_args()
    if options.order:
        measure_order(options.order, options.slots)
        return
    if options.child:
        child(options.memory_sessions, options.slots)
        return
    measure_speed(options.sessions, options.slots, options.rounds)
    if options.memory_sessions:
        measure_memory(options.memory_sessions, options.slots)


if __name__ == "__main__":
    main()
