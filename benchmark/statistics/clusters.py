"""From a table of per-session scores to one value per user: the one place that knows the unit of analysis.

Sessions of one person resemble each other, so they are not independent observations. PROTOCOL section 8: average
the seeds within a session, the sessions within a user, and compare users. Every interval and test of this package
starts from :func:`user_means`, so no two of them can disagree about what a cluster is.

The score table is tidy, one row per simulator, seed and session, with the columns ``simulator``, ``seed``, ``fold``
(not used here: a session is tested in one fold), ``session_id``, ``user`` and one number column per metric, blank
(NaN) where the simulator does not claim the metric.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.errors import InputError, unknown_name

CLUSTER = "user"
ID_COLUMNS = ("simulator", "seed", "fold", "session_id", CLUSTER)
FAILED = "failed"  # how many parts a session lacked: a column of its own, no metric
_KEY = ["simulator", "seed", "session_id"]
_TEXT = ("simulator", CLUSTER, "session_id")  # also where the column came as categories, whose unused ones would count


def metric_names(scores: pd.DataFrame) -> list[str]:
    """Return the metric columns of a score table, in order."""
    return [str(column) for column in scores.columns if column not in (*ID_COLUMNS, FAILED)]


def claimed_scores(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the checked rows of the simulators that claim ``metric``, in canonical order.

    Returns:
        Columns simulator, user, session_id, seed and ``value`` (float64, finite), sorted by the first four, so that
        nothing computed from them depends on the order of the rows that came in. A simulator without a single value
        is left out.

    Raises:
        InputError: A column is missing, an identity is blank, a score is text or infinite, a row is there twice, a
            session belongs to two users, a simulator has some of its scores only, or lacks a session that it has
            under another seed or that another simulator has.
    """
    needed = [*_KEY, CLUSTER]
    missing = [column for column in needed if column not in scores.columns]
    if missing:
        raise InputError(f"the score table has no column {', '.join(missing)}; it needs {', '.join(needed)}.")
    if metric not in scores.columns or metric in ID_COLUMNS:
        raise unknown_name("metric", metric, metric_names(scores))
    blank = scores[needed].isna().to_numpy()
    if blank.any():
        row, column = np.argwhere(blank)[0]
        raise InputError(f"row {row} of the score table has a blank {needed[column]}.")
    table = scores[["simulator", CLUSTER, "session_id", "seed"]].astype({name: str for name in _TEXT})
    try:
        table["value"] = scores[metric].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"the column {metric} of the score table holds something that is not a number.") from error
    blank_value = table["value"].isna()
    if blank_value.any():
        claims = (~blank_value).groupby(table["simulator"]).transform("any")
        _reject(
            table[claims & blank_value], "has no {metric} for session {session_id} (seed {seed}) but has others", metric
        )
        table = table[claims]
    _reject(table[np.isinf(table["value"])], "has an infinite {metric} for session {session_id} (seed {seed})", metric)
    _reject(table[table.duplicated(_KEY)], "has session {session_id} (seed {seed}) twice", metric)
    ordered: pd.DataFrame = table.sort_values(["simulator", CLUSTER, "session_id", "seed"], ignore_index=True)
    _check_users(ordered)
    _check_complete(ordered)
    return ordered


def session_means(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Average the seeds within each session.

    Returns:
        float64, index (user, session_id), one column per simulator that claims the metric, both sorted.

    Raises:
        InputError: As :func:`claimed_scores`.
    """
    table = claimed_scores(scores, metric)
    means = table.groupby([CLUSTER, "session_id", "simulator"], sort=True)["value"].mean()
    wide: pd.DataFrame = means.unstack("simulator")
    return wide


def user_means(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Average the seeds within each session, then the sessions within each user (PROTOCOL section 8).

    Every user weighs the same, however many sessions they have.

    Returns:
        float64 without blanks, index user, one column per simulator that claims the metric, both sorted.

    Raises:
        InputError: As :func:`claimed_scores`; a user or session missing for one simulator only is named.
    """
    return session_means(scores, metric).groupby(level=CLUSTER, sort=True).mean()


def seed_means(scores: pd.DataFrame, metric: str, *, by_user: bool = True) -> pd.DataFrame:
    """Average the test set under each seed.

    Args:
        scores: The score table.
        metric: One of its metric columns.
        by_user: Average sessions within users first, as every reported mean of this suite does; otherwise all
            sessions weigh the same, as in the paper's tables.

    Returns:
        float64, index seed, one column per simulator that claims the metric; NaN under a seed it was not run with.

    Raises:
        InputError: As :func:`claimed_scores`.
    """
    table = claimed_scores(scores, metric)
    if by_user:
        table = table.groupby(["seed", "simulator", CLUSTER], sort=True)["value"].mean().reset_index()
    return table.groupby(["seed", "simulator"], sort=True)["value"].mean().unstack("simulator")


def _reject(rows: pd.DataFrame, problem: str, metric: str) -> None:
    """Raise for the first of ``rows``, if there is one."""
    if len(rows):
        row = rows.iloc[0]
        what = problem.format(metric=metric, session_id=row["session_id"], seed=row["seed"])
        raise InputError(f"simulator {row['simulator']} {what}; score it again.")


def _check_users(table: pd.DataFrame) -> None:
    """Refuse a session that belongs to two users: clustering would be undefined."""
    owners = table[["session_id", CLUSTER]].drop_duplicates()
    twice = owners[owners.duplicated("session_id")]
    if len(twice):
        session = twice["session_id"].iloc[0]
        users = owners.loc[owners["session_id"] == session, CLUSTER]
        raise InputError(f"session {session} belongs to several users: {', '.join(map(str, users))}.")


def _check_complete(table: pd.DataFrame) -> None:
    """Refuse a simulator that lacks a session which it or another simulator has elsewhere.

    A mean over what happens to be there would compare different test sets, in silence.
    """
    runs = table.groupby(["simulator", "seed"], sort=True).ngroup().to_numpy()
    sessions, names = pd.factorize(table["session_id"], sort=True)
    present = np.zeros((int(runs.max(initial=-1)) + 1, len(names)), dtype=bool)
    present[runs, sessions] = True
    if present.all():
        return
    run, session = np.argwhere(~present)[0]
    lacking = table[runs == run].iloc[0]
    holders = table[sessions == session]
    same = holders[holders["simulator"] == lacking["simulator"]]
    holder = (same if len(same) else holders).iloc[0]
    has = f"seed {holder['seed']}" if len(same) else f"simulator {holder['simulator']}"
    raise InputError(
        f"simulator {lacking['simulator']} (seed {lacking['seed']}) has no score for session {holder['session_id']} of "
        f"user {holder[CLUSTER]}, which {has} has; all must be scored on the same sessions."
    )
