"""What a task module offers: a description and a reader of its published raw files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from tasks.errors import InputError
from tasks.types import Session, Slot

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")

SIMULATED_MARK = "SIMULATED"
"""A file of this name in a raw folder says that the folder was simulated by this project, not recorded."""


class Progress(Protocol):
    """Wrap an iterable so that its progress shows (tqdm does); ``quiet`` below shows nothing."""

    def __call__(self, items: Iterable[T], *, total: int | None = None, desc: str = "") -> Iterable[T]:
        """Yield ``items`` unchanged."""
        ...


def quiet(items: Iterable[T], *, total: int | None = None, desc: str = "") -> Iterable[T]:
    """Show no progress."""
    return items


@dataclass(frozen=True, slots=True, eq=False)
class TaskInfo:
    """The metadata of a task, as its card, its ``task.json`` and every result print it.

    Attributes:
        version: Changes whenever the sessions, their ground truth or the splits change.
        description: A paragraph: what the user did, what is predicted, what is ours.
        citation: BibTeX of the data's paper.
        licence: Licence of the data, SPDX where there is one.
        source: Where the raw files come from.
        answer_format: ``letter`` or ``number``: what a slot's label is.
        leaks: Known ways in which an input gives the answer away, for the card.
        deviations: Where the task deliberately differs from the paper, for the card.
        truth: What must be known about the ground truth, for the card.
    """

    name: str
    version: str
    title: str
    description: str
    citation: str
    licence: str
    source: str
    answer_format: str
    leaks: tuple[str, ...] = field(default=(), repr=False)
    deviations: tuple[str, ...] = field(default=(), repr=False)
    truth: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a raw folder.

    Attributes:
        layout: One of the definition's layouts, or None to recognise it.
        images: Draw or cut the screens; without them the sessions carry no image.
        size: Width and height of a drawn screen in pixels, or None for the task's own.
        posters: Folder with poster files (RecGaze), or None for drawn ones.
        workers: Processes that draw screens; 1 draws in this process. More need a script that can be imported
            (``if __name__ == "__main__"``), since they are spawned.
        work: An existing empty folder for files that the sessions refer to (drawn screens).
        simulated: The raw folder is this project's simulation.
        truth: Version of the ground truth, for tasks that have several; None for the task's own.
        viewport: Height of the viewport in screenshot pixels in place of the recorded one (AdSERP), or None.
        check: Open every picture, and draw nothing (``prepare --check``).
        texts: Read the slots' texts from the screenshots where the files have none (AdSERP); None where the engine for
            it is installed and the folder is not simulated.
    """

    layout: str | None = None
    images: bool = True
    size: tuple[int, int] | None = None
    posters: Path | None = None
    workers: int = 1
    work: Path | None = None
    simulated: bool = False
    truth: int | None = None
    viewport: int | None = None
    check: bool = False
    texts: bool | None = False


@dataclass(slots=True)
class Reading:
    """What came out of a raw folder.

    Attributes:
        sessions: The kept sessions, in the order that the splits depend on.
        read: How many candidate sessions the files hold.
        dropped: Reason -> number of sessions dropped for it; read = kept + sum(dropped).
        notes: Lines to print and to keep in the card (counts checked against the published ones, which
            posters were drawn, ...).
    """

    sessions: list[Session]
    read: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LabelDrawing:
    """How a task draws the labels of its slots, so that a stress test can draw others (``tasks.altered``).

    Attributes:
        areas: Given the size of a screen and its slots, the boxes (x0, y0, x1, y1) that hold everything the task drew
            to label them, pixels, ``x1`` and ``y1`` excluded.
        draw: Draws the slots' labels on a screen, in place, where nothing labels them.
    """

    areas: Callable[[tuple[int, int], Sequence[Slot]], list[tuple[int, int, int, int]]]
    draw: Callable[[Image, Sequence[Slot]], None]


@dataclass(frozen=True, slots=True)
class PublicSource:
    """A public git repository that holds a task's raw files.

    Attributes:
        address: What ``git clone`` takes.
        folder: Where the raw files are in it; empty for the root.
        commit: The commit that ``prepare`` was tested with.
        about: Size and licence, in words.
        excerpts: Only excerpts of the repository were read in the tests.
    """

    address: str
    folder: str
    commit: str
    about: str
    excerpts: bool = False

    def within(self, raw: Path) -> Path:
        """Return the folder with the raw files if ``raw`` is a clone, else ``raw`` itself."""
        inside = raw / self.folder
        return inside if self.folder and inside.is_dir() else raw

    def commands(self, task: str) -> str:
        """Return the commands that bring the data here and prepare them."""
        name = self.address.rsplit("/", 1)[-1]
        prepare = f"python -m benchmark prepare --task {task} --raw {name} --out data/{task}"
        return f"git clone {self.address} && git -C {name} checkout --quiet {self.commit} && {prepare}"

    @property
    def tested(self) -> str:
        """Which commit ``prepare`` was tested with, in words."""
        return f"tested with {'excerpts of ' if self.excerpts else ''}commit {self.commit}"


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """One task: its description, its reader and its simulated sample.

    Attributes:
        layouts: Raw layouts, the preferred one first.
        detect: Returns the layout of a raw folder, or None if it has none of them.
        read: Reads a raw folder. Raises InputError naming file and row.
        write_sample: Writes the simulated raw folder (same format as the published files) into an empty folder; the
            file ``SIMULATED_MARK`` is added to it if it is not there.
        sample_notice: The line that every output on the sample carries.
        sample_size: Screen size of the sample, pixels.
        labels: How labels are drawn on the screens; None if the task cannot draw others.
        truths: Version of the ground truth -> metadata, for tasks that can be read with several; ``info`` is one of
            them.
        public: Where everybody can get the data; None where access is restricted.
    """

    info: TaskInfo
    layouts: tuple[str, ...]
    detect: Callable[[Path], str | None]
    read: Callable[[Path, ReadOptions, Progress], Reading]
    write_sample: Callable[[Path], None]
    sample_notice: str
    sample_size: tuple[int, int] | None = None
    labels: LabelDrawing | None = None
    truths: Mapping[int, TaskInfo] = field(default_factory=dict)
    public: PublicSource | None = None

    def read_with(self, options: ReadOptions) -> TaskInfo:
        """Return the metadata of the version of the ground truth that options name, ``info`` for none.

        InputError if the task has no such version, or no viewport to choose.
        """
        truth = options.truth
        if options.viewport is not None and not self.truths:
            raise InputError(f"{self.info.name} has no viewport to choose. Leave --viewport out.")
        if truth is None:
            return self.info
        if truth not in self.truths:
            known = f"versions {', '.join(map(str, self.truths))}" if self.truths else "one version"
            raise InputError(f"{self.info.name} has {known} of the ground truth, not {truth}. Leave --truth out.")
        return self.truths[truth]
