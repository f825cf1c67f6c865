"""Deviations in how predictions are scored and compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmark.metrics import get
from benchmark.statistics import (
    ScoreCube,
    compare_pairs,
    holm,
    mean_interval,
    paired_comparison,
    paper_mode,
    under_every_seed,
    user_means,
)
from tests.performance.deviations.material import Material
from tests.performance.deviations.measuring import (
    ADSERP,
    SEED,
    SEEDS,
    SIMULATED,
    STAND_IN,
    Deviation,
    Effect,
    Tested,
    both,
    folds,
    over_users,
    tested,
)
from tests.tiers_definition import tiers

WRONG_JS = 1.0
ON_STAND_IN = f"{SIMULATED}; {STAND_IN}"


def ties(material: Material) -> list[Effect]:
    """Break ties toward the last slot there, count them in expectation here, on the same predictions."""
    effects = []
    for sessions, data, split in ((material.adserp, ADSERP, "kfold"), (material.recgaze, SIMULATED, "loo")):
        for name, metrics in (
            ("uniform", ("CSH@1", "Accuracy")),
            ("gaze-oracle", ("TGO@3", "TGO@5")),
            ("position-prior", ("TGO@3", "TGO@5")),
        ):
            found = tested(name, sessions, folds(sessions, split))
            effects += both(metrics, found, found, name, data, ("last", "expected"))
    return effects


def without(found: Tested, failed: Sequence[int]) -> Tested:
    """Return only the sessions that did not fail."""
    left = [i for i in range(len(found.sessions)) if i not in set(failed)]
    return Tested([found.sessions[i] for i in left], [found.predictions[i] for i in left])


def mean_with_worst(found: Tested, failed: Sequence[int], metric: str) -> float:
    """Return the mean over users, failed sessions counted with the worst value."""
    scores = found.scores()
    scores.loc[scores.index[list(failed)], metric] = get(metric).worst
    return over_users(scores, metric)


def failures(material: Material) -> list[Effect]:
    """Let position-prior fail on a tenth of the sessions: drawn at random, and those it is worst at."""
    effects = []
    for sessions, data, split in ((material.adserp, ADSERP, "kfold"), (material.recgaze, SIMULATED, "loo")):
        found = tested("position-prior", sessions, folds(sessions, split))
        count = round(len(found.sessions) / 10)
        worst = np.argsort(-found.scores()["LogLoss"].to_numpy(), kind="stable")[:count]
        drawn = np.random.default_rng(SEED).permutation(len(found.sessions))[:count]
        for how, failed in (("random", drawn.tolist()), ("the hardest", worst.tolist())):
            left = without(found, failed)
            for metric in ("KL", "Accuracy"):
                what = f"{metric} of position-prior, {count} failures, {how}" if metric == "KL" else metric
                here = mean_with_worst(found, failed, metric)
                counts = {"n": len(found.sessions), "n_there": len(left.sessions)}
                effects.append(Effect(what, left.mean(metric), here, data=data, **counts))
    return effects


def not_a_number(material: Material) -> list[Effect]:
    """Count attention that gives no number, and score a tenth of such sessions both ways."""
    frozen = material.frozen("attnlrp-stable")
    missing = sum(p.attention is None or not np.isfinite(p.attention).all() for p in frozen.predictions)
    effects = [
        Effect(
            "sessions without a number for JS of the frozen backbone",
            missing,
            missing,
            len(frozen.sessions),
            ON_STAND_IN,
            digits=0,
        )
    ]
    for found, of, data in (
        (frozen, "the frozen backbone", ON_STAND_IN),
        (tested("position-prior", material.adserp, folds(material.adserp, "kfold")), "position-prior", ADSERP),
    ):
        count = round(len(found.sessions) / 10)
        failed = np.random.default_rng(SEED).permutation(len(found.sessions))[:count]
        scores = found.scores()
        scores.loc[scores.index[failed], "JS"] = WRONG_JS
        here = mean_with_worst(found, failed.tolist(), "JS")
        what = f"JS of {of}, {count} sessions without attention"
        effects.append(Effect(what, over_users(scores, "JS"), here, len(found.sessions), data))
    return effects


def target(material: Material) -> list[Effect]:
    """Compute attention for the true click there, for the model's own answer here."""
    effects = []
    metrics = ("CSH@1", "JS", "KL")
    for operator in ("glimpse", "attnlrp", "attnlrp-stable"):
        there, here = material.labelled(operator), material.frozen(operator)
        effects += both(metrics, there, here, f"the frozen backbone, {operator}", ON_STAND_IN)
    return effects


def target_of_rollout(material: Material) -> list[Effect]:
    there, here = material.labelled("rollout"), material.frozen("rollout")
    return both(("CSH@1", "KL"), there, here, "the frozen backbone, rollout", ON_STAND_IN)


def reading(material: Material) -> list[Effect]:
    """Read FixATE's gain over the frozen backbone for the true click there, for the own answer here."""
    simulator, free = material.tuned()
    labels = simulator.attend_to_label(material.test)
    labelled = Tested(material.test, labels)
    effects = []
    for metric in ("KL", "JS", "CSH@1", "TGO@1"):
        there = labelled.mean(metric) - material.labelled("attnlrp-stable").mean(metric)
        here = free.mean(metric) - material.frozen("attnlrp-stable").mean(metric)
        what = f"{metric} of fixate less that of the frozen backbone" if metric == "KL" else metric
        effects.append(Effect(what, there, here, len(labels), ON_STAND_IN))
    return effects


def average(material: Material) -> list[Effect]:
    """Average over sessions there, over users here; the split kfold tests several sessions of a user."""
    effects = []
    for sessions, data in ((material.adserp, ADSERP), (material.recgaze, SIMULATED)):
        scores = tested("position-prior", sessions, folds(sessions, "kfold")).scores()
        for metric in ("KL", "Accuracy", "LogLoss", "AUC"):
            what = f"{metric} of position-prior, split kfold" if metric == "KL" else metric
            effects.append(Effect(what, float(scores[metric].mean()), over_users(scores, metric), len(scores), data))
    return effects


def average_of_loo(material: Material) -> list[Effect]:
    scores = tested("position-prior", material.recgaze, material.loo).scores()
    return [
        Effect(
            f"{m} of position-prior, split loo", float(scores[m].mean()), over_users(scores, m), len(scores), SIMULATED
        )
        for m in ("KL", "Accuracy")
    ]


def table(found: Tested, simulator: str, seed: int) -> pd.DataFrame:
    return found.scores().assign(simulator=simulator, seed=seed)


def significance(material: Material) -> list[Effect]:
    """Test random-prompt against the frozen backbone over five seeds there, over users and after Holm here."""
    seeds = [table(material.random_prompt(seed), "random-prompt", seed) for seed in SEEDS]
    scores = pd.concat([table(material.frozen("attnlrp-stable"), "backbone", SEED), *seeds], ignore_index=True)
    users = len({s.user for s in material.test})
    metrics = ("KL", "Accuracy", "LogLoss")
    repeated = under_every_seed(scores, "backbone")
    there = {m: paper_mode(repeated, "random-prompt", "backbone", m).p for m in metrics}
    means = {m: user_means(scores, m) for m in metrics}
    here = holm(
        {m: paired_comparison(of["random-prompt"], of["backbone"], n_resamples=0).tests["t"] for m, of in means.items()}
    )
    return [
        Effect(
            f"p of {m}, random-prompt against the frozen backbone" if m == "KL" else f"of {m}",
            there[m],
            here[m],
            users,
            ON_STAND_IN,
            "users, 5 seeds",
            digits=4,
        )
        for m in metrics
    ]


def screens(material: Material) -> list[Effect]:
    """Test user-prior against position-prior over users there, over users and screens here."""
    parts = folds(material.recgaze, "kfold")
    both_ways = [tested(name, material.recgaze, parts) for name in ("user-prior", "position-prior")]
    shown = {s.session_id: s.screen for s in material.recgaze}
    scores = pd.concat([table(found, str(i), SEED) for i, found in enumerate(both_ways)], ignore_index=True)
    cube = ScoreCube(scores.assign(screen=scores["session_id"].map(shown)))
    effects = []
    for metric in ("KL", "Accuracy", "LogLoss"):
        sessions = cube.session_means(metric)
        spans = [compare_pairs(one, [("0", "1")], n_resamples=0)["0", "1"] for one in (sessions.users, sessions)]
        what = "half width of the 95 % interval of KL, user-prior less position-prior, split kfold"
        widths = [(span.high - span.low) / 2 for span in spans]
        what = what if metric == "KL" else f"of {metric}"
        effects.append(Effect(what, *widths, len(material.recgaze), SIMULATED, digits=4))
    return effects


def ends(material: Material) -> list[Effect]:
    """Give the accuracy of position-prior a t interval there and a score interval here."""
    effects = []
    for sessions, split, data in ((material.adserp, "kfold", ADSERP), (material.recgaze, "loo", SIMULATED)):
        found = tested("position-prior", sessions, folds(sessions, split))
        users = found.scores().groupby("user")["Accuracy"].mean()
        there, here = (mean_interval(users, bounds=bounds) for bounds in (None, get("Accuracy").bounds))
        what, n = "lower end of the 95 % interval of Accuracy of position-prior", len(found.sessions)
        effects += [Effect(what, there.low, here.low, n, data), Effect("upper end", there.high, here.high, n, data)]
    return effects


def places(material: Material) -> list[Effect]:
    """Count the places of a ranking by the mean there, the statistical tiers here."""
    names = ("uniform", "position-prior", "kind-position-prior", "user-prior")
    parts = folds(material.adserp, "kfold")
    scores = pd.concat([table(tested(n, material.adserp, parts), n, SEED) for n in names], ignore_index=True)
    effects = []
    for metric in ("KL", "Accuracy", "LogLoss"):
        means = user_means(scores, metric)
        found = tiers(means, get(metric).higher_is_better)
        what = "places of four priors by KL" if metric == "KL" else f"by {metric}"
        ranks = len({round(float(value), 12) for value in means.mean()})
        effects.append(Effect(what, ranks, int(found["tier"].max()), len(means), ADSERP, "users", digits=0))
    return effects


_REPLAY = frozenset({"adserp"})
DEVIATIONS = (
    Deviation("ties", ties, needs=_REPLAY),
    Deviation("failed-sessions", failures, needs=_REPLAY),
    Deviation("js-nan", not_a_number, needs=_REPLAY),
    Deviation("attention-target", target),
    Deviation("attention-target-fixate", reading),
    Deviation("attention-target-rollout", target_of_rollout, zero=True),
    Deviation("user-means", average, needs=_REPLAY),
    Deviation("user-means-loo", average_of_loo, zero=True, tolerance=1e-12),
    Deviation("significance", significance),
    Deviation("screens", screens),
    Deviation("score-interval", ends, needs=_REPLAY),
    Deviation("tiers", places, needs=_REPLAY),
)
