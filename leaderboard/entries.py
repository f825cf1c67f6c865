"""The records of a board: results, events and reported numbers, as typed values and as JSON.

Every record is named by the SHA-256 of its canonical JSON, so a record never changes, and two boards are merged by
taking the files of both. What a board holds may come by pull request: reading checks types, sizes and the name.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leaderboard.safe_text import plain
from tasks.errors import InputError

FORMAT = 1
"""Of every record; a board with a newer one is refused."""

KINDS = ("submission", "baseline", "reference")
"""A baseline is one of the suite's cheap priors, ranked; a reference sees the recording and is never ranked."""

EVENTS = ("submit", "withdraw", "supersede")

OWN, SHARED, SWAPPED = "own", "shared", "swapped"
RELABEL, LAYOUT, TRUE_LABEL, WRONG_LABEL = "relabel", "layout", "true-label", "wrong-label"
CONDITIONS = (OWN, SHARED, SWAPPED, RELABEL, LAYOUT, TRUE_LABEL, WRONG_LABEL)
"""Predictions under the user's own prompt, one prompt for all users, and another user's prompt (the control); and those
of the stress tests: labels shuffled, columns mirrored, attention for the true click and for a wrong one."""

_OLD_TRANSFER = re.compile(r"transfer-[a-z0-9][a-z0-9-]{0,59}@[0-9A-Za-z][0-9A-Za-z.+_-]{0,29}", re.ASCII)
"""Conditions of older records: predictions of another task's test sessions."""

MAX_TEXT = 4_000
MAX_ITEMS = 100


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is said of a simulator. Every text is its submitter's: data to be shown, never trusted.

    Attributes:
        name: Short name.
        version: Of the simulator.
        authors: Who made it.
        contact: How to reach them.
        link: Paper or code.
        licence: Of the simulator.
        description: A paragraph.
        kind: Such as ``prompt-tuned VLM``.
        inputs: What it sees: text, image, profile, gaze-train, cursor.
        backbone: Model it rests on.
        size: Of the backbone.
        training_data: What it was trained on.
        attention_source: Where attention comes from.
        attention_target: ``free``, ``label`` or ``none``.
        hardware: What it ran on.
        cost: What it took.
        notice: What every output must say of it: that its backbone is a stand-in.
    """

    name: str
    version: str
    authors: tuple[str, ...] = ()
    contact: str = ""
    link: str = ""
    licence: str = ""
    description: str = ""
    kind: str = ""
    inputs: tuple[str, ...] = ()
    backbone: str = ""
    size: str = ""
    training_data: str = ""
    attention_source: str = ""
    attention_target: str = ""
    hardware: str = ""
    cost: str = ""
    notice: str = ""

    @property
    def label(self) -> str:
        """Name and version, as commands take them."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """One submission on one split of one task.

    Attributes:
        kind: One of ``KINDS``.
        metadata: What is said of the simulator.
        task: Task name.
        version: Task version.
        split: Split name.
        digest: Of the task's sessions and this split; only results of one digest are compared.
        seeds: Seeds of the predictions.
        conditions: Which of ``CONDITIONS`` there are predictions for; in older records also transfers.
        predictions: Canonical digest of the predictions (``scoring.predictions_digest``).
        transfers: In older records only: condition -> digest of another task's split whose test sessions are predicted.
            They are part of the record's identity, and are neither scored nor shown.
    """

    kind: str
    metadata: Metadata
    task: str
    version: str
    split: str
    digest: str
    seeds: tuple[int, ...]
    conditions: tuple[str, ...]
    predictions: str
    transfers: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a result; entries are added, never taken away.

    Attributes:
        kind: One of ``EVENTS``.
        result: Identity of the result it happened to.
        at: When, UTC, ``2026-01-31T12:00:00Z``.
        by: Identity of the result that takes its place (supersede), else empty.
        reason: Why.
    """

    kind: str
    result: str
    at: str
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReportedRecord:
    """Numbers that someone states and this board has no predictions for; shown apart and never ranked.

    Attributes:
        name: Of the simulator.
        source: Who states them: a paper and its table.
        link: Where.
        task: Task name.
        split: Split name.
        n_sessions: Test sessions they are said to be means over.
        metrics: Metric -> mean.
        note: What is known to differ from this suite's protocol.
    """

    name: str
    source: str
    link: str
    task: str
    split: str
    n_sessions: int
    metrics: Mapping[str, float]
    note: str = ""


Record = ResultRecord | Event | ReportedRecord


def canonical(record: Record) -> bytes:
    """Return the JSON that a record's identity is computed from: ASCII, sorted keys, no spaces."""
    return json.dumps(_values(record), sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def identity(record: Record) -> str:
    """Return the SHA-256 (hexadecimal) of a record."""
    return hashlib.sha256(canonical(record)).hexdigest()


def to_json(record: Record) -> str:
    """Return a record as the text of its file."""
    return json.dumps(_values(record), sort_keys=True, ensure_ascii=True, indent=1) + "\n"


def values_of(record: Record | Metadata) -> dict[str, Any]:
    """Return the fields of a record as JSON takes them; ``transfers`` only where an older record has some."""
    found = {one.name: getattr(record, one.name) for one in dataclasses.fields(record)}
    if not found.get("transfers", True):
        del found["transfers"]
    return {name: values_of(value) if isinstance(value, Metadata) else value for name, value in found.items()}


def _values(record: Record) -> dict[str, Any]:
    return {"format": FORMAT, **values_of(record)}


def result_from_json(text: str, where: str) -> ResultRecord:
    """Read a result record.

    Raises:
        InputError: It is damaged or of another format.
    """
    raw = _Fields.of(text, where)
    said = raw.part("metadata")
    names = [one.name for one in dataclasses.fields(Metadata)]
    lists = ("authors", "inputs")
    metadata = Metadata(**{name: said.texts(name) if name in lists else said.text(name) for name in names})  # type: ignore[arg-type]
    if not metadata.name or not metadata.version:
        raise InputError(f"{where}: a result needs a name and a version.")
    conditions, transfers = raw.texts("conditions"), raw.shas("transfers")
    for condition in (*conditions, *transfers):
        if condition not in CONDITIONS and not _OLD_TRANSFER.fullmatch(condition):
            raise InputError(f"{where}: {condition[:40]!r} is not one of {', '.join(CONDITIONS)}.")
    if {c for c in conditions if c not in CONDITIONS} != set(transfers):
        raise InputError(f"{where}: 'transfers' does not name the digest of every transfer.")
    return ResultRecord(
        kind=raw.one_of("kind", KINDS),
        metadata=metadata,
        task=raw.text("task"),
        version=raw.text("version"),
        split=raw.text("split"),
        digest=raw.sha("digest"),
        seeds=raw.whole_numbers("seeds"),
        conditions=conditions,
        predictions=raw.sha("predictions"),
        transfers=transfers,
    )


def event_from_json(text: str, where: str) -> Event:
    """Read an event.

    Raises:
        InputError: It is damaged or of another format.
    """
    raw = _Fields.of(text, where)
    kind = raw.one_of("kind", EVENTS)
    at = raw.text("at")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", at):
        raise InputError(f"{where}: 'at' is not a time such as 2026-01-31T12:00:00Z.")
    by = raw.sha("by") if kind == "supersede" else ""
    return Event(kind, raw.sha("result"), at, by, raw.text("reason"))


def reported_from_json(text: str, where: str) -> ReportedRecord:
    """Read reported numbers.

    Raises:
        InputError: They are damaged or of another format.
    """
    raw = _Fields.of(text, where)
    return ReportedRecord(
        name=raw.text("name"),
        source=raw.text("source"),
        link=raw.text("link"),
        task=raw.text("task"),
        split=raw.text("split"),
        n_sessions=raw.whole_number("n_sessions"),
        metrics=raw.numbers("metrics"),
        note=raw.text("note"),
    )


def require_readable(record: Record) -> None:
    """Refuse a record that could be stored but not be read again: a text or a list that is too long.

    Raises:
        InputError: It is one.
    """
    if isinstance(record, ResultRecord):
        result_from_json(to_json(record), plain(record.metadata.label, 100))
    elif isinstance(record, Event):
        event_from_json(to_json(record), "the event")
    else:
        reported_from_json(to_json(record), f"the numbers stated by {plain(record.name, 100)}")


def check_sha(value: object, where: str) -> str:
    """Return a SHA-256 in hexadecimal, which is also safe as a file name.

    Raises:
        InputError: It is none.
    """
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{64}", value):
        raise InputError(f"{where}: {str(value)[:80]!r} is not a SHA-256 in hexadecimal.")
    return value


def _member(value: str, known: tuple[str, ...], where: str) -> str:
    if value not in known:
        raise InputError(f"{where}: '{value[:80]}' is none of {', '.join(known)}.")
    return value


@dataclass(frozen=True, slots=True)
class _Fields:
    """A JSON object whose fields are read with their types checked; a missing text is empty."""

    raw: Mapping[str, Any]
    where: str

    @classmethod
    def of(cls, text: str, where: str) -> _Fields:
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where} is not JSON ({error}); restore the file.") from error
        if not isinstance(raw, dict):
            raise InputError(f"{where} is not a JSON object; restore the file.")
        if raw.get("format") != FORMAT:
            raise InputError(
                f"{where} is of format {str(raw.get('format'))[:20]}; this version reads {FORMAT}. Update it."
            )
        return cls(raw, where)

    def _wrong(self, key: str, expected: str) -> InputError:
        return InputError(f"{self.where}: '{key}' is not {expected}.")

    def part(self, key: str) -> _Fields:
        value = self.raw.get(key)
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return _Fields(value, self.where)

    def text(self, key: str) -> str:
        value = self.raw.get(key, "")
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            raise self._wrong(key, f"a text of at most {MAX_TEXT} characters")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.raw.get(key, [])
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            raise self._wrong(key, f"a list of at most {MAX_ITEMS} texts")
        if not all(isinstance(item, str) and len(item) <= MAX_TEXT for item in value):
            raise self._wrong(key, f"a list of texts of at most {MAX_TEXT} characters")
        return tuple(value)

    def one_of(self, key: str, known: tuple[str, ...]) -> str:
        return _member(self.text(key), known, self.where)

    def sha(self, key: str) -> str:
        return check_sha(self.raw.get(key), f"{self.where}: '{key}'")

    def shas(self, key: str) -> dict[str, str]:
        """Return an object of SHA-256 values, empty where there is none."""
        value = self.raw.get(key, {})
        if not isinstance(value, dict) or len(value) > MAX_ITEMS:
            raise self._wrong(key, f"an object of at most {MAX_ITEMS} digests")
        return {str(name): check_sha(digest, f"{self.where}: '{key}'") for name, digest in value.items()}

    def whole_number(self, key: str) -> int:
        value = self.raw.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
            raise self._wrong(key, "a whole number")
        return value

    def whole_numbers(self, key: str) -> tuple[int, ...]:
        value = self.raw.get(key)
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            raise self._wrong(key, f"a list of at most {MAX_ITEMS} whole numbers")
        return tuple(_Fields({key: item}, self.where).whole_number(key) for item in value)

    def numbers(self, key: str) -> dict[str, float]:
        value = self.raw.get(key)
        if not isinstance(value, dict) or len(value) > MAX_ITEMS:
            raise self._wrong(key, "an object of numbers")
        for number in value.values():
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
                raise self._wrong(key, "an object of finite numbers")
        return {str(name): float(number) for name, number in value.items()}
