"""What a simulator may say about a session, one file per part.

``Prediction`` has a field for each. Whatever stores, reads, checks, packs, digests or compares predictions loops over
``PARTS`` and names none of them.
"""

from benchmark.parts import answer, attention, next_visit, probabilities
from benchmark.parts.part import Part
from tasks.errors import unknown_name

PARTS: tuple[Part, ...] = (attention.PART, probabilities.PART, answer.PART, next_visit.PART)
"""Every part, in the order of columns; a new one comes last."""


def part(name: str) -> Part:
    """Return a part by its name; InputError if there is none of that name; the nearest is suggested."""
    for found in PARTS:
        if found.name == name:
            return found
    raise unknown_name("part", name, part_names())


def part_names() -> tuple[str, ...]:
    """Return the names of all parts in the order of columns."""
    return tuple(found.name for found in PARTS)
