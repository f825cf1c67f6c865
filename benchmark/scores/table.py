"""The table of a run as a document: a row per simulator, a column per metric, family by family."""

from collections.abc import Iterator, Sequence

from benchmark.metrics import Metric, all_metrics
from benchmark.metrics.families import FAMILIES, family
from benchmark.metrics.registry import given
from benchmark.naming import STATED
from benchmark.output.document import CsvRow, Document, Grid, GridCell, GridColumn, row
from benchmark.output.rendering import render
from benchmark.output.units import counted, interval, number, p_value
from benchmark.scores import verdict
from benchmark.scores.results import ComparisonResult, MetricResult, Results, to_values
from benchmark.scores.verdict import BETTER, WORSE
from benchmark.statistics.registry import INTERVALS, MAIN_INTERVAL, TESTS
from tasks.errors import InputError

BEST = "*"
FEW = 8
"""Tested screens below which a table says what that can carry."""

_CSV = (
    *("task", "version", "split", "simulated", "simulator", "ranked"),
    *("metric", "mean", "low", "high", "seed_sd", "n_users"),
)


def document(results: Results, families: Sequence[str] | None = None, *, whole: bool = False) -> Document:
    """Return the table of a run with some families of metrics, None for all; CSV and JSON hold every metric.

    The ``whole`` has the intervals too, and the comparisons with the reference. InputError if a family is unknown, or
    no simulator is measured by a metric of them.
    """
    metrics = metrics_of(results, families)
    grids = [_means(results, metrics)]
    if whole:
        grids += [*_intervals(results, metrics), *_comparisons(results, metrics)]
    return Document(
        title=title_of(results),
        notices=(results.notice,) if results.notice else (),
        grids=tuple(grids),
        verdict=tuple(verdict.of(results, families)),
        legend=(*legend(results), *given(metrics)),
        csv=lambda: _csv(results),
        data=lambda: to_values(results),
        name=f"{results.task}-{results.split}",
    )


def page(results: Results) -> str:
    """Return ``table.md`` of a run: the means, the intervals and the comparisons."""
    return render(document(results, whole=True), "markdown") + "\n"


def title_of(results: Results) -> str:
    """Return what a table of a run is about."""
    tested = f"{counted(results.n_sessions, 'test session')} of {counted(results.n_users, 'user')}"
    screens = f" on {counted(results.n_screens, 'screen')}" if results.n_screens else ""
    return f"{results.title} ({results.task} {results.version}), split {results.split}: {tested}{screens}"


def by_family(metrics: Sequence[Metric], families: Sequence[str] | None = None) -> list[Metric]:
    """Return the metrics of some families (None for all) in the order of families; InputError if one is unknown."""
    chosen = [family(name) for name in families] if families else FAMILIES
    return [metric for one in chosen for metric in metrics if metric.family == one.name]


def metrics_of(results: Results, families: Sequence[str] | None = None) -> list[Metric]:
    """Return the metrics of some families that at least one simulator is measured by.

    InputError if a family is unknown, or there is no such metric.
    """
    found = by_family([m for m in all_metrics() if any(m.name in one.metrics for one in results.simulators)], families)
    if not found and families:
        raise InputError(f"no simulator of this table is measured by the metrics of {', '.join(families)}.")
    return found


def metric_column(metric: Metric) -> GridColumn:
    """Return the column of a metric."""
    return GridColumn(f"{metric.name}{metric.arrow}", group=family(metric.family).title)


def marks(results: Results) -> dict[tuple[str, str], str]:
    """Return the marks of each simulator and metric: best of the column as printed, better or worse than the reference.

    Where a metric is measured on fewer than two ranked simulators nothing is compared, and nothing is best.
    """
    found: dict[tuple[str, str], str] = {}
    for metric in all_metrics():
        ranked = {
            row.name: row.metrics[metric.name].mean
            for row in results.simulators
            if row.ranked and metric.name in row.metrics
        }
        top = number((max if metric.higher_is_better else min)(ranked.values())) if len(ranked) > 1 else None
        found |= {(name, metric.name): BEST for name, mean in ranked.items() if number(mean) == top}
    for c in results.comparisons:
        found.setdefault((c.simulator, c.metric), "")
        found[c.simulator, c.metric] += verdict.mark(c.difference, c.metric, c.p_holm, results.alpha)
    return found


def _means(results: Results, metrics: Sequence[Metric]) -> Grid:
    """Return the means: ranked rows, then unranked rows."""
    marked, rows = marks(results), []
    for one in sorted(results.simulators, key=lambda r: not r.ranked):
        cells = []
        for m in metrics:
            value, signs = one.metrics.get(m.name), marked.get((one.name, m.name), "")
            # Two mark columns, so that each mark has a place of its own.
            signs = signs if signs.startswith(BEST) or not signs else f" {signs}"
            cells.append(GridCell("" if value is None else number(value.mean), signs))
        rows.append(row(one.name, *cells, ranked=one.ranked))
    return Grid(_columns(metrics), tuple(rows))


def _columns(metrics: Sequence[Metric]) -> tuple[GridColumn, ...]:
    return (GridColumn("simulator", "left", key=True), *map(metric_column, metrics))


def _intervals(results: Results, metrics: Sequence[Metric]) -> Iterator[Grid]:
    """Yield the means with each kind of interval."""
    for one in (MAIN_INTERVAL, *INTERVALS):
        rows = [
            row(found.name, *(_limits(found.metrics.get(m.name), one.name) for m in metrics), ranked=found.ranked)
            for found in results.simulators
        ]
        yield Grid(_columns(metrics), tuple(rows), heading=f"Mean and {one.title} over users")


def _limits(value: MetricResult | None, name: str) -> str:
    if value is None:
        return ""
    limits = (value.low, value.high) if name == MAIN_INTERVAL.name else value.intervals.get(name, (None, None))
    return f"{number(value.mean)} {interval(*limits)}".rstrip()


def _comparisons(results: Results, metrics: Sequence[Metric]) -> Iterator[Grid]:
    """Yield the comparisons with the reference on the metrics that are corrected together, if there are any."""
    names = [m.name for m in metrics if m.name in results.family]
    rows = [
        row(f"{c.simulator} - {results.reference}", *comparison_cells(c))
        for c in results.comparisons
        if c.metric in names
    ]
    if rows:
        columns = [GridColumn("pair", "left", key=True), GridColumn("metric", "left", key=True)]
        heading = f"Paired over users, compared with {results.reference}"
        yield Grid((*columns, *map(GridColumn, COMPARED[1:])), tuple(rows), heading)


COMPARED = (
    *("metric", "difference"),
    *(one.title for one in (MAIN_INTERVAL, *INTERVALS, *TESTS)),
    *("Holm", "resolves"),
)
"""The columns of a table of comparisons, after what is compared."""


def comparison_cells(c: ComparisonResult) -> list[str]:
    """Return the cells of a comparison below ``COMPARED``; blank where a statistic was not computed."""
    limits = [(c.low, c.high), *(c.intervals.get(one.name, (None, None)) for one in INTERVALS)]
    return [
        c.metric,
        number(c.difference, sign="+"),
        *(interval(low, high, sign="+") for low, high in limits),
        *(p_value(p) for p in (*(c.tests.get(one.name) for one in TESTS), c.p_holm)),
        number(c.smallest_difference),
    ]


def legend(results: Results) -> list[str]:
    """Return what the marks mean, as far as they occur."""
    lines = [f"Mean over users. ↑ higher is better, ↓ lower is better; {BEST} best of a column."]
    if any(c.p_holm is not None for c in results.comparisons):
        lines += _tests(results)
    elif results.reference not in {one.name for one in results.simulators}:
        lines.append(f"Nothing is compared: the reference, {results.reference}, is not in this table.")
    if any(not one.ranked for one in results.simulators):
        lines.append("In brackets and never ranked: oracles, which see the test gaze or cursor, and label attention.")
    if any(one.name.endswith(STATED) for one in results.simulators):
        lines.append(f"Ranked apart from probed attention:{STATED}, by the model itself.")
    sds = [m.seed_sd for one in results.simulators for m in one.metrics.values() if m.seed_sd is not None]
    if sds:
        lines.append(f"{len(results.seeds)} seeds; the SD over seeds of a mean is at most {number(max(sds))}.")
    elif results.simulators and len(results.seeds) > 1:
        lines.append("All simulators shown are deterministic; one seed is enough.")
    elif results.simulators:
        lines.append("One seed: how much a stochastic simulator varies over seeds is not known.")
    return lines


def _tests(results: Results) -> Iterator[str]:
    """Yield what the tests behind marks and verdict are, and what they can carry."""
    repeat = results.n_screens is not None and results.n_screens < results.n_sessions
    over = "over users and over users and screens, the larger p" if repeat else "over users"
    families = [f"{', '.join(one.metrics)} (m = {one.size})" for one in results.corrected if one.size]
    on = "; ".join(families) or ", ".join(results.family)
    holm = f"Holm-corrected{' over m comparisons' if families else ''}"
    yield (
        f"{BETTER} better, {WORSE} worse than {results.reference} on {on}: paired t-test {over}, {holm}, "
        f"p <= {results.alpha:g}."
    )
    if results.best:
        pairs = ", ".join(f"{one.metric} (m = {one.size})" for one in results.best)
        yield f"The best line against every other one: the same test, p times the m pairs of lines, on {pairs}."
    for name, other in results.equal.items():
        yield f"{name} scores the same as {other} on every metric: it counts once, and its marks are those of {other}."
    if results.n_screens is not None and results.n_screens < FEW:
        yield (
            f"Only {counted(results.n_screens, 'screen')}: a test over screens has"
            f" {counted(results.n_screens - 1, 'degree')} of freedom, so that little can be said of other screens;"
            " screen-kfold tests on all of them."
        )


def _csv(results: Results) -> Iterator[CsvRow]:
    """Yield a row per simulator and metric with mean, interval and seed SD."""
    yield _CSV
    for one in results.simulators:
        simulated = results.recorded is not True and bool(results.notice)
        where = (results.task, results.version, results.split, simulated, one.name, one.ranked)
        for name, m in one.metrics.items():
            yield (*where, name, m.mean, m.low, m.high, m.seed_sd, m.n_users)
