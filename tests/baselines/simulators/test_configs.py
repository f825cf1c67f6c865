import dataclasses
from pathlib import Path

import pytest

from baselines import registry
from benchmark.trials.catalogue import check_settings, setting_names, settings_for, simulator_class
from benchmark.trials.configuration import read_config
from tasks.errors import InputError

FOLDER = Path(__file__).parents[3] / "configs" / "simulators"
_CHEAP = ("priors:", "oracles:", "choice_model:", "examination:", "geometry:", "order.")
_WITHOUT_MODEL = tuple(f"baselines.simulators.{module}" for module in _CHEAP)
MODELS = [entry.name for entry in registry.SIMULATORS if not entry.factory.startswith(_WITHOUT_MODEL)]


def test_every_model_simulator_has_its_file_and_no_file_is_left_over():
    assert len(MODELS) == 13
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted([*MODELS, "pocket"])


@pytest.mark.parametrize("name", MODELS)
def test_the_file_holds_every_setting_at_its_default(name):
    config = read_config(FOLDER / f"{name}.yaml")
    assert config["simulators"] == (name,)
    fields = dataclasses.fields(simulator_class(registry.entry(name).factory))
    kept = [field for field in fields if field.init and not field.metadata.get("later")]
    assert config["settings"] == {field.name: field.default for field in kept}
    registry.build(name, config["settings"])


def test_the_defaults_are_those_of_the_protocol():
    settings = read_config(FOLDER / "fixate.yaml")["settings"]
    expected = {"bases": 8, "tokens": 16, "gamma": 2.0, "beta": 1e-3, "basis_lr": 1e-3, "weight_decay": 1e-3}
    expected |= {
        "batch_size": 4,
        "accumulation": 2,
        "epochs": 30,
        "validation": 0.15,
        "target": "label",
        "signal": "gaze",
    }
    assert {key: settings[key] for key in expected} == expected
    assert 1e-3 <= settings["user_lr"] <= 5e-3 and 0.5 <= settings["lambda_"] <= 1.0


def test_the_pocket_overrides_are_settings_of_the_tuned_simulators_and_keep_the_step():
    settings = read_config(FOLDER / "pocket.yaml")["settings"]
    check_settings([registry.entry("fixate")], settings)
    assert settings["batch_size"] * settings["accumulation"] == 8
    registry.build(
        "fixate-suffix", {k: v for k, v in settings.items() if k in setting_names(registry.entry("fixate").factory)}
    )


def test_a_general_setting_never_turns_an_ablation_into_the_whole_method():
    entry = registry.entry("fixate-no-attention")
    settings = settings_for(entry, read_config(FOLDER / "pocket.yaml")["settings"], {"lambda": 0.5, "gamma": 1.0})
    simulator = registry.build("fixate-no-attention", settings)
    assert simulator.tuning().lambda_ == 0.0 and simulator.tuning().gamma == 1.0
    with pytest.raises(InputError, match="setting of fixate-no-attention"):
        settings_for(entry, {"fixate-no-attention.lambda": 0.5})


def test_the_ablation_table_holds_the_whole_method_and_what_is_left_of_it():
    config = read_config(FOLDER.parent / "tables" / "ablation.yaml")
    ablations = [entry.name for entry in registry.SIMULATORS if entry.name.startswith("fixate-no-")]
    assert set(ablations) | {"backbone", "random-prompt", "shared-prompt", "fixate"} == set(config["simulators"])
    assert config["reference"] == "fixate"
