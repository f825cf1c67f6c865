"""Scoring, selecting and averaging heads, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.probing.gaze_heads import diagonal_scores, relevance, score_heads, select_heads
from tasks.errors import InputError


def test_scores_are_mean_correlations_over_sessions_of_different_length():
    first = np.array([[[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [[1.0, 1.0, 1.0], [0.0, 1.0, 0.0]]])
    second = np.array([[[0.1, 0.4], [0.1, 0.4]], [[0.4, 0.1], [0.2, 0.3]]])
    scores = score_heads([first, second], [np.array([10.0, 20.0, 30.0]), np.array([0.0, 7.0])])
    assert scores == pytest.approx(np.array([[1.0, 0.0], [-0.5, 0.5]]))


def test_scores_equal_numpys_correlation():
    generator = np.random.default_rng(0)
    rows = [generator.random((2, 3, k)) for k in (4, 7, 15)]
    gaze = [generator.random(k) for k in (4, 7, 15)]
    expected = np.mean(
        [
            [[np.corrcoef(a[layer, head], g)[0, 1] for head in range(3)] for layer in range(2)]
            for a, g in zip(rows, gaze, strict=True)
        ],
        0,
    )
    assert score_heads(rows, gaze) == pytest.approx(expected)


def test_sessions_whose_gaze_is_the_same_everywhere_are_left_out():
    rows = np.array([[[0.1, 0.2, 0.7]]])
    assert score_heads([rows, rows], [np.array([1.0, 2.0, 7.0]), np.full(3, 0.1)]) == pytest.approx(np.array([[1.0]]))
    with pytest.raises(InputError, match="no training session"):
        score_heads([rows], [np.full(3, 0.1)])


@pytest.mark.parametrize(
    ("attention", "gaze", "message"),
    [
        ([np.ones((1, 1, 3))], [], "1 sessions have attention but 0 have gaze"),
        ([np.ones((1, 1, 3))], [np.ones(2)], "session 0"),
        ([np.full((1, 1, 2), np.nan)], [np.array([1.0, 2.0])], "not finite"),
    ],
)
def test_bad_sessions_are_named(attention, gaze, message):
    with pytest.raises(InputError, match=message):
        score_heads(attention, gaze)


def test_a_head_that_looks_at_what_is_asked_about_scores_one_and_one_that_ignores_questions_zero():
    def asked(k):
        ignoring = np.random.default_rng(k).dirichlet(np.ones(k))
        return np.array(
            [[[np.eye(k)[slot], ignoring], [np.roll(np.eye(k)[slot], 1), np.full(k, 1 / k)]] for slot in range(k)]
        )

    assert diagonal_scores([asked(3), asked(5), np.ones((1, 2, 2, 1))]) == pytest.approx(
        np.array([[1.0, 0.0], [-(1 / 2 + 1 / 4) / 2, 0.0]])
    )
    with pytest.raises(InputError, match="two slots"):
        diagonal_scores([np.ones((1, 2, 2, 1))])


def test_selection_is_best_first_and_ties_go_to_the_earlier_head():
    scores = np.array([[0.1, 0.9], [0.9, -0.3]])
    assert select_heads(scores, 3) == ((0, 1), (1, 0), (0, 0))
    for n in (0, 5):
        with pytest.raises(InputError, match="from 1 to 4"):
            select_heads(scores, n)


def test_relevance_is_the_mean_of_the_selected_rows():
    rows = torch.arange(2 * 2 * 2 * 3, dtype=torch.float32).reshape(2, 2, 2, 3)
    found = relevance(rows, ((0, 1), (1, 0)))
    assert found.tolist() == [[4.5, 5.5, 6.5], [16.5, 17.5, 18.5]]
    with pytest.raises(InputError, match="does not exist"):
        relevance(rows, ((2, 0),))
    with pytest.raises(InputError, match="no gaze heads"):
        relevance(rows, ())
