"""What a trial asks a scheduler for, from made-up machines and records; no GPU and no Ray is needed."""

from __future__ import annotations

import dataclasses

import pytest

from benchmark.engines import EngineSettings
from benchmark.engines.cluster import Room, room, smallest
from benchmark.engines.needs import Needs, gpu_share, needs
from benchmark.trials.configuration import RunConfig
from benchmark.trials.trial import expand
from tasks.errors import InputError
from tests.benchmark.toys import Toys

GIB = 2**30


@pytest.fixture
def trial(mini):
    [found] = expand(RunConfig("mini", simulators=("based",), reference="based"), mini, Toys())
    return dataclasses.replace(found, settings={**found.settings, "model": "/here/model"})


def record(trial, *, peak=10 * GIB, resident=3 * GIB, settings=None, **values):
    """Return what the store would keep of the trial, run on a GPU on another machine."""
    return {
        **trial.record(),
        "settings": {**trial.settings, "model": "/there/model", **(settings or {})},
        "cost": {"peak_memory_bytes": peak, "peak_resident_bytes": resident},
        "environment": {"gpu": "A GPU"},
        **values,
    }


WHOLE = Needs(1.0, 1.0, None, "default")


@pytest.mark.parametrize(
    ("peak", "share"), [(0.1, 0.125), (8, 0.125), (8.1, 0.25), (40, 0.625), (60, 1.0), (64.1, 1.0), (500, 1.0)]
)
def test_the_share_of_a_gpu_is_a_quarter_more_than_was_used_in_eighths(peak, share):
    assert gpu_share(peak * GIB, 80 * GIB) == share


def test_a_share_is_asked_for_where_the_same_was_measured_on_a_gpu(trial):
    known = [record(trial, seed=1), record(trial, seed=2, peak=18 * GIB)]
    found = needs([trial], known, WHOLE, gpu_bytes=80 * GIB)
    assert (found.cpus, found.gpus, found.memory) == (1.0, 0.375, 3.75 * GIB)
    assert found.source == "GPU and memory as measured on 2 finished trials"
    assert found.bundle() == {"CPU": 1.0, "GPU": 0.375, "memory": 3.75 * GIB}
    assert str(found) == "1 CPU, 0.375 GPU, 3.8 GiB of memory"


@pytest.mark.parametrize(
    "values",
    [
        {"simulator": "sharp"},
        {"material": {"model": "0ther"}},
        {"environment": {"gpu": None}},
        {"environment": {"gpu": "A GPU", "device": "cpu"}},
        {"cost": {}},
        {"parallel": "DeepSpeed zero3 x2, configuration 0"},
    ],
)
def test_what_was_measured_of_something_else_does_not_count(trial, values):
    assert needs([trial], [record(trial, **values)], WHOLE, gpu_bytes=80 * GIB).gpus == 1.0


def test_without_a_record_nothing_changes(trial):
    assert needs([trial], [], WHOLE, gpu_bytes=80 * GIB) is WHOLE
    assert needs([trial], [record(trial)], WHOLE).gpus == 1.0  # nobody knows how much memory the GPU has


def test_trials_of_the_same_settings_count_before_others(trial):
    large = record(trial, peak=70 * GIB, settings={"weight": 0.1})
    assert needs([trial], [large], WHOLE, gpu_bytes=80 * GIB).gpus == 1.0
    assert needs([trial], [large, record(trial)], WHOLE, gpu_bytes=80 * GIB).gpus == 0.25


def test_all_trials_on_a_model_ask_for_the_same_and_for_all_if_one_is_unknown(trial):
    other = dataclasses.replace(trial, simulator="other")
    known = [record(trial), record(other, peak=30 * GIB, resident=GIB)]
    found = needs([trial, other], known, WHOLE, gpu_bytes=80 * GIB)
    assert (found.gpus, found.memory) == (0.5, 3.75 * GIB)
    assert needs([trial, other], known[:1], WHOLE, gpu_bytes=80 * GIB).gpus == 1.0


def test_memory_is_never_more_than_there_is(trial):
    plain = Needs(2.0)
    found = needs([trial], [record(trial, resident=3 * GIB)], plain, memory_limit=2 * GIB)
    assert found == Needs(2.0, 0.0, 2 * GIB, "memory as measured on 1 finished trial")
    assert found.record() == {"cpus": 2.0, "gpus": 0.0, "memory_bytes": 2 * GIB, "source": found.source}


def asked(**values):
    return EngineSettings("ray", **values)


TWO = [{"CPU": 8.0, "GPU": 4.0, "memory": 64.0 * GIB}, {"CPU": 2.0, "memory": 8.0 * GIB}]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Room(1.0, 0, 64 * GIB)),
        ({"cpus": 4.0, "gpus": 0.25}, Room(0.25, 0, 64 * GIB)),
        ({"deepspeed": "zero3"}, Room(1.0, 2, 64 * GIB)),
        ({"deepspeed": "zero3", "gpus": 4}, Room(1.0, 1, 64 * GIB)),
        ({"deepspeed": "zero3", "cpus": 4.0}, Room(1.0, 1, 64 * GIB)),
        ({"deepspeed": "zero3", "gpus": 0, "workers_per_trial": 3}, Room(0, 3, 64 * GIB)),
        ({"deepspeed": "zero3", "workers": 1}, Room(1.0, 1, 64 * GIB)),
    ],
)
def test_what_there_is_room_for(values, expected):
    assert room(TWO, asked(**values)) == expected


def test_models_may_be_kept_off_the_gpus():
    assert room(TWO, asked(), on_cpu=True).gpus == 0
    assert room(TWO, asked(deepspeed="zero3"), on_cpu=True).shared_abreast == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cpus": 9.0}, "a trial asks for 9 CPUs; the largest machine has 8. Lower --cpus"),
        ({"gpus": 5}, "a trial asks for 5 GPUs; the largest machine has 4. Lower --gpus"),
        ({"deepspeed": "zero3", "workers_per_trial": 5}, "5 workers with a GPU and 1 CPU each; there is room for 4"),
        (
            {"deepspeed": "zero3", "gpus": 0, "workers_per_trial": 11},
            "11 workers with 1 CPU each; there is room for 10",
        ),
    ],
)
def test_more_than_there_is(values, message):
    with pytest.raises(InputError, match=message):
        room(TWO, asked(**values))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("81559, Disabled\n40960, [N/A]\n", 40960 * 2**20),
        ("143771, Enabled\n", None),
        ("[N/A], Disabled\n", None),
        ("", None),
    ],
)
def test_the_memory_of_the_smallest_gpu(text, size):
    assert smallest(text) == size
