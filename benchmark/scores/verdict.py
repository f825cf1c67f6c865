"""What a table says in sentences, from the tests that its marks come from and those between its best lines.

A sentence says no more than its p values: "is not separable from" where a difference is not shown, which is not
"equal"; nothing of a family without tests, nothing of a line alone. Each family of metrics brings its own words.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmark.metrics import get
from benchmark.metrics.families import FAMILIES, Family
from benchmark.scores.results import Results

BETTER, WORSE = "▲", "▼"
"""What marks a difference that is significant after correction."""

NAMED = 12
"""Names that a list holds before the rest is counted."""


@dataclass(frozen=True, slots=True)
class FamilyTests:
    """The tests of one family of metrics.

    Attributes:
        reference: What the others are compared with.
        marks: Simulator -> metric -> ``BETTER`` or ``WORSE`` than the reference, empty where neither is shown.
        best: The line with the best mean of the headline metric; empty where it was compared with no other.
        worse: Other line -> whether it is shown to be worse than the best.
    """

    family: Family
    reference: str
    marks: Mapping[str, Mapping[str, str]]
    best: str = ""
    worse: Mapping[str, bool] | None = None


def mark(difference: float, metric: str, p: float | None, alpha: float) -> str:
    """Return the mark of a difference from the reference on a metric, empty where nothing is shown."""
    if p is None or not p <= alpha or difference == 0:
        return ""
    return BETTER if (difference > 0) == get(metric).higher_is_better else WORSE


def of(results: Results, families: Sequence[str] | None = None) -> list[str]:
    """Return the verdict of a run on some families of metrics, None for all."""
    leads = {get(one.metric).family: one for one in results.best}
    tested = []
    for family in FAMILIES:
        if families and family.name not in families:
            continue
        marks: dict[str, dict[str, str]] = {}
        for c in results.comparisons:
            if get(c.metric).family == family.name and c.p_holm is not None and c.simulator not in results.equal:
                signs = marks.setdefault(c.simulator, {})
                signs[c.metric] = mark(c.difference, c.metric, c.p_holm, results.alpha)
        if (lead := leads.get(family.name)) is None:
            tested.append(FamilyTests(family, results.reference, marks))
        else:
            worse = {name: p <= results.alpha for name, p in lead.p.items() if p is not None}
            tested.append(FamilyTests(family, results.reference, marks, lead.simulator, worse))
    return sentences(tested)


def sentences(tested: Sequence[FamilyTests]) -> list[str]:
    """Return what the tests say: a sentence for each family's best line, and one for each family's other lines."""
    found = []
    for name in dict.fromkeys(one.best for one in tested if one.best):
        own_first = sorted(tested, key=lambda one: one.best != name)
        clauses = [clause for one in own_first for clause in _clauses(name, one)]
        found += [f"{name} {_and(clauses)}."] if clauses else []
    return found + [line for one in tested if (line := _others(one))]


def _clauses(name: str, one: FamilyTests) -> Iterator[str]:
    """Yield what is known of a line in a family that it, or another line, is the best of."""
    family, worse = one.family, one.worse or {}
    if name == one.best:
        marks = one.marks.get(name, {})
        how, said = _compared(marks)
        alike = [other for other, shown in worse.items() if not shown and other != one.reference]
        if how:
            yield f"{family.verb} {how} than {one.reference} ({said})"
        elif marks:
            alike.insert(0, one.reference)
        if alike:
            yield f"is not separable from {_and(_cut(alike))} on {family.noun}"
        elif worse and all(worse.values()):
            yield f"{family.verb} better than every other line ({family.headline} {BETTER})"
    elif worse.get(name) and one.best != one.reference:
        yield f"{family.verb} worse than {one.best} ({family.headline} {WORSE})"


def _others(one: FamilyTests) -> str:
    """Return how the lines of a family but its best compare with the reference; empty if none was."""
    groups: dict[str, list[str]] = {"better": [], "worse": [], "better and worse": []}
    alike = []
    for name, marks in one.marks.items():
        how, shown = _compared(marks)
        if how and name != one.best:
            groups[how].append(f"{name} ({shown})")
        elif name != one.best:
            alike.append(name)
    parts = [f"{how} than {{}}: {', '.join(_cut(names))}" for how, names in groups.items() if names]
    parts += [f"not separable from {{}}: {', '.join(_cut(alike))}"] if alike else []
    said = "; ".join(part.replace("{}", "it" if i else one.reference, 1) for i, part in enumerate(parts))
    return f"On {one.family.noun}, {said}." if said else ""


def _compared(marks: Mapping[str, str]) -> tuple[str, str]:
    """Return how a line differs, such as ``better and worse``, and the metrics that show it; empty where none does."""
    words, shown = [], []
    for word, sign in (("better", BETTER), ("worse", WORSE)):
        names = ", ".join(metric for metric, found in marks.items() if found == sign)
        if names:
            words.append(word)
            shown.append(f"{names} {sign}")
    return " and ".join(words), "; ".join(shown)


def _cut(names: Sequence[str]) -> list[str]:
    """Return names; of many the first, and how many more there are."""
    return [*names] if len(names) <= NAMED + 1 else [*names[:NAMED], f"{len(names) - NAMED} more"]


def _and(parts: Iterable[str]) -> str:
    """Return parts of a sentence in a row."""
    *first, last = parts
    return f"{', '.join(first)}{',' * (len(first) > 1)} and {last}" if first else last
