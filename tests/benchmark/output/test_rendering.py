from __future__ import annotations

import csv
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.output.document import Document, Grid, GridCell, GridColumn, row
from benchmark.output.latex import escape_latex, latex_number
from benchmark.output.rendering import FORMATS, render
from benchmark.output.text import plain
from tasks.errors import InputError
from tests.latex import AWKWARD, compiles

KEYS = (GridColumn("tier", key=True, once=True), GridColumn("name", "left", key=True))
HOSTILE = "<script>|_*a*_`[x](y)`\x1b[31m\u202e $x$ %"


def document(**changed) -> Document:
    columns = (*KEYS, *(GridColumn(f"m{i}", group="First" if i < 3 else "Second") for i in range(5)))
    rows = (
        row("1", "alpha", *(GridCell("0.500", "*▲", "(p <0.001)") for _ in range(5))),
        row("1", "beta", *("0.250" for _ in range(3)), "", "", ranked=False),
        row("2", HOSTILE, *(GridCell("-0.125", " ▼") for _ in range(5)), indent=True),
    )
    values = {
        "title": f"About {HOSTILE}",
        "notices": ("simulated data",),
        "grids": (Grid(columns, rows), Grid(heading="More:", notes=("one note",))),
        "legend": ("* best.",),
        "csv": lambda: [("name", "value"), ("=cmd", 0.1234567890123), (-0.5, None)],
        "data": lambda: {"value": 1},
        "name": "example",
    }
    return Document(**{**values, **changed})


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex"])
def test_notice_legend_and_brackets_are_in_every_format_the_notice_before_any_number(form):
    text = render(document(), form)
    assert text.index("simulated data") < re.search(r"\d\.\d{3}", text).start()
    assert "best." in text and "(beta)" in text and "one note" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)


def test_latex_has_all_of_it_in_the_caption_and_groups_below_each_other():
    text = render(document(), "latex")
    [caption] = re.findall(r"\\caption\[.*\]\{(.*)\}\n", text)
    assert "Note: simulated data." in caption and "* best." in caption and text.count(r"\label{tab:example}") == 1
    assert text.count(r"\begin{tabular}") == 2 and text.count(r"\begin{table*}") == 1
    first, second = text.split(r"\end{tabular}}")[:2]
    assert "(beta)" in first and "(beta)" not in second  # it says nothing there
    assert first.count(r"\midrule") == 2  # a rule above each tier
    assert r"0.500&*$^{\bigtriangleup}$" in text and r"\multicolumn{2}{r}{(p \textless{}0.001)}" in text


def test_a_terminal_is_never_overrun_and_groups_stand_side_by_side_where_they_fit():
    def lines(width):
        text = render(document(title="t", legend=()), "terminal", width)
        return [line for line in text.splitlines() if line.startswith(("-", "tier", "  ", "   "))]

    wide = render(document(), "terminal", 500)
    assert wide.count("tier  name") == 1 and "First" not in wide
    assert render(document(), "terminal", 120).count("tier  name") == 2
    for width in (120, 100, 80, 60, 45):
        assert max(map(len, lines(width))) <= width
    numbers = re.findall(r"-?\d\.\d{3}", wide)
    assert sorted(re.findall(r"-?\d\.\d{3}", render(document(), "terminal", 60))) == sorted(numbers)


def test_decimals_of_a_column_stand_below_each_other_whatever_marks_follow():
    body = [line for line in render(document(), "terminal", 500).splitlines() if re.search(r"\d\.\d{3}", line)]
    places = [[m.end() for m in re.finditer(r"\d\.\d{3}(?! ?\))", line)] for line in body]
    assert places[0] == places[2] and set(places[1]) <= set(places[0])


def test_a_shared_key_is_printed_once_but_in_markdown_every_time():
    body = [line for line in render(document(), "terminal", 500).splitlines() if re.search(r"\d\.\d{3}", line)]
    assert [line[:4].strip() for line in body] == ["1", "", "2"] and "  <script>" in body[2]
    rows = [line for line in render(document(), "markdown").splitlines() if "0.250" in line]
    assert all(line.startswith("|    1 |") for line in rows)


def test_markdown_shows_every_text_letter_by_letter():
    text = render(document(), "markdown")
    assert "<script" not in text and "&lt;script&gt;\\|\\_\\*a\\*\\_\\`\\[x\\](y)\\`" in text
    assert text.startswith("# About") and "**NOTE: simulated data**" in text and "**First**" in text


def test_csv_and_json_hold_what_the_document_gives():
    rows = list(csv.reader(io.StringIO(render(document(), "csv"))))
    assert rows == [["name", "value"], ["'=cmd", "0.1234567890123"], ["-0.5", ""]]
    assert len(render([document(), document()], "csv").splitlines()) == 5  # one head
    assert json.loads(render(document(), "json")) == {"value": 1}
    assert json.loads(render([document()], "json")) == [{"value": 1}]


def test_long_texts_go_on_below_and_nothing_of_them_is_lost():
    text = "a longer text of many words that says what was found " * 3
    grid = Grid(tuple(GridColumn(n, "left", wraps=True) for n in ("check", "finding")), (row("range", text),))
    shown = render(Document("t", (grid,)), "terminal", 60)
    assert max(map(len, shown.splitlines())) <= 60
    assert " ".join(shown.split("-\n", 1)[1].replace("range", "", 1).split()) == plain(text)


def test_an_unknown_format_is_refused():
    with pytest.raises(InputError, match="Did you mean 'markdown'"):
        render(document(), "markdwon")


@given(st.text(), st.integers(10, 200))
def test_any_name_can_be_printed_in_any_format(name, width):
    grid = Grid((*KEYS, GridColumn("x")), (row("1", name, "0.1"),))
    for form in FORMATS:
        text = render(Document(name, (grid,), (name,), (name,)), form, width)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)


@pytest.mark.parametrize("mode", ["twocolumn", "onecolumn"])
def test_latex_compiles_and_fits_the_page(mode, tmp_path):
    many = tuple(row("1", f"{AWKWARD} {i}", *("0.500" for _ in range(20))) for i in range(90))
    first = Grid((GridColumn("[name]", "left", key=True), GridColumn("x")), (row("[a]", "1"), row("*b", "2")))
    long = Grid((*KEYS, *(GridColumn(f"{AWKWARD[:9]}{i}") for i in range(20))), many, notes=(AWKWARD,))
    said = compiles(
        render([document(), document(grids=(long, first), title=AWKWARD, name="b")], "latex"), tmp_path, mode
    )
    assert "Overfull" not in said and "Float too large" not in said


def test_latex_escapes_what_has_a_meaning():
    assert escape_latex("50% a_b & ▲") == r"50\% a\_b \& $^{\bigtriangleup}$"
    assert latex_number("-0.5 (-1e-3, p <0.001)") == r"$-$0.5 ($-$1e-3, p \textless{}0.001)"
    assert latex_number("pocket-qwen3vl") == "pocket-qwen3vl"
    assert escape_latex("a\u2603b") == "a[U+2603]b" and escape_latex("é–λ") == r"é–$\lambda$"
