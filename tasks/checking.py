"""``prepare --check``: everything that reading a raw folder would refuse or note, at once, without writing anything."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tasks.definition import SIMULATED_MARK, Progress, ReadOptions, TaskDefinition, quiet
from tasks.findings import gathering, recovered
from tasks.prepare import by_count, check_reading, choose_layout
from tasks.splits import assign, split_from_values
from tasks.storage import absolute, read_errors


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a raw folder found.

    Attributes:
        task: Name of the task.
        raw: The raw folder.
        refused: What the reader would refuse, one line each with file, rows and their number.
        read: Candidate sessions; with something refused, those that could be read all the same.
        kept: Sessions that would be kept.
        dropped: Reason -> sessions that would be dropped for it.
        notes: What would be noted.
    """

    task: str
    raw: Path
    refused: Sequence[str]
    read: int = 0
    kept: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def record(self) -> dict[str, object]:
        """Return the findings as JSON values."""
        return {**asdict(self), "raw": str(self.raw)}

    def lines(self) -> list[str]:
        """Return the findings as lines of text."""
        verdict = f"{len(self.refused)} would be refused" if self.refused else "nothing would be refused"
        lines = [f"{self.task}: {self.raw}: {verdict}"]
        lines += [f"  refused: {line}" for line in self.refused]
        lines.append(f"  {self.read} sessions read, {self.kept} kept, {self.read - self.kept} dropped or unreadable")
        lines += [f"  dropped {n:>6}  {reason}" for reason, n in by_count(self.dropped) if n]
        return lines + [f"  note: {note}" for note in self.notes]


def check(
    definition: TaskDefinition, raw: Path, options: ReadOptions | None = None, progress: Progress = quiet
) -> Checked:
    """Read a raw folder and return all that is wrong with it.

    Args:
        definition: The task.
        raw: The raw folder.
        options: How to read; screens are opened and not drawn.
        progress: Shows progress.

    Raises:
        InputError: There is no such folder, or it is not one of the task.
    """
    raw = absolute(raw)
    options = options or ReadOptions()
    definition.with_truth(options.truth)
    layout = choose_layout(definition, raw, options.layout)
    simulated = options.simulated or (raw / SIMULATED_MARK).is_file()
    name = definition.info.name
    with tempfile.TemporaryDirectory(prefix="gazebench-") as work, gathering() as refused:
        given = replace(options, layout=layout, simulated=simulated, work=Path(work), workers=1, check=True)
        with read_errors(raw, Path(work), Path(work)):
            reading = recovered(lambda: definition.read(raw, given, progress))
        if reading is None:
            return Checked(name, raw, tuple(refused))
        if reading.sessions or not refused:
            recovered(lambda: check_reading(definition, raw, reading))
    sessions = reading.sessions
    notes = list(reading.notes)
    if sessions and not refused:
        values = assign([s.user for s in sessions], [s.screen for s in sessions])
        splits = [split_from_values(name, of) for name, of in values.items()]
        notes += [f"{split.unusable}: it cannot be used" for split in splits if split.unusable]
    return Checked(name, raw, tuple(refused), reading.read, len(sessions), dict(reading.dropped), notes)
