import gc
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tasks.types import Session, Slot


@pytest.fixture
def small_heap() -> Iterator[None]:
    """Have ``gc.collect`` look at what the test itself makes alone, which is a hundred times quicker."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def make_session() -> Callable[..., Session]:
    """Build a session from its gaze, click, and optionally kinds, cursor and user."""

    def build(gaze, click, kinds=None, cursor=None, user="u", session_id="s") -> Session:
        k = len(gaze)
        kinds = kinds or ["film"] * k
        slots = tuple(Slot(str(i), kind, f"item {i}", (0, 10 * i, 9, 10 * i + 9)) for i, kind in enumerate(kinds))
        cursor = np.zeros(k) if cursor is None else cursor
        return Session(session_id, user, "screen", None, "", slots, np.array(gaze), np.array(cursor), click)

    return build


@pytest.fixture(scope="session")
def random_sessions(make_session) -> Callable[..., list[Session]]:
    """Build sessions with 2..6 slots of two kinds, of some users."""

    def build(seed: int, n: int) -> list[Session]:
        generator = np.random.default_rng(seed)
        sessions = []
        for number in range(n):
            k = int(generator.integers(2, 7))
            sessions.append(
                make_session(
                    generator.exponential(size=k) * (generator.random(k) < 0.7) + 1e-3,
                    int(generator.integers(k)),
                    kinds=list(generator.choice(["organic_result", "native_ad"], k)),
                    cursor=generator.exponential(size=k),
                    user=f"u{generator.integers(4)}",
                    session_id=f"s{number}",
                )
            )
        return sessions

    return build
