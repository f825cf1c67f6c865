"""The dataset card of a prepared folder: ``README.md`` with YAML front matter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import yaml

from tasks.definition import TaskInfo
from tasks.manifest import Manifest
from tasks.splits import DEFAULT_SPLIT, SPLIT_NOTES, column

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

_COLUMNS = {
    "session_id": "unique id of the session",
    "user": "id of the user as published",
    "screen": "which screen it was, over users",
    "image": "what the user saw at the click, slot labels drawn (empty if prepared without images)",
    "profile": "what is known of the user or the need, in words",
    "slots": "the K slots: label, kind, text, box (x0, y0, x1, y1 in image pixels)",
    "gaze_ms": "human dwell time per slot, ms: the ground truth",
    "cursor_ms": "cursor dwell time per slot, ms",
    "click": "index of the clicked slot, 0..K-1",
    "flags": "oddities of the recording",
    "fixations": "the fixations in time order: slot (-1 for none), start_ms from the beginning of the session, "
    "duration_ms that counts; their time on a slot adds up to gaze_ms",
    "split_loo": "train or test",
    "split_kfold": "the fold 0..4 in which the session is tested",
    "split_unseen_screen": "train or test",
}


def card(info: TaskInfo, manifest: Manifest) -> str:
    """Return the Markdown text of the card."""
    title = info.title + (" (simulated sample)" if manifest.simulated else "")
    parts = ["---", yaml.safe_dump(_front_matter(info, manifest, title), sort_keys=False, allow_unicode=True) + "---"]
    if manifest.simulated:
        parts += ["", f"> **{manifest.notice}**"]
    parts += ["", f"# {title}", "", info.description.strip(), ""]
    for heading, lines in sections(info, manifest).items():
        parts += [f"## {heading}", "", *lines, ""]
    return "\n".join(parts)


def sections(info: TaskInfo, manifest: Manifest) -> dict[str, list[str]]:
    """Return the card's sections: heading -> lines of Markdown, in order."""
    return {
        "Contents": _contents(manifest),
        "Columns": [f"- `{name}`: {meaning}" for name, meaning in _COLUMNS.items()],
        "Provenance": _provenance(info, manifest),
        **({"Ground truth": _bullets(info.truth)} if info.truth else {}),
        "Splits": _splits(manifest),
        "Known leaks": _bullets(info.leaks),
        "Deviations from the paper": _bullets(info.deviations),
        "Reading it": _reading(),
        "Citation": ["```bibtex", info.citation.strip(), "```"],
    }


def size_category(sessions: int) -> str:
    """Return the hub's size class, such as ``n<1K``."""
    return next((name for bound, name in _SIZES if sessions < bound), "n>1M")


def _front_matter(info: TaskInfo, manifest: Manifest, title: str) -> dict[str, object]:
    data_files = [{"split": "sessions", "path": "data/*.parquet"}]
    return {
        **_licence(info, manifest),
        "pretty_name": title,
        "language": ["en"],
        "size_categories": [size_category(manifest.kept)],
        "task_categories": ["visual-question-answering"],
        "tags": ["eye-tracking", "gaze", "click-prediction", "user-simulation"]
        + (["simulated"] if manifest.simulated else []),
        "configs": [{"config_name": "default", "data_files": data_files}],
    }


def _licence(info: TaskInfo, manifest: Manifest) -> dict[str, str]:
    """Return the hub's licence fields: an SPDX id in lower case, else ``other``.

    The sample is not the data that ``info.licence`` is about; it is part of this project.
    """
    if manifest.simulated:
        return {"license": "mit"}
    if re.fullmatch(r"(CC|MIT|Apache|BSD|ODbL|GPL|AGPL|LGPL|PDDL|ODC)[A-Za-z0-9.\-]*", info.licence):
        return {"license": info.licence.lower()}
    return {"license": "other", "license_name": "see-provenance"}


def _contents(manifest: Manifest) -> list[str]:
    s = manifest.statistics
    lines = [
        f"- sessions: {s.sessions} ({manifest.read} read, {manifest.read - manifest.kept} dropped)",
        *(f"  - dropped, {reason}: {n}" for reason, n in manifest.dropped.items() if n),
        f"- users: {s.users}; sessions per user {s.sessions_per_user}",
        f"- distinct screens: {s.screens}",
        f"- slots per session: {s.slots_per_session}",
        f"- gaze per session, s: {s.gaze_s}",
        f"- entropy of gaze over slots, bits: {s.gaze_entropy_bits}",
        f"- sessions whose click is on the slot looked at longest: {s.click_is_longest_looked_at:.1%}",
        f"- slots by kind: {_counted(s.slot_kinds)}",
        f"- clicks by kind: {_counted(s.click_kinds)}",
        f"- clicks by slot 0, 1, 2, ...: {', '.join(map(str, s.click_positions))}",
    ]
    if s.flags:
        lines.append(f"- flagged sessions: {_counted(s.flags)}")
    return lines


def _provenance(info: TaskInfo, manifest: Manifest) -> list[str]:
    lines = [f"- task `{manifest.name}`, version {manifest.version}, read from layout `{manifest.layout}`"]
    if manifest.simulated:
        lines += [
            f"- source: generated by this project in the file format of {info.source}",
            f"- licence: MIT; the recorded data that it replaces: {info.licence}",
        ]
    else:
        lines += [f"- source: {info.source}", f"- licence: {info.licence}"]
    return lines + _bullets(manifest.notes, none="")


def _splits(manifest: Manifest) -> list[str]:
    lines = ["| split | column | sessions | meaning | digest (SHA-256) |", "|---|---|---|---|---|"]
    for name, digest in manifest.digests.items():
        default = " (default)" if name == DEFAULT_SPLIT else ""
        counts = _counted(manifest.counts[name])
        lines.append(f"| {name}{default} | `{column(name)}` | {counts} | {SPLIT_NOTES[name]} | `{digest}` |")
    return lines


def _reading() -> list[str]:
    return [
        "```python",
        "from datasets import load_dataset",
        'sessions = load_dataset("parquet", data_files="data/*.parquet", split="train")',
        "```",
        "",
        "The hub's name `train` for unsplit files says nothing about the splits above: use their columns.",
    ]


def _bullets(lines: Iterable[str], none: str = "- none known") -> list[str]:
    return [f"- {line}" for line in lines] or ([none] if none else [])


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {n}" for name, n in counts.items())
