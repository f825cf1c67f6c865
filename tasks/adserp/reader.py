"""Reads a folder of AdSERP trials, in either layout, into sessions."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from tasks.adserp.raw import Finder, raw_trials, read_raw
from tasks.adserp.replay import read_replay, replay_files
from tasks.adserp.sessions import FEW_SLOTS, OUTSIDE, build_session
from tasks.adserp.trial import Trial
from tasks.adserp.words import Engine, engine
from tasks.definition import SIMULATED_MARK, Progress, Reading, ReadOptions
from tasks.errors import InputError, recovered
from tasks.pictures import COLOURS
from tasks.plausible import check_people
from tasks.types import Session

LAYOUTS = ("replay", "raw")
PUBLISHED_TRIALS = 2776
_COLOURS = {f"{colour.replace(' ', '-')}-page": f"{colour} screenshot" for colour in COLOURS}
"""Flag of a session whose page shows nothing -> note."""

_Task = Callable[[], Trial | None]


_Outcome = tuple[Trial | None, Session | str | None]
"""A trial and its session, or the reason why it is dropped; None for what cannot be read (findings)."""


def detect(path: Path) -> str | None:
    """Return the layout of a folder: ``replay`` (trials/*.json), ``raw`` (the published folders) or None."""
    return next((layout for layout in LAYOUTS if _has(path, layout)), None)


def _has(path: Path, layout: str) -> bool:
    if layout == "replay":
        return any((path / "trials").glob("*.json"))
    return (path / "fixation-data").is_dir() and (path / "mouse-movement-data").is_dir()


def read(
    path: Path, options: ReadOptions, progress: Progress, *, whole_page: bool = False, find: Finder | None = None
) -> Reading:
    """Read a folder of trials into sessions, sorted by trial id as text.

    ``find`` finds organic results in a screenshot of the raw layout, by default the suite's own finder. InputError if
    the folder is missing, empty or of another layout, or a file in it is malformed.
    """
    layout = options.layout or detect(path) or LAYOUTS[0]
    if not _has(path, layout):
        raise InputError(
            f"{path}: is not an AdSERP folder of the layout {layout}. Expected trials/*.json and png/ (replay), or "
            "fixation-data/, mouse-movement-data/, ad-boundary-data/, trial-metadata/ and full-page-screenshots/ (raw)."
        )
    tasks: list[_Task]
    if layout == "replay":
        tasks = [partial(read_replay, file, path) for file in replay_files(path)]
    else:
        tasks = [partial(read_raw, trial_id, path, find) for trial_id in raw_trials(path)]
    if not tasks:
        raise InputError(f"{path}: holds no trials. Give the folder that holds the {layout} layout's files.")

    def outcome(task: _Task) -> _Outcome:
        trial = recovered(task)
        if trial is not None and reading is not None:
            trial = recovered(partial(reading.filled, trial))
        if trial is not None and options.viewport is not None:
            trial = replace(trial, viewport=(trial.viewport[0], options.viewport))
        return trial, None if trial is None else recovered(lambda: build_session(trial, options, whole_page))

    sessions: list[Session] = []
    dropped: Counter[str] = Counter()
    oddities: dict[str, list[str]] = {}
    sources: dict[str, Path] = {}
    asked = False if options.check or (options.texts is None and (path / SIMULATED_MARK).exists()) else options.texts
    with engine(asked) as reading:
        outcomes = _in_threads(outcome, tasks, options.workers)
        for trial, session in progress(outcomes, total=len(tasks), desc="AdSERP trials"):
            if trial is None:
                continue
            if trial.trial_id in sources:
                first = sources[trial.trial_id].name
                raise InputError(f"{trial.source}: trial {trial.trial_id} is also in {first}. Remove one of the two.")
            sources[trial.trial_id] = trial.source
            for note in trial.notes:
                oddities.setdefault(note, []).append(trial.trial_id)
            if isinstance(session, Session):
                sessions.append(session)
                if trial.page is None and (colour := next((flag for flag in session.flags if flag in _COLOURS), "")):
                    oddities.setdefault(_COLOURS[colour], []).append(trial.trial_id)
            elif session is not None:
                unseen = session in (OUTSIDE, FEW_SLOTS)  # results of the raw layout are found in the picture
                shows = [note for note in trial.notes if unseen and note in _COLOURS.values()]
                dropped[", ".join([session, *shows])] += 1
    users = (trial_id.split("-", 1)[0] for trial_id in sources)
    check_people(users, lambda *_: str(path), "Rename the trials of one")
    sessions.sort(key=lambda session: session.session_id)
    notes = [*_notes(path, layout, len(tasks), oddities), _words_from(sessions, reading)]
    if options.viewport is not None:
        notes.append(f"the viewport is taken to be {options.viewport} pixels high, whatever was recorded")
    return Reading(sessions, len(tasks), dict(dropped), notes)


def _words_from(sessions: list[Session], reading: Engine | None) -> str:
    """Return where the slots' texts come from, in words."""
    texts = [slot.text for session in sessions for slot in session.slots]
    if not any(texts):
        return "no texts: prepare --texts reads them from the screenshots, where Tesseract is installed"
    origin = "taken from the trial files"
    if reading is not None:
        origin = f"read from the screenshots by Tesseract {reading.version} where the trial files have none"
    return f"texts in {sum(map(bool, texts))} of {len(texts)} slots, {origin}"


def _in_threads(work: Callable[[_Task], _Outcome], tasks: Iterable[_Task], workers: int) -> Iterator[_Outcome]:
    """Yield ``work(task)`` in order, a few tasks ahead; decoding and encoding images release the interpreter lock."""
    if workers <= 1:
        yield from map(work, tasks)
        return
    waiting = iter(tasks)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        running = [pool.submit(work, task) for task in islice(waiting, 2 * workers)]
        try:
            while running:
                yield running.pop(0).result()
                running.extend(pool.submit(work, task) for task in islice(waiting, 1))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _notes(path: Path, layout: str, read_trials: int, oddities: Mapping[str, list[str]]) -> list[str]:
    simulated = (path / SIMULATED_MARK).exists()
    notes = [f"{read_trials} trials in the {layout} layout"]
    if not simulated:
        notes[0] += f"; the published data set holds {PUBLISHED_TRIALS}"
    origin = "taken from the trial files" if layout == "replay" else "found in the screenshots, they are not published"
    notes.append(f"boxes of organic results: {origin}")
    for what, trials in sorted(oddities.items()):
        listed = ", ".join(sorted(trials)[:3]) + (", ..." if len(trials) > 3 else "")
        notes.append(f"{what}: in {len(trials)} {'trials' if len(trials) > 1 else 'trial'} ({listed})")
    return notes
