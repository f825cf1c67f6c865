from __future__ import annotations

import csv
import dataclasses
import io
import json
import re

import numpy as np
import pytest

from benchmark.cli import main
from benchmark.output.rendering import FORMATS, render
from benchmark.report import variance
from benchmark.scores import results
from benchmark.statistics.variance import advised
from tasks.errors import InputError
from tests.mini import NOTICE


@pytest.fixture(scope="module")
def read(finished):
    found = results.read(finished)
    return found, variance.lines(found, results.read_scores(finished), metrics=[m for m in found.simulators[0].metrics])


def test_what_is_resolved_is_what_the_table_of_the_run_prints(read):
    found, lines = read
    for comparison in found.comparisons:
        mine = [
            one
            for one in lines
            if one.reference and (one.simulator, one.metric) == (comparison.simulator, comparison.metric)
        ]
        if mine and comparison.smallest_difference is not None:
            assert mine[0].found.resolves_with_these_seeds == pytest.approx(comparison.smallest_difference)
            assert mine[0].found.mean == pytest.approx(comparison.difference)
    for metric, resolved in found.resolution.items():
        values = [one.found.resolves_with_these_seeds for one in lines if one.reference and one.metric == metric]
        if resolved is not None and values:
            assert np.nanmedian(values) == pytest.approx(resolved)


def test_oracles_have_no_line_unless_they_are_asked_for(read, finished):
    found, lines = read
    assert {one.simulator for one in lines} == {"sharp", "noisy", "faint"}
    assert {one.simulator for one in lines if one.reference} == {"noisy", "faint"}
    asked = variance.lines(found, results.read_scores(finished), ["KL"], ["oracle"])
    assert [one.of for one in asked] == ["mean", "- sharp"]


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_says_what_is_simulated(format, read):
    found, lines = read
    text = render(variance.document(found, lines), format)
    if format == "csv":
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len(rows) == len(lines) and {row["simulated"] for row in rows} == {"True"}
        assert float(rows[0]["standard_error"]) == lines[0].found.standard_error()
    elif format == "json":
        raw = json.loads(text)
        assert raw["notice"] == NOTICE and len(raw["lines"]) == len(lines)
        parts = raw["lines"][0]["parts"]
        assert sum(part["of_mean"] for part in parts) == pytest.approx(raw["lines"][0]["standard_error"]["now"] ** 2)
    else:
        assert text.index("invented users") < re.search(r"\d\.\d{3}", text).start()
        assert "help" in text or "no spread" in text


def test_the_shares_of_a_line_add_up_to_100(read):
    _, lines = read
    for one in lines:
        shares = [value for value in one.found.shares.values() if not np.isnan(value)]
        assert not shares or sum(shares) == pytest.approx(1)


def test_a_narrow_terminal_gets_blocks_with_the_names_repeated(read):
    found, lines = read
    table = render(variance.document(found, lines), "terminal", 70)
    blocks = [line for line in table.splitlines() if line.startswith("simulator ")]
    assert len(blocks) > 1 and all(len(line) <= 70 for line in blocks)
    assert render(variance.document(found, lines), "terminal", 150).count("simulator ") == 1


def test_the_verb(finished, capsys):
    assert main(["variance", str(finished), "--metric", "KL,JS", "--simulator", "noisy", "--json"]) == 0
    raw = json.loads(capsys.readouterr().out)
    assert [(one["metric"], one["of"]) for one in raw["lines"]] == [
        (metric, of) for metric in ("KL", "JS") for of in ("mean", "difference")
    ]
    assert raw["lines"][1]["n_seeds"] == 2 and raw["lines"][1]["n_users"] == 7
    assert main(["variance", str(finished)]) == 0
    assert "\nKL, differences from sharp: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--metric", "KI"], "unknown metric 'KI'"),
        (["--simulator", "nois"], "unknown simulator of the run 'nois'. Did you mean 'noisy'"),
        (["--metric", "Accuracy", "--simulator", "noisy"], "none of noisy has Accuracy"),
        (["--format", "latx"], "unknown format 'latx'. Did you mean 'latex'"),
    ],
)
def test_mistyped_names_are_one_line(options, words, finished, capsys):
    assert main(["variance", str(finished), *options]) == 2
    said = capsys.readouterr()
    assert said.out == "" and words in said.err and said.err.count("\n") == 1


def test_one_user_is_too_few(finished):
    found, scores = results.read(finished), results.read_scores(finished)
    with pytest.raises(InputError, match="two users"):
        variance.lines(found, scores[scores["user"] == "u1"])


def test_the_advice_is_a_line_for_each_metric_and_names_every_simulator_once_in_what_helps(read, finished):
    found, lines = read
    told = variance.advice(lines)
    compared = [one for one in lines if one.reference]
    assert [line.partition(",")[0] for line in told] == list(dict.fromkeys(one.metric for one in compared))
    kl = next(line for line in told if line.startswith("KL, differences from sharp: "))
    for one in (one for one in compared if one.metric == "KL"):
        now, then = one.found.resolves(), [value for _, value in advised(one.found).best]
        shown = " or ".join(variance.number(value) for value in then)
        assert f"{one.simulator} {variance.number(now)} -> {shown}" in kl
    assert kl.count("of the variance") <= 2 and kl.endswith(".")
    means = variance.advice(variance.lines(found, results.read_scores(finished), ["KL"], ["sharp"]))
    assert len(means) == 1 and means[0].startswith("KL: ")


def test_the_heading_counts_one_session_as_one(read):
    found, _ = read
    one = dataclasses.replace(found, n_sessions=1, n_users=1, n_screens=1)
    assert variance.document(one, ()).title.endswith(": 1 test session of 1 user on 1 screen")
    assert variance.document(found, ()).title.endswith(": 21 test sessions of 7 users on 3 screens")
