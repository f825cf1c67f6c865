"""Does FixATE work, and does the benchmark not invent it? On simulated populations with a pocket backbone.

For every population a sample task is written, prepared and split; simulators are tuned with every seed; sessions are
averaged over seeds, then over users, and simulators are compared paired over users (PROTOCOL section 8), Holm-corrected
over each table. Four questions:

1. gain: does fixate beat shared-prompt and backbone on KL, LogLoss and AUC?
2. swap: does the gain vanish with another user's prompt?
3. permuted: does it vanish where the users of training sessions are permuted?
4. no habits: is there no gain where simulated users have no habits of their own?

    python tests/performance/does_it_work.py --populations 5 --seeds 42,123,456
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))

from baselines import registry  # noqa: E402
from benchmark.catalogue import setting_names  # noqa: E402
from benchmark.config import read_config  # noqa: E402
from benchmark.metrics import evaluate_sessions  # noqa: E402
from benchmark.simulator import Prediction  # noqa: E402
from benchmark.statistics import holm, paired_comparison  # noqa: E402
from tasks.definition import ReadOptions, quiet  # noqa: E402
from tasks.prepare import prepare  # noqa: E402
from tasks.recgaze import RECGAZE  # noqa: E402
from tasks.recgaze.sample import write_sample  # noqa: E402
from tasks.task import Task, open_folder  # noqa: E402
from tasks.types import Session  # noqa: E402

METRICS = ("KL", "LogLoss", "AUC")
LOWER = {"KL": True, "LogLoss": True, "AUC": False}
POCKET = Path(__file__).parents[2] / "configs" / "simulators" / "pocket.yaml"


def population(folder: Path, seed: int, users: int, habits: float) -> Task:
    """Write and prepare one simulated population."""
    write_sample(folder / "raw", seed=seed, users=users, habits=habits)
    options = ReadOptions(simulated=True, size=RECGAZE.sample_size)
    prepare(RECGAZE, folder / "raw", folder / "prepared", options, quiet, lambda line: None)
    return open_folder(RECGAZE, folder / "prepared")


def scored(name: str, sessions: list[Session], found: list[Prediction]) -> pd.DataFrame:
    """Return a row per session with its user and metrics."""
    frame = evaluate_sessions(
        [s.gaze_ms for s in sessions],
        [s.click for s in sessions],
        [p.attention for p in found],
        [p.probabilities for p in found],
        session_ids=[s.session_id for s in sessions],
        metrics=METRICS,
    )
    return frame.assign(simulator=name, user=[s.user for s in sessions])


def swapped(sessions: list[Session]) -> list[Session]:
    """Return the sessions with every user replaced by the next one."""
    users = sorted({s.user for s in sessions})
    after = dict(zip(users, users[1:] + users[:1], strict=True))
    return [dataclasses.replace(s, user=after[s.user]) for s in sessions]


def permuted(sessions: list[Session], seed: int) -> list[Session]:
    """Return the sessions with their users dealt out anew, so that a user's sessions have nothing in common."""
    users = np.random.default_rng(seed).permutation([s.user for s in sessions])
    return [dataclasses.replace(s, user=str(user)) for s, user in zip(sessions, users, strict=True)]


def build(name: str, settings: dict[str, object]) -> object:
    """Build a simulator with those of the settings that it has."""
    known = setting_names(registry.entry(name).factory)
    return registry.build(name, {key: value for key, value in settings.items() if key in known})


def measure(task: Task, seeds: list[int], settings: dict[str, object], habits: bool) -> pd.DataFrame:
    """Fit and score all simulators on one population; without habits only those that the question needs."""
    train_indices, test_indices = task.split("loo").folds[0]
    train, test = task.sessions_at(train_indices), task.sessions_at(test_indices)
    shown = [s.stimulus() for s in test]
    frames = []

    def run(name: str, label: str, sessions: list[Session], seed: int) -> object:
        simulator = build(name, settings)
        simulator.fit(sessions, seed)
        frames.append(scored(label, test, simulator.simulate(shown)))
        return simulator

    for name in ("position-prior", "user-prior", "backbone"):
        run(name, name, train, seeds[0])
    for seed in seeds:
        run("shared-prompt", "shared-prompt", train, seed)
        fixate = run("fixate", "fixate", train, seed)
        if habits:
            frames.append(scored("fixate, swapped", test, fixate.simulate([s.stimulus() for s in swapped(test)])))
            run("fixate", "fixate, permuted", permuted(train, seed), seed)
    # Seeds within a session, then sessions within a user.
    rows = pd.concat(frames).reset_index(names="session")
    sessions = rows.groupby(["simulator", "user", "session"])[list(METRICS)].mean()
    return sessions.groupby(["simulator", "user"]).mean().reset_index()


def compare(users: pd.DataFrame, pairs: list[tuple[str, str]], title: str) -> None:
    """Print the comparisons of one question."""
    found = {}
    for first, second in pairs:
        for metric in METRICS:
            table = users.pivot(index=["population", "user"], columns="simulator", values=metric)
            found[first, second, metric] = paired_comparison(table[first].to_numpy(), table[second].to_numpy())
    corrected = holm({" | ".join(key): comparison.p_t for key, comparison in found.items()})
    columns = f"{'metric':8s} {'difference':>11s} {'95 % interval':>20s} {'p (Holm)':>10s}"
    print(f"\n{title}\n{'first':18s} {'second':18s} {columns}")
    for (first, second, metric), comparison in found.items():
        p = corrected[" | ".join((first, second, metric))]
        better = (comparison.mean_difference < 0) == LOWER[metric]
        verdict = "no difference" if p >= 0.01 else "better" if better else "worse"
        interval = f"[{comparison.low:+.3f}, {comparison.high:+.3f}]"
        numbers = f"{metric:8s} {comparison.mean_difference:+11.3f} {interval:>20s} {p:10.2g}"
        print(f"{first:18s} {second:18s} {numbers}  {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--populations", type=int, default=5)
    parser.add_argument("--first", type=int, default=101, help="seed of the first population")
    parser.add_argument("--seeds", default="42,123,456")
    parser.add_argument("--users", type=int, default=83)
    parser.add_argument("--habits", type=float, default=1.0, help="strength of personal habits; 1 is the sample's")
    parser.add_argument("--backbone", default="pocket-qwen3vl")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, beside pocket.yaml's"
    )
    parser.add_argument("--skip-no-habits", action="store_true", help="leave out the fourth question")
    parser.add_argument("--out", type=Path, help="also write the user means here, as parquet")
    chosen = parser.parse_args()
    import yaml

    settings = dict(read_config(POCKET)["settings"])
    settings |= {key: yaml.safe_load(value) for key, value in (pair.split("=", 1) for pair in chosen.set)}
    settings["backbone"] = chosen.backbone
    seeds = [int(seed) for seed in chosen.seeds.split(",")]
    tables: dict[float, list[pd.DataFrame]] = {chosen.habits: [], 0.0: []}
    for number in range(chosen.populations):
        for habits, rows in tables.items():
            if habits == 0 and chosen.skip_no_habits:
                continue
            start = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                task = population(Path(folder), chosen.first + number, chosen.users, habits)
                rows.append(measure(task, seeds, settings, habits > 0).assign(population=number))
            print(
                f"population {chosen.first + number}, habits {habits:g}: {time.perf_counter() - start:.0f} s",
                flush=True,
            )
    users = pd.concat(tables[chosen.habits], ignore_index=True)
    if chosen.out:
        users.to_parquet(chosen.out)
    print("\nmeans over users")
    print(users.groupby("simulator")[list(METRICS)].mean().round(3).to_string())
    compare(users, [("fixate", "shared-prompt"), ("fixate", "backbone")], "1. the gain")
    compare(
        users, [("fixate, swapped", "shared-prompt"), ("fixate, swapped", "fixate")], "2. with another user's prompt"
    )
    compare(
        users, [("fixate, permuted", "shared-prompt"), ("fixate, permuted", "fixate")], "3. users permuted in training"
    )
    if tables[0.0]:
        compare(pd.concat(tables[0.0], ignore_index=True), [("fixate", "shared-prompt")], "4. users without habits")
    compare(users, [("fixate", "user-prior"), ("fixate", "position-prior")], "for comparison: the priors")


if __name__ == "__main__":
    main()
