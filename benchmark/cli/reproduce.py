"""``reproduce``: the paper's tables and figures from one command."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cli import options
from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    from benchmark.reproduction.figures.base import FigureLayout
    from benchmark.reproduction.groups import Ran
    from benchmark.reproduction.section import Layout
    from tasks.task import Task

HELP_BACKBONE = (
    "backbones to use, NAME or NAME=FOLDER, such as qwen3-vl,internvl3.5=DIR (default: the pocket stand-ins of all)"
)


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("part", help="main, ablation, adserp, significance, sensitivity, perception, examples, all; order")
    add(
        "--preset",
        default="full",
        metavar="NAME",
        help="full (default), quick: 2 seeds, 2 epochs, or parity: as published code does it",
    )
    add("--backbone", metavar="A,B", help=HELP_BACKBONE)
    add("--data", metavar="DIR|sample", help="as in run; of several tasks a folder each: DIR/TASK")
    add("--out", type=Path, default=Path("runs") / "reproduce", metavar="DIR", help="where it all goes")
    add("--format", default="terminal", metavar="NAME", help="what is printed; all are written to --out")
    add("--label", action="store_true", help="also attention for the true click, as in the paper")
    add("--with-published", action="store_true", help="print the paper's values next to ours")
    add("--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE", help="as in run")
    add("--force", action="store_true", help="run finished trials again")
    options.add_plan_argument(add)
    options.add_engine_arguments(add)


def call(arguments: argparse.Namespace) -> int:
    """Run what is missing, write tables and figures in every format and print them."""
    from baselines import registry
    from baselines.backbones.checkpoint import describe
    from benchmark.output.figure_style import encode
    from benchmark.output.rendering import check_format
    from benchmark.reproduction.checkpoints import STAND_INS
    from benchmark.reproduction.figures import figure_layouts
    from benchmark.reproduction.figures.base import figure_document
    from benchmark.reproduction.groups import Choice, groups_of, run_groups, trials_of
    from benchmark.reproduction.printing import SUFFIXES, document, write_files
    from benchmark.reproduction.section import layouts
    from benchmark.reproduction.table import build
    from benchmark.runs.preflight import check_names
    from benchmark.trials.catalogue import check_settings
    from benchmark.trials.store import TrialStore

    found_layouts, found_figures = layouts(), figure_layouts()
    both: list[Layout | FigureLayout] = [*found_layouts, *found_figures]
    parts = list(dict.fromkeys(layout.part for layout in both))
    if arguments.part not in (*parts, "all"):
        raise unknown_name("part", arguments.part, [*parts, "all"])
    if arguments.preset not in ("full", "quick", "parity"):
        raise unknown_name("preset", arguments.preset, ("full", "quick", "parity"))
    check_format(arguments.format)
    known = list(dict.fromkeys(name for layout in both for name in layout.backbones))
    choice = Choice(
        backbones=_backbones(arguments.backbone, known) if arguments.backbone else dict(STAND_INS),
        quick=arguments.preset == "quick",
        preset="parity" if arguments.preset == "parity" else "",
        label=arguments.label,
        data=arguments.data,
        settings=options.settings(arguments.set),
        describe=functools.cache(describe),
    )
    whole = arguments.part == "all"  # what the paper has; our own parts are asked for by name
    chosen = [layout for layout in found_layouts if (layout.published if whole else layout.part == arguments.part)]
    figures = [layout for layout in found_figures if (layout.published if whole else layout.part == arguments.part)]
    groups = [(layout, groups_of(layout, choice)) for layout in chosen]
    figure_groups = [(layout, layout.groups(choice)) for layout in figures]
    wanted = [group for _, of_layout in (*groups, *figure_groups) for group in of_layout]
    simulators = dict.fromkeys(name for group in wanted for name in group.config.simulators)
    check_settings([registry.entry(name) for name in simulators], choice.settings or {})
    for group in wanted:
        check_names(group.config, registry)
    of_task = {group.config.task: group.config for group in wanted}

    @functools.cache
    def load_task(name: str) -> Task:
        way = of_task.get(name)  # a figure may show data that no run of this command is on
        how = (way.truth, way.viewport) if way is not None else ()
        return options.load_task(name, _data_of(name, arguments.data), *how)

    if arguments.plan is not None:
        asked = options.asked_engine(arguments, {})
        options.show_plan(arguments, asked, trials_of(wanted, load_task, registry)[1], load_task, arguments.out)
        return 0
    engine = options.make_engine(arguments, {})
    store = TrialStore(arguments.out / "trials")
    with options.LiveDisplay() as display:
        ran = run_groups(
            wanted,
            load_task,
            registry,
            store,
            engine=engine,
            force=arguments.force,
            display=display.show,
            progress=options.bar,
            report=display.say,
        )
    for layout, of_layout in groups:
        mine = ran.of(of_layout)
        table = build(layout, mine.found, mine.missing)
        if not table.rows:
            options.say(f"table {layout.name} is not written: {_why(mine)}.")
            continue
        if arguments.with_published:
            from benchmark.reproduction.published import add_published

            table = add_published(table, layout)
        shown = document(table)
        write_files(arguments.out, shown)
        options.show(shown, arguments.format)
    for figure_layout, of_layout in figure_groups:
        mine = ran.of(of_layout)
        drawn = figure_layout.build(mine.found, load_task, mine.missing)
        if not drawn:
            options.say(f"figure {figure_layout.name} is not drawn: {_why(mine)}.")
        elif mine.missing:
            options.say(f"figure {figure_layout.name} is not whole: {_why(mine)}.")
        for figure in drawn:
            shown = figure_document(figure)
            write_files(arguments.out, shown, encode(figure))
            options.show(shown, arguments.format)
    options.say(
        f"written to {arguments.out}: tables and figures as {', '.join(SUFFIXES.values())}, figures as svg and png too"
    )
    return options.status(ran.failed)


def _why(ran: Ran) -> str:
    from benchmark.published import SIMULATORS
    from benchmark.reproduction.provenance import missing_in_words

    if ran.missing:
        return f"missing is {missing_in_words(ran.missing, SIMULATORS)}"
    return "nothing of it has been run"


def _data_of(task: str, data: str | None) -> str | Path | None:
    """Return the data of a task: the folder of its name within ``data`` where there is one, else ``data`` itself."""
    from tasks import registry

    within = Path(data or "") / task
    if not data or within.is_dir():
        return within if data else data
    others = [name for name in registry.names() if (Path(data) / name).is_dir()]
    if others:
        raise InputError(
            f"--data {data} holds {', '.join(others)} and no folder {task}, which is needed too; prepare it there "
            f"('prepare --task {task} --raw DIR --out {within}'), or choose a part that does without."
        )
    return data


def _backbones(text: str, known: list[str]) -> dict[str, str]:
    """Return backbone of the layouts -> what to use for it."""
    from benchmark.reproduction.checkpoints import STAND_INS

    stood_for = {used: name for name, used in STAND_INS.items()}
    found: dict[str, str] = {}
    for word in options.words(text):
        name, equals, folder = word.partition("=")
        layout_name = stood_for.get(name, name)
        if layout_name not in known:
            raise unknown_name("backbone", name, [*known, *stood_for])
        if equals and not folder:
            raise InputError(f"--backbone {name}= names no folder. Give NAME or NAME=FOLDER.")
        found[layout_name] = folder or name
    return found
