"""The Python interface: what it runs, what its results say, and that it stays light."""

from __future__ import annotations

import ast
import inspect
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import benchmark as gb
from benchmark.statistics import session_means, user_means


class LooksFirst:
    """Looks at the first slot, as hard as its weight says."""

    stochastic = False

    def __init__(self, weight: float) -> None:
        self.weight, self.fitted = weight, 0

    def fit(self, train, seed):
        self.fitted += 1
        assert self.fitted == 1, "a copy of its own for every trial"

    def simulate(self, sessions):
        first = [np.r_[self.weight, np.ones(len(s.slots) - 1)] for s in sessions]
        return [gb.Prediction(s.session_id, attention=a) for s, a in zip(sessions, first, strict=True)]


@pytest.fixture(scope="module")
def found(mini):
    return gb.run(mini, ["position-prior", "uniform", LooksFirst(3.0)], split="kfold", seeds=(1,))


def test_a_simulator_of_ones_own_is_a_line_like_any_other(found, mini):
    assert found.table.index.tolist() == ["position-prior", "uniform", "looks-first"]
    assert found.table.loc["looks-first", "KL"] == pytest.approx(user_means(found.scores, "KL")["looks-first"].mean())
    assert math.isnan(found.table.loc["looks-first", "AUC"])
    attention = found.predictions.set_index("simulator").loc["looks-first", "attention"]
    assert all(np.allclose(a / a.sum(), np.array([3, 1, 1, 1]) / 6) for a in attention)
    assert found.notice == mini.notice == found.table.attrs["notice"] and found.folder is None


def test_users_are_compared_and_sessions_do_not_pass_for_them(found):
    compared = found.compare("looks-first", "uniform", ["KL", "JS"])
    for metric in ("KL", "JS"):
        users, sessions = (means(found.scores, metric) for means in (user_means, session_means))
        row = compared.loc[metric]
        assert (row.users, row.screens, row.sessions) == (7, 3, 21)
        by_users = stats.ttest_rel(users["looks-first"], users["uniform"])
        assert row.p_users == pytest.approx(by_users.pvalue)
        assert row.p_users != pytest.approx(stats.ttest_rel(sessions["looks-first"], sessions["uniform"]).pvalue)
        assert row.difference == pytest.approx((users["looks-first"] - users["uniform"]).mean())
    larger = np.sort(np.maximum(compared.p_users, compared.p_users_screens))
    assert np.sort(compared.p_holm) == pytest.approx(np.minimum(1, np.maximum.accumulate(larger * [2, 1])))
    assert found.compare("looks-first", "uniform").index.tolist() == ["KL"]  # the main metrics that both have
    with pytest.raises(gb.InputError, match="Did you mean 'uniform'"):
        found.compare("uniforn", "looks-first")
    with pytest.raises(gb.InputError, match="looks-first has no AUC"):
        found.compare("looks-first", "uniform", ["AUC"])


def test_a_notebook_shows_table_verdict_and_notice_escaped(found):
    page = found._repr_html_()
    assert page.count("<table>") == 2 and found.notice in page and "looks-first" in page
    assert all(line.replace("'", "&#x27;") in page for line in found.verdict) and found.notice in repr(found)


def test_figures_and_sessions_are_drawings(found, mini):
    for drawing in (found.plot(), found.plot("users", "JS"), found.plot("variance"), gb.show("u0-0", mini)):
        assert drawing._repr_png_().startswith(b"\x89PNG") and drawing.notes == (mini.notice,)
    of_run = gb.show("u0-0", found, simulators=["looks-first"])
    assert [view.title for row in of_run.picture.rows for view in row.views][-1] == "attention: looks-first"
    for wrong in (
        lambda: found.plot("mean"),
        lambda: gb.show("u0-9", found),
        lambda: gb.show("u0-0", found, path=True),
    ):
        with pytest.raises(gb.InputError):
            wrong()


def test_scoring_the_predictions_of_a_run_gives_its_scores(found, mini):
    again = gb.score(found.predictions, mini, split="kfold")
    pd.testing.assert_frame_equal(again.table, found.table)
    with pytest.raises(gb.InputError, match="the table of predictions: .*'attenton'"):
        gb.score(found.predictions.rename(columns={"attention": "attenton"}), mini)


def test_what_cannot_run_is_refused_in_a_line(mini):
    for simulators, more, words in (
        ([LooksFirst(1.0)], {"workers": 2}, "objects run in this process"),
        ([object()], {}, "object has no method fit"),
        (["unifrom"], {}, "Did you mean 'uniform'"),
        ([LooksFirst(1.0), LooksFirst(2.0)], {}, "'looks-first' is named twice"),
    ):
        with pytest.raises(gb.InputError, match=words):
            gb.run(mini, simulators, **more)


def test_a_run_that_is_kept_is_read_again(mini, tmp_path):
    kept = gb.run(mini, ["uniform"], seeds=(1,), out=tmp_path / "run")
    again = gb.read_run(tmp_path / "run")
    pd.testing.assert_frame_equal(again.table, kept.table)
    assert again.folder == kept.folder == tmp_path / "run"


def test_what_is_public_is_listed_documented_and_typed():
    assert sorted(gb.__all__) == gb.__all__ and set(gb.__all__) <= set(dir(gb))
    for name in gb.__all__:
        assert inspect.getdoc(getattr(gb, name))
    with pytest.raises(AttributeError, match="it has .*evaluate_sessions"):
        _ = gb.evaluate
    package = Path(gb.__file__).parent
    assert (package / "py.typed").is_file()
    for function in (gb.load, gb.run, gb.score, gb.read_run, gb.show):
        assert ast.get_docstring(ast.parse(inspect.getsource(function)).body[0]).count("InputError") == 1
        assert all(p.annotation is not inspect.Parameter.empty for p in inspect.signature(function).parameters.values())
