"""The same screen with its labels dealt again: every item stays where it is and gets another one's label."""

from __future__ import annotations

from dataclasses import replace

from tasks.altered.painting import cover, encoded
from tasks.altered.types import SEED, Altered, derangement, generator
from tasks.definition import LabelDrawing
from tasks.errors import InputError
from tasks.types import Stimulus


def relabelled(
    stimulus: Stimulus, digest: str, labels: LabelDrawing | None, seed: int = SEED, *, draw: bool = True
) -> Altered:
    """Return a stimulus whose slots have each other's labels, none its own.

    ``digest``, of the task's sessions and split, decides the labels, with the session's id and the seed. Without
    ``draw`` the altered stimulus has no screen.

    Raises:
        InputError: The task does not say how it draws labels.
    """
    k = len(stimulus.slots)
    label = derangement(k, generator("relabel", digest, stimulus.session_id, seed))
    slots = tuple(replace(slot, label=stimulus.slots[label[j]].label) for j, slot in enumerate(stimulus.slots))
    image = stimulus.image if draw else None
    if image is not None:
        if labels is None:
            raise InputError("the task does not say how it draws labels (TaskDefinition.labels), so none can be drawn.")
        screen = image.open()
        cover(screen, labels.areas(screen.size, stimulus.slots), stimulus.slots)
        labels.draw(screen, slots)
        image = encoded(screen)
    same = tuple(range(k))
    return Altered(replace(stimulus, slots=slots, image=image), item=same, place=same, label=label)
