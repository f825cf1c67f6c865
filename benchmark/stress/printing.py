"""Stress rows for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from benchmark.stress.records import StressResults, StressRow

TITLES = {
    "relabel": "relabel: the labels on the screen are dealt anew. Does the answer follow the item or the label?",
    "swap-users": "swap-users: each user is given another user's prompt or habits. Is the gain personal?",
    "label-leak": "label-leak: attention is computed for a label that is offered. How much of it comes out again?",
    "layout": "layout: the columns are mirrored. Position or content?",
}


def title(test: str) -> str:
    """Return the heading of a test."""
    task = test.removeprefix("transfer ")
    return TITLES.get(test, f"transfer: prompts tuned on this task, used on {task}. What of the tuning goes along?")


def terminal(found: StressResults, tests: Sequence[str], simulators: Sequence[str] | None = None) -> str:
    """Return the rows of some tests as tables, each with its readings.

    Args:
        found: What was found.
        tests: Which tests, in this order.
        simulators: Which simulators; None for all.
    """
    lines = [f"{found.task}, split {found.split}: stress tests, seed {found.seed}"]
    lines += [f"NOTE: {found.notice}"] if found.notice else []
    for test in tests:
        rows = [r for r in found.rows if r.test == test and (simulators is None or r.simulator in simulators)]
        lines += ["", title(test), "", table(rows), "", *readings(rows)]
    lines += [
        "",
        "Mean over users with the 95 % bootstrap interval over users; p: paired t-test over users, uncorrected "
        "(shares: against chance); n: sessions.",
    ]
    return "\n".join(lines)


def table(rows: Sequence[StressRow]) -> str:
    """Return the rows that hold a number as a table."""
    cells = [
        (r.simulator, r.measure, number(r.value), interval(r), p_value(r.p), r.n) for r in rows if r.value is not None
    ]
    if not cells:
        return "It applies to none of the simulators."
    names = ("simulator", "measure", "value", "95 %", "p", "n")
    return tabulate(cells, names, disable_numparse=True, colalign=("left", "left", "right", "right", "right", "right"))


def readings(rows: Sequence[StressRow]) -> list[str]:
    """Return one sentence per simulator: how its first row is to be read, or why there is none."""
    first: dict[str, StressRow] = {}
    for row in rows:
        first.setdefault(row.simulator, row)
    return [f"{name}: {row.reading}" for name, row in first.items()]


def number(value: float | None) -> str:
    """Return a value with three decimals, empty without one."""
    return "" if value is None else f"{value + 0.0:.3f}".replace("-0.000", "0.000")


def interval(row: StressRow) -> str:
    """Return the interval of a row, empty without one."""
    return "" if row.low is None or row.high is None else f"[{number(row.low)}, {number(row.high)}]"


def p_value(p: float | None) -> str:
    """Return p with four decimals, empty without one."""
    return "" if p is None else "<0.0001" if p < 0.0001 else f"{p:.4f}"
