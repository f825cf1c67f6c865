import math

import numpy as np
import pytest
from scipy import optimize

from baselines.simulators.click_model import ConditionalLogit, penalised_loss
from tasks.errors import InputError


@pytest.fixture
def problem():
    generator = np.random.default_rng(4)
    counts = [2, 5, 3, 1, 4]
    features = generator.normal(size=(sum(counts), 6))
    starts = np.cumsum([0, *counts[:-1]])
    clicked = starts + np.array([1, 0, 2, 0, 3])
    return generator.normal(size=6), features, starts, clicked, counts


def literal_loss(weights, features, starts, clicked, counts, l2):
    loss = l2 / 2 * sum(w**2 for w in weights)
    for start, click, count in zip(starts, clicked, counts, strict=True):
        utilities = [sum(w * x for w, x in zip(weights, features[start + i], strict=True)) for i in range(count)]
        loss -= math.log(math.exp(utilities[click - start]) / sum(math.exp(u) for u in utilities))
    return loss


def test_loss_equals_its_definition(problem):
    weights, features, starts, clicked, counts = problem
    found, _ = penalised_loss(weights, features, starts, clicked, 0.7)
    assert found == pytest.approx(literal_loss(weights, features, starts, clicked, counts, 0.7))


def test_gradient_equals_differences_of_the_loss(problem):
    weights, features, starts, clicked, _ = problem
    _, gradient = penalised_loss(weights, features, starts, clicked, 0.7)
    numeric = optimize.approx_fprime(weights, lambda w: penalised_loss(w, features, starts, clicked, 0.7)[0], 1e-7)
    np.testing.assert_allclose(gradient, numeric, atol=1e-5)


def test_large_utilities_do_not_overflow(problem):
    weights, features, starts, clicked, _ = problem
    loss, gradient = penalised_loss(1e4 * weights, features, starts, clicked, 0.0)
    assert math.isfinite(loss) and np.isfinite(gradient).all()


def test_with_one_kind_and_one_length_it_gives_the_click_frequencies(make_session):
    train = [make_session([1, 1, 1], click) for click in [0] * 6 + [1] * 3 + [2]]
    model = ConditionalLogit(l2=1e-6)
    model.fit(train, 42)
    found = model.simulate([make_session([1, 1, 1], 0).stimulus()])[0]
    assert found.probabilities == pytest.approx([0.6, 0.3, 0.1], abs=1e-4)
    assert found.answer == 0
    assert found.attention is None


def test_it_recovers_the_weights_that_made_the_clicks(make_session):
    generator = np.random.default_rng(6)
    position, kind = np.array([1.0, 0.5, 0.0, -0.5, -1.0]), {"organic_result": 0.4, "native_ad": -0.4}
    train = []
    for _ in range(4000):
        k = int(generator.integers(2, 6))
        kinds = list(generator.choice(list(kind), k))
        utility = position[:k] + np.array([kind[name] for name in kinds])
        p = np.exp(utility) / np.exp(utility).sum()
        train.append(make_session([1.0] * k, int(generator.choice(k, p=p)), kinds))
    model = ConditionalLogit(l2=0.01)
    model.fit(train, 42)
    session = make_session([1.0] * 5, 0, ["native_ad", "organic_result", "organic_result", "native_ad", "native_ad"])
    utility = position + np.array([kind[slot.kind] for slot in session.slots])
    found = model.simulate([session.stimulus()])[0].probabilities
    # a standard error of a weight is about 0.06 here, of these chances less than 0.02
    np.testing.assert_allclose(found, np.exp(utility) / np.exp(utility).sum(), atol=0.05)


def test_a_strong_penalty_leaves_nothing(make_session):
    model = ConditionalLogit(l2=1e9)
    model.fit([make_session([1, 1], 0)], 42)
    found = model.simulate([make_session([1, 1, 1], 0).stimulus()])[0]
    assert found.probabilities == pytest.approx([1 / 3] * 3, abs=1e-6)


def test_positions_past_the_last_share_its_weight(make_session):
    model = ConditionalLogit(positions=2)
    model.fit([make_session([1, 1, 1, 1], click) for click in (0, 0, 0, 1)], 42)
    p = model.simulate([make_session([1] * 5, 0, ["film"] * 4 + ["unknown"]).stimulus()])[0].probabilities
    assert p[0] > p[1] == p[2] == p[3]
    rows = model.features(make_session([1] * 3, 0, ["film", "film", "unknown"]).slots)
    assert rows.tolist() == [[1, 0, 1], [0, 1, 1], [0, 1, 0]]


@pytest.mark.parametrize("settings", [{"l2": 0.0}, {"l2": -1.0}, {"positions": 0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        ConditionalLogit(**settings)


def test_it_must_be_fitted_on_something(make_session):
    with pytest.raises(InputError, match="no training session"):
        ConditionalLogit().fit([], 42)
    with pytest.raises(RuntimeError, match="fit before"):
        ConditionalLogit().simulate([make_session([1, 1], 0).stimulus()])
