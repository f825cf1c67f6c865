"""The contract between the benchmark and a simulator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tasks.definition import Progress
from tasks.types import Session, Stimulus, Visit

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a simulator says about one session; any part may be missing (None).

    Attributes:
        session_id: The session it is about.
        attention: K non-negative numbers with a positive sum, or None.
        probabilities: Click probabilities, K numbers of sum 1, or None.
        answer: Index of the slot the simulator would click, or None.
        target: What gradient-based attention was computed for: ``free`` (the simulator's own answer),
            ``label`` (the true click; never ranked) or ``none`` (no gradient was involved).
        next_visit: Where the eyes go next, given the path so far: for a session with n visits shape (n + 1, K + 1). Row
            k is a distribution over what comes after the first k visits: the K slots and, last, ``stop``. The suite
            makes it by calling ``follow``; None from ``simulate``.
    """

    session_id: str
    attention: Floats | None = None
    probabilities: Floats | None = None
    answer: int | None = None
    target: str = "none"
    next_visit: Floats | None = None


@runtime_checkable
class Simulator(Protocol):
    """Anything that can be fitted on training sessions and asked about unseen ones.

    It may have an attribute ``reads``: the columns of recordings that it reads, such as ``("gaze_ms", "click")``, and
    ``"texts"`` if it reads those of the slots. Its trials are run again when one of these changes; without ``reads``,
    when any column does.
    """

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Learn from the training sessions; all randomness comes from ``seed``."""
        ...

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return one prediction per stimulus, in order.

        A simulator registered as an oracle is handed full sessions instead and is never ranked.
        """
        ...


@runtime_checkable
class FollowsPath(Protocol):
    """A simulator that says where the eyes go next, given the path so far (PROTOCOL section 10).

    It has ``fit`` as every simulator; without ``simulate`` it gives nothing else. Where it has ``simulate``, that is
    called with all sessions before the first ``follow``. An attribute ``draws_paths`` that is False says that no paths
    are to be drawn from it: each step is paid for.
    """

    def follow(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return what comes after the visits so far: the chance of each slot and, last, of ``stop``, shape (K + 1,).

        The suite hands over the recorded path of one session after the other, each from no visit to all n, one visit
        more at a time and never beyond: what the simulator has answered cannot be taken back. It must not learn from
        these paths about other sessions. Two neighbouring visits are never on the same slot. The numbers are 0 or more
        with sum 1; what is on the current slot is never scored.
        """
        ...


@runtime_checkable
class Steerable(Protocol):
    """A simulator whose model has heads of attention that can be pushed to a slot."""

    def steer(
        self, sessions: Sequence[Stimulus], slots: Sequence[int], random: np.random.Generator | None = None
    ) -> list[Prediction]:
        """Return what it answers while its own heads, or as many drawn from the others, are pushed to each slot."""
        ...


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a long fit keeps its state, and whom it tells how it goes.

    Attributes:
        folder: Exists; kept between attempts at the same trial and emptied when the trial is finished: checkpoints.
        artifacts: Exists; stored with the finished trial: training curves, the tuned prompt.
        report: Called with a line for the person at the terminal.
        progress: Wraps the epochs or batches of the fit.
        measured: Called after each epoch with its number, from 1, and values by name; a search may stop the fit
            then. It goes by ``valid_score``, lower is better, where this is among them.
    """

    folder: Path
    artifacts: Path
    report: Callable[[str], None]
    progress: Progress
    measured: Callable[[int, Mapping[str, float]], None] = lambda epoch, values: None


@runtime_checkable
class UsesWorkspace(Protocol):
    """A simulator whose fit can be stopped and resumed; ``attach`` is called once, before ``fit``."""

    def attach(self, workspace: Workspace) -> None:
        """Remember the workspace."""
        ...


@runtime_checkable
class HasMaterial(Protocol):
    """A simulator that rests on more than its settings: a backbone, a file."""

    def material(self) -> Mapping[str, str]:
        """Return name -> fingerprint of what else shapes predictions; a setting with an empty one shapes nothing."""
        ...


@runtime_checkable
class CarriesNotice(Protocol):
    """A simulator of which every output must say something: that its backbone is a stand-in."""

    def notice(self) -> str:
        """Return the line, or an empty string."""
        ...


@runtime_checkable
class ChecksAhead(Protocol):
    """A simulator that needs something from elsewhere, such as an endpoint."""

    def check_ahead(self) -> None:
        """Check that it is there, once before the trials of a run; InputError if it is not."""
        ...


@runtime_checkable
class ReportsCost(Protocol):
    """A simulator that counts what it spends."""

    def cost(self) -> Mapping[str, float]:
        """Return counts after ``simulate``: tokens, estimated FLOPs, peak memory in bytes, seconds by part."""
        ...


@runtime_checkable
class AttendsToLabel(Protocol):
    """A simulator that can also compute attention for the true click, as the paper's tables do; never ranked."""

    def attend_to_label(self, sessions: Sequence[Session]) -> list[Prediction]:
        """Return one prediction per session, in order, with ``target="label"`` and attention only."""
        ...


@runtime_checkable
class Restorable(Protocol):
    """A simulator whose trained state can be had from what its trial kept, without training again."""

    def restore(self, artifacts: Path, train: Sequence[Session], seed: int) -> None:
        """Become what ``fit(train, seed)`` made, from the ``artifacts`` that the trial kept; called in its place."""
        ...


@runtime_checkable
class LabelsItems(Protocol):
    """A simulator that is not shown the screen's labels but gives the slots labels of its own, as a list does."""

    def labels(self, session: Stimulus) -> Sequence[str]:
        """Return the label by which it names each slot, shape (K,)."""
        ...
