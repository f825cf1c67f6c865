"""``tune``: a simulator's settings chosen by cross-validation on training sessions."""

import argparse
from pathlib import Path

from benchmark.cli import options
from tasks.errors import InputError

FILE = "chosen.yaml"


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    options.add_task_arguments(add)
    add("--simulator", required=True, metavar="NAME", help="whose settings are chosen")
    add("--space", required=True, type=Path, metavar="FILE", help="what is tried (configs/spaces)")
    options.add_engine_arguments(add, default="ray")
    add("--preset", metavar="NAME", help="whose defaults hold where nothing is given (default: quick)")
    add("--config", type=Path, metavar="FILE", help="a run configuration with settings; options win")
    add("--seeds", metavar="42,123", help="seeds of every candidate (default: 42)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting that is not searched")
    add("--backbone", metavar="NAME|DIR", help="short for --set backbone=...")
    add("--operator", metavar="NAME", help="short for --set operator=...")
    add("--out", type=Path, metavar="DIR", help="where the search is kept (default: runs/tune-TASK-SPLIT-SIMULATOR)")
    add("--force", action="store_true", help="run finished trials again")
    add("--json", action="store_true", help="print the chosen settings as JSON instead of a table")


def call(arguments: argparse.Namespace) -> int:
    """Search, write the chosen settings and print how the candidates did."""
    from dataclasses import replace

    from baselines import registry
    from benchmark.api import kind_of_backbone
    from benchmark.output.document import Document, Grid
    from benchmark.runs.preflight import check_names
    from benchmark.runs.search.space import read_space
    from benchmark.runs.search.tuning import tune, write_config
    from benchmark.trials.configuration import ENGINE, RunConfig, read_config, read_preset
    from benchmark.trials.extended import with_files
    from tasks.registry import definition

    catalogue, (arguments.simulator,) = with_files(registry, registry.construct, (arguments.simulator,))
    space = read_space(arguments.space)
    given = read_config(arguments.config) if arguments.config else {}
    how = given.pop(ENGINE, {})
    short = {"backbone": arguments.backbone, "operator": arguments.operator}
    settings = {
        **options.settings_of(given, arguments.simulator),
        **{key: value for key, value in short.items() if value is not None},
        **options.settings(arguments.set),
    }
    backbone = None if settings.get("backbone") is None else str(settings["backbone"])
    preset = read_preset(arguments.preset or "quick", backbone, arguments.task, kind_of_backbone)
    way = {key: preset[key] for key in ("ties", "truth", "viewport") if key in preset}
    config = RunConfig(
        task=definition(arguments.task).info.name,
        data=arguments.data,
        split=arguments.split or "loo",
        simulators=(arguments.simulator,),
        seeds=options.numbers(arguments.seeds) if arguments.seeds else (42,),
        settings=settings,
        defaults=preset.get("defaults", {}),
        **way,
    )
    for values in space.candidates():
        searched = {f"{arguments.simulator}.{key}": value for key, value in values.items()}
        check_names(replace(config, settings={**settings, **searched}), catalogue)
    engine = options.make_engine(arguments, how, default="ray")
    task = options.load_task(config.task, config.data, config.truth, config.viewport)
    config = replace(config, data=str(task.folder)) if way else config
    out = arguments.out or Path("runs") / f"tune-{config.task}-{config.split}-{arguments.simulator}"
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "trials").is_dir())):
        raise InputError(f"{out} exists and is not a search's folder; choose another with --out.")
    with options.LiveDisplay() as display:
        found = tune(
            config,
            space,
            task,
            catalogue,
            out,
            engine=engine,
            force=arguments.force,
            display=display.show,
            progress=options.bar,
            report=display.say,
        )
    write_config(out / FILE, config, found, space)
    score = " + ".join(space.score)
    rows = [
        {
            **candidate.values,
            score: candidate.score if candidate.scores else None,
            "folds": f"{len(candidate.scores)} of {candidate.expected}",
            "chosen": "x" if candidate is found.best else "",
        }
        for candidate in found.candidates
    ]
    shown = Document(
        f"{arguments.simulator} on {config.task}, split {config.split}: candidates by {score}",
        (Grid.of_records(rows, digits=4),),
        (found.notice,) if found.notice else (),
        data=lambda: {"notice": found.notice, **found.best.values},
    )
    options.show(shown, "json" if arguments.json else "terminal")
    options.say(f"written to {out / FILE}: python -m benchmark run --config {out / FILE}")
    return options.status(found.failed)
