"""What is known of a simulator and not in its run: from the catalogue, from its own file, and from its makers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.scores import results
from benchmark.trials import own_files
from benchmark.trials.catalogue import Catalogue, simulator_class
from benchmark.trials.extended import file_entry
from submissions import json_schema
from submissions.problems import DEFAULT
from submissions.reading import metadata_values
from tasks.errors import InputError

ABOUT_FILE = "about.yaml"
"""Fields of ``submission.yaml`` that a run does not know; the template puts one next to the simulator."""

KINDS = {
    **{"priors": "prior", "examination": "prior", "choice_model": "click-model", "geometry": "click-model"},
    **{"oracles": "oracle", "text": "language-model"},
    **{"steps": "prior", "choice": "other", "transformer": "other"},
}
"""Last part of a simulator's module -> what the format calls its kind; others are vision-language models."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a simulator in addition to its run.

    Attributes:
        sees: What it sees, in words of ``benchmark.naming.INPUTS`` or of the catalogue.
        kind: As in the format.
        parameters: Number of parameters of its backbone, None if unknown or without one.
        about: Fields of ``submission.yaml`` that win over what the run says.
        own_labels: It names the slots by labels of its own, not by those on the screen.
    """

    summary: str = ""
    sees: tuple[str, ...] = ()
    kind: str = "other"
    parameters: float | None = None
    about: Mapping[str, Any] | None = None
    own_labels: bool = False


def facts_of(
    run: Path, simulator: str, about: Path | None, catalogue: Catalogue, parameters: Callable[[str], float | None]
) -> Facts:
    """Return what the catalogue, the simulator's own file and its makers say.

    ``about`` is a file with fields of ``submission.yaml``, by default the one next to a simulator of one's own;
    ``parameters`` returns how many parameters a backbone has, None if that is not known. InputError if there is no such
    run, or a file is damaged.
    """
    row = next((row for row in results.read(run).simulators if row.name == simulator), None)
    factory = own_files.factory_in(run, simulator)
    nearby = own_files.path_of(factory).parent / ABOUT_FILE if factory else None
    if about is None and nearby is not None and nearby.is_file():
        about = nearby
    said = read_about(about) if about is not None else {}
    if factory:
        own = file_entry(factory)
        return Facts(own.summary, own.sees, "other", None, said, hasattr(simulator_class(factory), "labels"))
    if simulator not in catalogue.names():
        return Facts(sees=row.sees if row is not None else (), about=said)
    entry = catalogue.entry(simulator)
    module = entry.factory.partition(":")[0].rsplit(".", 1)[-1]
    kind = "oracle" if entry.oracle else KINDS.get(module, "vision-language-model")
    backbone = str(row.settings.get("backbone") or "") if row is not None else ""
    own_labels = hasattr(simulator_class(entry.factory), "labels")
    return Facts(entry.summary, entry.sees, kind, parameters(backbone) if backbone else None, said, own_labels)


def read_about(path: Path) -> dict[str, Any]:
    """Read a file with some fields of ``submission.yaml``.

    InputError if it is missing, not a plain YAML mapping, or a field is not of the format.
    """
    try:
        values = metadata_values(path, DEFAULT)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} must hold fields of submission.yaml, such as 'authors: [Ada Example]'.")
    rules = json_schema.schema()
    optional = {**rules["properties"], "simulator": {**rules["properties"]["simulator"], "required": []}}
    for where, what, remedy in json_schema.faults(values, {**rules, "required": [], "properties": optional}):
        raise InputError(f"{path}: '{where}' {what}. {remedy}")
    return values
