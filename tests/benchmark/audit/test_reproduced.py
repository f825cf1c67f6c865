"""Our own reproduced tables: an honest one passes, and what was changed by hand is found."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest

from benchmark import published
from benchmark.audit import audit, examine, read
from benchmark.cli import main
from benchmark.metrics import get
from benchmark.output.rendering import render
from benchmark.reproduction.printing import document, write_files
from benchmark.reproduction.published import add_published
from benchmark.reproduction.section import read_layout
from tasks.errors import InputError
from tests.benchmark.audit import reproduced

NAMES = ("toys", "compared", "tested")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reproduced")


@pytest.fixture(scope="module")
def tables(folder):
    return reproduced.tables(folder, reproduced.task(folder))


def written(tables, name, to, form="json"):
    path = to / f"{name}.{'md' if form == 'markdown' else form}"
    path.write_text(render(document(dataclasses.replace(tables[name], name=name)), form), encoding="utf-8")
    return path


def said_of(path):
    return read(path, published.originals)


def grave(path):
    return [finding for finding in audit(said_of(path)) if finding.severity != "note"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_against_an_honest_table(name, tables, tmp_path):
    path = written(tables, name, tmp_path)
    said = said_of(path)
    assert [finding.check for finding in grave(path)] == []
    # Only our values are results, under the names of what ran; the paper's, differences and improvements are none.
    methods = {row.method for row in said.rows}
    assert methods <= {"Backbone", "FixATE", "Flat", "the reference"}
    assert {row.backbone for row in said.rows} == {"pocket-qwen3vl", "pocket-internvl"}
    assert any("simulated" in note for note in said.notes)


def test_n_seeds_and_slots_are_those_of_the_table(tables, tmp_path):
    said = read(written(tables, "toys", tmp_path))
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


def test_improvements_and_the_papers_values_are_attached(tables, tmp_path):
    path = written(tables, "compared", tmp_path)
    said = said_of(path)
    fixate = next(row for row in said.rows if row.method == "FixATE")
    cell = fixate.cells["KL"]
    line = next(row for row in tables["toys"].rows if row.kind == "improvement")
    assert float(cell.improvement) == pytest.approx(line.cells["KL"].value, abs=0.05)
    # Table 1 of the paper: KL .9986.
    assert str(cell.quoted.mean) == "0.9986" and cell.quoted.mean in cell.quoted.originals
    assert float(cell.quoted.difference) == pytest.approx(float(cell.mean) - 0.9986, abs=1e-4)
    looked = {outcome.check: (outcome.checked, len(outcome.findings)) for outcome in examine(said)}
    assert looked["improvement"] == (18, 0) and looked["quoted"] == (80, 0)
    without = {outcome.check: outcome.reason for outcome in examine(read(path))}
    assert without["quoted"] == "40 left out: the paper's value is not known"


def test_stars_are_held_against_a_reference_without_a_row(tables, tmp_path):
    said = read(written(tables, "tested", tmp_path))
    base = next(row for row in said.rows if row.method == "Backbone")
    with_row = read(written(tables, "toys", tmp_path)).rows[0]
    assert base.deterministic and list(base.cells) == list(with_row.cells)
    for metric, cell in base.cells.items():
        assert float(cell.mean) == pytest.approx(float(with_row.cells[metric].mean), abs=1e-9)
    outcome = next(outcome for outcome in examine(said) if outcome.check == "stars")
    assert outcome.checked == 20
    (finding,) = outcome.findings
    assert finding.severity == "note" and "follow from mean, SD and seeds" in finding.what
    # What is derived from a mean and a difference is not a second value of the other table's.
    write_files(tmp_path, document(dataclasses.replace(tables["toys"], name="toys")))
    uniform = next(outcome for outcome in examine(read(tmp_path)) if outcome.check == "uniform")
    assert (uniform.checked, uniform.reason) == (6, "")


def test_where_users_have_several_sessions_no_grid_and_no_stars_are_checked(tables, tmp_path):
    """Means are then over users and the stars' test over sessions: neither follows from the other."""
    record = json.loads(render(document(tables["tested"]), "json"))
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
    record = json.loads(render(document(tables["compared"]), "json"))
    record["rows"] = [row for row in record["rows"] if row["backbone"] == "qwen3-vl"]
    path = tmp_path / "compared.json"
    path.write_text(json.dumps(record))
    assert grave(path) == []
    for i, metric, key in numbers_of(record):
        changed = copy.deepcopy(record)
        cell = changed["rows"][i]["cells"][metric]
        # An interval cut at the metric's range does not say where its mean lies.
        cut = bool({cell.get("low"), cell.get("high")} & set(get(metric).range))
        step = 1.0 if changed["rows"][i]["kind"] == "improvement" else 0.01
        cell[key] = f"{float(cell[key]) + step:.4f}" if key == "printed" else cell[key] + step
        path.write_text(json.dumps(changed))
        said = grave(path)
        assert (said or cut) and all(f.severity == "impossible" for f in said), (
            record["rows"][i]["method"],
            metric,
            key,
        )


def test_a_gain_of_which_the_sign_was_turned_is_found(tables, tmp_path):
    """KL falls where it is better; the improvement is said to be positive then."""
    path = written(tables, "toys", tmp_path)
    record = json.loads(path.read_text())
    row = next(row for row in record["rows"] if row["kind"] == "improvement")
    row["cells"]["KL"]["value"] *= -1
    path.write_text(json.dumps(record))
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
    record = json.loads(render(document(tables["tested"]), "json"))
    cell = next(row for row in record["rows"] if row["backbone"] == "internvl3.5")["cells"]["AUC"]
    assert (cell["stars"], cell["better"]) == ("*", True)
    cell.update(change)
    path = tmp_path / "tested.json"
    path.write_text(json.dumps(record))
    checks = {f.check for f in audit(read(path)) if f.severity == "impossible"}
    assert check in checks if check else checks  # one mark or the other gives it away


def test_a_folder_is_audited_as_a_whole(tables, tmp_path):
    for name in ("toys", "tested"):
        write_files(tmp_path, document(dataclasses.replace(tables[name], name=name)))
    (tmp_path / "figure.json").write_text(json.dumps({"captions": [], "summary": [], "identities": {}, "data": []}))
    said = read(tmp_path)
    assert {row.table for row in said.rows} == {"toys", "tested"} and grave(tmp_path) == []
    outcome = next(outcome for outcome in examine(said) if outcome.check == "repeat")
    assert outcome.checked == 60  # means that both tables have
    # One value of one table is changed, and with it everything next to it: the other table still has it as it was.
    record = json.loads((tmp_path / "tested.json").read_text())
    cell = record["rows"][0]["cells"]["Cosine"]
    for key in ("value", "difference"):
        cell[key] += 0.001
    cell.update(low=None, high=None)
    (tmp_path / "tested.json").write_text(json.dumps(record))
    assert [(f.check, f.metric) for f in grave(tmp_path)] == [("repeat", "Cosine")]
    # Made from other trials it may be another number.
    record["rows"][0]["identities"] = ["f" * 24]
    (tmp_path / "tested.json").write_text(json.dumps(record))
    assert grave(tmp_path) == []


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
            rows.append(dataclasses.replace(row, method="FixATE [label]", cells=cells, ranked=False))
    both = add_published(dataclasses.replace(ours, rows=tuple(rows)), layout)
    path = written({"both": both}, "both", tmp_path)
    said = said_of(path)
    fixate = next(row for row in said.rows if row.method == "FixATE")
    assert "FixATE [label]" in {row.method for row in said.rows}
    path.write_text(path.read_text().replace("[label]", "(label)"))  # as older versions printed it
    assert said_of(path).rows == said.rows
    assert float(fixate.cells["KL"].quoted.own) == pytest.approx(float(fixate.cells["KL"].mean) + 0.01, abs=2e-4)
    assert fixate.cells["AUC"].quoted.own == fixate.cells["AUC"].mean
    assert [f for f in grave(path) if f.check == "quoted"] == []


def test_the_command_line(tables, tmp_path, capsys):
    write_files(tmp_path, document(tables["toys"]))
    assert main(["audit", str(tmp_path)]) == 0
    assert "impossible" not in capsys.readouterr().out
    record = json.loads((tmp_path / "toys.json").read_text())
    record["rows"][0]["cells"]["KL"]["value"] = 0.5
    (tmp_path / "toys.json").write_text(json.dumps(record))
    assert main(["audit", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert "impossible" in text and "simulated: seven invented users" in text


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t.replace('"kind": "improvement"', '"kind": "imprvement"'), "damaged"),
        (lambda t: t.replace('"data"', '"dta"'), "an older version wrote this table"),
        (lambda t: t.replace('"value": 0.25,', '"value": "many",'), "damaged"),
        (lambda t: t.replace('"value": 0.25,', '"value": 1e308,'), "1e+308 is not a number"),
        (lambda t: t.replace('"n_slots": 4', '"n_slots": 1'), "'n_slots' must be a whole number >= 2"),
        (lambda t: t.replace('"of": "FixATE"', '"of": "FixAT"'), "appears without FixAT"),
        (lambda t: t.replace('"method": "Flat"', '"method": "Backbone"'), "appears twice"),
    ],
)
def test_one_line_for_what_is_not_as_it_was_written(spoil, said, tables, tmp_path):
    path = written(tables, "toys", tmp_path)
    text = path.read_text(encoding="utf-8")
    assert spoil(text) != text
    path.write_text(spoil(text), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(path)
    assert said in str(caught.value) and "\n" not in str(caught.value) and path.name in str(caught.value)


@pytest.mark.parametrize("form", ["csv", "markdown"])
def test_its_other_files_point_to_the_json(form, tables, tmp_path):
    with pytest.raises(InputError, match=r"toys\.\w+: this is a table of 'reproduce'.* Give the \.json next to it"):
        read(written(tables, "toys", tmp_path, form))


def test_a_figure_is_no_table(tmp_path):
    path = tmp_path / "ranks.json"
    path.write_text(json.dumps({"name": "ranks", "captions": [], "summary": [], "identities": {}, "data": []}))
    with pytest.raises(InputError, match="it is a figure of 'reproduce'"):
        read(path)
    with pytest.raises(InputError, match="no table of 'reproduce' in"):
        read(tmp_path)
