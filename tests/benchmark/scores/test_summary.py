"""Families of comparisons: what is corrected together, and that equal simulators count once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.scores import summary
from benchmark.scores.results import Corrected
from benchmark.statistics.clusters import ScoreCube
from benchmark.statistics.holm import holm_adjust
from benchmark.trials.configuration import RunConfig

METRICS = ("KL", "LogLoss", "NextSlot")
N = 60


def compared(values, ranked=None):
    """Compare simulators with ``ref``; values are simulator -> metric -> score per session."""
    rows = [
        {"simulator": name, "seed": 0, "fold": 0, "session_id": f"{i:02}", "user": f"u{i % 20}", "screen": f"s{i % 13}"}
        | {metric: column[i] for metric, column in of_metric.items()}
        for name, of_metric in values.items()
        for i in range(N)
    ]
    cube = ScoreCube(pd.DataFrame(rows))
    tables = {metric: cube.session_means(metric) for metric in METRICS}
    config = RunConfig("t", simulators=tuple(values), reference="ref", family=METRICS)
    return summary.compare(config, tables, list(values), set(ranked or values))


@pytest.fixture
def values():
    random = np.random.default_rng(5)
    base = {metric: random.normal(size=N) for metric in METRICS}
    moved = {
        name: {m: base[m] + d + random.normal(scale=0.5, size=N) for m in METRICS}
        for name, d in (("a", 0.2), ("b", 0.3))
    }
    return {"ref": base, **moved}


def test_each_group_of_families_is_corrected_for_itself_over_the_larger_p(values):
    comparisons, families, equal = compared(values)
    assert families == (Corrected(("KL", "LogLoss"), 4), Corrected(("NextSlot",), 2)) and not equal
    for family in families:
        mine = [c for c in comparisons if c.metric in family.metrics]
        assert all(c.tests["two_way"] >= c.tests["t"] for c in mine)
        assert [c.p_holm for c in mine] == pytest.approx(holm_adjust([c.tests["two_way"] for c in mine]).tolist())


def test_a_line_that_equals_another_changes_no_p_of_the_others(values):
    before, families, _ = compared(values)
    more = {**values, "twin": values["a"], "copy": values["ref"], "third": values["a"]}
    after, same, equal = compared(more)
    assert equal == {"twin": "a", "copy": "ref", "third": "a"} and same == families
    p = {(c.simulator, c.metric): c.p_holm for c in after}
    assert {key: p[key] for key in ((c.simulator, c.metric) for c in before)} == {
        (c.simulator, c.metric): c.p_holm for c in before
    }
    assert p["twin", "KL"] == p["a", "KL"] and p["copy", "KL"] is None


def test_what_is_not_ranked_or_lacks_a_metric_is_another_simulator(values):
    less = {"less": {m: values["a"][m] if m == "KL" else np.full(N, np.nan) for m in METRICS}}
    comparisons, families, equal = compared({**values, **less, "oracle": values["a"]}, {"ref", "a", "b", "less"})
    assert not equal and [family.size for family in families] == [5, 2]
    assert {c.p_holm for c in comparisons if c.simulator == "oracle"} == {None}
