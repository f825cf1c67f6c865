"""What is allowed and yet looks like a mistake or a leak.

Thresholds are chosen so that the suite's own priors and models raise nothing but what is true of them; the oracles,
submitted as if they were none, are named.
"""

from __future__ import annotations

import hashlib

import numpy as np

from submissions.at_hand import AtHand
from submissions.problems import Findings
from submissions.rows import Bools, Floats, Ints, Ragged, Rows

MOST_DRAWS = 100
"""Multiples of 1/n up to this n look counted or rounded."""

CLOSE = 5e-3
"""Attention this close to the human gaze on every slot is as good as equal: gaze rounded to two decimals is."""

EXACT = 1e-6
CLOSE_SHARE = 0.05
ORDER_SHARE = 0.5
FEW = 5
"""Fewer rows than this say nothing of a pattern."""

_NAMED = {"attention": "attention is", "probabilities": "probabilities are"}
_LARGEST = {"attention": "the largest attention", "probabilities": "the largest probability"}

LEAK_MEND = (
    "A simulator must not see the recording it is scored on. If it is an oracle, say so (kind oracle, inputs gaze-test "
    "or cursor-test); otherwise find the leak."
)


def check_pattern(rows: Rows, part: str, good: Bools, name: str, found: Findings) -> None:
    """Note ties at the top, predictions that never change, and suspicious granularity.

    Args:
        rows: The file.
        part: ``attention`` or ``probabilities``.
        good: Per row whether its numbers can be used, shape (rows,).
        name: The file, for the messages.
        found: Where problems go.
    """
    cells = rows.parts[part]
    chosen = np.flatnonzero(good & (cells.sums() > 0))
    if not len(chosen):
        return
    tied = _tied(cells)[chosen]
    if tied.any():
        row = int(rows.numbers[chosen[int(tied.argmax())]])
        what = f"{_LARGEST[part]} is shared by several slots here and in {int(tied.sum()) - 1} other rows."
        mend = "Ties count by chance; store full precision if they come from rounding."
        found.warning("ties", name, row, what, mend)
    if len(chosen) < FEW:
        return
    if _constant(cells, chosen):
        what = f"{_NAMED[part]} the same in all rows with as many slots."
        found.warning("constant", name, None, what, "If that is meant, say so in the description.")
        return
    n = granularity(np.concatenate([cells.row(int(i)) / cells.row(int(i)).sum() for i in chosen]))
    if n is not None:
        pattern = "0 or 1" if n == 1 else f"a multiple of 1/{n}"
        what = f"every number of {part} is {pattern}, as if it were rounded or counted from {n} draws."
        mend = "Store full precision, or say in the description how the numbers came about."
        found.warning("granularity", name, None, what, mend)


def _tied(cells: Ragged) -> Bools:
    """Return per row whether its largest number stands there more than once, shape (rows,)."""
    largest = np.repeat(cells.maxima(), cells.lengths)
    flags = np.concatenate([[0], np.cumsum(cells.values == largest)])
    found: Bools = flags[cells.starts[1:]] - flags[cells.starts[:-1]] > 1
    return found


def _constant(cells: Ragged, chosen: Ints) -> bool:
    """Return whether rows with as many slots are all alike; one row of a kind says nothing."""
    kinds: dict[int, set[bytes]] = {}
    for index in chosen:
        row = cells.row(int(index)) + 0.0  # negative zero is zero
        kinds.setdefault(len(row), set()).add(row.tobytes())
        if len(kinds[len(row)]) > 1:
            return False
    return len(kinds) < len(chosen)


def granularity(values: Floats) -> int | None:
    """Return the smallest n up to ``MOST_DRAWS`` of which every value is a multiple of 1/n, or None.

    Args:
        values: Shares, shape (numbers,).
    """

    def fits(some: Floats, n: int) -> bool:
        return bool((np.abs(some * n - np.round(some * n)) < 1e-4).all())

    # A few numbers rule out nearly every n.
    return next((n for n in range(1, MOST_DRAWS + 1) if fits(values[:200], n) and fits(values, n)), None)


def check_answers(rows: Rows, answers: Bools, probabilities: Bools | None, name: str, found: Findings) -> None:
    """Note answers that never change, and answers that are not the largest probability.

    Args:
        rows: The file.
        answers: Per row whether its answer can be used, shape (rows,).
        probabilities: Likewise for its probabilities; None if the file has none.
        name: The file, for the messages.
        found: Where problems go.
    """
    assert rows.answer is not None
    chosen = np.flatnonzero(answers)
    if len(chosen) >= FEW and len(np.unique(rows.answer[chosen])) == 1:
        what = f"every answer is {rows.answer[chosen[0]]:.0f}."
        found.warning("constant", name, None, what, "If that is meant, say so in the description.")
    if probabilities is None:
        return
    cells = rows.parts["probabilities"]
    both = np.flatnonzero(answers & probabilities)
    largest = cells.maxima()
    lower = [i for i in both if cells.row(int(i))[int(rows.answer[i])] < largest[i]]
    if lower:
        what = f"the answer is not the largest probability here and in {len(lower) - 1} other rows of {len(both)}."
        mend = "Accuracy counts the answer, LogLoss and AUC the probabilities: check that they belong together."
        found.warning("answer", name, int(rows.numbers[lower[0]]), what, mend)


def check_leak(rows: Rows, part: str, good: Bools, places: Ints, at_hand: AtHand, name: str, found: Findings) -> None:
    """Note attention or probabilities that are the recording of the session they are scored on.

    Three signs count: a row equal to the recording; more than one row in twenty within 0.005 of it on every slot; and
    more than every second row that orders the slots looked at exactly as the recording does, whatever was done to the
    numbers. Only rows with three slots or more in the recording count, for the order five.

    Args:
        rows: The file.
        part: ``attention`` or ``probabilities``.
        good: Per row whether its numbers can be used, shape (rows,).
        places: Place of each row's session in ``at_hand``, shape (rows,).
        at_hand: The recordings.
        name: The file, for the messages.
        found: Where problems go.
    """
    cells = rows.parts[part]
    chosen = np.flatnonzero(good & (cells.sums() > 0) & (places >= 0))
    for recording, shares in (("gaze", at_hand.gaze), ("cursor", at_hand.cursor)):
        exact, close, ordered, ranked, eligible = [], 0, 0, 0, 0
        for index in chosen:
            human = shares[int(places[index])]
            seen = human > 0
            if seen.sum() < 3:
                continue
            eligible += 1
            values = cells.row(int(index)) / cells.row(int(index)).sum()
            off = float(np.abs(values - human).max())
            close += off <= CLOSE
            if off <= EXACT:
                exact.append(int(index))
            if seen.sum() >= 5 and len(np.unique(human[seen])) == seen.sum():
                ranked += 1
                ordered += bool((np.diff(values[seen][np.argsort(human[seen])]) > 0).all())
        if exact:
            what = f"{_NAMED[part]} the human {recording} here and in {len(exact) - 1} other rows of {eligible}."
            found.error("leak", name, int(rows.numbers[exact[0]]), what, LEAK_MEND)
        elif close > max(2, CLOSE_SHARE * eligible):
            what = f"{_NAMED[part]} within {CLOSE} of the human {recording} on all slots in {close} of {eligible} rows."
            found.error("leak", name, None, what, LEAK_MEND)
        elif ranked >= FEW and ordered > ORDER_SHARE * ranked:
            what = f"{_NAMED[part]} in the exact order of the human {recording} in {ordered} of {ranked} rows."
            found.error("leak", name, None, what, LEAK_MEND)


def check_clicks(rows: Rows, answers: Bools, places: Ints, at_hand: AtHand, name: str, found: Findings) -> None:
    """Note answers that are right without exception, which nobody's choices are."""
    assert rows.answer is not None
    chosen = np.flatnonzero(answers & (places >= 0))
    if len(chosen) >= 20 and bool((rows.answer[chosen] == at_hand.click[places[chosen]]).all()):
        what = f"the answer is the true click in all {len(chosen)} rows."
        found.warning("leak", name, None, what, "Make sure that the simulator does not see the click.")


def content_key(rows: Rows) -> str:
    """Return a digest of what a file says, whatever the order of its rows; two seeds with one digest are one seed."""
    digest = hashlib.sha256()
    for index in sorted(range(len(rows)), key=lambda i: rows.session_ids[i] or ""):
        digest.update(repr(rows.session_ids[index]).encode("utf-8", "backslashreplace"))
        for part in sorted(rows.parts):
            digest.update(part.encode() + (rows.parts[part].row(index) + 0.0).tobytes() + b"|")
        if rows.answer is not None:
            digest.update(b"answer" + (rows.answer[index : index + 1] + 0.0).tobytes())
    return digest.hexdigest()
