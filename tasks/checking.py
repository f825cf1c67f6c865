"""``prepare --check``: everything that reading a raw folder would refuse or note, at once, without writing anything."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from tasks.definition import SIMULATED_MARK, Progress, Reading, ReadOptions, TaskDefinition, quiet
from tasks.errors import gathering, recovered
from tasks.prepare import Summary, check_reading, choose_layout
from tasks.splits import assign, split_from_values
from tasks.storage import absolute, read_errors


def check(
    definition: TaskDefinition, raw: Path, options: ReadOptions | None = None, progress: Progress = quiet
) -> Summary:
    """Read a raw folder and return all that is wrong with it; pictures are opened and nothing is drawn.

    Returns:
        What ``prepare`` would say, with what the reader would refuse: one line each with file, rows and their number.
        With something refused, what could be read all the same is counted.

    Raises:
        InputError: There is no such folder, or it is not one of the task.
    """
    raw = absolute(raw)
    options = options or ReadOptions()
    info = definition.with_truth(options.truth)
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
