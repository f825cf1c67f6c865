"""The finished trials behind a run's results, and the simulators as those trials left them."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.runs import kept as records
from benchmark.scores.results import Results
from benchmark.simulator import Restorable, Simulator, UsesWorkspace, Workspace
from benchmark.trials.catalogue import Catalogue
from tasks.definition import Progress, quiet
from tasks.errors import InputError
from tasks.types import Session


@dataclass(frozen=True, slots=True)
class Source:
    """A finished trial of a run: what its ``trial.json`` holds, and what every output must say of the simulator."""

    identity: str
    simulator: str
    settings: dict[str, Any]
    seed: int
    fold: int
    folder: Path
    oracle: bool
    record: Mapping[str, object]
    threads: int
    notice: str

    @property
    def where(self) -> str:
        """The trial in words."""
        return f"{self.simulator}, seed {self.seed}, fold {self.fold} ({self.folder})"


def sources(run: Path, found: Results, simulators: Sequence[str] | None = None) -> dict[str, list[Source]]:
    """Return simulator -> the trials behind its row, by seed and fold; InputError if one is damaged or missing."""
    rows = {row.name: row for row in found.simulators if row.name == row.base}
    if not (run / "trials").is_dir():
        raise InputError(f"{run} has no trials, so no simulator can be had as they left it; run again.")
    made_from = records.behind(run, found)
    folds, chosen = len(found.n_train), {}
    for name in simulators or rows:
        mine = sorted((_source(r, name) for r in made_from[name]), key=lambda source: (source.seed, source.fold))
        if not mine or len(mine) != len(rows[name].trials) or len(mine) % folds:
            raise InputError(f"{run} lacks finished trials of {name} ({len(mine)} are there); run it again.")
        chosen[name] = mine
    return chosen


def _source(record: records.TrialRecord, name: str) -> Source:
    values = record.values
    if not {"seed", "fold", "settings"} <= values.keys():
        raise InputError(f"{record.folder / 'trial.json'} lacks seed, fold or settings; run again.")
    return Source(
        identity=record.identity,
        simulator=name,
        settings=values["settings"],
        seed=values["seed"],
        fold=values["fold"],
        folder=record.folder,
        oracle=values.get("oracle", False),
        record=values,
        threads=max(1, values.get("environment", {}).get("threads", 1)),
        notice=record.text("notice"),
    )


@contextmanager
def as_left(
    source: Source,
    catalogue: Catalogue,
    train: Sequence[Session],
    *,
    report: Callable[[str], None] = lambda line: None,
    progress: Progress = quiet,
) -> Iterator[Simulator]:
    """Give a fresh simulator in the state in which a trial left it, given the trial's training sessions.

    One that can be restored is not trained; any other is fitted again with the trial's seed. InputError if it cannot be
    restored.
    """
    simulator = catalogue.build(source.simulator, source.settings)
    if isinstance(simulator, Restorable):
        try:
            simulator.restore(source.folder / "artifacts", train, source.seed)
        except InputError as error:
            raise InputError(f"{source.simulator} with seed {source.seed} cannot be restored: {error}") from error
        yield simulator
        return
    with tempfile.TemporaryDirectory(prefix="gazebench-stress-") as scratch:
        if isinstance(simulator, UsesWorkspace):
            folders = Path(scratch) / "state", Path(scratch) / "artifacts"
            for folder in folders:
                folder.mkdir()
            simulator.attach(Workspace(*folders, report, progress))
        simulator.fit(train, source.seed)
        yield simulator
