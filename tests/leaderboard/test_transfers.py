"""Transfers to other tasks on a board: stored, measured where the other task's data is at hand, verified, shown."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from baselines import registry
from benchmark.cli import main
from benchmark.scores import scoring as plain_scoring
from benchmark.statistics import user_means
from leaderboard import results, transfers
from leaderboard.columns import view
from leaderboard.entries import OWN, ResultRecord, canonical, identity, result_from_json, to_json
from leaderboard.site import build
from leaderboard.store import Board
from leaderboard.submitting import prepare, submit
from leaderboard.verifying import verify
from tasks.errors import InputError
from tests.leaderboard.boards import AT, candidate, frame
from tests.leaderboard.conftest import SCRIPT
from tests.submissions.builder import rows as good_rows
from tests.submissions.builder import write, write_rows

MOVED = "transfer-minor@2"


def moving(mini, minor, name="moving", *, knows=0.9, at_hand=True, **more):
    """A simulator of the one task that knows where people look on the other."""
    made = candidate(name, mini, **more)
    there = frame(minor, knows=knows, random_state=3).assign(condition=MOVED, target="none")
    both = pd.concat([made.predictions.assign(condition=OWN), there], ignore_index=True)
    others = {MOVED: minor} if at_hand else {}
    return dataclasses.replace(made, predictions=both, transfers={MOVED: minor.digests["loo"]}, others=others)


@pytest.fixture(scope="module")
def board(mini, minor, tmp_path_factory) -> Board:
    root = tmp_path_factory.mktemp("transfers") / "board"
    submit(root, [moving(mini, minor)], registry, now=AT)
    submit(root, [moving(mini, minor, SCRIPT, knows=0.0)], registry, now=AT)
    submit(root, [candidate("plain", mini)], registry, now=AT)
    return Board.open(root)


@pytest.fixture(scope="module")
def without(mini, minor, tmp_path_factory) -> Board:
    """A board that does not have the other task's data."""
    root = tmp_path_factory.mktemp("without") / "board"
    submit(root, [moving(mini, minor, at_hand=False)], registry, now=AT)
    return Board.open(root)


def copied(board, tmp_path) -> Board:
    shutil.copytree(board.root, tmp_path / "copied")
    return Board.open(tmp_path / "copied")


def result_of(board, name):
    (found,) = [n for n in board.names("results") if board.result(n).metadata.name == name]
    return found


def loader(*tasks):
    known = {task.name: task for task in tasks}

    def load(name, wanted):
        if name not in known:
            raise InputError(f"there is no data of {name}.")
        return known[name]

    return load


def told(board, *tasks):
    return [str(finding) for finding in verify(board, loader(*tasks), registry)]


def table_of(board):
    standing = board.standing()
    known = results.records(board, standing)
    (digest,) = results.digests(known, standing)
    return results.load(board, digest, standing, known)


def pages(board, out):
    standing = board.standing()
    build(out, board, [view(table_of(board))], standing, results.records(board, standing))
    return {p.stem.rpartition("-")[0]: p.read_text(encoding="utf-8") for p in (out / "submissions").glob("*.html")}


def test_the_board_measures_a_transfer_with_the_other_tasks_data(board, mini, minor):
    name = result_of(board, "moving")
    found = transfers.load(board, name, MOVED, minor.digests["loo"])
    scores = found.scores.to_pandas()
    assert set(scores["condition"]) == {MOVED, *transfers.BESIDE}
    wanted = frame(minor, knows=0.9, random_state=3).assign(simulator=MOVED, target="none")
    expected = plain_scoring.score(minor, "loo", wanted)
    mine = scores[scores["condition"] == MOVED]
    assert np.array_equal(mine["KL"].to_numpy(), expected["KL"].to_numpy())
    assert found.context.notice == minor.notice and set(found.context.users) == set(scores["user"])
    rows = {row.measure: row for row in transfers.transfer_rows("x", MOVED, found, "mini")}
    assert rows["KL↓"].value == pytest.approx(user_means(expected, "KL")[MOVED].mean())
    assert rows["KL↓"].test == "transfer minor" and rows["KL↓"].simulator == "x" and rows["KL↓"].n == 5
    assert rows["KL↓: minus uniform"].value < 0 and rows["KL↓: minus position-prior"].value < 0
    assert rows["KL↓"].reading.startswith("Beside uniform: better on KL") and rows["KL↓"].notice == minor.notice


def test_its_own_task_and_the_ranking_are_not_touched(board, mini, minor):
    whole, own = moving(mini, minor), candidate("moving", mini)
    a, b = (prepare(one, catalogue=registry).scores for one in (whole, own))
    assert a.equals(b)
    assert {
        r.record.metadata.name: bool(r.transfers) for r in table_of(board).rows if r.record.kind == "submission"
    } == {
        "moving": True,
        SCRIPT: True,
        "plain": False,
    }


def test_the_page_shows_it_and_says_what_must_be_said_of_the_other_data(board, mini, minor, tmp_path):
    made = pages(board, tmp_path / "site")
    text = made["moving"]
    assert "What it rests on" in text and "transfer minor: Beside uniform: better on KL" in text
    assert "KL↓: minus position-prior" in text and "AUC↑: minus uniform" in text and "JS↓: minus" not in text
    assert text.count(minor.notice) == 1 and text.count(mini.notice) == 1
    assert "transfer minor" not in made["plain"] and minor.notice not in made["plain"]
    assert all(SCRIPT not in page for page in made.values())


def test_without_the_other_data_it_is_stored_and_shown_as_not_measured(without, mini, minor, tmp_path):
    assert without.names("transfers") == [] and without.result(result_of(without, "moving")).conditions == (OWN, MOVED)
    text = pages(without, tmp_path / "site")["moving"]
    assert "transfer minor: Not measured: this board was not given the test sessions of minor 2, loo" in text
    assert "--data minor=DIR" in text and "minus uniform" not in text
    (line,) = told(without, mini)
    assert line.startswith("note: ") and "Not measured" in line


def test_whoever_has_the_data_adds_the_scores_by_submitting_again(without, board, mini, minor, tmp_path):
    later = copied(without, tmp_path)
    (outcome,) = submit(later.root, [moving(mini, minor)], registry, now=AT)
    assert not outcome.new and outcome.result == result_of(board, "moving")
    a, b = (transfers.load(x, outcome.result, MOVED, minor.digests["loo"]) for x in (later, board))
    assert a.scores.equals(b.scores) and told(later, mini, minor) == []
    # Nothing that was there has changed.
    before = {p.relative_to(without.root): p.read_bytes() for p in without.root.rglob("*") if p.is_file()}
    assert all((later.root / name).read_bytes() == content for name, content in before.items())


def test_faults_that_only_the_other_data_show_wait_until_it_is_measured(mini, minor, tmp_path):
    made = moving(mini, minor, at_hand=False)
    odd = dataclasses.replace(made, predictions=renamed(made.predictions, "session_id", "nobody"))
    submit(tmp_path / "board", [odd], registry, now=AT)
    (line,) = told(Board.open(tmp_path / "board"), mini, minor)
    assert line.startswith("note: ") and "Not measured" in line
    with pytest.raises(InputError, match="no test session of minor@2"):
        submit(tmp_path / "board", [dataclasses.replace(odd, others={MOVED: minor})], registry, now=AT)


def test_verify_recomputes_it(board, mini, minor, tmp_path):
    assert told(board, mini, minor) == []
    forged = copied(board, tmp_path)
    name = transfers.table_name(result_of(forged, "moving"), MOVED)
    scores = forged.table("transfers", name).to_pandas()
    scores.loc[(scores["condition"] == MOVED).idxmax(), "KL"] = 0.0
    forged.path("transfers", name).unlink()
    forged.put_table("transfers", name, pa.Table.from_pandas(scores, preserve_index=False))
    (line,) = told(forged, mini, minor)
    assert line.startswith("error: ") and f"{MOVED}: KL differs in 1 rows" in line and "stored 0, is" in line
    # What cannot be computed again for want of data is said to be unverified.
    lines = told(board, mini)
    assert len(lines) == 2 and all("its scores are not verified" in line and "error: " in line for line in lines)


def test_verify_finds_damaged_and_pointless_tables(board, mini, minor, tmp_path):
    spoilt = copied(board, tmp_path)
    name = transfers.table_name(result_of(spoilt, "moving"), MOVED)
    table = spoilt.table("transfers", name)
    spoilt.put_table("transfers", "ab" * 32, table)
    spoilt.path("transfers", name).unlink()
    spoilt.put_table("transfers", name, table.drop_columns(["KL"]))
    lines = told(spoilt, mini, minor)
    assert any("has no column KL" in line and line.startswith("error: ") for line in lines)
    assert any(f"note: transfers/{'ab' * 6}" in line and "belongs to no result" in line for line in lines)


def test_records_without_transfers_are_those_of_older_boards(board, mini):
    old = prepare(candidate("plain", mini)).record
    assert b"transfers" not in canonical(old) and result_from_json(to_json(old), "x") == old
    new = board.result(result_of(board, "moving"))
    assert result_from_json(to_json(new), "x") == new and new.transfers and identity(new) != identity(old)
    raw = json.loads(to_json(new))
    for change in ({"transfers": {}}, {"conditions": [OWN]}, {"transfers": {MOVED: "x"}}, {"transfers": [MOVED]}):
        with pytest.raises(InputError, match="transfers"):
            result_from_json(json.dumps({**raw, **change}), "x")
    with pytest.raises(InputError, match="is none of own, "):
        result_from_json(json.dumps({**raw, "conditions": [OWN, "mirrored"]}), "x")
    assert isinstance(hash(new), int) and isinstance(new, ResultRecord)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, m: {"transfers": {}, "others": {}}, "needs predictions and the digest"),
        (lambda c, m: {"transfers": {MOVED: "0" * 64}}, "are not those that it was predicted for"),
        (lambda c, m: {"predictions": c.predictions.query("condition == 'own'")}, "needs predictions and the digest"),
        (
            lambda c, m: {"predictions": renamed(c.predictions, "condition", "transfer-minor")},
            "'transfer-minor' is none",
        ),
        (
            lambda c, m: {"predictions": renamed(c.predictions, "session_id", "nobody")},
            "no test session of minor@2, loo",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_no_board(mini, minor, tmp_path, change, message):
    made = moving(mini, minor, "other")
    with pytest.raises(InputError, match=message):
        submit(tmp_path / "board", [dataclasses.replace(made, **change(made, minor))], registry, now=AT)
    assert not (tmp_path / "board").exists()


def renamed(predictions, column, value):
    """The same with one row of the transfer under another name."""
    changed = predictions.copy()
    changed.loc[changed.index[changed["condition"] == MOVED][0], column] = value
    return changed


# The verbs


@pytest.fixture
def folders(mini, minor, monkeypatch):
    from tasks import registry as tasks

    monkeypatch.setitem(tasks.TASKS, "mini", "tests.mini:DEFINITION")
    monkeypatch.setitem(tasks.TASKS, "minor", "tests.minor:DEFINITION")
    return [f"mini={mini.folder}", f"minor={minor.folder}"]


def test_submit_and_verify_from_the_command_line(folders, mini, minor, tmp_path, capsys):
    digests = {"mini@1/kfold": mini.digests["kfold"], "minor@2/kfold": minor.digests["kfold"]}
    folder = write(tmp_path / "s", mini, digests=digests)
    write_rows(folder / f"stress/{MOVED}/mini@1/kfold/seed-1.parquet", good_rows(minor))
    data = [word for pair in folders for word in ("--data", pair)]
    board = ["--board", str(tmp_path / "board")]
    # The other task was predicted for other data than these: stored, and said not to be measured.
    assert main(["submit", str(folder), *board, "--data", folders[0], "--data", f"minor={tmp_path / 'none'}"]) == 0
    said = capsys.readouterr().err
    assert f"{MOVED}: not measured: " in said and "neither checked nor measured" in said
    assert main(["leaderboard", "verify", *board, *data]) == 0
    assert "Not measured" in capsys.readouterr().err
    assert main(["submit", str(folder), *board, *data]) == 0
    said = capsys.readouterr()
    assert "stands already" in said.out and "not measured" not in said.err
    assert main(["leaderboard", "verify", *board, *data]) == 0
    assert "ot measured" not in capsys.readouterr().err
    assert main(["leaderboard", "--html", str(tmp_path / "site"), *board, "--data", folders[0]]) == 0
    (page,) = (tmp_path / "site" / "submissions").glob("ours-*.html")
    assert "transfer minor: Beside uniform:" in page.read_text(encoding="utf-8")
