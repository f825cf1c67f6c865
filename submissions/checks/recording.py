"""Whether attention, probabilities and answers know the recording that they are scored on.

A recording is a session's intention plus noise. An honest simulator may know much of the intention and cannot know the
noise, so what counts is how much is known, and of which part. Each clue is a correlation over slots, with an error over
users, between what is predicted and what was recorded, after everything public was taken out of both: mean gaze and
click rate of a slot's position and kind, of the user and of the screen, from other sessions than its own, and boxes and
ratings. A clue counts if it is ``ERRORS`` errors above a limit (docs/trust.md).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.naming import PROOF
from benchmark.parts import PARTS
from benchmark.parts.part import Part
from benchmark.parts.ragged import Floats, Ints
from benchmark.scores.checking import Checked
from submissions.checks.slots import Given, Slots, codes
from tasks.types import Session

ERRORS = 2.75
LIMITS = {"gaze": (0.62, 1.0), "dwell": (0.10, 0.30), "click": (0.15, 0.40), "near": (0.08, 0.25)}
"""Rule -> where suspicion begins and where it is certainty; gaze in units of the ceiling."""

WORDS = {
    "gaze": "the gaze of the sessions it is scored on",
    "dwell": "the length of looks in the sessions it is scored on",
    "both": "the gaze of the sessions it is scored on, length of looks included,",
    "click": "the click of the sessions it is scored on, beyond what their gaze tells,",
    "near": "the gaze of single sessions",
    "next": "the slot that is visited next",
    "end": "where paths end",
    "path": "the whole path, in every row of a session,",
}
_EPS, _FOLDS = 1e-3, 5
_FEWEST, _MOST = 10, 3_000
"""Fewer test sessions say nothing; of more, so many are looked at."""
_NEAR, _SURPRISE = 0.7, 0.2
"""A session is hit if so much of the distance from public knowledge to its gaze is gone, of at least the latter."""


@dataclass(frozen=True, slots=True)
class Clue:
    """What one reading of a part shows: 1 is where suspicion begins, 2 where it is certainty."""

    rule: str
    part: str
    number: float
    found: str

    def __str__(self) -> str:
        mark = f"{PROOF} is more than anybody can know" if self.number >= PROOF else "1 is more than simulators know"
        return f"{WORDS[self.rule]} is known to {self.part} ({self.found}): {self.number:.2f}, where {mark}."


def scale(value: float, limits: tuple[float, float]) -> float:
    """Return a value in units of limits: 1 is where suspicion begins, 2 where it is certainty."""
    low, high = limits
    return value / low if value < low else 1 + (value - low) / (high - low)


class Recording:
    """What everybody may know of some test sessions, and what only their recording tells."""

    def __init__(self, sessions: Sequence[Session], test: Ints) -> None:
        self.chosen = np.sort(np.random.default_rng(0).permutation(len(test))[:_MOST])
        every = Slots(np.array([len(s.slots) for s in sessions]), codes(s.user for s in sessions))
        gaze, click = np.concatenate([s.gaze for s in sessions]), np.zeros(every.counts.sum())
        click[every.starts + [s.click for s in sessions]] = 1
        public = _public(sessions, every, gaze, click)
        looks, self.ceiling = _looks(sessions, every, public)
        test = test[self.chosen]
        rows = np.concatenate([np.arange(every.starts[i], every.starts[i] + every.counts[i]) for i in test])
        self.slots = slots = Slots(every.counts[test], every.users[test])
        self.gaze, self.public, looks = gaze[rows], public[rows], looks[rows]
        seen = {"": self.gaze, "log": np.log(self.gaze + _EPS)}
        of_click = dict.fromkeys(("", "log", "rank", "answer"), click[rows])
        given_gaze = np.c_[self.public, self.gaze, np.log(self.gaze + 0.02)]
        self.rules = {
            "gaze": Given(slots, self.public, {**seen, "rank": slots.ranks(self.gaze)}),
            "click": Given(slots, given_gaze, of_click),
        }
        if looks.any():
            self.rules["dwell"] = Given(slots, np.c_[self.public, slots.shares(looks), looks], seen)

    def clues(self, files: Sequence[Checked], parts: Sequence[Part] = PARTS) -> Iterator[Clue]:
        """Yield what parts of predictions show; of several seeds the mean is looked at, whose noise is less."""
        for part in parts if len(self.slots.counts) >= _FEWEST else ():
            values = self._mean(part, files) if part.depth < 2 else None
            if values is not None and part.depth:
                yield from self._correlated(part.name, "", values)
                yield from self._correlated(part.name, "log", np.log(values + _EPS))
                yield from self._correlated(part.name, "rank", self.slots.ranks(values))
                yield self._near(part.name, values)
            elif values is not None:
                yield from self._correlated(part.name, "answer", values)

    def _correlated(self, part: str, reading: str, values: Floats) -> Iterator[Clue]:
        rules = {rule: given for rule, given in self.rules.items() if reading in given.recorded}
        measured = {rule: given.correlation(values, reading) for rule, given in rules.items()}
        for rule, (r, e) in measured.items():
            unit = self.ceiling if rule == "gaze" else 1.0
            yield Clue(rule, part, scale((r - ERRORS * e) / unit, LIMITS[rule]), f"r {r:.2f}, error {e:.2f}")
        if "dwell" in measured:  # some knowledge of gaze, and of durations more than half of what a copy would have
            (g, g_error), (d, d_error) = measured["gaze"], measured["dwell"]
            left, of = (np.linalg.norm(rules[rule].recorded[reading]) for rule in ("dwell", "gaze"))
            beyond = (d - 0.5 * left / of * g) / max(2.5 * d_error, _EPS)
            number = min((g - ERRORS * g_error) / (0.2 * self.ceiling), beyond, 1.9)
            yield Clue("both", part, float(number), f"r {g:.2f} and, given their number, {d:.2f}")

    def _near(self, part: str, values: Floats) -> Clue:
        """Return in how many surprising sessions of three slots looked at or more a prediction is near the gaze."""
        from scipy.stats import beta

        said, public = (np.abs(x - self.gaze) / 2 for x in (values, self.slots.shares(self.public[:, 1])))
        far, expected, seen = (np.add.reduceat(x, self.slots.starts) for x in (said, public, 1 * (self.gaze > 0)))
        judged = (seen >= 3) & (expected >= _SURPRISE)
        hits, of = int((judged & (far <= (1 - _NEAR) * expected)).sum()), int(judged.sum())
        low = float(beta.ppf(0.001, hits, of - hits + 1)) if hits else 0.0
        return Clue("near", part, scale(low, LIMITS["near"]), f"{hits} of {of} sessions")

    def _mean(self, part: Part, files: Sequence[Checked]) -> Floats | None:
        """Return the mean share per slot; what everybody knows where no file has a session, None if none has any."""
        total, place = np.zeros(len(self.gaze)), {int(test): i for i, test in enumerate(self.chosen)}
        for file in files:
            for row in np.flatnonzero(file.usable[part.name] & file.cells[part.name].present):
                session, said = place.get(int(file.places[row])), file.cells[part.name].row(int(row))
                if session is not None and part.depth:
                    slots = slice(self.slots.starts[session], self.slots.starts[session] + self.slots.counts[session])
                    total[slots] += said / max(float(said.sum()), 1e-300)
                elif session is not None:
                    total[self.slots.starts[session] + int(said[0])] += 1
        given = self.slots.sums(total) > 0
        return self.slots.shares(np.where(given, total, self.public[:, 1])) if given.any() else None


def _looks(sessions: Sequence[Session], slots: Slots, public: Floats) -> tuple[Floats, float]:
    """Return the number of fixations per slot, and how well gaze could be known by who knows each session's intention.

    That ceiling comes from random halves of the fixations; under 8 a session the halves repel each other, and it is 1.
    """
    looks = [
        (slots.starts[i] + f.slot, f.duration_ms) for i, s in enumerate(sessions) for f in s.fixations if f.slot >= 0
    ]
    row, ms = np.array(looks, dtype=np.float64).reshape(-1, 2).T
    row, random, given, each = row.astype(np.int64), np.random.default_rng(0), Given(slots, public), []
    number = np.bincount(row, minlength=len(public)).astype(np.float64)
    for _ in range(20 if len(row) >= 8 * len(sessions) else 0):
        side = random.random(len(row)) < 0.5
        halves = (np.bincount(row, ms * half, len(public)).astype(np.float64) for half in (side, ~side))
        a, b = (given.rest(slots.shares(half)) for half in halves)
        each.append(float(a @ b / np.sqrt((a @ a) * (b @ b))))
    half = float(np.mean(each or [1.0]))
    return number, float(np.sqrt(2 * half / (1 + half))) if half >= 0.1 else 1.0


def _public(sessions: Sequence[Session], slots: Slots, gaze: Floats, click: Floats) -> Floats:
    """Return what everybody may know of the gaze and of the click on each slot, shape (rows, columns).

    Rates come from other folds, each user's sessions dealt out in turn, and not from all sessions but one: such a mean
    falls exactly when that session's own value rises.
    """
    seen: Counter[int] = Counter()
    fold = np.zeros(len(sessions), dtype=np.int64)
    for i, user in enumerate(slots.users.tolist()):
        fold[i] = (seen[user] + user) % _FOLDS
        seen[user] += 1
    place = codes((k, slot.kind) for s in sessions for k, slot in enumerate(s.slots))
    of = [codes(zip(slots.rows(x), place, strict=True)) for x in (slots.users, codes(s.screen for s in sessions))]

    def rates(values: Floats, base: float, weight: float) -> Floats:
        found = np.empty((len(values), 3))
        for own in (slots.rows(fold == f) for f in range(_FOLDS)):
            shared = np.full(len(values), np.mean(1 / slots.counts))
            for column, (key, by) in enumerate(((place, base), (of[0], weight), (of[1], weight))):
                number, total = np.bincount(key, ~own), np.bincount(key, values * ~own)
                drawn = (total[key] + by * shared) / (number[key] + by)
                shared = drawn if column == 0 else shared
                found[own, column] = drawn[own]
        return found

    boxes = slots.centred(np.concatenate([described(s) for s in sessions]))
    boxes /= boxes.std(axis=0) + 1e-9
    of_gaze = rates(gaze, 3, 5)
    return np.column_stack([of_gaze, np.log(of_gaze), np.log(rates(click, 5, 20)), boxes, boxes**2])


def described(session: Session) -> Floats:
    """Return size and place of each slot's box, and its rating, shape (K, 7)."""
    x0, y0, x1, y1 = np.array([slot.box for slot in session.slots], dtype=np.float64).T
    width, height, y = np.maximum(x1 - x0, 1), np.maximum(y1 - y0, 1), (y0 - y0.min()) / 1000
    given = np.array([slot.rating if slot.rating is not None else np.nan for slot in session.slots])
    rating = np.nan_to_num(given - np.nanmean(given)) if np.isfinite(given).any() else np.zeros(len(given))
    best = rating * (rating == rating.max())
    return np.column_stack([np.log(width * height), np.log(height), y, y**2, x0 / 1000, rating, best])
