"""``run``: fit and score simulators on a task."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cli import options
from tasks.errors import InputError

if TYPE_CHECKING:
    from benchmark.engines import Engine, EngineSettings
    from benchmark.trials.catalogue import Catalogue
    from benchmark.trials.configuration import RunConfig
    from tasks.task import Task


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    options.add_task_arguments(add, required=False)
    options.add_truth_argument(add)
    options.add_engine_arguments(add)
    add("--preset", metavar="NAME", help="quick, tuned (default), full or parity: see configs/presets")
    add("--config", type=Path, metavar="FILE", help="a run configuration (configs/*.yaml); options win")
    add(
        "--simulators",
        metavar="A,B",
        help="simulators to run (list simulators), or path/to/file.py:Class of your own; default: the preset's",
    )
    add("--seeds", metavar="42,123", help="seeds (default: 42,123,456,789,2024)")
    add("--reference", metavar="NAME", help="simulator that the others are compared with")
    add(
        "--metrics",
        metavar="A,B",
        help="main metrics, over which comparisons are corrected (list metrics), or path/to/file.py:NAME of your own",
    )
    add("--out", type=Path, metavar="DIR", help="where results go (default: runs/TASK-SPLIT)")
    add(
        "--set",
        action="extend",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings of simulators: key or simulator.key",
    )
    add("--backbone", metavar="NAME|DIR", help="short for --set backbone=...: what VLM simulators use")
    add("--operator", metavar="NAME", help="short for --set operator=...: how attention is probed")
    add("--label", action="store_true", help="also compute attention for the true click, unranked")
    add("--force", action="store_true", help="run finished trials again")
    add(
        "--limit",
        type=int,
        metavar="N",
        help="run N test sessions only, to try things out: marked as such, never packed",
    )
    add("--track", metavar="NAME", help="training curves for tensorboard, wandb or trackio")
    options.add_plan_argument(add)
    options.add_families_argument(add)
    add("--json", action="store_true", help="print results as JSON instead of a table")
    add(
        "--deepspeed",
        metavar="NAME|FILE",
        help="share each trial with a model among processes, those of torchrun or with --engine ray workers of its own:"
        " zero2, zero3, zero3-offload or a file (docs/memory.md)",
    )
    add(
        "--workers-per-trial",
        type=int,
        metavar="N",
        help="processes of a trial with --deepspeed and --engine ray (default: as many as --gpus says, else 2)",
    )


def call(arguments: argparse.Namespace) -> int:
    """Run, write the results and print them."""
    from benchmark.runs.preflight import check_limit
    from benchmark.trials.catalogue import setting_names
    from benchmark.trials.configuration import ENGINE, LAYOUT, read_config

    check_limit(arguments.limit)
    given = read_config(arguments.config) if arguments.config else {}
    how = given.pop(ENGINE, {})
    given.pop(LAYOUT, None)
    assert isinstance(how, dict)  # read_config has checked it
    asked = options.asked_engine(arguments, how)
    if arguments.plan is not None:
        return _plan(arguments, *_asked(arguments, given), asked)
    if asked.deepspeed is not None and asked.name == "local":
        return _on_all_processes(arguments, given, asked.deepspeed, asked.threads)
    config, catalogue = _asked(arguments, given)  # names are checked before Ray is imported
    models = any("backbone" in setting_names(catalogue.entry(name).factory) for name in config.simulators)
    return _run(arguments, config, catalogue, options.make_engine(arguments, how, models=models))


def _plan(arguments: argparse.Namespace, config: RunConfig, catalogue: Catalogue, engine: EngineSettings) -> int:
    from benchmark.trials.configuration import with_reference
    from benchmark.trials.trial import expand

    task = _task(arguments, config)
    config = with_reference(_with_words(arguments, config, catalogue, task), options.say)
    trials = {task.name: expand(config, task, catalogue)}
    options.show_plan(arguments, engine, trials, lambda name: task, _out(arguments, config))
    return 0


def _task(arguments: argparse.Namespace, config: RunConfig) -> Task:
    """Return the task, with as many test sessions as are asked for."""
    from benchmark.runs.preflight import limited

    task = options.load_task(config.task, config.data)
    return task if arguments.limit is None else limited(task, config.split, arguments.limit)


def _with_words(arguments: argparse.Namespace, config: RunConfig, catalogue: Catalogue, task: Task) -> RunConfig:
    """Return a preset's run without the simulators that need texts or ratings, where the task has none; it is said."""
    from dataclasses import replace

    from benchmark.trials.trial import lacking

    without = lacking([catalogue.entry(name) for name in config.simulators], task)
    if not without or arguments.preset is None or arguments.simulators:
        return config
    for seen, names in without.items():
        remedy = " (prepare with --texts)" if seen == "texts" else ""
        options.say(f"left out: {', '.join(names)}; the slots of {task.name} have no {seen}{remedy}.")
    left_out = {name for names in without.values() for name in names}
    return replace(config, simulators=tuple(name for name in config.simulators if name not in left_out))


def _out(arguments: argparse.Namespace, config: RunConfig) -> Path:
    limit = "" if arguments.limit is None else f"-limit-{arguments.limit}"
    out: Path = arguments.out or Path("runs") / f"{config.task}-{config.split}{limit}"
    return out


def _asked(arguments: argparse.Namespace, given_config: dict[str, object]) -> tuple[RunConfig, Catalogue]:
    """Return what to run, the options laid over the configuration and this over the preset, and where it is found."""
    from dataclasses import replace

    from benchmark.api import configured, kind_of_backbone
    from benchmark.trials.configuration import read_preset

    short = {"backbone": arguments.backbone, "operator": arguments.operator}
    settings = {
        **dict(given_config.get("settings", {})),  # type: ignore[call-overload]
        **{key: value for key, value in short.items() if value is not None},
        **options.settings(arguments.set),
    }
    given = {
        "task": arguments.task,
        "data": arguments.data,
        "split": arguments.split,
        "simulators": options.words(arguments.simulators) if arguments.simulators else None,
        "seeds": options.numbers(arguments.seeds) if arguments.seeds else None,
        "reference": arguments.reference,
        "family": options.words(arguments.metrics) if arguments.metrics else None,
        "settings": settings,
        "label": True if arguments.label else None,
        "truth": arguments.truth,
        "viewport": arguments.viewport,
    }
    backbone = None if settings.get("backbone") is None else str(settings["backbone"])
    task = str(arguments.task or given_config.get("task"))
    values = read_preset(arguments.preset or "tuned", backbone, task, kind_of_backbone)
    values.update(given_config)
    values.update({key: value for key, value in given.items() if value is not None})
    if "task" not in values:
        raise InputError("which task? Give --task NAME ('list tasks' shows them) or --config FILE.")
    folders = [Path(), *([arguments.config.parent] if arguments.config else [])]
    named: tuple[str, ...] = values["simulators"]  # read_config and argparse have checked it
    config, catalogue = configured(values, named, folders)
    if config.truth is not None or config.viewport is not None:
        # The run names the prepared folder, which holds this version, so that everything that reads the run finds it.
        found = options.load_task(config.task, config.data, config.truth, config.viewport)
        config = replace(config, data=str(found.folder))
    return config, catalogue


def _on_all_processes(
    arguments: argparse.Namespace, given_config: dict[str, object], deepspeed: str, threads: int
) -> int:
    """Run with DeepSpeed on the processes of torchrun; only the first one prints and writes."""
    from baselines.distributed import session
    from baselines.distributed.engine import GroupEngine

    config, catalogue = _asked(arguments, given_config)
    with session(deepspeed) as group, GroupEngine(group, threads) as engine:
        # The first process builds what is not in the cache yet; the others find it there.
        group.from_first(lambda: options.load_task(config.task, config.data).name)
        if group.first:
            return _run(arguments, config, catalogue, engine)
        engine.follow(_task(arguments, config))
        return 0


def _run(arguments: argparse.Namespace, config: RunConfig, catalogue: Catalogue, engine: Engine) -> int:
    """Run what is missing, print what is complete; return 1 if a trial failed."""
    from benchmark.runs.kept import costs_of_all
    from benchmark.runs.runner import TrialsFailed, run
    from benchmark.runs.tracking import require, tracker
    from benchmark.scores import table

    families = options.families(arguments)
    if arguments.track is not None:
        require(arguments.track)
    task = _task(arguments, config)
    config = _with_words(arguments, config, catalogue, task)
    out = _out(arguments, config)
    failed: tuple[object, ...] = ()
    with options.LiveDisplay() as display, tracker(arguments.track, out) as track:
        try:
            found = run(
                config,
                task,
                catalogue,
                out,
                engine=engine,
                force=arguments.force,
                display=display.show,
                progress=options.bar,
                report=display.say,
                track=track,
                show=lambda part: display.say(options.rendered(table.document(part, families))),
            )
        except TrialsFailed as error:
            failed, found = error.failed, error.results  # type: ignore[assignment]
    if found is not None and arguments.limit is not None:
        whole = options.load_task(config.task, config.data).split(config.split)
        for line in costs_of_all(out, found, sum(len(test) for _, test in whole.folds)):
            options.say(line)
    if found is not None:
        options.show(table.document(found, families), "json" if arguments.json else "terminal")
        if not arguments.json:
            options.say(f"written to {out}: results.json, predictions.parquet, scores.parquet, table.md")
    return options.status(failed)
