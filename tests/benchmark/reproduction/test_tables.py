from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.stats

from benchmark.output.rendering import render
from benchmark.reproduction.groups import Choice, groups_of, run_groups
from benchmark.reproduction.printing import document, write_files
from benchmark.reproduction.published import add_published
from benchmark.reproduction.section import layouts, read_layout
from benchmark.reproduction.table import ReproducedCell, ReproducedRow, ReproducedTable, build, improvement
from benchmark.scores.results import MetricResult
from benchmark.simulator import Prediction
from benchmark.trials.catalogue import simulator_class
from benchmark.trials.store import TrialStore
from tasks.errors import InputError
from tests.benchmark.toys import ToyEntry, Toys

STAND_IN = "simulated data; stand-in backbone"

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

    epochs: int = 6
    lambda_: float = 1.0

    def weight(self):
        if self.backbone == "broken" or self.lambda_ < 0:
            raise ZeroDivisionError("no such weight")
        return 0.4 + 0.05 * (self.seed % 5)


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


def made(layout, mini, folder, other="other", **choice):
    backbones = {"qwen3-vl": "pocket-qwen3vl"} | ({"other": other} if other else {})
    groups = groups_of(layout, Choice(backbones, **choice))
    return run_groups(groups, lambda name: mini, Catalogue(), TrialStore(folder / "trials"))


@pytest.fixture(scope="module")
def found(layout, mini, folder):
    ran = made(layout, mini, folder)
    assert not ran.failed and not ran.missing
    return ran.found


@pytest.fixture(scope="module")
def table(layout, found):
    return build(layout, found)


def test_the_shipped_layouts_are_read_in_the_order_of_the_papers_tables():
    found = layouts()
    assert [layout.published for layout in found] == [1, 2, 3, 4, 5, None, None, None]
    assert {layout.part for layout in found} == {"main", "ablation", "adserp", "significance", "order"}
    for layout in found[5:]:
        (group,) = groups_of(layout, Choice({"qwen3-vl": "pocket-qwen3vl"}))
        assert layout.part == "order" and "backbone" not in group.config.settings, "no model, and one group"
    for layout in found[:5]:
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


def test_captions_name_every_stand_in_and_the_simulated_data_first(table):
    assert table.captions[:2] == (
        "NOTE: simulated: seven invented users.",
        "NOTE: Stand-ins: pocket-qwen3vl for qwen3-vl, attnlrp-stable for attnlrp.",
    )


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex", "json"])
def test_every_format_says_what_is_simulated(form, table):
    text = render(document(table), form)
    assert text.count("seven invented users") == (2 if form == "json" else 1)  # there with the sessions as well
    assert "pocket-qwen3vl" in text


def test_csv_says_in_every_line_shortly_what_ran_and_what_is_simulated(table):
    rows = list(csv.DictReader(io.StringIO(render(document(table), "csv"))))
    assert len(rows) == sum(len(row.cells) for row in table.rows)
    assert float(rows[0]["value"]) == table.rows[0].cells["KL"].value
    assert {(r["backbone"], r["operator"], r["used_backbone"], r["used_operator"], r["notice"]) for r in rows} == {
        ("qwen3-vl", "glimpse", "pocket-qwen3vl", "glimpse", "simulated data; stand-in backbone"),
        ("qwen3-vl", "attnlrp", "pocket-qwen3vl", "attnlrp-stable", f"{STAND_IN}; stand-in operator"),
        ("other", "glimpse", "other", "glimpse", "simulated data"),
        ("other", "attnlrp", "other", "attnlrp", "simulated data"),
    }
    assert {r["of"] for r in rows if r["kind"] == "improvement"} == {"Moving"}
    assert "invented" not in render(document(table), "csv")


def test_json_holds_the_numbers_the_sessions_and_the_settings(table, mini):
    record = json.loads(render(document(table), "json"))
    assert record["rows"][1]["cells"]["KL"]["value"] == table.rows[1].cells["KL"].value
    assert record["digests"] == {"mini": table.digests["mini"]}
    assert (record["task"], record["reference"], record["moved"]) == ("mini", "Still", {})
    data = record["data"]["mini"]
    assert (data["n_sessions"], data["n_users"], data["seeds"], data["n_slots"]) == (7, 7, [1, 2, 3], 4)
    assert data["uniform_logloss"] == pytest.approx(math.log(4)) and data["notice"] == mini.notice
    still, moving, better = record["rows"][:3]
    assert (still["seeds"], moving["seeds"], better["seeds"]) == ([1], [1, 2, 3], [])
    assert (still["used_backbone"], record["rows"][3]["used_operator"]) == ("pocket-qwen3vl", "attnlrp-stable")
    # The pocket settings of six epochs, and `lambda` as a user writes it.
    assert moving["settings"] == {"backbone": "pocket-qwen3vl", "operator": "glimpse", "epochs": 6, "lambda": 1.0}


def test_rows_bear_the_name_of_what_ran(table):
    lines = render(document(table), "markdown").splitlines()
    assert sum(line.startswith("| pocket-qwen3vl | attnlrp-stable |") for line in lines) == 2 * 3  # two families
    assert not any(line.startswith("| qwen3-vl") for line in lines)
    assert "\npocket-qwen3vl & attnlrp-stable & Still &" in render(document(table), "latex")


@pytest.mark.slow
def test_what_the_user_moved_stands_in_every_caption(layout, mini, folder):
    settings = {"epochs": 1, "moving.lambda_": 9.0, "steps": 4}
    ran = made(layout, mini, folder, other=None, quick=True, settings=settings)
    table = build(layout, ran.found)
    assert "NOTE: Settings moved with --set: epochs=1, moving.lambda=9." in table.captions
    assert "NOTE: Preset quick, 2 seeds and at most 1 epoch: too few for conclusions." in table.captions
    assert table.moved == {"epochs": 1, "moving.lambda": 9.0} and table.rows[1].settings["lambda"] == 9
    assert table.rows[0].notice.endswith("; preset quick; settings moved")
    # Without --set the preset's own two epochs.
    plain = build(layout, made(layout, mini, folder, other=None, quick=True).found).captions
    assert any("2 seeds and at most 2 epochs" in line for line in plain) and not any("--set" in line for line in plain)


@pytest.mark.slow
def test_a_moved_operator_is_the_one_that_is_named(layout, mini, folder):
    table = build(layout, made(layout, mini, folder, other=None, settings={"operator": "rollout"}).found)
    assert {row.used_operator for row in table.rows} == {"rollout"}
    own = build(layout, made(layout, mini, folder, other=None, settings={"moving.operator": "rollout"}).found)
    assert [row.used_operator for row in own.rows[:3]] == ["glimpse", "rollout", "rollout"]


def test_intervals_keep_within_the_metrics_range(layout, found):
    metric = "CSH@1"
    results = found[0].results
    wide = MetricResult(0.05, -0.02, 1.03, 0.0, 7)
    rows = tuple(replace(row, metrics={**row.metrics, metric: wide}) for row in results.simulators)
    table = build(layout, [replace(found[0], results=replace(results, simulators=rows))])
    assert (table.rows[0].cells[metric].low, table.rows[0].cells[metric].high) == (0.0, 1.0)


def test_where_there_is_no_improvement_the_caption_says_why(layout, found, table):
    said = "No improvement is given where Still is 0."
    assert said not in table.captions
    results = found[0].results
    zero = MetricResult(0.0, 0.0, 0.0, None, 7)
    rows = (replace(results.simulators[0], metrics={**results.simulators[0].metrics, "Accuracy": zero}),)
    changed = replace(found[0], results=replace(results, simulators=(*rows, *results.simulators[1:])))
    assert said in build(layout, [changed]).captions


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
    assert cell.difference == comparison.difference == pytest.approx(differences.mean())
    assert f"({cell.difference:+.3f}, p " in render(document(table), "terminal")
    # In LaTeX, where a page has its width, they stand below the values.
    tex = render(document(table), "latex").splitlines()
    first = next(i for i, line in enumerate(tex) if line.startswith("pocket-qwen3vl & glimpse & Moving &"))
    assert tex[first + 1].startswith(" &  &  & (") and tex[first + 1].count("&") == tex[first].count("&")
    assert "(" not in tex[first]
    # Every answer is the first slot whatever the seed: the seeds say nothing, so there are no stars.
    assert table.rows[0].cells["Accuracy"].stars == ""
    assert " ± " in render(document(table), "terminal") and r"$\pm$" in render(document(table), "latex")


def test_stars_of_a_loss_are_marked_otherwise_than_those_of_a_gain(layout, found):
    significance = replace(layout, kind="significance", rows={"moving": "Moving"}, improvement=None)
    scores = found[0].scores
    signs = {}
    for factor in (0.5, 2.0):  # KL of `moving` far below that of `still`, and far above
        moved = scores.assign(KL=np.where(scores["simulator"] == "moving", factor * scores["KL"], scores["KL"]))
        cell = build(significance, [replace(found[0], scores=moved)]).rows[0].cells["KL"]
        assert cell.stars
        table = replace(build(significance, found), rows=(ReproducedRow("b", "o", "m", "value", {"KL": cell}),))
        printed = render(document(table), "terminal"), render(document(table), "latex")
        line, tex = (next(t for t in text.splitlines() if t.startswith("b ")) for text in printed)
        signs[factor] = cell.better, cell.stars in line, "°" in line, cell.stars in tex, "°" in tex
    assert signs == {0.5: (True, True, False, True, False), 2.0: (False, False, True, False, True)}
    assert any("worse: °" in line for line in build(significance, found).captions)


@pytest.mark.slow
def test_a_failed_simulator_is_left_out_and_the_table_says_so(layout, mini, tmp_path):
    ran = made(layout, mini, tmp_path, other="broken")
    assert {f.trial.simulator for f in ran.failed} == {"moving"} and len(ran.failed) == 6
    table = build(layout, ran.found, ran.missing)
    assert [row.method for row in table.rows if row.backbone == "other"] == ["Still", "Still"]
    (said,) = [line for line in table.captions if "Missing" in line]
    lost = [f"Moving of other, {operator} (3 of 3 trials failed)" for operator in ("glimpse", "attnlrp")]
    assert said == f"NOTE: Missing: {'; '.join(lost)}."
    assert any(line.startswith("improvement: of Moving over Still") for line in table.captions)
    # The captions follow the rows: without a row of improvements they do not mention any.
    alone = build(layout, ran.of([f.group for f in ran.found if f.group.backbone == "other"]).found, ran.missing)
    assert not any(line.startswith("improvement") for line in alone.captions)


@pytest.mark.slow
def test_a_table_of_which_nothing_is_complete_has_no_rows(layout, mini, tmp_path):
    ran = made(layout, mini, tmp_path, other=None, settings={"lambda": -1.0})
    significance = replace(layout, kind="significance", rows={"moving": "Moving"}, improvement=None)
    table = build(significance, ran.found, ran.missing)
    assert (
        table.rows == () and sum("Missing: Moving of pocket-qwen3vl, glimpse" in line for line in table.captions) == 1
    )


@pytest.mark.slow
def test_what_is_finished_is_not_run_again(layout, mini, folder, found):
    before = {p: p.stat().st_mtime_ns for p in folder.glob("trials/*/trial.json")}
    made(layout, mini, folder)
    assert {p: p.stat().st_mtime_ns for p in folder.glob("trials/*/trial.json")} == before and len(before) >= 16


def test_latex_has_a_rule_above_each_backbone_and_operator_family_by_family(table):
    attention, click = (part for part in render(document(table), "latex").split(r"\begin{tabular}")[1:])
    for part, columns in ((attention, 5), (click, 4)):
        lines = [line for line in part.splitlines() if line.endswith(r"\\")]
        assert len(lines) == 13 and {line.count("&") for line in lines} == {columns - 1}
        assert part.count(r"\midrule") == 4


def test_files_are_written_in_every_format(table, tmp_path):
    assert [p.name for p in write_files(tmp_path, document(table))] == [
        "toys.txt",
        "toys.md",
        "toys.tex",
        "toys.csv",
        "toys.json",
    ]
    assert (tmp_path / "toys.txt").read_text() == render(document(table), "terminal") + "\n"


def test_improvement_is_positive_where_it_is_better_and_undefined_from_zero():
    assert improvement("KL", 0.8, 1.0) == pytest.approx(20.0)
    assert improvement("Accuracy", 0.3, 0.2) == pytest.approx(50.0)
    assert improvement("Accuracy", 0.3, 0.0) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("layout:", "lay_out:", "unknown key in"),
        ("  title: Two toys\n", "", "'layout' lacks 'title'"),
        ("  part: main", "  parts: main", "'layout' lacks 'part' .is 'parts' meant"),
        ("{still: Still, moving: Moving}", "[still]", "'layout.rows' must be a mapping, not a list of 1"),
        ("moving: Moving}", "moved: Moving}", "unknown simulator in 'layout' .*: 'moved'"),
        ("[moving, still]", "[moving]", "'layout.improvement' must be a list of length 2, not a list of 1"),
        ("[KL, Accuracy, CSH@1]", "[KL, Acuracy]", "Did you mean 'Accuracy'"),
        (
            "  part: main",
            "  part: main\n  kind: value",
            "must be one of values, significance, not 'value'",
        ),
        (
            "  part: main",
            "  part: main\n  published: one",
            "published' must be a whole number or null, not 'one'",
        ),
        ("[glimpse, attnlrp]", "glimpse", "'layout.operators' must be a list, not 'glimpse'"),
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
    cells = {"KL": ReproducedCell(1.0), "Accuracy": ReproducedCell(0.25)}
    ours = ReproducedRow("qwen3-vl", "glimpse", "FixATE", "value", cells)
    label = ReproducedRow("qwen3-vl", "glimpse", "FixATE [label]", "value", {"KL": ReproducedCell(0.9)}, ranked=False)
    table = ReproducedTable("main", "values", "t", (), main.metrics, (ours,))
    with_paper = add_published(table, main)
    assert [row.kind for row in with_paper.rows] == ["value", "paper", "difference"]
    # Table 1 of the paper: KL .9986, accuracy .1974.
    assert with_paper.rows[1].cells["KL"].value == 0.9986 and len(with_paper.rows[1].cells) == 12
    assert with_paper.rows[2].cells["KL"].value == pytest.approx(1.0 - 0.9986)
    assert with_paper.rows[2].cells["Accuracy"].value == pytest.approx(0.25 - 0.1974)
    assert "--label" in with_paper.captions[-1]
    assert with_paper.captions[0].startswith("paper: table 1 of Huang et al. 2026, arXiv 2604.09368;")
    assert {(row.kind, row.method, row.of) for row in with_paper.rows[1:]} == {
        ("paper", "paper", "FixATE"),
        ("difference", "ours - paper", "FixATE"),
    }
    # The paper's attention is for the true click: like is compared with like where we have it.
    # The row that a difference refers to is above it.
    both = add_published(replace(table, rows=(ours, label, replace(ours, operator="rollout"))), main)
    assert [row.kind for row in both.rows] == ["value", "value", "paper", "difference", "value", "paper", "difference"]
    assert both.rows[3].cells["KL"].value == pytest.approx(0.9 - 0.9986)
    assert both.rows[3].cells["Accuracy"].value == pytest.approx(0.25 - 0.1974)
    assert "0.9986" in render(document(both), "terminal") and "-0.0986" in render(document(both), "markdown")


def test_published_values_are_printed_as_published(found):
    main = next(layout for layout in layouts() if layout.name == "main")
    row = ReproducedRow(
        "qwen3-vl", "attnlrp", "Backbone", "value", {"CSH@1": ReproducedCell(0.25)}, used_backbone="pocket-qwen3vl"
    )
    table = add_published(ReproducedTable("main", "values", "t", (), ("CSH@1",), (row,)), main)
    cell = table.rows[1].cells["CSH@1"]
    assert cell.printed == "0.0395"
    for form in ("terminal", "markdown", "latex"):
        text = render(document(table), form)
        # Ours has as many digits, so that the difference is that of the printed numbers.
        assert all(number in text for number in ("0.2500", "0.0395", "+0.2105"))
        assert "paper (qwen3-vl, attnlrp)" in text  # and not of the stand-in
    line = list(csv.DictReader(io.StringIO(render(document(table), "csv"))))[1]
    assert (line["method"], line["of"], line["printed"], line["used_backbone"]) == ("paper", "Backbone", "0.0395", "")


def test_every_row_of_the_shipped_tables_has_its_row_in_the_paper():
    for layout in layouts():
        for backbone in layout.backbones:
            for operator in layout.operators:
                for label in layout.rows.values():
                    row = ReproducedRow(backbone, operator, label, "value", {})
                    table = ReproducedTable(layout.name, layout.kind, "t", (), layout.metrics, (row,))
                    paper = add_published(table, layout).rows[1]
                    assert set(paper.cells) == set(layout.metrics)
                    assert (layout.kind == "significance") == any(c.sd is not None for c in paper.cells.values())


def test_a_folder_of_several_tasks_serves_each_of_them(tmp_path):
    from benchmark.cli.reproduce import _data_of

    (tmp_path / "adserp").mkdir()
    assert _data_of("adserp", str(tmp_path)) == tmp_path / "adserp"
    with pytest.raises(InputError, match="holds adserp and no folder recgaze.*prepare --task recgaze"):
        _data_of("recgaze", str(tmp_path))
    assert _data_of("recgaze", str(tmp_path / "adserp")) == str(tmp_path / "adserp")
    assert _data_of("recgaze", "sample") == "sample" and _data_of("recgaze", None) is None


def test_parity_takes_the_published_settings_of_task_and_backbone_and_leaves_the_operator_alone():
    @dataclass
    class Looked:
        model_type: str
        parameters: int = 4_000_000_000
        fingerprint: str = ""

    describe = lambda name: Looked("internvl" if "internvl" in name else "qwen3_vl")  # noqa: E731
    choice = Choice({"qwen3-vl": "pocket-qwen3vl", "internvl3.5": "other/internvl"}, preset="parity", describe=describe)
    by_name = {layout.name: layout for layout in layouts()}
    qwen, internvl = (group.config for group in groups_of(by_name["adserp"], choice))
    assert (qwen.ties, qwen.truth, qwen.viewport, qwen.label) == ("last", 1, 922, True)
    assert qwen.settings["operator"] == "attnlrp" and qwen.seeds[-1] == 101112
    assert (qwen.defaults["last_layers"], internvl.defaults["last_layers"]) == (6, 3)
    # What the preset says of rates goes before what the stand-ins are tuned with otherwise.
    assert qwen.defaults["basis_lr"] == 1e-3 and qwen.defaults["clicks"] == "attention"
    table = ReproducedTable("adserp", "values", "t", (), ("LogLoss",), ())
    said = add_published(table, by_name["adserp"]).captions
    assert any("attention in disguise" in line for line in said)
    assert not any("disguise" in line for line in add_published(table, by_name["main"]).captions)
