import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from baselines import registry
from baselines.registry import SIMULATORS, build, entry, names
from benchmark.simulator import Simulator
from benchmark.trials.catalogue import Entry
from tasks.errors import InputError

CHEAP = [
    e
    for e in SIMULATORS
    if e.factory.split(":")[0]
    in {f"baselines.simulators.{m}" for m in ("priors", "oracles", "choice_model", "examination", "geometry")}
    and e.name not in ("rating-prior", "other-users")  # they need ratings, and full sessions
]


@dataclasses.dataclass
class Settings:
    number: float = 1.0
    count: int = 1
    flag: bool = False
    word: str = "a"
    limit: int | None = None
    layers: tuple[int, ...] = ()
    mode: Literal["free", "label"] = "free"
    _state: int = dataclasses.field(default=0, init=False)


@pytest.fixture
def example(monkeypatch):
    module = type(sys)("simulator_of_this_test")
    module.Settings = Settings
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(registry, "SIMULATORS", (Entry("example", f"{module.__name__}:Settings", "for tests"),))
    return "example"


def test_names_are_unique_and_cover_the_first_batch():
    assert len(set(names())) == len(names())
    priors = {"uniform", "position-prior", "kind-position-prior", "user-prior", "conditional-logit"}
    assert priors | {"gaze-oracle", "cursor-oracle"} <= set(names())


def test_a_mistyped_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="unknown simulator 'positon-prior'. Did you mean 'position-prior'"):
        build("positon-prior", {})
    assert entry("gaze-oracle").oracle
    assert not entry("uniform").oracle


def test_settings_reach_the_simulator():
    built = build("user-prior", {"gaze_weight": 3})
    assert built.gaze_weight == 3.0 and isinstance(built.gaze_weight, float)
    assert built.smoothing == 1.0
    assert build("user-prior", {}) is not build("user-prior", {})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smothing": 1.0}, "unknown setting of position-prior: 'smothing'. Did you mean 'smoothing'"),
        ({"_rates": None}, "unknown setting"),
        ({"smoothing": "much"}, "smoothing of position-prior is 'much'; it must be a number"),
        ({"smoothing": True}, "it must be a number"),
        ({"smoothing": None}, "it must be a number"),
        ({"smoothing": -1}, "at least 0"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(settings, message):
    with pytest.raises(InputError, match=message) as caught:
        build("position-prior", settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("number", 2, 2.0),
        ("count", 2, 2),
        ("flag", True, True),
        ("word", "b", "b"),
        ("limit", None, None),
        ("limit", 3, 3),
        ("layers", [1, 2], (1, 2)),
        ("mode", "label", "label"),
    ],
)
def test_values_of_every_type(example, key, value, expected):
    found = getattr(build(example, {key: value}), key)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("count", 2.5, "a whole number"),
        ("count", True, "a whole number"),
        ("flag", 1, "true or false"),
        ("word", 3, "text"),
        ("limit", "3", "a whole number or null"),
        ("layers", [1, "2"], "a list, each a whole number"),
        ("layers", 1, "a list"),
        ("mode", "fre", "one of free, label"),
    ],
)
def test_values_of_the_wrong_type(example, key, value, message):
    with pytest.raises(InputError, match=f"the setting {key} of example is .*; it must be {message}"):
        build(example, {key: value})


def test_listing_imports_no_simulator():
    code = (
        "import sys; from baselines import registry; registry.names();"
        "assert not {'baselines.simulators.priors', 'scipy', 'torch', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("simulator", CHEAP, ids=lambda e: e.name)
def test_every_simulator_keeps_the_contract(simulator, random_sessions):
    train, test = random_sessions(1, 40), random_sessions(2, 15)
    shown = test if simulator.oracle else [s.stimulus() for s in test]
    built = build(simulator.name, {})
    assert isinstance(built, Simulator)
    built.fit(random_sessions(3, 20), 1)
    built.fit(train, 42)  # forgets what it was fitted on before
    found = built.simulate(shown)
    again = build(simulator.name, {})
    again.fit(train[::-1], 7)  # neither the order nor, being deterministic, the seed matters
    assert not simulator.stochastic
    assert [p.session_id for p in found] == [s.session_id for s in test]
    for prediction, other, session in zip(found, again.simulate(shown), test, strict=True):
        for part in (prediction.attention, prediction.probabilities):
            if part is not None:
                assert part.shape == (len(session.slots),) and part.dtype == np.float64
                assert (part >= 0).all() and part.sum() == pytest.approx(1)
        assert (prediction.attention is None) == (simulator.name in ("conditional-logit", "user-click-prior"))
        np.testing.assert_allclose(other.probabilities, prediction.probabilities, atol=1e-5)
        if prediction.answer is not None:
            assert prediction.probabilities.argmax() == prediction.answer
            assert (prediction.probabilities == prediction.probabilities.max()).sum() == 1
        else:
            assert (prediction.probabilities == prediction.probabilities.max()).sum() > 1
        assert prediction.target == "none"
