"""Small simulators that behave and misbehave, and the catalogue that lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.simulator import Prediction
from benchmark.trials.catalogue import simulator_class
from tasks.errors import unknown_name


@dataclass
class Sharp:
    """Puts ``weight`` on the first slot; counts how often it was fitted in this process."""

    weight: float = 0.7
    fitted = 0

    def fit(self, train, seed):
        type(self).fitted += 1
        self.seen = train

    def simulate(self, sessions):
        found = []
        for s in sessions:
            rest = (1 - self.weight) / (len(s.slots) - 1)
            p = np.array([self.weight] + [rest] * (len(s.slots) - 1))
            found.append(Prediction(s.session_id, p, p, 0))
        return found


@dataclass
class Noisy:
    """Random attention from its seed."""

    scale: float = 1.0

    def fit(self, train, seed):
        self.rng = np.random.default_rng(seed)

    def simulate(self, sessions):
        return [Prediction(s.session_id, self.rng.random(len(s.slots)) * self.scale) for s in sessions]


@dataclass
class Peeking:
    """Tries to read what a simulator must not see."""

    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        for s in sessions:
            for hidden in ("gaze_ms", "cursor_ms", "click", "flags", "gaze"):
                assert not hasattr(s, hidden)
        return [Prediction(s.session_id, np.ones(len(s.slots))) for s in sessions]


@dataclass
class Oracle:
    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        return [Prediction(s.session_id, s.gaze, s.gaze) for s in sessions]


@dataclass
class Faint:
    """Gives nothing for the first session."""

    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        p = [np.ones(len(s.slots)) / len(s.slots) for s in sessions]
        found = [Prediction(s.session_id, a, a) for s, a in zip(sessions, p, strict=True)]
        return [Prediction(sessions[0].session_id), *found[1:]]


@dataclass
class Forgetful:
    """Leaves a session out."""

    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        return [Prediction(s.session_id, np.ones(len(s.slots))) for s in sessions[1:]]


@dataclass
class Short:
    """Attention of the wrong length."""

    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        return [Prediction(s.session_id, np.ones(2)) for s in sessions]


@dataclass
class Stubborn(Sharp):
    """Is interrupted in its first fit and goes on in the second; rests on a backbone."""

    def attach(self, workspace):
        self.workspace = workspace

    def material(self):
        return {"backbone": "abc"}

    def cost(self):
        return {"tokens": 7}

    def notice(self):
        return "its backbone is a toy"

    def fit(self, train, seed):
        state = self.workspace.folder / "state.txt"
        if not state.exists():
            state.write_text("first attempt")
            raise KeyboardInterrupt
        (self.workspace.artifacts / "curves.txt").write_text("second attempt")

    def attend_to_label(self, sessions):
        return [Prediction(s.session_id, s.gaze, target="label") for s in sessions]


@dataclass
class Broken:
    """Fails, always."""

    def fit(self, train, seed):
        raise ZeroDivisionError("it was never going\nto work")

    def simulate(self, sessions):
        raise AssertionError


@dataclass
class Based(Sharp):
    """Rests on the model in a folder, whose fingerprint does not depend on where it lies."""

    model: str = ""

    def material(self):
        return {"model": "f00d"}


@dataclass(frozen=True)
class ToyEntry:
    name: str
    factory: str
    summary: str = "a toy"
    sees: tuple[str, ...] = ()
    oracle: bool = False
    stochastic: bool = False
    behaviour: str = "1"


class Toys:
    """The catalogue."""

    entries: Mapping[str, ToyEntry] = {
        e.name: e
        for e in (
            ToyEntry("sharp", f"{__name__}:Sharp"),
            ToyEntry("noisy", f"{__name__}:Noisy", stochastic=True),
            ToyEntry("stubborn", f"{__name__}:Stubborn"),
            ToyEntry("peeking", f"{__name__}:Peeking"),
            ToyEntry("oracle", f"{__name__}:Oracle", oracle=True),
            ToyEntry("faint", f"{__name__}:Faint"),
            ToyEntry("forgetful", f"{__name__}:Forgetful"),
            ToyEntry("short", f"{__name__}:Short"),
            ToyEntry("broken", f"{__name__}:Broken"),
            ToyEntry("based", f"{__name__}:Based"),
        )
    }

    def names(self) -> Sequence[str]:
        return list(self.entries)

    def entry(self, name):
        if name not in self.entries:
            raise unknown_name("simulator", name, self.entries)
        return self.entries[name]

    def build(self, name, settings):
        return simulator_class(self.entry(name).factory)(**settings)


def undigested(record):
    """A trial's record as versions without digests wrote it, which may be changed without being found damaged."""
    return {key: value for key, value in record.items() if key not in ("files", "checksum")}
