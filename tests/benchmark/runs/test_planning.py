"""How long missing trials take, compared with simulators whose every session takes a known time."""

from __future__ import annotations

import json
import multiprocessing
import os
from dataclasses import dataclass, replace

import numpy as np
import pytest

from benchmark.output.rendering import render
from benchmark.runs import planning
from benchmark.runs.planning import document, kind_of, plan, seconds_of, time_kind
from benchmark.runs.runner import run
from benchmark.simulator import Prediction
from benchmark.trials.configuration import RunConfig
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import expand
from tasks.errors import InputError
from tests.benchmark.toys import ToyEntry, Toys
from tests.performance.farm import work


class Clock:
    """Time that passes only where a simulator says so."""

    now = 0.0
    first = 100.0
    """What whatever is done first takes on top."""

    @classmethod
    def pass_by(cls, seconds):
        cls.now += seconds + cls.first
        cls.first = 0.0


@dataclass
class Steady:
    """Half a second per prediction; two to fit a session, in every epoch."""

    epochs: int = 10
    validation: float = 0.5
    operator: str = "rollout"
    backbone: str = "toy"

    fits = 0

    def material(self):
        return {"backbone": "f00d"}

    def notice(self):
        return "its backbone is a toy"

    def cost(self):
        return {"peak_memory_bytes": 1}

    def fit(self, train, seed):
        type(self).fits += 1
        assert self.epochs == 1 and self.validation == 0.0
        Clock.pass_by(2.0 * len(train))

    def simulate(self, sessions):
        assert not any(hasattr(s, "click") for s in sessions)
        Clock.pass_by(0.5 * len(sessions))
        return [Prediction(s.session_id, np.ones(len(s.slots))) for s in sessions]


@dataclass
class Prior:
    """Has neither a model nor epochs."""

    def fit(self, train, seed):
        Clock.pass_by(0.25 * len(train))

    def simulate(self, sessions):
        Clock.pass_by(1.0 * len(sessions))
        return [Prediction(s.session_id, np.ones(len(s.slots))) for s in sessions]


class Catalogue(Toys):
    entries = {
        **Toys.entries,
        "steady": ToyEntry("steady", f"{__name__}:Steady", stochastic=True),
        "prior": ToyEntry("prior", f"{__name__}:Prior"),
    }


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(planning.Moment, "now", lambda: planning.Moment(Clock.now, Clock.now))
    monkeypatch.setattr(Clock, "first", 100.0)
    monkeypatch.setattr(Steady, "fits", 0)


def trials(mini, *simulators, **values):
    values = {"seeds": (1, 2), **values}
    return expand(RunConfig(task="mini", simulators=simulators, **values), mini, Catalogue())


def planned(mini, tmp_path, found, **values):
    values = {"sessions": 3, **values}
    path = tmp_path / planning.FILE
    return plan({"mini": found}, lambda name: mini, TrialStore(tmp_path / "trials"), path, **values)


def test_a_kind_costs_what_a_session_costs_and_the_first_round_does_not_count(mini):
    [trial, _] = trials(mini, "steady")
    found = time_kind(trial, mini, 3, planning.Place("local", "here"))
    assert (found.fit, found.simulate, found.sessions) == (2.0, 0.5, 3)
    assert found.first == 100.0 + 3 * 2.5
    assert found.where == "1 CPU thread of here" and found.memory_bytes > 1  # the process's, not what a GPU is asked


def test_a_trial_has_its_epochs_their_validation_and_its_test_sessions(mini):
    [trial, _] = trials(mini, "steady")
    [prior] = trials(mini, "prior")
    train, test = map(len, mini.split("loo").folds[0])
    timing = planning.Timing("", 3, 2.0, 0.5, 0.0, None, "")
    held = round(0.5 * train)
    assert seconds_of(trial, mini, timing) == 10 * (train - held) * 2.0 + 11 * held * 0.5 + test * 0.5
    assert seconds_of(prior, mini, timing) == train * 2.0 + test * 0.5


def test_a_plan_counts_trials_by_kind_and_times_each_kind_once(mini, tmp_path):
    found = planned(mini, tmp_path, trials(mini, "prior", "steady", settings={"epochs": 4, "validation": 0.0}))
    train, test = map(len, mini.split("loo").folds[0])
    prior, steady = found.rows
    assert (prior.simulator, prior.trials, prior.finished, prior.backbone, prior.source) == ("prior", 1, 0, "", "timed")
    assert prior.seconds == train * 0.25 + test * 1.0
    assert (steady.trials, steady.backbone, steady.operator) == (2, "toy", "rollout")
    assert steady.seconds == 4 * train * 2.0 + test * 0.5
    assert Steady.fits == 2  # one kind, two rounds
    assert found.seconds == prior.seconds + 2 * steady.seconds and found.longest == steady.seconds
    kept = json.loads((tmp_path / planning.FILE).read_text())
    assert [row["seconds"] for row in kept["rows"]] == [prior.seconds, steady.seconds]


def test_other_settings_do_not_make_another_kind_but_operator_backbone_and_label_do(mini):
    [one, other] = trials(mini, "steady")
    longer = replace(one, settings={**one.settings, "epochs": 30})
    assert kind_of(one) == kind_of(other) == kind_of(longer)
    changed = [
        replace(one, settings={**one.settings, "operator": "glimpse"}),
        replace(one, material={"backbone": "beef"}),
        replace(one, label=True),
        replace(one, behaviour="0"),
        replace(one, stimuli="0"),
    ]
    assert len({kind_of(trial) for trial in (one, *changed)}) == 6


def test_what_is_timed_is_kept_and_taken_again_only_where_it_holds(mini, tmp_path):
    found = trials(mini, "steady")
    first = planned(mini, tmp_path, found)
    assert planned(mini, tmp_path, found) == first and Steady.fits == 2
    planned(mini, tmp_path, found, sessions=2)
    assert Steady.fits == 4
    planned(mini, tmp_path, found, sessions=2, threads=2)
    assert Steady.fits == 6
    planned(mini, tmp_path, found, sessions=2, threads=2, again=True)
    assert Steady.fits == 8
    (tmp_path / planning.FILE).write_text('{"timings": 3}')
    with pytest.raises(InputError, match=r"plan\.json: .*; delete it and plan again"):
        planned(mini, tmp_path, found)


def test_an_interruption_keeps_what_was_timed(mini, tmp_path, monkeypatch):
    found = trials(mini, "steady", "prior")
    monkeypatch.setattr(Prior, "fit", lambda self, train, seed: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        planned(mini, tmp_path, found)
    monkeypatch.undo()
    assert [row["simulator"] for row in json.loads((tmp_path / planning.FILE).read_text())["rows"]] == ["steady"]


def test_finished_trials_say_what_the_others_of_their_settings_take(mini, tmp_path):
    run(RunConfig(task="mini", simulators=("noisy",), reference="noisy", seeds=(1,)), mini, Toys(), tmp_path)
    [record] = TrialStore(tmp_path / "trials").records()
    found = planned(mini, tmp_path, trials(mini, "noisy", seeds=(1, 2, 3)))
    [row] = found.rows
    assert (row.trials, row.finished, row.source) == (2, 1, "finished trials")
    assert row.seconds == record["cost"]["processor_seconds"] and not found.timings
    assert "2 trials to run, 1 finished" in render(document(found), "terminal")


def test_a_plan_can_be_made_before_a_run_and_the_run_takes_its_folder(mini, tmp_path):
    planned(mini, tmp_path, trials(mini, "prior"))
    run(RunConfig(task="mini", simulators=("prior",), reference="prior", seeds=(1,)), mini, Catalogue(), tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("")
    with pytest.raises(InputError, match="not a run's folder"):
        run(RunConfig(task="mini", simulators=("prior",), reference="prior"), mini, Catalogue(), other)


def test_the_text_says_what_it_rests_on(mini, tmp_path):
    found = planned(mini, tmp_path, trials(mini, "steady", settings={"epochs": 100}))
    text = render(document(found, workers=2), "terminal")
    assert "NOTE: simulated: seven invented users; its backbone is a toy" in text
    assert "2 trials to run, 0 finished" in text and "2 at a time" in text
    assert "timed: 3 sessions of each kind on 1 CPU thread" in text


def test_a_simulator_that_fails_is_named(mini, tmp_path):
    with pytest.raises(InputError, match="a trial of broken on mini fails where it is timed: ZeroDivisionError"):
        planned(mini, tmp_path, trials(mini, "broken"))


def test_a_folder_that_cannot_be_is_told_before_anything_is_timed(mini, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        planned(mini, tmp_path / "file", trials(mini, "steady"))
    assert Steady.fits == 0


@dataclass
class Worker:
    """Keeps a core busy for every session that it is fitted on, and twice as long for every one that it predicts."""

    rounds: int = 2

    def fit(self, train, seed):
        work(self.rounds * len(train), seed)

    def simulate(self, sessions):
        work(2 * self.rounds * len(sessions), 0)
        return [Prediction(s.session_id, np.ones(len(s.slots))) for s in sessions]


def burn():
    while True:
        pass


@pytest.mark.slow
def test_timing_and_finished_trials_agree_on_a_loaded_machine(mini, tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setitem(Catalogue.entries, "worker", ToyEntry("worker", f"{__name__}:Worker", stochastic=True))
    context = multiprocessing.get_context("fork")
    load = [context.Process(target=burn) for _ in range(2 * (os.cpu_count() or 1))]
    for process in load:
        process.start()
    try:
        timed = planned(mini, tmp_path / "timed", trials(mini, "worker"))
        asked = RunConfig("mini", simulators=("worker",), reference="worker", seeds=(1,))
        run(asked, mini, Catalogue(), tmp_path / "run")
        finished = planned(mini, tmp_path / "run", trials(mini, "worker"))
    finally:
        for process in load:
            process.kill()
            process.join()
    [record] = TrialStore(tmp_path / "run" / "trials").records()
    (train, test), cost, [timing] = map(len, mini.split("loo").folds[0]), record["cost"], timed.timings
    assert (timed.rows[0].source, finished.rows[0].source) == ("timed", "finished trials")
    for one, other in (
        (timed.rows[0].seconds, finished.rows[0].seconds),
        (train * timing.fit, cost["processor_seconds_fit"]),
        (test * timing.simulate, cost["processor_seconds_simulate"]),
    ):
        assert other / 1.5 < one < other * 1.5
    assert cost["seconds"] > 1.5 * cost["processor_seconds"] and record["environment"]["machine_load"] > 0.8
