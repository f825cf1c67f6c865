from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pytest

from benchmark.output.rendering import render
from benchmark.runs.runner import run
from benchmark.scores import table
from benchmark.scores.results import to_values
from benchmark.trials.configuration import RunConfig
from tasks.errors import InputError
from tests.benchmark.toys import Toys
from tests.latex import compiles


@pytest.fixture(scope="module")
def results(mini, tmp_path_factory):
    config = RunConfig(
        task="mini", simulators=("sharp", "noisy", "oracle"), reference="sharp", seeds=(1, 2), split="kfold"
    )
    return run(config, mini, Toys(), tmp_path_factory.mktemp("tables") / "run")


def printed(results, **options):
    text = render(table.document(results, **options), "terminal", 300)
    return text, {line.split()[0]: line for line in text.splitlines() if line[:1].strip()}


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex"])
def test_every_printed_table_names_simulated_data_before_any_number(results, form):
    text = render(table.document(results), form)
    assert text.index("invented users") < re.search(r"\d\.\d{3}", text).start()


def test_the_best_ranked_value_of_a_column_is_marked_and_oracles_are_not(results):
    _, rows = printed(results)
    kl = {one.name: one.metrics["KL"].mean for one in results.simulators}
    best = min(kl["sharp"], kl["noisy"])
    cells = {name: rows[name].split()[1] for name in ("sharp", "noisy", "(oracle)")}
    for name in ("sharp", "noisy"):
        assert cells[name].startswith(f"{kl[name]:.3f}") and ("*" in cells[name]) == (kl[name] == best)
    assert cells["(oracle)"] == "0.000"


def test_a_line_that_is_compared_with_nothing_is_not_the_best(results):
    alone = replace(results, simulators=(results.simulators[0], results.simulators[-1]))
    assert "*" not in printed(alone)[1]["sharp"]


def test_families_are_printed_in_their_order_and_can_be_chosen(results):
    text, _ = printed(results)
    assert text.index("KL↓") < text.index("Accuracy↑")
    click, _ = printed(results, families=("click",))
    assert "KL↓" not in click and "LogLoss↓" in click
    narrow = render(table.document(results), "terminal", 100)
    assert narrow.index("\nAttention\n") < narrow.index("KL↓") < narrow.index("\nClick\n") < narrow.index("LogLoss↓")
    with pytest.raises(InputError, match="unknown family of metrics 'clicks'. Did you mean 'click'"):
        table.document(results, ("clicks",))


def test_csv_holds_every_value_unrounded_and_json_the_results(results):
    rows = list(csv.DictReader(io.StringIO(render(table.document(results, ("click",)), "csv"))))
    assert len(rows) == sum(len(one.metrics) for one in results.simulators)
    assert float(rows[0]["mean"]) == results.simulators[0].metrics[rows[0]["metric"]].mean
    assert {one["simulated"] for one in rows} == {"True"}
    assert json.loads(render(table.document(results), "json")) == json.loads(json.dumps(to_values(results)))


def test_the_page_of_a_run_holds_intervals_and_the_corrected_comparisons(results):
    text = table.page(results)
    comparison = next(c for c in results.comparisons if c.metric == "KL" and c.simulator == "noisy")
    assert f"{comparison.difference:+.3f}" in text and "95 % interval" in text
    value = results.simulators[0].metrics["JS"]
    assert f"{value.mean:.3f} \\[{value.low:.3f}, {value.high:.3f}\\]" in text


def test_the_latex_table_compiles_and_fits(results, tmp_path):
    said = compiles(render(table.document(results), "latex"), tmp_path, "onecolumn")
    assert "Overfull" not in said
