"""What travels to the workers: the task once per machine, checkpoints of backbones where they are missing."""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock

from tasks.storage import cache_root, staged, write_errors
from tasks.task import Task

_CHUNK = 64 * 2**20


@dataclasses.dataclass(frozen=True)
class PackedTask:
    """A task's fields without the sessions, and these as an Arrow table or the path of a file that holds one.

    The buffers of a table lie in Ray's object store; a file is mapped into the memory of every process.
    """

    values: Mapping[str, Any]
    table: Any

    @staticmethod
    def of(task: Task) -> "PackedTask":
        """Pack a task."""
        fields = [f.name for f in dataclasses.fields(task) if f.name != "sessions"]
        table = task.sessions.with_format("arrow")[:]
        return PackedTask({name: getattr(task, name) for name in fields}, table)

    def unpack(self) -> Task:
        """Return the task; its sessions and screens are read from the table where it lies."""
        from datasets import Dataset

        # Without a name of its own the table would be copied and hashed to get one.
        name = hashlib.sha256("".join(self.values["digests"].values()).encode()).hexdigest()[:16]
        table = self.table
        if isinstance(table, Path):
            table = pa.ipc.open_file(pa.memory_map(str(table))).read_all()
        return Task(**self.values, sessions=Dataset(table, fingerprint=name))

    def mapped(self, folder: Path) -> "PackedTask":
        """Write the table into a folder, for processes that share this machine's disk."""
        path = folder / "sessions.arrow"
        with write_errors(path), pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, self.table.schema) as writer:
            writer.write_table(self.table)
        return PackedTask(self.values, path)


def chunks(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a checkpoint's folder in pieces, (name, content), in order; folders within are left out."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            with path.open("rb") as file:
                yield path.name, file.read(_CHUNK)
                while content := file.read(_CHUNK):
                    yield path.name, content


def local_copy(fingerprint: str, pieces: Iterator[tuple[str, bytes]]) -> Path:
    """Return this machine's copy of a checkpoint, written from ``pieces`` (see ``chunks``) if it is not there yet.

    ``fingerprint`` names the content: a copy with this name is taken as it is, and nothing is drawn from ``pieces``.
    InputError if the copy cannot be written.
    """
    folder = cache_root() / "checkpoints" / hashlib.sha256(fingerprint.encode()).hexdigest()[:24]
    folder.parent.mkdir(parents=True, exist_ok=True)
    # One worker of a machine writes; the others wait for it and then find it.
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            with staged(folder, replace=False) as partial:
                for name, content in pieces:
                    with (partial / Path(name).name).open("ab") as file:
                        file.write(content)
    return folder
