from __future__ import annotations

import errno
import json
import multiprocessing

import numpy as np
import pytest

from benchmark.engines import Failure, Outcome
from benchmark.parts.ragged import ragged
from benchmark.runs.runner import run
from benchmark.scores.predictions import schema, table
from benchmark.trials.configuration import RunConfig
from benchmark.trials.store import TrialStore, read_files, write_files
from benchmark.trials.trial import expand
from tasks.errors import InputError
from tests.benchmark.toys import Toys


@pytest.fixture
def trial(mini):
    return expand(RunConfig("mini", simulators=("noisy",), reference="noisy", seeds=(1,)), mini, Toys())[0]


def outcome():
    return Outcome(schema().empty_table(), {"seconds": 1.5, "tokens": 7}, {"where": "here"})


def answered():
    """An outcome of two answers."""
    keys = {"simulator": "noisy", "seed": 1, "session_id": ["a", "b"], "target": "none"}
    return Outcome(
        table(keys, {"answer": ragged([np.array([1.0]), np.array([2.0])])}), {"seconds": 1.5}, {"where": "here"}
    )


def test_a_finished_trial_keeps_what_there_is_to_know(mini, tmp_path):
    run(RunConfig("mini", simulators=("noisy",), reference="noisy", seeds=(1,)), mini, Toys(), tmp_path)
    [folder] = [p for p in (tmp_path / "trials").iterdir() if p.is_dir()]
    record = json.loads((folder / "trial.json").read_text())
    assert record["settings"] == {"scale": 1.0} and record["digest"] == mini.digests["loo"] and record["stimuli"]
    assert set(record["cost"]) >= {"seconds", "peak_memory_bytes", "tokens", "flops_estimated"}
    environment = record["environment"]
    assert environment["engine"] == "local" and environment["threads"] == 1 and environment["where"]
    assert environment["packages"]["numpy"] and environment["platform"]
    assert record["attempts"] == 1 and record["finished"].endswith("+00:00")
    assert (folder / "predictions.parquet").is_file()


def test_what_an_attempt_leaves_is_there_for_the_next_one(trial, tmp_path):
    store = TrialStore(tmp_path)
    state, artifacts = store.begin(trial, "here")
    (state / "epoch-3").write_bytes(b"3")
    store.log(trial, "epoch 3 is done")
    path = store.fail(trial, Failure("it broke", "Traceback\nit broke"))
    assert path.read_text() == "epoch 3 is done\nTraceback\nit broke\n"
    assert json.loads((path.parent / "failure.json").read_text())["line"] == "it broke"
    # The next attempt finds the checkpoint and is no failure yet.
    store.begin(trial, "there")
    assert store.state(trial) == {"epoch-3": b"3"} and not (path.parent / "failure.json").exists()
    (artifacts / "curve.txt").write_text("down")
    store.put(trial, outcome())
    assert not store.working(trial).exists() and store.finished(trial) and store.seconds(trial) == 1.5
    assert read_files(store.folder(trial) / "artifacts") == {"curve.txt": b"down"}
    assert (store.folder(trial) / "log.txt").read_text().startswith("epoch 3 is done")
    assert json.loads((store.folder(trial) / "trial.json").read_text())["attempts"] == 2


def test_a_checkpoint_that_arrives_replaces_the_one_before_as_a_whole(trial, tmp_path):
    store = TrialStore(tmp_path)
    store.begin(trial)
    store.keep(trial, {"a": b"1", "deep/b": b"2"})
    store.keep(trial, {"deep/b": b"3"})
    assert store.state(trial) == {"deep/b": b"3"}
    store.put(trial, outcome(), {"fit/curve.txt": b"down"})
    assert read_files(store.folder(trial) / "artifacts") == {"fit/curve.txt": b"down"}


def test_every_flipped_bit_of_a_stored_trial_is_found_or_harmless(trial, tmp_path):
    store, random = TrialStore(tmp_path), np.random.default_rng(8)
    store.put(trial, answered(), {"fit/curve.txt": b"down", "drawn.json": b"{}"})
    folder = store.folder(trial)
    before, record = read_files(folder), json.loads((folder / "trial.json").read_text())
    assert store.finished(trial) and len(before) == 4 and set(record["files"]) == set(before) - {"trial.json"}
    for flip in range(300):
        name = sorted(before)[flip % 4]
        content = bytearray(before[name])
        bit = int(random.integers(8 * len(content)))
        content[bit // 8] ^= 1 << bit % 8
        (folder / name).write_bytes(content)
        if store.finished(trial):
            assert name == "trial.json" and json.loads(content) == record, (name, bit)
        else:
            with pytest.raises(InputError, match="is damaged"):
                store.get(trial)
        (folder / name).write_bytes(before[name])
    assert store.finished(trial) and store.get(trial).num_rows == 2


def test_a_swapped_empty_or_foreign_trial_is_named_and_run_again(trial, tmp_path):
    store, told = TrialStore(tmp_path), []
    store.put(trial, answered(), {})
    whole = (store.folder(trial) / "trial.json").read_text()
    for content in ("", "{}", "[]", whole.replace('"seed": 1', '"seed": 2'), whole.replace("1.5", "2.5")):
        (store.folder(trial) / "trial.json").write_text(content)
        assert store.waiting([trial], False, told.append) == [trial]
        assert trial.identity() in told[-1] and "it is run again" in told[-1] and store.records() == []
    record = json.loads(whole)
    older = {key: value for key, value in record.items() if key not in ("files", "checksum")}
    (store.folder(trial) / "trial.json").write_text(json.dumps(older))
    assert store.waiting([trial], False, told.append) == [] and store.get(trial).num_rows == 2
    (store.folder(trial) / "trial.json").write_text(json.dumps({**older, "seed": 7}))
    assert store.fault(trial) == "trial.json is empty or another trial's"


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out", ""])
def test_a_file_name_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="leads out of its folder"):
        write_files(tmp_path / "in", {name: b""})
    assert list(tmp_path.rglob("out")) == []


def hold(root, held, release):
    with TrialStore(root).lock():
        held.set()
        release.wait(30)


def test_a_file_system_without_locks_is_no_obstacle(tmp_path, monkeypatch):
    import filelock

    def refuse(self, *arguments, **options):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with TrialStore(tmp_path / "trials").lock():
        assert (tmp_path / "trials" / ".lock").is_file()


def test_two_runs_in_one_folder_are_refused_and_a_dead_one_holds_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / "run" / "trials", held, release))
    other.start()
    try:
        assert held.wait(60)
        with (
            pytest.raises(InputError, match="another run is at work in .*run"),
            TrialStore(tmp_path / "run/trials").lock(),
        ):
            pass
        other.kill()
        other.join()
        with TrialStore(tmp_path / "run" / "trials").lock():
            pass
    finally:
        other.kill()
        other.join()
