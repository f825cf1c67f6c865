"""Configurations that are read, and what is refused; no DeepSpeed is needed."""

from __future__ import annotations

import json

import pytest

from baselines.distributed import names, read
from baselines.distributed.settings import FOLDER
from benchmark.trials.trial import Trial
from tasks.errors import InputError

WORKS = {"zero_optimization": {"stage": 3}}


def write(tmp_path, values):
    path = tmp_path / "own.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return str(path)


def test_the_suites_own():
    assert names() == ["zero2", "zero3", "zero3-offload"]
    two, three, offload = map(read, names())
    assert (two.stage, two.partitions, two.offload) == (2, False, False)
    assert (three.stage, three.partitions, three.offload) == (3, True, False)
    assert (offload.stage, offload.partitions, offload.offload) == (3, True, True)
    # With weights kept from one layer to the next, processes would hold more than their half.
    assert three.live == offload.live == 0


@pytest.mark.parametrize("name", ["zero2", "zero3", "zero3-offload"])
def test_the_prompt_is_tuned_in_float32_by_stage_2_whatever_the_backbone_is(name):
    values = read(name).for_prompt(0.5)
    assert values["zero_optimization"]["stage"] == 2 and values["gradient_clipping"] == 0.5
    assert not values["bf16"]["enabled"] and not any("offload" in key for key in values["zero_optimization"])


def test_the_backbones_number_format_is_its_own():
    settings = read("zero3")
    assert settings.for_backbone(True)["bf16"] == {"enabled": True}
    assert settings.for_backbone(False)["bf16"] == {"enabled": False}
    assert settings.values["bf16"] == {"enabled": "auto"}


def test_a_file_of_ones_own(tmp_path):
    path = write(tmp_path, {"zero_optimization": {"stage": 3, "stage3_max_live_parameters": 1e9}})
    settings = read(path)
    assert (settings.name, settings.stage, settings.live, settings.whole) == (path, 3, 10**9, 1000)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("{", "line 1 is not JSON"),
        ([], "the content must be a mapping, not a list of 0"),
        ({"zero_optimization": {"stage": 1}}, "'zero_optimization.stage' must be one of 2, 3, not 1"),
        ({**WORKS, "gradient_clipping": 1.0}, "leave out gradient_clipping"),
        ({**WORKS, "bf16": {"enabled": True}}, "setting dtype"),
        (
            {"zero_optimization": {"stage": 3, "offload_param": {"device": "nvme"}}},
            "one of none, cpu, not 'nvme'",
        ),
        (
            {"zero_optimization": {"stage": 3, "stage3_max_live_parameters": -1}},
            "must be a number >= 0.0, not -1",
        ),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, values, said):
    with pytest.raises(InputError, match=said) as error:
        read(write(tmp_path, values))
    assert "own.json" in str(error.value)


def trial(**values):
    """Return a trial on a model, unless ``material`` says otherwise."""
    values = {"material": {"backbone": "a model"}, **values}
    return Trial("t", "1", "s", "d", "x", "m:X", {}, values.pop("material"), False, 0, 0, "c", **values)


def test_the_layout_is_part_of_the_identity_of_trials_with_a_model(tmp_path):
    two, three = read("zero2").parallel(trial(), 2), read("zero3").parallel(trial(), 2)
    assert two.startswith("DeepSpeed zero2 x2 (") and three.startswith("DeepSpeed zero3 x2 (")
    offload = read("zero3-offload").parallel(trial(material={"language_model": "a model"}), 4)
    assert offload.startswith("DeepSpeed zero3-offload x4 (")
    kinds = ["", two, three, offload, read("zero3").parallel(trial(), 3)]
    assert len({trial(parallel=kind).identity() for kind in kinds}) == 5


def test_what_the_layout_is_made_of(tmp_path):
    name = "zero3"
    copy = write(tmp_path, json.loads((FOLDER / f"{name}.json").read_text()))
    other = {"zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 5}}
    assert read(copy).parallel(trial(), 2) == read(name).parallel(trial(), 2)
    assert read(write(tmp_path, other)).parallel(trial(), 2) != read(name).parallel(trial(), 2)
    for material in ({}, {"source": "of a chat"}):
        assert read(name).parallel(trial(material=material), 2) == ""


def test_a_mistyped_name_and_a_missing_file():
    with pytest.raises(InputError, match="Did you mean 'zero3-offload'"):
        read("zero3-ofload")
    with pytest.raises(InputError, match="cannot read nowhere.json"):
        read("nowhere.json")
