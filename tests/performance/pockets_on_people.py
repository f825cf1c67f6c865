"""What does a pocket stand-in, which has only seen simulated people, know about real ones?

    python tests/performance/pockets_on_people.py --data DIR

DIR holds AdSERP, raw or prepared. Every session is tested once (kfold), the priors are fitted on the other folds. In
the same table: the stand-in shown the screen of another session with as many slots, and prompts tuned on the other
folds. A second population, which looks and clicks the other way round on the same screens, shows whether tuning works
where there is something to learn.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))

import tasks  # noqa: E402
from baselines.simulators.choice_model import chances  # noqa: E402
from baselines.simulators.examination import ExaminationPrior, places  # noqa: E402
from benchmark.metrics import evaluate_sessions  # noqa: E402
from benchmark.simulator import Prediction  # noqa: E402
from benchmark.statistics import holm, paired_comparison  # noqa: E402
from benchmark.trials.configuration import read_config  # noqa: E402
from tasks.definition import quiet  # noqa: E402
from tasks.types import Session  # noqa: E402
from tests.performance.does_it_work import POCKET, build  # noqa: E402
from tests.performance.printing import script  # noqa: E402

METRICS = ("KL", "LogLoss", "Accuracy")
SHAPED, OPERATORS = ("attnlrp-stable", "rollout"), ("attnlrp-stable", "rollout", "glimpse")
SEED = 42
Folds = list[tuple[list[Session], list[Session]]]


def other_way_round(sessions: Sequence[Session]) -> list[np.ndarray]:
    """Return shares of gaze, and chances of a click, of people whose habits are those of the prior turned round."""
    prior = ExaminationPrior()
    return [chances(-prior.score(s.stimulus(), places(s.stimulus()))) for s in sessions]


def swapped(sessions: Sequence[Session]) -> list[Session]:
    """Return the sessions with image and slots of another one that has as many slots; of a number alone, its own."""
    found = {}
    for k in {len(s.slots) for s in sessions}:
        same = [s for s in sessions if len(s.slots) == k]
        for n, session in enumerate(same):
            other = same[(n + max(1, len(same) // 2)) % len(same)]
            found[session.session_id] = dataclasses.replace(session, image=other.image, slots=other.slots)
    return [found[s.session_id] for s in sessions]


class Table:
    """Scores of simulators on the same sessions, a value per user."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = sessions
        self.users: dict[str, pd.DataFrame] = {}
        self.most: dict[str, float] = {}

    def add(self, name: str, predictions: Sequence[Prediction]) -> None:
        """Score predictions, one per session."""
        scores = evaluate_sessions(
            [s.gaze_ms for s in self.sessions],
            [s.click for s in self.sessions],
            [p.attention for p in predictions],
            [p.probabilities for p in predictions],
            metrics=METRICS,
        )
        self.users[name] = scores.groupby([s.user for s in self.sessions]).mean()
        answers = np.bincount([int(np.argmax(p.probabilities)) for p in predictions])
        self.most[name] = answers.max() / answers.sum()

    def print(self, title: str, references: Sequence[str]) -> None:
        """Print means and differences from the references, Holm-corrected over all of them."""
        found = {
            (name, other, metric): paired_comparison(self.users[name][metric], self.users[other][metric])
            for name in self.users
            for other in references
            if name != other
            for metric in METRICS[:2]
        }
        corrected = holm({" | ".join(key): one.tests["t"] for key, one in found.items()})
        users = len(next(iter(self.users.values())))
        print(f"\n{title}: {len(self.sessions)} sessions of {users} users; p after Holm over {len(found)}")
        for name, means in self.users.items():
            numbers = "  ".join(f"{metric} {means[metric].mean():.3f}" for metric in METRICS)
            print(f"{name:42s} {numbers}  most frequent answer {self.most[name]:.2f}")
            for other in references:
                if name != other:
                    print(f"    less {other:36s} " + "  ".join(self._said(found, corrected, name, other)))

    @staticmethod
    def _said(found: dict, corrected: dict, name: str, other: str) -> list[str]:
        said = []
        for metric in METRICS[:2]:
            one, p = found[name, other, metric], corrected[f"{name} | {other} | {metric}"]
            said.append(f"{metric} {one.mean_difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}] p {p:.2g}")
        return said


def over_folds(
    name: str, settings: dict[str, object], folds: Folds, show: Callable[[Sequence[Session]], list[Session]] = list
) -> list[Prediction]:
    """Fit a simulator on each fold's training sessions and ask it about the others."""
    found: list[Prediction] = []
    for train, test in folds:
        simulator = build(name, settings)
        simulator.fit(train, SEED)
        found += simulator.simulate([s.stimulus() for s in show(test)])
    return found


def relived(folds: Folds) -> Folds:
    """Return the folds with gaze and clicks of people whose habits are the other way round."""
    everyone = [session for _, test in folds for session in test]
    rng, lived = np.random.default_rng(11), {}
    for session, shares in zip(everyone, other_way_round(everyone), strict=True):
        click = int(rng.choice(len(shares), p=shares))
        lived[session.session_id] = dataclasses.replace(session, gaze_ms=1000 * shares, click=click, fixations=())
    return [([lived[s.session_id] for s in a], [lived[s.session_id] for s in b]) for a, b in folds]


def folds_of(task: str, data: str) -> Folds:
    found = tasks.load(task, data, progress=quiet)
    return [(found.sessions_at(train), found.sessions_at(test)) for train, test in found.split("kfold").folds]


def result_pages(data: str, backbones: Sequence[str], settings: dict[str, object], tune: bool) -> None:
    folds = folds_of("adserp", data)
    tested = [session for _, test in folds for session in test]
    table = Table(tested)
    for name in ("uniform", "position-prior", "kind-position-prior", "examination-prior"):
        table.add(name, over_folds(name, {}, folds))
    whole: Folds = [([], tested)]
    for backbone in backbones:
        for operator in OPERATORS:
            own = {"backbone": backbone, "operator": operator}
            table.add(f"{backbone}, {operator}", over_folds("backbone", own, whole))
            if operator in SHAPED:
                table.add(f"{backbone}, {operator}, other screen", over_folds("backbone", own, whole, swapped))
        for name in ("shared-prompt", "fixate") if tune else ():
            table.add(f"{backbone}, {name}", over_folds(name, {**settings, "backbone": backbone}, folds))
    table.print("AdSERP, real people", ("uniform", "kind-position-prior"))
    if not tune:
        return
    for backbone in backbones:
        frozen = f"{backbone}, {SHAPED[0]}"
        tuned = Table(tested)
        tuned.users = {
            name: table.users[name] for name in (frozen, f"{backbone}, shared-prompt", f"{backbone}, fixate")
        }
        tuned.most = table.most
        tuned.print("AdSERP, real people, tuned against frozen", (frozen,))
        other = relived(folds)
        unlike = Table([session for _, test in other for session in test])
        for name in ("backbone", "shared-prompt", "fixate"):
            unlike.add(f"{backbone}, {name}", over_folds(name, {**settings, "backbone": backbone}, other))
        unlike.print("the same screens, people the other way round", (f"{backbone}, backbone",))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="AdSERP, raw or prepared")
    parser.add_argument("--backbones", default="pocket-qwen3vl")
    parser.add_argument("--frozen", action="store_true", help="tune nothing")
    chosen = parser.parse_args()
    backbones, settings = chosen.backbones.split(","), dict(read_config(POCKET)["settings"])
    result_pages(chosen.data, backbones, settings, not chosen.frozen)


if __name__ == "__main__":
    script(main)
