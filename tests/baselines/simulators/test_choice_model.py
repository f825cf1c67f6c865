import math

import numpy as np
import pytest
from scipy import optimize

from baselines.simulators.choice_model import chances
from benchmark.statistics.choice import fit_weights, penalised_loss


@pytest.fixture
def problem():
    """Weights, features, starts, shares of the choices (a whole one in every other set), set sizes."""
    generator = np.random.default_rng(4)
    counts = [2, 5, 3, 1, 4]
    features = generator.normal(size=(sum(counts), 6))
    shares = [generator.dirichlet(np.ones(k)) if i % 2 else np.eye(k)[k - 1] for i, k in enumerate(counts)]
    return generator.normal(size=6), features, np.cumsum([0, *counts[:-1]]), np.concatenate(shares), counts


def literal_loss(weights, features, starts, chosen, counts, l2):
    loss = l2 / 2 * sum(w**2 for w in weights)
    for start, count in zip(starts, counts, strict=True):
        utilities = [sum(w * x for w, x in zip(weights, features[start + i], strict=True)) for i in range(count)]
        total = sum(math.exp(u) for u in utilities)
        loss -= sum(chosen[start + i] * math.log(math.exp(u) / total) for i, u in enumerate(utilities))
    return loss


def test_loss_equals_its_definition(problem):
    weights, features, starts, chosen, counts = problem
    found, _ = penalised_loss(weights, features, starts, chosen, 0.7)
    assert found == pytest.approx(literal_loss(weights, features, starts, chosen, counts, 0.7))


def test_gradient_equals_differences_of_the_loss(problem):
    weights, features, starts, chosen, _ = problem
    _, gradient = penalised_loss(weights, features, starts, chosen, 0.7)
    numeric = optimize.approx_fprime(weights, lambda w: penalised_loss(w, features, starts, chosen, 0.7)[0], 1e-7)
    np.testing.assert_allclose(gradient, numeric, atol=1e-5)


def test_large_utilities_do_not_overflow(problem):
    weights, features, starts, chosen, _ = problem
    loss, gradient = penalised_loss(1e4 * weights, features, starts, chosen, 0.0)
    assert math.isfinite(loss) and np.isfinite(gradient).all()
    assert chances(np.array([1e5, 1e5, -1e5])).tolist() == [0.5, 0.5, 0.0]


def test_shares_made_by_weights_give_these_weights_back():
    generator = np.random.default_rng(1)
    features, weights = generator.normal(size=(40, 3)), np.array([1.0, -0.5, 0.2])
    shares = np.concatenate([chances(part @ weights) for part in features.reshape(8, 5, 3)])
    np.testing.assert_allclose(fit_weights(features, np.arange(0, 40, 5), shares, 1e-9), weights, atol=1e-4)
