"""The records of a board: results, events and reported numbers, as typed values and as JSON.

Every record is named by the SHA-256 of its canonical JSON, so a record never changes, and two boards are merged by
taking the files of both. What a board holds may come by pull request: reading checks types, sizes and the name.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta

from benchmark.naming import LAYOUT, ON_BOARDS, OWN, RELABEL, SHARED, SWAP_USERS, TRUE_LABEL, WRONG_LABEL
from benchmark.output.text import plain
from tasks.decoding import Count, Sha256, Time, decode, one_of
from tasks.errors import InputError

FORMAT = 1
"""Of every record; a board with a newer one is refused."""

VERSION = ("format", FORMAT)

KINDS = ("submission", "baseline", "reference")
"""A baseline is one of the suite's cheap priors, ranked; a reference sees the recording and is never ranked."""

EVENTS = ("submit", "withdraw", "supersede")

SWAPPED = ON_BOARDS[SWAP_USERS]
CONDITIONS = (OWN, SHARED, SWAPPED, RELABEL, LAYOUT, TRUE_LABEL, WRONG_LABEL)
"""What a board takes predictions under, see ``benchmark.naming``."""

_OLD_TRANSFER = r"transfer-[a-z0-9][a-z0-9-]{0,59}@[0-9A-Za-z][0-9A-Za-z.+_-]{0,29}"
"""Conditions of older records: predictions of another task's test sessions."""

MAX_TEXT = 4_000
MAX_ITEMS = 100

_FEW = Meta(max_length=MAX_ITEMS)
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Texts = Annotated[tuple[Text, ...], _FEW]
Kind = Annotated[str, one_of(*KINDS)]
MaybeSha256 = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]
EventKind = Annotated[str, one_of(*EVENTS)]
Conditions = Annotated[tuple[Annotated[str, one_of(*CONDITIONS, _OLD_TRANSFER)], ...], _FEW]
Seeds = Annotated[tuple[Count, ...], _FEW]
Digests = Annotated[Mapping[str, Sha256], _FEW]
Means = Annotated[Mapping[str, float], _FEW]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a submitter says of a simulator: data to be shown, never trusted.

    Attributes:
        kind: Such as ``prompt-tuned VLM``.
        inputs: What it sees: text, image, profile, gaze-train, cursor.
        size: Of the backbone.
        attention_target: ``free``, ``label`` or ``none``.
        notice: What every output must say of it: that its backbone is a stand-in.
    """

    name: Name
    version: Name
    authors: Texts = ()
    contact: Text = ""
    link: Text = ""
    licence: Text = ""
    description: Text = ""
    kind: Text = ""
    inputs: Texts = ()
    backbone: Text = ""
    size: Text = ""
    training_data: Text = ""
    attention_source: Text = ""
    attention_target: Text = ""
    hardware: Text = ""
    cost: Text = ""
    notice: Text = ""

    @property
    def label(self) -> str:
        """Name and version, as commands take them."""
        return f"{self.name}@{self.version}"

    @property
    def states_attention(self) -> bool:
        """Whether attention is what the model said of itself: it has a source and no target."""
        return self.attention_target == "none" and bool(self.attention_source)


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """One submission on one split of one task.

    Attributes:
        digest: Of the task's sessions and this split; only results of one digest are compared.
        conditions: Which of ``CONDITIONS`` there are predictions for; in older records also transfers.
        predictions: Canonical digest of the predictions (``board_predictions.predictions_digest``).
        transfers: In older records only: condition -> digest of another task's split whose test sessions are predicted.
            They are part of the record's identity, and are neither scored nor shown.
        paths: Digest of the paths that it drew, which are shown and never scored; empty without any.
    """

    kind: Kind
    metadata: Metadata
    task: Text
    version: Text
    split: Text
    digest: Sha256
    seeds: Seeds
    conditions: Conditions
    predictions: Sha256
    transfers: Digests = field(default_factory=dict, hash=False)
    paths: MaybeSha256 = ""

    def __post_init__(self) -> None:
        if set(self.conditions) - set(CONDITIONS) != set(self.transfers):
            raise InputError("'transfers' must name the digest of every transfer among 'conditions', and no other.")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a result; entries are added, never taken away.

    ``by`` is the identity of the result that takes its place (supersede), else empty.
    """

    kind: EventKind
    result: Sha256
    at: Time
    by: MaybeSha256 = ""
    reason: Text = ""

    def __post_init__(self) -> None:
        if bool(self.by) != (self.kind == "supersede"):
            raise InputError("'by' must name a result in an event of the kind supersede, and be empty in any other.")


@dataclass(frozen=True, slots=True)
class ReportedRecord:
    """Numbers that someone states and this board has no predictions for; shown apart and never ranked.

    ``source`` is a paper and its table; ``note`` says what is known to differ from this suite's protocol.
    """

    name: Text
    source: Text
    link: Text
    task: Text
    split: Text
    n_sessions: Count
    metrics: Means
    note: Text = ""


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
    """Return the fields of a record as JSON takes them; ``transfers`` and ``paths`` only where it has some."""
    found = dataclasses.asdict(record)
    return {name: value for name, value in found.items() if value or name not in ("transfers", "paths")}


def _values(record: Record) -> dict[str, Any]:
    return {"format": FORMAT, **values_of(record)}


def require_readable(record: Record) -> None:
    """Refuse a record that could be stored but not be read again: a text or a list that is too long.

    InputError if it is one.
    """
    if isinstance(record, ResultRecord):
        what = plain(record.metadata.label, 100)
    else:
        what = "the event" if isinstance(record, Event) else f"the numbers stated by {plain(record.name, 100)}"
    decode(type(record), json.loads(to_json(record)), what, "correct it", version=VERSION)


def check_sha(value: object, where: str) -> str:
    """Return a SHA-256 in hexadecimal, which is also safe as a file name; InputError if it is something else."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{64}", value):
        raise InputError(f"{where}: {str(value)[:80]!r} is not a SHA-256 in hexadecimal.")
    return value
