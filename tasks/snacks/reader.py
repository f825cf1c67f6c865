"""Reads a folder of choices among snacks, in either layout, into sessions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tasks.definition import Progress, Reading, ReadOptions
from tasks.errors import recovered
from tasks.pictures import encode
from tasks.plausible import check_people
from tasks.snacks import layouts
from tasks.snacks.layouts import session_of
from tasks.snacks.screen import SIZE, draw_screen, open_picture
from tasks.storage import file_name, write_errors
from tasks.types import ScreenImage, Session

LAYOUTS = ("grid", "table")
_REPOSITORY = (
    "layout of github.com/athms/many-item-choice: built from its description and excerpts of its files at commit "
    "8c28ff4e, not tested on the whole repository"
)


def detect(path: Path) -> str | None:
    """Return the layout of a folder: ``table`` (one table of fixations), ``grid`` (gazes and positions) or None."""
    if layouts.table_of(path) is not None:
        return "table"
    found = layouts.tables(path)
    return "grid" if found["gazes"] and found["positions"] else None


def read(path: Path, options: ReadOptions, progress: Progress) -> Reading:
    """Read a folder into sessions, ordered by user and trial (numbers as numbers).

    InputError if the folder or one of its files cannot be used; the message names file and row.
    """
    counts, dropped = Counter[str](), Counter[str]()
    table = layouts.table_of(path)
    if table is None:
        trials, kind = layouts.read_grid(path, progress, counts), layouts.GAZES
        notes = [] if options.simulated else [_REPOSITORY]
    else:
        trials, kind = layouts.read_table(table)
        notes = ["the table has no onsets: fixations follow each other"] if kind.time[0] == "rt" else []
    trials.sort(key=lambda trial: [part.zfill(9) for part in (trial.subject, *trial.name.split("-"))])
    check_people((trial.subject for trial in trials), lambda *_: str(path))
    sessions: list[Session] = []
    for trial in trials:
        session = recovered(partial(session_of, trial, kind, options.size or SIZE, counts))
        if isinstance(session, Session):
            sessions.append(session)
            counts["sessions that show a snack twice (flag item-repeated)"] += len(session.flags)
        elif session is not None:
            dropped[session] += 1
    notes += [f"{what}: {n}" for what, n in sorted(counts.items()) if n]
    if options.images:
        sessions = _with_screens(sessions, layouts.data_folder(path) / "stimuli", options, progress, notes)
    return Reading(sessions, len(trials), dict(dropped), notes)


def _with_screens(
    sessions: Sequence[Session], folder: Path, options: ReadOptions, progress: Progress, notes: list[str]
) -> list[Session]:
    """Return the sessions with their screens drawn, each distinct one once, and note which pictures they show."""
    names = sorted({slot.text for session in sessions for slot in session.slots})
    pictures = {name: folder / f"{name}.png" for name in names if (folder / f"{name}.png").is_file()}
    notes.append(f"pictures: {len(pictures)} of {len(names)}; the other snacks are tiles drawn by this project")
    if options.check:
        for path in pictures.values():
            recovered(partial(open_picture, path, (8, 8)))
        return list(sessions)
    assert options.work is not None
    screens: dict[tuple[object, ...], ScreenImage] = {}
    found = []
    for session in progress(sessions, total=len(sessions), desc="screens"):
        shown = tuple((slot.text, slot.box) for slot in session.slots)
        if shown not in screens:
            file = options.work / f"{file_name(session.session_id)}.jpg"
            with write_errors(file):
                file.write_bytes(encode(draw_screen(session.slots, pictures, options.size or SIZE)))
            screens[shown] = ScreenImage(path=file)
        found.append(replace(session, image=screens[shown]))
    return found
