"""Ranges, order, uniform, improvement, stars, one run, repeats: each by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from benchmark.audit import copies, granularity, improvement, intervals, one_run, ranges, stars
from benchmark.audit.granularity import hits_at, known
from benchmark.audit.printed import computed, printed
from benchmark.audit.reported import Cell, Interval, Quoted, Reported, Row, Setting


def cell(text: str, sd: str | None = None, given: int | None = None, gain: str | None = None) -> Cell:
    return Cell(printed(text), None if sd is None else printed(sd), given, None if gain is None else printed(gain))


def table(cells: dict[str, Cell], base: dict[str, Cell] | None = None, fixed: bool = False, **known) -> Reported:
    rows = [Row("", "t", "", "", "m", False, cells)]
    if base is not None:
        rows.append(Row("", "t", "", "", "base", fixed, base))
    return Reported("x", tuple(rows), {"t": Setting(**known)}, baseline="base" if base is not None else "")


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        ("JS", "0.6932"),
        ("JS", "-0.001"),
        ("KL", "-0.01"),
        ("AUC", "1.01"),
        ("AUC", "-0.2"),
        ("Accuracy", "1.001"),
        ("Cosine", "1.01"),
        ("Cosine", "-0.5"),
        ("CSH@1", "23.68"),
        ("TGO@10", "1.2"),
        ("LogLoss", "-0.1"),
    ],
)
def test_impossible_values(metric, text):
    (finding,) = ranges.check_range(table({metric: cell(text)})).findings
    assert finding.severity == "impossible" and finding.metric == metric and text in finding.arithmetic


@pytest.mark.parametrize(
    ("metric", "text"),
    [("JS", "0.6931"), ("JS", "0.7"), ("KL", "-0.0"), ("KL", "17.2"), ("AUC", "1.0"), ("Cosine", "1.00"), ("kl", "99")],
)
def test_possible_values(metric, text):
    # 0.7 with one digit may be 0.65 .. 0.75, so that it may be below ln 2
    assert not ranges.check_range(table({metric: cell(text)})).findings


def test_a_metric_that_the_registry_lacks_is_said_to_be_unknown():
    unknown = table({"SED": cell("1.40"), "KL": cell("0.8")})
    (finding,) = ranges.check_range(unknown).findings
    assert (finding.severity, finding.metric) == ("note", "SED") and "does not know the metric" in finding.what
    for gain in ("25.00", "-25.00"):  # either direction may be the better one
        report = table({"SED": cell("0.60", gain=gain)}, {"SED": cell("0.80")}, improvement="gain")
        assert not improvement.check(report).findings
    report = table({"SED": cell("0.60", gain="90.00")}, {"SED": cell("0.80")}, improvement="gain")
    assert improvement.check(report).findings[0].severity == "impossible"
    starred = Cell(printed("0.60"), printed("0.001"), 2, better=True)
    findings = stars.check(table({"SED": starred}, {"SED": cell("0.80")}, True, n_seeds=5)).findings
    assert "impossible" not in {finding.severity for finding in findings}


def test_what_is_known_of_a_metric_comes_from_the_registry():
    assert known("csh @ 7").name == "CSH@7" and known("CSH@7").granularity == 1
    assert known("TGO@10").granularity == 10 and known("log-loss").name == "LogLoss" and known("SED") is None
    assert hits_at("CSH@3") == ("CSH", 3) and hits_at("TGO@3") is None and hits_at("Accuracy") is None
    # granularity of AUC is pairs of slots, which is not a count of sessions
    assert granularity.per_session("AUC", 15) is None and granularity.counts_pairs("AUC")


def test_hints_name_the_usual_reason():
    assert "in bits" in ranges.check_range(table({"JS": cell("0.81")})).findings[0].what
    assert "percent" in ranges.check_range(table({"AUC": cell("66.1")})).findings[0].what


def test_an_sd_that_values_of_that_range_cannot_have():
    # values in 0..1 with mean 0.1: the largest sample SD of 5 is sqrt(0.1 x 0.9 x 5/4) = 0.3354
    known = {"n_seeds": 5}
    assert not ranges.check_range(table({"AUC": cell("0.1000", "0.335")}, **known)).findings
    (finding,) = ranges.check_range(table({"AUC": cell("0.1000", "0.337")}, **known)).findings
    assert "= 0.33" in finding.arithmetic
    assert ranges.check_range(table({"KL": cell("0.1", "-0.1")})).findings[0].what == "an SD is never negative."
    assert not ranges.check_range(table({"KL": cell("0.1", "9.0")})).findings


def test_csh_does_not_fall_with_k():
    outcome = ranges.check_order(table({"CSH@5": cell("0.30"), "CSH@1": cell("0.10"), "CSH@3": cell("0.32")}))
    (finding,) = outcome.findings
    assert outcome.checked == 2 and finding.metric == "CSH@3, CSH@5" and finding.arithmetic == "0.32 > 0.30"
    # TGO@k may fall; numbers that are equal within their digits do not fall
    assert not ranges.check_order(table({"TGO@1": cell("0.5"), "TGO@3": cell("0.3")})).findings
    assert not ranges.check_order(table({"CSH@1": cell("0.3"), "CSH@3": cell("0.28")})).findings


def test_worse_than_uniform_is_noted():
    known = {"n_slots": 15}
    (finding,) = ranges.check_uniform(table({"LogLoss": cell("2.786")}, **known)).findings
    assert finding.severity == "note" and "ln 15 = 2.708" in finding.what
    assert "2.786 - 2.7081 = +0.0779" in finding.arithmetic
    assert not ranges.check_uniform(table({"LogLoss": cell("2.71")}, **known)).findings  # 2.705 .. 2.715
    assert not ranges.check_uniform(table({"LogLoss": Cell(computed(math.log(15)))}, **known)).findings
    assert ranges.check_uniform(table({"LogLoss": cell("1.9")}, uniform_logloss=1.8)).findings
    assert ranges.check_uniform(table({"LogLoss": cell("1.9")})).reason


@pytest.mark.parametrize(
    ("metric", "value", "base", "said", "severity"),
    [
        ("AUC", "0.6607", "0.5893", "12.12", None),  # 0.0714 / 0.5893 = 12.116 %
        ("AUC", "0.6607", "0.5893", "12.1", None),
        ("AUC", "0.66", "0.59", "12.1", None),  # 0.655 / 0.595 = +10.1 .. 0.665 / 0.585 = +13.7
        ("AUC", "0.6607", "0.5893", "12.22", "impossible"),
        ("AUC", "0.6607", "0.5893", "-12.12", "impossible"),
        ("AUC", "0.6607", "0.5893", "7.14", "note"),  # points
        ("AUC", "0.6607", "0.5893", "10.81", "note"),  # of the value itself
        ("AUC", "0.6607", "0.5893", "112.12", "note"),  # the ratio
        ("KL", "0.9986", "1.1033", "9.49", None),  # 0.1047 / 1.1033
        ("KL", "0.9986", "1.1033", "-9.49", None),
        ("KL", "0.9986", "1.1033", "10.48", "note"),  # of the value itself
        ("KL", "0.9986", "1.1033", "11.5", "impossible"),
    ],
)
def test_improvement_against_its_parts(metric, value, base, said, severity):
    outcome = improvement.check(table({metric: cell(value, gain=said)}, {metric: cell(base)}))
    assert outcome.checked == 1
    assert [finding.severity for finding in outcome.findings] == ([severity] if severity else [])


def test_improvement_without_its_parts_is_left_out():
    assert improvement.check(table({"AUC": cell("0.6", gain="3")})).reason
    assert improvement.check(table({"KL": cell("0.6", gain="3")}, {"KL": cell("0.0")})).reason


def test_the_p_of_the_stars_is_that_of_the_paired_test():
    generator = np.random.default_rng(3)
    a, b = generator.normal(0.3, 0.1, 5), generator.normal(0.2, 0.1, 5)
    expected = scipy_stats.ttest_rel(a, b).pvalue
    assert stars.p_value(np.mean(a - b), np.std(a - b, ddof=1), 5) == pytest.approx(expected)
    assert stars.critical(5, 0.05) == pytest.approx(2.7764, abs=1e-4)
    assert stars.critical(5, 0.01) == pytest.approx(4.6041, abs=1e-4)


def test_the_correlation_that_is_needed():
    # var(a - b) = 0.04 + 0.01 - 2 r 0.02 <= 0.03 needs r >= 0.5
    assert stars.needed_correlation(0.2, 0.1, math.sqrt(0.03)) == pytest.approx(0.5)
    assert stars.needed_correlation(0.2, 0.1, 0.0999) is None
    assert stars.needed_correlation(0.2, 0.1, 0.4) == -1.0
    assert stars.needed_correlation(0.2, 0.0, 0.3) == -1.0 and stars.needed_correlation(0.2, 0.0, 0.1) is None
    assert stars.needed_correlation(0.2, None, 0.2) == -1.0
    # with the other SD free the least is sqrt(1 - (D / sd)^2), compared with a fine grid of SDs
    grid = [stars.needed_correlation(0.2, sd, 0.12) for sd in np.linspace(0.001, 1, 4000)]
    least = min(r for r in grid if r is not None)
    assert stars.needed_correlation(0.2, None, 0.12) == pytest.approx(0.8) == pytest.approx(least, abs=1e-5)


def test_the_chance_of_a_correlation():
    generator = np.random.default_rng(5)
    draws = generator.normal(size=(2, 200_000, 5))
    draws -= draws.mean(axis=2, keepdims=True)
    r = (draws[0] * draws[1]).sum(axis=1) / np.sqrt((draws[0] ** 2).sum(axis=1) * (draws[1] ** 2).sum(axis=1))
    for least in (-0.5, 0.0, 0.6, 0.9):
        assert stars.correlation_chance(least, 5) == pytest.approx(np.mean(r >= least), abs=0.005)
    assert stars.correlation_chance(0.99, 2) == 0.5 and stars.correlation_chance(1.0, 5) == 0.0
    assert stars.correlation_chance(-1.0, 5) == 1.0


def starred(mean: str, sd: str, given: int, base: str, base_sd: str | None = None, fixed: bool = False):
    return stars.check(table({"AUC": cell(mean, sd, given)}, {"AUC": cell(base, base_sd)}, fixed, n_seeds=5))


def test_stars_against_a_fixed_baseline():
    # d = 0.0921, SD 0.053: t = 0.0921 sqrt(5) / 0.053 = 3.89, p = 0.018: one star
    assert [f.severity for f in starred("0.2368", "0.053", 1, "0.1447", fixed=True).findings] == ["note"]
    (two,) = starred("0.2368", "0.053", 2, "0.1447", fixed=True).findings
    assert two.severity == "impossible" and "|t| > 4.604" in two.arithmetic and "at most 0.0448" in two.arithmetic
    (none,) = starred("0.2368", "0.053", 0, "0.1447", fixed=True).findings
    assert none.severity == "impossible" and "no star" in none.what
    # SD 0: every difference is the same and t has no end
    assert [f.severity for f in starred("0.1316", "0.000", 2, "0.1184", fixed=True).findings] == ["note"]


def test_stars_with_both_sds():
    # one star needs an SD of differences of at most 0.1 sqrt(5) / 2.776 = 0.0805
    assert not starred("0.300", "0.060", 1, "0.200", "0.060").findings  # r >= 0.10
    (close,) = starred("0.300", "0.300", 1, "0.200", "0.300").findings
    # r = 0.964 of 5 independent pairs: t = 0.964 sqrt(3 / (1 - 0.929)) = 6.3 with 3 degrees, p = 0.004
    assert close.severity == "note" and "correlate by 0.96" in close.what and "chance 0.004" in close.what
    (closer,) = starred("0.300", "0.600", 1, "0.200", "0.600").findings
    assert closer.severity == "unlikely" and "correlate by 0.99" in closer.what
    (never,) = starred("0.300", "0.300", 1, "0.200", "0.100").findings
    assert never.severity == "impossible" and "whatever the correlation" in never.what
    # even at correlation -1 the SD of differences is 0.02 and p = 0.0004
    (missing,) = starred("0.300", "0.010", 1, "0.200", "0.010").findings
    assert missing.severity == "impossible" and "1 star only" in missing.what


def test_stars_with_one_sd():
    assert not starred("0.300", "0.060", 1, "0.200").findings
    (finding,) = starred("0.300", "0.600", 1, "0.200").findings
    assert finding.severity == "unlikely" and "suits them best" in finding.what
    # without the baseline's SD nothing can be missing
    assert not starred("0.300", "0.001", 0, "0.200").findings
    assert stars.check(table({"AUC": cell("0.3", None, 1)}, {"AUC": cell("0.2")}, n_seeds=5)).reason


def test_rounding_favours_the_report():
    # as printed p = 0.0102 with the baseline fixed; within rounding it is 0.0098
    (finding,) = starred("0.1974", "0.045", 2, "0.1053", fixed=True).findings
    assert finding.severity == "note" and "0 with the numbers as printed" in finding.what


def test_the_chance_of_a_whole_count_by_brute_force():
    assert one_run.chance(printed("0.1447"), None, 76, 5) == pytest.approx(0.2)
    assert one_run.chance(printed("0.1447"), printed("0.000"), 76, 5) == pytest.approx(1.0)
    generator = np.random.default_rng(0)
    for spread in (0.3, 0.7, 1.5):
        # spread in counts of 1000; the reported SD's lower end is used, so half a digit is added
        draws = np.floor(generator.uniform(size=(40_000, 1)) + generator.normal(0, spread, (40_000, 5)) + 0.5)
        share = np.mean(draws.sum(axis=1) % 5 == 0)
        sd = printed(f"{spread / 1000 + 0.0000005:.7f}", 7)
        assert one_run.chance(printed("0.14470"), sd, 1000, 5) == pytest.approx(share, abs=0.01)


def test_the_tail_of_unequal_chances():
    chances = [0.2, 0.5, 0.9]
    every = {
        k: sum(
            np.prod([p if bit >> i & 1 else 1 - p for i, p in enumerate(chances)])
            for bit in range(8)
            if bit.bit_count() == k
        )
        for k in range(4)
    }
    for k in range(5):
        assert one_run.tail(chances, k) == pytest.approx(sum(v for n, v in every.items() if n >= k))
    assert one_run.tail([0.2] * 100, 100) == pytest.approx(0.2**100)


def seeds_table(whole: int, others: int, fixed: bool = False) -> Reported:
    """Return a table over 100 sessions and 5 seeds with so many whole counts, and so many on the grid of 1/500."""
    rows = [
        Row("", "t", "", "", f"m{i}", fixed, {"Accuracy": cell(f"{0.2 + i / 100 + (0.002 if i >= whole else 0):.4f}")})
        for i in range(whole + others)
    ]
    return Reported("x", tuple(rows), {"t": Setting(n_sessions=100, n_seeds=5)})


def test_too_many_whole_counts_are_found():
    (finding,) = one_run.check(seeds_table(8, 1)).findings
    assert finding.severity == "unlikely" and "8 of 9 values" in finding.what and "0.2020" not in finding.what
    assert f"{one_run.tail([0.2] * 9, 8):.2g}" in finding.arithmetic and "chance 0.20" in finding.arithmetic
    assert not one_run.check(seeds_table(4, 4)).findings
    assert not one_run.check(seeds_table(9, 0, fixed=True)).findings


def test_a_value_that_another_metric_repeats_counts_once():
    rows = [
        Row("", "t", "", "", f"m{i}", False, {name: cell(f"{0.2 + i / 100:.4f}") for name in ("CSH@1", "Accuracy")})
        for i in range(4)
    ]
    # 4 distinct values: 0.2^4 = 0.0016 is not below one in a thousand, 0.2^8 would be
    assert not one_run.check(Reported("x", tuple(rows), {"t": Setting(n_sessions=100, n_seeds=5)})).findings
    rows += [Row("", "t", "", "", "m", False, {"Accuracy": cell("0.5000")})]
    (finding,) = one_run.check(Reported("x", tuple(rows), {"t": Setting(n_sessions=100, n_seeds=5)})).findings
    assert (
        "9 of 9 values" in finding.what and "5 or more of 5 that differ within their row: 0.00032" in finding.arithmetic
    )


def test_entries_that_contradict_each_other():
    def rows(first: str, second: str) -> Reported:
        cells = [{"KL": cell(text)} for text in (first, second)]
        return Reported("x", tuple(Row(str(i), "t", "", "", "m", False, c) for i, c in enumerate(cells, start=1)))

    assert not copies.check_repeats(rows("1.22", "1.2187")).findings
    (finding,) = copies.check_repeats(rows("1.2187", "1.2178")).findings
    assert finding.severity == "unlikely" and finding.arithmetic == "1.2178 - 1.2187 = -0.0009"


@pytest.mark.parametrize(
    ("mean", "low", "high", "own", "said"),
    [
        ("0.50", "0.40", "0.60", True, None),
        ("0.45", "0.40", "0.60", True, "not the middle"),  # 0.50, or 2 x 0.24 / 1 = 0.48
        ("0.50", "0.40", "0.61", True, None),  # 0.405 and 0.605 would be printed so
        ("0.48", "0.40", "0.60", True, None),
        ("0.50", "0.40", "0.90", False, None),
        ("0.38", "0.40", "0.60", False, "outside"),
        ("0.62", "0.40", "0.60", True, "outside"),
        ("0.40", "0.40", "0.60", False, None),
        ("0.50", "0.60", "0.40", False, "above the upper end"),
    ],
)
def test_means_and_their_intervals(mean, low, high, own, said):
    interval = Interval(printed(low), printed(high), own)
    outcome = intervals.check(table({"KL": Cell(printed(mean), interval=interval), "JS": cell("0.2")}))
    assert outcome.checked == 1
    assert [f.severity for f in outcome.findings] == (["impossible"] if said else [])
    assert not said or said in outcome.findings[0].what


def test_an_interval_that_leaves_the_range_is_noted_and_not_impossible():
    given = {"Accuracy": ("-0.01", "0.11"), "AUC": ("0.50", "1.00"), "KL": ("-0.2", "9.0"), "JS": ("0.1", "0.2")}
    cells = {m: Cell(printed("0.50"), interval=Interval(printed(a), printed(b))) for m, (a, b) in given.items()}
    outcome = intervals.check_range(table({**cells, "SED": cells["KL"]}))
    assert outcome.checked == 4
    assert [(f.severity, f.metric) for f in outcome.findings] == [("note", "Accuracy"), ("note", "KL")]


@pytest.mark.parametrize(("second", "found"), [("0.3", 1), ("0.31", 0)])
def test_metrics_that_are_the_same_in_rows_that_differ(second, found):
    rows = [
        Row("", "t", "", "", name, False, {"CSH@1": cell(value), "Accuracy": cell(value if name != "c" else second)})
        for name, value in {"a": "0.1", "b": "0.2", "c": "0.3"}.items()
    ]
    outcome = copies.check_coinciding(Reported("x", tuple(rows)))
    assert [f.severity for f in outcome.findings] == ["note"] * found  # no other rows say how rare it is
    assert not copies.check_coinciding(Reported("x", tuple(rows[:2]))).findings  # two values are too few


def test_quoted_numbers_are_those_of_their_source():
    def found(text, *originals, difference=None, own=None):
        quoted = Quoted(
            printed(text),
            tuple(map(printed, originals)),
            None if difference is None else printed(difference),
            None if own is None else printed(own),
        )
        return copies.check_quoted(table({"KL": Cell(printed("1.000"), quoted=quoted)}))

    assert found("0.9986", "0.9986").findings == [] and found("0.9986").reason
    assert found("0.999", "0.9986").findings == []  # rounded by whoever quotes it
    assert found("0.9986", "0.5", "0.9986").findings == []
    (finding,) = found("0.9968", "0.9986").findings
    assert finding.arithmetic == "quoted 0.9968, there 0.9986"
    fine = found("0.9986", "0.9986", difference="+0.001", own="1.000")
    assert fine.findings == [] and fine.checked == 2
    (finding,) = found("0.9986", "0.9986", difference="-0.001", own="1.000").findings
    assert finding.arithmetic == "1.000 - 0.9986 = +0.0014, not -0.001"


@pytest.mark.parametrize(
    ("metric", "gain", "meaning", "right"),
    [
        ("KL", "10.0", "gain", True),
        ("KL", "-10.0", "gain", False),
        ("KL", "-10.0", "change", True),
        ("KL", "10.0", "change", False),
        ("KL", "10.0", None, True),
        ("KL", "-10.0", None, True),
        ("AUC", "-10.0", "gain", True),
        ("AUC", "10.0", "gain", False),
        ("AUC", "10.0", None, False),
    ],
)
def test_the_sign_of_an_improvement_is_held_against_what_the_report_says_of_it(metric, gain, meaning, right):
    report = table({metric: cell("0.900", gain=gain)}, {metric: cell("1.000")}, improvement=meaning)
    findings = improvement.check(report).findings
    assert bool(findings) != right
    assert right or (findings[0].severity, findings[0].what) == ("impossible", "the improvement has the wrong sign.")


def test_an_improvement_to_nothing_is_checked():
    """A value of 0 is worse by all of the baseline."""
    assert improvement.check(table({"CSH@1": cell("0.000", gain="-100.0")}, {"CSH@1": cell("0.200")})).findings == []
    assert improvement.check(table({"CSH@1": cell("0.000", gain="-50.0")}, {"CSH@1": cell("0.200")})).findings


def test_stars_that_mark_the_wrong_direction():
    def judged(metric, value, better):
        starred = Cell(printed(value), printed("0.001"), 2, better=better)
        found = stars.check(table({metric: starred}, {metric: cell("0.500")}, fixed=True, n_seeds=5)).findings
        return [f.what for f in found if f.severity == "impossible"]

    assert judged("AUC", "0.600", True) == judged("KL", "0.400", True) == judged("KL", "0.600", None) == []
    assert judged("KL", "0.600", False) == judged("AUC", "0.400", False) == []
    assert judged("KL", "0.600", True) == ["the stars are said to mark a gain, which it is not."]
    assert judged("AUC", "0.600", False) == ["the stars are said to mark a loss, which it is not."]


def test_the_same_entry_of_other_runs_may_be_another_number():
    def rows(*trials):
        cells = ({"KL": cell("1.000")}, {"KL": cell("1.100")})
        return tuple(
            Row(str(i), "t", "", "", "m", False, values, trials=made)
            for i, (values, made) in enumerate(zip(cells, trials, strict=True))
        )

    assert len(copies.check_repeats(Reported("x", rows((), ()))).findings) == 1
    assert len(copies.check_repeats(Reported("x", rows(("a",), ("a", "b")))).findings) == 1
    assert copies.check_repeats(Reported("x", rows(("a", "c"), ("a", "b")))).findings == []


def test_values_without_a_star_are_not_said_to_have_some():
    plain = Cell(printed("0.510"), printed("0.100"), 0)
    (finding,) = stars.check(table({"AUC": plain}, {"AUC": cell("0.500")}, fixed=True, n_seeds=5)).findings
    assert finding.severity == "note" and finding.what.startswith("none of 1 values has a star")
    p = scipy_stats.t.sf(0.010 / (0.100 / math.sqrt(5)), 4) * 2
    assert finding.arithmetic.endswith(f"p = {p:.3g}")
