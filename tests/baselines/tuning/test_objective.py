import math

import numpy as np
import pytest
import torch

from baselines.tuning.objective import EPS, Terms, attention_loss, padded, slot_weights, supervision, warmed_up
from tests.baselines.tuning.people import sessions


def test_weights_are_powers_of_gaze_normalised_over_slots():
    gaze = torch.tensor([[0.5, 0.25, 0.25, 0.0]])
    present = torch.tensor([[True, True, True, False]])
    torch.testing.assert_close(slot_weights(gaze, 2.0, present), torch.tensor([[4 / 6, 1 / 6, 1 / 6, 0.0]]))
    torch.testing.assert_close(slot_weights(gaze, 0.0, present), torch.tensor([[1 / 3, 1 / 3, 1 / 3, 0.0]]))


def test_attention_loss_by_hand():
    gaze = torch.tensor([[0.8, 0.2]], dtype=torch.float64)
    attention = torch.tensor([[0.4, 0.6]], dtype=torch.float64)
    present = torch.ones(1, 2, dtype=torch.bool)
    w0, w1 = 0.64 / 0.68, 0.04 / 0.68
    expected = w0 * 0.8 * np.log(0.8 / 0.4) + w1 * 0.2 * np.log(0.2 / 0.6)
    assert float(attention_loss(attention, gaze, 2.0, present)) == pytest.approx(expected, rel=1e-6)


def test_attention_loss_equals_the_slow_definition_over_slots_of_differing_number():
    rng = np.random.default_rng(3)
    counts, gamma = (2, 5, 4), 2.0
    gaze = [rng.dirichlet(np.ones(k)) for k in counts]
    attention = [rng.dirichlet(np.ones(k)) for k in counts]
    slow = []
    for g, a in zip(gaze, attention, strict=True):
        total = sum((x + EPS) ** gamma for x in g)
        slow.append(
            sum((x + EPS) ** gamma / total * x * (np.log(x + EPS) - np.log(y + EPS)) for x, y in zip(g, a, strict=True))
        )
    present = torch.tensor([[k < count for k in range(5)] for count in counts])
    fast = attention_loss(
        padded(attention, 5, torch.device("cpu")), padded(gaze, 5, torch.device("cpu")), gamma, present
    )
    np.testing.assert_allclose(fast.numpy(), slow, rtol=1e-4, atol=1e-6)


def test_a_session_without_supervision_costs_nothing():
    gaze = padded([None], 3, torch.device("cpu"))
    assert float(attention_loss(torch.full((1, 3), 1 / 3), gaze, 2.0, torch.ones(1, 3, dtype=torch.bool))) == 0


def test_signals():
    [session] = sessions(users=1, each=1)
    cursor = session.cursor_ms / session.cursor_ms.sum()
    np.testing.assert_array_equal(supervision(session, "gaze"), session.gaze)
    np.testing.assert_array_equal(supervision(session, "cursor"), cursor)
    np.testing.assert_array_equal(supervision(session, "both"), (session.gaze + cursor) / 2)


def test_a_cursor_that_dwelt_nowhere_supervises_nothing():
    import dataclasses

    [session] = sessions(users=1, each=1)
    still = dataclasses.replace(session, cursor_ms=np.zeros(len(session.slots)))
    assert supervision(still, "cursor") is None
    np.testing.assert_array_equal(supervision(still, "both"), session.gaze)


def test_the_total_weighs_its_terms():
    terms = Terms(torch.tensor(2.0), torch.tensor(3.0), torch.tensor(5.0))
    assert float(terms.total(True, 0.5, 0.1)) == pytest.approx(2 + 1.5 + 0.5)
    assert float(terms.total(False, 0.5, 0.1)) == pytest.approx(1.5 + 0.5)


def test_lambda_rests_for_the_warm_up_and_then_rises_over_as_many_steps():
    assert [warmed_up(step, 3) for step in range(1, 9)] == pytest.approx([0, 0, 0, 0, 1 / 3, 2 / 3, 1, 1])
    assert warmed_up(1, 0) == 1.0


def test_eps_inside_the_logarithms_leaves_the_weights_alone():
    gaze, attention, present = torch.tensor([[0.75, 0.25]]), torch.tensor([[0.5, 0.5]]), torch.ones(1, 2)
    expected = sum(g**2 / 0.625 * g * math.log((g + 0.1) / 0.6) for g in (0.75, 0.25))
    assert float(attention_loss(attention, gaze, 2.0, present, 0.1)) == pytest.approx(expected, rel=1e-5)
    half = Terms(torch.tensor(2.0), torch.tensor(3.0), torch.tensor(5.0)).total(0.5, 0.1, 0.01)
    assert float(half) == pytest.approx(1.0 + 0.3 + 0.05)
