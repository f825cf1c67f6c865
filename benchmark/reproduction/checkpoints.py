"""Which checkpoint is run for a backbone of the paper, and whether it can be that backbone."""

from dataclasses import dataclass
from typing import Protocol

from tasks.errors import InputError


class Checkpoint(Protocol):
    """What is known of a checkpoint without loading it."""

    @property
    def model_type(self) -> str:
        """Its architecture, from config.json."""

    @property
    def parameters(self) -> int:
        """Number of parameters."""

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digits that change with anything that changes what the model says."""


@dataclass(frozen=True, slots=True)
class Published:
    """A backbone of the paper, and the pocket backbone in its place where nothing else is asked for."""

    stand_in: str
    model_type: str
    parameters: float


PUBLISHED = {
    "qwen3-vl": Published("pocket-qwen3vl", "qwen3_vl", 4e9),
    "internvl3.5": Published("pocket-internvl", "internvl", 4e9),
}
"""Backbone of the layouts -> what the paper used."""

STAND_INS = {name: found.stand_in for name, found in PUBLISHED.items()}
"""Backbone of the layouts -> the pocket backbone in its place."""

_NEAR = 2.0
"""A checkpoint with this many times more or fewer parameters is not the published one."""


def check_architecture(backbone: str, used: str, checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint of another architecture in a backbone's row; InputError if the architectures differ."""
    published = PUBLISHED.get(backbone)
    if published is None or checkpoint.model_type == published.model_type:
        return
    fits = [name for name, one in PUBLISHED.items() if one.model_type == checkpoint.model_type]
    rather = f", or say --backbone {fits[0]}={used}" if fits else ""
    raise InputError(
        f"{used} holds a model of type {checkpoint.model_type}, but {backbone} is of type {published.model_type}; "
        f"give such a checkpoint for {backbone}{rather}."
    )


def is_stand_in(used: str) -> bool:
    """Tell whether a name is that of a pocket backbone."""
    return used.startswith("pocket-")


def called(backbone: str, used: str) -> str:
    """Return what a backbone is called in print: a stand-in by its own name, a folder by the layout's."""
    return used if is_stand_in(used) else backbone


def size_note(backbone: str, used: str, checkpoint: Checkpoint) -> str:
    """Return what must be said of a checkpoint that is far from the published size; empty if it is near."""
    published = PUBLISHED.get(backbone)
    if published is None or 1 / _NEAR <= checkpoint.parameters / published.parameters <= _NEAR:
        return ""
    return (
        f"{used} has {in_words(checkpoint.parameters)} parameters, the published {backbone} "
        f"{in_words(published.parameters)}: it is not the published model"
    )


def described(backbone: str, used: str, checkpoint: Checkpoint | None) -> str:
    """Return which checkpoint was run, for a caption."""
    name = used if used == backbone or is_stand_in(used) else f"{backbone} = {used}"
    if checkpoint is None:
        return name
    size = f"{in_words(checkpoint.parameters)} parameters"
    return f"{name} ({checkpoint.model_type}, {size}, fingerprint {checkpoint.fingerprint[:8]})"


def in_words(count: float) -> str:
    """Return a count with two digits or three, such as ``1.8 million``."""
    for unit, size in (("billion", 1e9), ("million", 1e6), ("thousand", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count >= 100 * size else f"{count / size:.2g} {unit}"
    return str(int(count))
