"""The verb ``runs``, and a run with trials that fail, as a person meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.runs import kept as records
from benchmark.runs.runner import TrialsFailed, run
from benchmark.trials.configuration import RunConfig
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import expand
from tasks.errors import InputError
from tests.benchmark.toys import Toys


@pytest.fixture(scope="module")
def built(mini, tmp_path_factory):
    """A folder with a run of two finished, one failed and one interrupted trial, and a second run."""
    tmp_path = tmp_path_factory.mktemp("runs")
    asked = RunConfig("mini", simulators=("sharp", "noisy", "broken"), reference="sharp", seeds=(1,))
    with pytest.raises(TrialsFailed):
        run(asked, mini, Toys(), tmp_path / "runs" / "one")
    store = TrialStore(tmp_path / "runs" / "one" / "trials")
    [stopped] = expand(RunConfig("mini", simulators=("faint",), reference="faint"), mini, Toys())
    state, _ = store.begin(stopped, "machine process 1")
    (state / "epoch").write_text("3")
    run(RunConfig("mini", simulators=("sharp",), reference="sharp"), mini, Toys(), tmp_path / "runs" / "two")
    (tmp_path / "runs" / "thesis").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def root(built, tmp_path):
    return shutil.copytree(built, tmp_path / "runs")


def listed(capsys, root, *argv):
    assert main(["runs", "list", "--in", str(root), "--json", *argv]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_list_tells_state_time_and_place(root, capsys):
    rows = listed(capsys, root)
    states = {(row["run"].rpartition("/")[2], row["simulator"]): row["state"] for row in rows}
    assert states == {
        ("one", "sharp"): "finished",
        ("one", "noisy"): "finished",
        ("one", "broken"): "failed",
        ("one", "faint"): "working, has checkpoint",
        ("two", "sharp"): "finished",
    }
    finished = next(row for row in rows if row["simulator"] == "noisy")
    assert finished["seconds"] >= 0 and " process " in finished["where"] and finished["when"]
    failed = next(row for row in rows if row["state"] == "failed")
    assert failed["line"].startswith("ZeroDivisionError") and "Traceback" in Path(failed["log"]).read_text()
    assert [row["simulator"] for row in listed(capsys, root, "--state", "failed")] == ["broken"]
    assert len(listed(capsys, root / "two")) == 1


def test_the_table_ends_with_the_failures(root, capsys):
    assert main(["runs", "--in", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "state" in lines[0] and "working, has checkpoint" in "".join(lines)
    assert "failed: ZeroDivisionError: it was never going to work [" in lines[-1] and lines[-1].endswith("log.txt]")


def test_one_trial_is_shown_by_its_first_digits(root, capsys):
    identity = next(row["trial"] for row in listed(capsys, root) if row["simulator"] == "noisy")
    assert main(["runs", "show", identity[:8], "--in", str(root)]) == 0
    text = capsys.readouterr().out
    for word in ("settings:\n  scale: 1.0", "peak_memory_bytes", "seconds_fit", "numpy:", "predictions.parquet"):
        assert word in text
    assert main(["runs", "show", identity, "--in", str(root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["cost"]["tokens"] == 0


def test_removed_trials_are_run_again(root, capsys, mini):
    found = [row for row in listed(capsys, root / "one") if row["simulator"] == "noisy"]
    assert main(["runs", "rm", found[0]["trial"], "--in", str(root)]) == 0
    assert "1 removed" in capsys.readouterr().out
    assert "noisy" not in {row["simulator"] for row in listed(capsys, root)}
    assert main(["runs", "rm", "--state", "failed", "--in", str(root)]) == 0
    capsys.readouterr()
    assert listed(capsys, root, "--state", "failed") == []
    said = []
    run(
        RunConfig("mini", simulators=("noisy",), reference="noisy", seeds=(1,)),
        mini,
        Toys(),
        root / "one",
        report=said.append,
    )
    assert [line for line in said if "finished before" in line] == []
    assert "which had sharp too" in said[0]  # the results that the run replaces held another simulator


def test_the_table_of_a_run_says_which_trials_have_changed_since(root, capsys):
    [trial] = (path for path in (root / "two" / "trials").iterdir() if not path.name.startswith("."))
    assert main(["table", str(root / "two")]) == 0 and "changed" not in capsys.readouterr().err
    noisy = next(row for row in records.trials(root / "one") if row.values.get("simulator") == "noisy")
    shutil.copyfile(noisy.folder / "predictions.parquet", trial / "predictions.parquet")
    assert main(["table", str(root / "two")]) == 0
    said = capsys.readouterr().err
    assert f"1 of 1 trials have changed since these results were made ({trial.name})" in said and said.count("\n") == 1
    (trial / "predictions.parquet").unlink()  # what was removed to make room has not changed
    assert main(["table", str(root / "two")]) == 0 and "changed" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["shwo"], "Did you mean 'show'?"),
        (["show"], "which trial?"),
        (["rm"], "which trial?"),
        (["list", "abcd"], "did you mean 'runs show ID'?"),
        (["show", "ffff"], "unknown trial 'ffff'"),
        (["show", "f"], "too short"),
        (["--state", "fialed"], "Did you mean 'failed'?"),
    ],
)
def test_a_mistake_gets_one_line(root, capsys, argv, message):
    assert main(["runs", *argv, "--in", str(root)]) == 2
    said = capsys.readouterr()
    assert message in said.err and said.err.count("\n") == 1 and said.out == ""


def test_a_folder_that_is_not_there_is_named(tmp_path, capsys):
    assert main(["runs", "--in", str(tmp_path / "nowhere")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_digits_that_fit_several_trials_are_refused(tmp_path):
    for identity in ("abcd" + "0" * 20, "abcd" + "1" * 20):
        folder = tmp_path / "run" / "trials" / identity
        folder.mkdir(parents=True)
        (folder / "trial.json").write_text("{}")
    with pytest.raises(InputError, match="fits 2 trials"):
        records.find(tmp_path, "abcd")


@pytest.mark.slow
def test_a_run_whose_trials_fail_prints_the_rest_and_ends_with_1(tmp_path, capsys, monkeypatch):
    from baselines.simulators.priors import UserPrior

    def fail(self, train, seed):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(UserPrior, "fit", fail)
    argv = ["run", "--task", "adserp", "--data", "sample", "--out", str(tmp_path / "run")]
    assert main([*argv, "--simulators", "position-prior,user-prior"]) == 1
    said = capsys.readouterr()
    assert "\nposition-prior " in said.out and "user-prior" not in said.out
    assert "left out of the table for want of trials: user-prior." in said.err
    assert "1 trials failed:\n  user-prior, seed 42, fold 0 (" in said.err and "log.txt]" in said.err
    assert main([*argv, "--simulators", "user-prior"]) == 1
    said = capsys.readouterr()
    assert "note: position-prior is added" in said.err and "\nposition-prior " in said.out
    assert main([*argv, "--simulators", "user-prior", "--reference", "user-prior"]) == 1  # nothing is complete
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_the_engine_of_a_configuration_is_used_and_options_win(tmp_path, capsys):
    config = tmp_path / "run.yaml"
    config.write_text(
        "task: adserp\ndata: sample\nsimulators: [uniform]\nreference: uniform\nengine: {name: ray, gpus: 99}\n"
    )
    argv = ["run", "--config", str(config), "--out", str(tmp_path / "run"), "--engine", "local"]
    assert main(argv) == 2 and "gpus is a setting of the engine ray" in capsys.readouterr().err
    config.write_text("task: adserp\ndata: sample\nsimulators: [uniform]\nreference: uniform\nengine: {cpus: 2}\n")
    assert main(argv[:-2]) == 0
    [record] = (tmp_path / "run" / "trials").glob("*/trial.json")
    assert json.loads(record.read_text())["environment"]["threads"] == 2
