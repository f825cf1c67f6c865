"""Some altered screens as pictures, for people to look at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from benchmark.stress.conditions import LAYOUT, RELABEL, alter
from benchmark.stress.running import Bench
from tasks.errors import InputError
from tasks.storage import write_errors
from tasks.types import Session

SHOWN = 4
"""Sessions whose screens are written."""


def write_screens(folder: Path, sessions: Sequence[Session], bench: Bench, count: int = SHOWN) -> list[Path]:
    """Write the screens of some sessions as they were seen, relabelled and mirrored.

    Args:
        folder: Where to; made if it is not there.
        sessions: The test sessions; ``count`` of them are taken, evenly spaced.
        bench: Says how and for which split.
        count: How many.

    Returns:
        The files: ``<number>-<session>-seen.png``, ``-relabel.png`` and ``-layout.png``.

    Raises:
        InputError: The sessions have no screens, the task cannot draw labels, or a file cannot be written.
    """
    chosen = [sessions[i * len(sessions) // count] for i in range(min(count, len(sessions)))]
    written = []
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for number, session in enumerate(chosen, start=1):
            stimulus = session.stimulus()
            if stimulus.image is None:
                raise InputError(f"session {session.session_id} has no screen; prepare the task with images.")
            images = {"seen": stimulus.image}
            for condition in (RELABEL, LAYOUT):
                image = alter(condition, stimulus, bench.digest, bench.drawing, bench.seed).stimulus.image
                assert image is not None
                images[condition] = image
            name = re.sub(r"[^0-9A-Za-z_-]", "_", session.session_id)[:60]
            for word, image in images.items():
                path = folder / f"{number}-{name}-{word}.png"
                image.open().save(path, format="PNG")
                written.append(path)
    return written
