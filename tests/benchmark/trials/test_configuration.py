from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.trials.configuration import RunConfig, read_config, read_preset
from tasks.errors import InputError

ROOT = Path(__file__).parents[3]


def test_the_shipped_configuration_is_the_default_run():
    assert RunConfig(**read_config(ROOT / "configs" / "priors.yaml")) == RunConfig(task="recgaze")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tsak: recgaze", "Did you mean 'task'"),
        ("task: 3", "'task' must be text, not 3"),
        ("seeds: 42", "'seeds' must be a list, not 42"),
        ("seeds: [a]", "'seeds\\[0\\]' must be a whole number, not 'a'"),
        ("simulators: uniform", "'simulators' must be a list, not 'uniform'"),
        ("settings: [1]", "'settings' must be a mapping"),
        ("alpha: high", "'alpha' must be a number, not 'high'; correct it"),
        ("alpha: 1.5", "'alpha' must be a number < 1.0, not 1.5"),
        ("- a", "must hold keys and values"),
        ("a: [", "is not YAML"),
        ("task: !!python/object/apply:os.system [ls]", "the tag .* is not allowed"),
        ("task: a\ntask: b", "the key .task. appears twice"),
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
    ],
)
def test_a_run_that_makes_no_sense_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        RunConfig(task="recgaze", **values)


def test_presets_carry_the_settings_of_the_pocket_backbones_for_these_alone():
    pocket = read_config(ROOT / "configs" / "simulators" / "pocket.yaml")["settings"]
    assert read_preset("quick")["defaults"] == pocket
    assert read_preset("full", "pocket-internvl")["defaults"] == {**pocket, "epochs": 30}
    assert read_preset("full", "some/model")["defaults"] == {"epochs": 30}
    assert len(read_preset("full")["seeds"]) == 5 and len(read_preset("quick")["seeds"]) == 3


RUNS = [path for path in sorted((ROOT / "configs").glob("*/*.yaml")) if path.parent.name not in ("cluster", "spaces")]


@pytest.mark.parametrize("path", RUNS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_shipped_configuration_is_read_and_names_what_exists(path):
    from baselines import registry
    from benchmark.trials.catalogue import setting_names

    values = read_config(path)
    entries = [registry.entry(name) for name in values.get("simulators", [])]
    for key in values.get("settings", {}):
        assert not entries or any(key in setting_names(entry.factory) for entry in entries)


def test_settings_go_before_defaults_and_defaults_nobody_has_are_passed_over(mini, tmp_path):
    from benchmark.trials.trial import expand
    from tests.benchmark.toys import Toys

    config = RunConfig("mini", simulators=("sharp",), defaults={"weight": 0.5, "epochs": 3}, settings={"weight": 0.6})
    assert expand(config, mini, Toys())[0].settings == {"weight": 0.6}


def test_a_setting_that_python_keeps_for_itself_is_named_without_its_underscore():
    from baselines import registry
    from benchmark.trials.catalogue import check_settings, settings_for

    entry = registry.entry("fixate")
    check_settings([entry], {"lambda": 0.5, "fixate.lambda": 0.7})
    assert settings_for(entry, {"lambda": 0.5}) == {"lambda_": 0.5}
    assert settings_for(entry, {"lambda": 0.5, "fixate.lambda": 0.7}) == {"lambda_": 0.7}
