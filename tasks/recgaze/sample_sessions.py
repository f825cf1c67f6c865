"""One simulated session: what a user looks at, points at and clicks on one page, as the events of the format."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tasks.recgaze.sample_films import CAROUSELS, SampleFilm
from tasks.recgaze.sample_users import COLUMNS, PLACE, ROWS, Look, Looking, SampleUser, in_order

# Chance that a film on a carousel's first page is looked at, given that the carousel is and that its score is the
# population's; rows 1, 2, and 3 or lower. Fitted so that the examination frequencies of the first page, with users'
# tastes and habits included, come out as RecGaze publishes them in aggregate.
_EXAMINED = np.array(
    [[0.969, 0.861, 0.851, 0.879, 0.907], [0.931, 0.831, 0.806, 0.793, 0.836], [0.923, 0.854, 0.829, 0.786, 0.779]]
)
_REACHED = np.array([1.0, 0.957, 0.911])  # chance to go on from one carousel to the next within the window
_REACHED_BELOW = 0.64  # ... and beyond it
_REACHED_FURTHER = 0.66  # fewer than people do, which keeps the file small
_SKIPS_FIRST = 0.02
_SWIPED = np.array([0.14, 0.11, 0.09])
_NOISE = 0.4  # of a session's scores
_FIRST_LOOK_MS, _LATER_LOOK_MS, _SPREAD = 140.0, 230.0, 0.4


@dataclass(frozen=True, slots=True)
class Aim:
    """What an event is on: type as the files write it, carousel 1..10 and position 1..15, or 0 for none."""

    kind: str
    carousel: int = 0
    position: int = 0


BACKGROUND = Aim("Background")
NOWHERE = Aim("")


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the event file; it may carry several kinds of event.

    Attributes:
        closest: The same with the nearest AOI within 60 pixels.
    """

    time: float
    fixation: Aim | None = None
    closest: Aim | None = None
    fixation_ms: float = 0.0
    click: Aim | None = None
    cursor: Aim | None = None
    cursor_s: float = 0.0


# How a session can end other than by a click on a film in view, with its chance.
_ENDINGS = {
    "no click": 0.03,
    "click on background": 0.02,
    "click on a title": 0.01,
    "click below": 0.015,
    "gaze lost": 0.012,
    "gaze off the films": 0.006,
}


def simulate_session(
    user: SampleUser,
    page: Mapping[tuple[int, int], SampleFilm],
    search: bool,
    rng: np.random.Generator,
    looking: Looking,
    order: np.random.Generator,
) -> list[Event]:
    """Simulate one session and return its rows in the order of time.

    ``page`` is (carousel, position) -> film. In a direct ``search`` the user looks for one film anywhere on the page.
    The order of looking has a generator of its own; everything else comes from ``rng``.
    """
    draw = rng.random()
    ending = ""
    for name, chance in _ENDINGS.items():
        if draw < chance:
            ending = name
            break
        draw -= chance
    target = Aim("Movie", int(rng.integers(1, CAROUSELS + 1)), int(rng.integers(1, 11))) if search else None
    session = _Session(user, page, rng)
    session.browse(target, looking, order)
    session.finish(ending, target)
    events = session.events
    if ending == "gaze lost":
        events = [replace(e, fixation=None, closest=None) for e in events if e.click or e.cursor]
    if ending == "gaze off the films":
        events = [replace(e, fixation=BACKGROUND, closest=e.fixation) if e.fixation else e for e in events]
    return events


class _Session:
    """A session while it unfolds: the clock, the page of each carousel, dwell per film, the rows so far."""

    def __init__(self, user: SampleUser, page: Mapping[tuple[int, int], SampleFilm], rng: np.random.Generator) -> None:
        self.events: list[Event] = []
        self._user = user
        self._rng = rng
        self._clock = float(rng.uniform(2.0, 9.0))
        self._shown = [0] * CAROUSELS  # page of five films on view, per carousel
        self._dwell: dict[tuple[int, int], float] = {}
        self._liking = {place: user.liking(film.genres) for place, film in page.items()}
        noise = rng.normal(0.0, _NOISE, (CAROUSELS, 15))
        self._score = {
            # Below the window the user has scrolled: the third row's habit is used for all of those rows.
            (c, p): float(user.place[min(c, ROWS) - 1, (p - 1) % COLUMNS]) + liking + float(noise[c - 1, p - 1])
            for (c, p), liking in self._liking.items()
        }

    def browse(self, target: Aim | None, looking: Looking, order: np.random.Generator) -> None:
        """Scan the carousels from the top, swipe some, look again at what was liked; ``sample_users`` has the order."""
        depth = self._depth() if target is None else max(target.carousel, self._depth())
        visits = self._visits(depth, target)
        examined = {place: 1.0 if index == 0 else 0.6 for _, index, places in visits for place in places}
        looks = self._looks(examined, pages=len(visits))
        self._point_at(BACKGROUND, 0.6)
        later: list[tuple[int, int]] = []
        rows: list[list[Look]] = []
        for carousel, index, places in visits:
            rows.append([])
            if self._rng.random() < 0.45:
                self._fixate(Aim("Genre", carousel), 150.0)
            self._swipe_to(carousel, index)
            for place in places:
                stays = index == next(page for row, page, _ in reversed(visits) if row == carousel)
                first = min(looks[place], 1 + int(self._rng.random() < 0.35)) if stays else looks[place]
                rows[-1] += [self._look(place, _FIRST_LOOK_MS) for _ in range(first)]
                later += [place] * (looks[place] - first)
        again = [self._look(later[i], _LATER_LOOK_MS) for i in self._rng.permutation(len(later))]
        self._arrange([*rows, again], in_order(rows, again, looking, order))
        if depth == ROWS and self._rng.random() < 0.05:  # a glimpse of what lies below the window
            self._fixate(Aim("Genre", ROWS + 1), 150.0)

    def _look(self, place: tuple[int, int], median_ms: float) -> Look:
        """Fixate a film and return which events that made."""
        first = len(self.events)
        self._fixate(Aim("Movie", *place), median_ms)
        return Look(place, first, len(self.events))

    def _arrange(self, made: list[list[Look]], wanted: list[list[Look]]) -> None:
        """Bring the looks into another order; every event lasts as long as it did, other events stay between them."""
        starts = [*(event.time for event in self.events), self._clock]
        order: list[int] = []
        done = 0
        for before, line in zip(made, wanted, strict=True):
            if before:
                order += range(done, before[0].first)
                order += [i for look in line for i in range(look.first, look.last)]
                done = before[-1].last
        order += range(done, len(self.events))
        lengths = [starts[i + 1] - starts[i] for i in order]
        times = np.cumsum([starts[0], *lengths]).tolist()
        self.events = [replace(self.events[i], time=time) for i, time in zip(order, times, strict=False)]

    def finish(self, ending: str, target: Aim | None) -> None:
        """Choose a film, look at it once more and click it, unless the session ends otherwise."""
        choice = self._choice(target)
        for _ in range(int(self._rng.integers(1, 3))):
            self._fixate(choice, _LATER_LOOK_MS)
        if self._rng.random() < 0.03:
            self._click(BACKGROUND)
        if self._rng.random() < 0.02:  # a slip, put right at once
            self._click(Aim("Movie", choice.carousel, choice.position + (1 if choice.position % COLUMNS else -1)))
        self._point_at(choice, 0.7)
        if ending == "no click":
            return
        if ending == "click on background":
            choice = BACKGROUND
        elif ending == "click on a title":
            choice = Aim("Genre", choice.carousel)
        elif ending == "click below":
            choice = Aim("Movie", ROWS + 1, int(self._rng.integers(1, COLUMNS + 1)))
        self._click(choice)

    def _depth(self) -> int:
        """Draw the last carousel that is looked at."""
        depth = 1
        while depth < CAROUSELS:
            if depth < ROWS:
                go_on = float(_REACHED[depth])
            elif depth == ROWS:
                go_on = _shifted(_REACHED_BELOW, self._user.scrolling)
            else:
                go_on = _REACHED_FURTHER
            if self._rng.random() >= go_on:
                break
            depth += 1
        return depth

    def _visits(self, depth: int, target: Aim | None) -> list[tuple[int, int, list[tuple[int, int]]]]:
        """Return the pages looked at in order: (carousel, page 0..2, films looked at)."""
        visits = []
        for carousel in range(1, depth + 1):
            if carousel == 1 and depth > 1 and self._rng.random() < _SKIPS_FIRST:
                continue
            visits.append((carousel, 0, self._examined(carousel, 0)))
            chance = _shifted(float(_SWIPED[min(carousel, ROWS) - 1]), self._user.swiping)
            page = 0
            wanted = (target.position - 1) // COLUMNS if target and target.carousel == carousel else None
            while (self._rng.random() < chance) if wanted is None else (page != wanted):
                page = (page + (1 if self._rng.random() < 0.85 else -1)) % 3
                visits.append((carousel, page, self._examined(carousel, page)))
                chance = 0.4
            if page and wanted is None and self._rng.random() < 0.5:  # back to the start, without much of a look
                visits.append((carousel, 0, []))
        return visits

    def _examined(self, carousel: int, page: int) -> list[tuple[int, int]]:
        """Draw which films of a page are looked at, in reading order with slips."""
        chances = _EXAMINED[min(carousel, ROWS) - 1]
        shared = PLACE[min(carousel, ROWS) - 1]
        order = np.arange(COLUMNS) + self._rng.normal(0.0, 0.5, COLUMNS)
        draws = self._rng.random(COLUMNS)
        places = []
        for column in np.argsort(order).tolist():
            place = (carousel, page * COLUMNS + column + 1)
            pull = 0.55 * (self._score[place] - shared[column])
            if draws[column] < _shifted(float(chances[column]), pull):
                places.append(place)
        return places

    def _looks(self, examined: Mapping[tuple[int, int], float], pages: int) -> dict[tuple[int, int], int]:
        """Share out the fixations: one for each film looked at, the rest by score."""
        if not examined:
            return {}
        more = int(self._rng.poisson(self._user.pace * (9.0 + 3.5 * pages)))
        score = np.array([self._score[place] for place in examined])
        weight = np.array(list(examined.values())) * np.exp(self._user.focus * (score - score.max()))
        counts = 1 + self._rng.multinomial(more, weight / weight.sum())
        return {place: int(count) for place, count in zip(examined, counts, strict=True)}

    def _swipe_to(self, carousel: int, page: int) -> None:
        """Swipe a carousel to a page, the short way around."""
        turns = (page - self._shown[carousel - 1]) % 3
        if turns == 0:
            return
        button = Aim("Forward" if turns == 1 else "Backward", carousel)
        if self._rng.random() < 0.4:
            self._fixate(button, _FIRST_LOOK_MS)
        self._point_at(button, 0.5)
        if self._rng.random() >= 0.02:  # now and then the recording misses a swipe
            self._click(button)
        self._shown[carousel - 1] = page

    def _choice(self, target: Aim | None) -> Aim:
        """Choose a film in view: mostly one of the two longest looked at, the better liked one more often."""
        if target is not None and self._rng.random() < 0.93:
            return target
        seen = [place for place in self._dwell if self._shown[place[0] - 1] == (place[1] - 1) // COLUMNS]
        if not seen:
            return Aim("Movie", 1, self._shown[0] * COLUMNS + 1)
        ranked = sorted(seen, key=lambda place: (-self._dwell[place], place))
        draw = self._rng.random()
        if len(ranked) > 2 and draw < 0.03:
            return Aim("Movie", *ranked[int(self._rng.integers(2, len(ranked)))])
        if len(ranked) > 1:
            second = _shifted(0.4, 0.7 * (self._liking[ranked[1]] - self._liking[ranked[0]]))
            if self._rng.random() < second:
                return Aim("Movie", *ranked[1])
        return Aim("Movie", *ranked[0])

    def _fixate(self, aim: Aim, median_ms: float) -> None:
        """Add a fixation, sometimes followed by one on the background; the cursor may follow."""
        ms = _within(median_ms * math.exp(self._rng.normal(0.0, _SPREAD)), 60.0, 1500.0)
        pointed: tuple[Aim | None, float] = (None, 0.0)
        if aim.kind == "Movie":
            place = (aim.carousel, aim.position)
            self._dwell[place] = self._dwell.get(place, 0.0) + ms
        if self._rng.random() < self._user.pointing:
            where = aim if self._rng.random() < 0.7 else BACKGROUND
            if self._rng.random() < 0.5:
                pointed = (where, self._stay(0.35))  # the two events share a row
            else:
                self._point_at(where, 0.35)
        self.events.append(
            Event(self._clock, fixation=aim, closest=aim, fixation_ms=ms, cursor=pointed[0], cursor_s=pointed[1])
        )
        self._pass(ms / 1000.0 + self._rng.uniform(0.02, 0.06))
        if self._rng.random() < 0.1:
            missed = BACKGROUND if self._rng.random() < 0.8 else NOWHERE
            near = aim if self._rng.random() < 0.6 else missed
            stray = _within(120.0 * math.exp(self._rng.normal(0.0, _SPREAD)), 60.0, 800.0)
            self.events.append(Event(self._clock, fixation=missed, closest=near, fixation_ms=stray))
            self._pass(stray / 1000.0 + 0.03)

    def _point_at(self, aim: Aim, median_s: float) -> None:
        self.events.append(Event(self._clock, cursor=aim, cursor_s=self._stay(median_s)))
        self._pass(0.011)

    def _stay(self, median_s: float) -> float:
        return median_s * math.exp(self._rng.normal(0.0, 0.6))

    def _click(self, aim: Aim) -> None:
        """Add a click, in a row of its own or in that of the last event."""
        last = self.events[-1] if self.events else None
        if last is not None and last.click is None and self._rng.random() < 0.4:
            self.events[-1] = replace(last, click=aim)
        else:
            self.events.append(Event(self._clock, click=aim))
        self._pass(0.05)

    def _pass(self, seconds: float) -> None:
        self._clock += float(seconds)


def _shifted(chance: float, log_odds: float) -> float:
    """Return the chance after adding to its log odds."""
    return 1.0 / (1.0 + (1.0 - chance) / chance * math.exp(-log_odds))


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
