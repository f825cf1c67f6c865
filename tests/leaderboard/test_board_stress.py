"""Stress conditions on a board: measured from predictions alone, stored, verified, shown."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from baselines import registry
from benchmark.naming import LAYOUT, OWN, RELABEL, TRUE_LABEL, WRONG_LABEL
from benchmark.scores import predictions
from benchmark.stress import conditions as published
from leaderboard import board_scores, board_stress, board_table
from leaderboard.board_files import Board
from leaderboard.columns import view
from leaderboard.entries import SWAPPED
from leaderboard.site import build
from leaderboard.submitting import prepare, submit
from leaderboard.verifying import verify
from tasks.errors import InputError
from tests.leaderboard.boards import AT, candidate, frame, table
from tests.leaderboard.conftest import SCRIPT


def sure(task, split, condition, choose, seeds=(1,)) -> pd.DataFrame:
    """Predictions that put nearly all on one slot of each session."""
    rows = []
    for _, test in task.split(split).folds:
        for session in task.sessions_at(test):
            slot = choose(session)
            shares = np.full(len(session.slots), 0.05)
            shares[slot] = 0.85
            parts = {"attention": shares, "probabilities": shares, "answer": slot, "target": "none"}
            rows += [
                {"condition": condition, "seed": seed, "session_id": session.session_id, **parts} for seed in seeds
            ]
    return pd.DataFrame(rows)


def stressed(task, split="loo", name="stressed"):
    """Follows the letter A under relabel, the item of slot 0 under layout, and any label that it is offered."""
    digest = task.digests[split]

    def letter(session):
        return published.alter(RELABEL, session.stimulus(), digest, None, draw=False).label.index(0)

    frames = [
        sure(task, split, OWN, lambda s: 0),
        sure(task, split, RELABEL, letter),
        sure(task, split, LAYOUT, lambda s: 3),
        sure(task, split, SWAPPED, lambda s: (s.click + 1) % 4),
        sure(task, split, TRUE_LABEL, lambda s: s.click),
        sure(task, split, WRONG_LABEL, lambda s: published.wrong_label(s, digest)),
    ]
    made = candidate(name, task, split)
    return dataclasses.replace(made, predictions=table(pd.concat(frames, ignore_index=True)))


@pytest.fixture(scope="module")
def board(mini, tmp_path_factory) -> Board:
    root = tmp_path_factory.mktemp("stress") / "board"
    submit(root, [stressed(mini)], registry, now=AT)
    submit(root, [stressed(mini, name=SCRIPT)], registry, now=AT)
    submit(root, [candidate("plain", mini)], registry, now=AT)
    return Board.open(root)


def table_of(board):
    standing = board.standing()
    known = board_table.records(board, standing)
    (digest,) = board_table.digests(known, standing)
    return board_table.load(board, digest, standing, known)


def row(board, name):
    return next(r for r in table_of(board).rows if r.record.metadata.name == name)


def value(rows, test, measure):
    (found,) = [r for r in rows if (r.test, r.measure) == (test, measure)]
    return found.value


@pytest.mark.slow
def test_the_board_measures_the_predictions_itself(board, mini):
    found = board_stress.stress_rows("x", row(board, "stressed").stress, board.context(mini.digests["loo"]))
    assert value(found, "relabel", "answer stays with the label") == 1
    assert value(found, "relabel", "answer stays with the item") == 0
    assert value(found, "layout", "answer stays with the content") == 1
    assert value(found, "layout", "largest attention stays with the place") == 0
    assert value(found, "label-leak", "CSH@1↑, true label") == 1
    assert value(found, "label-leak", "CSH@1↑, wrong label") == 0
    assert value(found, "label-leak", "largest attention on the offered slot, wrong label") == 1
    own = value(found, "label-leak", "CSH@1↑, own answer")
    assert value(found, "swap-users", "Accuracy↑: own minus swapped") == own > 0  # swapped never meets the click


def test_numbers_are_those_that_the_stress_verb_computes(mini):
    """A simulator's own stress rows and the board's come from the same functions and data."""
    scores = prepare(stressed(mini)).scores.to_pandas()
    assert set(board_scores.STRESS_COLUMNS) < set(scores.columns)
    mine = scores[scores["condition"] == RELABEL]
    assert (mine["stress_answer_label"] == 1).all() and (mine["stress_chance"] == 0.25).all()
    assert scores.loc[scores["condition"] == OWN, list(board_scores.STRESS_COLUMNS)].isna().all(axis=None)


def test_a_result_without_conditions_is_stored_as_before(board, mini):
    scores = prepare(candidate("plain", mini)).scores
    assert not set(board_scores.STRESS_COLUMNS) & set(scores.column_names)
    assert row(board, "plain").stress is None
    assert all(r.stress is None for r in table_of(board).rows if r.record.kind != "submission")


def test_conditions_do_not_touch_the_ranking(mini):
    whole = stressed(mini)
    own = dataclasses.replace(whole, predictions=predictions.chosen(whole.predictions, simulator="own"))
    a, b = (prepare(one).scores.to_pandas().query("condition == 'own'") for one in (whole, own))
    assert a[list(b.columns)].reset_index(drop=True).equals(b.reset_index(drop=True))


@pytest.mark.slow
def test_verify_recomputes_them(board, mini, tmp_path):
    load = lambda name, digests: mini  # noqa: E731
    assert [f for f in verify(board, load, registry) if f.severity == "error"] == []
    root = tmp_path / "board"
    submit(root, [stressed(mini)], registry, now=AT)
    forged = Board.open(root)
    (name,) = [n for n in forged.names("results") if forged.result(n).metadata.name == "stressed"]
    scores = forged.table("scores", name).to_pandas()
    scores.loc[(scores["condition"] == RELABEL).idxmax(), "stress_answer_item"] = 1.0
    forged.path("scores", name).unlink()
    forged.put_table("scores", name, pa.Table.from_pandas(scores, preserve_index=False))
    told = [str(f) for f in verify(forged, load, registry)]
    assert len(told) == 1 and "stress_answer_item differs in 1 rows" in told[0] and "stored 1, is 0" in told[0]


@pytest.mark.slow
def test_missing_columns_are_found_by_verify(mini, tmp_path):
    submit(tmp_path / "board", [stressed(mini)], registry, now=AT)
    board = Board.open(tmp_path / "board")
    (name,) = [n for n in board.names("results") if board.result(n).metadata.name == "stressed"]
    scores = board.table("scores", name).drop_columns(["stress_chance"])
    board.path("scores", name).unlink()
    board.put_table("scores", name, scores)
    told = [str(f) for f in verify(board, lambda name, digests: mini, registry)]
    assert any("not scored yet: stress_chance of 1 result" in line for line in told)


@pytest.mark.slow
def test_the_page_shows_what_it_rests_on(board, mini, tmp_path):
    build(tmp_path / "site", board, [view(table_of(board))], {mini.digests["loo"]: mini})
    pages = {p.stem: p.read_text(encoding="utf-8") for p in (tmp_path / "site" / "submissions").glob("*.html")}
    shown = [text for text in pages.values() if "What it depends on" in text]
    assert len(shown) == 2 and all("the answer follows the label" in text for text in shown)
    assert all("content decides" in text and "own minus swapped" in text for text in shown)
    assert all(SCRIPT not in text for text in pages.values())
    (plain,) = [text for name, text in pages.items() if name.startswith("plain")]
    assert "What it depends on" not in plain


def test_a_condition_needs_predictions_to_compare_with(mini):
    frames = pd.concat(
        [frame(mini, seeds=(1,)).assign(condition=OWN), sure(mini, "loo", LAYOUT, lambda s: 0, seeds=(2,))],
        ignore_index=True,
    )
    with pytest.raises(InputError, match="under 'layout' with seed 2 and not as it was seen"):
        prepare(dataclasses.replace(candidate("x", mini), predictions=table(frames)))


def test_swapped_users_alone_are_shown_too(mini, tmp_path):
    whole = stressed(mini)
    swapped = dataclasses.replace(
        whole,
        predictions=whole.predictions.filter(pc.is_in(whole.predictions["simulator"], pa.array(["own", "swapped"]))),
    )
    submit(tmp_path / "board", [swapped], registry, now=AT)
    board = Board.open(tmp_path / "board")
    found = board_stress.stress_rows("x", row(board, "stressed").stress, board.context(mini.digests["loo"]))
    assert {r.test for r in found} == {"swap-users"}
    assert "on KL" in found[0].reading or "KL (p" in found[0].reading
