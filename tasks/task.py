"""A loaded task: sessions, splits, digests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.columns import FIXATIONS, are_known
from tasks.definition import TaskDefinition, TaskInfo
from tasks.errors import InputError, unknown_name
from tasks.hub import configurations
from tasks.manifest import Manifest, Statistics, check_files, file_digest, read_manifest
from tasks.splits import SPLIT_NOTES, Split, assign, column, split_digest, split_from_values
from tasks.storage import cache_root, write_errors
from tasks.types import Fixation, ScreenImage, Session, Slot

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

IN_MEMORY_BYTES = 512_000_000
"""Data sets up to this size are read into memory; larger ones are mapped from an Arrow copy in the cache."""


_BY_DIGEST = re.compile(r"[0-9a-f]{16}\.(png|jpg)")
"""How ``prepare`` names an image that has no file of its own: the beginning of its SHA-256."""


MANY_SLOTS = 2_000_000
"""Tasks with more slots, over all sessions, keep them as they are stored."""


class _StoredImage(ScreenImage):
    """A screen inside a data set, whose bytes are fetched when asked for; a copy for another process holds them."""

    __slots__ = ("_index", "_name", "_rows")
    _rows: Any
    _index: int
    _name: str

    def __init__(self, rows: Any, index: int, name: str) -> None:
        object.__setattr__(self, "_rows", rows)
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "path", None)

    @property
    def data(self) -> bytes:
        """The encoded image; one named by its SHA-256 is compared with it."""
        encoded: bytes = self._rows[self._index]["image"][0]["bytes"].as_py()
        if _BY_DIGEST.fullmatch(self._name) and not hashlib.sha256(encoded).hexdigest().startswith(self._name[:16]):
            raise InputError(f"the image {self._name} of row {self._index} is damaged (SHA-256). Prepare it again.")
        return encoded

    def encoded(self) -> bytes:
        """Return the bytes of the encoded image (PNG or JPEG)."""
        return self.data

    def __eq__(self, other: object) -> bool:
        return self.data == other.data if isinstance(other, ScreenImage) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.data)

    def __repr__(self) -> str:
        return f"ScreenImage(row {self._index})"

    def __reduce__(self) -> tuple[type[ScreenImage], tuple[bytes]]:
        return ScreenImage, (self.data,)


class _StoredSlots(Sequence[Slot]):
    """The slots of a session as they are stored, made plain values whenever they are read.

    A task of millions of slots would not fit into memory as plain values. A copy sent to another process is a tuple.
    """

    __slots__ = ("_column", "_index", "_length")

    def __init__(self, column: Any, index: int) -> None:
        self._column, self._index, self._length = column, index, len(column[index])

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Slot]:
        return map(_slot, self._column[self._index].as_py())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self)[index]
        return _slot(self._column[self._index].values[range(len(self))[index]].as_py())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __reduce__(self) -> tuple[type[tuple[Any, ...]], tuple[list[Slot]]]:
        return tuple, (list(self),)


def _slot(values: Mapping[str, Any]) -> Slot:
    return Slot(values["label"], values["kind"], values["text"], tuple(values["box"]), values.get("rating"))


@dataclass(frozen=True, eq=False)
class Task(TaskInfo):
    """A task with its data: recorded sessions with fixed splits.

    Attributes:
        simulated: The sessions were simulated by this project, not recorded.
        notice: The line that every output must carry; empty for recorded data.
        sessions: One row per session, columns as on the data set's card.
        splits: By name (PROTOCOL section 4).
        digests: SHA-256 per split (PROTOCOL section 4).
    """

    simulated: bool = field(kw_only=True)
    notice: str = field(kw_only=True)
    sessions: Dataset = field(kw_only=True, repr=False)
    splits: Mapping[str, Split] = field(kw_only=True, repr=False)
    digests: Mapping[str, str] = field(kw_only=True, repr=False)
    statistics: Statistics = field(kw_only=True, repr=False)
    folder: Path = field(kw_only=True)

    def __len__(self) -> int:
        """Return the number of sessions."""
        return len(self.sessions)

    def session(self, index: int) -> Session:
        """Return the session at ``index`` in dataset order; its image is fetched and decoded only when asked for."""
        values = {name: column[index] for name, column in self._columns.items()}
        values |= {name: np.array(values[name].values, dtype=np.float64) for name in ("gaze_ms", "cursor_ms")}
        return Session(**values | {FIXATIONS: tuple(Fixation(**row) for row in values[FIXATIONS].as_py())})

    def sessions_at(self, indices: Iterable[int]) -> list[Session]:
        """Return the sessions at ``indices``, in that order."""
        return [self.session(int(index)) for index in indices]

    def find(self, session_id: str) -> Session:
        """Return the session of that id; InputError if there is none; the nearest id is suggested."""
        try:
            return self.session(self._position[session_id])
        except KeyError:
            near = unknown_name("session", session_id, self._position)
            raise InputError(str(near).split(" Known:")[0] + f" {self.name} has {len(self)} sessions.") from None

    def split(self, name: str) -> Split:
        """Return the split of that name; InputError if there is none, or a part of it is empty."""
        if name not in self.splits:
            raise unknown_name("split", name, self.splits)
        if reason := self.splits[name].unusable:
            raise InputError(
                f"{reason} of {self.name}, which has {len(self)} sessions. Use another split or more data."
            )
        return self.splits[name]

    def to_hf(self, split: str = "loo") -> DatasetDict:
        """Return the training and test sessions of a split as data sets, in dataset order.

        ``split`` is ``loo``, ``unseen-screen`` or one fold, such as ``kfold-0``. Each names the licence, the citation
        and, of simulated data, what must be said of it; ``push_to_hub`` publishes it, as far as the licence allows.
        InputError if there is no such split.
        """
        from datasets import DatasetDict

        known = configurations(self.splits.values())
        if split not in known:
            raise unknown_name("split", split, known)
        found = DatasetDict()
        for part, indices in zip(("train", "test"), known[split], strict=True):
            found[part] = self.sessions.select(indices)
            found[part].info.license, found[part].info.citation = self.licence, self.citation
            found[part].info.description = " ".join(filter(None, (self.notice, self.description)))
        return found

    @cached_property
    def _position(self) -> dict[str, int]:
        return {session_id: i for i, session_id in enumerate(self._columns["session_id"])}

    @cached_property
    def _columns(self) -> dict[str, Any]:
        """Everything but the images, as plain values per session; equal screens share one image object."""
        rows = self.sessions.with_format("arrow")
        stored = ("gaze_ms", "cursor_ms", "slots")
        names = ("session_id", "user", "screen", "profile", "click", "flags")
        table = rows.select_columns([*names, *stored])[:]
        columns: dict[str, Any] = {name: table[name].to_pylist() for name in names}
        columns |= {name: table[name] for name in stored}
        slots = table["slots"]
        many = sum(len(chunk.flatten()) for chunk in slots.chunks) > MANY_SLOTS
        columns["slots"] = [
            _StoredSlots(slots, i) if many else tuple(map(_slot, slots[i].as_py())) for i in range(len(rows))
        ]
        columns["flags"] = [tuple(flags) for flags in columns["flags"]]
        columns["image"] = _images(rows)
        known = FIXATIONS in rows.column_names
        # Kept as they are stored: there may be a hundred of them a session.
        columns[FIXATIONS] = rows.select_columns([FIXATIONS])[:][FIXATIONS] if known else pa.array([[]] * len(rows))
        return columns


def open_folder(definition: TaskDefinition, folder: Path) -> Task:
    """Return the task in a prepared folder.

    InputError if the folder belongs to another task or version, lacks files, or its sessions are not those that its
    digests were computed from.
    """
    manifest = read_manifest(folder)
    name = definition.info.name
    if manifest.name != name:
        raise InputError(f"{folder} holds the prepared task {manifest.name}, not {name}. Give another folder.")
    known = {info.version: info for info in (definition.info, *definition.truths.values())}
    if manifest.version not in known:
        raise InputError(
            f"{folder} holds version {manifest.version} of {name}, this is {definition.info.version}. Prepare it again."
        )
    info = known[manifest.version]
    check_files(folder, manifest)
    sessions = _read(folder)
    splits, digests = _splits(folder, manifest, sessions)
    return Task(
        **{part.name: getattr(info, part.name) for part in fields(info)},
        simulated=manifest.simulated,
        notice=manifest.notice,
        sessions=sessions,
        splits=splits,
        digests=digests,
        statistics=manifest.statistics,
        folder=folder,
    )


def _read(folder: Path) -> Dataset:
    from datasets import Dataset
    from datasets.exceptions import DatasetGenerationError

    files = sorted((folder / "data").glob("*.parquet"))
    if not files or not files[0].stem.endswith(f"-of-{len(files):05d}"):
        raise InputError(f"{folder} has {len(files)} data files, which is not all of them. Prepare it again.")
    try:
        for file in files:
            if not are_known(pq.read_schema(file)):
                raise InputError(f"{file} does not have the columns of a prepared task. Prepare it again.")
        if sum(file.stat().st_size for file in files) <= IN_MEMORY_BYTES:
            read = (pq.read_table(file, page_checksum_verification=True) for file in files)
            return Dataset(pa.concat_tables(read))
        with write_errors(cache_root()):
            return _mapped(files)
    except (pa.ArrowException, DatasetGenerationError, OSError) as error:
        raise InputError(f"cannot read the data in {folder}: {error}. Prepare it again.") from error


def _mapped(files: Sequence[Path]) -> Dataset:
    """Return a data set mapped from its Arrow copy in the cache, which is checked against a digest once it is there."""
    from datasets import Dataset

    listing = repr([(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files])
    place = cache_root() / "arrow" / hashlib.sha256(listing.encode()).hexdigest()[:16]

    def digest() -> bytes:
        return "\n".join(file_digest(copy) for copy in sorted(place.rglob("*.arrow"))).encode()

    kept = place / "SHA256"
    if kept.is_file() and kept.read_bytes() != digest():
        raise InputError(f"the Arrow copy in {place} is not what was written (SHA-256). Remove that folder.")
    mapped = Dataset.from_parquet([str(file) for file in files], cache_dir=str(place))
    if not kept.is_file():
        kept.write_bytes(digest())
    return mapped


def _splits(folder: Path, manifest: Manifest, sessions: Dataset) -> tuple[dict[str, Split], dict[str, str]]:
    """Return splits and digests after comparing each; a split that the folder is older than follows from the rest."""
    names = ("session_id", "user", "screen", "click", "gaze_ms")
    stored = [name for name in SPLIT_NOTES if column(name) in sessions.column_names]
    table = sessions.with_format("arrow").select_columns([*names, *map(column, stored)])[:]
    ids, users, screens, clicks, gaze = (table[name].to_pylist() for name in names)
    splits, digests = {}, {}
    for name in SPLIT_NOTES:
        values = table[column(name)].to_pylist() if name in stored else assign(users, screens)[name]
        try:
            splits[name] = split_from_values(name, values)
            digests[name] = digest = split_digest(ids, users, screens, clicks, gaze, values)
        except (TypeError, ValueError) as error:
            raise InputError(f"the data in {folder} is damaged: {error}. Prepare it again.") from error
        if name in stored and digest != manifest.digests.get(name):
            raise InputError(
                f"the sessions in {folder} are not those of its digest for split {name} "
                f"({digest[:12]} instead of {manifest.digests.get(name, 'none')[:12]}). Prepare it again."
            )
    return splits, digests


def _images(rows: Dataset) -> list[ScreenImage | None]:
    """Return the image of every row; rows whose image has the same name share it."""
    # Taken from the table as it lies there: the names without the bytes.
    image = rows.select_columns(["image"])[:]["image"]
    present = pc.is_valid(image).to_pylist()
    paths = pc.struct_field(image, "path").to_pylist()
    shared: dict[str, ScreenImage] = {}
    images: list[ScreenImage | None] = []
    for index, (given, path) in enumerate(zip(present, paths, strict=True)):
        if not given:
            images.append(None)
        elif path is None:
            images.append(_StoredImage(rows, index, ""))
        else:
            images.append(shared.setdefault(path, _StoredImage(rows, index, path)))
    return images
