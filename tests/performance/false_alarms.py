"""How often a test calls a difference that is not there, and how often an interval holds the true mean.

Sessions of 83 users on 35 screens, seven a user on average, are split as the tasks are. The difference between two
simulators in a session is a user's, a screen's and its own, normal and with mean 0; a tenth of its variance is the
user's. Printed is the share of test sets with p <= .05, as Markdown. A false alarm rate of 5 % over 4,000 sets has a
standard error of 0.3 %. The second table is about intervals of the mean of 33 users, in the cases of
tests/benchmark/statistics/test_score_interval.py.

    python tests/performance/false_alarms.py --sets 4000
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmark.statistics.design import Design, Factor  # noqa: E402
from tasks.splits import SPLIT_NOTES, assign  # noqa: E402

USERS, SCREENS, PER_USER, OF_USERS = 83, 35, 7, 0.1
SHARES = (0.0, 0.05, 0.1, 0.2)
Floats = NDArray[np.float64]


def tested(split: str, generator: np.random.Generator) -> Design:
    """Return users and screens of the test sessions of a split of drawn sessions."""
    users, screens = [], []
    for user in range(USERS):
        for screen in generator.permutation(SCREENS)[: max(1, generator.poisson(PER_USER))]:
            users.append(f"u{user:02}")
            screens.append(f"s{screen:02}")
    kept = [i for i, value in enumerate(assign(users, screens)[split]) if value != "train"]
    return Design(*(Factor.of_labels([labels[i] for i in kept]) for labels in (users, screens)))


def differences(design: Design, share: float, sets: int, generator: np.random.Generator, of_users: float) -> Floats:
    """Return drawn differences, shape (sessions, sets), of which screens hold a share of the variance."""
    assert design.screens is not None
    parts = ((of_users, design.users), (share, design.screens))
    drawn = [np.sqrt(part) * generator.normal(size=(len(factor), sets))[factor.of] for part, factor in parts]
    rest = np.sqrt(1 - share - of_users) * generator.normal(size=(len(design.users.of), sets))
    found: Floats = drawn[0] + drawn[1] + rest
    return found


def alarms(split: str, share: float, sets: int, seed: int = 1, designs: int = 10, of_users: float = OF_USERS) -> Floats:
    """Return the rates: over users; over users and screens; the same without the factors G / (G - 1)."""
    from scipy.special import stdtr

    generator, found = np.random.default_rng(seed), []
    for _ in range(designs):
        design = tested(split, generator)
        values = differences(design, share, sets // designs, generator, of_users)
        mean = np.abs(design.weights @ values)
        factors = design.factors(design.residuals(values))
        users, screens, sessions = ((sums**2).sum(axis=0) for _, sums in factors)
        without = np.maximum(users + screens - sessions, np.maximum(users, screens))
        tests = (
            (factors[0][0] * users, len(design.users) - 1),
            (design.variance(values), design.degrees),
            (without, design.degrees),
        )
        found.append([np.mean(2 * stdtr(df, -mean / np.sqrt(variance)) <= 0.05) for variance, df in tests])
    rates: Floats = np.mean(found, axis=0)
    return rates


def coverage() -> None:
    """Print how often t and score intervals hold the true mean, and how often t intervals leave the range."""
    from benchmark.statistics.score_interval import score_limits
    from benchmark.statistics.t_interval import t_limits
    from tests.benchmark.statistics.test_score_interval import DRAWN

    print("| 33 users | t | score | t leaves the range |")
    print("|---|--:|--:|--:|")
    for name, (bounds, draw, true) in DRAWN.items():
        values = draw(np.random.default_rng(33))
        mean, *ends = t_limits(values)
        n = values.shape[1]
        score = score_limits(mean, values.std(axis=1, ddof=1) / np.sqrt(n), n - 1, n, bounds)
        held = [100 * np.mean((low <= true) & (true <= high)) for low, high in (ends, score)]
        out = 100 * np.mean((ends[0] < bounds.low) | (ends[1] > bounds.high))
        print(f"| {name} | {held[0]:.0f} % | {held[1]:.0f} % | {out:.0f} % |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=4000)
    parser.add_argument("--of-users", type=float, default=OF_USERS, help="share of the variance that users hold")
    arguments = parser.parse_args()
    print("| split | screens hold | users alone | users and screens | without G / (G - 1) |")
    print("|---|--:|--:|--:|--:|")
    for split in SPLIT_NOTES:
        for share in SHARES:
            rates = alarms(split, share, arguments.sets, of_users=arguments.of_users)
            shown = " | ".join(f"{100 * rate:.1f} %" for rate in rates)
            print(f"| {split} | {100 * share:.0f} % | {shown} |", flush=True)
    print()
    coverage()


if __name__ == "__main__":
    main()
