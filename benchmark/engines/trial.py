"""One trial: a pure function of its identity and the task, and the attempt at it that fails with a line."""

import errno
import traceback

import pyarrow as pa

from benchmark.engines.asking import asked, sampled
from benchmark.engines.interface import Failure, Outcome
from benchmark.engines.needs import models
from benchmark.engines.resources import Moment, Place, environment, forget_peaks, gpu, peak_resident, threads
from benchmark.scores import paths, predictions
from benchmark.scores.checking import simulated
from benchmark.simulator import FollowsPath, ReportsCost, Simulator, UsesWorkspace, Workspace
from benchmark.trials.catalogue import simulator_class
from benchmark.trials.trial import Trial
from tasks.errors import InputError
from tasks.task import Task


def run_trial(trial: Trial, task: Task, workspace: Workspace | None = None) -> tuple[pa.Table, dict[str, object]]:
    """Run one trial: a pure function of the trial and the task's sessions.

    A fit that can be resumed keeps its state in the workspace, if there is one.

    Returns:
        The checked predictions of the fold's test sessions (columns of ``predictions.schema``), and what it cost:
        ``seconds``, ``seconds_fit`` and ``seconds_simulate`` on the clock; the same as ``processor_seconds`` of this
        process, and, of a model on a GPU, as ``device_seconds`` for which it held the GPU; ``peak_resident_bytes``;
        ``peak_memory_bytes``, of the GPU where the simulator reports it, else the same; and what else the simulator
        reports. A simulator without a model ran 0 tokens; one that has a model and reports no counts has none here.

    InputError if the simulator returned predictions that are not what was asked for.
    """
    train, test = task.split(trial.split).folds[trial.fold]
    start = Moment.now()
    forget_peaks()
    simulator: Simulator = simulator_class(trial.factory)(**trial.settings)
    if workspace is not None and isinstance(simulator, UsesWorkspace):
        simulator.attach(workspace)
    simulator.fit(task.sessions_at(train), trial.seed)
    fitted = Moment.now()
    sessions = task.sessions_at(test)
    found = asked(simulator, trial, sessions)
    draws = getattr(simulator, "draws_paths", True)
    if workspace is not None and draws and isinstance(simulator, FollowsPath):
        stimuli = [session.stimulus() for session in sessions]
        paths.write(sampled(simulator, stimuli, task.sessions_at(train), trial.seed), workspace.artifacts)
    where = f"simulator '{trial.simulator}'"
    made = [simulated(each, sessions, trial.simulator, trial.seed, where) for each in found]
    end, peak = Moment.now(), peak_resident()
    cost: dict[str, object] = {} if trial.material else {"tokens": 0, "flops_estimated": 0}
    if peak is not None:
        cost["peak_memory_bytes"] = cost["peak_resident_bytes"] = peak
    if isinstance(simulator, ReportsCost):
        cost |= simulator.cost()
    held = ("device_seconds",) if models(trial) and gpu() else ()
    for name, since, until in (("", start, end), ("_fit", start, fitted), ("_simulate", fitted, end)):
        cost[f"seconds{name}"] = round(until.wall - since.wall, 3)
        cost[f"processor_seconds{name}"] = round(until.processor - since.processor, 3)
        cost |= {f"{kind}{name}": cost[f"seconds{name}"] for kind in held}
    return predictions.joined(made), cost


def attempt(trial: Trial, task: Task, workspace: Workspace, place: Place) -> Outcome | Failure:
    """Run one trial with the place's number of threads; a trial that raises is a failure, and the others go on.

    ModuleNotFoundError if a library is missing, which the other trials would only find out again, InputError if the
    disk is full.
    """
    begun = Moment.now()
    try:
        with threads(place.threads):
            found, cost = run_trial(trial, task, workspace)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # a trial may fail with anything at all
        if _disk_full(error):
            raise
        return failure(error)
    load, where = Moment.now().load(begun), environment(place, trial.parallel)
    return Outcome(found, cost, where if load is None else {**where, "machine_load": load})


def failure(error: BaseException) -> Failure:
    """Return an exception as the failure of a trial."""
    text = " ".join(str(error).split())
    kind = type(error).__name__
    line = text if isinstance(error, InputError) else f"{kind}: {text}" if text else kind
    return Failure(line, "".join(traceback.format_exception(error)))


def _disk_full(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False
