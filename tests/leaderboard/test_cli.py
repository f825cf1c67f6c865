"""``submit`` and ``leaderboard`` as a person meets them, with the example submissions of the suite."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from benchmark.cli import main
from submissions.examples import FAULTY, GOOD

ROOT = Path(__file__).parents[2]
NOTICE = "simulated sample, not RecGaze"


@pytest.fixture(scope="module")
def board(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("cli") / "board"
    assert main(["submit", str(GOOD), "--board", str(root)]) == 0
    return root


def files(root: Path) -> set[str]:
    return {p.relative_to(root).as_posix() for p in root.rglob("*")} if root.exists() else set()


def refused(capsys, *argv: str) -> str:
    capsys.readouterr()
    assert main(list(argv)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1].startswith("error: ") and "Traceback" not in said.err
    return said.err


def changed(tmp_path: Path, **values: object) -> Path:
    """The good example with other metadata."""
    folder = tmp_path / "changed"
    shutil.copytree(GOOD, folder)
    path = folder / "submission.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **values}))
    return folder


@pytest.mark.slow
def test_submit_prints_the_place_and_the_notice(capsys, tmp_path):
    capsys.readouterr()
    assert main(["submit", str(GOOD), "--board", str(tmp_path / "b"), "--dry-run"]) == 0
    dry = capsys.readouterr()
    assert not (tmp_path / "b").exists() and "nothing was written" in dry.err
    assert main(["submit", str(GOOD), "--board", str(tmp_path / "b")]) == 0
    done = capsys.readouterr().out
    assert done == dry.out.replace("would be placed", "is placed")
    lines = done.splitlines()
    assert lines[0].startswith("example-good@1.0 is placed (result ")
    assert NOTICE in lines[2] and lines[3].startswith("KL↓ ") and " tier " in lines[3] and " place " in lines[3]
    assert main(["submit", str(GOOD), "--board", str(tmp_path / "b")]) == 0
    assert "was on the board already" in capsys.readouterr().out


def test_a_faulty_submission_is_refused_with_every_problem(capsys, tmp_path):
    told = refused(capsys, "submit", str(FAULTY), "--board", str(tmp_path / "b"))
    assert told.count("error: ") > 10 and "nothing was submitted" in told
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
@pytest.mark.parametrize("format", ["terminal", "markdown", "latex", "csv", "json"])
def test_the_table_in_every_format(board, capsys, format):
    capsys.readouterr()
    assert main(["leaderboard", "--board", str(board), "--format", format]) == 0
    text = capsys.readouterr().out
    assert "example-good" in text and "position-prior" in text and NOTICE in text
    if format == "json":
        assert json.loads(text)[0]["task"] == "recgaze"


def test_order_and_columns_can_be_chosen(board, capsys):
    capsys.readouterr()
    argv = ["leaderboard", "--board", str(board), "--metric", "AUC", "--columns", "about,normalised"]
    assert main(argv) == 0
    text = capsys.readouterr().out
    assert " sees " in text and "AUC norm↑" in text and "KL↓" not in text and "order by AUC" in text


@pytest.mark.slow
def test_verify_says_that_every_score_came_out_again_or_what_did_not(board, capsys, tmp_path):
    capsys.readouterr()
    assert main(["leaderboard", "verify", "--board", str(board)]) == 0
    assert capsys.readouterr().out.startswith("every score of 13 results came out again")
    shutil.copytree(board, tmp_path / "b")
    path = max((tmp_path / "b" / "scores").iterdir(), key=lambda p: pq.read_table(p).num_rows)
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index("AUC"), "AUC", [[1.0] * len(table)]), path)
    assert main(["leaderboard", "verify", "--board", str(tmp_path / "b")]) == 1
    said = capsys.readouterr()
    assert said.out == "1 error\n" and "AUC differs in" in said.err and "stored 1, is 0." in said.err


@pytest.mark.slow
def test_the_site_and_its_refusals(board, capsys, tmp_path):
    capsys.readouterr()
    assert main(["leaderboard", "--board", str(board), "--html", str(tmp_path / "site")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'site' / 'index.html'}\n"
    (page,) = (tmp_path / "site" / "submissions").glob("example-good-*.html")
    assert 'alt="Screen, human gaze' in page.read_text()
    assert main(["leaderboard", "--board", str(board), "--html", str(tmp_path / "bare"), "--no-pictures"]) == 0
    assert 'alt="Screen' not in (tmp_path / "bare" / "submissions" / page.name).read_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("x")
    told = refused(capsys, "leaderboard", "--board", str(board), "--html", str(tmp_path / "mine"))
    assert "is not a leaderboard site" in told


@pytest.mark.slow
def test_withdraw_and_supersede_are_entries(capsys, tmp_path):
    root = tmp_path / "b"
    assert main(["submit", str(GOOD), "--board", str(root)]) == 0
    second = changed(tmp_path, version="1.1")
    assert main(["submit", str(second), "--board", str(root), "--supersedes", "example-good@1.0"]) == 0
    capsys.readouterr()
    assert main(["leaderboard", "--board", str(root)]) == 0
    text = capsys.readouterr().out
    assert "example-good@1.1" in text and "example-good@1.0" not in text
    before = files(root)
    assert main(["leaderboard", "withdraw", "example-good@1.1", "--board", str(root), "--reason", "a slip"]) == 0
    assert capsys.readouterr().out.startswith("withdrawn: result ")
    assert before < files(root) and len(files(root) - before) == 1
    assert main(["leaderboard", "verify", "--board", str(root)]) == 0


@pytest.mark.slow
def test_numbers_without_predictions_are_shown_apart(capsys, tmp_path):
    stated = {"task": "recgaze", "split": "loo", "metric": "KL", "value": 0.001, "source": "a talk"}
    folder = changed(tmp_path, reported=[stated])
    assert main(["submit", str(folder), "--board", str(tmp_path / "b")]) == 0
    assert "never ranked" in capsys.readouterr().err
    assert main(["leaderboard", "--board", str(tmp_path / "b")]) == 0
    table, apart = capsys.readouterr().out.split("Self-reported, not checked, never ranked:")
    assert "example-good@1.0: KL 0.001 (a talk)" in apart and "0.001" not in table


@pytest.mark.slow
def test_personal_gain_comes_from_two_control_submissions(capsys, tmp_path):
    root = tmp_path / "b"
    shared = changed(tmp_path / "s", name="control")
    for path in (shared / "predictions").rglob("*.parquet"):
        table = pq.read_table(path)
        column = table.column_names.index("probabilities")
        turned = [p[::-1] for p in table["probabilities"].to_pylist()]
        kept = table.set_column(column, table.schema.field(column), [turned]).drop_columns(["answer"])
        pq.write_table(kept, path)
    for path in (shared / "predictions").rglob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            row["probabilities"] = row["probabilities"][::-1]
            row.pop("answer", None)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    argv = ["submit", str(GOOD), "--board", str(root), "--shared", str(shared), "--swapped", str(shared)]
    assert main(argv) == 0
    capsys.readouterr()
    assert main(["leaderboard", "--board", str(root), "--columns", "gain", "--format", "json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    (line,) = (x for x in table["lines"] if x["simulator"] == "example-good")
    gain, swap = line["columns"]["LogLoss:gain"], line["columns"]["LogLoss:swap"]
    assert gain["low"] < gain["mean"] < gain["high"] and gain["mean"] > 0 and swap["mean"] == 0
    assert line["columns"]["KL:gain"]["mean"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["leaderboard", "--board", "nowhere"], "there is no board at nowhere"),
        (["leaderboard", "verfy", "--board", "B"], "Did you mean 'verify'?"),
        (["leaderboard", "withdraw", "--board", "B"], "'withdraw' takes 1 name"),
        (["leaderboard", "withdraw", "example-god@1.0", "--board", "B"], "Did you mean 'example-good@1.0'?"),
        (["leaderboard", "--board", "B", "--metric", "KI"], "Did you mean 'KL'?"),
        (["leaderboard", "--board", "B", "--format", "hmtl"], "unknown format 'hmtl'"),
        (["leaderboard", "--board", "B", "--columns", "abut"], "Did you mean 'about'?"),
        (["leaderboard", "--board", "B", "--task", "recgase"], "Did you mean 'recgaze'?"),
        (["leaderboard", "--board", "B", "--split", "lou"], "Did you mean 'loo'?"),
        (["leaderboard", "verify", "--board", "B", "--data", "x"], "--data expects TASK=DIR"),
        (["leaderboard", "verify", "--board", "B", "--data", "recgase=x"], "Did you mean 'recgaze'?"),
        (["submit", "nowhere", "--board", "B"], "nowhere"),
        (["submit", str(GOOD), "--board", "."], "exists and is not a board"),
        (["submit", str(GOOD), "--board", "B", "--supersedes", "x@1"], "unknown submission 'x@1'"),
    ],
)
def test_a_mistake_gets_one_line_and_changes_nothing(board, capsys, tmp_path, monkeypatch, argv, message):
    (tmp_path / "keep.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    before = files(board)
    told = refused(capsys, *[str(board) if word == "B" else word for word in argv])
    assert message in told
    assert files(board) == before and files(tmp_path) == {"keep.txt"}


def test_help_loads_nothing_heavy():
    code = "import sys; from benchmark.cli import main\ntry: main(['leaderboard', '--help'])\nexcept SystemExit: pass\n"
    code += "print([m for m in ('torch', 'ray', 'pandas', 'scipy', 'jinja2') if m in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]" and "withdraw NAME@VERSION" in " ".join(done.stdout.split())
