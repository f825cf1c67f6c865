"""The variance of a run's numbers as a table, with a line of advice for each."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from benchmark.metrics import get
from benchmark.output.document import CsvRow, Document, Grid, GridColumn, row
from benchmark.output.units import number
from benchmark.scores.results import Results
from benchmark.scores.table import title_of
from benchmark.statistics import variance
from benchmark.statistics.variance import PARTS, Decomposition, SeedScores
from tasks.errors import InputError, unknown_name

_KEYS = ("simulator", "metric", "of")
_COUNTS = ("n_users", "n_screens", "n_sessions", "n_seeds")
_MORE = ("seeds", "sessions", "users", "screens")
HEADERS = (*_KEYS, *PARTS[:-1], "rest", "SE", "resolves", *(f"2x {more}" for more in _MORE))


@dataclass(frozen=True, slots=True)
class Line:
    """One decomposition: of a mean, or of its paired difference from a reference."""

    simulator: str
    metric: str
    reference: str
    found: Decomposition

    @property
    def of(self) -> str:
        """What the variance is of, in words."""
        return f"- {self.reference}" if self.reference else "mean"

    @property
    def name(self) -> str:
        """Metric and simulator, for a line of text."""
        return f"{self.metric}, {self.simulator} {self.of}" if self.reference else f"{self.metric}, {self.simulator}"


def lines(
    results: Results,
    scores: pd.DataFrame,
    metrics: Sequence[str] | None = None,
    simulators: Sequence[str] | None = None,
) -> list[Line]:
    """Decompose the means of a run and the differences from its reference, where there are any.

    The metrics are those of the family and the simulators the ranked ones, unless others are named. InputError if a
    name is unknown, no simulator claims a metric that is asked for, or there are too few users.
    """
    rows = {row.name: row for row in results.simulators}
    metrics = [get(name).name for name in metrics or ()]
    for name in simulators or ():
        if name not in rows:
            raise unknown_name("simulator of the run", name, rows)
    chosen = list(simulators) if simulators else [row.name for row in results.simulators if row.ranked]
    found = []
    for metric in metrics or results.family:
        claiming = [name for name in chosen if metric in rows[name].metrics]
        if metrics and not claiming:
            raise InputError(f"none of {', '.join(chosen)} has {metric} in this run; choose others with --simulator.")
        if not claiming:
            continue
        by_seed = SeedScores(scores, metric, len(results.seeds))
        for name in claiming:
            found.append(Line(name, metric, "", by_seed.of_mean(name)))
            reference = results.reference
            if name != reference and reference in rows and metric in rows[reference].metrics:
                found.append(Line(name, metric, reference, by_seed.of_difference(name, reference)))
    return found


def document(results: Results, found: Sequence[Line]) -> Document:
    """Return the table and the advice."""
    columns = [
        GridColumn(name, "left" if name in _KEYS else "right", key=name in _KEYS, once=name in _KEYS[:2])
        for name in HEADERS
    ]
    return Document(
        title=f"Variance of the means, {title_of(results)}",
        notices=(results.notice,) if results.notice else (),
        grids=(
            Grid(tuple(columns), tuple(row(*cells(one)) for one in found)),
            Grid(heading="What to add:", notes=tuple(advice(found))),
        ),
        legend=tuple(legend(found)),
        csv=lambda: _csv(results, found),
        data=lambda: {
            **{name: getattr(results, name) for name in ("task", "split", "digest", "notice", "reference")},
            "lines": [_record(one) for one in found],
        },
        name=f"{results.task}-{results.split}-variance",
    )


def cells(one: Line) -> list[str]:
    """Return a line of the table; blank where something does not apply or is not known."""
    shares = one.found.shares
    row = [one.simulator, one.metric, one.of]
    known = {part: f"{100 * share:.0f}" for part, share in shares.items() if not math.isnan(share)}
    row += [known.get(part, "") for part in PARTS]
    row.append(number(one.found.standard_error()))
    if not one.reference:
        return row + [""] * (1 + len(_MORE))
    d = one.found
    return row + [number(d.resolves()), *(number(d.resolves(**{more: 2})) for more in _MORE)]


def legend(found: Sequence[Line]) -> list[str]:
    """Return what the columns mean, and what must be known of the estimates."""
    lines_ = [
        "users .. rest: parts of the variance of the mean in percent; rest is the interaction of seed and session. "
        "SE: its standard error, other seeds included.",
        "resolves: the smallest difference from the reference shown with 80 % power, other seeds included; 2x: with "
        "twice as many. Blank seeds and rest: the same under every seed, or one seed. No screens: none repeats. Blank "
        "otherwise: not applicable, or unknown from this run.",
    ]
    differing = [one for one in found if one.reference and _differs(one.found)]
    if differing:
        values = ", ".join(
            f"{one.metric} {one.simulator} {number(one.found.resolves_with_these_seeds)}" for one in differing
        )
        lines_.append(f"with these seeds only, as in the table of the run, resolves is: {values}.")
    seeds = [one.found.n_seeds for one in found if one.found.n_seeds > 1]
    if seeds:
        lines_.append(f"the parts of seeds and rest are estimated from {min(seeds)} seeds: with few they are rough.")
    negative = [f"{part.shown} of {one.name} ({part.estimate:.2g})" for one in found for part in one.found.negative]
    if negative:
        lines_.append(f"estimates below 0 count as 0: {'; '.join(negative)}.")
    notes = dict.fromkeys(note for one in found for note in one.found.notes)
    for note in notes:
        if note == variance.SAME:
            continue  # the blank columns say it
        names = [one.name for one in found if note in one.found.notes]
        lines_.append(f"{note}{'' if len(names) == len(found) else ': ' + '; '.join(names)}.")
    return lines_


def advice(found: Sequence[Line]) -> list[str]:
    """Return a line for each metric: of its differences, or of the means where there are none."""
    chosen = [one for one in found if one.reference] or list(found)
    return [_advice([one for one in chosen if one.metric == m]) for m in dict.fromkeys(one.metric for one in chosen)]


def _advice(mine: Sequence[Line]) -> str:
    """Return what to add for one metric; simulators with the same answer are listed together."""
    head = mine[0].metric + (f", differences from {mine[0].reference}" if mine[0].reference else "")
    answers = {one.simulator: variance.advised(one.found) for one in mine}
    known = {name: one for name, one in answers.items() if one is not None}
    if not known:
        return f"{head}: there is no spread to reduce."
    still = [name for name in answers if name not in known]
    parts = [f"there is no spread in {', '.join(still)}"] if still else []
    tops = _grouped({name: one.top.shown for name, one in known.items()})
    for shown, names in tops.items():
        verb = variance.verb(known[names[0]].top)
        share = _range([100 * known[name].share for name in names])
        parts.append(f"{shown} {verb} {share} % of the variance{_of(names, tops, 'of')}")
    kinds = _grouped({name: one.seeds for name, one in known.items()})
    for kind, names in kinds.items():
        if kind == variance.SOME:
            each = ", ".join(f"{name} {number(known[name].all_seeds)}" for name in names)
            parts.append(f"more seeds alone bring resolves at best to: {each}")
        else:
            parts.append(_SEEDS[kind] + _of(names, kinds, "for"))
    helping = _grouped({name: " or ".join(f"twice the {what}" for what, _ in one.best) for name, one in known.items()})
    for what, names in helping.items():
        each = ", ".join(
            f"{name} {number(known[name].now)} -> {' or '.join(number(then) for _, then in known[name].best)}"
            for name in names
        )
        parts.append(f"what helps most is {what}; resolves now -> then: {each}")
    return f"{head}: {'; '.join(parts)}."


_SEEDS = {
    variance.UNKNOWN: "with one seed it is not known what seeds add",
    variance.NONE: "seeds have no effect",
    variance.NO_HELP: "more seeds cannot help",
}


def _grouped(answers: dict[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, answer in answers.items():
        groups.setdefault(answer, []).append(name)
    return groups


def _of(names: Sequence[str], groups: dict[str, list[str]], word: str) -> str:
    """Return whom an answer is about, nothing if there is one answer for all."""
    return "" if len(groups) == 1 else f" {word} {', '.join(names)}"


def _range(values: Sequence[float]) -> str:
    low, high = (f"{end(values):.0f}" for end in (min, max))
    return low if low == high else f"{low} to {high}"


def _record(one: Line) -> dict[str, object]:
    d = one.found
    more = {name: {name: 2} for name in _MORE}
    return {
        "simulator": one.simulator,
        "metric": one.metric,
        "of": "difference" if one.reference else "mean",
        **{name: getattr(d, name) for name in ("mean", *_COUNTS)},
        "parts": [{**asdict(part), "share": _known(d.shares[part.name])} for part in d.parts],
        "standard_error": {"now": d.standard_error()}
        | {f"twice_{name}": _known(d.standard_error(**given)) for name, given in more.items()},
        "resolves": {"now": _known(d.resolves()), "with_these_seeds": _known(d.resolves_with_these_seeds)}
        | {f"twice_{name}": _known(d.resolves(**given)) for name, given in more.items()}
        if one.reference
        else None,
        "notes": list(d.notes),
        "advice": variance.advice(d),
    }


def _csv(results: Results, found: Sequence[Line]) -> Iterator[CsvRow]:
    """Yield one row per decomposition with unrounded numbers."""
    parts = [(what, part) for part in PARTS for what in ("variance", "of_mean")]
    more = tuple(f"twice_{name}" for name in _MORE)
    resolves = ("resolves", "resolves_these_seeds", *more)
    where = ("task", "split", "simulated", "simulator", "metric", "reference")
    yield (*where, *_COUNTS, *(f"{what}_{part}" for what, part in parts), "standard_error", *resolves)
    for one in found:
        record: Any = _record(one)
        known = {part["name"]: part for part in record["parts"]}
        yield (
            *(results.task, results.split, bool(results.notice), one.simulator, one.metric, one.reference),
            *(record[name] for name in _COUNTS),
            *(known.get(part, {}).get(what) for what, part in parts),
            record["standard_error"]["now"],
            *((record["resolves"] or {}).get(name) for name in ("now", "with_these_seeds", *more)),
        )


def _differs(found: Decomposition) -> bool:
    """Return whether the seeds' part changes what is printed."""
    return number(found.resolves_with_these_seeds) != number(found.resolves())


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
