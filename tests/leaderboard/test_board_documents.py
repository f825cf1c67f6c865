from __future__ import annotations

import csv
import io
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.output.rendering import FORMATS, render
from leaderboard import board_documents, columns
from leaderboard.board_files import Board
from leaderboard.columns import BoardCell, BoardColumn
from leaderboard.site.build import build
from tasks.errors import InputError
from tests.documents.blocks import blocks
from tests.latex import compiles
from tests.mini import NOTICE

ROOT = Path(__file__).parents[2]


def shown(views, format, width=100, **options):
    return render(board_documents.documents(views, **options), format, width)


@pytest.mark.parametrize("format", ["terminal", "markdown", "latex"])
def test_every_format_names_simulated_data_before_any_number(views, format):
    text = shown(views, format)
    assert text.count(NOTICE) == 2
    first = re.search(r"\d\.\d{3}", text)
    assert text.index(NOTICE) < first.start()


def test_csv_and_json_carry_the_notice_and_every_digit(views):
    rows = list(csv.DictReader(io.StringIO(shown(views, "csv"))))
    assert all(NOTICE in row["notice"] for row in rows)
    loo = views[1]
    i = next(k for k, row in enumerate(loo.table.rows) if row.name == "sim-0.9")
    j = loo.table.metric_index("KL")
    (row,) = (r for r in rows if r["split"] == "loo" and r["simulator"] == "sim-0.9" and r["column"] == "KL")
    assert float(row["mean"]) == loo.ranking.mean[i, j] and int(row["tier"]) == loo.ranking.tier[i, j]
    tables = json.loads(shown(views, "json"))
    assert [t["split"] for t in tables] == ["kfold", "loo"] and all(NOTICE in t["notice"] for t in tables)
    (line,) = (x for x in tables[1]["lines"] if x["simulator"] == "sim-0.9")
    assert line["columns"]["KL"]["mean"] == loo.ranking.mean[i, j] and line["ranked"]


@pytest.mark.slow
def test_notes_on_simulators_are_attributed_and_cannot_fill_a_table(mini, tmp_path):
    from baselines import registry
    from leaderboard.columns import views as views_of
    from leaderboard.submitting import submit
    from tests.leaderboard.boards import candidate

    many = [candidate(f"s{i}", mini, random_state=i, notice=f"note {i}") for i in range(7)]
    pocket = [candidate(f"p{i}", mini, random_state=9 + i, notice="a stand-in") for i in range(5)]
    for one in [*pocket, *many, candidate("plain", mini, random_state=30, notice=NOTICE)]:
        submit(tmp_path / "board", [one], registry)
    (view,) = views_of(Board.open(tmp_path / "board"))
    first, *notes, last = board_documents.notices(view)
    assert first == NOTICE and len(notes) == board_documents.NOTICES
    assert last == "3 more notes are on the pages of their simulators."
    (stand_in,) = (note for note in notes if note.endswith(": a stand-in"))
    assert stand_in.count(",") == 2 and " and 2 more: " in stand_in
    assert all(note.split(": ")[1] in ("a stand-in", f"note {note[1]}") for note in notes)


def test_unranked_lines_come_last_in_brackets_and_without_a_tier(views):
    lines = shown(views[1:], "terminal", width=300).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("----"))
    body = lines[start + 1 : lines.index("", start)]
    ranked = [line for line in body if "(" not in line]
    apart = [line for line in body if "(" in line]
    assert body == [*ranked, *apart]
    for name in ("gaze-oracle", "other-users", "peeper@1", "labelled@1 [label]"):
        (line,) = (x for x in apart if f"({name})" in x)
        assert "[1]" not in line and not line.strip()[0].isdigit()
    # A submission whose attention is label-conditioned is still ranked by its clicks.
    assert any(re.search(r" labelled@1 ", line) for line in ranked)


def test_numbers_stated_elsewhere_stand_below_and_say_so(views):
    text = shown(views[1:], "terminal")
    table, stated = text.split("Self-reported, not checked, never ranked:")
    assert "KL 0.100" in stated and "0.100" not in table.split("KL↓")[1].split("\n")[0]


def test_a_narrow_terminal_gets_blocks_of_columns(views):
    whole, narrow = (shown(views[1:], "terminal", width=w) for w in (300, 100))
    tables = [line for line in narrow.splitlines() if line.startswith("----")]
    assert len(tables) > 1 and whole.count("tier  simulator") == 1 and narrow.count("tier  simulator") == len(tables)
    assert max(map(len, tables)) <= 100
    claimed = {column.metric for column in columns.claimed(views[1], ("metrics",))}
    assert "KL" in claimed
    for metric in views[1].table.metrics:
        assert narrow.count(f" {metric.name}{metric.arrow}") == (metric.name in claimed)


def test_the_order_follows_the_metric(views):
    loo = views[1]
    for metric, better in (("KL", 1), ("AUC", -1)):
        j = loo.table.metric_index(metric)
        rows = [i for i in board_documents.order(loo, metric) if loo.table.rows[i].ranked]
        means = [float(loo.ranking.mean[i, j]) for i in rows]
        known = [round(m, 9) for m in means if not math.isnan(m)]
        assert (
            known == sorted(known, key=lambda m, b=better: b * m)
            and [round(m, 9) for m in means[: len(known)]] == known
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "word"}, "unknown format 'word'"),
        ({"format": "terminal", "metric": "KI"}, "unknown metric 'KI'. Did you mean 'KL'"),
        ({"format": "terminal", "groups": ("metric",)}, "Did you mean 'metrics'"),
    ],
)
def test_mistyped_names_are_refused(views, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        shown(views, **options)


def test_an_empty_board_says_so():
    with pytest.raises(InputError, match="holds no active result"):
        shown([], "terminal")


def test_hostile_names_are_only_text(views):
    markdown = shown(views, "markdown")
    assert "<script" not in markdown and "&lt;script&gt;" in markdown
    latex = shown(views, "latex")
    assert "\\textless" in latex or "$<$" in latex or "{<}" in latex or "\\ensuremath{<}" in latex
    for format in FORMATS:
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", shown(views, format))


def test_latex_is_balanced_and_escaped(views):
    text = "\n".join(x for x in shown(views[1:], "latex").splitlines() if not x.startswith("%"))
    assert "\\toprule" in text and "$\\downarrow$" in text and "↓" not in text
    assert not re.search(r"(?<!\\)[%#_]", text)


def test_latex_compiles_hostile_names_included(views, tmp_path):
    compiles(shown(views, "latex"), tmp_path)


def test_a_new_column_is_one_entry(views, stocked, tmp_path, monkeypatch):
    squared = BoardColumn(
        "squares",
        "KL squared↓",
        "metrics",
        "For this test.",
        lambda v, i: BoardCell(f"sq{v.ranking.mean[i, 0]:.3f}", float(v.ranking.mean[i, 0]) ** 2),
        False,
        "KL",
    )
    monkeypatch.setattr(columns, "COLUMNS", (*columns.COLUMNS, squared))
    for format in FORMATS:
        text = shown(views, format)
        assert ("squares" if format in ("csv", "json") else "KL squared") in text
    build(tmp_path / "site", stocked, views)
    (page,) = (tmp_path / "site" / "tables").glob("mini-loo-*.html")
    assert "KL squared↓" in page.read_text() and ">sq" in page.read_text()


def test_the_column_of_the_guide_works(views, monkeypatch):
    (block,) = [b.text for b in blocks("CONTRIBUTING.md") if "COLUMN = BoardColumn(" in b.text]
    made: dict[str, BoardColumn] = {}
    exec(compile(block, "CONTRIBUTING.md", "exec"), made)
    monkeypatch.setattr(columns, "COLUMNS", (*columns.COLUMNS, made["COLUMN"]))
    text = shown(views, "terminal", groups=("about",))
    loo = views[1]
    row = next(i for i, r in enumerate(loo.table.rows) if r.name == "sim-0.5")
    assert "KL seed SD" in text and f"{loo.ranking.seed_sd[row, 0]:.3f}" in text


@pytest.mark.slow
def test_ranking_and_printing_load_no_runner_and_no_model_library(stocked):
    code = f"""
import sys
from benchmark.output.rendering import render
from leaderboard import board_documents, board_table
from leaderboard.columns import view
from leaderboard.board_files import Board
board = Board.open({str(stocked.root)!r})
standing = board.standing()
known = board_table.records(board, standing)
views = [view(board_table.load(board, digest, standing, known)) for digest in board_table.digests(known, standing)]
print(len(render(board_documents.documents(views), "terminal")))
heavy = ("torch", "ray", "transformers", "datasets", "baselines", "submissions", "tasks.task", "tasks.recgaze")
print([name for name in sys.modules if name in (*heavy, "benchmark.runs.runner", "benchmark.scores.scoring")])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    length, loaded = done.stdout.splitlines()
    assert int(length) > 1000 and loaded == "[]"
