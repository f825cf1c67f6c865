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


def asked(schema):
    """What is predicted and what it is compared with."""
    if schema == "next_visit-path":
        return ROWS, PATHS
    return SHARES, GAZE if schema.endswith("-gaze") else CLICK


def expected(schema, **options):
    part, against = schema.split("-")
    if against == "path":
        table = evaluate_sessions([[1] * 3, [1] * 2], [0, 0], visits=PATHS, next_visit=ROWS, **options)
    else:
        table = evaluate_sessions(GAZE, CLICK, **{part: SHARES}, **options)
    return {name: table[name].mean() for name in hf.names(schema)}


def test_every_metric_has_one_schema():
    assert sorted(name for schema in hf.SCHEMAS for name in hf.names(schema)) == sorted(names())
    assert hf.names("attention-click") == ("CSH@1", "CSH@3", "CSH@5")
    assert hf.schema("Accuracy") == "probabilities-click"
    with pytest.raises(InputError, match="unknown feature schema 'attention-gase'. Did you mean 'attention-gaze'"):
        hf.names("attention-gase")


@pytest.mark.parametrize("schema", hf.SCHEMAS)
def test_values_are_those_of_evaluate_sessions(schema, load):
    given, references = asked(schema)
    for name, value in expected(schema).items():
        got = load(name).compute(predictions=given, references=references)
        assert got == {name: pytest.approx(value, abs=1e-12)}
        assert isinstance(got[name], float)


@pytest.mark.parametrize("schema", hf.SCHEMAS)
def test_combine_works_for_one_schema(schema, load):
    combined = evaluate.combine([load(name) for name in hf.names(schema)])
    given, references = asked(schema)
    assert combined.compute(predictions=given, references=references) == pytest.approx(expected(schema))
    for prediction, reference in zip(given, references, strict=True):
        combined.add(prediction, reference)
    assert combined.compute(ties="last") == pytest.approx(expected(schema, ties="last"))


def test_combine_prefixes_with_the_metrics_name(load):
    combined = evaluate.combine([load("KL"), load("JS")], force_prefix=True)
    assert set(combined.compute(predictions=SHARES, references=GAZE)) == {"KL_KL", "JS_JS"}


def test_batches_and_arrays(load):
    metric = load("LogLoss")
    metric.add_batch(predictions=np.array([[0.5, 0.5], [0.9, 0.1]]), references=np.array([0, 0]))
    metric.add_batch(predictions=[[0.25, 0.25, 0.5]], references=[2])
    assert metric.compute()["LogLoss"] == pytest.approx(-np.log([0.5, 0.9, 0.5]).mean())


def test_instances_do_not_share_files(load, tmp_path):
    first, second = load("KL", keep_in_memory=False), load("KL", keep_in_memory=False)
    assert first.experiment_id != second.experiment_id
    # both are open at once on the same folder and keep apart
    first.add(prediction=[0.5, 0.5], reference=[1.0, 1.0])
    second.add(prediction=[1.0, 0.0], reference=[0.0, 1.0])
    assert first.compute()["KL"] == pytest.approx(0)
    assert second.compute()["KL"] == pytest.approx(np.log(1e8))


def test_bad_input_and_names(load):
    with pytest.raises(InputError, match="unknown metric 'CSH@2'. Did you mean 'CSH@"):
        load("CSH@2")
    with pytest.raises(InputError, match="^session 1: attention holds NaN"):
        load("KL").compute(predictions=[[0.5, 0.5], [float("nan"), 1.0]], references=[[1.0, 1.0], [1.0, 1.0]])
    with pytest.raises(InputError, match="unknown ties mode"):
        load("CSH@1").compute(predictions=[[0.5, 0.5]], references=[0], ties="first")


def test_the_card_comes_from_the_registry(load):
    metric = load("TGO@3")
    assert metric.name == "TGO@3"
    assert "3 most looked-at slots" in metric.description
    assert "2604.09368" in metric.citation
    assert pickle.loads(pickle.dumps(metric.info)).citation == metric.citation
