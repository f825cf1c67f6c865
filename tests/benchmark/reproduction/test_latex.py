"""Tables compile as LaTeX, where there is one; figures do in ``test_figures_pictures.py``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark.metrics import names
from benchmark.output.rendering import render
from benchmark.reproduction.printing import document
from benchmark.reproduction.table import ReproducedCell, ReproducedRow, ReproducedTable
from tests.latex import AWKWARD, compiles


@pytest.fixture
def table():
    cells = {
        "KL": ReproducedCell(0.9, sd=0.01, stars="***", p_users=0.0001),
        "Accuracy": ReproducedCell(0.25, sd=0.0, p_users=0.5),
    }
    rows = (
        ReproducedRow("qwen3-vl", "glimpse", "FixATE", "value", cells),
        ReproducedRow("qwen3-vl", "glimpse", "Paper", "paper", {"KL": ReproducedCell(0.9986)}),
        ReproducedRow("qwen3-vl", "glimpse", "Difference", "difference", {"KL": ReproducedCell(-0.0986)}),
        ReproducedRow("qwen3-vl", "glimpse", AWKWARD, "improvement", {"KL": ReproducedCell(12.5)}),
    )
    return ReproducedTable("toys", "significance", AWKWARD, (f"NOTE: {AWKWARD}", AWKWARD), ("KL", "Accuracy"), rows)


@pytest.mark.parametrize("kind", ["values", "significance"])
def test_a_table_compiles_whatever_stands_in_it(kind, table, tmp_path):
    compiles(render(document(replace(table, kind=kind)), "latex"), tmp_path)


@pytest.mark.parametrize("metrics", [2, 5, 12])
def test_a_table_fits_the_page(metrics, table, tmp_path):
    cells = dict.fromkeys(names()[:metrics], ReproducedCell(0.123, sd=0.01, stars="***", p_users=0.0001))
    rows = tuple(ReproducedRow("internvl3.5", "attnlrp", "FixATE", "value", cells) for _ in range(3))
    said = compiles(
        render(document(replace(table, title="t", captions=(), metrics=tuple(cells), rows=rows)), "latex"), tmp_path
    )
    assert len(cells) == metrics and "Overfull" not in said


def test_a_caption_is_whole_sentences_and_names_each_thing_once(table):
    captions = ("NOTE: Simulated sample: fictional people.", "NOTE: pocket for real", "ours - paper: by --label.")
    text = render(document(replace(table, title="Title", captions=captions)), "latex")
    (caption,) = [line for line in text.splitlines() if line.startswith(r"\caption")]
    above = r"\caption[{Title}]{Title. Note: Simulated sample: fictional people. pocket for real. "
    assert caption.startswith(above + r"ours $-$ paper: by -{}-label. ") and r"\label{tab:toys}" in text
    assert "$-$0.0986" in text and " -0" not in text
