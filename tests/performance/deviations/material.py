"""What is measured on: recorded AdSERP trials where they are available, the built-in simulated sample, the stand-in."""

from __future__ import annotations

import dataclasses
import tempfile
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from baselines import registry
from tasks import registry as tasks
from tasks.adserp.replay import read_replay, replay_files
from tasks.adserp.sessions import build_session
from tasks.adserp.trial import Trial
from tasks.definition import ReadOptions
from tasks.types import Session
from tests.performance.deviations.measuring import SEED, Folds, Tested, folds, tested

BACKBONE = "pocket-qwen3vl"
POCKET = {
    "basis_lr": 0.001,
    "user_lr": 0.05,
    "lambda_": 1.0,
    "batch_size": 8,
    "accumulation": 1,
    "epochs": 6,
    "patience": 3,
}
"""configs/simulators/pocket.yaml; tests/test_deviations.py holds the two together."""


def kept(trials: list[Trial], options: ReadOptions, whole_page: bool = False) -> list[Session]:
    """Return the sessions that trials give, ordered by trial id as text."""
    found = [build_session(trial, options, whole_page) for trial in trials]
    return sorted((s for s in found if isinstance(s, Session)), key=lambda s: s.session_id)


class Material:
    """Loads what is asked for, once.

    Attributes:
        replay: Folder of the replay layout, or None.
        raw: Folder of the raw layout, or None.
    """

    def __init__(self, replay: Path | None, raw: Path | None) -> None:
        self.replay, self.raw = replay, raw
        self._tuned: dict[tuple[object, ...], tuple[Any, Tested]] = {}

    def has(self, need: str) -> bool:
        return (self.replay if need == "adserp" else self.raw) is not None

    @cached_property
    def trials(self) -> list[Trial]:
        assert self.replay is not None
        return [read_replay(file, self.replay) for file in replay_files(self.replay)]

    @cached_property
    def adserp(self) -> list[Session]:
        """Sessions of ``adserp`` without their screens."""
        return self.sessions_of(self.trials)

    def sessions_of(self, trials: list[Trial], *, whole_page: bool = False) -> list[Session]:
        return kept(trials, ReadOptions(images=False), whole_page)

    @cached_property
    def adserp_screens(self) -> list[Session]:
        """Sessions of ``adserp`` with numbered screens in memory."""
        return kept(self.trials, ReadOptions())

    @cached_property
    def adserp_page(self) -> list[Session]:
        return self.sessions_of(self.trials, whole_page=True)

    @cached_property
    def recgaze(self) -> list[Session]:
        return self._sample("recgaze")

    @cached_property
    def recgaze_visible(self) -> list[Session]:
        return self._sample("recgaze-visible")

    @cached_property
    def loo(self) -> Folds:
        """The split loo of the RecGaze sample."""
        return folds(self.recgaze, "loo")

    @property
    def train(self) -> list[Session]:
        return [self.recgaze[i] for i in self.loo[0][0]]

    @property
    def test(self) -> list[Session]:
        return [self.recgaze[i] for i in self.loo[0][1]]

    @cached_property
    def recgaze_raw(self) -> Path:
        """The simulated raw folder."""
        from tasks.recgaze.sample import write_sample

        self._folder = tempfile.TemporaryDirectory()
        write_sample(Path(self._folder.name) / "raw")
        return Path(self._folder.name) / "raw"

    @cached_property
    def backbone(self) -> Any:
        from baselines.simulators import loaded

        return loaded.load(BACKBONE)

    @cache  # noqa: B019  # one Material lives as long as the script
    def frozen(self, operator: str) -> Tested:
        """The frozen stand-in on the tested sessions of the RecGaze sample."""
        return tested("backbone", self.recgaze, self.loo, operator=operator)

    @cache  # noqa: B019
    def labelled(self, operator: str) -> Tested:
        """The same, its attention computed for the true click."""
        simulator = registry.build("backbone", {"operator": operator})
        simulator.fit([], SEED)
        free = self.frozen(operator)
        found = simulator.attend_to_label(free.sessions)
        pairs = zip(free.predictions, found, strict=True)
        return Tested(free.sessions, [dataclasses.replace(a, attention=b.attention) for a, b in pairs])

    @cache  # noqa: B019
    def random_prompt(self, seed: int) -> Tested:
        return tested("random-prompt", self.recgaze, self.loo, seed)

    def tuned(self, name: str = "fixate", **settings: object) -> tuple[Any, Tested]:
        """Tune a simulator on the RecGaze sample with the settings for the stand-in and these; also return itself."""
        key = (name, *sorted(settings.items()))
        if key not in self._tuned:
            simulator = registry.build(name, POCKET | settings)
            simulator.fit(self.train, SEED)
            self._tuned[key] = simulator, Tested(self.test, simulator.simulate([s.stimulus() for s in self.test]))
        return self._tuned[key]

    def _sample(self, name: str) -> list[Session]:
        task = tasks.load(name, "sample")
        assert task.simulated
        return task.sessions_at(range(len(task)))
