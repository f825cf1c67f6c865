"""Simulators that rest on one thing each, so that every stress test has a known outcome."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.simulator import Prediction
from tasks.errors import InputError
from tests.benchmark.toys import ToyEntry, Toys


def on(session, slot: int, **more) -> Prediction:
    """A prediction that is sure of one slot."""
    k = len(session.slots)
    shares = np.full(k, 0.1 / (k - 1))
    shares[slot] = 0.9
    return Prediction(session.session_id, shares, shares, slot, **more)


def number(text: str) -> int:
    return sum(text.encode())


@dataclass
class ByLabel:
    """Clicks whatever bears the letter that the user's name stands for; A and D alone, which mirroring moves."""

    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        wanted = ["AD"[number(s.session_id) % 2] for s in sessions]
        return [on(s, [slot.label for slot in s.slots].index(w)) for s, w in zip(sessions, wanted, strict=True)]


@dataclass
class ByItem:
    """Clicks the item whose text says most, wherever it is."""

    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        return [on(s, int(np.argmax([number(slot.text) for slot in s.slots]))) for s in sessions]


@dataclass
class ByPlace:
    """Clicks the slot that is furthest to the left."""

    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        return [on(s, int(np.argmin([slot.box[0] for slot in s.slots]))) for s in sessions]


@dataclass
class ByUser:
    """Knows which slot a user clicked in training, and nothing else."""

    def fit(self, train, seed):
        self.habits = {s.user: s.click for s in train}

    def simulate(self, sessions):
        return [on(s, self.habits[s.user]) for s in sessions]


@dataclass
class Leaking(ByPlace):
    """Attends to any label that it is offered."""

    def attend_to_label(self, sessions):
        return [Prediction(s.session_id, on(s, s.click).attention, target="label") for s in sessions]


@dataclass
class Tight(ByPlace):
    """Attends as it answers, whatever it is offered."""

    def attend_to_label(self, sessions):
        found = self.simulate(sessions)
        return [Prediction(p.session_id, p.attention, target="label") for p in found]


@dataclass
class Pushed(ByPlace):
    """Goes where its own heads are pushed in every other session, and nowhere with random heads."""

    def steer(self, sessions, slots, random=None):
        stays = [p.answer for p in self.simulate(sessions)]
        moved = [random is None and number(s.session_id) % 2 for s in sessions]
        return [on(s, k if m else own) for s, k, m, own in zip(sessions, slots, moved, stays, strict=True)]


@dataclass
class Tuned:
    """Is trained with effort and kept in a file; counts its trainings."""

    fitted = 0

    def attach(self, workspace):
        self.workspace = workspace

    def fit(self, train, seed):
        type(self).fitted += 1
        self.habits = {s.user: s.click for s in train}
        (self.workspace.artifacts / "habits.json").write_text(json.dumps(self.habits))

    def restore(self, artifacts, train, seed):
        try:
            self.habits = json.loads((artifacts / "habits.json").read_text())
        except OSError as error:
            raise InputError(f"there are no habits in {artifacts.name}; run the trial again.") from error

    def simulate(self, sessions):
        return [on(s, self.habits.get(s.user, 0)) for s in sessions]


@dataclass
class Fickle:
    """Predicts something else each time it is asked."""

    asked = 0

    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        type(self).asked += 1
        return [on(s, type(self).asked % len(s.slots)) for s in sessions]


@dataclass
class Listing:
    """Sees a list whose order comes from the seed and takes the entry that is called A there."""

    def fit(self, train, seed):
        self.seed = seed

    def simulate(self, sessions):
        return [on(s, list(self.labels(s)).index("A")) for s in sessions]

    def labels(self, session) -> Sequence[str]:
        return np.roll([slot.label for slot in session.slots], self.seed).tolist()


@dataclass
class Oracle:
    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        return [Prediction(s.session_id, s.gaze, s.gaze) for s in sessions]


class Catalogue(Toys):
    """The catalogue."""

    entries = {
        e.name: e
        for e in (
            *(
                ToyEntry(name, f"{__name__}:{cls}")
                for name, cls in {
                    "by-label": "ByLabel",
                    "by-item": "ByItem",
                    "by-place": "ByPlace",
                    "by-user": "ByUser",
                    "leaking": "Leaking",
                    "tight": "Tight",
                    "pushed": "Pushed",
                    "fickle": "Fickle",
                }.items()
            ),
            ToyEntry("listing", f"{__name__}:Listing", stochastic=True),
            ToyEntry("tuned", f"{__name__}:Tuned", stochastic=True),
            ToyEntry("tuned-too", f"{__name__}:Tuned", stochastic=True),
            ToyEntry("oracle", f"{__name__}:Oracle", oracle=True),
        )
    }
