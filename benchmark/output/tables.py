"""Results as tables: for the terminal, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from benchmark.metrics import Metric, all_metrics
from benchmark.output.latex import booktabs, escape_latex
from benchmark.output.units import counted
from benchmark.scores.results import ComparisonResult, MetricResult, Results, SimulatorResult
from benchmark.statistics.registry import INTERVALS, MAIN_INTERVAL, TESTS
from tasks.errors import unknown_name

BEST = "*"
SIGNIFICANT = "†"


def render(results: Results, format: str) -> str:
    """Return the results in one of the formats ``terminal``, ``markdown``, ``latex`` and ``csv``."""
    renderers = {"terminal": terminal, "markdown": markdown, "latex": latex, "csv": as_csv}
    if format not in renderers:
        raise unknown_name("format", format, renderers)
    return renderers[format](results)


def terminal(results: Results, width: int | None = None) -> str:
    """Return the table that ``run`` prints.

    Args:
        results: The results.
        width: Characters a line may have; a wider table is broken into blocks of columns. None never breaks.
    """
    from tabulate import tabulate

    blocks = [_claimed(results)]
    bodies = [""]
    while blocks:
        metrics = blocks.pop(0)
        body = tabulate(
            _cells(results, metrics),
            headers=_headers(metrics),
            tablefmt="simple",
            disable_numparse=True,
            preserve_whitespace=True,
            colalign=_align(metrics),
        )
        if width is not None and len(metrics) > 1 and max(map(len, body.splitlines())) > width:
            half = -(-len(metrics) // 2)
            blocks[:0] = [metrics[:half], metrics[half:]]
        else:
            bodies += [body, ""]
    return "\n".join([*_heading(results), *bodies, *_legend(results)])


def markdown(results: Results) -> str:
    """Return the page ``table.md``: the means, then the intervals, then the comparisons."""
    from tabulate import tabulate

    metrics = _claimed(results)

    def table(rows: list[list[str]], headers: list[str]) -> str:
        align = ("left", *["right"] * (len(headers) - 1))
        return tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True, colalign=align)

    heading = _heading(results)
    comparisons = [
        [f"{c.simulator} - {results.reference}", *comparison_cells(c)]
        for c in results.comparisons
        if c.metric in results.family
    ]
    parts = [
        f"# {heading[0]}",
        *heading[1:],
        table(_cells(results, metrics), _headers(metrics)),
        "\n".join(f"- {line}" for line in _legend(results)),
    ]
    for one in (MAIN_INTERVAL, *INTERVALS):
        rows = [
            [row.name, *[_interval(row.metrics.get(m.name), one.name) for m in metrics]] for row in results.simulators
        ]
        parts += [f"## Mean and {one.title} over users", table(rows, _headers(metrics))]
    if comparisons:
        parts += [f"## Paired over users, against {results.reference}", table(comparisons, ["pair", *COMPARED])]
    return "\n\n".join(parts) + "\n"


def latex(results: Results) -> str:
    """Return a booktabs table."""
    from tabulate import tabulate

    metrics = _claimed(results)
    headers = ["simulator", *[escape_latex(f"{m.name} {m.arrow}") for m in metrics]]
    rows = [[escape_latex(cell) for cell in row] for row in _cells(results, metrics)]
    body = tabulate(rows, headers=headers, tablefmt="latex_raw", disable_numparse=True, colalign=_align(metrics))
    return "\n".join([*[f"% {line}" for line in [*_heading(results), *_legend(results)]], booktabs(body)])


def as_csv(results: Results) -> str:
    """Return one row per simulator and metric with mean, interval and seed SD."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [
        "task",
        "version",
        "split",
        "simulated",
        "simulator",
        "ranked",
        "metric",
        "mean",
        "low",
        "high",
        "seed_sd",
    ]
    writer.writerow([*columns, "n_users"])
    for row in results.simulators:
        for name, m in row.metrics.items():
            where = [results.task, results.version, results.split, bool(results.notice), row.name, row.ranked, name]
            writer.writerow([*where, m.mean, m.low, m.high, m.seed_sd, m.n_users])
    return text.getvalue().rstrip("\n")


def _claimed(results: Results) -> list[Metric]:
    """Return the metrics that at least one simulator claims."""
    return [m for m in all_metrics() if any(m.name in row.metrics for row in results.simulators)]


def _headers(metrics: Sequence[Metric]) -> list[str]:
    return ["simulator", *[f"{m.name}{m.arrow}" for m in metrics]]


def _align(metrics: Sequence[Metric]) -> tuple[str, ...]:
    return ("left", *["right"] * len(metrics))


def _heading(results: Results) -> list[str]:
    """Return what the table is about; simulated data is named before any number."""
    users = f"{counted(results.n_sessions, 'test session')} of {counted(results.n_users, 'user')}"
    lines = [f"{results.title} ({results.task} {results.version}), split {results.split}: {users}"]
    return lines + ([f"NOTE: {results.notice}"] if results.notice else [])


def _cells(results: Results, metrics: Sequence[Metric]) -> list[list[str]]:
    """Return the body: ranked rows, unranked rows in brackets, what the test set resolves."""
    significant = {
        (c.simulator, c.metric) for c in results.comparisons if c.p_holm is not None and c.p_holm <= results.alpha
    }
    best = {m.name: _best(results, m) for m in metrics}
    rows = []
    for row in sorted(results.simulators, key=lambda r: not r.ranked):
        cells = []
        for m in metrics:
            value = row.metrics.get(m.name)
            # Every cell ends in two mark columns, so that the decimals of a column stay below each other.
            marks = BEST if row.ranked and value is not None and value.mean == best[m.name] else " "
            marks += SIGNIFICANT if (row.name, m.name) in significant else " "
            cells.append("" if value is None else number(value.mean) + marks)
        rows.append([row.name if row.ranked else f"({row.name})", *cells])
    resolved = [results.resolution.get(m.name) for m in metrics]
    if any(value is not None for value in resolved):
        rows.append(["resolves", *["" if value is None else number(value) + "  " for value in resolved]])
    return rows


def _best(results: Results, metric: Metric) -> float | None:
    """Return the best mean among ranked simulators, compared as printed."""
    means = [row.metrics[metric.name].mean for row in results.simulators if row.ranked and metric.name in row.metrics]
    if not means:
        return None
    return max(means) if metric.higher_is_better else min(means)


def _legend(results: Results) -> list[str]:
    """Return what the marks mean, as far as they occur."""
    names = {row.name for row in results.simulators}
    lines = [f"Mean over users. ↑ higher is better, ↓ lower is better; {BEST} best of a column."]
    if results.comparisons:
        lines[0] += (
            f" {SIGNIFICANT} differs from {results.reference} on {', '.join(results.family)}:"
            f" paired t-test over users, Holm-corrected, p <= {results.alpha:g}."
        )
    if any(value is not None for value in results.resolution.values()):
        lines.append("resolves: the smallest difference from the reference that this test set shows with 80 % power.")
    unranked: list[SimulatorResult] = [row for row in results.simulators if not row.ranked]
    if unranked:
        lines.append("In brackets and never ranked: oracles, which see the test gaze or cursor, and label attention.")
    sds = [m.seed_sd for row in results.simulators for m in row.metrics.values() if m.seed_sd is not None]
    if sds:
        lines.append(f"{len(results.seeds)} seeds; the SD over seeds of a mean is at most {max(sds):.3f}.")
    elif names and len(results.seeds) > 1:
        lines.append("All of these simulators are deterministic: one seed tells all.")
    elif names:
        lines.append("One seed: how far a stochastic simulator varies over seeds is not seen.")
    return lines


def number(value: float) -> str:
    """Return three decimals; what rounds to zero has no sign."""
    text = f"{value:.3f}"
    return text.lstrip("-") if float(text) == 0 else text


def _interval(value: MetricResult | None, name: str) -> str:
    if value is None:
        return ""
    low, high = (value.low, value.high) if name == MAIN_INTERVAL.name else value.intervals.get(name, (None, None))
    return number(value.mean) + ("" if low is None or high is None else f" [{number(low)}, {number(high)}]")


COMPARED = (
    "metric",
    "difference",
    *(one.title for one in (MAIN_INTERVAL, *INTERVALS, *TESTS)),
    "Holm",
    "resolves",
)
"""The columns of a table of comparisons, after what is compared."""


def comparison_cells(c: ComparisonResult) -> list[str]:
    """Return the cells of a comparison below ``COMPARED``; blank where a statistic was not computed."""
    limits = [(c.low, c.high), *(c.intervals.get(one.name, (None, None)) for one in INTERVALS)]
    return [
        c.metric,
        f"{c.difference:+.3f}",
        *("" if low is None or high is None else f"{low:+.3f} .. {high:+.3f}" for low, high in limits),
        *(p_value(p) for p in (*(c.tests.get(one.name) for one in TESTS), c.p_holm)),
        "" if c.smallest_difference is None else number(c.smallest_difference),
    ]


def p_value(value: float | None) -> str:
    """Return a p value with three decimals, empty if there is none."""
    if value is None:
        return ""
    return "<0.001" if value < 0.001 else f"{value:.3f}"
