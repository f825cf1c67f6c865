"""Paths that simulators drew, next to the recorded ones: read, compared, counted. Nothing here ranks."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta

from benchmark.files.printable import shown
from benchmark.files.replacing import replace_text
from benchmark.simulator import Floats
from tasks.decoding import Count, read_json

FILE = "paths.json"
"""In the artifacts of a trial: test session -> the slots of each path drawn."""
PER_SESSION = 2
LONGEST = 200
"""Visits of a path drawn, at most."""
MAX_BYTES = 8 * 1024**2
"""Of a file of paths that others wrote."""
NEXT = 10

Slots = Sequence[int]
SampledPaths = dict[str, list[list[int]]]
_Read = dict[str, list[Annotated[list[Count], Meta(min_length=1)]]]
_Slots = Annotated[list[Annotated[int, Meta(ge=0, lt=10_000)]], Meta(min_length=1, max_length=LONGEST)]
_Each = Annotated[list[_Slots], Meta(min_length=1, max_length=PER_SESSION)]
_Given = Annotated[dict[str, _Each], Meta(min_length=1)]

STEPS = 5
"""Longer steps are counted with those of this size."""


def write(paths: SampledPaths, artifacts: Path) -> None:
    """Write the paths of a trial."""
    replace_text(artifacts / FILE, text(paths))


def text(paths: SampledPaths) -> str:
    """Return paths as their file holds them: JSON of one form, sessions sorted."""
    return json.dumps(paths, sort_keys=True, separators=(",", ":")) + "\n"


def digest(paths: SampledPaths) -> str:
    """Return the SHA-256 (hexadecimal) of some paths."""
    return hashlib.sha256(text(paths).encode("ascii")).hexdigest()


def read(trials: Iterable[Path]) -> SampledPaths:
    """Return the paths that some trials kept, given their folders: session -> paths; trials without are passed over.

    InputError if a file is damaged.
    """
    found: SampledPaths = {}
    for folder in trials:
        path = folder / "artifacts" / FILE
        if path.is_file():
            for session, paths in read_json(_Read, path, "run the trial again").items():
                found.setdefault(session, []).extend(paths)
    return found


def read_given(path: Path) -> SampledPaths:
    """Return session -> paths of a file that others wrote, ``PER_SESSION`` each and ``LONGEST`` visits at most.

    InputError if the file is too large, or holds something else.
    """
    return read_json(_Given, path, limit=MAX_BYTES)


def faults(given: SampledPaths, slots: Mapping[str, int]) -> list[str]:
    """Return what cannot be right about paths, given how many slots each test session has."""
    found = []
    for name, each in given.items():
        if name not in slots:
            found.append(f"'{shown(name)}' is no test session")
        elif max(map(max, each)) >= slots[name]:
            found.append(f"a path of session '{shown(name)}' leaves its {slots[name]} slots")
        elif any(a == b for path in each for a, b in pairwise(path)):
            found.append(f"a path of session '{shown(name)}' visits a slot twice in a row")
    return found


def similarity(one: Slots, other: Slots) -> float:
    """Return 1 - Levenshtein distance / longer length: 1 for the same path, 0 for paths that share nothing."""
    row = list(range(len(other) + 1))
    for i, slot in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, there in enumerate(other, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (slot != there))
    return 1.0 - row[-1] / max(len(one), len(other), 1)


def step_shares(paths: Iterable[Slots]) -> Floats:
    """Return the shares of steps by size, -``STEPS`` .. -1, 1 .. ``STEPS`` slots, shape (2 ``STEPS``,), sum 1."""
    counts = np.zeros(2 * STEPS)
    for path in paths:
        for a, b in zip(path, path[1:], strict=False):
            size = min(abs(b - a), STEPS)
            counts[STEPS - size if b < a else STEPS + size - 1] += 1
    shares: Floats = counts / max(counts.sum(), 1.0)
    return shares


def revisits(path: Slots) -> float:
    """Return the share of visits to a slot that was visited before."""
    return 1.0 - len(set(path)) / len(path)


def mean_similarity(recorded: Mapping[str, Slots], drawn: Mapping[str, Sequence[Slots]]) -> float:
    """Return the mean over sessions of how similar their drawn paths are to the recorded one; NaN without any."""
    each = [np.mean([similarity(path, recorded[name]) for path in drawn[name]]) for name in recorded if drawn.get(name)]
    return float(np.mean(each)) if each else float("nan")


def other_people(recorded: Mapping[str, Slots], people: Mapping[str, tuple[str, str]]) -> dict[str, list[Slots]]:
    """Return session -> the paths of other users on the same screen; ``people`` is session -> (user, screen).

    Where no screen was seen by two users, these are the ``NEXT`` sessions of others that follow it, on other screens.
    """
    by_screen: dict[str, list[str]] = {}
    for name in recorded:
        by_screen.setdefault(people[name][1], []).append(name)
    found: dict[str, list[Slots]] = {
        name: [recorded[o] for o in by_screen[people[name][1]] if people[o][0] != people[name][0]] for name in recorded
    }
    if any(found.values()):
        return found
    names = list(recorded)
    for i, name in enumerate(names):
        others = [other for other in names[i + 1 :] + names[:i] if people[other][0] != people[name][0]]
        found[name] = [recorded[other] for other in others[:NEXT]]
    return found
