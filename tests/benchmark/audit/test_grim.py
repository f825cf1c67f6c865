"""GRIM by hand, by brute force, and as a check."""

from __future__ import annotations

from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.audit import granularity, grim
from benchmark.audit.printed import computed, printed
from benchmark.audit.reported import Cell, Reported, Row, Setting
from tasks.errors import InputError


def one(metric: str, mean: str, setting: Setting, fixed: bool = False) -> Reported:
    return Reported("x", (Row("", "t", "", "", "m", fixed, {metric: Cell(printed(mean))}),), {"t": setting})


PLAIN = Setting(n_sessions=76, n_seeds=5, average="sessions", ties="broken")


def test_the_worked_case_of_the_grim_paper():
    # Brown and Heathers 2017: a mean of 28 whole numbers cannot end in .19 (145/28 = 5.18, 146/28 = 5.21)
    assert not granularity.fits(printed("0.19"), 28)
    assert granularity.fits(printed("0.18"), 28) and granularity.fits(printed("0.21"), 28)


def test_a_published_value_by_hand():
    # 11/76 = 0.14474; 0.1450 x 380 = 55.1 and 55/380 = 0.1447, 56/380 = 0.1474
    assert granularity.fits(printed("0.1447"), 76)
    assert not granularity.fits(printed("0.1450"), 380)
    # 28/228 = 0.1228, 29/228 = 0.1272: only 144/1140 gives 0.1263
    assert not granularity.fits(printed("0.1263"), 228)
    assert granularity.fits(printed("0.1263"), 1140)


@pytest.mark.parametrize("most", range(1, 60))
def test_against_brute_force_under_three_ways_of_rounding(most):
    printable = set()
    with localcontext() as context:
        context.prec = 40
        for count in range(most + 1):
            share = Decimal(count) / Decimal(most)
            printable |= {
                str(share.quantize(Decimal("0.01"), way)) for way in (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_HALF_DOWN)
            }
    for hundredths in range(101):
        text = f"{hundredths / 100:.2f}"
        assert granularity.fits(printed(text), most) == (text in printable), text


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.data(), st.integers(1, 6))
def test_what_is_counted_and_rounded_always_fits(most, data, digits):
    count = data.draw(st.integers(0, most))
    assert granularity.fits(printed(f"{count / most:.{digits}f}"), most)
    assert granularity.fits(computed(count / most), most)


def test_digits_are_respected():
    assert granularity.decides(printed("0.1447"), 380) and not granularity.decides(printed("0.14"), 380)
    few = one("CSH@1", "0.15", PLAIN)
    assert grim.check(few).checked == 0 and "1 left out" in grim.check(few).reason
    # 1.5 digits more: 0.1450 is impossible, 0.145 (three digits: 0.1445 .. 0.1455) is 55/380 = 0.14474
    assert not grim.check(one("CSH@1", "0.145", PLAIN)).findings
    assert grim.check(one("CSH@1", "0.1450", PLAIN)).findings


@pytest.mark.parametrize(
    ("metric", "slots", "most"),
    [("CSH@5", 15, 1), ("TGO@1", 15, 1), ("TGO@5", 15, 5), ("TGO@5", 4, 4), ("TGO@5", None, 5), ("Accuracy", 15, 1)],
)
def test_what_a_session_can_score(metric, slots, most):
    assert granularity.per_session(metric, slots) == most


@pytest.mark.parametrize("metric", ["AUC", "KL", "LogLoss", "CSH@0", "CSH", "TGO@1x"])
def test_other_metrics_have_no_grid(metric):
    assert granularity.per_session(metric, 15) is None


def test_a_finding_shows_the_arithmetic():
    (finding,) = grim.check(one("TGO@3", "0.1250", PLAIN)).findings
    assert finding.severity == "impossible" and finding.metric == "TGO@3"
    # 76 x 3 x 5 = 1140; 0.125 x 1140 = 142.5
    assert finding.arithmetic == (
        "0.1250 x 1140 (76 sessions x 3 slots x 5 seeds) = 142.500; 142/1140 = 0.124561, 143/1140 = 0.125439"
    )


def test_a_deterministic_row_has_the_grid_of_one_run():
    assert not grim.check(one("CSH@1", "0.1474", PLAIN)).findings  # 56/380
    (finding,) = grim.check(one("CSH@1", "0.1474", PLAIN, fixed=True)).findings
    assert "0.1474 x 76 (76 sessions) = 11.202" in finding.arithmetic


def test_what_is_not_declared_is_only_unlikely():
    (finding,) = grim.check(one("CSH@1", "0.1450", Setting(n_sessions=76, n_seeds=5))).findings
    assert finding.severity == "unlikely" and "plain mean over sessions" in finding.what


def test_digits_that_were_cut_off_are_only_unlikely():
    # 55/380 = 0.144737 is printed as 0.1447; cut to 0.1447; 56/380 = 0.147368 is cut to 0.1473, rounded to 0.1474
    (finding,) = grim.check(one("CSH@1", "0.1473", PLAIN)).findings
    assert finding.severity == "unlikely" and "cut off" in finding.what


@pytest.mark.parametrize(
    "change",
    [
        {"average": "users"},
        {"average": None, "ties": "expected"},
        {"average": "users", "ties": "expected"},
        {"n_sessions": None},
        {"n_seeds": None},
    ],
)
def test_without_a_grid_nothing_is_said(change):
    setting = Setting(**{"n_sessions": 76, "n_seeds": 5, "average": "sessions", "ties": "broken", **change})
    outcome = grim.check(one("CSH@1", "0.1450", setting))
    assert outcome.checked == 0 and not outcome.findings and outcome.reason


def test_the_smallest_n_comes_from_deterministic_rows_alone():
    cells = {
        name: Cell(printed(text)) for name, text in (("CSH@1", "0.2727"), ("TGO@1", "0.3939"), ("CSH@3", "0.4242"))
    }
    rows = (
        Row("", "t", "", "", "base", True, cells),
        Row("", "t", "", "", "m", False, {"CSH@1": Cell(printed("0.2788"))}),  # 46/165: not on 1/33
    )
    (finding,) = grim.check(Reported("x", rows, {"t": Setting(n_seeds=5)})).findings
    assert finding.severity == "note" and finding.what.startswith("33 is the smallest number of test sessions")
    assert "0.3939 = 13/33" in finding.arithmetic
    # 1/4 is not printed as 0.1 with one digit; 1/8, 4/8 and 2/8 are printed as 0.1, 0.5 and 0.25
    assert grim.smallest_n([(printed("0.1"), 1), (printed("0.5"), 1), (printed("0.25"), 1)]) == 8


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("0.50", "0.495", "0.505"),
        ("0.5", "0.45", "0.55"),
        ("-1.25", "-1.255", "-1.245"),
        ("2e-3", "0.0015", "0.0025"),
        (".25", "0.245", "0.255"),
        ("3", "2.5", "3.5"),
    ],
)
def test_a_printed_number_stands_for_an_interval(text, low, high):
    found = printed(text)
    assert (found.low, found.high) == (Fraction(low), Fraction(high))


def test_lost_zeros_and_percent():
    assert printed("0.5", 4).half == Fraction(1, 20000) and str(printed("0.5", 4)) == "0.5000"
    assert printed("52.7", percent=True).value == Fraction("0.527")
    assert printed("52.7", percent=True).step == Fraction(1, 1000)
    with pytest.raises(InputError, match="more than 2 digits"):
        printed("0.125", 2)


@pytest.mark.parametrize("text", ["", "a", "nan", "inf", "1e999999999", "1_0", "0x1", "--1", "1" * 60, "0.1.2"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(InputError, match="not a number"):
        printed(text)
    with pytest.raises(InputError, match="not a number"):
        computed(float("nan"))
