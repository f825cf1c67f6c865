from __future__ import annotations

import csv
import io
import re

import pytest

from benchmark.output import tables
from benchmark.output.latex import escape_latex
from benchmark.runs.runner import run
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


@pytest.mark.parametrize("format", ["terminal", "markdown", "latex"])
def test_every_printed_table_names_simulated_data_before_any_number(results, format):
    text = tables.render(results, format)
    assert text.index("invented users") < re.search(r"\d\.\d{3}", text).start()


def test_the_best_ranked_value_of_a_column_is_marked_and_oracles_are_not(results):
    rows = {line.split()[0]: line for line in tables.terminal(results).splitlines() if line[:1].strip()}
    kl = {row.name: row.metrics["KL"].mean for row in results.simulators}
    best = min(kl["sharp"], kl["noisy"])
    cells = {name: rows[name].split()[1] for name in ("sharp", "noisy", "(oracle)")}
    for name in ("sharp", "noisy"):
        assert cells[name].startswith(f"{kl[name]:.3f}") and ("*" in cells[name]) == (kl[name] == best)
    assert cells["(oracle)"] == "0.000"


def test_columns_stay_aligned(results):
    lines = tables.terminal(results).splitlines()
    ruler = next(line for line in lines if line.startswith("---"))
    header, body = lines[lines.index(ruler) - 1], lines[lines.index(ruler) + 1]
    assert len(header) == len(ruler) and "KL↓" in header and "AUC↑" in header
    # Decimals of a column stand below each other, whatever marks follow them.
    columns = [m.start() for m in re.finditer(r"\d\.\d{3}", body)]
    for line in lines[lines.index(ruler) + 2 : lines.index(ruler) + 4]:
        assert {m.start() for m in re.finditer(r"\d\.\d{3}", line)} <= set(columns)


def test_csv_holds_every_value_unrounded(results):
    rows = list(csv.DictReader(io.StringIO(tables.render(results, "csv"))))
    assert len(rows) == sum(len(row.metrics) for row in results.simulators)
    first = results.simulators[0]
    assert float(rows[0]["mean"]) == first.metrics[rows[0]["metric"]].mean
    assert {row["simulated"] for row in rows} == {"True"}


def test_latex_is_booktabs_and_escaped(results):
    text = tables.render(results, "latex")
    assert [text.count(rule) for rule in ("\\toprule", "\\midrule", "\\bottomrule", "\\hline")] == [1, 1, 1, 0]
    assert escape_latex("50% a_b & †") == r"50\% a\_b \& $^\dagger$"


def test_markdown_holds_intervals_and_the_corrected_comparisons(results):
    text = tables.render(results, "markdown")
    comparison = next(c for c in results.comparisons if c.metric == "KL" and c.simulator == "noisy")
    assert f"{comparison.difference:+.3f}" in text and "95 % interval" in text
    value = results.simulators[0].metrics["JS"]
    assert f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]" in text


def test_an_unknown_format_is_refused(results):
    with pytest.raises(InputError, match="Did you mean 'markdown'"):
        tables.render(results, "markdwon")


def test_a_narrow_terminal_gets_blocks_of_columns(results):
    wide, narrow = tables.terminal(results), tables.terminal(results, 80)
    table = [line for line in narrow.splitlines() if line.startswith(("---", "simulator", "sharp", "(oracle"))]
    assert max(map(len, table)) <= 80 and len(table) > 4
    assert sorted(re.findall(r"\d\.\d{3}", narrow)) == sorted(re.findall(r"\d\.\d{3}", wide))


def test_the_latex_table_compiles(results, tmp_path):
    compiles(tables.render(results, "latex"), tmp_path)
