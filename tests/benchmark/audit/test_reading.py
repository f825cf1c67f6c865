"""Every way in: our schema, a submission's numbers, CSV, Markdown, a run; and one line for every mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmark.audit import Setting, audit, from_values, read
from benchmark.audit.reported import amended
from tasks.errors import InputError

ROOT = Path(__file__).parents[3]

DOCUMENT = {
    "format": 1,
    "source": "Somebody 2026, table 1",
    "settings": {"toy": {"n_sessions": 40, "n_seeds": 5, "n_slots": 6, "average": "sessions", "ties": "broken"}},
    "decimals": {"mean": 4, "sd": 3, "improvement": 1},
    "baseline": "base",
    "deterministic": ["base"],
    "rows": [
        {"task": "toy", "method": "base", "values": {"CSH@1": 0.2, "KL": 1.1}},
        {"task": "toy", "method": "ours", "values": {"csh@1": {"mean": 0.25, "sd": 0.03, "stars": 1}, "KL": None}},
    ],
}


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["table.json", "table.yaml", "table.yml"])
def test_our_schema(tmp_path, name):
    found = read(write(tmp_path, name, DOCUMENT))  # JSON is YAML
    assert found.source == "Somebody 2026, table 1" and found.baseline == "base"
    base, ours = found.rows
    assert base.deterministic and not ours.deterministic and found.seeds(base) == 1 and found.seeds(ours) == 5
    assert str(ours.cells["CSH@1"].mean) == "0.2500" and str(ours.cells["CSH@1"].sd) == "0.030"
    assert list(ours.cells) == ["CSH@1"] and ours.cells["CSH@1"].stars == 1
    assert found.settings["toy"] == Setting(n_sessions=40, n_seeds=5, n_slots=6, average="sessions", ties="broken")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"rows": [{"values": {"AUC": 0.50}}]}'),
        ("a.yaml", "rows:\n- values: {AUC: 0.50}\n"),
        ("a.csv", "method,AUC\nm,0.50\n"),
        ("a.md", "| method | AUC |\n|---|--:|\n| m | 0.50 |\n"),
    ],
)
def test_digits_survive_the_file(tmp_path, name, text):
    assert str(read(write(tmp_path, name, text)).rows[0].cells["AUC"].mean) == "0.50"


def test_percent():
    found = from_values({"AUC": "66.1"})
    assert audit(found)[0].check == "range"


def test_percent_of_the_schema(tmp_path):
    document = {"percent": ["AUC"], "rows": [{"values": {"AUC": {"mean": "66.1", "sd": "1.0"}, "KL": "1.2"}}]}
    cells = read(write(tmp_path, "a.json", document)).rows[0].cells
    assert (float(cells["AUC"].mean), float(cells["AUC"].sd), float(cells["KL"].mean)) == (0.661, 0.01, 1.2)


def test_wide_csv(tmp_path):
    text = (
        "task;backbone;operator;method;CSH@1 \u2191;kl\u2193;Acc;NDCG\n"
        "toy;B;GLIMPSE;base;0.2000;1.10;20.0%;0.3\n"
        "toy;B;GLIMPSE;ours;0.2500 \u00b1 0.030**;1.00 (0.05)*;-;0.4\n"
        ";;;Improvement;+25.0%;9.1%;;\n"
    )
    found = read(write(tmp_path, "a.csv", text))
    base, ours = found.rows
    assert ours.subject == ("toy", "B", "GLIMPSE", "ours") and list(ours.cells) == ["CSH@1", "KL"]
    assert float(base.cells["Accuracy"].mean) == 0.2 and base.cells["Accuracy"].mean.decimals == 3
    cell = ours.cells["CSH@1"]
    assert (str(cell.mean), str(cell.sd), cell.stars, str(cell.improvement)) == ("0.2500", "0.030", 2, "25.0")
    assert (str(ours.cells["KL"].sd), ours.cells["KL"].stars) == ("0.05", 1)
    assert found.notes == ("columns that are not checked: NDCG",)
    wrong = read(write(tmp_path, "b.csv", text.replace("+25.0%", "+35.0%")))
    assert [f.check for f in audit(amended(wrong, {}, "base")) if f.severity == "impossible"] == ["improvement"]


def test_long_csv(tmp_path):
    text = "method,metric,mean,std,stars,improvement\nm,CSH@1,0.25,0.03,**,10\nm,KL,1.0,,0,\nn,CSH@1,,,,\n"
    (row,) = read(write(tmp_path, "a.csv", text)).rows
    assert row.cells["CSH@1"].stars == 2 and str(row.cells["CSH@1"].improvement) == "10"
    assert row.cells["KL"].stars == 0 and row.cells["KL"].sd is None


def test_markdown_tables_are_numbered(tmp_path):
    text = (
        "# Results\n\n| method | CSH@1 | CSH@3 |\n|:--|--:|--:|\n| **ours** | **0.25** | 0.2\\* |\n\nwords\n\n"
        "| method | KL |\n| --- | --- |\n| ours | \u22120.1000 |\n"
    )
    first, second = read(write(tmp_path, "a.md", text)).rows
    assert (first.table, first.method, second.table) == ("1", "ours", "2")
    assert first.cells["CSH@1"].stars is None and first.cells["CSH@3"].stars == 1
    found = audit(read(write(tmp_path, "a.md", text)))
    assert {finding.check for finding in found} == {"range"}


def test_the_numbers_of_a_submission(tmp_path):
    text = (
        "format: 1\nname: ours\nreported:\n"
        "- {task: recgaze, split: loo, metric: JS, value: 0.81, source: our paper}\n"
        "- {task: recgaze, split: loo, metric: AUC, value: 0.6, source: our paper}\n"
        "- {task: adserp, split: loo, metric: AUC, value: 1.6, source: our paper}\n"
    )
    found = read(write(tmp_path, "submission.yaml", text))
    assert [row.subject for row in found.rows] == [("recgaze", "", "loo", "ours"), ("adserp", "", "loo", "ours")]
    assert sorted((f.metric, f.severity) for f in audit(found)) == [("AUC", "impossible"), ("JS", "impossible")]


def test_numbers_at_hand():
    setting = Setting(n_sessions=76, n_seeds=5, n_slots=15, average="sessions", ties="broken")
    found = audit(from_values({"CSH@1": 0.1450, "LogLoss": 2.786, "KL": -0.5}, task="recgaze", setting=setting))
    # 0.1450 is handed over as 0.145, whose three digits allow 55/380
    assert [(f.check, f.severity) for f in found] == [("range", "impossible"), ("uniform", "note")]
    found = audit(from_values({"CSH@1": "0.1450"}, task="recgaze", setting=setting))
    assert [(f.check, f.severity) for f in found] == [("grim", "impossible")]
    twice = from_values([("KL", 1.25), ("KL", 1.75)])
    assert [f.check for f in audit(twice)] == ["repeat"]
    with pytest.raises(InputError, match="KL: 'nan' is not a number"):
        from_values({"KL": float("nan")})


def test_options_are_laid_over_the_file():
    found = from_values({"CSH@1": "0.1450"}, method="m")
    assert audit(found) == []
    known = {"n_sessions": 76, "n_seeds": 5, "average": "sessions", "ties": "broken"}
    assert [f.severity for f in audit(amended(found, known))] == ["impossible"]
    with pytest.raises(InputError, match="unknown method 'n'"):
        amended(found, {}, deterministic=["n"])


def mean(value, sd=None, low=None, high=None):
    return {"mean": value, "low": low, "high": high, "seed_sd": sd, "n_users": 20}


def row(name, **metrics):
    return {"name": name, "ranked": True, "sees": [], "settings": {}, "failed": 0, "metrics": metrics}


OURS = row("ours", **{"LogLoss": mean(1.9, 0.1, 1.7, 2.1), "CSH@1": mean(0.123, 0.0)})
RUN = {
    "schema_version": 1,
    **dict.fromkeys(("version", "title", "split", "digest", "reference"), "x"),
    "task": "toy",
    "notice": "simulated sample, not recorded",
    "n_sessions": 40,
    "n_users": 20,
    "n_train": [80],
    "seeds": [42, 123],
    "data": None,
    "family": ["LogLoss"],
    "alpha": 0.05,
    "packages": {},
    "resolution": {},
    "simulators": [row("uniform", LogLoss=mean(1.8)), OURS],
    "comparisons": [],
}


def test_the_results_of_a_run(tmp_path):
    write(tmp_path, "results.json", RUN)
    for path in (tmp_path, tmp_path / "results.json"):
        found = read(path)
        assert found.notes == ("simulated sample, not recorded",)
        assert [row.deterministic for row in found.rows] == [True, False]
        # users weigh alike and have two sessions each: CSH@1 has no grid
        (finding,) = audit(found)
        assert (finding.check, finding.where) == ("uniform", "toy, ours")


def test_the_results_of_a_run_say_how_many_slots_there_were(tmp_path):
    """Without them LogLoss is only compared with a row of uniform probabilities; with them no such row is needed."""
    run = {**RUN, "simulators": [OURS]}
    write(tmp_path, "results.json", run)
    assert audit(read(tmp_path)) == []
    write(tmp_path, "results.json", {**run, "n_users": 40, "slots": [6], "uniform_logloss": 1.7918})
    found = read(tmp_path)
    setting = found.setting(found.rows[0])
    assert (setting.n_slots, setting.most_slots, setting.uniform_logloss) == (6, 6, 1.7918)
    assert setting.average == "sessions"  # 40 sessions of 40 users
    assert [(f.check, f.severity) for f in audit(found)] == [("grim", "impossible"), ("uniform", "note")]
    write(tmp_path, "results.json", {**run, "n_users": 20, "slots": [6, 8], "uniform_logloss": 1.7918})
    found = read(tmp_path)
    setting = found.setting(found.rows[0])
    assert (setting.n_slots, setting.most_slots, setting.average) == (None, 8, "users")
    assert [f.check for f in audit(found)] == ["uniform"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "x", "its name must end in one of .json"),
        ("a.json", "{", "line 1 is not JSON"),
        ("a.json", "[1]", "must hold keys and values"),
        ("a.json", "[" * 100_000, "is not JSON that can be read"),
        ("a.json", '{"rows": [{"values": {"KL": NaN}}]}', "row 1, KL: 'NaN' is not a number"),
        ("a.json", '{"rows": [], "rows": []}', "the key 'rows' appears twice"),
        ("a.json", '{"rows": []}', "'rows' must be a list of length >= 1"),
        ("a.json", '{"rwos": []}', "lacks 'rows' (is 'rwos' meant to be it?)"),
        ("a.json", '{"format": 2, "rows": [{"values": {}}]}', "'format' must be a whole number <= 1, not 2"),
        ("a.json", '{"rows": [{"values": {"KL": "many"}}]}', "row 1, KL: 'many' is not a number"),
        ("a.json", '{"rows": [{"values": {"KL": true}}]}', "'rows[0].values.KL' must be a whole number or text"),
        ("a.json", '{"rows": [{"values": {"KL": 1.0, "kl": 1.0}}]}', "row 1: KL appears twice"),
        (
            "a.json",
            '{"rows": [{"values": {"KL": {"mean": 1, "stars": -1}}}]}',
            "KL.stars' must be a whole number >= 0",
        ),
        ("a.json", '{"rows": [{"values": {"KL": {"sd": 1}}}]}', "'rows[0].values.KL' lacks 'mean'"),
        (
            "a.json",
            '{"rows": [{"metod": "m", "values": {}}]}',
            "unknown key of 'rows[0]': 'metod'. Did",
        ),
        ("a.json", '{"rows": [{"method": "m"}]}', "'rows[0]' lacks 'values'"),
        ("a.json", '{"rows": [{"values": {}}]}', "holds no number"),
        (
            "a.json",
            '{ROWS, "settings": {"t": {"n_seeds": 0}}}',
            "'n_seeds' must be a whole number >= 1, not 0",
        ),
        ("a.json", '{ROWS, "settings": {"t": {"seeds": 5}}}', "Did you mean 'n_seeds'?"),
        (
            "a.json",
            '{ROWS, "settings": {"t": {"ties": "gone"}}}',
            "'ties' must be one of broken, expected, not 'gone'",
        ),
        (
            "a.json",
            '{ROWS, "settings": {"t": {"improvement": "gian"}}}',
            "'improvement' must be one of gain, change",
        ),
        (
            "a.json",
            '{ROWS, "settings": {"t": {"most_slots": 1}}}',
            "'most_slots' must be a whole number >= 2",
        ),
        ("a.json", '{ROWS, "stars": [0.01, 0.05]}', "levels between 0 and 1 that fall"),
        (
            "a.json",
            '{ROWS, "decimals": {"mean": 99}}',
            "'decimals.mean' must be a whole number <= 15",
        ),
        ("a.json", '{"decimals": {"mean": 2}, "rows": [{"values": {"KL": 0.125}}]}', "more than 2 digits"),
        ("a.json", '{"schema_version": 1, "simulators": [1]}', "'simulators[0]' must be a mapping"),
        ("a.yaml", "a: [", "line 1"),
        ("a.yaml", "rows: &a [*a]\n", "aliases"),
        ("a.yaml", "rows: !!python/object:os.system {}\n", "line 1: the tag tag:yaml.org,2002:python/object"),
        ("a.yaml", "rows: 1\nrows: 2\n", "the key 'rows' appears twice"),
        ("a.yaml", "reported: 3\n", "'reported' must be a list"),
        ("a.yaml", "reported:\n- {task: t, metric: KL}\n", "'reported[0]' lacks 'value'"),
        ("a.yaml", "reported:\n- {metric: KL, value: 1}\n- {metric: KL, value: 2}\n", "reported 2"),
        ("a.csv", "", "there is no table"),
        ("a.csv", "method,CSH@1\nm,0.1,3\n", "line 2 has 3 cells, the header 2"),
        ("a.csv", "method,CSH@1\nm,about 0.1\n", "line 2, CSH@1: 'about 0.1' is not a number"),
        ("a.csv", "method,CSH@1,csh@1\nm,1,1\n", "the column 'csh@1' appears twice"),
        ("a.csv", "method,acc,Accuracy\nm,1,1\n", "two columns mean the same metric"),
        ("a.csv", "method,metric\nm,KL\n", "needs a column 'mean' or 'value'"),
        ("a.csv", "metric,mean\nKL,1\nKL,2\n", "line 3: KL of the same row appears a second time"),
        ("a.csv", "metric,mean,stars\nKL,1,many\n", "line 2, stars: 'many'"),
        ("a.csv", "method,CSH@1\nimprovement,3\n", "no row above"),
        ("a.csv", "method,NDCG\nm,0.3\n", "holds no number of a metric"),
        ("a.csv", "simulator,metric,mean,n_users\nours,KL,1,7\n", "Give the run's folder"),
        ("a.md", "no table\n", "no pipe table"),
        ("a.md", "| simulator | KL\u2193 |\n|---|---|\n| uniform | 0.1*\u2020 |\n", "Give the run's folder"),
    ],
)
def test_one_line_for_every_mistake(tmp_path, name, text, said):
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, name, text.replace("ROWS", '"rows": [{"values": {"KL": 1}}]')))
    assert said in str(caught.value) and "\n" not in str(caught.value) and name in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="cannot read .*gone.json: No such file"):
        read(tmp_path / "gone.json")
    with pytest.raises(InputError, match="cannot read publishd: No such file.* or 'published'"):
        read("publishd")
    with pytest.raises(InputError, match="there is no file .*results.json"):
        read(tmp_path)
    (tmp_path / "a.csv").write_bytes(b"method,KL\nm,\xff\n")
    with pytest.raises(InputError, match="not UTF-8"):
        read(tmp_path / "a.csv")
    (tmp_path / "b.json").write_text(" " * 5_000_001)
    with pytest.raises(InputError, match="more than 5,000,000 bytes"):
        read(tmp_path / "b.json")


def test_the_examples_of_the_document(tmp_path, capsys):
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```json\n(.*?)^```", text, flags=re.S | re.M)
    found = read(write(tmp_path, "a.json", example))
    assert str(found.rows[1].cells["CSH@1"].improvement) == "63.6"
    assert [(finding.check, finding.severity) for finding in audit(found)] == [("stars", "note")]
    (code,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.S | re.M)
    exec(compile(code, "audit.md", "exec"), {})
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["impossible", "grim"],
        ["note", "uniform"],
    ]
