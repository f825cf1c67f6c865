"""Which users and screens the sessions of a test set belong to, and what a mean over them varies with.

The reported mean gives every user the same weight: session s of user u, who has n_u sessions, weighs
w_s = 1 / (I n_u) among I users (PROTOCOL section 8). With the residuals e_s = w_s (y_s - mean), a factor (users,
screens, or the sessions themselves) of G levels has the variance

    V = G / (G - 1) sum over levels (sum of e_s in the level)^2.

For users this is the squared standard error of the t-test over user means. Where screens repeat, sessions of one
screen depend on each other as those of one user do, and the two-way variance is V_users + V_screens - V_sessions
(Cameron, Gelbach and Miller 2011), not below either one-way variance. The factor G / (G - 1) is ours.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.statistic import Floats

Ints = NDArray[np.int64]


class Factor:
    """What groups sessions: users, or screens; its levels are ``names``, sorted.

    ``of`` is the level of each session, shape (sessions,); ``counts`` the sessions of each level, shape (levels,).
    """

    def __init__(self, names: Sequence[str], of: Ints) -> None:
        self.names, self.of = tuple(names), of
        self.counts = np.bincount(of, minlength=len(names))
        self._order = None if (np.diff(of) >= 0).all() else np.argsort(of, kind="stable")
        self._starts = np.cumsum(self.counts) - self.counts

    @classmethod
    def of_labels(cls, labels: Sequence[str]) -> "Factor":
        """Return the factor of a label per session."""
        names, of = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
        return cls([str(name) for name in names], of)

    @property
    def labels(self) -> list[str]:
        """The name of each session's level."""
        return [self.names[i] for i in self.of]

    def taken(self, order: Ints) -> "Factor":
        """Return the factor of the sessions in another order."""
        return Factor(self.names, self.of[order])

    def __len__(self) -> int:
        return len(self.names)

    def sums(self, values: Floats) -> Floats:
        """Add up values within levels: shape (sessions, ...) to (levels, ...)."""
        ordered = values if self._order is None else values[self._order]
        return np.add.reduceat(ordered, self._starts, axis=0) if len(self) else ordered[:0]

    def means(self, values: Floats) -> Floats:
        """Average values within levels: shape (sessions, ...) to (levels, ...)."""
        return self.sums(values) / self.counts.reshape(-1, *[1] * (values.ndim - 1))


class Design:
    """The users of some sessions, and their screens, None where they are not known."""

    def __init__(self, users: Factor, screens: Factor | None = None) -> None:
        self.users, self.screens = users, screens

    @property
    def two_way(self) -> bool:
        """Whether screens are a factor besides users: known, at least two, and some shown in several sessions."""
        return self.screens is not None and 1 < len(self.screens) < len(self.users.of) and len(self.users) > 1

    @property
    def degrees(self) -> int:
        """Degrees of freedom of a mean: those of the smaller of users and, where they are a factor, screens."""
        return min(len(self.users), len(self.screens or ()) if self.two_way else len(self.users)) - 1

    @cached_property
    def weights(self) -> Floats:
        """The weight of each session in the mean, shape (sessions,), sum 1."""
        return 1.0 / (len(self.users) * self.users.counts[self.users.of])

    def residuals(self, values: Floats) -> Floats:
        """Return w (y - mean) of values of shape (sessions, columns)."""
        weights = self.weights[:, None]
        found: Floats = weights * (values - (weights * values).sum(axis=0))
        return found

    def factors(self, residuals: Floats) -> list[tuple[float, Floats]]:
        """Return G / (G - 1) and the sums of residuals within levels: of users and, if two-way, screens and sessions.

        The squares of the sums, added up over levels and multiplied by the first, are the one-way variances.
        """
        sums = [self.users.sums(residuals)]
        if self.two_way and self.screens is not None:
            sums += [self.screens.sums(residuals), residuals]
        return [(len(one) / (len(one) - 1), one) for one in sums]

    def estimate(self, values: Floats) -> tuple[Floats, Floats, int]:
        """Return mean and standard error of each column of shape (sessions, columns), and the degrees of freedom.

        The error is over users and, where they repeat, screens; NaN for fewer than two users.
        """
        of_users, n = self.users.means(values), len(self.users)
        mean: Floats = of_users.mean(axis=0)
        if self.two_way:
            return mean, np.sqrt(self.variance(values)), self.degrees
        error = of_users.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full_like(mean, np.nan)
        return mean, error, self.degrees

    def variance(self, values: Floats) -> Floats:
        """Return the two-way variance of the mean of each column of shape (sessions, columns)."""
        return two_way(*(c * (sums**2).sum(axis=0) for c, sums in self.factors(self.residuals(values))))


def two_way(users: Floats, screens: Floats, sessions: Floats) -> Floats:
    """Return the two-way variance from the one-way variances."""
    return np.maximum(users + screens - sessions, np.maximum(users, screens))
