"""Conditional logits of the next slot (McFadden, 1974): its chance is proportional to exp(weights . features)."""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from baselines.limits import Positive
from baselines.simulators.choice_model import chances
from baselines.simulators.order.paths import Follower, Path, recorded
from baselines.simulators.shares import normalised
from benchmark.simulator import CarriesNotice, Floats, HasMaterial, Prediction, UsesWorkspace, Workspace
from benchmark.statistics.choice import fit_weights
from benchmark.trials.catalogue import Entry, full_settings
from benchmark.trials.content import RECORDED, TEXTS
from tasks.errors import InputError
from tasks.types import Session, Stimulus, Visit

FLOOR = 1e-3
"""Attention of a slot, at least: nothing is never looked at."""
NEAR = 6
"""Steps up to this many slots have a weight of their own; longer ones share that of their direction."""


@dataclass
class ChoiceModel(Follower):
    """Base: a subclass says what is known of every slot after some visits; ``l2`` > 0 penalises squared weights."""

    l2: Positive = 1.0
    _weights: Floats = field(default_factory=lambda: np.zeros(0), init=False, repr=False)

    @abstractmethod
    def features(self, shown: Stimulus | Session, visited: Sequence[Visit]) -> Floats:
        """Return what is known of each slot as the next one, shape (K, F)."""

    def learn(self, paths: Sequence[Path]) -> None:
        """Fit the weights to the moves of the training paths; the current slot is not among the alternatives."""
        blocks, chosen = [], []
        for path in paths:
            for before, to in path.moves():
                here = before[-1].slot
                blocks.append(np.delete(self.features(path.session, before), here, axis=0))
                chosen.append(np.delete(np.eye(len(path.session.slots))[to], here))
        if blocks:
            starts = np.cumsum([0, *(len(block) for block in blocks[:-1])])
            self._weights = fit_weights(np.concatenate(blocks), starts, np.concatenate(chosen), self.l2)

    def weights(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return exp(utility) of each slot."""
        features = self.features(stimulus, visited)
        return chances(features @ self._weights) if len(self._weights) else np.ones(len(features))


@dataclass
class ExaminationLogit(ChoiceModel):
    """Step, direction, visited before, frontier, kind and rank of the next slot.

    The frontier is the first slot below all that were visited: where somebody who reads down the page goes on.
    """

    _kinds: tuple[str, ...] = field(default=(), init=False, repr=False)

    def learn(self, paths: Sequence[Path]) -> None:
        """Fit the weights."""
        self._kinds = tuple(sorted({slot.kind for path in paths for slot in path.session.slots}))
        super().learn(paths)

    def features(self, shown: Stimulus | Session, visited: Sequence[Visit]) -> Floats:
        """Return indicators of the step up to ``NEAR`` slots, and the numbers that the class names."""
        slots, seen = np.arange(len(shown.slots)), np.array([visit.slot for visit in visited])
        step = slots - seen[-1]
        size = np.minimum(np.abs(step), NEAR)
        near = np.sign(step)[:, None] * size[:, None] == np.array([d for d in range(-NEAR, NEAR + 1) if d])
        before = np.isin(slots, seen)
        kinds = [[slot.kind == kind for kind in self._kinds] for slot in shown.slots]
        numbers = np.column_stack(
            [
                np.log1p(np.abs(step)),
                step > 0,
                before,
                np.bincount(seen, minlength=len(slots)) > 1,
                slots == seen.max() + 1,
                slots > seen.max() + 1,
                np.isin(slots, seen[-3:-1]),
                np.log1p(slots),
            ]
        )
        return np.hstack([near, numbers, kinds]).astype(np.float64)


@dataclass
class AttentionWalk(ChoiceModel):
    """The next slot by another simulator's attention, by whether it was visited, and by how far away it is.

    Its weight is ``attention ** power * exp(-inhibition * [visited before] - distance * d)``, d being the distance of
    the boxes' centres in diagonals of all boxes together; the three numbers are fitted on the training sessions. The
    other simulator is fitted on the same sessions with the same seed, as in its own trial.

    Attributes:
        of: Registry name of a simulator with attention.
        settings: Its settings; those of the run, or its defaults, where none are given.
    """

    of: str = "kind-position-prior"
    settings: Mapping[str, object] = field(default_factory=dict)
    _entry: Entry = field(default=Entry(""), init=False, repr=False)
    _inner: Any = field(default=None, init=False, repr=False)
    _attention: dict[str, Floats] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        from baselines import registry

        super().__post_init__()
        self._entry = registry.entry(self.of)
        if self._entry.oracle or self.of == "attention-walk":
            raise InputError(f"the setting of is {self.of}; it must be a simulator with attention that is ranked.")
        self._inner = registry.build(self.of, self.settings)
        self.reads = tuple(dict.fromkeys((*getattr(self._inner, "reads", (*RECORDED, TEXTS)), "fixations")))

    def attach(self, workspace: Workspace) -> None:
        """Hand the workspace on: the other simulator may need one."""
        if isinstance(self._inner, UsesWorkspace):
            self._inner.attach(workspace)

    def material(self) -> Mapping[str, str]:
        """Return what identifies the other simulator: its version, its settings and its own material."""
        inner = dict(self._inner.material()) if isinstance(self._inner, HasMaterial) else {}
        settings = {k: v for k, v in full_settings(self._inner, self._entry.factory).items() if k not in inner}
        said = f"{self.of} {self._entry.behaviour} {json.dumps(settings, sort_keys=True, default=list)}"
        return {"walks on": said, **{f"walks on: {key}": value for key, value in inner.items()}}

    def notice(self) -> str:
        """Return what the other simulator asks every output to say."""
        return self._inner.notice() if isinstance(self._inner, CarriesNotice) else ""

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Fit the other simulator, then the three numbers to its attention on the training sessions."""
        self._inner.fit(train, seed)
        self._attention = {}
        self._look([path.session.stimulus() for path in recorded(train)])
        super().fit(train, seed)

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Look at the sessions, so that the other simulator does so once; nothing but ``follow`` is given."""
        self._look(sessions)
        return [Prediction(session.session_id) for session in sessions]

    def features(self, shown: Stimulus | Session, visited: Sequence[Visit]) -> Floats:
        """Return the logarithm of attention, 1 for a slot that was visited, and the distance, shape (K, 3)."""
        if shown.session_id not in self._attention:
            self._look([shown.stimulus() if isinstance(shown, Session) else shown])
        boxes = np.array([slot.box for slot in shown.slots])
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        diagonal = np.hypot(*(boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0))) or 1.0
        distance = np.hypot(*(centres - centres[visited[-1].slot]).T) / diagonal
        before = np.isin(np.arange(len(boxes)), [visit.slot for visit in visited])
        return np.column_stack([np.log(self._attention[shown.session_id] + FLOOR), before, distance])

    def _look(self, sessions: Sequence[Stimulus]) -> None:
        for found in self._inner.simulate(sessions):
            if found.attention is None:
                raise InputError(f"{self.of} gives no attention; the setting of must name a simulator that does.")
            self._attention[found.session_id] = normalised(found.attention)
