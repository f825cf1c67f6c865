from __future__ import annotations

import json
import multiprocessing
import os
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.engines import EngineSettings, LocalEngine
from benchmark.engines.interface import Outcome
from benchmark.engines.local import Room
from benchmark.engines.resources import forget_peaks, peak_resident, threads
from benchmark.engines.settings import engine_settings
from benchmark.engines.tally import Standing, Tally, duration
from benchmark.runs.runner import TrialsFailed, run, run_trial
from benchmark.runs.tracking import require, tracker
from benchmark.trials.configuration import RunConfig
from benchmark.trials.records import spent
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import expand
from tasks.errors import InputError
from tests.benchmark.engine_toys import EngineToys, notes
from tests.benchmark.toys import Toys, undigested

PARTS = ("", "_fit", "_simulate")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "rya"}, "Did you mean 'ray'"),
        ({"nmae": "ray"}, "Did you mean 'name'"),
        ({"address": "auto"}, "address is a setting of the engine ray"),
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
    np.ones(30_000_000).sum()
    large = peak_resident()
    forget_peaks()
    assert large - peak_resident() > 200_000_000


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
    record.write_text(json.dumps(undigested(values)))
    standings = []
    more = RunConfig("mini", simulators=("noisy",), reference="noisy", seeds=(1, 2, 3))
    run(more, mini, Toys(), tmp_path, display=standings.append)
    assert standings[0].left == 200


def stored(asked, task, out):
    """Return simulator, seed -> (bytes of predictions and artifacts, record) of every trial."""
    store, found = TrialStore(out / "trials"), {}
    for trial in expand(asked, task, EngineToys()):
        folder = store.folder(trial)
        files = {p.name: p.read_bytes() for p in [folder / "predictions.parquet", *folder.glob("artifacts/**/*.txt")]}
        found[trial.simulator, trial.seed] = (files, json.loads((folder / "trial.json").read_text()))
    return found


@pytest.mark.slow
def test_worker_processes_give_the_same_trials_and_bytes_as_one_process(mini, tmp_path):
    names = ("sharp", "noisy", "numeric", "trained")
    asked = RunConfig("mini", simulators=names, reference="sharp", seeds=(1, 2), settings={"trained.pause": 0.3})
    found, standings = {}, []
    for workers in (1, 3):
        engine = LocalEngine(workers=workers)
        run(asked, mini, EngineToys(), tmp_path / str(workers), engine=engine, display=standings.append)
        found[workers] = stored(asked, mini, tmp_path / str(workers))
        for file in ("predictions.parquet", "scores.parquet", "table.md", "results.json"):
            assert (tmp_path / str(workers) / file).read_bytes() == (tmp_path / "1" / file).read_bytes(), file
    assert {key: files for key, (files, _) in found[1].items()} == {key: files for key, (files, _) in found[3].items()}
    places = {record["environment"]["where"] for _, record in found[3].values()}
    assert 1 < len(places) <= 3 and not any(place.endswith(f"process {os.getpid()}") for place in places)
    assert any(re.fullmatch(r"trained, seed 1, fold 0: epochs \d of 4", at) for s in standings for at in s.workers)


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_trial_only_and_the_next_run_goes_on(mini, tmp_path):
    settings = {"trained.dies": 3, "notes": str(tmp_path)}
    names = ("trained", "mortal", "broken", "noisy")
    asked = RunConfig("mini", simulators=names, reference="noisy", seeds=(1, 2), settings=settings)
    with pytest.raises(TrialsFailed) as error:
        run(asked, mini, EngineToys(), tmp_path / "run", engine=LocalEngine(workers=2))
    lines = {(f.trial.simulator, f.trial.seed): f.line for f in error.value.failed}
    killed = "its worker process died (killed, perhaps for want of memory: lower --workers); the other trials go on"
    assert lines == {
        ("trained", 1): killed,
        ("trained", 2): killed,
        ("mortal", 1): killed,
        ("broken", 1): "ZeroDivisionError: it was never going to work",
    }
    assert [row.name for row in error.value.results.simulators] == ["noisy"]
    again = replace(asked, simulators=("trained", "noisy"))
    run(again, mini, EngineToys(), tmp_path / "run", engine=LocalEngine(workers=2))
    epochs = [line.split() for line in notes(tmp_path, "epochs")]
    assert [int(epoch) for seed, _, epoch in epochs if seed == "1"] == [1, 2, 3, 3, 4]


@pytest.mark.slow
def test_an_interrupt_ends_the_workers_and_scores_what_is_complete(mini, tmp_path):
    def stop(standing):
        if standing.done == 3:
            raise KeyboardInterrupt

    settings = {"trained.pause": 30.0, "trained.notes": str(tmp_path)}
    asked = RunConfig(
        "mini", simulators=("trained", "noisy", "sharp"), reference="sharp", seeds=(1, 2), settings=settings
    )
    shown = []
    with pytest.raises(KeyboardInterrupt):
        run(asked, mini, EngineToys(), tmp_path, engine=LocalEngine(workers=2), display=stop, show=shown.append)
    assert not multiprocessing.active_children()
    [part] = shown
    assert [row.name for row in part.simulators] == ["noisy", "sharp"] and part.seeds == (1, 2)
    assert part.notice.endswith("unfinished: simulators are missing")


def test_trials_run_next_to_each_other_as_far_as_measured_memory_allows(mini):
    asked = RunConfig("mini", simulators=("noisy",), reference="noisy", seeds=(1, 2))
    one, two = expand(asked, mini, Toys())
    cost = {"cost": {"peak_resident_bytes": 2**30}, "environment": {}}
    room = Room([], memory=2 * 2**30, gpu=False)
    assert room.fits(two, [one])  # nothing is known yet
    room.learn(one, Outcome(None, **cost))
    assert not room.fits(two, [one]) and room.fits(two, [])  # 1.25 GiB each
    assert Room([{**one.record(), **cost}], memory=3 * 2**30, gpu=False).fits(two, [one])
    model = replace(two, settings={"model": "x"}, material={"model": "f00d"})
    gpu = Room([], memory=None, gpu=True)
    assert gpu.fits(one, [model]) and gpu.fits(model, [one]) and not gpu.fits(model, [model])


def test_a_trial_with_a_model_on_a_gpu_costs_the_seconds_for_which_it_held_it(mini, monkeypatch):
    names, settings = ("based", "noisy"), {"model": "/here"}
    asked = RunConfig("mini", simulators=names, reference="noisy", seeds=(1,), settings=settings)
    monkeypatch.setattr("benchmark.engines.trial.gpu", lambda: "a GPU")
    model, plain = (run_trial(trial, mini)[1] for trial in expand(asked, mini, Toys()))
    assert [model[f"device_seconds{part}"] for part in PARTS] == [model[f"seconds{part}"] for part in PARTS]
    assert not any(name.startswith("device") for name in plain)
    cost = {"seconds_fit": 9.0, "processor_seconds_fit": 4.0}
    assert [spent(cost, "_fit"), spent({**cost, "device_seconds_fit": 7.0}, "_fit")] == [4.0, 7.0]
    assert [spent({**cost, "requests": 3}, "_fit"), spent({"seconds": 5.0}), spent({})] == [9.0, 5.0, None]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_training_curves_reach_a_tracker(mini, tmp_path, monkeypatch, workers):
    asked = RunConfig("mini", simulators=("trained",), reference="trained", seeds=(1, 2))
    logged, runs = [], []
    tracked = SimpleNamespace(log=logged.append, finish=lambda: runs.append("end"))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    board = SimpleNamespace(
        __name__="wandb",
        init=lambda **values: runs.append(values) or tracked,
    )
    monkeypatch.setitem(sys.modules, "wandb", board)
    with tracker("wandb", tmp_path) as track:
        run(asked, mini, EngineToys(), tmp_path, engine=LocalEngine(workers=workers), track=track)
    assert os.environ["WANDB_MODE"] == "offline" and runs[0]["dir"] == str(tmp_path / "curves") and runs[1:] == ["end"]
    first = [values for values in logged if "trained/seed-1/fold-0/epoch" in values]
    assert [values["trained/seed-1/fold-0/epoch"] for values in first] == [1, 2, 3, 4] and len(logged) == 8
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match="wandb is not installed; --track wandb needs it"):
        require("wandb")
    pytest.importorskip("tensorboardX")
    with tracker("tensorboard", tmp_path) as track:
        run(asked, mini, EngineToys(), tmp_path, engine=LocalEngine(workers=workers), track=track, force=True)
    [events] = (tmp_path / "curves" / "trained" / "seed-2" / "fold-0").iterdir()
    assert events.read_bytes().count(b"valid_score") == 4
