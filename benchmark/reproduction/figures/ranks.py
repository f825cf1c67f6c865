"""Figure 2b: how high the clicked item ranks among all items by fixation and by cursor dwell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch

from benchmark.output import figure_style as style
from benchmark.output.units import counted
from benchmark.reproduction.figures.base import Figure, FigureLayout, LoadTask
from benchmark.reproduction.groups import Choice, Found, Group, Missing
from benchmark.reproduction.provenance import NOTE, sentence
from benchmark.reproduction.section import Text
from benchmark.simulator import Floats
from benchmark.statistics import mean_interval
from benchmark.statistics.statistic import Bounds
from tasks.decoding import one_of
from tasks.types import Session

SIGNALS = ("fixation", "cursor")
TOP = 2


@dataclass(frozen=True, slots=True)
class ClickRank:
    """Where the clicked slot ranks by dwell: slots above it, slots tied (it is one of them), and K."""

    above: int
    tied: int
    slots: int

    @property
    def mid(self) -> float:
        """The mid-rank, 1 for the longest dwell: the mean of the ranks that the tied slots share."""
        return self.above + (self.tied + 1) / 2

    def shares(self, length: int) -> Floats:
        """Return the chance of each rank 1..``length`` when ties are broken at random, shape (length,)."""
        found = np.zeros(length)
        found[self.above : self.above + self.tied] = 1 / self.tied
        return found


def click_rank(dwell: Floats, click: int) -> ClickRank:
    """Return where the clicked slot ranks by dwell (milliseconds per slot, shape (K,))."""
    return ClickRank(int((dwell > dwell[click]).sum()), int((dwell == dwell[click]).sum()), len(dwell))


@dataclass(frozen=True, slots=True)
class Signal:
    """The ranks of all sessions by one kind of dwell; ``absent`` have none of it, so that all their slots are tied.

    ``by_user`` is user -> share of the clicks within the first ``TOP`` ranks.
    """

    name: str
    ranks: tuple[ClickRank, ...]
    absent: int
    by_user: Mapping[str, float]

    def shares(self) -> Floats:
        """Return the share of sessions at each rank 1..largest K, of sum 1."""
        length = max(rank.slots for rank in self.ranks)
        found: Floats = np.mean([rank.shares(length) for rank in self.ranks], axis=0)
        return found

    def within(self, k: int) -> float:
        """Return the share of sessions whose click is among the first ``k`` ranks."""
        return float(self.shares()[:k].sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks(FigureLayout):
    """A histogram of the ranks and their cumulative share, by fixation and by cursor; made from the data alone."""

    sessions: Annotated[str, one_of("all", "test")] = "all"
    item: Text

    KIND: ClassVar[str] = "ranks"

    def groups(self, choice: Choice) -> list[Group]:
        """Return nothing: no simulator is asked."""
        return []

    def build(self, found: Sequence[Found], load_task: LoadTask, missing: Sequence[Missing] = ()) -> list[Figure]:
        """Return the one figure."""
        task = load_task(self.task)
        split = str(self.run.get("split", "loo"))
        tested = [i for _, test in task.split(split).folds for i in test]
        sessions = task.sessions_at(range(len(task)) if self.sessions == "all" else tested)
        signals = tuple(signal_of(name, sessions) for name in SIGNALS)
        chance = chance_within(sessions, TOP)
        users, most = len({s.user for s in sessions}), max(len(s.slots) for s in sessions)
        which = "all sessions" if self.sessions == "all" else f"test sessions of split {split}"
        captions = [
            *([NOTE + sentence(task.notice)] if task.notice else []),
            f"{self.task} {task.version}, {which}: {counted(len(sessions), 'session')} of "
            f"{counted(users, 'user')}. No simulator.",
            f"Rank of the clicked {self.item} by dwell, 1 is the longest. Ties share their ranks: a session counts in "
            "equal parts at each of them, so that its mean is the mid-rank.",
            *(
                f"Within the top {TOP} by {s.name}: {s.within(TOP):.1%} of the sessions ({_interval(s)}); "
                f"chance {chance:.1%}."
                for s in signals
            ),
            *(
                f"No {s.name} on any {self.item}: {counted(s.absent, 'session')}, all ranks tied."
                for s in signals
                if s.absent
            ),
        ]
        return [
            Figure(
                name=self.named(),
                kind=self.KIND,
                title=self.title,
                captions=tuple(captions),
                headers=("by", "top 1", f"top {TOP}", "mean mid-rank", "median mid-rank", "sessions"),
                summary=tuple(_summary(signal) for signal in signals),
                records=tuple(
                    {
                        "session_id": session.session_id,
                        "user": session.user,
                        "slots": len(session.slots),
                        **{
                            f"{signal.name}_{key}": value
                            for signal in signals
                            for key, value in (("rank", signal.ranks[i].mid), ("tied", signal.ranks[i].tied))
                        },
                        "trials": (),
                    }
                    for i, session in enumerate(sessions)
                ),
                digests={task.name: task.digests[split]},
                identities={},
                notice="simulated data" if task.notice else "",
                picture=Histogram(signals, self.item, tuple(chance_within(sessions, k + 1) for k in range(most))),
            )
        ]


def signal_of(name: str, sessions: Sequence[Session]) -> Signal:
    """Return the ranks of the clicked slots by ``fixation`` or by ``cursor`` dwell."""
    dwell = [s.gaze_ms if name == "fixation" else s.cursor_ms for s in sessions]
    ranks = tuple(click_rank(ms, s.click) for ms, s in zip(dwell, sessions, strict=True))
    by_user: dict[str, list[float]] = {}
    for session, rank in zip(sessions, ranks, strict=True):
        by_user.setdefault(session.user, []).append(float(rank.shares(rank.slots)[:TOP].sum()))
    means = {user: float(np.mean(values)) for user, values in by_user.items()}
    return Signal(name, ranks, sum(not ms.any() for ms in dwell), means)


def chance_within(sessions: Sequence[Session], k: int) -> float:
    """Return the share of clicks among the first ``k`` ranks if ranks were drawn at random."""
    return float(np.mean([min(k, len(s.slots)) / len(s.slots) for s in sessions]))


def _interval(signal: Signal) -> str:
    """Return the mean over users and its interval: sessions of one person resemble each other."""
    found = mean_interval(list(signal.by_user.values()), bounds=Bounds(0.0, 1.0))
    if found.reason:
        return f"mean over users {found.mean:.1%}"
    return f"mean over users {found.mean:.1%}, 95 % interval {found.low:.1%} to {found.high:.1%}"


def _summary(signal: Signal) -> tuple[str, ...]:
    mids = [rank.mid for rank in signal.ranks]
    return (
        signal.name,
        f"{signal.within(1):.1%}",
        f"{signal.within(TOP):.1%}",
        f"{np.mean(mids):.2f}",
        f"{np.median(mids):g}",
        str(len(mids)),
    )


@dataclass(frozen=True, slots=True)
class Histogram:
    """The picture; ``chance`` is the share of clicks within the first 1, 2, ... ranks by chance."""

    signals: tuple[Signal, ...]
    item: str
    chance: tuple[float, ...]

    @property
    def height(self) -> float:
        """Height in centimetres."""
        return 6.6

    def draw(self, canvas: Canvas) -> None:
        """Draw bars above, cumulative shares below."""
        upper, lower = canvas.subplots(2, 1, sharex=True)
        width = 0.8 / len(self.signals)
        length = len(self.chance)
        ranks = np.arange(1, length + 1)
        for index, signal in enumerate(self.signals):
            shares = 100 * signal.shares()
            at = ranks + width * (index - (len(self.signals) - 1) / 2)
            colour = style.COLOURS[index]
            upper.bar(at, shares, width, color=colour, hatch=("", "////")[index % 2], edgecolor="white", linewidth=0)
            label = f"{signal.name}, {signal.within(TOP):.0%} in top {TOP}"
            lower.plot(ranks, np.cumsum(shares), color=colour, marker=style.MARKERS[index], label=label)
        label = f"chance, {self.chance[min(TOP, length) - 1]:.0%} in top {TOP}"
        lower.plot(ranks, 100 * np.asarray(self.chance), color="0.45", linestyle="--", label=label)
        upper.set_ylabel("sessions, %")
        lower.set_ylabel("cumulative, %")
        lower.set_xlabel(f"rank of the clicked {self.item} by dwell")
        lower.set_ylim(0, 104)
        lower.set_xticks(ranks if length <= 16 else ranks[:: -(-length // 16)])
        patches = [
            Patch(facecolor=style.COLOURS[i], hatch=("", "////")[i % 2], edgecolor="white", label=f"by {s.name} dwell")
            for i, s in enumerate(self.signals)
        ]
        upper.legend(handles=patches, loc="upper right")
        lower.legend(loc="lower right")
