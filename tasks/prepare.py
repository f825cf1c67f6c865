"""From a raw folder to a prepared one: parquet shards, card, ``task.json`` and Croissant metadata."""

import contextlib
import hashlib
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.card import card, croissant
from tasks.columns import FIXATIONS, features
from tasks.definition import SIMULATED_MARK, Progress, Reading, ReadOptions, TaskDefinition, TaskInfo, quiet
from tasks.errors import InputError, gathering, recovered, unknown_name
from tasks.hub import declared, write_tables
from tasks.manifest import FILE, FORMAT, Manifest, describe, file_digest, read_manifest
from tasks.splits import assign, column, split_digest, split_from_values
from tasks.storage import absolute, read_errors, staged, write_errors
from tasks.types import ScreenImage, Session, visits

Report = Callable[[str], None]

SHARD_BYTES = 200_000_000  # largest shard, roughly: screens are counted, the little text around them is not

GROUP_BYTES = 32_000_000  # largest row group, so that preparing and reading stay small in memory

_ENTRIES = {"data", "screens", "splits", "README.md", "croissant.json", FILE}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Summary:
    """What ``prepare`` did, or found.

    Attributes:
        out: The prepared folder, or None where nothing was to be written.
        kept: Sessions kept; ``read`` = ``kept`` + sum of ``dropped``.
        digests: Split -> SHA-256.
        notice: The simulated-data notice, or empty.
        refused: What would be refused, where nothing was to be written (``prepare --check``).
    """

    task: str
    out: Path | None
    notice: str
    read: int
    kept: int
    dropped: Mapping[str, int]
    notes: Sequence[str]
    digests: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    refused: Sequence[str] = ()

    def record(self) -> dict[str, object]:
        """Return the summary as JSON values."""
        return {**asdict(self), "out": None if self.out is None else str(self.out)}

    def lines(self) -> list[str]:
        """Return the summary as lines of text that fit one screen."""
        lines = [self.notice] if self.notice else []
        lines += [f"{self.task}: {self.read} sessions read, {self.kept} kept, {self.read - self.kept} dropped"]
        lines += [f"  refused: {line}" for line in self.refused]
        lines += [f"  dropped {n:>6}  {reason}" for reason, n in by_count(self.dropped)]
        lines += [f"  note: {note}" for note in self.notes]
        for name, digest in self.digests.items():
            counts = ", ".join(f"{part}: {n}" for part, n in self.counts[name].items())
            lines.append(f"  split {name:<14} {counts}  (sha256 {digest[:12]})")
        if self.out is None:
            many = f"{len(self.refused)} findings" if len(self.refused) != 1 else "1 finding"
            return [*lines, f"  checked only: {many + ' would be refused' if self.refused else 'nothing to refuse'}"]
        return [*lines, f"  written to {self.out}"]


def prepare(
    definition: TaskDefinition,
    raw: Path,
    out: Path,
    options: ReadOptions | None = None,
    progress: Progress = quiet,
    report: Report | None = None,
) -> Summary:
    """Read a raw folder and write a prepared one, whole or not at all.

    The folder holds ``data/*.parquet`` with explicit features, which ``datasets.load_dataset("parquet",
    data_files=...)`` reads as they are; ``screens/`` with every drawn screen once; ``README.md``; ``task.json``;
    ``croissant.json``. The same input gives the same digests. A folder ``out`` that was prepared for the same task is
    replaced at the end; ``work`` of the options is set here; ``report`` is the log by default. InputError for anything
    about ``raw``, ``out`` or the options that cannot be used, and if no session is kept.
    """
    raw, out = absolute(raw), absolute(out)
    options = options or ReadOptions()
    report = report or _log.info
    public = definition.public
    if public is not None and public.within(raw) != raw:
        raw = public.within(raw)
        report(f"{raw} is part of {public.address}; prepare was {public.tested}")
    layout = choose_layout(definition, raw, options.layout)
    _check_target(definition, raw, out, options)
    options = replace(options, layout=layout, simulated=options.simulated or (raw / SIMULATED_MARK).is_file())
    info = definition.read_with(options)
    with staged(out, replace=True) as folder:
        screens = folder / "screens"
        with write_errors(out):
            screens.mkdir()
        report(f"reading {raw} as {info.name}, layout {layout}")
        with read_errors(raw, folder, out):
            reading = definition.read(raw, replace(options, work=screens), progress)
        check_reading(definition, raw, reading)
        notice = definition.sample_notice if options.simulated else ""
        manifest = _write(info, reading, options, notice, folder, progress, out)
    same = ("notice", "read", "kept", "dropped", "notes", "digests", "counts")
    return Summary(task=manifest.name, out=out, **{name: getattr(manifest, name) for name in same})


def choose_layout(definition: TaskDefinition, raw: Path, chosen: str | None) -> str:
    """Return the layout to read ``raw`` with."""
    if chosen is not None and chosen not in definition.layouts:
        raise unknown_name("layout", chosen, definition.layouts)
    if not raw.is_dir():
        raise InputError(f"there is no folder {raw}. Give the folder with the raw files.")
    with read_errors(raw, raw / FILE, raw):
        if not any(raw.iterdir()):
            raise InputError(f"the folder {raw} is empty. Give the folder with the raw files.")
        found = definition.detect(raw)
    name, known = definition.info.name, ", ".join(definition.layouts)
    if found is None and chosen is None:
        raise InputError(f"{raw} is not a raw folder of {name}: no file of its layouts ({known}) was recognised.")
    if found is not None and chosen is not None and found != chosen:
        raise InputError(f"{raw} has layout '{found}' of {name}, not '{chosen}'. Give the other layout or folder.")
    return chosen or found or definition.layouts[0]


def _check_target(definition: TaskDefinition, raw: Path, out: Path, options: ReadOptions) -> None:
    """Refuse to replace anything but a folder that was prepared for this task."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"cannot write {out}: it is a file. Choose a folder.")
    with write_errors(out):
        entries = {entry.name for entry in out.iterdir()}
    if not entries:
        return
    if FILE not in entries:
        raise InputError(f"cannot write {out}: it is not empty. Choose a new folder.")
    task = read_manifest(out).name
    if task != definition.info.name:
        raise InputError(f"cannot write {out}: it holds the prepared task {task}. Choose a new folder.")
    if entries - _ENTRIES:
        stranger = min(entries - _ENTRIES)
        raise InputError(
            f"cannot replace {out}: '{stranger}' in it would be lost. Move it away or choose a new folder."
        )
    for source in (raw, options.posters):
        if source is not None and source.resolve().is_relative_to(out.resolve()):
            raise InputError(f"cannot write {out}: the input {source} lies inside it. Choose a new folder.")


def check_reading(definition: TaskDefinition, raw: Path, reading: Reading) -> None:
    """Refuse a reading without sessions, with an id that occurs twice or with fixations that are not the gaze."""
    if not reading.sessions:
        reasons = "; ".join(f"{n} {reason}" for reason, n in by_count(reading.dropped)) or "the files hold none"
        name = definition.info.name
        raise InputError(
            f"no session of {raw} can be used for {name} ({reading.read} read): {reasons}. Check the files."
        )
    twice = [name for name, n in Counter(s.session_id for s in reading.sessions).items() if n > 1]
    if twice:
        raise InputError(
            f"session {twice[0]} occurs more than once in {raw} ({len(twice)} such ids). Remove the copies."
        )
    for session in reading.sessions:
        sums = np.zeros(len(session.slots))
        for visit in visits(session):
            sums[visit.slot] += visit.ms
        if session.fixations and (sums != session.gaze_ms).any():
            raise InputError(f"session {session.session_id}: the fixations on its slots do not add up to gaze_ms.")


def _write(
    info: TaskInfo, reading: Reading, options: ReadOptions, notice: str, folder: Path, progress: Progress, out: Path
) -> Manifest:
    """Write everything into the staged ``folder``."""
    sessions = reading.sessions
    users, screens = [s.user for s in sessions], [s.screen for s in sessions]
    values = assign(users, screens)
    splits = [split_from_values(name, of) for name, of in values.items()]
    ids, clicks, gaze = [s.session_id for s in sessions], [s.click for s in sessions], [s.gaze_ms for s in sessions]
    manifest = Manifest(
        format=FORMAT,
        name=info.name,
        version=info.version,
        layout=options.layout or "",
        simulated=options.simulated,
        notice=notice,
        read=reading.read,
        kept=len(sessions),
        dropped={reason: int(n) for reason, n in reading.dropped.items()},
        notes=[*reading.notes, *(f"{split.unusable}: it cannot be used" for split in splits if split.unusable)],
        counts={split.name: split.counts() for split in splits},
        digests={name: split_digest(ids, users, screens, clicks, gaze, of) for name, of in values.items()},
        statistics=describe(sessions),
    )
    with write_errors(out):
        names = _keep_screens(sessions, folder)
        shards = _write_shards(sessions, values, names, folder, info.name, progress)
        images = any(session.image is not None for session in sessions)
        write_tables(folder, shards, splits, names)
        _text(folder / "README.md", card(info, manifest, declared(splits, images)))
        _text(folder / "croissant.json", croissant(info, manifest, folder, shards, images))
        written = sorted(path for path in folder.rglob("*") if path.is_file())
        files = {path.relative_to(folder).as_posix(): file_digest(path) for path in written}
        manifest = replace(manifest, files=files)
        _text(folder / FILE, manifest.to_json())
    return manifest


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _keep_screens(sessions: Sequence[Session], folder: Path) -> list[str | None]:
    """Return a name per session's image, equal for equal screens, and drop files that no session shows."""
    screens = folder / "screens"
    names = [_image_name(session.image, screens) for session in sessions]
    kept = set(names)
    for path in sorted(screens.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(screens).as_posix() not in kept:
            path.unlink()
    for name, session in zip(names, sessions, strict=True):
        if name is not None and session.image is not None and not (screens / name).exists():
            (screens / name).write_bytes(session.image.encoded())
    if not any(screens.iterdir()):
        screens.rmdir()
    return names


def _image_name(image: ScreenImage | None, screens: Path) -> str | None:
    """Return the file's name below ``screens`` for a drawn screen, else one made from the bytes."""
    if image is None:
        return None
    if image.path is not None and image.path.is_relative_to(screens):
        return image.path.relative_to(screens).as_posix()
    data = image.encoded()
    suffix = "jpg" if data[:3] == b"\xff\xd8\xff" else "png"
    return f"{hashlib.sha256(data).hexdigest()[:16]}.{suffix}"


def _write_shards(
    sessions: Sequence[Session],
    values: Mapping[str, Sequence[str | int]],
    names: Sequence[str | None],
    folder: Path,
    task: str,
    progress: Progress,
) -> list[Path]:
    schema = features().arrow_schema
    sizes = [_size(session.image) for session in sessions]
    shards = list(_runs(list(enumerate(sizes)), SHARD_BYTES))
    (folder / "data").mkdir()
    paths = [folder / "data" / f"{task}-{i:05d}-of-{len(shards):05d}.parquet" for i in range(len(shards))]
    groups = [(i, group) for i, shard in enumerate(shards) for group in _runs(shard, GROUP_BYTES)]
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(pq.ParquetWriter(path, schema, write_page_checksum=True)) for path in paths]
        for shard_number, group in progress(groups, total=len(groups), desc="writing"):
            rows = [_row(sessions[i], names[i], {column(name): of[i] for name, of in values.items()}) for i, _ in group]
            writers[shard_number].write_table(pa.Table.from_pylist(rows, schema=schema))
    return paths


def _runs(sized: Sequence[tuple[int, int]], limit: int) -> Iterator[list[tuple[int, int]]]:
    """Cut ``(index, bytes)`` pairs into runs of at most ``limit`` bytes, at least one pair each."""
    run: list[tuple[int, int]] = []
    total = 0
    for pair in sized:
        if run and total + pair[1] > limit:
            yield run
            run, total = [], 0
        run.append(pair)
        total += pair[1]
    yield run


def _size(image: ScreenImage | None) -> int:
    if image is None:
        return 0
    return image.path.stat().st_size if image.path is not None else len(image.encoded())


def _row(session: Session, name: str | None, splits: Mapping[str, str | int]) -> dict[str, Any]:
    values = {part.name: getattr(session, part.name) for part in fields(session)}
    values["image"] = None if session.image is None else {"bytes": session.image.encoded(), "path": name}
    values["slots"] = [asdict(slot) for slot in session.slots]
    values[FIXATIONS] = [fixation._asdict() for fixation in session.fixations]
    return {**values, **splits}


def by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return names and counts above 0, the largest first."""
    return sorted(((name, n) for name, n in counts.items() if n), key=lambda item: (-item[1], item[0]))


def check(
    definition: TaskDefinition, raw: Path, options: ReadOptions | None = None, progress: Progress = quiet
) -> Summary:
    """Read a raw folder and return all that is wrong with it; pictures are opened and nothing is drawn.

    Returns what ``prepare`` would say, with what the reader would refuse: one line each with file, rows and their
    number. With something refused, what could be read all the same is counted. InputError if there is no such folder,
    or it is not one of the task.
    """
    raw = absolute(raw)
    options = options or ReadOptions()
    info = definition.read_with(options)
    raw = definition.public.within(raw) if definition.public is not None else raw
    layout = choose_layout(definition, raw, options.layout)
    simulated = options.simulated or (raw / SIMULATED_MARK).is_file()
    with tempfile.TemporaryDirectory(prefix="gazebench-") as work, gathering() as refused:
        given = replace(options, layout=layout, simulated=simulated, work=Path(work), workers=1, check=True)
        with read_errors(raw, Path(work), Path(work)):
            reading = recovered(lambda: definition.read(raw, given, progress)) or Reading([], 0)
        if not refused:
            recovered(lambda: check_reading(definition, raw, reading))
    users, screens = [s.user for s in reading.sessions], [s.screen for s in reading.sessions]
    splits = [split_from_values(name, of) for name, of in assign(users, screens).items()] if users else []
    return Summary(
        task=info.name,
        out=None,
        notice=definition.sample_notice if simulated else "",
        read=reading.read,
        kept=len(reading.sessions),
        dropped=dict(reading.dropped),
        notes=[*reading.notes, *(f"{split.unusable}: it cannot be used" for split in splits if split.unusable)],
        refused=tuple(refused),
    )
