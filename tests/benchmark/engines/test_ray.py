"""The engine ray on a cluster of two nodes on this machine, which all tests here share."""

from __future__ import annotations

import errno
import json
import sys
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pandas as pd
import pytest

from benchmark.engines import EngineSettings, LocalEngine
from benchmark.engines.interface import Failure, PeerLost
from benchmark.engines.parcel import PackedTask, chunks, local_copy
from benchmark.engines.ray import _Job
from benchmark.engines.resources import Place
from benchmark.engines.trial import attempt
from benchmark.engines.worker import Parcel, TrialPart
from benchmark.runs.runner import TrialsFailed, run, run_missing
from benchmark.trials.configuration import RunConfig
from benchmark.trials.content import content_digest
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import expand
from tasks.errors import InputError
from tests.benchmark.engine_toys import EngineToys, notes

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

CATALOGUE = EngineToys()


@pytest.fixture(scope="module")
def engine():
    """Return a function that makes an engine on the shared cluster."""
    from benchmark.engines.cluster import require_ray
    from benchmark.engines.ray import RayEngine

    ray = require_ray()
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": 100 * 2**20}
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False, **small})
    nodes.add_node(num_cpus=1, **small)
    ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")

    def make(workers=None, folders=lambda trial: {}, launcher=None, **values):
        values = {"wait": 0.0, **values}
        return RayEngine(EngineSettings("ray", address=nodes.address, workers=workers, **values), folders, launcher)

    make.nodes = nodes
    yield make
    ray.shutdown()
    nodes.shutdown()


def config(*simulators, **values):
    values = {"seeds": (1, 2), "split": "kfold", **values}
    return RunConfig(task="mini", simulators=simulators, reference=simulators[0], **values)


def stored(asked, task, out):
    """Return simulator, seed, fold -> (predictions file, where it ran, artifacts) of every trial."""
    store, found = TrialStore(out / "trials"), {}
    for trial in expand(asked, task, CATALOGUE):
        folder = store.folder(trial)
        where = json.loads((folder / "trial.json").read_text())["environment"]["where"]
        artifacts = {p.name: p.read_bytes() for p in folder.glob("artifacts/**/*") if p.is_file()}
        found[trial.simulator, trial.seed, trial.fold] = (
            ((folder / "predictions.parquet").read_bytes(), artifacts),
            where,
        )
    return found


def test_the_same_bytes_come_out_of_every_engine(mini, tmp_path, engine):
    asked = config("sharp", "noisy", "numeric", "trained", split="loo")
    run(asked, mini, CATALOGUE, tmp_path / "local", engine=LocalEngine())
    local = stored(asked, mini, tmp_path / "local")
    places = {}
    for name, workers in (("one", 1), ("cluster", None)):
        run(asked, mini, CATALOGUE, tmp_path / name, engine=engine(workers))
        found = stored(asked, mini, tmp_path / name)
        assert {key: value[0] for key, value in found.items()} == {key: value[0] for key, value in local.items()}
        places[name] = {where for _, where in found.values()}
        for file in ("predictions.parquet", "scores.parquet", "table.md"):
            assert (tmp_path / name / file).read_bytes() == (tmp_path / "local" / file).read_bytes(), file
    # Workers are reused.
    assert len(places["one"]) == 1 and len(places["cluster"]) <= 3


def test_without_a_limit_trials_spread_over_all_nodes(mini, tmp_path, engine):
    settings = {"meeting.together": 3, "meeting.notes": str(tmp_path)}
    asked = config("meeting", seeds=(1, 2, 3), split="loo", settings=settings)
    run(asked, mini, CATALOGUE, tmp_path / "run", engine=engine())
    places = {where for _, where in stored(asked, mini, tmp_path / "run").values()}
    assert len(places) == 3 and len({where.split(" process ")[0] for where in places}) == 2


def test_what_raises_or_loses_its_worker_costs_no_epoch_that_was_kept_and_does_not_stop_the_rest(
    mini, tmp_path, engine
):
    settings = {"trained.dies": 3, "notes": str(tmp_path)}
    asked = config("trained", "noisy", "broken", "mortal", "sharp", settings=settings, split="loo")
    plain, said = config("trained", "noisy", split="loo"), []
    run(plain, mini, CATALOGUE, tmp_path / "plain", engine=LocalEngine())
    with pytest.raises(TrialsFailed) as error:
        run(asked, mini, CATALOGUE, tmp_path / "run", engine=engine(2), report=said.append)
    killed = stored(replace(asked, simulators=plain.simulators), mini, tmp_path / "run")
    quiet = stored(plain, mini, tmp_path / "plain")
    assert {key: value[0] for key, value in killed.items()} == {key: value[0] for key, value in quiet.items()}
    epochs = [tuple(map(int, line.split())) for line in notes(tmp_path, "epochs")]
    for seed in (1, 2):
        assert [epoch for s, _, epoch in epochs if s == seed] == [1, 2, 3, 3, 4]  # epochs 1 and 2 were kept
    broken, mortal = sorted(error.value.failed, key=lambda failed: failed.trial.simulator)
    assert [row.name for row in error.value.results.simulators] == ["trained", "noisy", "sharp"]
    assert all(f"failed: {failed}" in said for failed in (broken, mortal))
    # What raises is not repeated; what loses its worker is, twice.
    assert broken.line == "ZeroDivisionError: it was never going to work"
    assert "in fit" in broken.log.read_text()  # the worker's traceback
    assert json.loads((broken.log.parent / "trial.json").read_text())["attempts"] == 1
    assert mortal.line.startswith("its worker was lost 3 times") and len(notes(tmp_path, "deaths")) == 3
    assert "died" in mortal.log.read_text()


def test_a_race_goes_on_where_a_worker_was_killed(mini, tmp_path, engine):
    from benchmark.runs.search.space import Space
    from benchmark.runs.search.tuning import tune

    asked = config("trained", split="loo", seeds=(1,), settings={"trained.dies": 2, "trained.notes": str(tmp_path)})
    space = Space({"epochs": (3, 2)}, score=("KL",))
    raced = tune(asked, space, mini, CATALOGUE, tmp_path / "raced", engine=engine(2))
    assert len(notes(tmp_path, "died")) > 1  # the first that came to epoch 2 did
    plain = tune(asked, space, mini, CATALOGUE, tmp_path / "plain", engine=LocalEngine())
    # Whether the slower is stopped depends on the race; what was run scores what it scores elsewhere.
    assert raced.failed == () and raced.best.complete
    for one, two in zip(raced.candidates, plain.candidates, strict=True):
        assert one.scores and one.scores == two.scores[: len(one.scores)]


def test_a_race_stops_a_bad_candidate_after_its_first_epoch(mini, tmp_path, engine):
    from benchmark.runs.search.space import Space
    from benchmark.runs.search.tuning import tune

    asked = config("trained", split="loo", seeds=(1,), settings={"trained.notes": str(tmp_path)})
    space = Space({"shown": (1.0, 2.0, 3.0, 4.0)}, score=("KL",))
    found = tune(asked, space, mini, CATALOGUE, tmp_path / "raced", engine=engine(1))
    assert [len(candidate.scores) for candidate in found.candidates] == [5, 0, 0, 0]
    assert len(notes(tmp_path, "epochs")) == 5 * 4 + 3


def test_a_model_is_loaded_once_per_worker_though_simulators_are_listed_in_turns(mini, tmp_path, engine):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.txt").write_text(f"weights of {name}")
    settings = {
        "notes": str(tmp_path),
        "modelled.model": str(tmp_path / "a"),
        "other-modelled.model": str(tmp_path / "b"),
    }
    asked = config("modelled", "other-modelled", settings=settings, seeds=(1, 2, 3))
    run(asked, mini, CATALOGUE, tmp_path / "run", engine=engine(2))
    loads = notes(tmp_path, "loads")
    assert len(loads) == len(set(loads)) <= 4  # 30 trials, two workers, two models
    assert len(stored(asked, mini, tmp_path / "run")) == 30


def test_a_model_that_a_machine_lacks_is_brought_from_the_driver(mini, tmp_path, engine):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.txt").write_text("weights")
    settings = {"model": str(tmp_path / "model"), "notes": str(tmp_path), "blind": True}
    # For the second simulator there is nothing to bring.
    brings = engine(2, folders=lambda t: {"model": tmp_path / "model"} if t.simulator == "modelled" else {})
    with pytest.raises(TrialsFailed) as error:
        run(config("modelled", "other-modelled", settings=settings), mini, CATALOGUE, tmp_path / "run", engine=brings)
    assert {f.trial.simulator for f in error.value.failed} == {"other-modelled"}
    assert "would run other-modelled with another model than the driver" in error.value.failed[0].line
    run(config("modelled", settings={**settings, "blind": False}), mini, CATALOGUE, tmp_path / "local")
    here, there = (pd.read_parquet(tmp_path / name / "predictions.parquet") for name in ("run", "local"))
    pd.testing.assert_frame_equal(here, there, check_exact=True)


def test_a_full_disk_stops_the_run_with_a_line_and_the_next_goes_on(mini, tmp_path, engine, monkeypatch):
    from benchmark.scores import predictions

    write, written = predictions.write, []

    def fills_up(frame, path, about=None):
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        write(frame, path, about)

    asked = config("noisy")
    with monkeypatch.context() as patch:
        patch.setattr(predictions, "write", fills_up)
        with pytest.raises(InputError, match="the disk is full"):
            run(asked, mini, CATALOGUE, tmp_path / "full", engine=engine(2))
    said = []
    run(asked, mini, CATALOGUE, tmp_path / "full", report=said.append)  # what one engine began another can end
    assert said == ["3 of 10 trials were finished before and are kept."]
    run(asked, mini, CATALOGUE, tmp_path / "local")
    names = ("full", "local")
    assert len({(tmp_path / name / "predictions.parquet").read_bytes() for name in names}) == 1


def test_an_interrupt_ends_the_run_and_the_next_goes_on(mini, tmp_path, engine):
    def stop(standing):
        if standing.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config("noisy"), mini, CATALOGUE, tmp_path, engine=engine(2), display=stop)
    said = []
    run(config("noisy"), mini, CATALOGUE, tmp_path, report=said.append)
    assert said == ["4 of 10 trials were finished before and are kept."]


@dataclass(frozen=True)
class Peer:
    """One of two processes; the second does nothing but take part."""

    first: bool

    def agreed(self, call):
        return call()

    def attempt(self, trial, task, workspace):
        if not self.first:
            return Failure("not told", "not told")
        return attempt(trial, task, workspace, Place("ray", "first of 2"))


@dataclass(frozen=True)
class Pairs:
    """Has two processes share a trial, or refuses."""

    size: int = 2

    def parallel(self, trial):
        return "a pair" if trial.simulator in ("trained", "sharp") else ""

    def launch(self, part, cpus, gpus):
        import ray

        if part.parcel.trials[part.index].simulator == "sharp":
            part.refuse("there is no second chair.")
            part.refuse("there is none here either.")
            raise RuntimeError("no chair")
        work = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0, scheduling_strategy="SPREAD")(take_part)
        ray.get([work.remote(part, Peer(rank == 0)) for rank in range(self.size)])


def take_part(part, peer):
    part.carry_out(peer)


def test_several_processes_share_a_trial_and_its_identity_says_so(mini, tmp_path, engine):
    settings = {"trained.dies": 3, "trained.notes": str(tmp_path)}
    asked = config("noisy", "trained", "sharp", settings=settings, split="loo", seeds=(1,))
    run(config("noisy", split="loo", seeds=(2,)), mini, CATALOGUE, tmp_path / "pairs", engine=LocalEngine())
    said = []
    with pytest.raises(TrialsFailed) as error:
        run(asked, mini, CATALOGUE, tmp_path / "pairs", engine=engine(launcher=Pairs()), report=said.append)
    # A pair that cannot work together is reported once; one that lost a process goes on from its last checkpoint.
    assert [failed.line for failed in error.value.failed] == ["there is no second chair."]
    assert sum(line.startswith("the worker of trained") for line in said) == 1
    assert [int(line.split()[-1]) for line in notes(tmp_path, "epochs")] == [1, 2, 3, 3, 4]
    assert error.value.results.notice.endswith("computed with a pair")
    store = TrialStore(tmp_path / "pairs" / "trials")
    noisy, trained, sharp = expand(asked, mini, CATALOGUE)
    assert store.finished(noisy) and not store.finished(trained)
    pair = replace(trained, parallel="a pair")
    assert "parallel" not in trained.record() and pair.identity() != trained.identity()
    [record] = [record for record in store.records() if record["simulator"] == "trained"]
    assert record["parallel"] == record["environment"]["parallel"] == "a pair"
    local = config("trained", settings=settings, split="loo", seeds=(1,))
    run(local, mini, CATALOGUE, tmp_path / "alone")
    alone = TrialStore(tmp_path / "alone" / "trials")
    assert store.get(pair).equals(alone.get(trained))
    # What one trial needed in this process the next one asked for.
    [asked_for] = [
        r["environment"]["resources"] for r in store.records() if (r["simulator"], r["seed"]) == ("noisy", 1)
    ]
    assert asked_for["source"] == "memory as measured on 1 finished trial"
    assert asked_for["memory_bytes"] > 50 * 2**20 and any(asked_for["source"] in line for line in said)


def test_a_lost_process_is_no_failure_of_the_trial(mini):
    [trial] = expand(config("sharp", split="loo"), mini, CATALOGUE)
    part = TrialPart(0, Parcel((trial,), None, "", 1, None, None, {}), {})

    def fails(error):
        def call(*anything):
            raise error

        return call

    with pytest.raises(PeerLost):
        part.perform(lambda *message: None, fails(PeerLost("gone")), lambda *anything: None)
    with pytest.raises(PeerLost):
        part.perform(lambda *message: None, lambda call: (trial, mini), fails(PeerLost("gone")))
    found, _ = part.perform(lambda *message: None, fails(InputError("a reason.")), lambda *anything: None)
    assert found.line == "a reason."


def test_a_worker_that_is_lost_before_it_has_begun_leaves_no_log(mini):
    trials = expand(config("noisy", split="loo"), mini, CATALOGUE)
    messages = [[("start", 1, ("here",))], []]
    ray = SimpleNamespace(get=lambda reference: messages.pop(0))
    said = []
    ledger = SimpleNamespace(start=lambda trial, where: None, say=lambda trial, line: said.append(trial))
    job = _Job(ray, None, [[trial] for trial in trials], ledger, sys.stdout, {}, trials=tuple(trials))
    job.inbox = SimpleNamespace(fetch=SimpleNamespace(remote=lambda: None))
    job.begin_again(0)
    assert said == []
    messages[:] = [[]]
    job.begin_again(1)
    assert said == [trials[1]]


def test_an_engine_that_shares_trials_wants_trials_that_say_so(mini, tmp_path, engine):
    trials = expand(config("trained", split="loo", seeds=(1,)), mini, CATALOGUE)
    with pytest.raises(InputError, match="to be computed with one process; the engine does so with a pair"):
        run_missing(trials, mini, TrialStore(tmp_path), engine=engine(launcher=Pairs()))
    marked = [replace(trial, parallel="a pair") for trial in trials]
    with pytest.raises(InputError, match="to be computed with a pair; the engine does so with one process"):
        run_missing(marked, mini, TrialStore(tmp_path), engine=LocalEngine())


def test_more_than_a_machine_has_is_refused_with_a_line(mini, tmp_path, engine):
    with pytest.raises(InputError, match="a trial asks for 64 CPUs; the largest machine has 2"):
        run(config("noisy"), mini, CATALOGUE, tmp_path, engine=engine(cpus=64.0))
    with pytest.raises(InputError, match="a trial asks for 0.5 GPUs; the largest machine has 0"):
        run(config("noisy"), mini, CATALOGUE, tmp_path, engine=engine(gpus=0.5))


def test_a_machine_that_joins_later_is_waited_for_and_used(mini, tmp_path, engine):
    said, joined = [], []

    def join(line):
        said.append(line)
        joined.append(engine.nodes.add_node(num_cpus=4, object_store_memory=100 * 2**20))

    try:
        run(config("noisy"), mini, CATALOGUE, tmp_path, engine=engine(cpus=4.0, wait=120.0), report=join)
    finally:
        for node in joined:
            engine.nodes.remove_node(node)
    waits = "waits 120 s at most for a machine: a trial asks for 4 CPUs; the largest machine has 2."
    assert said == [waits]
    with pytest.raises(InputError, match="the largest machine has 2. Lower --cpus. Waited 1 s for a machine"):
        run(config("noisy"), mini, CATALOGUE, tmp_path / "never", engine=engine(cpus=4.0, wait=1.0))


def test_the_death_of_a_helper_is_one_line_and_a_second_start(mini, tmp_path, engine, monkeypatch):
    import ray

    collect, killed = _Job.collect, []

    def kill_first(job):
        if len(job.over) >= 3 and not killed:
            killed.append(job.inbox)
            ray.kill(job.inbox)
        collect(job)

    monkeypatch.setattr(_Job, "collect", kill_first)
    said = []
    run(config("noisy"), mini, CATALOGUE, tmp_path / "run", engine=engine(2), report=said.append)
    assert said[:1] == ["a helper of the engine was lost; what is unfinished begins again, from its checkpoints."]
    run(config("noisy"), mini, CATALOGUE, tmp_path / "local")
    assert killed and stored(config("noisy"), mini, tmp_path / "run").keys()
    names = ("run", "local")
    assert len({(tmp_path / name / "predictions.parquet").read_bytes() for name in names}) == 1


def test_a_packed_task_holds_the_same_sessions_and_splits(mini):
    import pickle

    copy = pickle.loads(pickle.dumps(PackedTask.of(mini))).unpack()
    assert content_digest(copy) == content_digest(mini) and copy.digests == mini.digests
    for name in ("loo", "kfold", "unseen-screen"):  # three screens are too few for five folds of them
        for (a, b), (c, d) in zip(mini.split(name).folds, copy.split(name).folds, strict=True):
            assert a.tolist() == c.tolist() and b.tolist() == d.tolist()


def test_a_checkpoint_is_copied_once_and_whole(tmp_path, monkeypatch):
    from benchmark.engines import parcel

    monkeypatch.setenv("GAZEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(parcel, "_CHUNK", 10)
    source = tmp_path / "model"
    source.mkdir()
    (source / "config.json").write_text("{}")
    (source / "model.safetensors").write_bytes(bytes(range(25)))
    copy = local_copy("abc", chunks(source))
    assert {p.name: p.read_bytes() for p in copy.iterdir()} == {p.name: p.read_bytes() for p in source.iterdir()}

    def never():
        raise AssertionError("drawn")
        yield

    assert local_copy("abc", never()) == copy


def test_without_ray_one_line_says_what_to_install(monkeypatch, capsys):
    from benchmark.cli import main

    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["run", "--task", "recgaze", "--engine", "ray"]) == 2
    assert capsys.readouterr().err == (
        "error: ray is not installed; the engine ray needs it: pip install 'ray[tune]'.\n"
    )
