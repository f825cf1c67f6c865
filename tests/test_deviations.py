"""The list of deviations: the document and the script that measures them speak of the same, and no effect is blank."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmark.simulator import Prediction
from tasks.adserp.trial import Points
from tasks.splits import k_fold, leave_one_out
from tasks.types import Session, Slot
from tests.performance.deviations import adserp, measuring, metrics, splits
from tests.performance.deviations.document import NOT_MEASURED, NOT_YET, cell, filled, rows
from tests.performance.deviations.listing import DEVIATIONS
from tests.performance.deviations.material import POCKET
from tests.performance.deviations.measuring import Deviation, Effect, both

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "deviations.md").read_text(encoding="utf-8")
ROWS = list(rows(TEXT))
KINDS = ("Text:", "Code:", "Text and code:", "Not stated:")
"""Where what is there was found: in the paper, in its published code, or nowhere."""
MEASURED = re.compile(r"-?\d+(\.\d+)? → -?\d+(\.\d+)? \([+-]\d+(\.\d+)?( ± \d+\.\d+)?\)")
SIZE = re.compile(r"\[n = \d+( and \d+)? [a-z0-9, ]+; [^\]]+\]")


def session(name, user, gaze, click):
    slots = tuple(Slot(str(i), "film", "", (0.0, 0.0, 1.0, 1.0)) for i in range(len(gaze)))
    return Session(name, user, "screen", None, "", slots, np.array(gaze, float), np.array(gaze, float), click)


def test_the_document_and_the_script_name_the_same_deviations_in_the_same_order():
    assert [row.name for row in ROWS] == [deviation.name for deviation in DEVIATIONS]
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_every_table_row_of_the_document_is_a_named_deviation():
    lines = [line for line in TEXT.splitlines() if line.startswith("|")]
    heads = [line for line in lines if line.startswith(("| what", "|---"))]
    assert len(lines) - len(heads) == len(ROWS)


@pytest.mark.parametrize(
    ("row", "deviation"), list(zip(ROWS, DEVIATIONS, strict=False)), ids=[d.name for d in DEVIATIONS][: len(ROWS)]
)
def test_every_row_has_its_effect_or_says_why_there_is_none(row, deviation):
    assert row.there.startswith(KINDS) and row.here
    parts = row.effect.split("<br>")
    if parts == [NOT_YET] and deviation.measure is not None:
        return
    if deviation.unmeasured:
        assert parts.pop() == f"{NOT_MEASURED}{deviation.unmeasured}."
    assert bool(parts) == (deviation.measure is not None)
    for part in parts:
        assert MEASURED.search(part) and SIZE.search(part), part
        assert "recorded" in part or "simulated" in part


@pytest.mark.parametrize("row", [r for r, d in zip(ROWS, DEVIATIONS, strict=False) if d.zero], ids=lambda row: row.name)
def test_what_should_change_nothing_is_printed_with_equal_numbers(row):
    found = re.findall(r"(-?[\d.]+) → (-?[\d.]+)", row.effect)
    assert found and all(there == here for there, here in found)


def test_what_was_measured_on_a_stand_in_says_so():
    modules = {"tests.performance.deviations.probing", "tests.performance.deviations.tuning"}
    for row, deviation in zip(ROWS, DEVIATIONS, strict=True):
        if deviation.measure is None or row.name == "prior-smoothing" or row.effect == NOT_YET:
            continue
        if deviation.measure.__module__ in modules:
            assert all("a stand-in" in part for part in row.effect.split("<br>")), row.name


def test_the_command_of_the_document_is_the_script():
    [command] = re.findall(r"^python (\S+) --data DIR$", TEXT, flags=re.M)
    assert (ROOT / command).is_file()
    assert TEXT.index(command) < TEXT.index("| what")


def test_a_measured_cell_reads_as_the_document_does():
    effects = [
        Effect("KL of x", 1.0, 0.75, 83, "AdSERP replay, recorded", half_width=0.125),
        Effect("Accuracy", 0.5, 0.5, 83, "AdSERP replay, recorded", n_there=80),
    ]
    text = cell(Deviation("x", None, "no posters are available"), effects)
    assert text == (
        "KL of x 1.000 → 0.750 (-0.250 ± 0.125) [n = 83 sessions; AdSERP replay, recorded]<br>"
        "Accuracy 0.500 → 0.500 (+0.000) [n = 80 and 83 sessions; AdSERP replay, recorded]<br>"
        "Not measurable here: no posters are available."
    )
    before = "words\n| `x`: a | b | c | – |\n| `y`: d | e | f | old |\n"
    after = filled(before, {"x": text})
    assert [row.effect for row in rows(after)] == [text, "old"]
    assert filled(after, {}) == after and after.startswith("words\n")


def test_a_deviation_that_should_change_nothing_and_does_is_an_error():
    effect = Effect("KL", 1.0, 1.5, 2, "none")
    bad = Deviation("x", lambda material: [effect], zero=True, tolerance=0.1)
    with pytest.raises(AssertionError, match="x should change nothing"):
        bad.effects(None)
    blank = dataclasses.replace(bad, measure=lambda material: [dataclasses.replace(effect, here=float("nan"))])
    with pytest.raises(AssertionError):
        blank.effects(None)
    assert dataclasses.replace(bad, tolerance=0.5).effects(None) == [effect]


def test_the_settings_that_the_script_tunes_with_are_the_suites():
    pocket = yaml.safe_load((ROOT / "configs" / "simulators" / "pocket.yaml").read_text(encoding="utf-8"))
    assert pocket["settings"] == POCKET


def test_scroll_is_added_as_it_was_at_the_time():
    points = Points(np.array([0.0, 5.0, 9.0]), np.zeros(3), np.array([10.0, 10.0, 10.0]))
    scrolls = Points(np.array([5.0, 8.0]), np.zeros(2), np.array([100.0, 300.0]))
    assert adserp.scrolled(points, scrolls).y.tolist() == [10.0, 110.0, 310.0]


def test_the_redrawn_split_is_the_suites_for_its_seed_and_another_for_others():
    users = [f"u{i % 5}" for i in range(20)]
    sessions = [session(str(i), user, [1, 1], 0) for i, user in enumerate(users)]
    fixed = [i for i, value in enumerate(leave_one_out(users)) if value == "test"]
    assert splits.drawn(sessions, 42)[0][1] == fixed
    assert splits.drawn(sessions, 123)[0][1] != fixed
    train, test = splits.drawn(sessions, 123)[0]
    assert sorted([*train, *test]) == list(range(20)) and len(test) == 5


def test_the_shuffle_of_the_script_deals_the_suites_folds():
    users = [f"u{i % 3}" for i in range(12)]
    dealt = [index for own in splits.shuffled(users, 42) for index in own]
    assert [k_fold(users)[index] for index in dealt] == [place % 5 for place in range(12)]


def test_failed_sessions_count_with_the_worst_value_or_not_at_all():
    sessions = [session("a", "u", [1, 1], 0), session("b", "v", [1, 1], 0)]
    found = measuring.Tested(sessions, [Prediction("a", None, None, 0), Prediction("b", None, None, 0)])
    assert metrics.without(found, [1]).mean("Accuracy") == 1.0
    assert metrics.mean_with_worst(found, [1], "Accuracy") == 0.5


def test_both_sides_are_paired_over_users_where_sessions_are_the_same():
    sessions = [session("a", "u", [3, 1], 0), session("b", "v", [1, 3], 0)]
    there = measuring.Tested(sessions, [Prediction("a", None, None, 0), Prediction("b", None, None, 1)])
    here = measuring.Tested(sessions, [Prediction("a", None, None, 0), Prediction("b", None, None, 0)])
    [effect] = both(["Accuracy"], there, here, "x", "none")
    assert (effect.there, effect.here, effect.difference) == (0.5, 1.0, 0.5)
    assert effect.half_width == pytest.approx(0.5 * 12.7062, rel=1e-4)  # t at 1 degree of freedom, SD of 0 and 1
    [other] = both(["Accuracy"], metrics.without(there, [0]), here, "x", "none")
    assert other.half_width is None and other.size == "1 and 2 sessions"
