"""The Python interface: load a task, run or score simulators on it, compare, show.

``import benchmark as gb`` brings it without importing anything heavy; the command line calls the same functions.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

import tasks
from baselines import registry
from baselines.backbones.checkpoint import describe
from benchmark.api.result import Result
from benchmark.engines import Engine
from benchmark.engines.local import WITH_MODELS, LocalEngine, prepare_workers
from benchmark.engines.settings import EngineSettings, engine_settings
from benchmark.output import drawing
from benchmark.output.figure_style import Drawing
from benchmark.runs import runner, scored
from benchmark.runs.preflight import check_names
from benchmark.scores import reading, results
from benchmark.simulator import Simulator
from benchmark.trials.catalogue import HANDED_OVER, Catalogue
from benchmark.trials.configuration import RunConfig, read_preset
from benchmark.trials.extended import with_files
from tasks.adserp.dialogs import place_of_dialog
from tasks.definition import Progress, quiet
from tasks.errors import InputError
from tasks.outside import is_file
from tasks.registry import definition

if TYPE_CHECKING:
    from benchmark.trials.trial import Trial
    from tasks.task import Task

Report = Callable[[str], None]

_log = logging.getLogger(__name__)


def load(
    task: str,
    data: str | Path | None = None,
    *,
    truth: int | None = None,
    viewport: int | None = None,
    workers: int = 1,
    progress: Progress = quiet,
    report: Report = _log.info,
) -> Task:
    """Return a task with its sessions and splits.

    Args:
        task: Name of a task (``list tasks``), or ``path/to/file.py:NAME`` of a definition.
        data: Prepared or raw folder, or ``sample``: the built-in simulated sample. None takes ``$GAZEBENCH_DATA/TASK``
            if it exists, else the sample.
        truth: Version of the ground truth, for a raw folder or the sample.
        viewport: Height of the viewport in screenshot pixels in place of the recorded one, also for these (adserp).
        workers: Processes that draw screens where a raw folder is prepared.
        progress: Wraps what takes long, as ``tqdm`` does.
        report: Called with lines on what is prepared; the log by default, as elsewhere.

    InputError for an unknown name, or data that cannot be used.
    """
    options = tasks.ReadOptions(workers=workers, truth=truth, viewport=viewport)
    return tasks.load(task, data, options=options, workers=workers, report=report, progress=progress)


def run(
    task: Task | str,
    simulators: Sequence[str | Simulator | type],
    *,
    split: str = "loo",
    seeds: Sequence[int] | None = None,
    settings: Mapping[str, object] | None = None,
    reference: str = "position-prior",
    metrics: Sequence[str] | None = None,
    preset: str = "tuned",
    engine: str = "local",
    workers: int = 1,
    out: str | Path | None = None,
    report: Report = _log.info,
) -> Result:
    """Fit simulators on the training sessions of a split, and score them on its test sessions.

    Args:
        task: A task, or the name of one.
        simulators: Names (``list simulators``), ``path/to/file.py:Class``, and simulators of your own: objects with
            ``fit`` and ``simulate`` or ``follow``, or their classes. Every seed and fold works on a copy of an object.
        split: ``loo``, ``kfold``, ``unseen-screen``, ``screen-kfold`` or ``user-kfold``.
        seeds: Seeds of simulators that use one; None for the suite's five.
        settings: ``key`` or ``simulator.key`` -> value.
        reference: Whom the others are compared with; added where it is missing.
        metrics: The main metrics, over which comparisons are corrected, also ``path/to/file.py:NAME``; None for the
            suite's. Those of the suite are computed in any case.
        preset: ``quick``, ``tuned``, ``full`` or ``parity``: whose defaults hold where ``settings`` say nothing.
        engine: ``local`` (this machine) or ``ray``.
        workers: Trials at a time; 1 runs them in this process, which simulators given as objects need.
        out: Folder of the run, whose finished trials are used again; None keeps nothing.
        report: Called with lines on how the run goes.

    InputError: a name, setting or value is unknown, or a simulator cannot be used. TrialsFailed: trials failed.
    """
    task = load(task, report=report) if isinstance(task, str) else task
    settings = dict(settings or {})
    backbone = settings.get("backbone")
    chosen = read_preset(preset, None if backbone is None else str(backbone), task.name, kind_of_backbone)
    values: dict[str, Any] = {key: chosen[key] for key in ("label", "ties", "defaults") if key in chosen}
    values |= {"task": task.name, "data": str(task.folder), "split": split, "reference": reference}
    values |= {"settings": settings, **({} if seeds is None else {"seeds": tuple(seeds)})}
    values |= {} if metrics is None else {"family": tuple(metrics)}
    if any(not isinstance(one, str) for one in simulators) and (engine, workers) != ("local", 1):
        raise InputError("simulators given as objects run in this process: put them in a file, path/to/file.py:Class.")
    before = set(HANDED_OVER)
    with tempfile.TemporaryDirectory(prefix="gazebench-") as scratch:
        try:
            config, catalogue = configured(values, simulators)
            folder = Path(scratch) / "run" if out is None else Path(out)
            how = engine_of(engine_settings({"name": engine, "workers": workers}))
            runner.run(config, task, catalogue, folder, engine=how, report=report)
        finally:
            for added in set(HANDED_OVER) - before:
                del HANDED_OVER[added]
        return replace(read_run(folder), folder=None if out is None else folder, task=task)


def kind_of_backbone(backbone: str | None) -> str:
    """Return the kind of a backbone, or of the one that simulators have without a setting, for ``read_preset``."""
    return describe(backbone or "pocket-qwen3vl").model_type


def configured(
    values: Mapping[str, Any], simulators: Sequence[str | Simulator | type], folders: Sequence[Path] = (Path(),)
) -> tuple[RunConfig, Catalogue]:
    """Return a run's configuration and where its simulators are found, once every name in it has been checked."""
    reference = [values["reference"]] if "reference" in values else []
    catalogue, names = with_files(registry, registry.construct, (*simulators, *reference), folders)
    named = {"simulators": names[: len(simulators)], **({"reference": names[-1]} if reference else {})}
    task = definition(values["task"]).info.name if is_file(values["task"]) else values["task"]
    config = RunConfig(**{**values, **named, "task": task})
    check_names(config, catalogue)
    return config, catalogue


def engine_of(settings: EngineSettings, models: bool = False) -> Engine:
    """Return the engine that carries out trials as the settings say; InputError if a package for it is missing.

    With ``models`` its worker processes begin to import what models need.
    """
    if settings.name == "local":
        count = workers_of(settings)
        if models and count > 1:
            prepare_workers(WITH_MODELS, settings.threads)
        return LocalEngine(settings.threads, count)
    from benchmark.engines.ray import RayEngine

    launcher = None
    if settings.deepspeed is not None:
        from baselines.distributed import read
        from baselines.distributed.engine import RayWorkers
        from baselines.distributed.launch import require_installed

        chosen = read(settings.deepspeed)
        require_installed()
        launcher = RayWorkers(chosen, settings.processes, settings.threads)
    return RayEngine(settings, material_folders, launcher)


def workers_of(settings: EngineSettings) -> int:
    """Return how many trials the engine ``local`` runs at a time: as asked, else $GAZEBENCH_WORKERS, else by cores."""
    from benchmark.engines.resources import cores

    given = os.environ.get("GAZEBENCH_WORKERS", "")
    if given and not (given.isdecimal() and int(given)):
        raise InputError(f"GAZEBENCH_WORKERS is '{given}'; it must be a whole number of at least 1.")
    return settings.workers or int(given or 0) or max(1, int(cores() / settings.cpus))


def material_folders(trial: Trial) -> dict[str, Path]:
    """Return setting -> folder on this machine of the checkpoints that a trial depends on."""
    from baselines.backbones.checkpoint import find_folder
    from baselines.distributed.settings import MODELS

    names = {key: trial.settings.get(key) for key in trial.material}
    return {key: find_folder(name) for key, name in names.items() if key in MODELS and isinstance(name, str) and name}


def score(
    frame: pd.DataFrame | str | Path,
    task: Task,
    *,
    split: str = "loo",
    data: str | None = None,
    report: Report = _log.info,
) -> Result:
    """Score predictions that were made elsewhere, next to the prior of each family.

    Args:
        frame: A row per session with the columns ``session_id`` and any of ``attention``, ``probabilities``,
            ``answer``, ``next_visit``, ``simulator``, ``seed`` and ``target``; or a ``.parquet`` or ``.jsonl`` file.
        task: What they are about.
        split: Whose test sessions; a session without a prediction gets each metric's worst value.
        data: What the results name as the data; None for the task's folder.
        report: Called with lines on what is added.

    InputError: a column is missing or unknown, or a prediction is not valid; row and session are named.
    """
    task.split(split)
    known = None if isinstance(frame, pd.DataFrame) else scored.run_of(Path(frame))
    raw = reading.read_frame(frame) if isinstance(frame, pd.DataFrame) else reading.read_file(Path(frame))
    where = "predictions" if isinstance(frame, pd.DataFrame) else Path(frame).name
    found = scored.score(raw, where, task, split, registry, data or str(task.folder), known)
    for name in found.added:
        report(f"note: {name} is added for comparison; it was fitted on the training sessions of the split.")
    for line in results.failures(found.results):
        report(line)
    return Result(found.results, found.scores, found.predictions, None, task)


def read_run(folder: str | Path) -> Result:
    """Return the result in a folder that ``run`` wrote; InputError if it holds none, or a file of it is damaged."""
    path = Path(folder)
    found = results.read(path)
    try:
        said = reading.stored(path / "predictions.parquet")
    except InputError as error:
        raise InputError(f"{path / 'predictions.parquet'} is missing or damaged ({error}); run again.") from error
    return Result(found, results.read_scores(path), said, path)


def show(session: str, of: Result | Task, *, simulators: Sequence[str] | None = None, path: bool = False) -> Drawing:
    """Return a picture of a session: the screen, where its user looked and, of a result, where simulators do.

    Args:
        session: Its id.
        of: A task, or a result with the attention of its simulators.
        simulators: Whose attention or paths; None for up to four (three with ``path``).
        path: Draw the order in which the slots were looked at instead.

    Notebooks display it; ``save("FILE.pdf")`` (or ``.png``, ``.svg``) writes it. InputError: there is no such session
    or simulator, the session has no image, or no path where one is asked for.
    """
    result = of.with_task() if isinstance(of, Result) else None
    task = of if result is None else result.task
    assert task is not None and not isinstance(task, Result)
    found, notice = task.find(session), task.notice if result is None else result.notice
    if path:
        drawn = [] if result is None else result.paths(session, simulators)
        views = drawing.path_views(found, place_of_dialog(task.name, found), drawn)
    else:
        named = [] if result is None else results.attention_of(result.said, session, simulators)
        views = drawing.views_of(found, named)
    return drawing.draw_session(found, views, notice)
