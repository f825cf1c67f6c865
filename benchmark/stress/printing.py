"""What stress tests found, as a document."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.metrics import all_metrics
from benchmark.metrics.registry import given
from benchmark.output.document import Document, Grid, GridColumn, row
from benchmark.output.numbers import interval, number, p_value
from benchmark.stress.records import StressResults, StressRow

TITLES = {
    "relabel": "relabel: the labels on the screen are dealt again. Does the answer follow the item or the label?",
    "swap-users": "swap-users: each user is given another user's prompt or habits. Is the gain personal?",
    "label-leak": "label-leak: attention is computed for a label that is offered. How much of it comes out again?",
    "layout": "layout: the columns are mirrored. Position or content?",
}
HEADERS = ("simulator", "measure", "value", "95 %", "p", "n")


def title(test: str) -> str:
    """Return the heading of a test."""
    task = test.removeprefix("transfer ")
    return TITLES.get(test, f"transfer: prompts tuned on this task, used on {task}. How much of the tuning transfers?")


def document(found: StressResults, tests: Sequence[str], simulators: Sequence[str] | None = None) -> Document:
    """Return some tests as tables, in this order, each with its readings; None shows all simulators."""
    columns = tuple(GridColumn(name, "left" if i < 2 else "right", key=i < 2) for i, name in enumerate(HEADERS))
    grids = []
    for test in tests:
        rows = [r for r in found.rows if r.test == test and (simulators is None or r.simulator in simulators)]
        lines = [row(*line) for line in numbers(rows)]
        notes = readings(rows) if lines else ("It applies to none of the simulators.", *readings(rows))
        grids.append(Grid(columns if lines else (), tuple(lines), heading=title(test), notes=tuple(notes)))
    return Document(
        title=f"{found.task}, split {found.split}: stress tests, seed {found.seed}",
        notices=(found.notice,) if found.notice else (),
        grids=tuple(grids),
        legend=(
            "Mean over users with the 95 % bootstrap interval over users; p: paired t-test over users, uncorrected "
            "(shares: against chance); n: sessions.",
            *given(m for m in all_metrics() if any(one.measure.startswith(m.name + m.arrow) for one in found.rows)),
        ),
    )


def numbers(rows: Sequence[StressRow]) -> list[tuple[str, ...]]:
    """Return the cells of the rows that hold a number, below ``HEADERS``."""
    return [
        (r.simulator, r.measure, number(r.value), interval(r.low, r.high), p_value(r.p), str(r.n))
        for r in rows
        if r.value is not None
    ]


def readings(rows: Sequence[StressRow]) -> list[str]:
    """Return one sentence per simulator: how its first row is to be read, or why there is none."""
    first: dict[str, StressRow] = {}
    for one in rows:
        first.setdefault(one.simulator, one)
    return [f"{name}: {one.reading}" for name, one in first.items()]
