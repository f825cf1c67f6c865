"""Every check of doctor on the rows: what it names, where, and that it leaves good rows alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

import submissions
from benchmark.cli import main
from tasks import registry
from tests.submissions import builder

FILE = "predictions/mini@1/kfold/seed-1.parquet"


def problems(folder, task):
    return submissions.doctor(folder, {task.name: task})


def of_rows(tmp_path, task, change, **changes):
    """Return the problems of a submission whose rows were changed."""
    table = builder.rows(task)
    change(table)
    return problems(builder.write(tmp_path, task, {1: table}, **changes), task)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
@pytest.mark.parametrize("split", ["loo", "kfold", "unseen-screen"])
def test_a_good_submission_has_no_problem(tmp_path, mini, suffix, split):
    runs = {seed: builder.rows(mini, seed, split) for seed in (1, 2)}
    assert problems(builder.write(tmp_path, mini, runs, split=split, suffix=suffix), mini) == []


@pytest.mark.parametrize("parts", [("attention",), ("probabilities",), ("answer",), ("attention", "answer")])
def test_any_part_may_be_missing(tmp_path, mini, parts):
    table = [{k: row[k] for k in ("session_id", *parts)} for row in builder.rows(mini)]
    attention = {"source": "x", "target": "free"} if "attention" in parts else None
    assert problems(builder.write(tmp_path, mini, {1: table}, attention=attention), mini) == []


def set_cell(row, part, values):
    def change(table):
        table[row][part] = values

    return change


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
@pytest.mark.parametrize(
    ("row", "part", "values", "kind", "what"),
    [
        (2, "attention", [0.5, 0.5], "length", "attention has 2 numbers; the session has 4 slots."),
        (2, "probabilities", [0.2] * 5, "length", "probabilities has 5 numbers; the session has 4 slots."),
        (2, "attention", [], "length", "attention has 0 numbers"),
        (0, "attention", [0.5, None, 0.2, 0.3], "nan", "attention holds NaN or a blank."),
        (0, "probabilities", [0.5, float("nan"), 0.2, 0.3], "nan", "probabilities holds NaN or a blank."),
        (0, "attention", [0.5, float("inf"), 0.2, 0.3], "nan", "attention holds infinity."),
        (0, "attention", [0.5, -0.1, 0.3, 0.3], "negative", "attention holds a negative number, -0.1."),
        (20, "probabilities", [0.5, 0.1, 0.3, 0.3], "normalised", "probabilities sum to 1.2."),
        (20, "probabilities", [0.0, 0.0, 0.0, 0.0], "normalised", "probabilities sum to 0."),
        (20, "attention", [1e308, 1e308, 1e308, 1.0], "normalised", "attention has a sum too large for a float."),
        (3, "answer", 4, "answer", "answer 4 is not a slot 0..3."),
        (3, "answer", -1, "answer", "answer -1 is not a slot 0..3."),
    ],
)
def test_numbers_that_cannot_be_scored(tmp_path, mini, suffix, row, part, values, kind, what):
    found = of_rows(tmp_path, mini, set_cell(row, part, values), suffix=suffix)
    errors = submissions.errors(found)
    assert [(p.kind, p.row, p.file) for p in errors] == [(kind, row + 1, FILE.replace(".parquet", suffix))]
    assert what in errors[0].what and errors[0].remedy


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ({"attention": "abc"}, "attention is the text 'abc', not a list."),
        ({"attention": [0.1, "x", 0.3, 0.4]}, "attention holds the text 'x', which is not a number."),
        ({"attention": [[0.1], 0.2, 0.3, 0.4]}, "attention holds a list, which is not a number."),
        ({"attention": {"0": 1}}, "attention is an object, not a list."),
        ({"attention": [True, 0.2, 0.3, 0.4]}, "attention holds a truth value"),
        ({"attention": [10**400, 0.2, 0.3, 0.4]}, "attention holds a number too large for a float."),
        ({"attention": [0.0] * 1001}, "attention has 1,001 numbers"),
        ({"answer": "B"}, "answer is the text 'B', which is not a number."),
        ({"answer": True}, "answer is a truth value"),
        ({"answer": 1.5}, "answer 1.5 is not a slot"),
        ({"seed": 1}, "the field 'seed' is not of the format."),
        ({"session_id": 7}, "session_id is blank, not text or too long."),
        ({"session_id": "x" * 201}, "session_id is blank, not text or too long."),
        ({"session_id": None}, "session_id is blank, not text or too long."),
    ],
)
def test_json_lines_with_values_of_another_kind(tmp_path, mini, cell, what):
    found = of_rows(tmp_path, mini, lambda table: table[4].update(cell), suffix=".jsonl")
    errors = [p for p in found if p.severity == "error" and p.kind != "missing"]
    assert [p.row for p in errors] == [5] and what in errors[0].what


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"{not json", "the line is not JSON"),
        (b"[1, 2]", "the line is not a JSON object"),
        (b"\xff\xfe", "the line is not UTF-8"),
        (b"[" * 100_000, "the line is not JSON"),
        (b'{"answer": ' + b"9" * 5000 + b"}", "the line is not JSON"),
        (b'{"session_id": "a", "session_id": "b"}', "a field is in the line twice"),
        (b'{"session_id": "' + b"x" * 200_000 + b'"}', "the line has 200,018 bytes; 131,072 are allowed."),
    ],
)
def test_json_lines_that_are_none(tmp_path, mini, line, what):
    folder = builder.write(tmp_path, mini, suffix=".jsonl")
    path = folder / FILE.replace(".parquet", ".jsonl")
    path.write_bytes(line + b"\n" + path.read_bytes())
    (problem,) = problems(folder, mini)
    assert (problem.severity, problem.row) == ("error", 1) and what in problem.what


def test_blank_lines_are_passed_over_and_lines_keep_their_numbers(tmp_path, mini):
    folder = builder.write(tmp_path, mini, suffix=".jsonl")
    path = folder / FILE.replace(".parquet", ".jsonl")
    path.write_text("\n\n" + path.read_text() + "\n")
    assert problems(folder, mini) == []
    with path.open("a") as file:
        file.write("{}\n")
    assert [p.row for p in problems(folder, mini)] == [2 + 21 + 2]


def test_coverage(tmp_path, mini):
    def change(table):
        table[1] = dict(table[0])  # twice, and so one is missing
        del table[5]
        table.append({**table[2], "session_id": "u9-9"})
        table.append({**table[2], "session_id": "u0\u20110"})  # a hyphen that does not break lines

    found = {p.kind: p for p in of_rows(tmp_path, mini, change)}
    assert set(found) == {"twice", "missing", "unknown"}
    assert (found["twice"].row, found["twice"].what) == (2, "session 'u0-0' is in row 1 already.")
    assert found["missing"].what.startswith("2 of 21 test sessions are missing: '")
    unknown = [p for p in of_rows(tmp_path / "again", mini, change) if p.kind == "unknown"]
    assert [p.row for p in unknown] == [21, 22] and "'u0\\u20110'" in unknown[1].what
    assert unknown[1].remedy == "It only looks like 'u0-0': write that id in its own characters."


def test_many_problems_of_a_kind_are_counted_not_listed(tmp_path, mini):
    def change(table):
        for row in table:
            row["probabilities"] = [1.0] * 4

    found = [p for p in of_rows(tmp_path, mini, change) if p.kind == "normalised"]
    assert [p.row for p in found] == [1, 2, 3, None] and found[3].what == "18 more problems like this (normalised)."


def test_a_session_that_failed_must_be_owned_up_to(tmp_path, mini):
    def change(table):
        table[3].update(attention=None, probabilities=None, answer=None)
        table[8].update(attention=[0.0] * 4)

    found = of_rows(tmp_path / "a", mini, change)
    assert [(p.severity, p.kind, p.row) for p in found] == [("error", "blank", 4), ("error", "blank", 9)]
    assert "failures: 2" in found[0].remedy
    (warned,) = of_rows(tmp_path / "b", mini, change, failures=2)
    assert (warned.severity, warned.row) == ("warning", 4)
    (wrong,) = of_rows(tmp_path / "c", mini, lambda table: None, failures=2)
    assert (wrong.severity, wrong.file) == ("error", "submission.yaml")


def test_an_answer_may_be_blank_where_there_are_probabilities(tmp_path, mini):
    assert of_rows(tmp_path, mini, set_cell(3, "answer", None)) == []


def test_all_seeds_must_have_the_same_parts(tmp_path, mini):
    runs = {1: builder.rows(mini, 1), 2: [{k: v for k, v in r.items() if k != "answer"} for r in builder.rows(mini, 2)]}
    (found,) = problems(builder.write(tmp_path, mini, runs), mini)
    assert found.file.endswith("seed-2.parquet") and found.what.startswith("it has no answer, which another seed")


def test_files_that_hold_nothing(tmp_path, mini):
    only = [{"session_id": row["session_id"]} for row in builder.rows(mini)]
    assert (
        "neither attention nor"
        in problems(builder.write(tmp_path / "a", mini, {1: only}, attention=None), mini)[0].what
    )
    empty = builder.write(tmp_path / "b", mini, {1: []}, attention=None, suffix=".jsonl")
    assert problems(empty, mini)[0].what == "it has no rows."


def test_seeds_that_are_one_seed(tmp_path, mini):
    table = builder.rows(mini)
    found = problems(builder.write(tmp_path, mini, {1: table, 2: table[::-1]}), mini)
    assert [(p.severity, p.kind) for p in found] == [("error", "seeds")] and "the same as seed 1" in found[0].what


@pytest.mark.parametrize(
    ("changes", "severity", "what"),
    [
        ({"attention": None}, "error", "does not say where it comes from"),
        ({"attention": {"source": "x", "target": "label"}}, "warning", "never ranked"),
        ({"attention": {"source": "x", "target": "none"}}, "error", "but not both"),
        ({"attention": {"source": "Stated by the model", "target": "free"}}, "error", "but not both"),
        ({"notice": None}, "warning", "'notice' is blank"),
        ({"contact": "nobody@example.invalid"}, "warning", "still 'anonymous'"),
        ({"simulator": {"kind": "oracle", "inputs": []}}, "error", "belong together"),
        ({"digests": {"mini@1/kfold": "0" * 64}}, "error", "has digest 000000000000...; the data found has"),
        ({"digests": {}}, "error", "'digests' has no good entry for mini@1/kfold"),
    ],
)
def test_what_is_said_of_the_predictions(tmp_path, mini, changes, severity, what):
    (found,) = problems(builder.write(tmp_path, mini, **changes), mini)
    assert found.severity == severity and found.file == "submission.yaml" and what in found.what


def test_attention_that_is_described_and_not_there(tmp_path, mini):
    found = of_rows(tmp_path, mini, lambda table: [row.pop("attention") for row in table])
    assert [p.severity for p in found] == ["error"] and "no file has any" in found[0].what


def test_a_digest_that_is_missing_is_told(tmp_path, mini):
    (found,) = problems(builder.write(tmp_path, mini, digests={}), mini)
    assert f"'mini@1/kfold: {mini.digests['kfold']}'" in found.remedy


def test_a_task_and_a_version_that_are_not_there(tmp_path, mini, monkeypatch):
    folder = builder.write(tmp_path, mini)
    (found,) = submissions.doctor(folder)
    assert found.kind == "digest" and "unknown task 'mini'" in found.what
    (folder / "predictions" / "mini@1").rename(folder / "predictions" / "adserp@7")
    text = (folder / "submission.yaml").read_text().replace("mini@1/", "adserp@7/")
    (folder / "submission.yaml").write_text(text)
    (found,) = submissions.doctor(folder)
    assert found.what == "it is for version 7 of adserp; this is version 2."

    (folder / "predictions" / "adserp@7").rename(folder / "predictions" / "adserp@1")
    (folder / "submission.yaml").write_text(text.replace("adserp@7/", "adserp@1/"))
    asked = []
    monkeypatch.setattr(registry, "load", lambda *_, options: asked.append(options.truth) or mini)
    submissions.doctor(folder)
    assert set(asked) == {1}


def test_a_split_that_is_not_there(tmp_path, mini):
    folder = builder.write(tmp_path, mini)
    (folder / "predictions" / "mini@1" / "kfold").rename(folder / "predictions" / "mini@1" / "kfolds")
    found = problems(folder, mini)
    assert any("unknown split 'kfolds'. Did you mean 'kfold'?" in p.what for p in found)


# What is allowed and looks odd


def warnings(found):
    assert submissions.errors(found) == []
    return [(p.kind, p.what) for p in found]


def test_ties(tmp_path, mini):
    ((kind, what),) = warnings(of_rows(tmp_path, mini, set_cell(6, "attention", [0.35, 0.3, 0.35, 0.0])))
    assert kind == "ties" and what == "the largest attention is shared by several slots here and in 0 other rows."


def test_predictions_that_never_change(tmp_path, mini):
    def change(table):
        for row in table:
            row.update(attention=[0.11, 0.21, 0.31, 0.37], probabilities=[0.4, 0.3, 0.2, 0.1], answer=0)

    assert [kind for kind, _ in warnings(of_rows(tmp_path, mini, change))] == ["constant"] * 3


@pytest.mark.parametrize(("n", "pattern"), [(1, "0 or 1"), (20, "a multiple of 1/20"), (100, "a multiple of 1/100")])
def test_suspicious_granularity(tmp_path, mini, n, pattern):
    def change(table):
        rng = np.random.default_rng(0)
        for row in table:
            counts = rng.multinomial(n, [0.4, 0.3, 0.2, 0.1])
            row.update(probabilities=(counts / n).tolist(), answer=None)

    found = [what for kind, what in warnings(of_rows(tmp_path, mini, change)) if kind == "granularity"]
    assert found == [f"every number of probabilities is {pattern}, as if it were rounded or counted from {n} draws."]


def test_an_answer_that_is_not_the_largest_probability(tmp_path, mini):
    def change(table):
        table[5].update(probabilities=[0.7, 0.1, 0.15, 0.05], answer=2)

    ((kind, what),) = warnings(of_rows(tmp_path, mini, change))
    assert kind == "answer" and what == "the answer is not the largest probability here and in 0 other rows of 21."


def test_attention_that_is_not_normalised(tmp_path, mini):
    ((kind, what),) = warnings(of_rows(tmp_path, mini, set_cell(0, "attention", [3.0, 1.0, 2.0, 0.1])))
    assert kind == "normalised" and "sums to 6.1 here and is not normalised in 1 of 21 rows" in what


# Leaks


def leaking(mini, leak, part="attention"):
    gaze = {s.session_id: s.gaze for s in builder.sessions(mini)}

    def change(table):
        for row in table:
            values = np.asarray(leak(gaze[row["session_id"]]))
            row[part] = (values / values.sum()).tolist()
            if part == "probabilities":
                row["answer"] = None

    return change


@pytest.mark.parametrize("part", ["attention", "probabilities"])
@pytest.mark.parametrize(
    ("leak", "what"),
    [
        (lambda g: g, "the human gaze here and in 20 other rows of 21"),
        (lambda g: g * 1234.5, "the human gaze here"),
        (lambda g: np.round(g, 3), "the gaze of single sessions is known to"),
    ],
)
def test_the_human_gaze_is_a_leak_however_it_is_written(tmp_path, mini, leak, what, part):
    found = [p for p in of_rows(tmp_path, mini, leaking(mini, leak, part)) if p.kind == "leak"]
    assert {p.severity for p in found} == {"error"} and any(what in p.what for p in found)


def test_a_single_row_that_is_the_gaze_is_enough(tmp_path, mini):
    session = builder.sessions(mini)[7]
    found = of_rows(tmp_path, mini, set_cell(7, "attention", session.gaze.tolist()))
    assert [(p.kind, p.row) for p in found] == [("leak", 8)]


def test_an_oracle_that_says_so_leaks_nothing(tmp_path, mini):
    simulator = {"kind": "oracle", "inputs": ["gaze-test"]}
    assert of_rows(tmp_path, mini, leaking(mini, lambda g: g), simulator=simulator) == []


def test_answers_without_a_single_mistake(tmp_path, mini):
    clicks = {s.session_id: s.click for s in builder.sessions(mini)}

    def change(table):
        for row in table:
            row.update(answer=clicks[row["session_id"]], probabilities=None)

    (found,) = of_rows(tmp_path, mini, change)
    assert (found.severity, found.kind) == ("error", "leak") and "beyond what their gaze tells" in found.what
    oracle = {"kind": "oracle", "inputs": ["gaze-test"]}
    assert of_rows(tmp_path, mini, change, simulator=oracle) == []


# The verb


@pytest.fixture
def registered(mini, monkeypatch):
    from tasks import registry

    monkeypatch.setitem(registry.TASKS, "mini", "tests.mini:DEFINITION")
    return f"mini={mini.folder}"


def test_the_verb_prints_every_problem_and_exits_with_1(tmp_path, mini, registered, capsys):
    table = builder.rows(mini)
    table[0]["answer"] = 9
    folder = builder.write(tmp_path, mini, {1: table}, notice=None)
    assert main(["doctor", str(folder), "--data", registered]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == (
        f"error: {FILE}, row 1: answer 9 is not a slot 0..3. Give the number of a slot, from 0."
    )
    assert said.out.splitlines()[1].startswith("warning: submission.yaml: ") and "1 error, 1 warning:" in said.err
    assert main(["doctor", str(folder), "--data", registered, "--json"]) == 1
    assert [p["severity"] for p in json.loads(capsys.readouterr().out)] == ["error", "warning"]


def test_the_verb_exits_with_0_when_there_is_no_error(tmp_path, mini, registered, capsys):
    folder = builder.write(tmp_path, mini, notice=None)
    assert main(["doctor", str(folder), "--data", registered]) == 0
    assert "0 errors, 1 warning: ready to submit." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nowhere"], "there is no folder nowhere"),
        ([".", "--data", "mini"], "--data expects TASK=DIR"),
        ([".", "--data", "recgase=x"], "Did you mean 'recgaze'?"),
    ],
)
def test_a_mistake_gets_one_line(argv, message, capsys):
    assert main(["doctor", *argv]) == 2
    assert message in capsys.readouterr().err


def reporting(tmp_path, task, *values):
    """Return the problems of a good submission that reports numbers without predictions as well."""
    rows = [
        {"task": t, "split": "kfold", "metric": metric, "value": value, "source": "their paper"}
        for t, metric, value in values
    ]
    return problems(builder.write(tmp_path, task, {1: builder.rows(task)}, reported=rows), task)


def test_reported_numbers_that_no_data_can_give_are_errors(tmp_path, mini):
    found = reporting(tmp_path, mini, ("mini", "JS", 0.9), ("mini", "KL", 0.5))
    assert [(p.severity, p.kind, p.file) for p in found] == [("error", "reported", "submission.yaml")]
    assert "JS" in found[0].what and "0.9" in found[0].what and str(found[0]).isascii()


@pytest.fixture
def recorded(mini):
    """The mini task as if its sessions had been recorded."""
    return replace(mini, notice="", simulated=False)


def test_granularity_of_reported_numbers_is_compared_with_recorded_sessions(tmp_path, recorded):
    """21 test sessions: an accuracy of one run is a multiple of 1/21, unless ties or users were averaged."""
    assert reporting(tmp_path / "fits", recorded, ("mini", "Accuracy", 0.2857)) == []
    found = reporting(tmp_path / "not", recorded, ("mini", "Accuracy", 0.2901))
    assert [(p.severity, p.kind) for p in found] == [("warning", "reported")]
    assert "taken to be over the 21 test sessions of the data given and one seed" in found[0].what
    assert "other sessions or seeds" in found[0].remedy


def test_granularity_of_reported_numbers_is_not_that_of_a_sample(tmp_path, mini):
    """The paper's 18/76 is no multiple of 1/21, and need not be: a sample's sessions are nobody else's."""
    assert mini.notice and reporting(tmp_path, mini, ("mini", "CSH@1", 0.2368)) == []


@pytest.mark.parametrize("data", ["mini", "recorded"])
def test_reported_logloss_worse_than_uniform_is_a_warning(tmp_path, request, data):
    """Four slots: uniform probabilities have ln 4 = 1.386."""
    task = request.getfixturevalue(data)
    assert reporting(tmp_path / "better", task, ("mini", "LogLoss", 1.38)) == []
    found = reporting(tmp_path / "worse", task, ("mini", "LogLoss", 1.41))
    assert [(p.severity, p.kind) for p in found] == [("warning", "reported")]
    assert "worse than uniform probabilities" in found[0].what and "1.3863" in found[0].what


def test_the_reported_entry_of_the_document_is_one(tmp_path, mini):
    text = (Path(__file__).parents[2] / "docs" / "submitting.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```text\n(reported:\n.*?)^```", text, flags=re.S | re.M)
    entries = yaml.safe_load(example)["reported"]
    assert problems(builder.write(tmp_path, mini, {1: builder.rows(mini)}, reported=entries), mini) == []


def test_reported_numbers_of_a_task_whose_data_is_missing_are_checked_for_what_they_are(tmp_path, mini):
    found = reporting(tmp_path, mini, ("elsewhere", "AUC", 1.5))
    assert [(p.severity, p.kind) for p in found] == [("error", "reported")]
