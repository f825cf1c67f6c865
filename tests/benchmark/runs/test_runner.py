from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmark.metrics import all_metrics
from benchmark.runs import preflight, rounds
from benchmark.runs.rounds import ordered
from benchmark.runs.runner import TrialsFailed, run, run_trial
from benchmark.scores import results, scoring
from benchmark.trials.catalogue import simulator_class
from benchmark.trials.configuration import RunConfig
from benchmark.trials.extended import with_files
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import expand
from tasks.errors import InputError
from tests.benchmark.toys import Sharp, Toys

pytestmark = pytest.mark.slow


def config(*simulators, **values):
    return RunConfig(task="mini", simulators=simulators, reference=simulators[0], seeds=(1, 2), **values)


def test_a_run_writes_what_it_found_and_says_it_the_same_way_when_read_back(mini, tmp_path):
    found = run(config("sharp", "noisy", "oracle"), mini, Toys(), tmp_path / "run")
    assert results.read(tmp_path / "run") == found
    frame = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert list(frame.columns) == [
        "simulator", "seed", "session_id", "attention", "probabilities", "answer", "target"
    ]  # fmt: skip
    # Seven test sessions; a deterministic simulator has one seed, a stochastic one has both.
    assert frame.groupby("simulator").size().to_dict() == {"sharp": 7, "noisy": 14, "oracle": 7}
    for name in ("predictions", "scores"):
        metadata = pq.read_schema(tmp_path / "run" / f"{name}.parquet").metadata
        assert metadata[b"notice"] == b"simulated: seven invented users" and metadata[b"digest"]
    page = (tmp_path / "run" / "table.md").read_text()
    assert "invented users" in page and "| sharp" in page


def test_means_are_those_of_the_scores_by_user(mini, tmp_path):
    found = run(config("sharp", "noisy", split="kfold"), mini, Toys(), tmp_path / "run")
    scores = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    assert len(scores) == 21 * 3  # every session once per seed
    for row in found.simulators:
        for metric, value in row.metrics.items():
            mine = scores[scores.simulator == row.name]
            by_session = mine.groupby(["user", "session_id"])[metric].mean()
            assert value.mean == pytest.approx(by_session.groupby("user").mean().mean())


def test_simulators_see_neither_gaze_nor_click(mini, tmp_path):
    run(config("peeking"), mini, Toys(), tmp_path / "run")  # its own assertions are the test


def test_oracles_are_perfect_and_unranked(mini, tmp_path):
    found = run(config("sharp", "oracle"), mini, Toys(), tmp_path / "run")
    oracle = found.simulators[1]
    assert not oracle.ranked and found.simulators[0].ranked
    assert oracle.metrics["KL"].mean == pytest.approx(0, abs=1e-12)
    assert oracle.metrics["Accuracy"].mean == 1  # the users of this task click where they looked longest
    # The oracle is compared, but takes no part in the corrected family.
    assert all(c.p_holm is None for c in found.comparisons if c.simulator == "oracle")


def test_finished_trials_are_not_run_again(mini, tmp_path):
    run(config("sharp"), mini, Toys(), tmp_path / "run")
    before, said = Sharp.fitted, []
    run(config("sharp"), mini, Toys(), tmp_path / "run", report=said.append)
    assert Sharp.fitted == before and "1 of 1 trials were finished before" in said[0]
    run(config("sharp"), mini, Toys(), tmp_path / "run", force=True)
    assert Sharp.fitted == before + 1


def test_a_changed_setting_is_another_trial_and_old_results_are_not_scored(mini, tmp_path):
    first = run(config("sharp"), mini, Toys(), tmp_path / "run")
    second = run(config("sharp", settings={"sharp.weight": 0.4}), mini, Toys(), tmp_path / "run")
    assert first.simulators[0].metrics["LogLoss"].mean != second.simulators[0].metrics["LogLoss"].mean
    assert second.simulators[0].settings == {"weight": 0.4}
    assert len(finished(tmp_path / "run")) == 2


def finished(out):
    return [folder for folder in (out / "trials").iterdir() if not folder.name.startswith(".")]


def test_a_run_that_was_stopped_goes_on_and_ends_the_same(mini, tmp_path):
    def stop_after_two(standing):
        if standing.done == 2:
            raise KeyboardInterrupt

    asked = config("noisy", "sharp", split="kfold")
    with pytest.raises(KeyboardInterrupt):
        run(asked, mini, Toys(), tmp_path / "stopped", display=stop_after_two)
    assert len(finished(tmp_path / "stopped")) == 2
    assert not (tmp_path / "stopped" / "results.json").exists()
    assert run(asked, mini, Toys(), tmp_path / "stopped") == run(asked, mini, Toys(), tmp_path / "undisturbed")
    a, b = (pd.read_parquet(tmp_path / name / "predictions.parquet") for name in ("stopped", "undisturbed"))
    pd.testing.assert_frame_equal(a, b, check_exact=True)


def test_after_each_round_what_is_complete_is_scored_written_and_shown(mini, tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "PAUSE", 0.0)
    seen, order = [], []

    def show(part):
        assert results.read(tmp_path / "run") == part
        seen.append(part)

    asked = dataclasses.replace(config("noisy", "broken", "sharp", split="kfold"), seeds=(1, 2, 3))
    with pytest.raises(TrialsFailed) as error:
        run(asked, mini, Toys(), tmp_path / "run", show=show, display=lambda standing: order.append(standing.done))
    assert [part.seeds for part in seen] == [(1,), (1, 2)]
    assert [row.name for row in seen[0].simulators] == ["noisy", "sharp"]
    assert seen[0].notice.endswith("; 1 of 3 seeds; a stochastic simulator will move")
    assert seen[0].simulators[1].metrics == error.value.results.simulators[1].metrics
    assert seen[0].simulators[0].metrics["KL"].mean != error.value.results.simulators[0].metrics["KL"].mean
    assert results.read(tmp_path / "run").notice == "simulated: seven invented users"
    seen.clear()
    more = dataclasses.replace(asked, simulators=("noisy", "sharp"), seeds=(1, 2, 3, 4))
    run(more, mini, Toys(), tmp_path / "run", show=show)
    assert seen == []  # the rounds that were there before are not shown again


def test_trials_are_run_round_by_round_and_cheap_ones_first(mini):
    asked = dataclasses.replace(config("based", "noisy", "sharp"), settings={"model": "/here"})
    order = [(t.simulator, t.seed) for t in ordered(expand(asked, mini, Toys()))]
    assert order == [("noisy", 1), ("sharp", 1), ("based", 1), ("noisy", 2)]


def test_a_run_that_replaces_the_results_of_others_says_so(mini, tmp_path):
    said = []
    run(config("sharp", "noisy"), mini, Toys(), tmp_path / "run")
    run(config("sharp"), mini, Toys(), tmp_path / "run", report=said.append)
    replaced = [line for line in said if line.startswith("replaces")]
    assert len(replaced) == 1
    assert replaced[0].startswith(
        f"replaces the results in {tmp_path / 'run'}, which had noisy too; their trials are kept"
    )


def test_two_runs_in_one_folder_take_turns(mini, tmp_path):
    said, code = (
        [],
        (
            "import sys, time; from pathlib import Path; from benchmark.trials.store import TrialStore\n"
            f"with TrialStore(Path({str(tmp_path / 'run' / 'trials')!r})).lock():\n    print(flush=True); time.sleep(2)"
        ),
    )
    (tmp_path / "run").mkdir()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        run(config("sharp"), mini, Toys(), tmp_path / "run", report=said.append)
        assert other.poll() == 0
    assert said == [f"another run is at work in {tmp_path / 'run'}; this one waits until it ends."]


def test_the_same_seed_gives_the_same_predictions(mini):
    trial = expand(config("noisy"), mini, Toys())[0]
    (one, cost), (two, _) = run_trial(trial, mini), run_trial(trial, mini)
    assert set(cost) == {
        "seconds", "seconds_fit", "seconds_simulate", "processor_seconds", "processor_seconds_fit",
        "processor_seconds_simulate", "peak_memory_bytes", "peak_resident_bytes", "tokens", "flops_estimated",
    }  # fmt: skip
    assert cost["tokens"] == 0 and cost["peak_memory_bytes"] > 2**20
    assert one.equals(two)
    other = expand(config("noisy"), mini, Toys())[1]
    assert not one["attention"].equals(run_trial(other, mini)[0]["attention"])


def test_a_session_without_a_claimed_part_counts_with_the_worst_value(mini, tmp_path):
    said = []
    found = run(config("faint", "sharp"), mini, Toys(), tmp_path / "run", report=said.append)
    assert found.simulators[0].failed == 1 and "faint" in said[0]
    scores = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    row = scores[(scores.simulator == "faint") & (scores.failed > 0)].iloc[0]
    assert row.KL == pytest.approx(np.log((1 + 1e-8) / 1e-8)) and row.JS == pytest.approx(np.log(2))
    assert row.LogLoss == pytest.approx(-np.log(1e-8)) and row.AUC == 0 and row.Accuracy == 0
    assert row["CSH@5"] == 0 and row["TGO@1"] == 0 and row.Cosine == 0


def test_parts_that_are_not_claimed_are_blank_and_not_zero(mini, tmp_path):
    found = run(config("noisy"), mini, Toys(), tmp_path / "run")
    assert set(found.simulators[0].metrics) == {m.name for m in all_metrics() if m.claimed(("attention",))}
    assert found.simulators[0].metrics["KL"].seed_sd > 0


@pytest.mark.parametrize(
    ("simulator", "message"),
    [
        ("forgetful", "returned 6 predictions for 7 sessions"),
        ("short", "attention has 2 numbers; the session has 4 slots"),
        ("broken", "ZeroDivisionError: it was never going to work"),
    ],
)
def test_a_simulator_that_misbehaves_is_named_and_nothing_is_scored(mini, tmp_path, simulator, message):
    with pytest.raises(TrialsFailed, match=message) as error:
        run(config(simulator), mini, Toys(), tmp_path / "run")
    assert error.value.results is None
    assert not (tmp_path / "run" / "results.json").exists()


def test_an_unknown_simulator_is_refused(mini, tmp_path):
    with pytest.raises(InputError, match="unknown simulator 'shrap'. Did you mean 'sharp'"):
        run(config("shrap"), mini, Toys(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_failed_trials_do_not_stop_the_rest_and_are_listed_with_their_log(mini, tmp_path):
    said, standings = [], []
    asked = config("sharp", "broken", "noisy", split="kfold")
    with pytest.raises(TrialsFailed) as error:
        run(asked, mini, Toys(), tmp_path / "run", report=said.append, display=standings.append)
    assert [f.trial.fold for f in error.value.failed] == [0, 1, 2, 3, 4]
    assert {f.line for f in error.value.failed} == {"ZeroDivisionError: it was never going to work"}
    assert error.value.failed[0].log.read_text().endswith("ZeroDivisionError: it was never going\nto work\n")
    # What is complete is scored and written; a line says what is missing.
    assert [row.name for row in error.value.results.simulators] == ["sharp", "noisy"]
    assert results.read(tmp_path / "run") == error.value.results
    assert said[-1].startswith("left out of the table for want of trials: broken.")
    assert (standings[-1].total, standings[-1].done, standings[-1].failed, standings[-1].running) == (20, 15, 5, 0)
    # The same command tries the failed ones again, and only those.
    standings.clear()
    with pytest.raises(TrialsFailed):
        run(asked, mini, Toys(), tmp_path / "run", display=standings.append)
    assert standings[-1].total == 5


def test_a_simulator_whose_forced_rerun_fails_is_not_scored_from_its_former_trial(mini, tmp_path, monkeypatch):
    run(config("sharp", "noisy"), mini, Toys(), tmp_path / "run")

    def fail(self, train, seed):
        raise ValueError("not today")

    monkeypatch.setattr(Sharp, "fit", fail)
    with pytest.raises(TrialsFailed, match="not today") as error:
        run(config("sharp", "noisy"), mini, Toys(), tmp_path / "run", force=True)
    assert [row.name for row in error.value.results.simulators] == ["noisy"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"wieght": 1}, "unknown setting 'wieght'. Did you mean 'weight'"),
        ({"sharp.wieght": 1}, "setting of sharp: 'wieght'. Did you mean 'weight'"),
        ({"shrap.weight": 1}, "Did you mean 'sharp'"),
    ],
)
def test_an_unknown_setting_is_refused(mini, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        run(config("sharp", settings=settings), mini, Toys(), tmp_path / "run")


def test_an_unknown_metric_in_the_family_is_refused(mini, tmp_path):
    with pytest.raises(InputError, match="Did you mean 'LogLoss'"):
        run(config("sharp", family=("Logloss",)), mini, Toys(), tmp_path / "run")


def test_a_folder_that_is_no_run_is_left_alone(mini, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="is not a run's folder"):
        run(config("sharp"), mini, Toys(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_damaged_trial_is_named_and_run_again(mini, tmp_path):
    run(config("sharp"), mini, Toys(), tmp_path)
    trial = expand(config("sharp"), mini, Toys())[0]
    stored, said = TrialStore(tmp_path / "trials").folder(trial) / "predictions.parquet", []
    before = stored.read_bytes()
    stored.write_bytes(b"PAR1 nothing")
    run(config("sharp"), mini, Toys(), tmp_path, report=said.append)
    assert stored.read_bytes() == before
    assert any(trial.identity() in line and "is damaged (predictions.parquet was changed)" in line for line in said)


def test_a_trial_that_cannot_be_written_leaves_nothing(mini, tmp_path, monkeypatch):
    import errno

    from benchmark.scores import predictions

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(predictions, "write", full)
    with pytest.raises(InputError, match="disk is full"):
        run(config("sharp"), mini, Toys(), tmp_path / "run")
    assert finished(tmp_path / "run") == []


def test_label_attention_has_a_row_of_its_own(mini):
    from benchmark.scores.predictions import of_rows
    from benchmark.simulator import Prediction

    sessions = [mini.find(name) for name in scoring.test_slots(mini, "loo")]
    free = [Prediction(s.session_id, np.ones(4), target="free") for s in sessions]
    label = [Prediction(s.session_id, s.gaze, target="label") for s in sessions]
    scores = scoring.score(mini, "loo", of_rows([*free, *label], "x", 0))
    assert set(scores.simulator) == {"x", "x [label]"}
    assert scores[scores.simulator == "x [label]"].KL.max() < 1e-9 < scores[scores.simulator == "x"].KL.min()


def test_a_long_fit_finds_its_state_again_and_leaves_its_artifacts(mini, tmp_path):
    asked = config("stubborn")
    with pytest.raises(KeyboardInterrupt):
        run(asked, mini, Toys(), tmp_path / "run")
    found = run(asked, mini, Toys(), tmp_path / "run")
    (folder,) = finished(tmp_path / "run")
    assert (folder / "artifacts" / "curves.txt").read_text() == "second attempt"
    record = json.loads((folder / "trial.json").read_text())
    assert record["material"] == {"backbone": "abc"} and record["cost"]["tokens"] == 7
    assert [p.name for p in (tmp_path / "run" / "trials").iterdir() if p.is_dir()] == [folder.name]  # its state is gone
    assert record["attempts"] == 2 and record["cost"]["seconds"] >= 0
    assert [row.name for row in found.simulators] == ["stubborn"]
    assert found.notice == "simulated: seven invented users; its backbone is a toy"


def test_label_attention_is_computed_on_request_and_not_ranked(mini, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(config("stubborn", "sharp", label=True), mini, Toys(), tmp_path / "run")
    found = run(config("stubborn", "sharp", label=True), mini, Toys(), tmp_path / "run")
    assert [(row.name, row.ranked) for row in found.simulators] == [
        ("stubborn", True), ("stubborn [label]", False), ("sharp", True)
    ]  # fmt: skip
    assert found.simulators[1].metrics["KL"].mean < 1e-9


OWN = """
import numpy as np
from benchmark.simulator import Prediction

class Mine:
    stochastic = False

    def fit(self, train, seed):
        assert len(train) > {needs}

    def simulate(self, sessions):
        return [Prediction(s.session_id, np.ones(len(s.slots) + {more})) for s in sessions]
"""


@pytest.mark.parametrize(
    ("needs", "more", "message"),
    [
        (2, 0, ""),
        (0, 1, "attention has 5 numbers; the session has 4 slots"),
        (99, 0, "AssertionError.*line 9 of .*my.py"),
    ],
)
def test_a_simulator_of_ones_own_is_tried_before_anything_runs(mini, tmp_path, needs, more, message):
    (tmp_path / "my.py").write_text(OWN.format(needs=needs, more=more))
    names = ("sharp", f"{tmp_path / 'my.py'}:Mine")
    catalogue, short = with_files(Toys(), lambda entry, settings: simulator_class(entry.factory)(), names, [tmp_path])
    expected = pytest.raises(InputError, match=message) if message else contextlib.nullcontext()
    before = Sharp.fitted
    with expected:
        run(config(*short), mini, catalogue, tmp_path / "run")
    assert Sharp.fitted == before + (not message)


def test_a_part_of_the_test_sessions_makes_other_trials_and_says_so(mini, tmp_path):
    part = preflight.limited(mini, "kfold", 4)
    found = run(config("sharp", split="kfold"), part, Toys(), tmp_path / "run")
    assert found.n_sessions == 4 and found.notice.endswith("limited to 4 of 21 test sessions")
    whole, less = (expand(config("sharp", split="kfold"), task, Toys()) for task in (mini, part))
    assert not {t.identity() for t in whole} & {t.identity() for t in less}
    with pytest.raises(InputError, match="a part of the test sessions only"):
        results.check_digest(found, mini, tmp_path / "run")
    with pytest.raises(InputError, match="--limit 0"):
        preflight.limited(mini, "kfold", 0)
