"""What is wrong with a submission, one typed line each, and how large one may be."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from benchmark.files.limits import TableLimits
from benchmark.output.units import counted
from tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class Limits(TableLimits):
    """The bounds of one submission, and of each of its predictions files.

    With the defaults, checking any folder stays far below 1 GiB of memory.

    Attributes:
        metadata_depth: How deep the values of ``submission.yaml`` may be nested.
        files: Files and folders in the submission.
        total_bytes: Size of all files together.
        shown: Problems of one kind in one file that are listed row by row; the rest is counted.
    """

    metadata_bytes: int = 64 * 1024
    metadata_depth: int = 8
    metadata_values: int = 5_000
    files: int = 500
    total_bytes: int = 256 * 1024**2
    shown: int = 3


DEFAULT = Limits()
"""The limits of format version 1."""


Severity = Literal["error", "warning"]

_Key = tuple[Severity, str, str]
"""Severity, kind and file: problems alike in these are listed together."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or looks wrong, in a submission.

    Attributes:
        severity: An ``error`` keeps a submission from being accepted, a ``warning`` does not.
        file: Path inside the submission, ``.`` for the folder as a whole.
        row: Row of a predictions file or line of a text file, counted from 1; None where it is about the whole file.
        kind: Which check found it, such as ``coverage`` or ``leak``.
    """

    severity: Severity
    file: str
    row: int | None
    what: str
    remedy: str
    kind: str

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file}, row {self.row}"
        return f"{self.severity}: {place}: {self.what} {self.remedy}".rstrip()


@dataclass(slots=True)
class Findings:
    """Collects problems; of many similar ones in a file the first few are listed and the rest are counted."""

    limits: Limits = DEFAULT
    _found: list[Problem] = field(default_factory=list)
    _counts: Counter[_Key] = field(default_factory=Counter)

    def error(self, kind: str, file: str, row: int | None, what: str, remedy: str) -> None:
        """Note something that keeps the submission from being accepted."""
        self._add(Problem("error", file, row, what, remedy, kind))

    def warning(self, kind: str, file: str, row: int | None, what: str, remedy: str) -> None:
        """Note something that looks wrong and may be right."""
        self._add(Problem("warning", file, row, what, remedy, kind))

    def rows(
        self, severity: Severity, kind: str, file: str, rows: Sequence[int], words: Callable[[int], tuple[str, str]]
    ) -> None:
        """Note a problem per row; ``words`` is asked only for the rows that are listed, by their place in ``rows``."""
        for place, row in enumerate(rows[: self.limits.shown]):
            what, remedy = words(place)
            self._add(Problem(severity, file, int(row), what, remedy, kind))
        if len(rows) > self.limits.shown:
            self._counts[severity, kind, file] += len(rows) - self.limits.shown

    def _add(self, problem: Problem) -> None:
        key = problem.severity, problem.kind, problem.file
        self._counts[key] += 1
        if self._counts[key] <= self.limits.shown:
            self._found.append(problem)

    def listed(self) -> list[Problem]:
        """Return the problems, errors first, by file and kind, each kind followed by how many more there are of it."""
        listed: Counter[_Key] = Counter((p.severity, p.kind, p.file) for p in self._found)
        rest = []
        for (severity, kind, file), count in self._counts.items():
            more = count - listed[severity, kind, file]
            if more:
                rest.append(Problem(severity, file, None, f"{more} more problems like this ({kind}).", "", kind))
        everything = [*self._found, *rest]
        first: dict[tuple[str, str], int] = {}
        for i, problem in enumerate(everything):
            first.setdefault((problem.file, problem.kind), i)
        return sorted(everything, key=lambda p: (p.severity != "error", p.file, first[p.file, p.kind]))

    @property
    def failed(self) -> bool:
        """Whether there is an error."""
        return any(severity == "error" for severity, _, _ in self._counts)

    def require(self) -> None:
        """Refuse to go on if there is an error; InputError with the first error, and how many more there are."""
        errors = [p for p in self.listed() if p.severity == "error"]
        if errors:
            first = errors[0]
            place = first.file if first.row is None else f"{first.file}, row {first.row}"
            more = sum(n for (severity, _, _), n in self._counts.items() if severity == "error") - 1
            rest = f" ({more} more errors; 'doctor' lists them.)" if more else ""
            raise InputError(f"{place}: {first.what} {first.remedy}{rest}")


def errors(problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems that keep a submission from being accepted."""
    return [problem for problem in problems if problem.severity == "error"]


def verdict(problems: Sequence[Problem]) -> str:
    """Return how many problems there are, and whether the submission can be submitted."""
    failed = len(errors(problems))
    counts = f"{counted(failed, 'error')}, {counted(len(problems) - failed, 'warning')}"
    return f"{counts}: {'not ready to submit' if failed else 'ready to submit'}."
