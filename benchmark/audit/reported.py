"""A table of reported results as typed values: what is audited."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from msgspec import Meta

from benchmark.audit.printed import Printed
from tasks.decoding import one_of
from tasks.errors import require_known

Gain = Annotated[str, one_of("gain", "change")]
Slots = Annotated[int, Meta(ge=2, le=10_000)]


@dataclass(frozen=True, slots=True)
class Setting:
    """How the numbers of a task came about, as far as the report says. What is None is not known.

    Attributes:
        n_sessions: Test sessions in a mean.
        n_sessions_inferred: The report does not give ``n_sessions``; somebody worked it out from the values.
        n_seeds: Seeds that a number of a simulator that is not deterministic is the mean of.
        n_slots: Slots of every session, K.
        most_slots: Slots of the session that has most; None takes ``n_slots``.
        uniform_logloss: LogLoss of uniform probabilities in nats; None takes ln K.
        average: ``sessions``: a plain mean over sessions. ``users``: over sessions, then over users.
        ties: ``broken``: a session counts whole. ``expected``: a tie counts with its chance (PROTOCOL section 5).
        sd: Whether SDs over seeds are ``sample`` SDs (divided by n - 1) or ``population`` SDs (by n).
        improvement: ``gain``: positive where the value is the better one. ``change``: positive where it is the larger
            one. None lets both pass.
    """

    n_sessions: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    n_sessions_inferred: bool = False
    n_seeds: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    n_slots: Slots | None = None
    most_slots: Slots | None = None
    uniform_logloss: Annotated[float, Meta(gt=0)] | None = None
    average: Annotated[str, one_of("sessions", "users")] | None = None
    ties: Annotated[str, one_of("broken", "expected")] | None = None
    sd: Annotated[str, one_of("sample", "population")] | None = None
    improvement: Gain | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval around a mean; in one of this suite that was not cut the mean follows from the ends."""

    low: Printed
    high: Printed
    own: bool = False


@dataclass(frozen=True, slots=True)
class Quoted:
    """The paper's number that a report prints next to its own.

    Attributes:
        originals: What the paper prints, wherever it does; empty if that is not known.
        difference: The report's own number minus the quoted one, as the report prints it.
    """

    mean: Printed
    originals: tuple[Printed, ...] = ()
    difference: Printed | None = None
    own: Printed | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One reported number, with its SD over seeds and what is printed next to it.

    Attributes:
        stars: Stars of its significance; 0 for a difference that was tested and has none, None if nothing is said.
        improvement: On the baseline, in percent.
        better: Whether its stars are said to mark a gain; None if that is not said.
    """

    mean: Printed
    sd: Printed | None = None
    stars: int | None = None
    improvement: Printed | None = None
    interval: Interval | None = None
    quoted: Quoted | None = None
    better: bool | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a reported table. Labels that a report does not have are empty.

    Attributes:
        deterministic: Every seed gives the same numbers, so they are those of one run.
        cells: Metric -> number.
        own: How its numbers came about, where that is not as the rest of its task.
        baseline: Method that its improvements and stars refer to, where that is not the report's.
        trials: Identities of the runs it was made from. Two rows about one subject must only agree if one is made from
            runs of the other.
    """

    table: str
    task: str
    backbone: str
    operator: str
    method: str
    deterministic: bool
    cells: Mapping[str, Cell] = field(hash=False)
    own: Setting | None = None
    baseline: str = ""
    trials: tuple[str, ...] = ()

    @property
    def subject(self) -> tuple[str, str, str, str]:
        """What the numbers are about, in whichever table they are."""
        return self.task, self.backbone, self.operator, self.method

    @property
    def where(self) -> str:
        """The row in words."""
        table = f"table {self.table}" if self.table else ""
        return ", ".join(label for label in (table, *self.subject) if label) or "the table"


@dataclass(frozen=True, slots=True)
class Reported:
    """Reported results.

    Attributes:
        settings: Task -> how its numbers came about.
        baseline: Method that improvements and stars refer to; empty if there is none.
        levels: p below which there are one, two, ... stars.
        notes: What a reader of the numbers must know, such as that they come from simulated data.
    """

    source: str
    rows: tuple[Row, ...]
    settings: Mapping[str, Setting] = field(default_factory=dict, hash=False)
    baseline: str = ""
    levels: tuple[float, ...] = (0.05, 0.01)
    notes: tuple[str, ...] = ()

    def setting(self, row: Row) -> Setting:
        """Return how the numbers of a row came about; one without an entry is not known at all."""
        return row.own or self.settings.get(row.task, Setting())

    def seeds(self, row: Row) -> int | None:
        """Return how many runs differ in a row: 1 for a deterministic one, None if it is not known."""
        return 1 if row.deterministic else self.setting(row).n_seeds

    def baseline_of(self, row: Row, metric: str) -> tuple[Row, Cell] | None:
        """Return the baseline's row and cell that a cell's improvement and stars refer to, or None.

        The same table is looked through first.
        """
        baseline = row.baseline or self.baseline
        subject = (row.task, row.backbone, row.operator, baseline)
        if not baseline or row.subject == subject:
            return None
        others = [other for other in self.rows if other.subject == subject and metric in other.cells]
        others.sort(key=lambda other: other.table != row.table)
        return (others[0], others[0].cells[metric]) if others else None

    def cells(self) -> Iterator[tuple[Row, str, Cell]]:
        """Yield row, metric and number of the whole report."""
        for row in self.rows:
            for metric, cell in row.cells.items():
                yield row, metric, cell

    def subjects(self) -> Iterator[tuple[Row, str, Cell]]:
        """Yield as ``cells`` does, but a number that several tables repeat only once, with its SD if one gives it."""
        found: dict[tuple[object, ...], tuple[Row, str, Cell]] = {}
        for row, metric, cell in self.cells():
            key = (*row.subject, metric, round(cell.mean.value, 10))
            if key not in found or (found[key][2].sd is None and cell.sd is not None):
                found[key] = row, metric, cell
        yield from found.values()


def amended(
    reported: Reported, known: Mapping[str, object], baseline: str | None = None, deterministic: Collection[str] = ()
) -> Reported:
    """Return a report with what its reader knows of it laid over what it says itself.

    ``known`` are fields of ``Setting``, for every task; ``baseline`` is the method that improvements and stars refer
    to, None leaves it; the numbers of ``deterministic`` methods are the same under every seed. InputError if a method
    does not occur.
    """
    methods = list(dict.fromkeys(row.method for row in reported.rows))
    require_known("method", [*deterministic, *([baseline] if baseline else [])], methods)
    if "n_sessions" in known:
        known = {**known, "n_sessions_inferred": False}
    settings = {
        row.task: replace(reported.settings.get(row.task, Setting()), **known)  # type: ignore[arg-type]
        for row in reported.rows
    }
    rows = tuple(
        replace(
            row,
            deterministic=row.deterministic or row.method in deterministic,
            own=None if row.own is None else replace(row.own, **known),  # type: ignore[arg-type]
            baseline=row.baseline if baseline is None else "",
        )
        for row in reported.rows
    )
    return replace(reported, rows=rows, settings=settings, baseline=reported.baseline if baseline is None else baseline)
