import numpy as np
import pytest

from baselines.simulators.choice_model import ConditionalLogit
from tasks.errors import InputError


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
    rows = model.features(make_session([1] * 3, 0, ["film", "film", "unknown"]))
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
