"""Deviations in who trains and who is tested."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from baselines.simulators.priors import PositionPrior, Rates, UserPrior, click_shares, gaze_shares
from baselines.simulators.shares import likeliest, normalised
from benchmark.simulator import Prediction
from tasks.splits import FOLDS, k_fold
from tasks.types import Session, Slot
from tests.performance.deviations.material import Material
from tests.performance.deviations.measuring import (
    ADSERP,
    SEEDS,
    SIMULATED,
    Deviation,
    Effect,
    Folds,
    Tested,
    folds,
    over_users,
    tested,
)

METRICS = ("KL", "Accuracy", "LogLoss")


def shuffled(users: Sequence[str], seed: int) -> list[list[int]]:
    """Return each user's session indices in a random order."""
    own: dict[str, list[int]] = defaultdict(list)
    for index, user in enumerate(users):
        own[user].append(index)
    generator = np.random.RandomState(seed)
    for indices in own.values():
        generator.shuffle(indices)
    return list(own.values())


def drawn(sessions: Sequence[Session], seed: int) -> Folds:
    """Return leave-one-out drawn with a seed of its own."""
    test = sorted(indices[0] for indices in shuffled([s.user for s in sessions], seed) if len(indices) > 1)
    left_out = set(test)
    return [([i for i in range(len(sessions)) if i not in left_out], test)]


def redrawn(material: Material) -> list[Effect]:
    """Hold the spread that five redrawn test sets give a deterministic simulator against that of the fixed one."""
    effects = []
    for sessions, data, fixed in (
        (material.adserp, ADSERP, folds(material.adserp, "loo")),
        (material.recgaze, SIMULATED, material.loo),
    ):
        if drawn(sessions, SEEDS[0])[0][1] != list(fixed[0][1]):
            raise AssertionError("the split loo is not the draw with seed 42")
        draws = [tested("position-prior", sessions, drawn(sessions, seed)) for seed in SEEDS]
        same = [tested("position-prior", sessions, fixed, seed) for seed in SEEDS]
        for metric in METRICS:
            spread = [float(np.std([found.mean(metric) for found in ways], ddof=1)) for ways in (draws, same)]
            what = f"SD over 5 seeds of {metric} of position-prior" if metric == METRICS[0] else f"of {metric}"
            effects.append(Effect(what, spread[0], spread[1], len(fixed[0][1]), data))
    return effects


def interval(found: Tested, metric: str) -> float:
    """Return half the width of the 95 % t interval over users."""
    from benchmark.statistics import mean_interval

    span = mean_interval(found.scores().groupby("user")[metric].mean())
    return (span.high - span.low) / 2


def every_session(material: Material) -> list[Effect]:
    effects = []
    for sessions, data in ((material.adserp, ADSERP), (material.recgaze, SIMULATED)):
        there, here = (tested("position-prior", sessions, folds(sessions, split)) for split in ("loo", "kfold"))
        for metric in METRICS:
            what = (
                f"half width of the 95 % interval of {metric} of position-prior"
                if metric == METRICS[0]
                else f"of {metric}"
            )
            counts = (len(here.sessions), len(there.sessions))
            effects.append(
                Effect(what, interval(there, metric), interval(here, metric), counts[0], data, n_there=counts[1])
            )
    return effects


def dealer(material: Material) -> list[Effect]:
    """Compare folds whose dealer starts again at every user with those of the suite."""
    effects = []
    for sessions, data in ((material.adserp, ADSERP), (material.recgaze, SIMULATED)):
        users = [s.user for s in sessions]
        restarted = Counter(place % FOLDS for indices in shuffled(users, 42) for place in range(len(indices)))
        on = Counter(k_fold(users))
        for what, pick in (("smallest fold", min), ("largest fold", max)):
            sizes = [pick(found[fold] for fold in range(FOLDS)) for found in (restarted, on)]
            effects.append(Effect(what, *sizes, len(sessions), data, digits=0))
    return effects


def screen_prior(train: Sequence[Session], test: Sequence[Session]) -> list[Prediction]:
    """Return what the mean of the same screen's training sessions predicts.

    It is drawn toward the position prior with the weights of user-prior.
    """

    def keys(screen: str, slots: Sequence[Slot]) -> list[tuple[str, int]]:
        return [(screen, place) for place in range(len(slots))]

    weights = UserPrior()
    base = PositionPrior()
    base.fit(train, 0)
    of_screen: dict[str, list[Session]] = defaultdict(list)
    for session in train:
        of_screen[session.screen].append(session)
    rates = {
        name: [
            Rates.of(own, lambda slots, name=name: keys(name, slots), shares) for shares in (gaze_shares, click_shares)
        ]
        for name, own in of_screen.items()
    }
    found = []
    for session in test:
        gaze, click = base.rates(session)
        if session.screen in rates:
            names, (looks, clicks) = keys(session.screen, session.slots), rates[session.screen]
            gaze = looks.shrunk(names, gaze, weights.gaze_weight)
            click = clicks.shrunk(names, click, weights.click_weight)
        p = normalised(click)
        found.append(Prediction(session.session_id, normalised(gaze), p, likeliest(p)))
    return found


def unseen(material: Material) -> list[Effect]:
    """Hold what knowing the screen from other users' sessions changes under loo against unseen-screen."""
    effects = []
    for sessions, data in ((material.recgaze, SIMULATED), (material.adserp, ADSERP)):
        changes: dict[str, list[float]] = defaultdict(list)
        seen, counts = [], []
        for split in ("loo", "unseen-screen"):
            train, test = folds(sessions, split)[0]
            of_train, of_test = [sessions[i] for i in train], [sessions[i] for i in test]
            plain = tested("position-prior", sessions, [(train, test)]).scores()
            told = Tested(of_test, screen_prior(of_train, of_test)).scores()
            screens = {s.screen for s in of_train}
            seen.append(float(np.mean([s.screen in screens for s in of_test])))
            counts.append(len(test))
            for metric in ("KL", "LogLoss"):
                changes[metric].append(over_users(told, metric) - over_users(plain, metric))
        n, n_there = counts[1], counts[0]
        effects.append(Effect("share of tested sessions whose screen is in training", *seen, n, data, n_there=n_there))
        effects += [
            Effect(f"change of {metric} by knowing the screen", *changes[metric], n, data, n_there=n_there)
            for metric in changes
        ]
    return effects


def never_shown(material: Material) -> list[Effect]:
    """Count the tested screens that training never shows, under loo and under screen-kfold."""
    effects = []
    for sessions, data in ((material.recgaze, SIMULATED), (material.adserp, ADSERP)):
        counts, tested_sessions = [], []
        for split in ("loo", "screen-kfold"):
            new = {
                sessions[i].screen
                for train, test in folds(sessions, split)
                for i in test
                if sessions[i].screen not in {sessions[j].screen for j in train}
            }
            counts.append(len(new))
            tested_sessions.append(sum(len(test) for _, test in folds(sessions, split)))
        n_there, n = tested_sessions
        effects.append(Effect("tested screens that training never shows", *counts, n, data, digits=0, n_there=n_there))
    return effects


_REPLAY = frozenset({"adserp"})
DEVIATIONS = (
    Deviation("test-set", redrawn, needs=_REPLAY),
    Deviation("kfold", every_session, needs=_REPLAY),
    Deviation("kfold-dealer", dealer, needs=_REPLAY),
    Deviation("unseen-screen", unseen, needs=_REPLAY),
    Deviation("screen-kfold", never_shown, needs=_REPLAY),
)
