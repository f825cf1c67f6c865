"""The processes that run one trial together, and how they share work and results.

Nothing here asks the processes to do the same thing at the same time: a process that needs weights of which others
hold parts asks for them in rounds (``weights.Server``), and whoever waits for the others serves these rounds meanwhile.
So it does not matter that one has a screen's features on disk and another not, or answers of several tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from benchmark.engines.interface import PeerLost
from tasks.errors import InputError

if TYPE_CHECKING:
    import torch

    from baselines.distributed.settings import ZeroSettings
    from baselines.distributed.weights import Server

Item = TypeVar("Item")
Result = TypeVar("Result")

_current: Group | None = None


def current() -> Group | None:
    """Return the group that this process belongs to, or None if it works alone."""
    return _current


def enter(group: Group | None) -> None:
    """Make ``group`` the current one; ``session`` calls it."""
    global _current
    _current = group


class PeerFailed(RuntimeError):
    """Another process of the group failed, and with it what they were doing together."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a call, or why it failed."""

    result: Any
    error: str | None = None


@dataclass(slots=True)
class Group:
    """This process, number ``rank`` of ``size`` from 0, among its group.

    Attributes:
        control: Process group of the messages, on the CPU.
        broken: Another process gave up what they were doing together; ``ready`` starts again.
    """

    rank: int
    size: int
    device: torch.device
    settings: ZeroSettings
    control: Any
    server: Server = field(repr=False)
    broken: bool = False

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks to the user."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return this process's part of ``items``, none where there are fewer items than processes.

        Parts are consecutive and equally long, but for 1 more in the first ones where it does not come out even.
        """
        each, more = divmod(len(items), self.size)
        low = self.rank * each + min(self.rank, more)
        return items[low : low + each + (self.rank < more)]

    def exchange(self, value: Result) -> list[Result]:
        """Return what each process gave, in the order of ranks; returns when all have come here.

        PeerFailed if a process gave up, PeerLost if one is gone.
        """
        found = self._send(_Outcome(value))
        for rank, sent in enumerate(found):
            if sent.error is not None:
                self.broken = True
                raise PeerFailed(f"process {rank} of {self.size}: {sent.error}")
        return [sent.result for sent in found]

    def give_up(self, failure: str) -> None:
        """Tell the others, wherever they next meet, why this process failed; nothing if one of them said so before."""
        if not self.broken:
            self._send(_Outcome(None, failure))
        self.broken = True

    def ready(self) -> None:
        """Begin something new together; every process has ended or given up what was before."""
        self.broken = False

    def _send(self, message: _Outcome) -> list[_Outcome]:
        from torch import distributed

        found: list[Any] = [None] * self.size
        try:
            self.server.settle()
            distributed.all_gather_object(found, message, group=self.control)
        except RuntimeError as error:  # torch has no class of its own for a connection that was closed
            raise PeerLost(f"one of {self.size} processes is gone: {error}") from error
        return found

    def from_first(self, call: Callable[[], Result]) -> Result:
        """Let the first process do something and return its result on all; InputError if it failed with one there."""
        result: Any = self.jointly(lambda: call() if self.first else None)[0]
        return result  # type: ignore[no-any-return]

    def attempt(self, call: Callable[[], Result]) -> Result:
        """Let every process do its part and return this one's result, which the others do not see.

        InputError on all if one failed with one.
        """
        own = _attempt(call)
        _result(self.exchange(_Outcome(None, own.error)))
        result: Result = own.result
        return result

    def jointly(self, call: Callable[[], Result]) -> list[Result]:
        """Let every process do its part and return all results in the order of ranks.

        InputError on all if one failed with one, that of the lowest rank.
        """
        return _result(self.exchange(_attempt(call)))


def _attempt(call: Callable[[], Any]) -> _Outcome:
    try:
        return _Outcome(call())
    except InputError as error:
        return _Outcome(None, str(error))


def _result(outcomes: Sequence[_Outcome]) -> list[Any]:
    for outcome in outcomes:
        if outcome.error is not None:
            raise InputError(outcome.error)
    return [outcome.result for outcome in outcomes]


def total(count: float) -> float:
    """Return the sum of what the processes counted."""
    group = current()
    return count if group is None else sum(group.exchange(count))


def in_shares(
    items: Sequence[Item], run: Callable[[Sequence[Item]], Sequence[Result]], size: int, say: Callable[[str], None]
) -> list[Result]:
    """Do what ``backbones.memory.in_batches`` does, each process on its share; all get all results, in order.

    ``items`` are the same on all processes; results are sent to the others.
    """
    from baselines.backbones.memory import in_batches

    group = current()
    if group is None:
        return in_batches(items, run, size, say)
    parts = group.jointly(lambda: in_batches(group.share(items), run, size, say))
    return [result for part in parts for result in part]
