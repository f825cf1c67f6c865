"""Where the variance of a reported mean comes from: users, screens, sessions, training seeds, and what is left.

A score of session s of user u on screen c under seed r is taken as

    y = mean + U(u) + C(c) + S(s) + R(r) + E(s, r),

all parts independent with the variances v_users, v_screens, v_sessions, v_seeds and v_residual; screens only where they
repeat. Users may differ in their number of sessions n_u. The reported mean gives users the same weight, so with I
users, J seeds, h = mean(1 / n_u) and W_c, the weight of the sessions on screen c,

    Var(mean) = (v_users + h (v_sessions + v_residual / J)) / I + v_screens sum W_c^2 + v_seeds / J.

The variances are estimated by the method of moments, from the very quantities that the tables depend on: the variance
between user means, the one-way variance over screens of ``statistics.design``, the pooled variance of session means
within users, the variance over seeds of the reported mean, and the mean square of the interaction of session and seed.
With equal numbers of sessions and without screens these are the estimates of the textbook's nested analysis of
variance. The parts are scaled so that all but the seeds' add up to the squared standard error of the tables; a test
over users and screens leaves the seeds' part out: it speaks of these seeds only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from benchmark.statistics.bootstrap import ROUNDING
from benchmark.statistics.clusters import ScoreCube
from benchmark.statistics.design import Design, Factor, Ints
from benchmark.statistics.power import smallest_resolvable
from benchmark.statistics.statistic import Floats
from tasks.errors import InputError, require_known

USERS, SCREENS, SESSIONS, SEEDS, RESIDUAL = "users", "screens", "sessions", "seeds", "residual"
PARTS = (USERS, SCREENS, SESSIONS, SEEDS, RESIDUAL)

SAME = "the same under every seed"
"""The note on what does not depend on a seed."""

LITTLE = 0.05
"""What shrinks the standard error by less than this share does not help."""

_SHOWN = {USERS: "users", SCREENS: "screens", SESSIONS: "sessions", SEEDS: "seeds", RESIDUAL: "seed x session"}


@dataclass(frozen=True, slots=True)
class Part:
    """One source of variance.

    Attributes:
        name: One of ``PARTS``.
        shown: What it is called in print; says so where two sources cannot be separated.
        estimate: The unbiased estimate of its variance, squared unit of the metric; it may be negative.
        variance: The same, 0 where the estimate is negative.
        of_mean: What it adds to the variance of the mean.
    """

    name: str
    shown: str
    estimate: float
    variance: float
    of_mean: float


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The variance of a mean over users, or of a mean paired difference.

    Attributes:
        n_seeds: 1 for what does not depend on a seed.
        n_screens: Screens; 0 where they do not repeat or are not known.
        variance: The squared standard error that the tables use, with these seeds.
        parts: The sources that can be separated. Their ``of_mean`` add up to the squared standard error: all but the
            seeds' are scaled together, so that they add up to ``variance``.
        seeds_known: False with one seed of something that depends on it: what seeds add is not known.
        notes: What could not be separated.
    """

    n_users: int
    n_sessions: int
    n_seeds: int
    n_screens: int
    mean: float
    variance: float
    parts: tuple[Part, ...]
    seeds_known: bool
    notes: tuple[str, ...] = ()

    @property
    def shares(self) -> dict[str, float]:
        """Each part's share of the variance of the mean; NaN where that is 0."""
        total = sum(part.of_mean for part in self.parts)
        return {part.name: part.of_mean / total if total > 0 else math.nan for part in self.parts}

    @property
    def negative(self) -> tuple[Part, ...]:
        """The parts whose estimate is negative and counts as 0."""
        return tuple(part for part in self.parts if part.estimate < 0)

    def standard_error(self, *, seeds: float = 1, sessions: float = 1, users: float = 1, screens: float = 1) -> float:
        """Return the standard error of the mean, now or with more of something.

        The arguments say how many times as many: seeds, infinity for all there could be; sessions per user; users,
        with sessions like those of the present ones; screens, over which the same sessions are spread. It is in the
        metric's unit; NaN where it is not known: more sessions of users who have one each, more seeds than one, more
        screens where they do not repeat.
        """
        sessions_known = any(part.name == SESSIONS for part in self.parts)
        if (sessions != 1 and not sessions_known) or (seeds != 1 and not self.seeds_known):
            return math.nan
        if screens != 1 and not self.n_screens:
            return math.nan
        divisors = {USERS: users, SCREENS: screens, SESSIONS: users * sessions, SEEDS: seeds}
        divisors[RESIDUAL] = users * sessions * seeds
        return math.sqrt(sum(part.of_mean / divisors[part.name] for part in self.parts))

    def resolves(self, *, seeds: float = 1, sessions: float = 1, users: float = 1, screens: float = 1) -> float:
        """Return the smallest true difference that is shown with 80 % power at the 5 % level, other seeds included.

        The arguments are those of ``standard_error``. The spread counts as known as well as that of the smaller of
        users and screens.
        """
        error = self.standard_error(seeds=seeds, sessions=sessions, users=users, screens=screens)
        return smallest_resolvable(error, self._degrees(users, screens))

    @property
    def resolves_with_these_seeds(self) -> float:
        """What the tables print as ``resolves``: the seeds count as given, and only users and screens vary."""
        return smallest_resolvable(math.sqrt(self.variance), self._degrees())

    def _degrees(self, users: float = 1, screens: float = 1) -> int:
        counts = [self.n_users * users, *([self.n_screens * screens] if self.n_screens else [])]
        return round(min(counts)) - 1


def decompose(
    values: ArrayLike, users: Sequence[str], screens: Sequence[str] | None = None, *, depends_on_seed: bool = True
) -> Decomposition:
    """Split the variance of finite scores, shape (sessions, seeds), given the user and perhaps screen of each session.

    ``depends_on_seed`` is False for what is the same under every seed: with one seed it says whether others would
    differ; with several it is found out. InputError if there are fewer than two users.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or len(array) != len(users) or not array.size or not np.isfinite(array).all():
        raise ValueError("expected finite values of shape (sessions, seeds), and a user per session")
    largest = float(np.abs(array).max())
    if array.shape[1] > 1 and float(np.ptp(array, axis=1).max()) <= ROUNDING * largest:
        array, depends_on_seed = array[:, :1], False
    design = Design(Factor.of_labels(users), None if screens is None else Factor.of_labels(screens))
    n_users, (n_sessions, n_seeds) = len(design.users), array.shape
    if n_users < 2:
        raise InputError("variance between users needs at least two users in the test set.")
    session_means = array.mean(axis=1)
    user_means = design.users.means(session_means)
    variance = float(user_means.var(ddof=1)) / n_users
    if design.two_way:
        variance = float(design.variance(session_means[:, None])[0])
    estimates: dict[str, float] = {}
    residual = 0.0
    if n_seeds > 1:
        interaction = array - session_means[:, None] - array.mean(axis=0) + array.mean()
        residual = float((interaction**2).sum()) / ((n_sessions - 1) * (n_seeds - 1))
        over_seeds = float((design.weights @ array).var(ddof=1))
        estimates = {SEEDS: over_seeds - residual * float((design.weights**2).sum()), RESIDUAL: residual}
    estimates |= _moments(design, session_means, residual / n_seeds)
    tiny = (ROUNDING * largest) ** 2
    estimates = {name: estimate if abs(estimate) > tiny else 0.0 for name, estimate in estimates.items()}
    kept = {name: max(0.0, estimate) for name, estimate in estimates.items()}
    squares = float((design.weights**2).sum())  # h / I
    weight = {USERS: 1 / n_users, SESSIONS: squares, SEEDS: 1 / n_seeds, RESIDUAL: squares / n_seeds}
    if design.two_way and design.screens is not None:
        weight[SCREENS] = float((design.screens.sums(design.weights) ** 2).sum())
    of_mean = {name: kept[name] * weight[name] for name in kept}
    total = sum(value for name, value in of_mean.items() if name != SEEDS)
    scale = variance / total if total > 0 else 1.0
    of_mean = {name: value * (1.0 if name == SEEDS else scale) for name, value in of_mean.items()}
    shown, notes = _inseparable(n_sessions > n_users, n_seeds > 1, depends_on_seed)
    return Decomposition(
        n_users=n_users,
        n_sessions=n_sessions,
        n_seeds=n_seeds,
        n_screens=len(design.screens or ()) if design.two_way else 0,
        mean=float(user_means.mean()),
        variance=variance,
        parts=tuple(
            Part(name, shown[name], estimates[name], kept[name], of_mean[name]) for name in PARTS if name in kept
        ),
        seeds_known=n_seeds > 1 or not depends_on_seed,
        notes=tuple(notes),
    )


def _moments(design: Design, values: Floats, residual: float) -> dict[str, float]:
    """Return the estimates for users, screens and sessions: what makes mean squares those that are expected of them.

    ``values`` are session means, shape (sessions,); the interaction of session and seed adds ``residual`` to each.
    """
    users, w, n_users, n_sessions = design.users, design.weights, len(design.users), len(values)
    means, squares = users.means(values), float((w**2).sum())
    observed = {USERS: float(means.var(ddof=1))}
    expected = {USERS: {USERS: 1.0, SESSIONS: n_users * squares}}
    if n_sessions > n_users:
        observed[SESSIONS] = float(((values - means[users.of]) ** 2).sum())
        expected[SESSIONS] = {SESSIONS: n_sessions - n_users}
    if design.two_way and design.screens is not None:
        screens, of_screen = design.screens, design.screens.sums(w)
        pair, of_pair = np.unique(users.of * len(screens) + screens.of, return_inverse=True)
        user, screen, n = pair // len(screens), pair % len(screens), np.bincount(of_pair)
        share, kappa = n / users.counts[user], float((of_screen**2).sum())

        def expectation(entries: Floats, rows: Ints, weights: Floats, norm: float) -> float:
            """Return the squared norm of X - a b': entries of X in rows, a the screens' weights, b of squared norm."""
            return float((entries**2).sum() - 2 * (of_screen[rows] * entries * weights).sum() + kappa * norm)

        observed[SCREENS] = float((screens.sums(design.residuals(values[:, None])) ** 2).sum())
        expected[SCREENS] = {
            USERS: expectation(share / n_users, screen, np.full(len(n), 1 / n_users), 1 / n_users),
            SCREENS: expectation(of_screen, np.arange(len(screens)), of_screen, kappa),
            SESSIONS: expectation(w, screens.of, w, squares),
        }
        expected[USERS][SCREENS] = (float((share**2).sum()) - n_users * kappa) / (n_users - 1)
        if SESSIONS in expected:
            expected[SESSIONS][SCREENS] = n_sessions - float((share * n).sum())
    # Where users have one session, what is the sessions' counts as the users', but for what is known of it.
    known = [observed[name] - expected[name].get(SESSIONS, 0.0) * residual for name in observed]
    matrix = np.array([[expected[name].get(part, 0.0) for part in observed] for name in observed])
    return dict(zip(observed, np.linalg.lstsq(matrix, np.array(known))[0].tolist(), strict=True))


class SeedScores:
    """The scores of one metric by session and seed, to be decomposed simulator by simulator.

    ``scores`` is a table of ``benchmark.statistics.clusters``, ``n_seeds`` the seeds of the run, by default those of
    the table: a simulator with one seed in a run of several does not depend on it. InputError if the table is faulty.
    """

    def __init__(self, scores: pd.DataFrame | ScoreCube, metric: str, n_seeds: int | None = None) -> None:
        cube = ScoreCube.of(scores)
        chosen, values = cube.runs(metric)
        asked = n_seeds if n_seeds is not None else len(np.unique(cube.seeds))
        self.metric = metric
        self._users = cube.design.users.labels
        self._screens = None if cube.design.screens is None else cube.design.screens.labels
        self._runs: dict[str, tuple[Floats, list[int], bool]] = {}
        for i in np.unique(cube.simulator[chosen]):
            name, own = cube.simulators[i], cube.simulator[chosen] == i
            wide = values[own].T
            varies = bool(np.ptp(wide, axis=1).max() > ROUNDING * np.abs(wide).max())
            depends = varies if wide.shape[1] > 1 else asked == 1
            self._runs[name] = wide, cube.seeds[chosen][own].tolist(), depends

    def of_mean(self, simulator: str) -> Decomposition:
        """Split the variance of a simulator's mean.

        InputError if the simulator does not claim the metric, or there are fewer than two users.
        """
        values, _, depends = self._of(simulator)
        return decompose(values, self._users, self._screens, depends_on_seed=depends)

    def of_difference(self, simulator: str, reference: str) -> Decomposition:
        """Split the variance of the mean difference of two simulators, paired by session and seed.

        What does not depend on a seed is paired with every seed of the other. InputError as for ``of_mean``, or if both
        depend on seeds and were not run with the same ones.
        """
        found = self._of(simulator), self._of(reference)
        a, b = (values if depends else values[:, :1] for values, _, depends in found)
        (_, seeds, depends), (_, others, other_depends) = found
        if depends and other_depends and seeds != others:
            raise InputError(
                f"{simulator} and {reference} were run with different seeds; a decomposition pairs them by seed. "
                "Run both with the same seeds."
            )
        differences = a - b
        differences[np.abs(differences) <= ROUNDING * float(max(np.abs(a).max(), np.abs(b).max()))] = 0.0
        return decompose(differences, self._users, self._screens, depends_on_seed=depends or other_depends)

    def _of(self, simulator: str) -> tuple[Floats, list[int], bool]:
        """Return scores, seeds and whether they depend on these."""
        require_known(f"simulator with {self.metric}", [simulator], self._runs)
        return self._runs[simulator]


UNKNOWN, NONE, NO_HELP, SOME = "unknown", "none", "no help", "some"
"""What is known of more seeds: nothing, that seeds play no part, that more cannot help, how far more alone can go."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What makes the variance of a mean, and what is worth adding.

    Attributes:
        top: The part that makes most of it.
        seeds: One of ``UNKNOWN``, ``NONE``, ``NO_HELP``, ``SOME``.
        all_seeds: What more seeds alone could bring that to; NaN unless ``seeds`` is ``SOME``.
        best: What helps most and what comes near it, best first: of what twice as much, and what is resolved then.
    """

    top: Part
    share: float
    seeds: str
    now: float
    all_seeds: float
    best: tuple[tuple[str, float], ...]


def advised(found: Decomposition) -> Advice | None:
    """Return what to add: what resolves the smallest difference if there is twice as much of it, and what comes near.

    None where there is no spread to be shrunk.
    """
    now = found.standard_error()
    if not now > 0:
        return None
    top = max(found.parts, key=lambda part: part.of_mean)
    if not found.seeds_known:
        seeds = UNKNOWN
    elif found.n_seeds == 1:
        seeds = NONE
    else:
        seeds = NO_HELP if found.standard_error(seeds=math.inf) > (1 - LITTLE) * now else SOME
    offers = {
        "seeds": found.resolves(seeds=2),
        "sessions per user": found.resolves(sessions=2),
        "users": found.resolves(users=2),
        "screens": found.resolves(screens=2),
    }
    known = {name: value for name, value in offers.items() if not math.isnan(value)}
    near = [name for name in sorted(known, key=known.__getitem__) if known[name] <= (1 + LITTLE) * min(known.values())]
    return Advice(
        top,
        found.shares[top.name],
        seeds,
        found.resolves(),
        found.resolves(seeds=math.inf) if seeds == SOME else math.nan,
        tuple((name, known[name]) for name in near),
    )


def advice(found: Decomposition) -> str:
    """Return one sentence: what makes the variance, whether more seeds can help, and what helps most."""
    answer = advised(found)
    if answer is None:
        return "there is no spread to be shrunk."
    makes = f"{answer.top.shown} {verb(answer.top)} {100 * answer.share:.0f} % of the variance of the mean"
    lead = {
        UNKNOWN: f"{makes}; with one seed it is not known what seeds add",
        NONE: f"seeds play no part: {makes}",
        NO_HELP: f"more seeds cannot help: {makes}",
        SOME: f"{makes}; more seeds alone bring resolves to {answer.all_seeds:.3f} at best",
    }[answer.seeds]
    best = ", ".join(f"twice the {name} ({value:.3f})" for name, value in answer.best)
    return f"{lead}; resolves {answer.now:.3f} now; what helps most: {best}."


def verb(part: Part) -> str:
    """Return ``make``, or ``makes`` for the part that is one."""
    return "makes" if part.name == RESIDUAL else "make"


def _inseparable(
    several_sessions: bool, several_seeds: bool, depends_on_seed: bool
) -> tuple[dict[str, str], list[str]]:
    """Return part -> what it is called, one name for sources that cannot be separated, and notes on these."""
    shown, notes = dict(_SHOWN), []
    with_seed = depends_on_seed and not several_seeds
    if not several_sessions:
        shown[USERS] = f"users (with their session{' and seed' if with_seed else ''})"
        notes.append("one session per user: what is the user's and what the session's cannot be separated")
    elif with_seed:
        shown[SESSIONS] = "sessions (with their seed)"
    if not several_seeds:
        notes.append("one seed: what seeds add is not known" if depends_on_seed else SAME)
    return shown, notes
