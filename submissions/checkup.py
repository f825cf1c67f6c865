"""``doctor``: every problem of a submission at once, without a model and without running anything of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from submissions.at_hand import AtHand, Data, find
from submissions.checks import coverage, numbers, reported, suspicion
from submissions.format import METADATA_FILE, PREDICTIONS_FOLDER, STRESS_FOLDER, Entry, Submission
from submissions.limits import DEFAULT, Limits
from submissions.predictions import read_rows
from submissions.problems import Findings, Problem
from submissions.reading import inspect
from submissions.rows import Bools, Rows


def doctor(folder: str | Path, data: Data | None = None, limits: Limits = DEFAULT) -> list[Problem]:
    """Return everything that is wrong, or looks wrong, with a submission.

    Args:
        folder: The submission.
        data: Task -> prepared or raw folder, ``sample``, or a loaded task; for other tasks the configured data is
            taken, and the built-in sample if the submission was made for that.
        limits: How large the submission may be.

    Returns:
        The problems, errors first, by file and kind. Without an error the submission can be scored.

    Raises:
        InputError: ``folder`` is no folder.
    """
    found = Findings(limits)
    submission = inspect(Path(folder), found)
    if submission is not None:
        groups: dict[str, list[Entry]] = defaultdict(list)
        for entry in submission.entries:
            groups[entry.key].append(entry)
        blanks = _Blanks()
        known: dict[tuple[str, str], AtHand] = {}
        claims: set[str] = set()
        read = 0
        for key, entries in groups.items():
            claimed = _check_group(submission, key, entries, data, blanks, known, found)
            claims = claims.union(*claimed)
            read += len(claimed)
        _check_stress(submission, known, found)
        _check_attention(submission, claims, found, complete=read == len(submission.entries))
        _check_failures(submission, blanks, found)
        reported.check(submission, known, found)
    return found.listed()


@dataclass(slots=True)
class _Blanks:
    """Rows in which a part is blank that the file's split claims: entry, row numbers, parts."""

    found: list[tuple[Entry, list[int]]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(len(rows) for _, rows in self.found)


def _check_group(
    submission: Submission,
    key: str,
    entries: list[Entry],
    data: Data | None,
    blanks: _Blanks,
    known: dict[tuple[str, str], AtHand],
    found: Findings,
) -> list[tuple[str, ...]]:
    """Check the seeds of one task and split; return the parts that each file claims that could be read."""
    first = entries[0]
    digest = submission.digests.get(key)
    place = f"{PREDICTIONS_FOLDER}/{key}"
    at_hand = find(first.task, first.version, first.split, digest, place, data, found)
    if at_hand is not None:
        known[first.task, first.split] = at_hand
    if at_hand is not None and at_hand.notice and not submission.notice:
        what = f"{key} is simulated data, but 'notice' is blank."
        found.warning("notice", METADATA_FILE, None, what, f"Set it: notice: {at_hand.notice}")
    seeds: dict[str, Entry] = {}
    claimed: dict[Entry, tuple[str, ...]] = {}
    kept: list[tuple[Entry, Rows, dict[str, Bools]]] = []
    for entry in entries:
        rows = read_rows(entry, found)
        if rows is None:
            continue
        if not len(rows):
            found.error("missing", entry.name, None, "it has no rows.", "Add a row per test session.")
            continue
        usable = _check_rows(submission, entry, rows, at_hand, found)
        claimed[entry] = rows.claims()
        if not claimed[entry]:
            what = "it holds neither attention nor probabilities nor answers."
            found.error("missing", entry.name, None, what, "Fill at least one of the three columns.")
        twin = seeds.setdefault(suspicion.content_key(rows), entry)
        if twin is not entry:
            what = f"it says the same as seed {twin.seed}."
            mend = "Seeds must be runs of their own. If the simulator is deterministic, submit one seed."
            found.error("seeds", entry.name, None, what, mend)
        kept.append((entry, rows, usable))
    parts = tuple(sorted({part for claim in claimed.values() for part in claim}))
    for entry, rows, usable in kept:
        lacking = [part for part in parts if part not in claimed[entry]]
        if lacking and claimed[entry]:
            what = f"it has no {lacking[0]}, which another seed of {key} has."
            found.error("missing", entry.name, None, what, "Give every seed the same columns.")
        blank = coverage.blank(rows, claimed[entry], usable)
        if blank.any():
            blanks.found.append((entry, [int(n) for n in rows.numbers[np.flatnonzero(blank)]]))
    return list(claimed.values())


def _check_stress(submission: Submission, known: dict[tuple[str, str], AtHand], found: Findings) -> None:
    """Check the files under stress conditions: the right sessions, and numbers that can be compared.

    A part that is missing under a condition only leaves its test out, so nothing has to be there. What is there must be
    there for all seeds and rows: a blank counts with the worst value, and makes the condition look harder than it is.
    """
    groups: dict[tuple[str, str], dict[Entry, tuple[str, ...]]] = {}
    for entry in submission.stress:
        rows = read_rows(entry, found)
        if rows is None:
            continue
        groups.setdefault((entry.condition, entry.key), {})[entry] = rows.claims()
        at_hand = known.get((entry.task, entry.split))
        coverage.check(rows, entry.name, at_hand, found)
        slots = None
        if at_hand is not None:
            places = coverage.positions(rows, at_hand)
            slots = np.where(places >= 0, at_hand.slots[places], 0)
        usable = {part: numbers.check_part(rows, part, slots, entry.name, found) for part in rows.parts}
        if rows.answer is not None:
            usable["answer"] = numbers.check_answer(rows, slots, entry.name, found)
        if not rows.claims():
            what = "it holds neither attention nor probabilities nor answers."
            found.error("missing", entry.name, None, what, "Fill at least one of the three columns, or remove it.")
        blank = np.flatnonzero(coverage.blank(rows, rows.claims(), usable))
        if len(blank):
            what = f"a part is blank here and in {len(blank) - 1} other rows that the file has elsewhere."
            mend = f"Fill it in every row, or remove {STRESS_FOLDER}/{entry.condition}."
            found.error("blank", entry.name, int(rows.numbers[blank[0]]), what, mend)
    for claimed in groups.values():
        parts = sorted({part for claim in claimed.values() for part in claim})
        for entry, claim in claimed.items():
            lacking = [part for part in parts if part not in claim]
            if lacking and claim:
                what = f"it has no {lacking[0]}, which another seed under {entry.condition} has."
                found.error("missing", entry.name, None, what, "Give every seed the same columns.")


def _check_rows(
    submission: Submission, entry: Entry, rows: Rows, at_hand: AtHand | None, found: Findings
) -> dict[str, Bools]:
    """Check the rows of one file; return part -> per row whether it can be used."""
    name = entry.name
    coverage.check(rows, name, at_hand, found)
    places = np.full(len(rows), -1, dtype=np.int64) if at_hand is None else coverage.positions(rows, at_hand)
    slots = None
    if at_hand is not None:
        slots = np.where(places >= 0, at_hand.slots[places], 0)
    usable: dict[str, Bools] = {}
    for part in rows.parts:
        usable[part] = numbers.check_part(rows, part, slots, name, found)
        suspicion.check_pattern(rows, part, usable[part], name, found)
        if at_hand is not None and submission.kind != "oracle":
            suspicion.check_leak(rows, part, usable[part], places, at_hand, name, found)
    if rows.answer is not None:
        usable["answer"] = numbers.check_answer(rows, slots, name, found)
        suspicion.check_answers(rows, usable["answer"], usable.get("probabilities"), name, found)
        if at_hand is not None and submission.kind != "oracle":
            suspicion.check_clicks(rows, usable["answer"], places, at_hand, name, found)
    return usable


def _check_attention(submission: Submission, claims: set[str], found: Findings, *, complete: bool) -> None:
    """Hold the attention that is there against what ``submission.yaml`` says of it."""
    if "attention" in claims and submission.attention is None:
        what = "there is attention, but 'attention' does not say where it comes from."
        mend = "Give 'attention' a source and a target: free (without the click) or label."
        found.error("schema", METADATA_FILE, None, what, mend)
    elif submission.attention is not None and claims and complete and "attention" not in claims:
        what = "'attention' is described, but no file has any."
        found.error("schema", METADATA_FILE, None, what, "Add the column, or set 'attention' to null.")
    elif submission.target == "label":
        what = "attention was computed for the true click: it is shown apart and never ranked."
        found.warning("label", METADATA_FILE, None, what, "Compute it for the simulator's own answer to be ranked.")


def _check_failures(submission: Submission, blanks: _Blanks, found: Findings) -> None:
    """Hold the blank cells against the failures that ``submission.yaml`` owns up to."""
    if blanks.rows == submission.failures:
        for entry, rows in blanks.found:
            what = f"a submitted part is blank here and in {len(rows) - 1} other rows, as 'failures' says."
            found.warning("blank", entry.name, rows[0], what, "They count with the worst value.")
        return
    for entry, rows in blanks.found:

        def words(place: int) -> tuple[str, str]:
            what = "a part is blank that the file has in other rows."
            mend = f"Fill it; if the simulator failed there, set 'failures: {blanks.rows}' in {METADATA_FILE}."
            return what, mend

        found.rows("error", "blank", entry.name, rows, words)
    if not blanks.found:
        what = f"'failures' is {submission.failures}, but no submitted part is blank."
        found.error("blank", METADATA_FILE, None, what, "Set it to 0, or leave blank what failed.")
