"""The shells for Hugging Face ``evaluate``, without a network."""

import pickle

import numpy as np
import pytest

from benchmark.metrics import evaluate_sessions, names
from tasks.errors import InputError

evaluate = pytest.importorskip("evaluate")
hf = pytest.importorskip("benchmark.metrics.hf")

SHARES = [[0.1, 0.2, 0.7], [0.5, 0.5], [0.25, 0.25, 0.5]]
GAZE = [[100.0, 300.0, 600.0], [10.0, 0.0], [5.0, 5.0, 0.0]]
CLICK = [2, 0, 1]
ROWS = [[[0.1, 0.2, 0.6, 0.1], [0.5, 0.2, 0.3, 0.0]], [[0.5, 0.4, 0.1], [0.0, 0.7, 0.3], [0.3, 0.3, 0.4]]]
PATHS = [[2], [0, 1]]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    import socket

    def refuse(*args, **kwargs):
        raise AssertionError("the shells must not open a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def load(tmp_path):
    return lambda name, **options: hf.load(name, cache_dir=str(tmp_path), **options)


INPUTS = {
    "attention": {"attention": SHARES, "gaze": GAZE, "click": CLICK},
    "click": {"probabilities": SHARES, "click": CLICK},
    "order": {"next_visit": ROWS, "path": PATHS},
}


def expected(family, **options):
    if family == "order":
        table = evaluate_sessions([[1] * 3, [1] * 2], [0, 0], visits=PATHS, next_visit=ROWS, **options)
    else:
        table = evaluate_sessions(GAZE, CLICK, **{next(iter(INPUTS[family])): SHARES}, **options)
    return {name: table[name].mean() for name in hf.names(family)}


def test_every_metric_is_of_one_family_and_names_its_inputs(load):
    assert sorted(name for family in INPUTS for name in hf.names(family)) == sorted(names())
    assert load("CSH@3").inputs == ("attention", "click") and load("KL").inputs == ("attention", "gaze")
    assert load("Accuracy").inputs == ("probabilities", "click")
    with pytest.raises(InputError, match="Did you mean 'attention'"):
        hf.names("attenton")


@pytest.mark.parametrize("family", INPUTS)
def test_values_are_those_of_evaluate_sessions(family, load):
    for name, value in expected(family).items():
        metric = load(name)
        got = metric.compute(**{key: INPUTS[family][key] for key in metric.inputs})
        assert got == {name: pytest.approx(value, abs=1e-12)}
        assert isinstance(got[name], float)


@pytest.mark.parametrize("family", INPUTS)
def test_a_whole_family_is_combined(family, load):
    combined = evaluate.combine([load(name) for name in hf.names(family)])
    given = INPUTS[family]
    assert combined.compute(**given) == pytest.approx(expected(family))
    for values in zip(*given.values(), strict=True):
        combined.add(**dict(zip(given, values, strict=True)))
    assert combined.compute(ties="last") == pytest.approx(expected(family, ties="last"))


def test_accuracy_of_answers_next_to_what_needs_probabilities(load):
    given = {"probabilities": SHARES, "click": CLICK, "answer": [2, 1, 1]}
    combined = evaluate.combine([load("Accuracy", of="answer"), load("LogLoss")])
    both = expected("click")
    assert combined.compute(**given) == pytest.approx({"Accuracy": 2 / 3, "LogLoss": both["LogLoss"]})
    with pytest.raises(InputError, match="unknown input of LogLoss: 'answer'"):
        load("LogLoss", of="answer")


def test_other_inputs_are_refused_by_name(load):
    for given, words in (
        ({"attention": SHARES, "gase": GAZE}, "'gase'. Did you mean 'gaze'"),
        ({"predictions": SHARES, "references": GAZE}, "as KL takes attention and gaze: 'predictions'"),
        ({"attention": SHARES, "click": CLICK}, "KL takes attention and gaze; give both"),
        ({"attention": SHARES, "gaze": GAZE, "probabilities": SHARES}, "'probabilities'"),
    ):
        with pytest.raises(InputError, match=words):
            load("KL").compute(**given)


def test_combine_prefixes_with_the_metrics_name(load):
    combined = evaluate.combine([load("KL"), load("JS")], force_prefix=True)
    assert set(combined.compute(attention=SHARES, gaze=GAZE)) == {"KL_KL", "JS_JS"}


def test_batches_and_arrays(load):
    metric = load("LogLoss")
    metric.add_batch(probabilities=np.array([[0.5, 0.5], [0.9, 0.1]]), click=np.array([0, 0]))
    metric.add_batch(probabilities=[[0.25, 0.25, 0.5]], click=[2])
    assert metric.compute()["LogLoss"] == pytest.approx(-np.log([0.5, 0.9, 0.5]).mean())


def test_instances_do_not_share_files(load, tmp_path):
    first, second = load("KL", keep_in_memory=False), load("KL", keep_in_memory=False)
    assert first.experiment_id != second.experiment_id
    # both are open at once on the same folder and keep apart
    first.add(attention=[0.5, 0.5], gaze=[1.0, 1.0])
    second.add(attention=[1.0, 0.0], gaze=[0.0, 1.0])
    assert first.compute()["KL"] == pytest.approx(0)
    assert second.compute()["KL"] == pytest.approx(np.log(1e8))


def test_bad_input_and_names(load):
    with pytest.raises(InputError, match="unknown metric 'CSH@2'. Did you mean 'CSH@"):
        load("CSH@2")
    with pytest.raises(InputError, match="^session 1: attention holds NaN"):
        load("KL").compute(attention=[[0.5, 0.5], [float("nan"), 1.0]], gaze=[[1.0, 1.0], [1.0, 1.0]])
    with pytest.raises(InputError, match="unknown ties mode"):
        load("CSH@1").compute(attention=[[0.5, 0.5]], click=[0], ties="first")


def test_the_card_comes_from_the_registry(load):
    metric = load("TGO@3")
    assert metric.name == "TGO@3"
    assert "3 most looked-at slots" in metric.description
    assert "2604.09368" in metric.citation
    assert pickle.loads(pickle.dumps(metric.info)).citation == metric.citation
