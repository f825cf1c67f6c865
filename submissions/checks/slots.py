"""Numbers per slot of many sessions, and what is left of them once what is known is taken out."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from benchmark.parts.ragged import Floats, Ints


def codes(values: Iterable[Any]) -> Ints:
    """Return a number per value, the same for equal ones, shape (values,)."""
    known: dict[Any, int] = {}
    return np.array([known.setdefault(value, len(known)) for value in values], dtype=np.int64)


class Slots:
    """Sets of alternatives laid end to end, one row each: the slots of sessions, or where a path may go on to."""

    def __init__(self, counts: Ints, users: Ints) -> None:
        self.counts, self.users = counts, np.unique(users, return_inverse=True)[1]
        self.starts = np.cumsum(counts) - counts

    def rows(self, values: Any) -> Any:
        """Return a value per set for each of its rows."""
        return np.repeat(values, self.counts, axis=0)

    def sums(self, values: Floats) -> Floats:
        """Return the sum over its set for each row."""
        return np.asarray(self.rows(np.add.reduceat(values, self.starts, axis=0)))

    def shares(self, values: Floats) -> Floats:
        """Divide by the sums over sets; 1/K where that is 0."""
        total = self.sums(values)
        return np.where(total > 0, values / np.where(total > 0, total, 1), 1 / self.rows(self.counts))

    def ranks(self, shares: Floats) -> Floats:
        """Return ranks of numbers from 0 to 1 within their sets, divided by K; ties share theirs."""
        from scipy.stats import rankdata

        apart = rankdata(shares + self.rows(2.0 * np.arange(len(self.counts))))
        return np.asarray((apart - self.rows(self.starts)) / self.rows(self.counts))

    def centred(self, values: Floats) -> Floats:
        """Take out the means over sets; ``values`` has the shape (rows,) or (rows, columns)."""
        return np.asarray(values - (self.sums(values).T / self.rows(self.counts)).T)


class Given:
    """What is known of slots, taken out of numbers of theirs before they are correlated: columns, and positions."""

    def __init__(self, slots: Slots, known: Floats, recorded: Mapping[str, Floats] | None = None) -> None:
        self.slots, place = slots, np.arange(len(known)) - slots.rows(slots.starts)
        places = [place == k for k in range(min(int(place.max()) + 1, 60)) if (place == k).sum() >= 10]
        columns = slots.centred(np.column_stack([known, *places]).astype(np.float64))
        found, size, _ = np.linalg.svd(columns / (np.sqrt((columns**2).sum(axis=0)) + 1e-12), full_matrices=False)
        self.basis = found[:, size > 1e-6 * size[0]]
        self.recorded = {reading: self.rest(values) for reading, values in (recorded or {}).items()}

    def rest(self, values: Floats) -> Floats:
        """Return what is left of numbers once their sets' means and what is known are taken out."""
        centred = self.slots.centred(values)
        return np.asarray(centred - self.basis @ (self.basis.T @ centred))

    def correlation(self, values: Floats, reading: str = "") -> tuple[float, float]:
        """Return the correlation of what is left of numbers and of a recording, and its standard error over users.

        Of fewer than five users it is over sets. The error is the largest of three: a jackknife over few users or few
        slots is too sure of itself.
        """
        one, other, slots = self.rest(values), self.recorded[reading], self.slots
        groups = slots.rows(slots.users if slots.users.max() >= 4 else np.arange(len(slots.counts)))
        sums = np.array([np.bincount(groups, x) for x in (one * other, one**2, other**2)])
        product, own, others = sums.sum(axis=1)
        if min(own, others) < 1e-18 * len(one):
            return 0.0, 1.0
        r = float(product / np.sqrt(own * others))
        without = sums.sum(axis=1)[:, None] - sums
        each = without[0] / np.sqrt(without[1] * without[2] + 1e-300)
        jackknife = np.sqrt((len(each) - 1) / len(each) * ((each - each.mean()) ** 2).sum())
        free = max(len(one) - len(slots.counts) - self.basis.shape[1] - 1, 1)
        return r, float(max(jackknife, 0.5 * (1 - r * r) / len(slots.counts) ** 0.5, (max(1 - r * r, 0) / free) ** 0.5))
