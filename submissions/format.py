"""The submission format, version 1, as typed values and as files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import yaml

from benchmark.naming import LAYOUT, RELABEL, SWAP_USERS, TRUE_LABEL, WRONG_LABEL
from benchmark.parts import part_names
from tasks.storage import write_errors

FORMAT = 1
"""Version of the format; it changes when an older submission would be read differently."""

METADATA_FILE = "submission.yaml"
PREDICTIONS_FOLDER = "predictions"
STRESS_FOLDER = "stress"
PATHS_FOLDER = "paths"
CONDITIONS = (RELABEL, SWAP_USERS, TRUE_LABEL, WRONG_LABEL, LAYOUT)
"""What the simulator was shown in place of the sessions as they were seen, under ``STRESS_FOLDER``."""

_TASK = r"[a-z0-9][a-z0-9-]{0,59}"
_VERSION = r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,29}"
_SPLIT = r"[a-z0-9][a-z0-9-]{0,39}"
_SEED = r"0|[1-9][0-9]{0,9}"
_PATH = re.compile(rf"{PREDICTIONS_FOLDER}/({_TASK})@({_VERSION})/({_SPLIT})/seed-({_SEED})\.(parquet|jsonl)", re.ASCII)
_STRESS_PATH = re.compile(rf"{STRESS_FOLDER}/({'|'.join(CONDITIONS)})/(.+)", re.ASCII)
STRESS_PATTERN = f"{STRESS_FOLDER}/<condition>/<task>@<version>/<split>/seed-<n>.parquet (or .jsonl)"
PATHS_FILE = re.compile(rf"{PATHS_FOLDER}/({_TASK}@{_VERSION}/{_SPLIT})\.json", re.ASCII)
PATH_PATTERN = f"{PREDICTIONS_FOLDER}/<task>@<version>/<split>/seed-<n>.parquet (or .jsonl)"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One predictions file; ``condition`` is one of ``CONDITIONS``, empty for the sessions as they were seen."""

    task: str
    version: str
    split: str
    seed: int
    path: Path = field(compare=False)
    condition: str = ""

    @property
    def key(self) -> str:
        """``task@version/split``, as in ``digests``."""
        return f"{self.task}@{self.version}/{self.split}"

    @property
    def name(self) -> str:
        """The file's path inside the submission."""
        return f"{predictions_folder(self.condition)}/{self.key}/{self.path.name}"


def predictions_folder(condition: str = "") -> str:
    """Return the folder of the predictions under a condition, inside the submission."""
    return f"{STRESS_FOLDER}/{condition}" if condition else PREDICTIONS_FOLDER


def entry_of(name: str, folder: Path) -> Entry | None:
    """Return the entry whose path inside ``folder`` is ``name``, or None: it is not the path of a predictions file."""
    stress = _STRESS_PATH.fullmatch(name)
    condition = stress[1] if stress is not None else ""
    match = _PATH.fullmatch(f"{PREDICTIONS_FOLDER}/{stress[2]}" if stress is not None else name)
    if match is None or int(match[4]) > 2**32 - 1:
        return None
    return Entry(match[1], match[2], match[3], int(match[4]), folder / name, condition)


def paths_file(key: str) -> str:
    """Return where the paths drawn for ``key`` are, inside the submission."""
    return f"{PATHS_FOLDER}/{key}.json"


@dataclass(frozen=True, slots=True)
class Backbone:
    """The pre-trained model that a simulator uses; ``parameters`` is None if their number is unknown."""

    name: str
    parameters: int | float | None = None


@dataclass(frozen=True, slots=True)
class Attention:
    """How attention was computed: ``free``, without the click, for the true one (``label``), or stated (``none``)."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Reported:
    """A number printed elsewhere, without predictions; shown apart and never ranked."""

    task: str
    split: str
    metric: str
    value: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A submission's metadata and its predictions files. Every text is the makers' own: escape it.

    Attributes:
        name: What the table calls it, printable ASCII.
        contact: An e-mail or web address.
        licence: Licence of the predictions.
        kind: ``prior``, ``click-model``, ``language-model``, ``vision-language-model``, ``oracle`` or ``other``.
        inputs: What it sees: ``text``, ``image``, ``profile``, ``gaze-train``, ``clicks-train``, ``cursor``,
            ``gaze-test``, ``cursor-test``.
        training_data: What it was trained on apart from the task, or None.
        digests: ``task@version/split`` -> digest of the split it was made for.
        failures: Rows with a blank part that is submitted elsewhere.
        notice: What every output on it must say; may be empty.
        entries: The predictions files, sorted.
        stress: Those of the stress conditions, sorted.
        paths: ``task@version/split`` -> file of drawn paths (``scores.paths.read_given``), which are shown, not scored.
    """

    folder: Path
    name: str
    version: str
    authors: tuple[str, ...]
    contact: str
    link: str | None = None
    licence: str
    description: str
    kind: str
    inputs: tuple[str, ...]
    backbone: Backbone | None = None
    training_data: str | None = None
    attention: Attention | None = None
    seeds: tuple[int, ...]
    digests: Mapping[str, str] = field(hash=False)
    failures: int = 0
    hardware: str | None = None
    cost: Mapping[str, float] = field(default_factory=dict, hash=False)
    notice: str = ""
    reported: tuple[Reported, ...] = ()
    entries: tuple[Entry, ...] = ()
    stress: tuple[Entry, ...] = ()
    paths: Mapping[str, Path] = field(default_factory=dict, hash=False)

    @property
    def target(self) -> str:
        """What attention was computed for: ``free``, ``label`` or, without attention, ``none``."""
        return self.attention.target if self.attention is not None else "none"


def from_record(values: Mapping[str, Any], folder: Path, entries: tuple[Entry, ...]) -> Submission:
    """Return the submission of a metadata mapping that the schema accepts."""
    said = {**values, **values["simulator"], "notice": values.get("notice") or ""}
    whole = {"seeds": [int(seed) for seed in values["seeds"]], "failures": int(values.get("failures", 0))}
    plain = sorted(entry for entry in entries if not entry.condition)
    stress = sorted(entry for entry in entries if entry.condition)
    return msgspec.convert({**said, **whole, "folder": folder, "entries": plain, "stress": stress}, Submission)


PLACEHOLDER_AUTHOR = "anonymous"
PLACEHOLDER_CONTACT = "nobody@example.invalid"
"""What ``submission.yaml`` says until somebody has entered their name; ``doctor`` asks for it."""


def write_metadata(folder: Path, values: Mapping[str, Any], comment: str = "") -> None:
    """Write ``submission.yaml`` into a folder that exists, below a comment; InputError if it cannot be written."""

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            # The format allows no aliases, so a value that is used twice is written twice.
            return True

    text = yaml.dump(dict(values), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    lines = "".join(f"# {line}\n" for line in comment.splitlines())
    with write_errors(folder):
        (folder / METADATA_FILE).write_text(lines + text, encoding="utf-8")


def write_predictions(
    folder: Path,
    key: str,
    seed: int,
    predictions: pa.Table,
    about: Mapping[str, str] | None = None,
    condition: str = "",
) -> Path:
    """Write one predictions file as parquet and return it; a part that no prediction has gets no column.

    ``key`` is ``task@version/split``; ``predictions`` have the columns session_id and parts, a row per session.
    ``about`` is what the file itself says of its data, such as the simulated-data notice; ``condition`` is the stress
    condition, empty for the sessions as they were seen. InputError if the file cannot be written.
    """
    from benchmark.scores.predictions import write_table

    parts = [name for name in part_names() if name in predictions.column_names]
    kept = [name for name in parts if predictions[name].null_count < len(predictions)]
    path = folder / predictions_folder(condition) / key / f"seed-{seed}.parquet"
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(predictions.select(["session_id", *kept]), path, about)
    return path
