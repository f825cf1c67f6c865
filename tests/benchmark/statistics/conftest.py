from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def score_table() -> Callable[..., pd.DataFrame]:
    """Build a score table from {simulator: array (n_seeds, n_sessions)} and the users of the sessions."""

    def build(values: dict[str, object], users: list[str], metric: str = "KL") -> pd.DataFrame:
        rows = []
        for simulator, scores in values.items():
            for seed, line in enumerate(np.atleast_2d(np.asarray(scores, dtype=np.float64))):
                for number, (user, value) in enumerate(zip(users, line, strict=True)):
                    rows.append((simulator, seed, 0, f"{user}-{number}", user, value))
        return pd.DataFrame(rows, columns=["simulator", "seed", "fold", "session_id", "user", metric])

    return build
