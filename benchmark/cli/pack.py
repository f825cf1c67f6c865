"""``pack``: a simulator of a finished run as a submission folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from submissions.packing import Facts

KINDS = {
    "baselines.simulators.priors": "prior",
    "baselines.simulators.click_model": "click-model",
    "baselines.simulators.oracles": "oracle",
    "baselines.simulators.text": "language-model",
    "baselines.simulators": "vision-language-model",
    "baselines.simulators.chat": "vision-language-model",
}
"""Module of a simulator -> what the submission format calls its kind; the longest match counts."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--simulator", required=True, metavar="NAME", help="which simulator of the run")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the submission folder to write")
    parser.add_argument(
        "--about",
        type=Path,
        metavar="FILE",
        help="fields of submission.yaml that the run does not know, such as authors and contact"
        " (default: about.yaml beside a simulator of your own)",
    )
    parser.add_argument("--label", action="store_true", help="the attention computed for the true click, never ranked")


def call(arguments: argparse.Namespace) -> int:
    """Pack and say what to do next."""
    import sys

    from benchmark.cli import options
    from submissions.packing import pack

    facts = _facts(arguments.run, arguments.simulator, arguments.about)
    pack(arguments.run, arguments.simulator, arguments.out, facts, label=arguments.label)
    sys.stdout.write(f"{arguments.out}\n")
    options.say(f"fill in what is left in {arguments.out / 'submission.yaml'}, then: doctor {arguments.out}")
    return 0


def _facts(run: Path, simulator: str, about: Path | None) -> Facts:
    """Return what the catalogue, the simulator's own file and its maker say."""
    from baselines import registry
    from benchmark.scores import results
    from benchmark.trials import own_files
    from benchmark.trials.catalogue import simulator_class
    from benchmark.trials.extended import FileEntry
    from submissions.packing import ABOUT_FILE, Facts, read_about

    found = results.read(run)
    row = next((row for row in found.simulators if row.name == simulator), None)
    factory = own_files.factory_in(run, simulator)
    beside = own_files.path_of(factory).parent / ABOUT_FILE if factory else None
    if about is None and beside is not None and beside.is_file():
        about = beside
    said: dict[str, Any] = read_about(about) if about is not None else {}
    if factory:
        entry: Any = FileEntry.of(factory)
        return Facts(entry.summary, entry.sees, "other", None, said, hasattr(simulator_class(factory), "labels"))
    if simulator not in registry.names():
        return Facts(sees=row.sees if row is not None else (), about=said)
    entry = registry.entry(simulator)
    module = entry.factory.partition(":")[0]
    kind = next((KINDS[m] for m in sorted(KINDS, key=len, reverse=True) if f"{module}.".startswith(f"{m}.")), "other")
    backbone = None if row is None else row.settings.get("backbone")
    own_labels = hasattr(simulator_class(entry.factory), "labels")
    return Facts(entry.summary, entry.sees, kind, _parameters(backbone), said, own_labels)


def _parameters(backbone: object) -> float | None:
    """Return how many parameters a backbone has, None if that cannot be told here."""
    from baselines.backbones.checkpoint import describe
    from tasks.errors import InputError

    if not isinstance(backbone, str) or not backbone:
        return None
    try:
        return float(describe(backbone).parameters)
    except InputError:
        return None
