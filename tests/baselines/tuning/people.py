"""Sessions of a few users on a few screens."""

from __future__ import annotations

import numpy as np

from tasks.types import Session
from tests.baselines.backbones import tiny


def sessions(users=3, each=4, labels="ABCDEF", seed=0, prefix="u"):
    """Return sessions; a user looks at a slot of their own and clicks it."""
    rng = np.random.default_rng(seed)
    found = []
    for user in range(users):
        for number in range(each):
            shown = tiny.session(
                labels, seed=number, profile="Top_genre: Drama" if number % 2 else "Top_genre: Comedy Drama"
            )
            k = len(shown.slots)
            gaze = rng.gamma(1.0, 100.0, k)
            gaze[user % k] += 800.0
            cursor = np.zeros(k)
            cursor[(user + 1) % k] = 500.0
            found.append(
                Session(
                    f"{prefix}{user}-{number}",
                    f"{prefix}{user}",
                    str(number),
                    shown.image,
                    shown.profile,
                    shown.slots,
                    gaze,
                    cursor,
                    user % k,
                )
            )
    return found
