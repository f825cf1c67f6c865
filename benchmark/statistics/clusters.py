"""From a table of per-session scores to one value per user: the one place that knows the unit of analysis.

Sessions of one person resemble each other, so they are not independent observations. PROTOCOL section 8: average
the seeds within a session, the sessions within a user, and compare users. Every interval and test of this package
starts from a :class:`ScoreCube`, so no two of them can disagree about what a cluster is.

The score table is tidy, one row per simulator, seed and session, with the columns ``simulator``, ``seed``, ``fold``
(not used here: a session is tested in one fold), ``session_id``, ``user``, ``screen`` (by which screens repeat; tables
of older versions lack it) and one number column per metric, blank (NaN) where the simulator does not claim the metric.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from benchmark.statistics.design import Design, Factor, Ints
from benchmark.statistics.statistic import Clustered, Floats
from tasks.errors import InputError, unknown_name

CLUSTER = "user"
SCREEN = "screen"
ID_COLUMNS = ("simulator", "seed", "fold", "session_id", CLUSTER, SCREEN)
FAILED = "failed"  # how many parts a session lacked: a column of its own, no metric
_KEY = ["simulator", "seed", "session_id"]


def metric_names(scores: pd.DataFrame) -> list[str]:
    """Return the metric columns of a score table, in order."""
    return [str(column) for column in scores.columns if column not in (*ID_COLUMNS, FAILED)]


@dataclass(frozen=True, eq=False)
class SessionMeans:
    """One metric, seeds averaged, shape (sessions, simulators), finite; ``names`` are those that claim it, sorted."""

    names: tuple[str, ...]
    values: Floats
    design: Design

    @cached_property
    def users(self) -> pd.DataFrame:
        """The mean of each user: index user, one column per simulator, both sorted."""
        index = pd.Index(self.design.users.names, name=CLUSTER)
        means = self.design.users.means(self.values)
        table: pd.DataFrame = pd.DataFrame(means, index=index, columns=list(self.names))
        return table

    def clustered(self, values: Floats) -> Clustered | None:
        """Return what the mean of values of shape (sessions,) varies with; None where screens do not repeat."""
        if not self.design.two_way:
            return None
        variance = float(self.design.variance(values[:, None])[0])
        return Clustered(variance**0.5, self.design.degrees)


class ScoreCube:
    """A score table laid out as runs by sessions, checked once for all its metrics.

    A run is a simulator under one seed. Runs are in the order of simulators and seeds, sessions in that of users and
    ids, so that nothing computed from them depends on the order of the rows that came in. ``simulator`` and ``seeds``
    say what each run is, ``rows``, shape (runs, sessions), where its scores are in the table. InputError if a column is
    missing, an identity is blank, a row is there twice, a session belongs to two users or screens, or a simulator lacks
    a session that it has under another seed or that another simulator has.
    """

    def __init__(self, scores: pd.DataFrame) -> None:
        needed = [*_KEY, CLUSTER]
        missing = [column for column in needed if column not in scores.columns]
        if missing:
            raise InputError(f"the score table has no column {', '.join(missing)}; it needs {', '.join(needed)}.")
        needed += [SCREEN] if SCREEN in scores.columns else []
        blank = scores[needed].isna().to_numpy()
        if blank.any():
            row, column = np.argwhere(blank)[0]
            raise InputError(f"row {row} of the score table has a blank {needed[column]}.")
        self.scores = scores
        simulator, self.simulators = _coded(scores["simulator"])
        session, ids = _coded(scores["session_id"])
        seeds, seed = np.unique(scores["seed"].to_numpy(), return_inverse=True)
        user = self._owners(session, ids, CLUSTER)
        screen = self._owners(session, ids, SCREEN) if SCREEN in scores.columns else None
        order = np.argsort(user.of, kind="stable")  # ids are in order within a user
        self.sessions = [ids[i] for i in order]
        self.design = Design(user.taken(order), None if screen is None else screen.taken(order))
        runs, run = np.unique(simulator * len(seeds) + seed, return_inverse=True)
        self.simulator, self.seeds = runs // max(1, len(seeds)), seeds[runs % max(1, len(seeds))]
        place = run * len(ids) + np.argsort(order)[session]
        count = np.bincount(place, minlength=len(runs) * len(ids))
        if (count > 1).any():
            seen = pd.Series(place).duplicated().to_numpy()
            raise InputError(f"{self._of_row(int(np.flatnonzero(seen)[0]))} twice; score it again.")
        if not count.all():
            raise self._incomplete(count.reshape(len(runs), len(ids)) > 0)
        self.rows = np.argsort(place).reshape(len(runs), len(ids))

    @classmethod
    def of(cls, scores: "pd.DataFrame | ScoreCube") -> "ScoreCube":
        """Return a score table as a cube, one that is a cube already as it is."""
        return scores if isinstance(scores, ScoreCube) else cls(scores)

    def runs(self, metric: str) -> tuple[Ints, Floats]:
        """Return the runs of the simulators that claim a metric, and their scores, shape (runs, sessions), finite.

        InputError: the table has no such metric, a score is text or infinite, or a simulator has only some.
        """
        if metric not in self.scores.columns or metric in ID_COLUMNS:
            raise unknown_name("metric", metric, metric_names(self.scores))
        try:
            column = self.scores[metric].to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise InputError(f"the column {metric} of the score table holds something that is not a number.") from error
        values = column[self.rows]
        known = ~np.isnan(values)
        claims = np.bincount(self.simulator, known.any(axis=1), len(self.simulators))[self.simulator] > 0
        for wrong, problem in ((~known, f"no {metric} for"), (np.isinf(values), f"an infinite {metric} for")):
            if wrong[claims].any():
                row = int(self.rows[wrong & claims[:, None]].min())
                others = " but has others" if problem.startswith("no") else ""
                raise InputError(f"{self._of_row(row, problem)}{others}; score it again.")
        chosen = np.flatnonzero(claims)
        return chosen, values[chosen]

    def session_means(self, metric: str) -> SessionMeans:
        """Average the seeds within each session; InputError as :meth:`runs`."""
        chosen, values = self.runs(metric)
        there, of = np.unique(self.simulator[chosen], return_inverse=True)
        names = tuple(self.simulators[i] for i in there)
        return SessionMeans(names, Factor(names, of).means(values).T, self.design)

    def _owners(self, session: Ints, ids: list[str], what: str) -> Factor:
        """Return the user or the screen of each session; one that has several is refused."""
        of_row, names = _coded(self.scores[what])
        owner = np.zeros(len(ids), dtype=np.int64)
        owner[session] = of_row
        wrong = np.flatnonzero(owner[session] != of_row)
        if len(wrong):
            which = session[wrong[0]]
            found = ", ".join(names[i] for i in np.unique(of_row[session == which]))
            raise InputError(f"session {ids[which]} belongs to several {what}s: {found}.")
        return Factor(names, owner)

    def _of_row(self, row: int, problem: str = "") -> str:
        """Return whose a row is, for a message."""
        found = self.scores.iloc[row]
        has = f"has {problem} session" if problem else "has session"
        return f"simulator {found['simulator']} {has} {found['session_id']} (seed {found['seed']})"

    def _incomplete(self, present: np.ndarray) -> InputError:
        """Say which run lacks a session: a mean over what is there would compare different test sets, in silence."""
        run, session = np.argwhere(~present)[0]
        holders = np.flatnonzero(present[:, session])
        same = holders[self.simulator[holders] == self.simulator[run]]
        holder = int((same if len(same) else holders)[0])
        has = f"seed {self.seeds[holder]}" if len(same) else f"simulator {self.simulators[self.simulator[holder]]}"
        return InputError(
            f"simulator {self.simulators[self.simulator[run]]} (seed {self.seeds[run]}) has no score for session "
            f"{self.sessions[session]} of user {self.design.users.names[self.design.users.of[session]]}, which {has} "
            "has; all must be scored on the same sessions."
        )


def session_means(scores: pd.DataFrame | ScoreCube, metric: str) -> pd.DataFrame:
    """Average the seeds within each session: index (user, session_id), one column per simulator that claims the metric.

    InputError: the table is faulty (:class:`ScoreCube`).
    """
    cube = ScoreCube.of(scores)
    found = cube.session_means(metric)
    index = pd.MultiIndex.from_arrays([cube.design.users.labels, cube.sessions], names=[CLUSTER, "session_id"])
    table: pd.DataFrame = pd.DataFrame(found.values, index=index, columns=list(found.names))
    return table


def user_means(scores: pd.DataFrame | ScoreCube, metric: str) -> pd.DataFrame:
    """Average the seeds within each session, then the sessions within each user (PROTOCOL section 8).

    Every user weighs the same, however many sessions they have. Index user, one column per simulator that claims the
    metric, both sorted. InputError: the table is faulty (:class:`ScoreCube`); what is missing for one only is named.
    """
    return ScoreCube.of(scores).session_means(metric).users


def seed_means(scores: pd.DataFrame | ScoreCube, metric: str, *, by_user: bool = True) -> pd.DataFrame:
    """Average the test set under each seed.

    With ``by_user`` sessions are averaged within users first, as every reported mean of this suite is; otherwise all
    sessions weigh the same, as in the paper's tables. Returns float64, index seed, one column per simulator that claims
    the metric; NaN under a seed it was not run with. InputError if the table is faulty (:class:`ScoreCube`).
    """
    cube = ScoreCube.of(scores)
    chosen, values = cube.runs(metric)
    means = cube.design.users.means(values.T).mean(axis=0) if by_user else values.mean(axis=1)
    names = [cube.simulators[i] for i in cube.simulator[chosen]]
    found = pd.Series(means, index=pd.MultiIndex.from_arrays([cube.seeds[chosen], names], names=["seed", "simulator"]))
    table: pd.DataFrame = found.unstack("simulator")
    return table


def _coded(column: pd.Series) -> tuple[Ints, list[str]]:
    """Return the place of each value among the distinct ones as text, sorted; unused categories are none."""
    first, names = pd.factorize(column)
    text, distinct = pd.factorize(np.array([str(name) for name in names], dtype=object), sort=True)
    return text[first].astype(np.int64), distinct.tolist()
