from __future__ import annotations

import json
import os
import sys

import numpy as np
import pytest

from benchmark.engines import EngineSettings, LocalEngine
from benchmark.engines.resources import peak_memory, threads
from benchmark.engines.settings import engine_settings
from benchmark.engines.tally import Standing, Tally, duration
from benchmark.runs.runner import run
from benchmark.trials.configuration import RunConfig
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import expand
from tasks.errors import InputError
from tests.benchmark.engine_toys import EngineToys, notes
from tests.benchmark.toys import Toys


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "rya"}, "Did you mean 'ray'"),
        ({"nmae": "ray"}, "Did you mean 'name'"),
        ({"address": "auto"}, "address is a setting of the engine ray"),
        ({"workers": 2}, "workers is a setting of the engine ray"),
        ({"name": "ray", "workers": 0}, "'workers' must be a whole number >= 1"),
        ({"name": "ray", "workers": 1.5}, "'workers' must be a whole number"),
        ({"name": "ray", "workers": True}, "'workers' must be a whole number"),
        ({"name": "ray", "gpus": 1.5}, "above 1 it must be a whole number"),
        ({"name": "ray", "gpus": -1}, "'gpus' must be a number >= 0"),
        ({"name": "ray", "cpus": 0}, "'cpus' must be a number > 0"),
        ({"name": "ray", "cpus": float("nan")}, "'cpus' must be a "),
        ({"name": "ray", "cpus": "two"}, "'cpus' must be a number"),
        ({"name": "ray", "address": "ray://head:10001"}, "that of a Ray client"),
        ({"name": "ray", "workers_per_trial": 2}, "only DeepSpeed shares a trial out"),
        ({"deepspeed": "zero2", "workers_per_trial": 2}, "workers_per_trial is a setting of the engine ray"),
        (
            {"name": "ray", "deepspeed": "zero2", "workers_per_trial": 0},
            "must be a whole number >= 1",
        ),
        ({"name": "ray", "deepspeed": "zero2", "gpus": 0.5}, "gpus is 0.5: with deepspeed each worker"),
        ({"name": "ray", "deepspeed": "zero2", "gpus": 2, "workers_per_trial": 3}, "give one of the two"),
        ({"name": "ray", "deepspeed": 2}, "'deepspeed' must be text"),
    ],
)
def test_engine_settings_that_make_no_sense_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        engine_settings(values)


@pytest.mark.parametrize(("cpus", "count"), [(0.5, 1), (1.0, 1), (4.0, 4)])
def test_a_trial_has_as_many_threads_as_cpus_and_at_least_one(cpus, count):
    assert EngineSettings("ray", cpus=cpus).threads == count


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({}, 1),
        ({"deepspeed": "zero3"}, 2),
        ({"deepspeed": "zero3", "gpus": 4}, 4),
        ({"deepspeed": "zero3", "gpus": 0}, 2),
        ({"deepspeed": "zero3", "workers_per_trial": 3}, 3),
    ],
)
def test_how_many_workers_share_a_trial(values, count):
    assert EngineSettings("ray", **values).processes == count


def test_threads_are_fixed_for_what_is_loaded_and_what_will_be(monkeypatch):
    from threadpoolctl import threadpool_info

    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    with threads(1):
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
        assert {pool["num_threads"] for pool in threadpool_info()} == {1} and torch.get_num_threads() == 1
    assert os.environ["OMP_NUM_THREADS"] == "7" and "MKL_NUM_THREADS" not in os.environ
    assert torch.get_num_threads() == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_the_peak_memory_of_a_trial_is_not_that_of_the_one_before():
    with peak_memory() as large:
        np.ones(30_000_000).sum()
    with peak_memory() as small:
        pass
    assert large.bytes - small.bytes > 200_000_000


@pytest.mark.slow
def test_the_engine_gives_its_threads_to_the_trial_and_records_them(mini, tmp_path, monkeypatch):
    seen = []

    def fit(self, train, seed):
        seen.append(os.environ["OMP_NUM_THREADS"])

    from tests.benchmark import toys

    monkeypatch.setattr(toys.Sharp, "fit", fit)
    asked = RunConfig("mini", simulators=("sharp",), reference="sharp")
    identities = []
    for count in (1, 3):
        run(asked, mini, Toys(), tmp_path / str(count), engine=LocalEngine(threads=count))
        [folder] = [p for p in (tmp_path / str(count) / "trials").iterdir() if p.is_dir()]
        assert json.loads((folder / "trial.json").read_text())["environment"]["threads"] == count
        identities.append(folder.name)
    assert seen == ["1", "3"] and identities[0] == identities[1]  # threads are no part of the identity


def test_a_trial_that_is_interrupted_goes_on_from_its_checkpoint(mini, tmp_path, monkeypatch):
    asked = RunConfig(
        "mini", simulators=("trained",), reference="trained", seeds=(1,), settings={"trained.notes": str(tmp_path)}
    )
    seen = []

    def stop_in_the_third(items, *, total=None, desc=""):
        for item in items:
            seen.append(item)
            if len(seen) == 3:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        run(asked, mini, EngineToys(), tmp_path / "run", progress=stop_in_the_third)
    run(asked, mini, EngineToys(), tmp_path / "run")
    assert [line.split()[-1] for line in notes(tmp_path, "epochs")] == ["1", "2", "3", "4"]
    run(asked, mini, EngineToys(), tmp_path / "again")
    names = ("run", "again")
    assert len({(tmp_path / name / "predictions.parquet").read_bytes() for name in names}) == 1


def test_force_begins_from_the_start(mini, tmp_path):
    settings = {"trained.notes": str(tmp_path)}
    asked = RunConfig("mini", simulators=("trained",), reference="trained", seeds=(1,), settings=settings)
    [trial] = expand(asked, mini, EngineToys())
    state, _ = TrialStore(tmp_path / "run" / "trials").begin(trial)
    (state / "state.json").write_text('{"epoch": 4, "value": 99.0}')
    run(asked, mini, EngineToys(), tmp_path / "run", force=True)
    assert len(notes(tmp_path, "epochs")) == 4


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_time_left_follows_each_simulators_own_trials(mini):
    asked = RunConfig("mini", simulators=("sharp", "noisy"), reference="sharp", seeds=(1, 2), split="kfold")
    quick, slow = (
        [t for t in expand(asked, mini, Toys()) if t.simulator == name and t.seed == 1] for name in ("sharp", "noisy")
    )
    clock = Clock()
    tally = Tally([*quick, *slow], clock)
    assert tally.standing() == Standing(10, 0, 0, 0, None)
    for trial in quick:
        tally.start(trial)
        clock.now += 1
        tally.finish(trial)
    assert tally.standing() == Standing(10, 5, 0, 0, 5.0)  # nothing is known of the slow ones yet
    tally.start(slow[0])
    clock.now += 60
    tally.finish(slow[0])
    assert tally.standing().left == 240
    tally.start(slow[1])
    tally.start(slow[2])
    clock.now += 20
    assert tally.standing() == Standing(10, 6, 2, 0, (40 + 40 + 60 + 60) / 2)  # two at a time
    tally.fail(slow[1])
    assert str(tally.standing()) == "trials: 6 of 10 done, 1 running, 1 failed, about 1 min 20 s left"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")]
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.slow
def test_times_of_an_earlier_run_tell_how_long_the_rest_takes(mini, tmp_path):
    asked = RunConfig("mini", simulators=("noisy",), reference="noisy", seeds=(1,))
    run(asked, mini, Toys(), tmp_path)
    record = next((tmp_path / "trials").glob("*/trial.json"))
    values = json.loads(record.read_text())
    values["cost"]["seconds"] = 100.0
    record.write_text(json.dumps(values))
    standings = []
    more = RunConfig("mini", simulators=("noisy",), reference="noisy", seeds=(1, 2, 3))
    run(more, mini, Toys(), tmp_path, display=standings.append)
    assert standings[0].left == 200
