"""The engine ray on a cluster of two nodes on this machine, which all tests here share."""

from __future__ import annotations

import errno
import json
import sys

import pandas as pd
import pytest

from benchmark.config import RunConfig
from benchmark.content import content_digest
from benchmark.engines import EngineSettings, LocalEngine
from benchmark.engines.parcel import PackedTask, chunks, local_copy
from benchmark.runner import TrialsFailed, run
from benchmark.store import TrialStore
from benchmark.trials import expand
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

    def make(workers=None, folders=lambda trial: {}, **values):
        return RayEngine(EngineSettings("ray", address=nodes.address, workers=workers, **values), folders)

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
    for name, workers in (("one", 1), ("two", 2), ("cluster", None)):
        run(asked, mini, CATALOGUE, tmp_path / name, engine=engine(workers))
        found = stored(asked, mini, tmp_path / name)
        assert {key: value[0] for key, value in found.items()} == {key: value[0] for key, value in local.items()}
        places[name] = {where for _, where in found.values()}
        for file in ("predictions.parquet", "scores.parquet", "table.md"):
            assert (tmp_path / name / file).read_bytes() == (tmp_path / "local" / file).read_bytes(), file
    # Workers are reused, and without a limit trials spread over both nodes.
    assert len(places["one"]) == 1 and len(places["two"]) <= 2 and len(places["cluster"]) <= 3
    assert len({where.split(" process ")[0] for where in places["cluster"]}) == 2


def test_a_killed_worker_costs_no_epoch_that_was_kept_and_changes_nothing(mini, tmp_path, engine):
    asked = config("trained", "noisy", settings={"trained.dies": 3, "trained.notes": str(tmp_path)}, split="loo")
    plain = config("trained", "noisy", split="loo")
    run(plain, mini, CATALOGUE, tmp_path / "plain", engine=LocalEngine())
    run(asked, mini, CATALOGUE, tmp_path / "killed", engine=engine(2))
    killed, quiet = stored(asked, mini, tmp_path / "killed"), stored(plain, mini, tmp_path / "plain")
    assert {key: value[0] for key, value in killed.items()} == {key: value[0] for key, value in quiet.items()}
    epochs = [tuple(map(int, line.split())) for line in notes(tmp_path, "epochs")]
    for seed in (1, 2):
        assert [epoch for s, _, epoch in epochs if s == seed] == [1, 2, 3, 3, 4]  # epochs 1 and 2 were kept


def test_a_race_goes_on_where_a_worker_was_killed(mini, tmp_path, engine):
    from benchmark.search.space import Space
    from benchmark.search.tuning import tune

    asked = config("trained", split="loo", seeds=(1,), settings={"trained.dies": 2, "trained.notes": str(tmp_path)})
    space = Space({"epochs": (3, 2)}, score=("KL",))
    raced = tune(asked, space, mini, CATALOGUE, tmp_path / "raced", engine=engine(2))
    assert len(notes(tmp_path, "died")) > 1  # the first that came to epoch 2 did
    plain = tune(asked, space, mini, CATALOGUE, tmp_path / "plain", engine=LocalEngine())
    # Whether the slower is stopped depends on the race; what was run scores what it scores elsewhere.
    assert raced.failed == () and raced.best.complete
    for one, two in zip(raced.candidates, plain.candidates, strict=True):
        assert one.scores and one.scores == two.scores[: len(one.scores)]


def test_a_trial_that_raises_is_not_repeated_and_does_not_stop_the_rest(mini, tmp_path, engine):
    said = []
    with pytest.raises(TrialsFailed) as error:
        run(config("broken", "noisy"), mini, CATALOGUE, tmp_path, engine=engine(2), report=said.append)
    assert {f.line for f in error.value.failed} == {"ZeroDivisionError: it was never going to work"}
    assert len(error.value.failed) == 5 and [row.name for row in error.value.results.simulators] == ["noisy"]
    assert "in fit" in error.value.failed[0].log.read_text()  # the worker's traceback
    assert json.loads((error.value.failed[0].log.parent / "trial.json").read_text())["attempts"] == 1


def test_a_trial_whose_worker_dies_again_and_again_fails_with_its_cause(mini, tmp_path, engine):
    asked = config("mortal", "sharp", settings={"mortal.notes": str(tmp_path)}, split="loo", seeds=(1,))
    with pytest.raises(TrialsFailed) as error:
        run(asked, mini, CATALOGUE, tmp_path / "run", engine=engine(1))
    [failed] = error.value.failed
    assert failed.line.startswith("its worker was lost 3 times") and len(notes(tmp_path, "deaths")) == 3
    assert "died" in failed.log.read_text() and [row.name for row in error.value.results.simulators] == ["sharp"]


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
    from benchmark import predictions

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


def test_more_than_a_machine_has_is_refused_with_a_line(mini, tmp_path, engine):
    with pytest.raises(InputError, match="a trial asks for 64 CPUs; the largest machine has 2"):
        run(config("noisy"), mini, CATALOGUE, tmp_path, engine=engine(cpus=64.0))
    with pytest.raises(InputError, match="a trial asks for 0.5 GPUs; the largest machine has 0"):
        run(config("noisy"), mini, CATALOGUE, tmp_path, engine=engine(gpus=0.5))


def test_a_packed_task_holds_the_same_sessions_and_splits(mini):
    import pickle

    copy = pickle.loads(pickle.dumps(PackedTask.of(mini))).unpack()
    assert content_digest(copy) == content_digest(mini) and copy.digests == mini.digests
    for name in mini.splits:
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
        "error: ray is not installed; the engine ray needs it: pip install 'gazebench[ray]'.\n"
    )
