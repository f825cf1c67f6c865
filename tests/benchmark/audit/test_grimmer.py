"""GRIMMER by hand and against every set of small counts."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.audit import grimmer
from benchmark.audit.printed import printed
from benchmark.audit.reported import Cell, Reported, Row, Setting


def test_three_counts_of_total_six_by_hand():
    # (2,2,2) 12, (1,2,3) 14, (0,3,3) and (1,1,4) 18, (0,2,4) 20, (0,1,5) 26, (0,0,6) 36: all even as the total is
    squares = [q for q in range(60) if grimmer.reachable(3, 6, q, q, 10)]
    assert squares == [12, 14, 18, 20, 26, 36]
    # SD over three tenths: sqrt(2/2)/10 = 0.1 can be, sqrt(4/2)/10 = 0.141 is even and cannot
    assert grimmer.possible(printed("0.200"), printed("0.100"), 10, 3, 1)
    assert not grimmer.possible(printed("0.200"), printed("0.141"), 10, 3, 1)
    # as a population SD sqrt(4/3)/10 = 0.115 cannot be, sqrt(2/3)/10 = 0.082 can
    assert grimmer.possible(printed("0.200"), printed("0.082"), 10, 3, 0)
    assert not grimmer.possible(printed("0.200"), printed("0.115"), 10, 3, 0)


def test_a_mean_between_counts_has_an_sd():
    # 56 over 5 seeds: at best 11, 11, 11, 11, 12, whose SD is sqrt(0.8/4)/76 = 0.0059
    assert not grimmer.possible(printed("0.1474"), printed("0.000"), 76, 5, 1)
    assert not grimmer.possible(printed("0.1474"), printed("0.005"), 76, 5, 1)
    assert grimmer.possible(printed("0.1474"), printed("0.006"), 76, 5, 1)


def test_odd_and_even():
    # the squared deviations of whole counts with a whole mean are even in sum: 1 has SD sqrt(1/4)/100 = 0.005
    assert not grimmer.possible(printed("0.2000"), printed("0.0050"), 100, 5, 1)
    assert grimmer.possible(printed("0.2000"), printed("0.0071"), 100, 5, 1)


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 2, 5, 7])
@pytest.mark.parametrize("seeds", [2, 3, 4, 5])
@pytest.mark.parametrize("degrees", [0, 1])
def test_against_every_set_of_counts(most, seeds, degrees):
    # digits of two: every set of counts is compared with every mean and SD that could be printed
    variances = defaultdict(set)
    for counts in combinations_with_replacement(range(most + 1), seeds):
        total, squares = sum(counts), sum(c * c for c in counts)
        variances[Fraction(total, seeds * most)].add(
            (squares - Fraction(total * total, seeds)) / ((seeds - degrees) * most * most)
        )
    for hundredths in range(0, 101, 7 if most > 2 else 3):
        mean = printed(f"{hundredths / 100:.2f}")
        near = [v for share, found in variances.items() if mean.low <= share <= mean.high for v in found]
        for thousandths in range(0, 75, 1):
            sd = printed(f"{thousandths / 100:.2f}")
            expected = any(max(Fraction(0), sd.low) ** 2 <= v <= sd.high**2 for v in near)
            assert grimmer.possible(mean, sd, most, seeds, degrees) == expected, (str(mean), str(sd))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(1, 300), st.integers(0, 2**31), st.integers(0, 1))
def test_counts_that_were_there_are_never_refuted(seeds, most, seed, degrees):
    counts = np.random.default_rng(seed).integers(0, most + 1, size=seeds)
    mean, sd = np.mean(counts / most), np.std(counts / most, ddof=degrees)
    assert grimmer.possible(printed(f"{mean:.4f}"), printed(f"{sd:.3f}"), most, seeds, degrees)


@pytest.mark.parametrize(("seeds", "most"), [(30, 10_000), (300, 50), (5, 10_000_000)])
def test_large_tables_are_answered_at_once(seeds, most):
    assert grimmer.possible(printed("0.5000"), printed("0.100"), most, seeds, 1)


def cells(sd: str, kind: str | None = "sample") -> Reported:
    setting = Setting(n_sessions=76, n_seeds=5, average="sessions", ties="broken", sd=kind)
    row = Row("4", "t", "", "", "m", False, {"CSH@1": Cell(printed("0.1579"), printed(sd))})
    return Reported("x", (row,), {"t": setting})


def test_a_finding_shows_the_nearest_sums():
    # 60 over 5 seeds, whole mean: sums of squared deviations are 0, 2, 4, ...; SD 0.0111 needs 2.77 .. 2.92
    (finding,) = grimmer.check(cells("0.0111")).findings
    assert finding.severity == "impossible"
    assert "must sum to 2.82 .. 2.87" in finding.arithmetic
    assert "2.00 (SD 0.00930)" in finding.arithmetic and "4.00 (SD 0.01316)" in finding.arithmetic
    assert not grimmer.check(cells("0.0093")).findings


def test_the_kind_of_sd_is_found_where_it_is_not_said():
    # sqrt(2/4)/76 = 0.0093; as a population SD it would be sqrt(2/5)/76 = 0.0083
    (finding,) = grimmer.check(cells("0.009", None)).findings
    assert finding.severity == "note" and "fit as sample SDs" in finding.what
    (finding,) = grimmer.check(cells("0.0083", None)).findings
    assert "fit as population SDs" in finding.what
    (finding,) = grimmer.check(cells("0.009", "population")).findings
    assert finding.severity == "impossible"


def test_one_seed_has_no_sd_to_check():
    table = cells("0.009")
    row = Row("", "t", "", "", "m", True, table.rows[0].cells)
    outcome = grimmer.check(Reported("x", (row,), table.settings))
    assert outcome.checked == 0 and outcome.reason
