"""``task.json``: what a prepared folder says about itself, with statistics of its sessions."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tasks.decoding import decode, load_json
from tasks.errors import InputError
from tasks.types import Floats, Session


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median, mean and maximum of a quantity."""

    min: float
    median: float
    mean: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Return the spread of at least one value, rounded to 6 decimals."""
        array = np.asarray(list(values), dtype=np.float64)
        statistics = (array.min(), np.median(array), array.mean(), array.max())
        return cls(*(round(float(value), 6) for value in statistics))

    def __str__(self) -> str:
        if self.min == self.max:
            return f"{self.min:g}"
        return f"{self.min:.4g} to {self.max:.4g} (mean {self.mean:.4g}, median {self.median:.4g})"


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a task looks like in numbers.

    Attributes:
        gaze_s: Dwell time of one session, all slots, seconds.
        gaze_entropy_bits: Entropy of one session's gaze over its slots, bits (0 to log2 K).
        click_is_longest_looked_at: Share of sessions whose clicked slot has the largest dwell time.
        click_positions: Number of clicks on slot 0, 1, 2, ...
    """

    sessions: int
    users: int
    screens: int
    sessions_per_user: Spread
    slots_per_session: Spread
    gaze_s: Spread
    gaze_entropy_bits: Spread
    click_is_longest_looked_at: float
    click_positions: list[int]
    click_kinds: dict[str, int]
    slot_kinds: dict[str, int]
    flags: dict[str, int]


def entropy_bits(gaze: Floats) -> float:
    """Return the entropy of a distribution over slots, shape (K,): ``-sum g log2 g``, bits; empty slots add nothing."""
    looked_at = gaze[gaze > 0]
    return float(-(looked_at * np.log2(looked_at)).sum()) + 0.0


def describe(sessions: Sequence[Session]) -> Statistics:
    """Return the statistics of at least one session."""
    clicks = [session.click for session in sessions]
    return Statistics(
        sessions=len(sessions),
        users=len({session.user for session in sessions}),
        screens=len({session.screen for session in sessions}),
        sessions_per_user=Spread.of(Counter(session.user for session in sessions).values()),
        slots_per_session=Spread.of(len(session.slots) for session in sessions),
        gaze_s=Spread.of(float(session.gaze_ms.sum()) / 1000 for session in sessions),
        gaze_entropy_bits=Spread.of(entropy_bits(session.gaze) for session in sessions),
        click_is_longest_looked_at=round(
            sum(bool(s.gaze_ms[s.click] == s.gaze_ms.max()) for s in sessions) / len(sessions), 6
        ),
        click_positions=np.bincount(clicks).tolist(),
        click_kinds=_sorted(Counter(session.slots[session.click].kind for session in sessions)),
        slot_kinds=_sorted(Counter(slot.kind for session in sessions for slot in session.slots)),
        flags=_sorted(Counter(flag for session in sessions for flag in session.flags)),
    )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


FILE = "task.json"
FORMAT = 2
"""Changes when columns or files of a prepared folder change; 1 had no fixations and no digests of files."""
_REMEDY = "prepare the folder again"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where a prepared folder comes from and what it holds.

    Attributes:
        format: Version of the folder's layout.
        layout: Raw layout it was read from.
        notice: The line that every output on it carries; empty for recorded data.
        dropped: Reason -> sessions dropped for it.
        counts: Split -> part -> number of sessions.
        files: Name below the folder -> SHA-256 of every file but this one; empty in format 1.
    """

    format: int
    name: str
    version: str
    layout: str
    simulated: bool
    notice: str
    read: int
    kept: int
    dropped: dict[str, int]
    notes: list[str]
    counts: dict[str, dict[str, int]]
    digests: dict[str, str]
    statistics: Statistics
    files: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text of ``task.json``; its last entry is a digest of the others."""
        values: dict[str, Any] = asdict(self)
        return json.dumps({**values, "digest": _digest(values)}, indent=2, ensure_ascii=False) + "\n"


def file_digest(path: Path) -> str:
    """Return the SHA-256 (hexadecimal) of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file of a prepared folder with its digest; InputError if one is missing or was changed."""
    for name, digest in manifest.files.items():
        path = folder / name
        try:
            damaged = file_digest(path) != digest
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}. Prepare the folder again.") from error
        if damaged:
            raise InputError(f"{path} is not the file that was written (SHA-256). Prepare the folder again.")


def read_manifest(folder: Path) -> Manifest:
    """Read ``task.json`` of a prepared folder; InputError if it is missing, not JSON, or not of this format."""
    path = folder / FILE
    values = load_json(path, _REMEDY)
    known = FORMAT
    if isinstance(values, dict):
        digest = values.pop("digest", None)
        stated = values.get("format")
        if stated in (1, FORMAT) and (digest, stated) != (None, 1) and digest != _digest(values):
            raise InputError(f"{path} is not the file that was written (SHA-256). Prepare the folder again.")
        known = 1 if values.get("format") == 1 else FORMAT
    return decode(Manifest, values, path, _REMEDY, version=("format", known))
