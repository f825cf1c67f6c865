"""Does FixATE work, and does the benchmark not invent it? On simulated populations with a pocket backbone.

A population is the simulated sample with another seed: other people, other films. Everybody works on every browsing
page, which gives about twice the sample's sessions. Simulators are tuned on six sessions per user, about as many as the
sample's split leaves, and measured on all others. Sessions are averaged over seeds, then over users; simulators are
compared paired over the users of all populations (PROTOCOL section 8), Holm-corrected over each question's table.

1. gain: does fixate beat shared-prompt and backbone on KL, LogLoss and AUC?
2. swap: is the gain lost with another user's prompt?
3. permuted: does it vanish where the users of training sessions are permuted?
4. no habits: is there no gain where simulated users have no habits of their own?

A question is answered yes where every difference it claims has p < 0.01, and no advantage it denies has p < 0.05.

    python tests/performance/does_it_work.py --out FOLDER

FOLDER keeps the results of every population and seed; a run that was stopped goes on from there.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))

from baselines import registry  # noqa: E402
from benchmark.metrics import evaluate_sessions  # noqa: E402
from benchmark.simulator import Prediction  # noqa: E402
from benchmark.statistics import holm, paired_comparison  # noqa: E402
from benchmark.trials.catalogue import setting_names  # noqa: E402
from benchmark.trials.configuration import read_config  # noqa: E402
from tasks.definition import ReadOptions, quiet  # noqa: E402
from tasks.errors import InputError  # noqa: E402
from tasks.prepare import prepare  # noqa: E402
from tasks.recgaze import RECGAZE  # noqa: E402
from tasks.recgaze.sample import write_sample  # noqa: E402
from tasks.storage import write_errors  # noqa: E402
from tasks.task import Task, open_folder  # noqa: E402
from tasks.types import Session  # noqa: E402
from tests.performance.printing import script  # noqa: E402

METRICS = ("KL", "LogLoss", "AUC")
LOWER = {"KL": True, "LogLoss": True, "AUC": False}
POCKET = Path(__file__).parents[2] / "configs" / "simulators" / "pocket.yaml"
CLAIMED, DENIED = 0.01, 0.05
"""Corrected p below which a difference that is claimed counts as shown, and one that is denied as present."""
PLAIN = ("position-prior", "user-prior", "backbone")
"""Simulators that do not depend on the seed."""


def population(folder: Path, seed: int, users: int, habits: float) -> Task:
    """Write and prepare one simulated population."""
    write_sample(folder / "raw", seed=seed, users=users, habits=habits, every_page=True)
    options = ReadOptions(simulated=True, size=RECGAZE.sample_size)
    prepare(RECGAZE, folder / "raw", folder / "prepared", options, quiet, lambda line: None)
    return open_folder(RECGAZE, folder / "prepared")


def divide(task: Task, each: int, seed: int) -> tuple[list[Session], list[Session]]:
    """Return the sessions to tune on, ``each`` per user drawn at random, and all others of these users."""
    own: dict[str, list[int]] = {}
    for index in range(len(task)):
        own.setdefault(task.session(index).user, []).append(index)
    rng = np.random.default_rng(seed)
    train: list[int] = []
    test: list[int] = []
    for user in sorted(own):
        order = rng.permutation(own[user]).tolist()
        if len(order) > each:
            train += order[:each]
            test += order[each:]
    return task.sessions_at(sorted(train)), task.sessions_at(sorted(test))


def scored(name: str, sessions: Sequence[Session], found: Sequence[Prediction]) -> pd.DataFrame:
    """Return a row per session with its user and metrics."""
    frame = evaluate_sessions(
        [s.gaze_ms for s in sessions],
        [s.click for s in sessions],
        [p.attention for p in found],
        [p.probabilities for p in found],
        session_ids=[s.session_id for s in sessions],
        metrics=METRICS,
    )
    return frame.reset_index(names="session").assign(simulator=name, user=[s.user for s in sessions])


def swapped(sessions: Sequence[Session]) -> list[Session]:
    """Return the sessions with every user replaced by the next one."""
    users = sorted({s.user for s in sessions})
    after = dict(zip(users, users[1:] + users[:1], strict=True))
    return [dataclasses.replace(s, user=after[s.user]) for s in sessions]


def permuted(sessions: Sequence[Session], seed: int) -> list[Session]:
    """Return the sessions with their users dealt out again, so that a user's sessions have nothing in common."""
    users = np.random.default_rng(seed).permutation([s.user for s in sessions])
    return [dataclasses.replace(s, user=str(user)) for s, user in zip(sessions, users, strict=True)]


def build(name: str, settings: dict[str, object]) -> object:
    """Build a simulator with those of the settings that it has."""
    known = setting_names(registry.entry(name).factory)
    return registry.build(name, {key: value for key, value in settings.items() if key in known})


def measure(
    train: list[Session], test: list[Session], seed: int, settings: dict[str, object], habits: bool, plain: bool
) -> pd.DataFrame:
    """Fit and score simulators with one seed; without habits only those that the question needs."""
    shown = [s.stimulus() for s in test]
    frames = []

    def run(name: str, label: str, sessions: list[Session]) -> object:
        simulator = build(name, settings)
        simulator.fit(sessions, seed)
        frames.append(scored(label, test, simulator.simulate(shown)))
        return simulator

    for name in PLAIN if plain else ():
        run(name, name, train)
    run("shared-prompt", "shared-prompt", train)
    fixate = run("fixate", "fixate", train)
    if habits:
        frames.append(scored("fixate, swapped", test, fixate.simulate([s.stimulus() for s in swapped(test)])))
        run("fixate", "fixate, permuted", permuted(train, seed))
    return pd.concat(frames, ignore_index=True).assign(seed=seed)


def user_means(rows: pd.DataFrame) -> pd.DataFrame:
    """Average seeds within a session, then sessions within a user."""
    sessions = rows.groupby(["population", "simulator", "user", "session"])[list(METRICS)].mean()
    return sessions.groupby(["population", "simulator", "user"]).mean().reset_index()


def compare(users: pd.DataFrame, pairs: list[tuple[str, str]], title: str) -> dict[tuple[str, str, str], str]:
    """Print the comparisons of one question; return better, worse, unclear or none by pair and metric.

    Unclear is a difference that is neither shown nor denied: its p lies between ``CLAIMED`` and ``DENIED``.
    """
    found = {}
    for first, second in pairs:
        for metric in METRICS:
            table = users.pivot(index=["population", "user"], columns="simulator", values=metric)
            found[first, second, metric] = paired_comparison(table[first].to_numpy(), table[second].to_numpy())
    corrected = holm({" | ".join(key): comparison.tests["t"] for key, comparison in found.items()})
    columns = f"{'metric':8s} {'difference':>11s} {'95 % interval':>18s} {'p (Holm)':>10s}"
    print(f"\n{title}\n{'first':18s} {'second':16s} {columns}")
    verdicts = {}
    for (first, second, metric), comparison in found.items():
        p = corrected[" | ".join((first, second, metric))]
        better = (comparison.mean_difference < 0) == LOWER[metric]
        direction = "better" if better else "worse"
        verdict = direction if p < CLAIMED else "none" if p >= DENIED else "unclear"
        interval = f"[{comparison.low:+.3f}, {comparison.high:+.3f}]"
        numbers = f"{metric:8s} {comparison.mean_difference:+11.3f} {interval:>18s} {p:10.2g}"
        said = {"none": "no difference", "unclear": f"{direction}, unclear"}.get(verdict, direction)
        print(f"{first:18s} {second:16s} {numbers}  {said}")
        verdicts[first, second, metric] = f"unclear {direction}" if verdict == "unclear" else verdict
    return verdicts


def answer(claim: str, holds: bool) -> None:
    """Print the answer to a question."""
    print(f"=> {claim}: {'yes' if holds else 'NO'}")


def report(habits: pd.DataFrame, none: pd.DataFrame | None) -> None:
    """Print means, the four questions and the priors."""
    print("\nmeans over users")
    print(habits.groupby("simulator")[list(METRICS)].mean().round(3).to_string())
    found = compare(habits, [("fixate", "shared-prompt"), ("fixate", "backbone")], "1. The gain")
    answer("fixate beats shared-prompt and backbone on all three", all(v == "better" for v in found.values()))
    for number, label, title in (
        (2, "swapped", "With another user's prompt"),
        (3, "permuted", "Users permuted in training"),
    ):
        other = f"fixate, {label}"
        found = compare(habits, [(other, "fixate"), (other, "shared-prompt")], f"{number}. {title}")
        lost = all(v == "worse" for (_, second, _), v in found.items() if second == "fixate")
        left = any("better" in v for (_, second, _), v in found.items() if second == "shared-prompt")
        answer("worse than fixate on all three, no better than shared-prompt on any", lost and not left)
    if none is not None:
        found = compare(none, [("fixate", "shared-prompt")], "4. Users without habits")
        answer("fixate is no better than shared-prompt on any", not any("better" in v for v in found.values()))
    compare(habits, [("fixate", "user-prior"), ("fixate", "position-prior")], "For comparison: the priors")


def by_seed(rows: pd.DataFrame) -> str:
    """Say in how many populations and seeds fixate's mean over sessions is better than the shared prompt's."""
    means = rows.groupby(["population", "seed", "simulator"])[list(METRICS)].mean().unstack("simulator")
    counts = []
    for metric in METRICS:
        gain = (means[metric, "fixate"] - means[metric, "shared-prompt"]) * (-1 if LOWER[metric] else 1)
        counts.append(f"{metric} {int((gain.dropna() > 0).sum())} of {len(gain.dropna())}")
    return f"fixate ahead of shared-prompt, by population and seed: {', '.join(counts)}"


def kept(folder: Path, identity: dict[str, object]) -> Path:
    """Return the folder of results, made by the same settings or new.

    Raises:
        InputError: It holds results of other settings, or cannot be written.
    """
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / "settings.json"
    text = json.dumps(identity, indent=1, sort_keys=True) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise InputError(f"{folder} holds results of other settings, see {path}. Give another folder.")
    path.write_text(text, encoding="utf-8")
    return folder


def sources() -> str:
    """Return a digest of what the results depend on apart from settings and weights: the simulated sample's code."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parents[2] / "tasks" / "recgaze").glob("sample*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="keep results here and go on from what is there")
    parser.add_argument("--populations", type=int, default=5)
    parser.add_argument("--first", type=int, default=221, help="seed of the first population")
    parser.add_argument("--seeds", default="42,123,456")
    parser.add_argument("--users", type=int, default=83)
    parser.add_argument("--sessions", type=int, default=6, help="sessions per user to tune on")
    parser.add_argument("--habits", type=float, default=1.0, help="strength of personal habits; 1 is the sample's")
    parser.add_argument("--backbone", default="pocket-qwen3vl")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, in addition to pocket.yaml's"
    )
    parser.add_argument("--skip-no-habits", action="store_true", help="leave out the fourth question")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        script(lambda: run(chosen, chosen.out or Path(scratch) / "results"))


def run(chosen: argparse.Namespace, out: Path) -> None:
    """Measure what ``out`` does not hold yet, then report."""
    import yaml

    settings = dict(read_config(POCKET)["settings"])
    settings |= {key: yaml.safe_load(value) for key, value in (pair.split("=", 1) for pair in chosen.set)}
    settings["backbone"] = chosen.backbone
    backbone = build("fixate", settings)
    identity = {
        "settings": {**settings, "operator": backbone.operator},
        "backbone": dict(backbone.material()),
        "sample": sources(),
        "users": chosen.users,
        "sessions": chosen.sessions,
    }
    out = kept(out, identity)
    seeds = [int(seed) for seed in chosen.seeds.split(",")]
    numbers = range(chosen.first, chosen.first + chosen.populations)
    strengths = [chosen.habits] if chosen.skip_no_habits else [chosen.habits, 0.0]
    rows = []
    for number in numbers:
        for habits in strengths:
            rows += one_population(out, number, habits, seeds, chosen, settings)
    found = pd.concat(rows, ignore_index=True)
    print(
        f"{chosen.backbone}, operator {backbone.operator}; {len(numbers)} populations of {chosen.users} users "
        f"(first seed {chosen.first}), {len(seeds)} seeds"
    )
    print("; ".join(f"{key} {value}" for key, value in settings.items() if key != "backbone"))
    for habits in strengths:
        part = found[(found.habits == habits) & (found.simulator == "fixate") & (found.seed == seeds[0])]
        people = part.groupby("population").user.nunique().sum()
        print(
            f"habits {habits:g}: {people} users with more than {chosen.sessions} sessions, "
            f"{chosen.sessions} of each to tune on, {len(part)} measured in all"
        )
    none = None if chosen.skip_no_habits else user_means(found[found.habits == 0])
    report(user_means(found[found.habits == chosen.habits]), none)
    print(f"\n{by_seed(found[found.habits == chosen.habits])}")


def one_population(
    out: Path,
    number: int,
    habits: float,
    seeds: list[int],
    chosen: argparse.Namespace,
    settings: dict[str, object],
) -> list[pd.DataFrame]:
    """Return the scores of one population, a frame per seed, measuring what ``out`` does not hold."""
    paths = {seed: out / f"population-{number}-habits-{habits:g}-seed-{seed}.parquet" for seed in seeds}
    if not all(path.exists() for path in paths.values()):
        with tempfile.TemporaryDirectory() as folder:
            task = population(Path(folder), number, chosen.users, habits)
            train, test = divide(task, chosen.sessions, number)
            for seed, path in paths.items():
                if path.exists():
                    continue
                start = time.perf_counter()
                frame = measure(train, test, seed, settings, habits > 0, seed == seeds[0])
                partial = path.with_suffix(".partial")
                frame.assign(population=number, habits=habits).to_parquet(partial)
                partial.replace(path)
                seconds = time.perf_counter() - start
                print(f"population {number}, habits {habits:g}, seed {seed}: {seconds:.0f} s", flush=True)
    return [pd.read_parquet(path) for path in paths.values()]


if __name__ == "__main__":
    main()
