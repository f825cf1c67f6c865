"""The simulated sample: a small folder in the layout ``grid`` with invented snacks and simulated people.

Ratings are half common taste, half the person's own. A person begins at the cross, looks along the rows from the top
left, skips some places, and then returns to snacks: more often to those that it likes and to the side of the screen
that it is used to. It chooses among what it has seen, by its ratings, a little by how often it looked, and by chance,
and mostly looks at the choice last. Better liked snacks are looked at longer.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tasks.snacks.layouts import TABLES
from tasks.snacks.screen import even_boxes, tile
from tasks.storage import write_errors

SEED, USERS, TRIALS, SIDES = 5, 24, 6, (3, 4)
"""``TRIALS`` of every user on each of ``SIDES`` x ``SIDES`` items."""
_TASTES, _FORMS = "Salty Honey Chili Cocoa Lemon Onion".split(), "Chips Nuts Bars Cookies Puffs Twists".split()
SNACKS = [f"{taste}-{form}" for taste in _TASTES for form in _FORMS]


def write_sample(out: Path) -> None:
    """Write the simulated folder, the same bytes for the same seed; InputError if it cannot be written."""
    rng = np.random.default_rng(SEED)
    ratings = np.clip(np.rint(rng.normal(0, 1.1, len(SNACKS)) + rng.normal(0, 1.1, (USERS, len(SNACKS)))), -3, 3)
    with write_errors(out):
        (out / "data" / "stimuli").mkdir(parents=True)
        for snack in SNACKS:
            tile(snack, (205, 133)).save(out / "data" / "stimuli" / f"{snack}.png")
        habits = rng.normal(0.0, 2.0, (USERS, 2))
        for side in SIDES:
            _write_size(out / "data", side, ratings, habits, rng)


def _write_size(data: Path, side: int, ratings: np.ndarray, habits: np.ndarray, rng: np.random.Generator) -> None:
    """Write everything about one set size; ``habits`` draw a person to the right and to the bottom."""
    k = side * side
    places = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, side)] * 2), axis=-1).reshape(k, 2)
    summary: list[Sequence[object]] = []
    for subject, liking in enumerate(ratings):
        pace, gazes = rng.uniform(180, 300), []
        for trial in range(1, TRIALS + 1):
            shown = rng.choice(len(SNACKS), k, replace=False)
            looks, choice = simulate_looks(liking[shown], places @ habits[subject], rng)
            ms = np.maximum(60, np.rint(rng.gamma(5.0, pace / 5.0, len(looks)) * (1 + 0.1 * liking[shown][looks])))
            onsets = 75 + np.cumsum(np.append(0, ms[:-1])) + 45 * np.arange(len(looks))
            pictures = [f"{SNACKS[snack]}.png" for snack in shown]
            key = (subject, k, trial, choice)
            gazes += [(*key, i, *times, pictures[i]) for i, *times in zip(looks, ms, onsets, strict=True)]
            summary.append((*key, *pictures, *liking[shown], onsets[-1] + ms[-1]))
        if subject == 1:  # one trial has no gazes
            gazes = [row for row in gazes if row[2] != TRIALS]
        _write(data / "subject_files" / f"sub-{subject}_setsize-{k}_desc-gazes.csv", TABLES["gazes"], gazes)
    header = [*TABLES["summary"][:4], *(f"{what}_{i}" for what in ("stimulus", "item_value") for i in range(k)), "rt"]
    _write(data / "summary_files" / f"setsize-{k}_desc-data.csv", header, summary)
    positions = data / "stimulus_positions" / f"setsize-{k}_desc-stimulus_positions.csv"
    _write(positions, TABLES["positions"], np.round(even_boxes(side, side), 2).tolist())


def simulate_looks(liking: np.ndarray, habit: np.ndarray, rng: np.random.Generator) -> tuple[list[int], int]:
    """Return the items in the order in which a person looks at them, never one twice in a row, and the choice.

    ``liking`` of the items and ``habit`` of looking at their places have shape (K,).
    """
    k = len(liking)
    looks = [k // 2] * (k % 2) + [item for item in range(k) if rng.random() < 1 / (1 + np.exp(-1.2 - habit[item]))]
    seen = np.unique([*looks, 0])
    pull = np.exp(0.5 * liking[seen] + habit[seen])
    looks += rng.choice(seen, rng.poisson(0.8 * k), p=pull / pull.sum()).tolist()
    often = np.array([looks.count(item) for item in seen])
    choice = int(seen[np.argmax(1.5 * liking[seen] + 0.3 * often + rng.gumbel(size=len(seen)))])
    looks += [choice] if rng.random() < 0.7 or not looks else []
    return [item for item, before in zip(looks, [-1, *looks], strict=False) if item != before], choice


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
