"""From events to sessions: the session rule, dwell per slot, and which films were visible (PROTOCOL section 2).

Conventions where the page leaves room:

- The last click is the one with the largest Timestamp; of clicks with equal Timestamps the later row.
- A swipe is a click on a Forward or Backward button. Swipes turn a carousel by one page of five films and
  three pages make a circle, so that the page at the end depends on the number of swipes in each direction and
  not on their order. All swipes precede the last click, which is on a film.
- A film can be clicked only while it is visible. Where the replayed page of the clicked carousel lacks the
  clicked film (a swipe is missing from the recording), the page of the clicked film is taken for that carousel, so
  that screen, gaze and click speak of the same films, and the session is flagged ``page-mismatch``.
- Position columns decide where an event lies; a fixation or a stay of the cursor without a duration adds nothing.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from tasks.plausible import folded
from tasks.recgaze.event_table import Bools, EventTable, Ints, Pointings
from tasks.types import Fixation, Floats

ROWS, COLUMNS, PAGES = 3, 5, 3
N_SLOTS = ROWS * COLUMNS
LAST_BROWSING_TASK = 35

DIRECT_SEARCH = "a direct search task (TaskID 36 to 40)"
NO_FIXATION = "no fixation recorded"
BELOW = "a fixation on a carousel below the third"
NO_CLICK = "no click recorded"
NOT_A_FILM = "the last click is not on a film"
NO_PLACE = "the last click is on a film without a position"
NO_DWELL = "no dwell on the first five films of the first three carousels"
CLICK_BELOW = "the clicked film is in a carousel below the third"
NO_VISIBLE_DWELL = "no dwell on the films visible at the click"
ACCIDENT = "by the user's word, nothing was selected or by accident"
OURS = (NO_VISIBLE_DWELL, ACCIDENT)  # for which only ``recgaze-visible`` drops sessions
REASONS = (DIRECT_SEARCH, NO_FIXATION, BELOW, NO_CLICK, NOT_A_FILM, NO_PLACE, NO_DWELL, CLICK_BELOW, *OURS)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One kept session before its films are looked up.

    Attributes:
        task: TaskID as the session's first row writes it.
        task_number: TaskID, 1..35.
        pages: Page of the first three carousels at the click, each 0..2 (films 1-5, 6-10, 11-15).
        gaze_ms: Shape (15,), milliseconds.
        cursor_ms: Shape (15,), milliseconds.
        click: Slot of the click, 0..14.
        flags: ``swiped``, ``several-film-clicks``, ``page-mismatch``, ``accident``.
        fixations: In time order; start from the first event of the session.
    """

    user: str
    task: str
    task_number: int
    pages: tuple[int, int, int]
    gaze_ms: Floats
    cursor_ms: Floats
    click: int
    flags: tuple[str, ...]
    fixations: tuple[Fixation, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What the session rule leaves.

    Attributes:
        recordings: The kept sessions ordered by (UserID, TaskID) as text.
        read: Number of (UserID, TaskID) pairs in the file.
        dropped: Reason -> number of sessions; the first reason that applies, in the order of ``REASONS``.
        rule_users: The user of every session that the rule of ``recgaze`` keeps, in the same order; for
            ``recgaze-visible`` a few of those sessions have no dwell left and are dropped.
    """

    recordings: tuple[Recording, ...]
    read: int
    dropped: Mapping[str, int]
    rule_users: tuple[str, ...]


def select_sessions(
    events: EventTable, visible: bool = False, accidents: Collection[tuple[str, int]] = frozenset()
) -> Selection:
    """Apply the session rule of PROTOCOL section 2.

    With ``visible`` dwell counts on the films visible at the click (``recgaze-visible``) instead of on films 1 to 5 of
    each carousel, and ``accidents`` (``files.read_accidents``) are dropped.
    """
    session, first_row = group(events)
    n = len(first_row)

    def has(rows: Bools) -> Bools:
        return np.bincount(session[rows], minlength=n) > 0

    click_film, clicked = _clicks(events)
    fixated = (events.fixation.carousel > 0) | ~np.isnan(events.fixation.duration)
    last = _last_click(events, session, clicked, n)
    carousel = events.click.carousel[last].astype(np.int64)
    position = events.click.position[last].astype(np.int64)
    pages, swiped = _replay(events, session, n)
    mismatch = _show_clicked_film(pages, carousel, position)

    people = [folded(user) for user in events.users]
    places = zip(events.user[first_row].tolist(), events.task_number[first_row].tolist(), strict=True)
    accident = np.array([(people[user], task) in accidents for user, task in places], dtype=np.bool_)
    first_pages = np.zeros_like(pages)
    rule_dwell = _dwell(events.fixation, session, first_pages)
    gaze = _dwell(events.fixation, session, pages) if visible else rule_dwell
    cursor = 1000.0 * _dwell(events.cursor, session, pages if visible else first_pages)

    failures = {
        DIRECT_SEARCH: events.task_number[first_row] > LAST_BROWSING_TASK,
        NO_FIXATION: ~has(fixated),
        BELOW: has(events.fixation.carousel > ROWS),
        NO_CLICK: ~has(clicked),
        NOT_A_FILM: ~click_film[last],
        NO_PLACE: (carousel == 0) | (position == 0),
        NO_DWELL: rule_dwell.sum(axis=1) <= 0,
        CLICK_BELOW: carousel > ROWS,
        NO_VISIBLE_DWELL: gaze.sum(axis=1) <= 0,
        ACCIDENT: accident & visible,
    }
    tests = np.stack([failures[reason] for reason in REASONS])
    failed: Bools = np.any(tests, axis=0)
    reason_of = tests.argmax(axis=0)
    counts = np.bincount(reason_of[failed], minlength=len(REASONS))
    by_rule: Bools = ~np.any(tests[: -len(OURS)], axis=0)

    users, tasks = events.user[first_row], events.task[first_row]
    order = sorted(np.flatnonzero(by_rule).tolist(), key=lambda s: (events.users[users[s]], events.tasks[tasks[s]]))
    film_clicks = np.bincount(session[click_film], minlength=n)
    flags = {"swiped": swiped, "several-film-clicks": film_clicks > 1, "page-mismatch": mismatch, "accident": accident}
    looks = _fixations(events, session, pages if visible else first_pages, gaze)
    recordings = tuple(
        Recording(
            user=events.users[users[s]],
            task=events.tasks[tasks[s]],
            task_number=int(events.task_number[first_row[s]]),
            pages=(int(pages[s, 0]), int(pages[s, 1]), int(pages[s, 2])),
            gaze_ms=gaze[s],
            cursor_ms=cursor[s],
            click=int((carousel[s] - 1) * COLUMNS + (position[s] - 1) % COLUMNS),
            flags=tuple(name for name, raised in flags.items() if raised[s]),
            fixations=looks(s),
        )
        for s in order
        if not failed[s]
    )
    dropped = {reason: int(count) for reason, count in zip(REASONS, counts, strict=True) if count}
    return Selection(recordings, n, dropped, tuple(events.users[users[s]] for s in order))


def group(events: EventTable) -> tuple[Ints, Ints]:
    """Return (session index per row, first row per session); sessions are (user, TaskID as a number)."""
    span = int(events.task_number.max()) + 1
    key = events.user * span + events.task_number
    present = np.bincount(key) > 0
    session = (np.cumsum(present) - 1)[key]
    first = np.empty(int(present.sum()), dtype=np.int64)
    # Of several values assigned to one place numpy keeps the last: walking backwards, the first row.
    first[session[::-1]] = np.arange(len(key))[::-1]
    return session, first


def by_session(rows: Ints, session: Ints, n: int) -> list[Ints]:
    """Return the rows of each of n sessions; ``rows`` are ordered by session, ``session`` has that of every event."""
    return np.split(rows, np.cumsum(np.bincount(session[rows], minlength=n))[:-1])


def spans(time: Floats, session: Ints, n: int) -> tuple[Floats, Floats]:
    """Return the first and the last time of each of n sessions; infinite where no time is known."""
    first, last = np.full(n, np.inf), np.full(n, -np.inf)
    np.fmin.at(first, session, time)
    np.fmax.at(last, session, time)
    return first, last


def _clicks(events: EventTable) -> tuple[Bools, Bools]:
    """Return which rows are clicks on films, and which are clicks at all."""
    typed = events.click_type >= 0
    placed = events.click.position > 0
    return events.click_is("movie") | (~typed & placed), typed | placed | (events.click.carousel > 0)


def _last_click(events: EventTable, session: Ints, clicked: Bools, n: int) -> Ints:
    """Return the row of each session's last click; row 0 for sessions without one (dropped anyway)."""
    rows = np.flatnonzero(clicked)
    rows = rows[np.argsort(events.time[rows], kind="stable")]
    last = np.zeros(n, dtype=np.int64)
    last[session[rows]] = rows
    return last


def _replay(events: EventTable, session: Ints, n: int) -> tuple[Ints, Bools]:
    """Return (page of the first three carousels after all swipes, shape (n, 3); whether one was swiped)."""
    turns = np.zeros((n, ROWS), dtype=np.int64)
    swiped = np.zeros(n, dtype=np.bool_)
    shown = (events.click.carousel >= 1) & (events.click.carousel <= ROWS)
    for button, step in (("forward", 1), ("backward", -1)):
        rows = events.click_is(button) & shown
        place = session[rows] * ROWS + events.click.carousel[rows] - 1
        counts = np.bincount(place, minlength=n * ROWS).reshape(n, ROWS)
        turns += step * counts
        swiped |= counts.any(axis=1)
    return turns % PAGES, swiped


def _show_clicked_film(pages: Ints, carousel: Ints, position: Ints) -> Bools:
    """Turn the clicked carousel to the clicked film, in place; return for which sessions that was needed."""
    rows = np.flatnonzero((carousel >= 1) & (carousel <= ROWS) & (position >= 1))
    true_page = (position[rows] - 1) // COLUMNS
    mismatch = np.zeros(len(pages), dtype=np.bool_)
    mismatch[rows] = pages[rows, carousel[rows] - 1] != true_page
    pages[rows, carousel[rows] - 1] = true_page
    return mismatch


def _dwell(pointings: Pointings, session: Ints, pages: Ints) -> Floats:
    """Sum durations per slot over the films on ``pages``: shape (sessions, 15), the unit of the file."""
    slot, duration = _slots(pointings, session, pages), pointings.duration
    hit = np.flatnonzero((slot >= 0) & (duration > 0))
    place = session[hit] * N_SLOTS + slot[hit]
    sums = np.bincount(place, weights=duration[hit], minlength=len(pages) * N_SLOTS)
    # With no place at all numpy counts in integers, whatever the weights.
    return sums.astype(np.float64, copy=False).reshape(len(pages), N_SLOTS)


def _slots(pointings: Pointings, session: Ints, pages: Ints) -> Ints:
    """Return the slot of every row's event, -1 where it is on none of the films on ``pages``."""
    slots = np.full(len(session), -1, dtype=np.int64)
    rows = np.flatnonzero((pointings.carousel >= 1) & (pointings.carousel <= ROWS) & (pointings.position >= 1))
    line = pointings.carousel[rows].astype(np.int64) - 1
    page, column = np.divmod(pointings.position[rows].astype(np.int64) - 1, COLUMNS)
    on_page = pages[session[rows], line] == page
    slots[rows[on_page]] = (line * COLUMNS + column)[on_page]
    return slots


def _fixations(events: EventTable, session: Ints, pages: Ints, gaze: Floats) -> Callable[[int], tuple[Fixation, ...]]:
    """Return what gives a session's fixations in time order; those without a time come last, in the file's order."""
    duration, slot = events.fixation.duration, _slots(events.fixation, session, pages)
    n = len(gaze)
    rows = np.flatnonzero(duration > 0)
    rows = rows[np.lexsort((events.time[rows], session[rows]))]  # NaN sorts last
    of_session = by_session(rows, session, n)
    first, last = spans(events.time, session, n)

    def of(s: int) -> tuple[Fixation, ...]:
        own = of_session[s]
        if not np.isfinite(first[s]):
            start = np.zeros(len(own))
        else:
            start = 1000.0 * (np.where(np.isnan(events.time[own]), last[s], events.time[own]) - first[s])
        return tuple(map(Fixation, slot[own].tolist(), start.tolist(), _exact(slot[own], duration[own], gaze[s])))

    return of


def _exact(slot: Ints, duration: Floats, gaze: Floats) -> list[float]:
    """Return durations, changed by less than 1e-9 ms, whose sum per slot is ``gaze`` exactly in any order."""
    exact = duration.copy()
    for k in np.unique(slot[slot >= 0]):
        own = np.flatnonzero(slot == k)
        place = np.spacing(gaze[k])  # multiples of the last binary place of a sum are added without rounding
        exact[own] = np.rint(duration[own] / place) * place
        exact[own[np.argmax(exact[own])]] += gaze[k] - exact[own].sum()
    found: list[float] = exact.tolist()
    return found
