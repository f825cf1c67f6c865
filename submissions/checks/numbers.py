"""Are the numbers of a row what they say: one per slot, finite, not negative, of the right sum?"""

from __future__ import annotations

import numpy as np

from benchmark.parts.part import SUM_TOLERANCE
from submissions.problems import Findings
from submissions.rows import Bools, Ints, Ragged, Rows


def check_part(rows: Rows, part: str, slots: Ints | None, name: str, found: Findings) -> Bools:
    """Note rows whose attention or probabilities cannot be scored.

    Args:
        rows: The file.
        part: ``attention`` or ``probabilities``.
        slots: K of each row's session, 0 where it is unknown; None if the sessions are not at hand.
        name: The file, for the messages.
        found: Where problems go.

    Returns:
        Per row whether its numbers can be used, shape (rows,).
    """
    cells = rows.parts[part]
    good = cells.present & ~rows.broken
    lengths = cells.lengths

    def refuse(kind: str, bad: Bools, what: str, mend: str) -> None:
        """Note the rows that are ``bad`` and leave them out from here on; {n} and {k} stand for the row's numbers."""
        nonlocal good
        chosen = np.flatnonzero(good & bad)
        found.rows(
            "error",
            kind,
            name,
            [int(n) for n in rows.numbers[chosen]],
            lambda place: (f"{part} {_fill(what, cells, slots, int(chosen[place]))}", mend),
        )
        good = good & ~bad

    if slots is None:
        few_or_many = (lengths < 2) | (lengths > found.limits.slots)
        refuse("length", few_or_many, "has {n} numbers.", "Give one number per slot.")
    else:
        other = (lengths != slots) & (slots > 0)
        refuse("length", other, "has {n} numbers; the session has {k} slots.", "Give one number per slot.")
        good = good & (slots > 0)
    values = cells.values
    refuse("nan", cells.any(np.isnan(values)), "holds NaN or a blank.", "Give a number for every slot.")
    refuse("nan", cells.any(np.isinf(values)), "holds infinity.", "Give finite numbers.")
    refuse("negative", cells.any(values < 0), "holds a negative number, {low:g}.", "Give numbers of 0 or more.")
    sums = cells.sums()
    if part == "probabilities":
        off_one = np.abs(sums - 1) > SUM_TOLERANCE
        refuse("normalised", off_one, "sum to {sum:.6g}.", "Normalise them to 1 over the session's slots.")
    else:
        refuse("normalised", ~np.isfinite(sums), "has a sum too large for a float.", "Normalise it to 1.")
        off = np.flatnonzero(good & (np.abs(sums - 1) > SUM_TOLERANCE) & (sums > 0))
        if len(off):
            what = f"attention sums to {sums[off[0]]:.6g} here and is not normalised in {len(off)} of {len(rows)} rows."
            mend = "It is divided by its sum; normalise it to 1 to be sure that this is meant."
            found.warning("normalised", name, int(rows.numbers[off[0]]), what, mend)
    return good


def _fill(what: str, cells: Ragged, slots: Ints | None, index: int) -> str:
    """Return a message with the row's own numbers."""
    row = cells.row(index)
    finite = row[np.isfinite(row)]
    with np.errstate(over="ignore"):
        return what.format(
            n=len(row),
            k=0 if slots is None else slots[index],
            low=finite.min() if len(finite) else 0.0,
            sum=row.sum() if len(row) else 0.0,
        )


def check_answer(rows: Rows, slots: Ints | None, name: str, found: Findings) -> Bools:
    """Note answers that are no slot of their session; return per row whether the answer can be used."""
    assert rows.answer is not None
    given = ~np.isnan(rows.answer) & ~rows.broken
    most = np.full(len(rows), float(found.limits.slots)) if slots is None else slots.astype(np.float64)
    known = most > 0
    whole = rows.answer == np.floor(rows.answer)
    bad = given & known & ~(whole & (rows.answer >= 0) & (rows.answer < most))
    chosen = np.flatnonzero(bad)
    answers = rows.answer

    def words(place: int) -> tuple[str, str]:
        last = f"0..{most[chosen[place]] - 1:.0f}"
        return f"answer {answers[chosen[place]]:g} is not a slot {last}.", "Give the number of a slot, from 0."

    found.rows("error", "answer", name, [int(n) for n in rows.numbers[chosen]], words)
    good: Bools = given & known & ~bad
    return good
