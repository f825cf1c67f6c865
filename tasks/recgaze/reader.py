"""Reading a RecGaze folder into sessions: films, profiles and screens put together with the recordings."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from tasks.definition import Progress, Reading, ReadOptions
from tasks.errors import InputError, recovered, refuse
from tasks.pictures import one_colour
from tasks.plausible import Kind, folded
from tasks.recgaze import files
from tasks.recgaze.event_table import EventTable, read_events, row_number
from tasks.recgaze.events import COLUMNS, Recording, Selection, by_session, group, select_sessions, spans
from tasks.recgaze.posters import read_poster
from tasks.recgaze.render import LETTERS, PUBLISHED_SIZE, ScreenState, draw_screens, slot_boxes, state_digest
from tasks.recgaze.sample_users import SAMPLE_ORDER
from tasks.splits import leave_one_out
from tasks.types import ScreenImage, Session, Slot

SAMPLE_SIZE = (480, 288)
Screen = tuple[int, tuple[int, int, int]]
"""What a screen depends on: TaskID and the pages of its three carousels."""

PUBLISHED_COUNTS = {"sessions": 575, "users": 83, "training sessions": 499, "test sessions": 76}

_TIME = ("Timestamp", "seconds")
_FIXATIONS = Kind("fixations", ("Fixation_Duration", "milliseconds"), _TIME, shortest_ms=10.0, longest_ms=5e3)
_STAYS = Kind("stays of the cursor", ("Cursor_Duration", "seconds"), _TIME, 1.0, longest_ms=12e4, overlap=3.0)
"""Stays of the cursor may be recorded for several things at once."""


def read(raw: Path, options: ReadOptions, progress: Progress, *, visible: bool = False) -> Reading:
    """Read a folder in the published format (PROTOCOL section 2).

    With ``visible`` it is read as ``recgaze-visible``: dwell counts only films visible at the click. The kept sessions
    are ordered by (UserID, TaskID) as text; notes are on the published counts, the posters and oddities of the
    recording. InputError if the folder or one of its files cannot be used; the message names file and row.
    """
    if options.posters is not None and not options.posters.is_dir():
        raise InputError(f"the poster folder {options.posters} does not exist. Give an existing folder or none.")
    if options.images and options.work is None:
        raise ValueError("drawing screens needs ReadOptions.work, a folder to write them to")
    files.check_folder(raw)
    catalogue = recovered(lambda: files.read_catalogue(raw))
    profiles = recovered(lambda: files.read_profiles(raw))
    accidents = recovered(lambda: files.read_accidents(raw))
    events = recovered(lambda: read_events(raw / files.EVENTS))
    if catalogue is None or profiles is None or events is None:
        return Reading([], 0)  # all that can be found is found
    profile_of = _profiles_of_events(events, profiles, raw / files.USERS)
    _check_times(events)
    selection = select_sessions(events, visible, accidents or set())
    size = options.size or (SAMPLE_SIZE if options.simulated else PUBLISHED_SIZE)
    states: dict[Screen, ScreenState] = {}
    for recording in selection.recordings:
        if _screen(recording) not in states:
            state = recovered(partial(screen_state, recording, catalogue))
            if state is not None:
                states[_screen(recording)] = state
    posters = _poster_notes(states.values(), options)
    images = _draw(states, size, options, progress)
    recordings = [recording for recording in selection.recordings if _screen(recording) in states]
    sessions = _sessions(recordings, states, images, profile_of, size)
    notes = [SAMPLE_ORDER] if options.simulated else [published_counts_note(selection.rule_users)]
    if accidents is None:
        notes.append(f"selections by accident are not known: there is no {files.CLICKS}")
    notes += [*_recording_notes(events, selection), *posters]
    return Reading(sessions=sessions, read=selection.read, dropped=dict(selection.dropped), notes=notes)


def screen_state(recording: Recording, catalogue: files.Catalogue) -> ScreenState:
    """Return the 3 x 5 films and the carousel titles on the screen at the click of ``recording``.

    InputError if a film that was on the screen is not in ``item_features.csv``.
    """
    rows = []
    for carousel, page in enumerate(recording.pages, start=1):
        films = []
        for position in range(page * COLUMNS + 1, (page + 1) * COLUMNS + 1):
            film = catalogue.films.get((recording.task_number, carousel, position))
            if film is None:
                raise InputError(
                    f"{catalogue.path} has no film for TaskID {recording.task_number}, carousel {carousel}, position "
                    f"{position}, which session {recording.user}-{recording.task} shows. Add the row."
                )
            films.append(film)
        rows.append((catalogue.genres[recording.task_number, carousel], tuple(films)))
    return ScreenState(tuple(rows))


def published_counts_note(users: Sequence[str]) -> str:
    """Compare the users of the sessions that ``recgaze`` keeps, in order, with the published counts."""
    split = Counter(leave_one_out(users))
    found = dict(zip(PUBLISHED_COUNTS, (len(users), len(set(users)), split["train"], split["test"]), strict=True))
    expected = ", ".join(f"{count} {what}" for what, count in PUBLISHED_COUNTS.items())
    wrong = [
        f"{found[what]} {what} (published: {count})" for what, count in PUBLISHED_COUNTS.items() if found[what] != count
    ]
    verdict = f"differs: {', '.join(wrong)}" if wrong else "match"
    return f"published counts of recgaze ({expected}): {verdict}"


def _check_times(events: EventTable) -> None:
    """Refuse a file with a session whose durations do not fit into the time that passed, or whose clock stopped."""
    session, first_row = group(events)
    n = len(first_row)
    time = 1000.0 * events.time
    first, last = spans(time, session, n)
    of_session = by_session(np.argsort(session, kind="stable"), session, n)
    for kind, pointings, unit_ms in ((_FIXATIONS, events.fixation, 1.0), (_STAYS, events.cursor, 1000.0)):
        duration = unit_ms * pointings.duration
        faults: list[tuple[int, str]] = []
        totals = np.zeros(n)
        for s, rows in enumerate(of_session):
            own = rows[duration[rows] > 0]
            totals[s] = duration[own].sum()
            if fault := kind.fault(time[own], duration[own], float(first[s]), float(last[s])):
                faults.append((s, fault))
        if faults:
            row = first_row[faults[0][0]]
            name = f"{events.users[events.user[row]]}-{events.tasks[events.task[row]]}"
            more = f" (and {len(faults) - 1} more sessions)" if len(faults) > 1 else ""
            where = f"{events.path} row {row_number(events.path, int(row))}: session {name}{more}"
            refuse(f"{where}: {faults[0][1]}. Use the published file.")
        elif fault := kind.fault_of_all(duration, totals, last - first):
            refuse(f"{events.path}: {fault}. Use the published file.")


def _profiles_of_events(events: EventTable, profiles: Mapping[str, str], path: Path) -> dict[str, str]:
    """Return user -> profile for the users of the events; ids may differ in case (KInIT_1, KINIT_1)."""
    by_person = {folded(user): profile for user, profile in profiles.items()}
    found: dict[str, str] = {}
    for code, user in enumerate(events.users):
        profile = profiles.get(user, by_person.get(folded(user)))
        if profile is None:
            row = row_number(events.path, int(np.argmax(events.user == code)))
            refuse(f"{events.path} row {row}: user {user} has no row in {path.name}. Add the row.")
        found[user] = profile or ""
    return found


def _screen(recording: Recording) -> Screen:
    return recording.task_number, recording.pages


def _sessions(
    recordings: Sequence[Recording],
    states: Mapping[Screen, ScreenState],
    images: Mapping[Screen, ScreenImage],
    profile_of: Mapping[str, str],
    size: tuple[int, int],
) -> list[Session]:
    boxes = slot_boxes(size)
    slots_of: dict[Screen, tuple[Slot, ...]] = {}
    for screen, state in states.items():
        texts = [_film_text(film.title, film.year, film.genres) for _, films in state.rows for film in films]
        slots_of[screen] = tuple(
            Slot(label, "film", text, box) for label, text, box in zip(LETTERS, texts, boxes, strict=True)
        )
    same = ("user", "gaze_ms", "cursor_ms", "click", "flags", "fixations")
    return [
        Session(
            **{name: getattr(recording, name) for name in same},
            session_id=f"{recording.user}-{recording.task}",
            screen=str(recording.task_number),  # one name for one screen, however the row writes its number
            image=images.get(_screen(recording)),
            profile=profile_of[recording.user],
            slots=slots_of[_screen(recording)],
        )
        for recording in recordings
    ]


def _film_text(title: str, year: str, genres: Sequence[str]) -> str:
    """Return ``Title (year). Genre, genre``, without the parts that are not known."""
    head = f"{title} ({year})" if year else title
    return f"{head}. {', '.join(genres)}" if genres else head


def _draw(
    states: Mapping[Screen, ScreenState], size: tuple[int, int], options: ReadOptions, progress: Progress
) -> dict[Screen, ScreenImage]:
    """Draw every distinct state once; return the image of each screen, nothing where none are asked for."""
    if not options.images or options.check:
        return {}
    assert options.work is not None
    digest_of = {screen: state_digest(state, size) for screen, state in states.items()}
    distinct = {digest_of[screen]: state for screen, state in states.items()}
    drawn = draw_screens(distinct, options.work, size, options.posters, options.workers, progress)
    image_of = {digest: ScreenImage(path=path) for digest, path in drawn.items()}
    return {screen: image_of[digest] for screen, digest in digest_of.items()}


def _poster_notes(states: Iterable[ScreenState], options: ReadOptions) -> list[str]:
    """Say which posters the screens show; every poster file is opened, and those of one colour are named."""
    if not options.images:
        return ["screens: none drawn"]
    if options.posters is None:
        return ["posters: drawn by this project (title, year, genre), no poster folder was given"]
    names = sorted({film.poster for state in states for _, films in state.rows for film in films if film.poster})
    there = [path for name in names if (path := options.posters / name).is_file()]
    plain: dict[str, list[str]] = {}
    for path in there:
        picture = recovered(partial(read_poster, path))
        if picture is not None and (colour := one_colour(picture)):
            plain.setdefault(colour, []).append(path.name)
    return [
        f"posters: {len(there)} of {len(names)} shown poster files found, the other posters drawn by this project",
        *(
            f"{colour} posters: {len(of)} ({', '.join(of[:3])}{', ...' if len(of) > 3 else ''})"
            for colour, of in sorted(plain.items())
        ),
    ]


def _recording_notes(events: EventTable, selection: Selection) -> list[str]:
    """Return a line for every oddity that changed how sessions were read."""
    notes = []
    flags = Counter(flag for recording in selection.recordings for flag in recording.flags)
    if count := flags["page-mismatch"]:
        notes.append(
            f"sessions that clicked a film on another page than their swipes give: {count} (flag page-mismatch; the "
            "clicked film's page is shown)"
        )
    if count := flags["accident"]:
        notes.append(f"sessions whose selection was none or an accident by the user's word: {count} (flag accident)")
    if count := int(((events.fixation.position > 0) & np.isnan(events.fixation.duration)).sum()):
        notes.append(f"fixations on films without a duration: {count} (they add nothing to the dwell times)")
    return notes
