"""``audit`` as a person meets it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli import main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("task,method,CSH@1,JS\ntoy,base,0.2000,0.30\ntoy,ours,0.2513,0.30\n", encoding="utf-8")
    return str(path)


def refused(capsys, *argv):
    assert main(["audit", *argv]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: ") and said.err.count("\n") == 1
    return said.err


def test_the_published_tables(capsys):
    assert main(["audit", "published"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Audit of Huang et al. 2026") and "4 unlikely" in text
    assert "multiples of 1/76" in text and "ln 15 =" in text and "NOTE: Attention metrics were computed" in text
    assert max(map(len, text.splitlines())) <= 170


def test_what_is_impossible_fails(table, capsys):
    assert main(["audit", table]) == 0
    assert "nothing found" in capsys.readouterr().out
    options = ["--sessions", "40", "--seeds", "5", "--average", "sessions", "--ties", "broken"]
    assert main(["audit", table, *options, "--deterministic", "base"]) == 1
    text = capsys.readouterr().out
    assert "1 impossible" in text and "0.2513 x 200" in text


def test_every_format_says_the_same(table, capsys):
    options = ["--sessions", "40", "--seeds", "5", "--average", "sessions", "--ties", "broken"]
    pages = {}
    for name in ("table", "markdown", "csv", "json"):
        assert main(["audit", table, "--format", name, *options]) == 1
        pages[name] = capsys.readouterr().out
    (row,) = csv.DictReader(io.StringIO(pages["csv"]))
    found = json.loads(pages["json"])
    assert row["severity"] == found["findings"][0]["severity"] == "impossible"
    assert row["arithmetic"] == found["findings"][0]["arithmetic"]
    assert row["arithmetic"] in pages["markdown"]
    assert {check["check"] for check in found["checks"]} >= {"grim", "grimmer", "stars", "improvement", "range"}


def test_every_format_carries_the_notes(tmp_path, capsys):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"notes": ["simulated sample"], "rows": [{"values": {"AUC": "1.5"}}]}), encoding="utf-8")
    for name in ("table", "markdown", "csv", "json"):
        assert main(["audit", str(path), "--format", name]) == 1
        assert "simulated sample" in capsys.readouterr().out


def test_texts_of_others_stay_texts(tmp_path, capsys):
    path = tmp_path / "a.json"
    row = {"method": "a|b\x1b[2J <script>", "values": {"AUC": "1.5"}}
    path.write_text(json.dumps({"source": "\x1b]0;x\x07", "rows": [row]}), encoding="utf-8")
    for name in ("table", "markdown"):
        assert main(["audit", str(path), "--format", name]) == 1
        text = capsys.readouterr().out
        assert "\x1b" not in text and "\x07" not in text
    assert "a\\|b" in text and "<script>" not in text.replace("\\<", "")


def test_mistakes(table, capsys):
    assert "Did you mean 'terminal'?" in refused(capsys, table, "--format", "terminl")
    assert "No such file" in refused(capsys, "gone.csv")
    assert "'n_sessions' must be a whole number" in refused(capsys, table, "--sessions", "0")
    assert "'average' must be one of sessions, users" in refused(capsys, table, "--average", "session")
    assert "unknown method 'bse'. Did you mean 'base'?" in refused(capsys, table, "--baseline", "bse")


def test_no_model_library_is_loaded():
    code = "import sys; from benchmark.cli import main; main(['audit', 'published']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
