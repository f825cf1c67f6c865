"""How long missing trials will take, from a few sessions of every kind of trial, timed where this runs.

Seconds are those of the processor, or of a GPU where a model runs on one, so it does not count what else the machine
does; of a simulator that asks an endpoint they are those on the clock. Trials are of one kind if task, simulator,
backbone, operator and number format agree; what else a setting changes, such as the number of prompt tokens, is taken
to cost nothing. A kind is timed twice and the second time counts, so loading a model and a screen's first look are left
out. Nothing is assumed of early stopping: the time is that of all epochs.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.engines.asking import asked
from benchmark.engines.resources import Moment, Place, environment, forget_peaks, host, peak_resident, threads
from benchmark.engines.trial import failure
from benchmark.files.replacing import replace_text
from benchmark.output import units
from benchmark.output.document import Document, Grid, GridColumn, row
from benchmark.simulator import ReportsCost, Simulator
from benchmark.trials.catalogue import simulator_class
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import Trial
from tasks.decoding import read_json
from tasks.definition import Progress, quiet
from tasks.errors import InputError
from tasks.storage import write_errors
from tasks.task import Task

FILE = "plan.json"
_SHORT: Mapping[str, object] = {"epochs": 1, "validation": 0.0}
"""Settings of a training that is timed, where the simulator has them."""
_OF_KIND = ("operator", "dtype")
_HEADERS = ("task", "simulator", "backbone", "operator", "to run", "finished", "a trial", "together", "memory", "known")


@dataclass(frozen=True, slots=True)
class Timing:
    """What a kind of trial (``kind_of``) takes.

    Attributes:
        sessions: Number of sessions that were timed.
        fit: Seconds per training session, and per epoch where there are epochs.
        simulate: Seconds per session that is predicted.
        first: Seconds of the first round, with loading and first looks.
        memory_bytes: Highest use of memory, of the GPU where the simulator reports it; None if it is not known.
        where: Machine, device and threads.
    """

    kind: str
    sessions: int
    fit: float
    simulate: float
    first: float
    memory_bytes: int | None
    where: str


@dataclass(frozen=True, slots=True)
class PlannedTrials:
    """What is known of the trials of one kind that take the same time.

    Attributes:
        backbone: Empty without a model, as is ``operator``.
        trials: Number that is to run; ``finished``, number that is finished.
        seconds: Of one trial.
        memory_bytes: Highest use of memory; None if it is not known.
        source: ``timed`` on some sessions, or ``finished`` trials of the same settings.
    """

    task: str
    simulator: str
    backbone: str
    operator: str
    trials: int
    finished: int
    seconds: float
    memory_bytes: int | None
    source: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the rest of a run takes: by kind, in the order of the trials, and by the kinds that were timed."""

    rows: tuple[PlannedTrials, ...]
    timings: tuple[Timing, ...]
    notice: str

    @property
    def seconds(self) -> float:
        """Seconds of all trials that are to run, one after the other."""
        return sum(row.trials * row.seconds for row in self.rows)

    @property
    def longest(self) -> float:
        """Seconds of the longest trial that is to run."""
        return max((row.seconds for row in self.rows if row.trials), default=0.0)


def kind_of(trial: Trial) -> str:
    """Return the name of a trial's kind: all that is taken to change its time per session."""
    values = {name: trial.settings[name] for name in _OF_KIND if name in trial.settings}
    named = [trial.task, trial.stimuli, trial.simulator, trial.behaviour, dict(trial.material), values, trial.label]
    return json.dumps(named, sort_keys=True)


def time_kind(trial: Trial, task: Task, sessions: int, place: Place) -> Timing:
    """Time a kind of trial on some sessions of the trial's fold, spread evenly over it: to fit on, and to predict.

    InputError if the simulator fails.
    """
    train, test = (_spread(part, sessions) for part in task.split(trial.split).folds[trial.fold])
    settings = dict(trial.settings)
    settings.update({name: value for name, value in _SHORT.items() if name in settings})
    known, predicted = task.sessions_at(train), task.sessions_at(test)
    forget_peaks()
    with threads(place.threads):
        try:
            for round_ in range(2):
                simulator: Simulator = simulator_class(trial.factory)(**settings)
                begun = Moment.now()
                simulator.fit(known, trial.seed)
                fitted = Moment.now()
                asked(simulator, trial, predicted)
                ended = Moment.now()
                if round_ == 0:
                    first = ended.wall - begun.wall
        except InputError:
            raise
        except Exception as error:
            line = failure(error).line
            raise InputError(f"a trial of {trial.simulator} on {trial.task} fails where it is timed: {line}") from error
    on_gpu = environment(place)["gpu"] is not None
    memory: float | None = peak_resident()
    if on_gpu and isinstance(simulator, ReportsCost):
        memory = simulator.cost().get("peak_memory_bytes", memory)
    waits = isinstance(simulator, ReportsCost) and "requests" in simulator.cost()
    clock = attrgetter("wall" if on_gpu or waits else "processor")
    return Timing(
        kind=kind_of(trial),
        sessions=sessions,
        fit=(clock(fitted) - clock(begun)) / len(known),
        simulate=(clock(ended) - clock(fitted)) / len(predicted),
        first=first,
        memory_bytes=None if memory is None else int(memory),
        where=_where(place),
    )


def seconds_of(trial: Trial, task: Task, timing: Timing) -> float:
    """Return the seconds of a trial: its epochs, the validation of each, and the prediction of the test sessions.

    ``epochs`` and ``validation`` (share of the sessions held out) are read from its settings.
    """
    train, test = (len(part) for part in task.split(trial.split).folds[trial.fold])
    epochs, validation = trial.settings.get("epochs"), trial.settings.get("validation")
    evaluated = test * timing.simulate
    if not isinstance(epochs, int):
        return train * timing.fit + evaluated
    held = round(validation * train) if isinstance(validation, float) else 0
    # The untrained prompt is validated, too.
    return epochs * (train - held) * timing.fit + (epochs + 1) * held * timing.simulate + evaluated


def plan(
    trials: Mapping[str, Sequence[Trial]],
    load_task: Callable[[str], Task],
    store: TrialStore,
    path: Path,
    *,
    sessions: int,
    threads: int = 1,
    again: bool = False,
    progress: Progress = quiet,
) -> Plan:
    """Say how long the trials of each task take that the store does not hold.

    ``sessions`` of each kind are timed, with so many threads of numerical libraries. What is timed is kept in the file
    ``path`` as it comes; what it has of the same kind, number of sessions and place is not timed ``again``. InputError
    if a simulator fails, or the file cannot be written.
    """
    place = Place("local", host(), threads)
    found = {} if again else {timing.kind: timing for timing in _read(path, sessions, place)}
    tasks = {name: load_task(name) for name in trials}
    unique = {trial.identity(): trial for of_task in trials.values() for trial in of_task}
    finished = {identity for identity, trial in unique.items() if store.finished(trial)}
    took: dict[str, list[float]] = {}
    for identity in finished:
        seconds = store.spent(unique[identity])
        if seconds is not None:
            took.setdefault(_settled(unique[identity]), []).append(seconds)
    missing = [trial for identity, trial in unique.items() if identity not in finished]
    wanted = {kind_of(trial): trial for trial in reversed(missing) if _settled(trial) not in took}
    to_time = [trial for kind, trial in reversed(wanted.items()) if kind not in found]
    with write_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    for trial in progress(to_time, total=len(to_time), desc="kinds of trials timed"):
        timing = time_kind(trial, tasks[trial.task], sessions, place)
        found[timing.kind] = timing
        replace_text(path, _json(_assembled(unique, finished, tasks, found, took)))
    result = _assembled(unique, finished, tasks, found, took)
    replace_text(path, _json(result))
    return result


def document(found: Plan, workers: int = 1) -> Document:
    """Return a plan as a table and what it adds up to with so many trials at a time."""
    body = [
        row(
            *(one.task, one.simulator, Path(one.backbone).name, one.operator, str(one.trials), str(one.finished)),
            *(units.seconds(one.seconds), units.seconds(one.trials * one.seconds)),
            "" if one.memory_bytes is None else units.memory(one.memory_bytes),
            one.source,
        )
        for one in found.rows
    ]
    last = len(_HEADERS) - 1
    columns = tuple(
        GridColumn(name, "left" if i < 4 or i == last else "right", wraps=i < 4) for i, name in enumerate(_HEADERS)
    )
    return Document(
        "",
        (Grid(columns, tuple(body)),) if body else (),
        (found.notice,) if found.notice else (),
        legend=tuple(_totals(found, workers)),
    )


def _totals(found: Plan, workers: int) -> Iterator[str]:
    """Yield what the trials take together, and how it was found."""
    missing, finished = (sum(getattr(row, name) for row in found.rows) for name in ("trials", "finished"))
    yield (
        f"{units.counted(missing, 'trial')} to run, {finished} finished. One after the other: "
        f"{units.seconds(found.seconds)}, the longest {units.seconds(found.longest)}."
    )
    if workers > 1:
        least = max(found.longest, found.seconds / workers)
        yield f"{workers} at a time, each as fast as one alone: {units.seconds(least)} at least."
    if found.timings:
        sessions = units.counted(found.timings[0].sessions, "session")
        where = "; ".join(dict.fromkeys(timing.where for timing in found.timings))
        yield (
            f"timed: {sessions} of each kind on {where}, multiplied by the sessions and epochs of a trial; training "
            "may stop earlier. Loading a backbone, and the first look at each screen, come on top."
        )


def _assembled(
    unique: Mapping[str, Trial],
    finished: set[str],
    tasks: Mapping[str, Task],
    timings: Mapping[str, Timing],
    took: Mapping[str, Sequence[float]],
) -> Plan:
    """Return the plan as far as it is known; trials of a kind that is not timed yet are left out."""
    counts: dict[PlannedTrials, list[int]] = {}
    used: dict[str, Timing] = {}
    for identity, trial in unique.items():
        before, timing, memory = took.get(_settled(trial)), timings.get(kind_of(trial)), None
        if before:
            seconds, source = sum(before) / len(before), "finished trials"
        elif timing is not None:
            used[timing.kind] = timing
            seconds, source, memory = seconds_of(trial, tasks[trial.task], timing), "timed", timing.memory_bytes
        else:
            continue
        operator = str(trial.settings.get("operator", ""))
        row = PlannedTrials(trial.task, trial.simulator, _model(trial), operator, 0, 0, seconds, memory, source)
        counts.setdefault(row, [0, 0])[identity in finished] += 1
    rows = tuple(replace(row, trials=missing, finished=done) for row, (missing, done) in counts.items())
    notices = [*(task.notice for task in tasks.values()), *(trial.notice for trial in unique.values())]
    notice = "; ".join(dict.fromkeys(line for line in notices if line))
    return Plan(rows, tuple(used.values()), notice)


def _spread(indices: NDArray[np.int64], count: int) -> list[int]:
    """Return at most ``count`` of the indices, spread evenly."""
    count = min(count, len(indices))
    return [int(indices[position * len(indices) // count]) for position in range(count)]


def _model(trial: Trial) -> str:
    """Return the model that a trial depends on, as its settings name it."""
    named = (trial.settings.get(name) for name, found in trial.material.items() if found)
    return next((str(name) for name in named if name), "")


def _settled(trial: Trial) -> str:
    """Return what trials of the same cost agree in: all but the seed."""
    return json.dumps({**trial.record(), "seed": 0}, sort_keys=True, default=str)


def _where(place: Place) -> str:
    """Return device, threads and machine in words; called after a model has been used."""
    gpu = environment(place)["gpu"]
    device = gpu or f"{place.threads} CPU thread{'s' if place.threads > 1 else ''}"
    return f"{device} of {place.where}"


def _read(path: Path, sessions: int, place: Place) -> Iterable[Timing]:
    """Return the timings in a file that still hold here; none if there is no file."""
    if not path.is_file():
        return
    for timing in read_json(Plan, path, "delete it and plan again").timings:
        # The number format in the kind tells GPU from CPU; a GPU does not depend on the threads.
        device, _, machine = timing.where.partition(" of ")
        here = machine == place.where and ("CPU thread" not in device or timing.where == _where(place))
        if here and timing.sessions == sessions:
            yield timing


def _json(found: Plan) -> str:
    return json.dumps(asdict(found), indent=1) + "\n"
