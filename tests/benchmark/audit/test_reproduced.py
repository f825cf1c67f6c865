"""Our own reproduced tables: in every format an honest one passes, and what was changed by hand is found."""

from __future__ import annotations

import copy
import csv
import dataclasses
import io
import json
import re

import pytest

from benchmark import published
from benchmark.audit import Setting, audit, examine, read
from benchmark.audit.reading import reproduced as lines
from benchmark.cli import main
from benchmark.reproduction import render, write
from benchmark.reproduction.layout import read_layout
from benchmark.reproduction.published import add_published
from tasks.errors import InputError
from tests.benchmark.audit import reproduced

FORMATS = {"json": "json", "csv": "csv", "md": "markdown"}
NAMES = ("toys", "beside", "tested")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reproduced")


@pytest.fixture(scope="module")
def tables(folder):
    return reproduced.tables(folder, reproduced.task(folder))


def written(tables, name, suffix, to):
    path = to / f"{name}.{suffix}"
    path.write_text(render(dataclasses.replace(tables[name], name=name), FORMATS[suffix]), encoding="utf-8")
    return path


def found(path):
    return {str(finding) for finding in audit(read(path))}


def grave(path):
    return [finding for finding in audit(read(path)) if finding.severity != "note"]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_against_an_honest_table(name, suffix, tables, tmp_path):
    path = written(tables, name, suffix, tmp_path)
    said = read(path)
    assert [finding.check for finding in grave(path)] == []
    # Only our values are results, under the names of what ran; the paper's, differences and improvements are none.
    methods = {row.method for row in said.rows}
    assert methods <= {"Backbone", "FixATE", "Flat", "the reference"}
    assert {row.backbone for row in said.rows} == {"pocket-qwen3vl", "pocket-internvl"}
    assert any("simulated" in note for note in said.notes)


def test_n_seeds_and_slots_are_those_of_the_table(tables, tmp_path):
    said = read(written(tables, "toys", "json", tmp_path))
    by_method = {row.method: row for row in said.rows}
    setting = said.setting(by_method["FixATE"])
    assert (setting.n_sessions, setting.n_seeds, setting.n_slots) == (reproduced.USERS, 3, 4)
    # Every user has one test session, so that the mean over users is one over sessions.
    assert (setting.average, setting.ties, setting.sd) == ("sessions", "expected", "sample")
    assert setting.uniform_logloss == pytest.approx(1.3863, abs=1e-4)
    assert said.seeds(by_method["FixATE"]) == 3 and said.seeds(by_method["Backbone"]) == 1
    checked = {outcome.check: outcome.checked for outcome in examine(said)}
    # Two backbones, three methods, five metrics that count.
    assert checked["grim"] == 30 and checked["uniform"] == 6 and checked["interval"] == 60
    assert {f.where for f in audit(said) if f.check == "uniform"} == {"recgaze, Backbone", "recgaze, FixATE"}
    # The method that says the same of every slot has nothing but ties.
    (ties,) = [f for f in audit(said) if f.check == "grim"]
    assert ties.severity == "note" and ties.what.startswith("10 means lie between")
    assert "Flat" in ties.arithmetic and "FixATE" not in ties.arithmetic and "Backbone" not in ties.arithmetic


def test_markdown_tells_n_from_its_caption(tables, tmp_path):
    said = read(written(tables, "beside", "md", tmp_path))
    assert said.setting(said.rows[0]) == dataclasses.replace(
        lines.OURS, n_sessions=reproduced.USERS, n_seeds=3, average="sessions"
    )
    assert {outcome.check: outcome.checked for outcome in examine(said)}["grim"] > 0


def test_improvements_and_the_papers_values_are_attached(tables, tmp_path):
    for suffix in FORMATS:
        said = read(written(tables, "beside", suffix, tmp_path))
        fixate = next(row for row in said.rows if row.method == "FixATE")
        cell = fixate.cells["KL"]
        line = next(row for row in tables["toys"].rows if row.kind == "improvement")
        assert float(cell.improvement) == pytest.approx(line.cells["KL"].value, abs=0.05)
        # Table 1 of the paper: KL .9986.
        assert str(cell.quoted.mean) == "0.9986" and cell.quoted.mean in cell.quoted.originals
        assert float(cell.quoted.difference) == pytest.approx(float(cell.mean) - 0.9986, abs=1e-4)
        looked = {outcome.check: (outcome.checked, len(outcome.findings)) for outcome in examine(said)}
        assert looked["improvement"] == (18, 0) and looked["quoted"] == (80, 0)


def test_stars_are_held_against_a_reference_without_a_row(tables, tmp_path):
    said = read(written(tables, "tested", "json", tmp_path))
    base = next(row for row in said.rows if row.method == "Backbone")
    with_row = read(written(tables, "toys", "json", tmp_path)).rows[0]
    assert base.deterministic and list(base.cells) == list(with_row.cells)
    for metric, cell in base.cells.items():
        assert float(cell.mean) == pytest.approx(float(with_row.cells[metric].mean), abs=1e-9)
    outcome = next(outcome for outcome in examine(said) if outcome.check == "stars")
    assert outcome.checked == 20
    (finding,) = outcome.findings
    assert finding.severity == "note" and "follow from mean, SD and seeds" in finding.what
    # What is derived from a mean and a difference is no second value of the other table's.
    write(dataclasses.replace(tables["toys"], name="toys"), tmp_path)
    uniform = next(outcome for outcome in examine(read(tmp_path)) if outcome.check == "uniform")
    assert (uniform.checked, uniform.reason) == (6, "")


def test_where_users_have_several_sessions_no_grid_and_no_stars_are_checked(tables, tmp_path):
    """Means are then over users and the stars' test over sessions: neither follows from the other."""
    record = json.loads(render(tables["tested"], "json"))
    record["data"]["recgaze"].update(n_sessions=40)
    path = tmp_path / "tested.json"
    path.write_text(json.dumps(record))
    checked = {outcome.check: outcome.checked for outcome in examine(read(path))}
    assert (checked["grim"], checked["stars"]) == (0, 0) and grave(path) == []


def numbers_of(record):
    """Yield the place of every number of a JSON table: row, metric, key."""
    for i, row in enumerate(record["rows"]):
        for metric, cell in row["cells"].items():
            yield i, metric, "printed" if row["kind"] == "paper" else "value"
            if row["kind"] == "value" and cell["low"] is not None:
                yield i, metric, "low"


def test_every_number_of_the_json_that_is_changed_is_found(tables, tmp_path):
    record = json.loads(render(tables["beside"], "json"))
    record["rows"] = [row for row in record["rows"] if row["backbone"] == "qwen3-vl"]
    path = tmp_path / "beside.json"
    path.write_text(json.dumps(record))
    assert grave(path) == []
    for i, metric, key in numbers_of(record):
        changed = copy.deepcopy(record)
        cell = changed["rows"][i]["cells"][metric]
        if key == "low" and (cell["low"] == 0 or cell["high"] == 1):
            continue  # cut at the metric's range: the mean need not be the middle
        step = 1.0 if changed["rows"][i]["kind"] == "improvement" else 0.01
        cell[key] = f"{float(cell[key]) + step:.4f}" if key == "printed" else cell[key] + step
        path.write_text(json.dumps(changed))
        said = grave(path)
        assert said and all(f.severity == "impossible" for f in said), (record["rows"][i]["method"], metric, key)


def test_every_number_of_the_csv_that_is_changed_is_found(tables, tmp_path):
    text = render(tables["beside"], "csv")
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["backbone"] == "qwen3-vl"]
    path = tmp_path / "beside.csv"
    for i, row in enumerate(rows):
        key = "printed" if row["kind"] == "paper" else "value"
        changed = {**row, key: f"{float(row[key]) + 0.1:.4f}"}
        out = io.StringIO()
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows([*rows[:i], changed, *rows[i + 1 :]])
        path.write_text(out.getvalue())
        assert any(f.severity == "impossible" for f in audit(read(path))), changed


def test_every_number_of_the_markdown_that_is_changed_is_found(tables, tmp_path):
    text = render(tables["beside"], "markdown")
    path = tmp_path / "beside.md"
    places = [
        match
        for match in re.finditer(r"(?<= )[+-]?\d+\.\d+(?= (?:% )?\|)", text)
        if "Flat" not in text[text.rfind("\n", 0, match.start()) : match.start()]  # nothing stands beside it
    ]
    assert len(places) == 2 * 7 * 10 - 2
    for match in places[:69]:
        digits = len(match[0].partition(".")[2])
        sign = "+" if match[0].startswith(("+", "-")) else ""
        changed = f"{float(match[0]) + (0.01 if digits > 1 else 1.0):{sign}.{digits}f}"
        path.write_text(text[: match.start()] + changed + text[match.end() :])
        assert any(f.severity == "impossible" for f in audit(read(path))), match[0]


@pytest.mark.parametrize("suffix", ["json", "md"])
def test_a_gain_of_which_the_sign_was_turned_is_found(suffix, tables, tmp_path):
    """KL falls where it is better; the improvement is said to be positive then."""
    path = written(tables, "toys", suffix, tmp_path)
    if suffix == "json":
        record = json.loads(path.read_text())
        row = next(row for row in record["rows"] if row["kind"] == "improvement")
        row["cells"]["KL"]["value"] *= -1
        path.write_text(json.dumps(record))
    else:
        path.write_text(path.read_text().replace("-0.9 %", "+0.9 %"))
    (finding,) = grave(path)
    assert (finding.check, finding.metric, finding.where) == (
        "improvement",
        "KL",
        "table toys, recgaze, pocket-qwen3vl, glimpse, FixATE",
    )


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"stars": "**"}, "stars"),
        ({"stars": "", "better": None}, "stars"),
        ({"better": False}, "stars"),
        ({"sd": 0.0001}, ""),
        ({"sd": 0.9}, "range"),
        ({"difference": 0.3}, ""),
    ],
)
def test_stars_that_were_changed_are_found(change, check, tables, tmp_path):
    record = json.loads(render(tables["tested"], "json"))
    cell = next(row for row in record["rows"] if row["backbone"] == "internvl3.5")["cells"]["AUC"]
    assert (cell["stars"], cell["better"]) == ("*", True)
    cell.update(change)
    path = tmp_path / "tested.json"
    path.write_text(json.dumps(record))
    checks = {f.check for f in audit(read(path)) if f.severity == "impossible"}
    assert check in checks if check else checks  # one mark or the other gives it away


def test_marks_of_a_loss_in_markdown_are_stars_of_the_other_direction(tables, tmp_path):
    text = render(tables["tested"], "markdown")
    path = tmp_path / "tested.md"
    path.write_text(text)
    fixate = next(row for row in read(path).rows if row.method == "FixATE")
    second = [row for row in read(path).rows if row.method == "FixATE"][1]
    assert (second.cells["AUC"].stars, second.cells["AUC"].better) == (1, True)
    assert (fixate.cells["AUC"].stars, fixate.cells["AUC"].better) == (2, False)
    assert str(fixate.cells["AUC"].sd) == "0.077" and fixate.cells["KL"].stars is None and grave(path) == []


def test_a_folder_is_audited_as_a_whole(tables, tmp_path):
    for name in ("toys", "tested"):
        write(dataclasses.replace(tables[name], name=name), tmp_path)
    (tmp_path / "figure.json").write_text(json.dumps({"captions": [], "summary": [], "identities": {}, "data": []}))
    said = read(tmp_path)
    assert {row.table for row in said.rows} == {"toys", "tested"} and grave(tmp_path) == []
    outcome = next(outcome for outcome in examine(said) if outcome.check == "repeat")
    # 60 means stand in both tables. Of the value table the two other files have 60 means and 18 improvements each, the
    # CSV 20 SDs too; of the other table both have 40 means and 20 SDs, and 4 means of the reference follow in one.
    assert outcome.checked == 60 + 2 * (60 + 18) + 20 + 2 * (40 + 20) + 4
    for name in ("tested.csv", "tested.md"):
        (tmp_path / name).unlink()
    # One value of one table is changed, and with it everything beside it: the other table still has it as it was.
    record = json.loads((tmp_path / "tested.json").read_text())
    cell = record["rows"][0]["cells"]["Cosine"]
    for key in ("value", "low", "high", "difference"):
        cell[key] += 0.001
    (tmp_path / "tested.json").write_text(json.dumps(record))
    assert [(f.check, f.metric) for f in grave(tmp_path)] == [("repeat", "Cosine")]
    # Made from other trials it may be another number.
    record["rows"][0]["identities"] = ["f" * 24]
    (tmp_path / "tested.json").write_text(json.dumps(record))
    assert grave(tmp_path) == []


@pytest.mark.parametrize("name", ["beside.csv", "beside.md"])
def test_a_file_that_is_not_as_the_json_beside_it_is_found_in_the_folder(name, tables, tmp_path):
    write(dataclasses.replace(tables["beside"], name="beside"), tmp_path)
    assert grave(tmp_path) == []
    path = tmp_path / name
    text = path.read_text(encoding="utf-8")
    flat = next(row for row in read(tmp_path).rows if row.method == "Flat")
    kl = float(flat.cells["KL"].mean)
    printed = repr(kl) if name.endswith(".csv") else f"{kl:.4f}"
    assert printed in text
    path.write_text(text.replace(printed, f"{kl - 0.01:.4f}", 1), encoding="utf-8")
    (finding,) = grave(tmp_path)
    assert (finding.check, finding.severity, finding.metric) == ("repeat", "impossible", "KL")
    assert name in finding.what and "Flat" in finding.where
    path.write_text(text.replace("FixATE", "FixAT"), encoding="utf-8")
    if name.endswith(".md"):
        path.write_text(text.replace("0.7959", "many"), encoding="utf-8")
        with pytest.raises(InputError, match=f"{name}: KL: 'many' is not as 'reproduce' prints it. Give beside.json"):
            read(tmp_path)


def test_differences_of_attention_are_from_the_row_for_the_true_click(tables, folder, tmp_path):
    layout = read_layout(folder / "toys.yaml")
    ours = tables["toys"]
    rows = []
    for row in ours.rows:
        rows.append(row)
        if row.method == "FixATE" and row.kind == "value":
            cells = {
                m: dataclasses.replace(c, value=c.value + 0.01, low=None) for m, c in row.cells.items() if m != "AUC"
            }
            cells = {m: c for m, c in cells.items() if m not in ("Accuracy", "LogLoss")}
            rows.append(dataclasses.replace(row, method="FixATE (label)", cells=cells, ranked=False))
    both = add_published(dataclasses.replace(ours, rows=tuple(rows)), layout)
    for suffix in FORMATS:
        path = written({"both": both}, "both", suffix, tmp_path)
        said = read(path)
        fixate = next(row for row in said.rows if row.method == "FixATE")
        assert "FixATE (label)" in {row.method for row in said.rows}
        assert float(fixate.cells["KL"].quoted.own) == pytest.approx(float(fixate.cells["KL"].mean) + 0.01, abs=2e-4)
        assert fixate.cells["AUC"].quoted.own == fixate.cells["AUC"].mean
        assert [f for f in grave(path) if f.check == "quoted"] == []


def test_every_value_of_the_paper_that_we_quote_is_known_by_its_names():
    for row in published.load().rows:
        line = lines.Line("t", row.task, "", "", row.method, "value", row.cells, block=("", ""))
        backbone = {"Qwen3-VL-4B-Instruct": "qwen3-vl", "InternVL3.5-4B-Instruct": "internvl3.5"}[row.backbone]
        operator = next(name for name, paper in published.OPERATORS.items() if paper == row.operator)
        quoted = dataclasses.replace(line, kind="paper", block=(backbone, operator), of=row.method)
        for metric, cell in row.cells.items():
            originals, source = lines._originals(quoted, line, metric)
            assert cell.mean in originals and "Huang" in source


def test_the_command_line(tables, tmp_path, capsys):
    write(tables["toys"], tmp_path)
    assert main(["audit", str(tmp_path)]) == 0
    assert "impossible" not in capsys.readouterr().out
    record = json.loads((tmp_path / "toys.json").read_text())
    record["rows"][0]["cells"]["KL"]["value"] = 0.5
    (tmp_path / "toys.json").write_text(json.dumps(record))
    assert main(["audit", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert "impossible" in text and "simulated: seven invented users" in text


@pytest.mark.parametrize(
    ("suffix", "spoil", "said"),
    [
        ("json", lambda t: t.replace('"kind": "improvement"', '"kind": "imprvement"'), "damaged"),
        ("json", lambda t: t.replace('"data"', '"dta"'), "an older version wrote this table"),
        ("json", lambda t: t.replace('"value": 0.25,', '"value": "many",'), "damaged"),
        ("json", lambda t: t.replace('"value": 0.25,', '"value": 1e308,'), "1e+308 is no number"),
        ("json", lambda t: t.replace('"n_slots": 4', '"n_slots": 0'), "n_slots must be a whole number of 2"),
        ("json", lambda t: t.replace('"of": "FixATE"', '"of": "FixAT"'), "stands there without FixAT"),
        ("csv", lambda t: t.replace(",used_operator,", ",usedoperator,"), "no column used_operator"),
        ("csv", lambda t: t.replace(",improvement,", ",imprvement,"), "line 32: the kind 'imprvement'"),
        ("csv", lambda t: t.replace(",CSH@1,0.0,", ",CSH@1,much,"), "line 2, value: 'much' is no number"),
        ("csv", lambda t: t.replace(",value,True,CSH@3,", ",value,True,CSH@1,"), "stands a second time"),
        ("md", lambda t: t.replace("+50.0 %", "50.0"), "'50.0' is not as 'reproduce' prints it. Give toys.json"),
        ("md", lambda t: t.replace("| backbone ", "| bckbone "), "Give toys.json"),
        ("md", lambda t: t.replace("FixATE      |", "Backbone    |"), "stands twice. Keep one. Give toys.json"),
    ],
)
def test_one_line_for_what_is_not_as_it_was_written(suffix, spoil, said, tables, tmp_path):
    path = written(tables, "toys", suffix, tmp_path)
    text = path.read_text(encoding="utf-8")
    assert spoil(text) != text
    path.write_text(spoil(text), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(path)
    assert said in str(caught.value) and "\n" not in str(caught.value) and path.name in str(caught.value)


def test_a_figure_is_no_table(tmp_path):
    path = tmp_path / "ranks.json"
    path.write_text(json.dumps({"name": "ranks", "captions": [], "summary": [], "identities": {}, "data": []}))
    with pytest.raises(InputError, match="it is a figure of 'reproduce'"):
        read(path)
    with pytest.raises(InputError, match="no table of 'reproduce' in"):
        read(tmp_path)


def test_a_file_that_says_nothing_of_its_sessions_is_not_held_against_any():
    assert lines.OURS == Setting(average="users", ties="expected", sd="sample", improvement="gain")
