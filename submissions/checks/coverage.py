"""Are the rows those of the test sessions, each once, and complete?"""

from __future__ import annotations

import difflib

import numpy as np

from submissions.at_hand import AtHand
from submissions.problems import Findings, look_alike, shown
from submissions.rows import Bools, Ints, Rows

MAX_ID = 200
"""Characters that the id of a session may have where it cannot be looked up."""


def _may_be_an_id(text: str) -> bool:
    return 0 < len(text) <= MAX_ID and text.isprintable() and not any("\ud800" <= c <= "\udfff" for c in text)


def positions(rows: Rows, at_hand: AtHand) -> Ints:
    """Return the place of each row's session among the test sessions, -1 where it is none, shape (rows,).

    Ids are compared character by character: one that only looks like a test session's is another id.
    """
    place = {session_id: i for i, session_id in enumerate(at_hand.ids)}
    return np.array([-1 if s is None else place.get(s, -1) for s in rows.session_ids], dtype=np.int64)


def check(rows: Rows, name: str, at_hand: AtHand | None, found: Findings) -> None:
    """Note sessions that are missing, twice or unknown."""
    first: dict[str, int] = {}
    twice = []
    for index, session_id in enumerate(rows.session_ids):
        if session_id is not None and first.setdefault(session_id, index) != index:
            twice.append(index)
    found.rows(
        "error",
        "twice",
        name,
        [int(rows.numbers[i]) for i in twice],
        lambda place: (
            f"session '{shown(rows.session_ids[twice[place]])}' stands in row "
            f"{rows.numbers[first[str(rows.session_ids[twice[place]])]]} already.",
            "Keep one row per session.",
        ),
    )
    if at_hand is None:
        odd = [i for i, s in enumerate(rows.session_ids) if s is not None and not _may_be_an_id(s)]
        found.rows(
            "error",
            "unknown",
            name,
            [int(rows.numbers[i]) for i in odd],
            lambda place: (
                f"'{shown(rows.session_ids[odd[place]])}' cannot be the id of a session.",
                f"Give 1 to {MAX_ID} characters that print.",
            ),
        )
        return
    unknown = np.flatnonzero((positions(rows, at_hand) < 0) & [s is not None for s in rows.session_ids])
    found.rows(
        "error",
        "unknown",
        name,
        [int(rows.numbers[i]) for i in unknown],
        lambda place: _unknown(str(rows.session_ids[unknown[place]]), at_hand.ids),
    )
    missing = [session_id for session_id in at_hand.ids if session_id not in first]
    if missing:
        named = ", ".join(f"'{shown(s)}'" for s in missing[:5]) + (", ..." if len(missing) > 5 else "")
        what = f"{len(missing)} of {len(at_hand.ids)} test sessions are missing: {named}."
        found.error(
            "missing", name, None, what, "Add a row for each; where the simulator failed, leave its cells blank."
        )


def _unknown(session_id: str, known: list[str]) -> tuple[str, str]:
    """Return what is wrong with an id that no test session has, and what to do."""
    what = f"session '{shown(session_id)}' is not among the test sessions."
    twin = look_alike(session_id, known)
    if twin is not None:
        return what, f"It only looks like '{shown(twin)}': write that id in its own characters."
    near = difflib.get_close_matches(session_id, known, n=1, cutoff=0.8)
    return what, f"Did you mean '{shown(near[0])}'?" if near else "Remove the row, or predict the split of this folder."


def blank(rows: Rows, claims: tuple[str, ...], usable: dict[str, Bools]) -> Bools:
    """Return per row whether a claimed part is blank, shape (rows,).

    An answer may be blank where there are probabilities: their largest counts then (PROTOCOL section 5). Attention
    whose sum is 0 is blank (section 6).

    Args:
        rows: The file.
        claims: The parts that the submission claims on this split.
        usable: Part -> per row whether its numbers passed their checks.
    """
    found = np.zeros(len(rows), dtype=bool)
    for part in claims:
        present = rows.present(part)
        if present is None:
            present = np.zeros(len(rows), dtype=bool)
        if part == "attention" and "attention" in rows.parts:
            zero = usable["attention"] & (rows.parts["attention"].sums() == 0)
            present = present & ~zero
        if part == "answer" and "probabilities" in claims:
            chosen = rows.present("probabilities")
            present = present if chosen is None else present | chosen
        found |= ~present
    found &= ~rows.broken & np.array([session_id is not None for session_id in rows.session_ids], dtype=bool)
    return found
