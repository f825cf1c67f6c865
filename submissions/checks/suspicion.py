"""Checks for what is allowed and yet looks like a mistake, and for rows that are the recording itself."""

import hashlib

import numpy as np

from benchmark.parts import PARTS
from benchmark.parts.part import SUM_TOLERANCE, Part
from benchmark.parts.ragged import Bools, Floats, Ints, Ragged
from benchmark.scores.checking import Checked
from benchmark.scores.raw import RawPredictions
from benchmark.scores.tested import Tested
from submissions.problems import Findings

MOST_DRAWS = 100
"""Multiples of 1/n up to this n look counted or rounded."""

EXACT = 1e-6
FEW = 5
"""Fewer rows than this say nothing of a pattern."""

LEAK_REMEDY = (
    "A simulator must not see the recording it is scored on. If it is an oracle, say so (kind oracle, inputs gaze-test "
    "or cursor-test); otherwise find the leak."
)


def check(
    raw: RawPredictions, checked: Checked, tested: Tested | None, name: str, found: Findings, *, oracle: bool
) -> None:
    """Note everything that looks odd about a file; an oracle may be equal to the recordings."""
    for part in PARTS:
        good = checked.usable[part.name]
        if part.depth == 1:
            _pattern(raw, part, good, name, found)
            if tested is not None and not oracle:
                _copies(raw, part, good & (checked.places >= 0), checked.places, tested, name, found)
        elif part.depth == 0:
            _slots(raw, part, good, checked.usable[part.instead], name, found)


def _pattern(raw: RawPredictions, part: Part, good: Bools, name: str, found: Findings) -> None:
    """Note sums other than 1, ties at the top, predictions that never change, and suspicious granularity."""
    cells = raw.cells[part.name]
    sums = cells.sums()
    chosen = np.flatnonzero(good & (sums > 0))
    if not len(chosen):
        return
    off = chosen[np.abs(sums[chosen] - 1) > SUM_TOLERANCE]
    if len(off):
        what = f"{part.name} sums to {sums[off[0]]:.6g} here and is not normalised in {len(off)} of {len(raw)} rows."
        remedy = "It is divided by its sum; normalise it to 1 to be sure that this is meant."
        found.warning("normalised", name, int(raw.numbers[off[0]]), what, remedy)
    tied = _tied(cells)[chosen]
    if tied.any():
        row = int(raw.numbers[chosen[int(tied.argmax())]])
        what = f"the largest {part.noun} is shared by several slots here and in {int(tied.sum()) - 1} other rows."
        remedy = "Ties count by chance; store full precision if they come from rounding."
        found.warning("ties", name, row, what, remedy)
    if len(chosen) < FEW:
        return
    rows = [cells.row(int(index)) + 0.0 for index in chosen]  # negative zero is zero
    if len({row.tobytes() for row in rows}) == len({len(row) for row in rows}) < len(rows):
        what = f"{part.verb} the same in all rows with as many slots."
        found.warning("constant", name, None, what, "If that is meant, say so in the description.")
        return
    n = granularity(np.concatenate([row / row.sum() for row in rows]))
    if n is not None:
        pattern = "0 or 1" if n == 1 else f"a multiple of 1/{n}"
        what = f"every number of {part.name} is {pattern}, as if it were rounded or counted from {n} draws."
        remedy = "Store full precision, or say in the description how the numbers came about."
        found.warning("granularity", name, None, what, remedy)


def _tied(cells: Ragged) -> Bools:
    """Return per row whether its largest number occurs more than once, shape (rows,)."""
    largest = np.repeat(cells.maxima(), cells.lengths)
    flags = np.concatenate([[0], np.cumsum(cells.values == largest)])
    found: Bools = flags[cells.starts[1:]] - flags[cells.starts[:-1]] > 1
    return found


def granularity(values: Floats) -> int | None:
    """Return the smallest n up to ``MOST_DRAWS`` of which every share (one axis) is a multiple of 1/n, or None."""

    def fits(some: Floats, n: int) -> bool:
        return bool((np.abs(some * n - np.round(some * n)) < 1e-4).all())

    # A few numbers rule out nearly every n.
    return next((n for n in range(1, MOST_DRAWS + 1) if fits(values[:200], n) and fits(values, n)), None)


def _slots(raw: RawPredictions, part: Part, good: Bools, others: Bools, name: str, found: Findings) -> None:
    """Note slots that never change, and those that are not the largest number of the part that may replace them."""
    chosen = np.flatnonzero(good)
    slots = raw.cells[part.name].maxima()
    if len(chosen) >= FEW and len(np.unique(slots[chosen])) == 1:
        what = f"every {part.name} is {slots[chosen[0]]:.0f}."
        found.warning("constant", name, None, what, "If that is meant, say so in the description.")
    cells = raw.cells[part.instead]
    both = np.flatnonzero(good & others & (slots < cells.lengths))
    largest = cells.maxima()
    lower = both[cells.values[cells.starts[both] + slots[both].astype(np.int64)] < largest[both]]
    if len(lower):
        noun = next(other.noun for other in PARTS if other.name == part.instead)
        what = f"the {part.name} is not the largest {noun} here and in {len(lower) - 1} other rows of {len(both)}."
        remedy = (
            f"Accuracy counts the {part.name}, LogLoss and AUC the {part.instead}: check that they belong together."
        )
        found.warning(part.name, name, int(raw.numbers[lower[0]]), what, remedy)


def _copies(
    raw: RawPredictions, part: Part, good: Bools, places: Ints, tested: Tested, name: str, found: Findings
) -> None:
    """Note rows that are the recording of the session they are scored on, where it has three slots or more."""
    cells = raw.cells[part.name]
    for recording, shares in tested.recordings.items():
        eligible = [int(i) for i in np.flatnonzero(good & (cells.sums() > 0)) if (shares[places[i]] > 0).sum() > 2]
        same = [i for i in eligible if np.abs(cells.row(i) / cells.row(i).sum() - shares[places[i]]).max() <= EXACT]
        if same:
            what = f"{part.verb} the human {recording} here and in {len(same) - 1} other rows of {len(eligible)}."
            found.error("leak", name, int(raw.numbers[same[0]]), what, LEAK_REMEDY)


def content_key(raw: RawPredictions) -> str:
    """Return a digest of what a file says, whatever the order of its rows; two seeds with one digest are one seed."""
    digest = hashlib.sha256()
    ids = raw.keys["session_id"].to_pylist()
    for index in sorted(range(len(raw)), key=lambda i: ids[i] or ""):
        digest.update(repr(ids[index]).encode("utf-8"))
        for part in PARTS:
            cells = raw.cells[part.name]
            if cells.present[index]:
                digest.update(part.name.encode() + (cells.row(index) + 0.0).tobytes() + b"|")
    return digest.hexdigest()
