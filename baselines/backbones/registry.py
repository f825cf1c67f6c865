"""The backbones by name, and the architectures that can be loaded; reading it needs no torch.

A new checkpoint is one ``BackboneEntry``; a new architecture is one module and one line in ``ARCHITECTURES``.
"""

from dataclasses import dataclass
from pathlib import Path

from tasks import outside
from tasks.errors import InputError, unknown_name

SHIPPED = Path(__file__).parent
"""Checkpoints that start with ``shipped:`` are below this folder."""


@dataclass(frozen=True, slots=True)
class BackboneEntry:
    """What is known of a backbone without loading it.

    Attributes:
        checkpoint: Hub name, or ``shipped:`` and a folder below this package.
    """

    name: str
    checkpoint: str
    summary: str


BACKBONES = (
    BackboneEntry(
        "pocket-qwen3vl",
        "shipped:pocket/weights/pocket-qwen3vl",
        "pocket stand-in of Qwen3-VL's classes, trained here on simulated screens",
    ),
    BackboneEntry(
        "pocket-internvl",
        "shipped:pocket/weights/pocket-internvl",
        "pocket stand-in of InternVL's classes, trained here on simulated screens",
    ),
    BackboneEntry("qwen3-vl", "Qwen/Qwen3-VL-4B-Instruct", "Qwen3-VL, 4 billion parameters"),
    BackboneEntry("internvl3.5", "OpenGVLab/InternVL3_5-4B-HF", "InternVL 3.5 on Qwen3, 4 billion parameters"),
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """How checkpoints of one ``model_type`` are read.

    Attributes:
        factory: ``module:class``.
        behaviour: Version of how it reads screens, questions and answers; see ``benchmark.trials.catalogue.Entry``.
    """

    factory: str
    behaviour: str = "1"


ARCHITECTURES = {
    "qwen3_vl": Architecture("baselines.backbones.qwen3vl:Qwen3VL"),
    "internvl": Architecture("baselines.backbones.internvl:InternVL"),
}
"""``model_type`` of a checkpoint's config.json -> how it is read."""


def names() -> list[str]:
    """Return the names of all backbones, in order."""
    return [*(known.name for known in BACKBONES), *outside.installed("backbones")]


def checkpoint_of(name_or_path: str | Path) -> str | Path:
    """Return the folder or the hub name that a registry name, a folder or a hub name refers to.

    InputError if it is not one of these.
    """
    text = str(name_or_path)
    known = next((one for one in BACKBONES if one.name == text), None)
    known = known or outside.find("backbones", text, BackboneEntry)
    if known is not None:
        shipped = known.checkpoint.startswith("shipped:")
        return SHIPPED / known.checkpoint.removeprefix("shipped:") if shipped else known.checkpoint
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise InputError(f"the checkpoint {path} is a file; give the folder that holds config.json.")
    parts = text.split("/")
    if isinstance(name_or_path, str) and len(parts) == 2 and all(parts) and not text.startswith((".", "~")):
        return text
    if isinstance(name_or_path, str) and len(parts) == 1:
        raise unknown_name("backbone", text, names())
    raise InputError(
        f"there is no checkpoint folder {text}. Give a folder, a hub name (owner/model) or one of {', '.join(names())}."
    )
