"""Options that several verbs share, and how they become values."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tasks.errors import InputError

if TYPE_CHECKING:
    from benchmark.engines import Engine, EngineSettings
    from benchmark.engines.tally import Standing
    from benchmark.output.document import Document
    from benchmark.trials.trial import Trial
    from tasks.task import Task

T = TypeVar("T")
Add = Callable[..., argparse.Action]
"""The ``add_argument`` of a parser."""


def add_task_arguments(add: Add, *, required: bool = True) -> None:
    """Add ``--task``, ``--data`` and ``--split``."""
    add("--task", required=required, help="task name (list tasks)")
    add(
        "--data",
        metavar="DIR|sample",
        help="prepared or raw data folder, or 'sample': the built-in simulated sample"
        " (default: $GAZEBENCH_DATA/TASK if it exists, else the sample)",
    )
    add("--split", help="loo, kfold, unseen-screen, screen-kfold or user-kfold (default: loo)")


def add_folders_argument(add: Add) -> None:
    """Add ``--data TASK=DIR``, which may be given several times."""
    add(
        "--data",
        action="append",
        default=[],
        metavar="TASK=DIR|sample",
        help="prepared or raw data of a task (default: $GAZEBENCH_DATA/TASK if it exists, else the sample)",
    )


def add_board_argument(add: Add) -> None:
    """Add ``--board``."""
    add("--board", type=Path, default=Path("board"), metavar="DIR", help="the board (default: board)")


def add_truth_argument(add: Add) -> None:
    """Add ``--truth`` and ``--viewport``."""
    add(
        "--truth",
        type=int,
        metavar="N",
        help="version of the ground truth, for a raw folder or the sample (adserp: 1 or 2, PROTOCOL section 3)",
    )
    add("--viewport", type=int, metavar="PX", help="height of the viewport in its place (adserp; published code: 922)")


def add_engine_arguments(add: Add, default: str = "local") -> None:
    """Add ``--engine`` and what goes with it."""
    add("--engine", metavar="NAME", help=f"local (this machine) or ray; default: {default}")
    add("--address", metavar="auto|HOST", help="Ray cluster to join (default: start Ray here)")
    add("--workers", type=int, metavar="N", help="trials at a time (default: what cores, GPUs and memory allow)")
    add("--wait", type=float, metavar="SECONDS", help="how long ray waits for machines that join later (default: 600)")
    add("--cpus", type=float, metavar="N", help="CPUs and threads of a trial (default: 1)")
    add(
        "--gpus",
        type=float,
        metavar="N",
        help="GPUs of a trial with a model, such as 0.5 (default: as finished trials of its kind needed, else 1)",
    )


def add_plan_argument(add: Add) -> None:
    """Add ``--plan``."""
    add(
        "--plan",
        nargs="?",
        const=8,
        type=int,
        metavar="N",
        help="run nothing: time N sessions (default: 8) of each kind of trial here, say how long the rest would take",
    )


def add_format_argument(add: Add) -> None:
    """Add ``--format``."""
    add(
        "--format",
        default="terminal",
        metavar="NAME",
        help="terminal (default; as wide as the terminal, 100 characters or $COLUMNS where there is none), markdown, "
        "latex, csv or json",
    )


def add_families_argument(add: Add) -> None:
    """Add ``--families``."""
    add(
        "--families",
        metavar="A,B",
        help="families of metrics in the table, such as attention,click (default: all); csv and json hold every metric",
    )


def families(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the families of metrics that are asked for, none for all; InputError if one is unknown."""
    from benchmark.metrics.families import family

    found = words(arguments.families or "")
    for name in found:
        family(name)
    return found


def show_plan(
    arguments: argparse.Namespace,
    engine: EngineSettings,
    trials: Mapping[str, Sequence[Trial]],
    load: Callable[[str], Task],
    out: Path,
) -> None:
    """Print how long the missing trials of a run would take; the timings are kept as ``plan.json`` in its folder.

    ``trials`` are those of each task by its name, which ``load`` loads. InputError if the number of sessions is out of
    range, DeepSpeed is asked for, or a simulator fails.
    """
    from benchmark.api import workers_of
    from benchmark.runs import planning
    from benchmark.trials.store import TrialStore

    if arguments.plan < 1:
        raise InputError(f"--plan {arguments.plan}: the number of sessions to time must be at least 1.")
    if engine.deepspeed is not None:
        raise InputError("--plan times trials of one process; leave out --deepspeed.")
    found = planning.plan(
        trials,
        load,
        TrialStore(out / "trials"),
        out / planning.FILE,
        sessions=arguments.plan,
        threads=engine.threads,
        again=arguments.force,
        progress=bar,
    )
    show(planning.document(found, workers_of(engine) if engine.name == "local" else engine.workers or 1))
    say(f"nothing was run; written to {out}: {planning.FILE}")


def asked_engine(
    arguments: argparse.Namespace, configured: Mapping[str, object], default: str = "local"
) -> EngineSettings:
    """Return what the options ask for, over a configuration's ``engine`` section.

    InputError if a value is unknown or out of range, or DeepSpeed is asked of a verb that does not know it.
    """
    from benchmark.engines.settings import engine_settings
    from benchmark.trials.configuration import ENGINE

    names = ("address", "workers", "cpus", "gpus", "wait", "deepspeed", "workers_per_trial")
    given = {"name": arguments.engine, **{name: getattr(arguments, name, None) for name in names}}
    where = f"{arguments.config}: {ENGINE}" if getattr(arguments, "config", None) and configured else ENGINE
    values = {"name": default, **configured, **{k: v for k, v in given.items() if v is not None}}
    found = engine_settings(values, where)
    if found.deepspeed is not None and not hasattr(arguments, "deepspeed"):
        raise InputError("deepspeed is for the verb 'run' alone; leave it out of the section 'engine'.")
    return found


def make_engine(
    arguments: argparse.Namespace, configured: Mapping[str, object], default: str = "local", models: bool = False
) -> Engine:
    """Return the engine that the options ask for, over those of a configuration's ``engine`` section.

    With ``models`` its worker processes begin to import what models need. DeepSpeed on the processes of torchrun is not
    for this function: see ``run``. InputError if a value is out of range, or Ray or DeepSpeed is asked for and not
    installed.
    """
    from benchmark.api import engine_of

    return engine_of(asked_engine(arguments, configured, default), models)


class LiveDisplay:
    """How far a run has come, on standard error: a bar on a terminal, elsewhere a line every ``every`` seconds."""

    def __init__(self, every: float = 30.0) -> None:
        self.every = every
        self._bar: Any = None
        self._lines: list[Any] = []
        self._said = time.monotonic()

    def __enter__(self) -> LiveDisplay:
        return self

    def __exit__(self, *error: object) -> None:
        for bar in filter(None, (*reversed(self._lines), self._bar)):
            bar.close()

    def show(self, standing: Standing) -> None:
        """Show how far the run has come."""
        from tqdm import tqdm

        if not sys.stderr.isatty():
            if time.monotonic() - self._said >= self.every:
                self._said = time.monotonic()
                say("; ".join([str(standing), *standing.workers]))
            return
        if self._bar is None:
            shown = "{desc} |{bar}| {percentage:3.0f} % [{elapsed}]"
            self._bar = tqdm(total=standing.total, bar_format=shown, file=sys.stderr, leave=False, dynamic_ncols=True)
        self._bar.total = standing.total
        self._bar.set_description_str(str(standing), refresh=False)
        self._bar.n = standing.done + standing.failed
        self._bar.refresh()
        for place in range(max(len(standing.workers), len(self._lines))):
            if place == len(self._lines):
                self._lines.append(
                    tqdm(position=place + 1, bar_format="{desc}", file=sys.stderr, leave=False, dynamic_ncols=True)
                )
            self._lines[place].set_description_str(
                f"  {standing.workers[place]}" if place < len(standing.workers) else ""
            )

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._bar is None:
            say(line)
        else:
            self._bar.write(line, file=sys.stderr)


def load_task(name: str, data: str | Path | None, truth: int | None = None, viewport: int | None = None) -> Task:
    """Load a task, read in the ways that are named, and say on standard error what was prepared.

    In ``data`` a definition in a file may come first, ``path/to/file.py:NAME=DIR``, where only its name is known.
    """
    from benchmark import api
    from tasks import outside, registry

    place, _, folder = str(data or "").rpartition("=")
    if outside.is_file(place):
        registry.definition(place)
        data = folder
    way = {"truth": truth, "viewport": viewport}
    return api.load(name, data, **way, workers=os.cpu_count() or 1, report=say, progress=bar)


def data_folders(pairs: Sequence[str]) -> dict[str, str]:
    """Return task -> folder from ``TASK=DIR`` words; InputError for another word or an unknown task."""
    from tasks import registry

    found = {}
    for pair in pairs:
        task, equals, folder = pair.partition("=")
        if not equals or not folder:
            raise InputError(f"--data expects TASK=DIR, such as recgaze=data/recgaze, not '{pair}'.")
        found[registry.definition(task).info.name] = folder
    return found


def fitting_task(data: Mapping[str, str]) -> Callable[[str, Mapping[str, str]], Task]:
    """Return what loads the data of a task, given its name and split -> digest of what was made from it.

    It loads the folder that ``data`` names, else the configured data, else the sample: the first that has the digests.
    """
    from tasks.registry import SAMPLE

    def load(name: str, wanted: Mapping[str, str]) -> Task:
        task = load_task(name, data.get(name))
        if name in data or wanted.items() <= task.digests.items():
            return task
        sample = load_task(name, SAMPLE)
        return sample if wanted.items() <= sample.digests.items() else task

    return load


def say(line: str) -> None:
    """Print a line for the person at the terminal; standard output is kept for results."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def status(failed: Sequence[object]) -> int:
    """List the trials that failed and return the exit status: 1 if there are any, else 0."""
    if failed:
        say("\n".join([f"{len(failed)} trials failed:", *(f"  {trial}" for trial in failed)]))
    return 1 if failed else 0


def show(found: Document | Sequence[Document], format: str = "terminal") -> None:
    """Print documents."""
    sys.stdout.write(rendered(found, format) + "\n")


def rendered(found: Document | Sequence[Document], format: str = "terminal") -> str:
    """Return documents as text; tables fit the terminal, and where there is none, ``$COLUMNS`` or a fixed width."""
    from benchmark.output.rendering import WIDTH, render

    width = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else _columns(WIDTH)
    return render(found, format, width)


def _columns(otherwise: int) -> int:
    """Return the width that the environment asks for."""
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else otherwise


def bar(items: Iterable[T], *, total: int | None = None, desc: str = "") -> Iterable[T]:
    """Show a progress bar on standard error, if that is a terminal."""
    from tqdm import tqdm

    return tqdm(items, total=total, desc=desc, disable=not sys.stderr.isatty(), leave=False, unit="")


def settings(pairs: Iterable[str]) -> dict[str, object]:
    """Return ``key=value`` pairs as a mapping; values are YAML scalars."""
    import yaml

    found: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set expects key=value, not '{pair}'.")
        try:
            found[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {key}: '{value}' is not a value: {error}.") from error
    return found


def settings_of(config: Mapping[str, object], simulator: str) -> dict[str, object]:
    """Return the settings of a run configuration that concern one simulator or all."""
    found = config.get("settings", {})
    assert isinstance(found, dict)  # read_config has checked it
    return {key: value for key, value in found.items() if "." not in key or key.startswith(f"{simulator}.")}


def words(text: str) -> tuple[str, ...]:
    """Split ``a,b c`` into its words."""
    return tuple(text.replace(",", " ").split())


def numbers(text: str) -> tuple[int, ...]:
    """Split ``42,123`` into whole numbers; InputError for one that is not, is negative or appears twice."""
    try:
        found = tuple(int(word) for word in words(text))
    except ValueError as error:
        raise InputError(f"--seeds expects whole numbers such as 42,123, not '{text}'.") from error
    if not found or len(set(found)) != len(found) or min(found) < 0:
        raise InputError(f"--seeds expects at least one seed, none negative and none twice, not '{text}'.")
    return found
