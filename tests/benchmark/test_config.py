from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.config import RunConfig, read_config
from tasks.errors import InputError

ROOT = Path(__file__).parents[2]


def test_the_shipped_configuration_is_the_default_run():
    assert RunConfig(**read_config(ROOT / "configs" / "priors.yaml")) == RunConfig(task="recgaze")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tsak: recgaze", "Did you mean 'task'"),
        ("task: 3", "'task' must be text, not 3"),
        ("seeds: 42", "'seeds' must be a list of whole numbers"),
        ("seeds: [a]", "'seeds' must be a list of whole numbers"),
        ("simulators: uniform", "'simulators' must be a list of names"),
        ("settings: [1]", "'settings' must be a mapping"),
        ("alpha: high", "'alpha' must be a number"),
        ("- a", "must hold keys and values"),
        ("a: [", "is not YAML"),
        ("task: !!python/object/apply:os.system [ls]", "is not YAML"),
    ],
)
def test_a_faulty_configuration_is_refused(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_config(path)


def test_a_missing_configuration_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read the configuration .*none\.yaml"):
        read_config(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"simulators": ()}, "no simulator is named"),
        ({"simulators": ("a", "b", "a")}, "'a' is named twice"),
        ({"alpha": 1.5}, "between 0 and 1"),
    ],
)
def test_a_run_that_makes_no_sense_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        RunConfig(task="recgaze", **values)
