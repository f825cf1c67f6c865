from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.stats

from benchmark.catalogue import simulator_class
from benchmark.reproduction import Choice, build, groups_of, layouts, read_layout, render, run_groups, write
from benchmark.reproduction.published import add_published
from benchmark.reproduction.table import Cell, Row, Table, improvement
from benchmark.simulator import Prediction
from benchmark.store import TrialStore
from tasks.errors import InputError
from tests.benchmark.toys import ToyEntry, Toys

LAYOUT = """
task: mini
simulators: [still, moving]
seeds: [1, 2, 3]
reference: still
layout:
  part: main
  title: Two toys
  backbones: [qwen3-vl, other]
  operators: [glimpse, attnlrp]
  rows: {still: Still, moving: Moving}
  metrics: [KL, Accuracy, CSH@1]
  improvement: [moving, still]
"""


@dataclass
class Still:
    """Attention on the first slot; the backbone and the operator say how much."""

    backbone: str = ""
    operator: str = ""

    def fit(self, train, seed):
        self.seed = seed

    def weight(self):
        return 0.3 + 0.1 * len(self.operator) / 10

    def simulate(self, sessions):
        found = []
        for s in sessions:
            p = np.full(len(s.slots), (1 - self.weight()) / (len(s.slots) - 1))
            p[0] = self.weight()
            found.append(Prediction(s.session_id, p, p, 0))
        return found


@dataclass
class Moving(Still):
    """As ``Still``, more or less of it by the seed."""

    def weight(self):
        if self.backbone == "broken":
            raise ZeroDivisionError("no such weight")
        return 0.4 + 0.05 * self.seed


class Catalogue(Toys):
    entries = {
        "still": ToyEntry("still", f"{__name__}:Still"),
        "moving": ToyEntry("moving", f"{__name__}:Moving", stochastic=True),
    }

    def build(self, name, settings):
        return simulator_class(self.entry(name).factory)(**settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reproduction")


@pytest.fixture(scope="module")
def layout(folder):
    path = folder / "toys.yaml"
    path.write_text(LAYOUT)
    return read_layout(path)


def made(layout, mini, folder, other="other"):
    groups = groups_of(layout, Choice({"qwen3-vl": "pocket-qwen3vl", "other": other}))
    return run_groups(groups, lambda name: mini, Catalogue(), TrialStore(folder / "trials"))


@pytest.fixture(scope="module")
def found(layout, mini, folder):
    done, failed = made(layout, mini, folder)
    assert not failed
    return done


@pytest.fixture(scope="module")
def table(layout, found):
    return build(layout, found)


def test_the_shipped_layouts_are_read_in_the_order_of_the_papers_tables():
    found = layouts()
    assert [layout.published for layout in found] == [1, 2, 3, 4, 5]
    assert {layout.part for layout in found} == {"main", "ablation", "adserp", "significance"}
    for layout in found:
        groups = groups_of(layout, Choice({"qwen3-vl": "pocket-qwen3vl", "internvl3.5": "internvl3.5"}))
        assert len(groups) == 2 * len(layout.operators)
        # The published normaliser is for real backbones; the published number of epochs too.
        used = {(g.used_backbone, g.used_operator) for g in groups if g.operator == "attnlrp"}
        assert used == {("pocket-qwen3vl", "attnlrp-stable"), ("internvl3.5", "attnlrp")}
        assert all(("epochs" in g.config.defaults) == g.used_backbone.startswith("pocket") for g in groups)


def test_rows_are_those_of_the_layout_and_carry_their_trials(table, folder):
    assert [(r.backbone, r.operator, r.method) for r in table.rows[:4]] == [
        ("qwen3-vl", "glimpse", "Still"),
        ("qwen3-vl", "glimpse", "Moving"),
        ("qwen3-vl", "glimpse", "improvement"),
        ("qwen3-vl", "attnlrp", "Still"),
    ]
    assert len(table.rows) == 12
    # A deterministic simulator has one trial, the other one per seed; each is in the store under that name.
    still, moving, better = table.rows[:3]
    assert (len(still.identities), len(moving.identities), len(better.identities)) == (1, 3, 4)
    assert all((folder / "trials" / i / "trial.json").is_file() for i in better.identities)
    assert moving.cells["KL"].sd > 0 and still.cells["KL"].sd is None
    expected = 100 * (still.cells["KL"].value - moving.cells["KL"].value) / still.cells["KL"].value
    assert better.cells["KL"].value == pytest.approx(expected)


def test_captions_name_every_stand_in_and_the_simulated_data_first(layout, found):
    captions = build(layout, found, ["NOTE: quick"]).captions
    assert captions[0] == "NOTE: simulated: seven invented users"
    assert "NOTE: in place of qwen3-vl: pocket-qwen3vl" in captions
    assert "NOTE: in place of attnlrp: attnlrp-stable" in captions and "NOTE: quick" in captions
    assert not any("in place of other" in line for line in captions)


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex", "csv", "json"])
def test_every_format_says_what_is_simulated(form, table):
    text = render(table, form)
    assert "seven invented users" in text and "pocket-qwen3vl" in text and text.endswith("\n")


def test_csv_and_json_hold_the_numbers_of_the_table(table):
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert len(rows) == sum(len(row.cells) for row in table.rows)
    assert float(rows[0]["value"]) == table.rows[0].cells["KL"].value
    record = json.loads(render(table, "json"))
    assert record["rows"][1]["cells"]["KL"]["value"] == table.rows[1].cells["KL"].value
    assert record["digests"] == {"mini": table.digests["mini"]}


def test_stars_are_the_papers_and_p_is_over_users(layout, found):
    table = build(replace(layout, kind="significance", rows={"moving": "Moving"}, improvement=None), found)
    assert [row.method for row in table.rows] == ["Moving"] * 4
    cell = table.rows[0].cells["KL"]
    by_seed = found[0].scores.groupby(["simulator", "seed"])["KL"].mean()  # every user has as many sessions
    differences = by_seed["moving"] - by_seed["still"].iloc[0]
    p = scipy.stats.ttest_1samp(differences, 0.0).pvalue
    assert cell.stars == ("**" if p < 0.01 else "*" if p < 0.05 else "")
    assert cell.sd == pytest.approx(by_seed["moving"].std())
    comparison = next(c for c in found[0].results.comparisons if (c.simulator, c.metric) == ("moving", "KL"))
    assert cell.p_users == comparison.p_holm is not None
    # Every answer is the first slot whatever the seed: the seeds say nothing, so there are no stars.
    assert table.rows[0].cells["Accuracy"].stars == ""
    assert " ± " in render(table, "terminal") and r"$\pm$" in render(table, "latex")


def test_a_failed_simulator_is_left_out_and_the_rest_stands(layout, mini, tmp_path):
    found, failed = made(layout, mini, tmp_path, other="broken")
    assert {f.trial.simulator for f in failed} == {"moving"} and len(failed) == 6
    table = build(layout, found)
    assert [row.method for row in table.rows if row.backbone == "other"] == ["Still", "Still"]


def test_what_is_finished_is_not_run_again(layout, mini, folder, found):
    before = {p: p.stat().st_mtime_ns for p in folder.glob("trials/*/trial.json")}
    made(layout, mini, folder)
    assert {p: p.stat().st_mtime_ns for p in folder.glob("trials/*/trial.json")} == before and len(before) == 16


def test_latex_has_as_many_columns_in_every_line(table):
    text = render(table, "latex")
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(lines) == 13 and {line.replace(r"\&", "").count("&") for line in lines} == {5}
    assert text.count(r"\midrule") == 4 and r"\toprule" in text and r"\bottomrule" in text


def test_files_are_written_in_every_format(table, tmp_path):
    assert [p.name for p in write(table, tmp_path)] == ["toys.txt", "toys.md", "toys.tex", "toys.csv", "toys.json"]
    assert (tmp_path / "toys.txt").read_text() == render(table, "terminal")


def test_improvement_is_positive_where_it_is_better_and_undefined_from_zero():
    assert improvement("KL", 0.8, 1.0) == pytest.approx(20.0)
    assert improvement("Accuracy", 0.3, 0.2) == pytest.approx(50.0)
    assert improvement("Accuracy", 0.3, 0.0) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("layout:", "lay_out:", "unknown key in"),
        ("  title: Two toys\n", "", "'layout' lacks title"),
        ("  part: main", "  parts: main", "unknown key in 'layout'"),
        ("{still: Still, moving: Moving}", "[still]", "must be a mapping of simulators to labels"),
        ("moving: Moving}", "moved: Moving}", "unknown simulator in 'layout' of .* 'moved'"),
        ("[moving, still]", "[moving]", r"must be \[simulator, base\]"),
        ("[KL, Accuracy, CSH@1]", "[KL, Acuracy]", "Did you mean 'Accuracy'"),
        ("  part: main", "  part: main\n  kind: value", "unknown value of 'kind'.*Did you mean 'values'"),
        ("  part: main", "  part: main\n  published: one", "number of a table"),
        ("[glimpse, attnlrp]", "glimpse", "must be a list of names"),
    ],
)
def test_a_faulty_layout_is_one_line(old, new, message, tmp_path):
    path = tmp_path / "toys.yaml"
    assert old in LAYOUT
    path.write_text(LAYOUT.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        read_layout(path)
    assert "\n" not in str(caught.value)


def test_the_papers_values_stand_below_ours_with_the_difference(found):
    main = next(layout for layout in layouts() if layout.name == "main")
    cells = {"KL": Cell(1.0), "Accuracy": Cell(0.25)}
    ours = Row("qwen3-vl", "glimpse", "FixATE", "value", cells)
    label = Row("qwen3-vl", "glimpse", "FixATE (label)", "value", {"KL": Cell(0.9)}, ranked=False)
    table = Table("main", "values", "t", (), main.metrics, (ours,))
    with_paper = add_published(table, main)
    assert [row.kind for row in with_paper.rows] == ["value", "paper", "difference"]
    # Table 1 of the paper: KL .9986, accuracy .1974.
    assert with_paper.rows[1].cells["KL"].value == 0.9986 and len(with_paper.rows[1].cells) == 12
    assert with_paper.rows[2].cells["KL"].value == pytest.approx(1.0 - 0.9986)
    assert with_paper.rows[2].cells["Accuracy"].value == pytest.approx(0.25 - 0.1974)
    assert "--label" in with_paper.captions[-1]
    # The paper's attention is for the true click: like is compared with like where we have it.
    both = add_published(replace(table, rows=(ours, label)), main)
    assert both.rows[2].cells["KL"].value == pytest.approx(0.9 - 0.9986)
    assert both.rows[2].cells["Accuracy"].value == pytest.approx(0.25 - 0.1974)
    assert "0.999" in render(both, "terminal") and "-0.099" in render(both, "markdown")


def test_every_row_of_the_shipped_tables_has_its_row_in_the_paper():
    for layout in layouts():
        for backbone in layout.backbones:
            for operator in layout.operators:
                for label in layout.rows.values():
                    row = Row(backbone, operator, label, "value", {})
                    table = Table(layout.name, layout.kind, "t", (), layout.metrics, (row,))
                    paper = add_published(table, layout).rows[1]
                    assert set(paper.cells) == set(layout.metrics)
                    assert (layout.kind == "significance") == any(c.sd is not None for c in paper.cells.values())


def test_a_folder_of_several_tasks_serves_each_of_them(tmp_path):
    from benchmark.cli.reproduce import _data_of

    (tmp_path / "adserp").mkdir()
    assert _data_of("adserp", str(tmp_path)) == tmp_path / "adserp"
    assert _data_of("recgaze", str(tmp_path)) == str(tmp_path)
    assert _data_of("recgaze", "sample") == "sample" and _data_of("recgaze", None) is None
