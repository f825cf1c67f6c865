"""Settings chosen by cross-validation on training sessions."""

from __future__ import annotations

import dataclasses
import functools
import json

import numpy as np
import pytest
import yaml

from benchmark.cli import main
from benchmark.engines import LocalEngine
from benchmark.runs.search.space import SPLIT, Range, Space, read_space, training_task
from benchmark.runs.search.tuning import judged, tune
from benchmark.trials.configuration import RunConfig, read_config
from benchmark.trials.content import content_digest
from benchmark.trials.store import TrialStore
from tasks.errors import InputError
from tasks.splits import Split
from tasks.task import Task
from tests.benchmark.engine_toys import EngineToys
from tests.benchmark.toys import Toys

SHARP = RunConfig("mini", simulators=("sharp",), reference="sharp", seeds=(1,))
WEIGHTS = Space({"weight": (0.3, 0.6, 0.9, 0.45)}, early_stopping=False)


class GuardedRows:
    """Rows of which the test sessions cannot be read: any way to them raises."""

    def __init__(self, rows, forbidden):
        self.rows, self.forbidden = rows, frozenset(forbidden)

    def select(self, indices):
        assert not self.forbidden & set(indices), "a test session was selected"
        return self.rows.select(indices)

    def __getattr__(self, name):
        raise AssertionError(f"all sessions are read at once: {name}")

    def __getitem__(self, key):
        raise AssertionError("a session is read")

    def __len__(self):
        return len(self.rows)


class GuardedTask(Task):
    """A task whose test sessions raise on access."""

    def session(self, index):
        # A task made from it by dataclasses.replace is of this class too, and holds other rows.
        assert not isinstance(self.sessions, GuardedRows), f"session {index} of the whole task is read"
        return super().session(index)


def guarded(task, split="loo"):
    _, test = task.split(split).folds[0]
    values = {f.name: getattr(task, f.name) for f in dataclasses.fields(task)}
    return GuardedTask(**{**values, "sessions": GuardedRows(task.sessions, test.tolist())})


def test_no_test_session_is_ever_read(mini, tmp_path):
    found = tune(SHARP, WEIGHTS, guarded(mini), Toys(), tmp_path / "guarded", engine=LocalEngine())
    assert found == tune(SHARP, WEIGHTS, mini, Toys(), tmp_path / "open", engine=LocalEngine())
    assert found.best.complete and found.n_train == len(mini) - 7


def test_the_guard_notices_every_way_to_a_test_session(mini):
    task, (_, test) = guarded(mini), mini.split("loo").folds[0]
    for read in (
        lambda: task.session(0),
        lambda: task.sessions_at(test),
        lambda: task.sessions[0],
        lambda: task.sessions.select(test.tolist()),
        lambda: task.sessions.with_format("arrow"),
        lambda: content_digest(task),
    ):
        with pytest.raises(AssertionError):
            read()


@pytest.mark.parametrize("split", ["loo", "unseen-screen"])
def test_the_training_task_holds_the_training_sessions_in_five_folds(mini, split):
    train, test = mini.split(split).folds[0]
    task = training_task(mini, split)
    names = [task.session(i).session_id for i in range(len(task))]
    assert names == [mini.session(int(i)).session_id for i in train]
    assert not set(names) & {mini.session(int(i)).session_id for i in test}
    folds = task.split(SPLIT).folds
    assert len(folds) == 5 and sorted(np.concatenate([held for _, held in folds])) == list(range(len(task)))
    assert all(not set(kept) & set(held) for kept, held in folds)
    assert list(task.splits) == [SPLIT] and task.digests[SPLIT] not in mini.digests.values()
    assert task.session(0).image.encoded() == mini.session(int(train[0])).image.encoded()


def test_a_split_whose_folds_test_everything_is_refused(mini, tmp_path):
    asked = dataclasses.replace(SHARP, split="kfold")
    with pytest.raises(InputError, match="kfold tests in 5 folds every session once.*use --split loo"):
        tune(asked, WEIGHTS, mini, Toys(), tmp_path, engine=LocalEngine())


def test_too_few_training_sessions_are_refused(mini):
    small = dataclasses.replace(mini, splits={"loo": Split("loo", [(np.arange(4), np.arange(4, 6))])})
    with pytest.raises(InputError, match="4 training sessions, too few for 5 folds"):
        training_task(small, "loo")


def test_the_lowest_score_by_hand_is_chosen(mini, tmp_path):
    found = tune(SHARP, WEIGHTS, mini, Toys(), tmp_path, engine=LocalEngine())
    task, expected = training_task(mini, "loo"), []
    for weight in WEIGHTS.settings["weight"]:
        by_fold = []
        for _, held in task.split(SPLIT).folds:
            by_user = {}
            for s in task.sessions_at(held):
                p = np.array([weight, *[(1 - weight) / 3] * 3])
                kl = float(np.sum(s.gaze * np.log((s.gaze + 1e-8) / (p + 1e-8))))
                by_user.setdefault(s.user, []).append(kl - np.log(p[s.click]))
            by_fold.append(np.mean([np.mean(v) for v in by_user.values()]))
        expected.append(np.mean(by_fold))
    assert [c.score for c in found.candidates] == pytest.approx(expected)
    assert found.best.values == {"weight": WEIGHTS.settings["weight"][int(np.argmin(expected))]}
    record = json.loads((tmp_path / "search.json").read_text())
    assert record["chosen"] == found.best.values and record["notice"] == "simulated: seven invented users"


def test_a_metric_that_is_better_when_higher_counts_with_a_minus(mini, tmp_path):
    space = dataclasses.replace(WEIGHTS, score=("Accuracy",), settings={"weight": (0.3,)})
    found = tune(SHARP, space, mini, Toys(), tmp_path, engine=LocalEngine())
    assert -1 <= found.best.score < 0


def test_a_simulator_that_lacks_the_metric_is_named(mini, tmp_path):
    asked = dataclasses.replace(SHARP, simulators=("noisy",))
    with pytest.raises(InputError, match="noisy gives nothing that LogLoss can judge"):
        tune(asked, Space({"scale": (1.0,)}, early_stopping=False), mini, Toys(), tmp_path, engine=LocalEngine())


def test_an_oracle_is_not_tuned(mini, tmp_path):
    with pytest.raises(InputError, match="is an oracle"):
        tune(dataclasses.replace(SHARP, simulators=("oracle",)), WEIGHTS, mini, Toys(), tmp_path, engine=LocalEngine())


def test_a_candidate_that_fails_is_listed_and_not_chosen(mini, tmp_path):
    said = []
    space = Space({"epochs": (2, "many")}, score=("KL",), early_stopping=False)
    asked = dataclasses.replace(SHARP, simulators=("trained",))
    found = tune(asked, space, mini, EngineToys(), tmp_path, engine=LocalEngine(), report=said.append)
    assert found.best.values == {"epochs": 2} and len(found.failed) == 5
    assert not found.candidates[1].complete
    with pytest.raises(InputError, match="no candidate was run on all folds. The first that failed: trained"):
        none = dataclasses.replace(space, settings={"epochs": ("many",)})
        tune(asked, none, mini, EngineToys(), tmp_path, engine=LocalEngine())


def test_what_was_tried_is_not_run_again(mini, tmp_path):
    standings = []
    tune(SHARP, WEIGHTS, mini, Toys(), tmp_path, engine=LocalEngine())
    more = dataclasses.replace(WEIGHTS, settings={"weight": (0.3, 0.5)})
    tune(SHARP, more, mini, Toys(), tmp_path, engine=LocalEngine(), display=standings.append)
    assert standings[0].total == 5


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_racing_stops_bad_candidates_and_finds_the_same_scores(mini, tmp_path):
    pytest.importorskip("ray")
    from benchmark.engines.ray import RayEngine
    from benchmark.engines.settings import EngineSettings

    said = []
    # The best comes first and one at a time, so that what is stopped does not depend on the machine.
    space = Space({"weight": (0.45, 0.9, 0.97, 0.99)})
    ray = RayEngine(EngineSettings("ray", workers=1))
    raced = tune(SHARP, space, mini, Toys(), tmp_path / "raced", engine=ray, report=said.append)
    every = dataclasses.replace(space, early_stopping=False)
    plain = tune(SHARP, every, mini, Toys(), tmp_path / "plain", engine=LocalEngine())
    assert raced.best == plain.best and raced.best.values == {"weight": 0.45}
    assert [len(c.scores) for c in raced.candidates] == [5, 1, 1, 1]
    assert said == ["early stopping spared 12 of 20 trials."]
    for one, two in zip(raced.candidates, plain.candidates, strict=True):
        assert one.scores == two.scores[: len(one.scores)]
    files = {p.parent.name: p.read_bytes() for p in (tmp_path / "raced").glob("trials/*/predictions.parquet")}
    assert len(files) == 8
    assert all((tmp_path / "plain/trials" / k / "predictions.parquet").read_bytes() == v for k, v in files.items())


def test_a_grid_holds_every_combination_and_draws_are_repeatable():
    grid = Space({"a": (1, 2), "b": ("x", "y")}).candidates()
    assert grid == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]
    space = Space({"lr": Range(1e-4, 1e-1, log=True), "n": Range(2, 5), "c": (1, 2)}, "random", 200)
    drawn = space.candidates()
    assert drawn == space.candidates() != dataclasses.replace(space, seed=1).candidates()
    assert all(1e-4 <= d["lr"] <= 1e-1 and d["n"] in (2, 3, 4, 5) and isinstance(d["n"], int) for d in drawn)
    # Each of the three orders of magnitude gets about a third.
    assert 0.2 < np.mean([d["lr"] < 1e-3 for d in drawn]) < 0.47
    assert len(Space({"c": (1, 2)}, "random", 50).candidates()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("settings: {}", "'settings' must be a mapping of length >= 1, not a mapping of 0; correct it"),
        ("- 1", "the content must be a mapping"),
        ("settings: {a: [1]}\nserach: grid", "Did you mean 'search'"),
        ("settings: {a: [1]}\nsearch: gird", "Did you mean 'grid'"),
        ("settings: {a: 1}", "'settings.a' must be a mapping or a list, not 1; correct it"),
        ("settings: {a: {low: 1, high: 2}}", "'a' is a range; a grid needs lists"),
        ("settings: {a: {low: 2, high: 1}}\nsearch: random", "low below high"),
        ("settings: {a: {low: 0, high: 1, log: true}}\nsearch: random", "above 0 with log"),
        ("settings: {a: [1]}\nscore: [LogLos]", "Did you mean 'LogLoss'"),
        ("settings: {a: [1]}\nsamples: 0", "'samples' must be a whole number >= 1, not 0"),
        ("settings: {a: [1]}\nearly_stopping: maybe", "must be true or false"),
        ("settings: [", "is not YAML"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(tmp_path, text, message):
    (tmp_path / "space.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_space(tmp_path / "space.yaml")


@pytest.mark.slow
def test_the_chosen_configuration_is_one_that_run_accepts(tmp_path, capsys):
    (tmp_path / "space.yaml").write_text("settings: {gaze_weight: [0.5, 5.0, 500.0]}\nearly_stopping: false\n")
    argv = ["tune", "--task", "adserp", "--data", "sample", "--simulator", "user-prior", "--engine", "local"]
    out = tmp_path / "search"
    assert main([*argv, "--space", str(tmp_path / "space.yaml"), "--set", "smoothing=2", "--out", str(out)]) == 0
    table = capsys.readouterr().out
    assert "simulated" in table and table.count("5 of 5") == 3
    text = (out / "chosen.yaml").read_text()
    assert "# NOTE: " in text and "simulated" in text
    values = read_config(out / "chosen.yaml")
    chosen = json.loads((out / "search.json").read_text())["chosen"]["gaze_weight"]
    assert values["settings"] == yaml.safe_load(text)["settings"]
    assert values["settings"]["user-prior.gaze_weight"] == chosen and values["settings"]["user-prior.smoothing"] == 2
    assert main(["run", "--config", str(out / "chosen.yaml"), "--out", str(tmp_path / "run"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["simulators"]
    assert rows[1]["name"] == "user-prior" and rows[1]["settings"]["gaze_weight"] == chosen


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--simulator", "user-piror"], "Did you mean 'user-prior'?"),
        (["--space", "nowhere.yaml"], "cannot read the search space nowhere.yaml"),
        (["--split", "kfold"], "use --split loo or unseen-screen"),
        (["--simulator", "uniform"], "gaze_weight"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(tmp_path, capsys, changes, message):
    (tmp_path / "space.yaml").write_text("settings: {gaze_weight: [0.5]}\n")
    argv = ["tune", "--task", "adserp", "--data", "sample", "--engine", "local", "--out", str(tmp_path / "out")]
    argv += ["--simulator", "user-prior", "--space", str(tmp_path / "space.yaml"), *changes]
    assert main(argv) == 2
    assert message in capsys.readouterr().err


def test_every_space_of_the_suite_can_be_read_and_fits_its_simulator():
    from baselines import registry
    from benchmark.trials.catalogue import setting_names
    from benchmark.trials.configuration import CONFIGS

    for path in (CONFIGS / "spaces").glob("*.yaml"):
        simulator = "fixate" if path.stem.startswith("fixate") else path.stem
        assert set(read_space(path).settings) <= set(setting_names(registry.entry(simulator).factory))
        assert len(read_space(path).candidates()) > 1


def test_a_judge_travels_to_the_workers(mini, tmp_path):
    import pickle

    tune(SHARP, WEIGHTS, mini, Toys(), tmp_path, engine=LocalEngine())
    from benchmark.trials.trial import expand

    task = training_task(mini, "loo")
    trial = expand(dataclasses.replace(SHARP, split=SPLIT, settings={"weight": 0.3}), task, Toys())[2]
    frame = TrialStore(tmp_path / "trials").get(trial)
    judge = functools.partial(judged, ("KL", "LogLoss"))
    assert pickle.loads(pickle.dumps(judge))(task, trial, frame) == judge(task, trial, frame)
