"""Variation over training seeds, and the paper's own test over them (PROTOCOL section 8).

The spread over seeds says how far a simulator depends on its random start. It says nothing about other users: a test
with seeds as its sample can be as small in p as one likes while the users are few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.statistics.bootstrap import ROUNDING
from benchmark.statistics.clusters import ScoreCube, seed_means
from benchmark.statistics.paired_t import paired_t
from tasks.errors import require_known


@dataclass(frozen=True, slots=True)
class PaperComparison:
    """Simulator a compared with simulator b by a paired t-test over seeds, as in the paper's tables.

    Attributes:
        n_seeds: Seeds that both were run with; the sample size.
        mean_difference: Mean over these seeds of the difference of their means over test sessions.
        t: Paired t statistic, n_seeds - 1 degrees of freedom.
        p: Two-sided.
        stars: ``**`` for p < 0.01, ``*`` for p < 0.05, otherwise empty; uncorrected, in either direction.
        reason: Why p is NaN or trivial; empty otherwise.
    """

    n_seeds: int
    mean_difference: float
    t: float
    p: float
    stars: str
    reason: str = ""


def seed_sd(scores: pd.DataFrame | ScoreCube, metric: str) -> pd.Series[float]:
    """Return the standard deviation over seeds of each simulator's mean over the test set.

    The mean is the reported one (sessions within users, then users); ddof = 1. NaN for a simulator run with one seed
    and for one whose every session scores the same under all seeds: it is deterministic, and a spread of 0 would look
    like a finding. InputError if the table is faulty.
    """
    cube = ScoreCube.of(scores)
    spread: pd.Series[float] = seed_means(cube, metric).std(ddof=1)
    chosen, values = cube.runs(metric)
    varies = {}
    for i in np.unique(cube.simulator[chosen]):
        own = values[cube.simulator[chosen] == i]
        varies[cube.simulators[i]] = len(own) > 1 and bool((np.ptp(own, axis=0) > 0).any())
    known: pd.Series[float] = spread.where(pd.Series(varies, dtype=bool)).rename("seed_sd")
    return known


def under_every_seed(scores: pd.DataFrame, simulator: str) -> pd.DataFrame:
    """Return the table with a deterministic simulator, run with one seed, under every seed of the others.

    A simulator that uses no seed is run once; the paper's test pairs its one value with every seed of the other.
    ValueError if it has rows of several seeds.
    """
    own = scores["simulator"] == simulator
    if scores.loc[own, "seed"].nunique() != 1:
        raise ValueError(f"'{simulator}' has rows of several seeds")
    seeds = scores.loc[~own, "seed"].unique()
    copies = [scores[own].assign(seed=seed) for seed in (seeds if len(seeds) else scores.loc[own, "seed"].unique())]
    found: pd.DataFrame = pd.concat([scores[~own], *copies], ignore_index=True)
    return found


def paper_mode(scores: pd.DataFrame, a: str, b: str, metric: str) -> PaperComparison:
    """Compare a with b (a minus b) as the paper does: paired t-test over seeds of the mean over test sessions.

    All differences 0: p is 1. All differences equal but not 0, as between two deterministic simulators: the seeds carry
    no information about the difference, so t and p are NaN and there are no stars. Fewer than two common seeds: the
    same. InputError if the table is faulty, or a simulator is not in it or does not claim the metric.
    """
    means = seed_means(scores, metric, by_user=False)
    require_known(f"simulator with {metric}", (a, b), [str(column) for column in means.columns])
    both = means[[a, b]].dropna() if a != b else means[[a]].dropna()
    first, second = both[a].to_numpy(dtype=np.float64), both[b].to_numpy(dtype=np.float64)
    n, differences = len(both), first - second
    unit = ROUNDING * float(np.abs([first, second]).max(initial=0.0))
    differences[np.abs(differences) <= unit] = 0.0
    t, p, reason = math.nan, math.nan, ""
    if n < 2:
        reason = f"{n} common seed{'s' if n != 1 else ''}: the test needs at least 2"
    elif not differences.any():
        t, p, reason = 0.0, 1.0, "all differences are 0"
    elif np.ptp(differences) <= unit:
        reason = "the difference is the same under every seed: the seeds say nothing about it"
    else:
        t, p = map(float, paired_t(differences))
    stars = "**" if p < 0.01 else "*" if p < 0.05 else ""
    return PaperComparison(n, float(differences.mean()) if n else math.nan, t, p, stars, reason)
