"""What a pocket stand-in can do, measured on simulated screens and people that its training did not see.

    python tests/performance/pockets_on_simulations.py FOLDER

prints the table of its card, a column per kind of screen. How it does on the tasks, and how far prompts steer it, is
what a run of the benchmark measures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from baselines.backbones.loading import load_backbone  # noqa: E402
from baselines.pocket_training import population  # noqa: E402
from baselines.pocket_training.curriculum import Pool  # noqa: E402
from baselines.pocket_training.population import CROWDS  # noqa: E402
from baselines.pocket_training.screens import LABELS, TEST_FILMS, draw, want  # noqa: E402
from baselines.pocket_training.sequences import OPERATORS, Sequences  # noqa: E402
from tasks.types import Floats  # noqa: E402
from tests.performance.printing import script  # noqa: E402

SEED, _LOGLOSS = 99, "LogLoss"
SCREENS, PER_SCREEN = 100, 4
READ = (*OPERATORS, "glimpse")
"""The operators that are measured; the last one was not shaped."""


def held_out(sequences: Sequences, kind: str, screens: int = SCREENS) -> dict[str, float]:
    """Measure a stand-in on new screens of a kind and new people of the training population, a row per measure."""
    rng = np.random.default_rng((SEED, list(LABELS).index(kind)))
    pool = Pool(kind, draw(kind, screens, rng, sequences.fit, TEST_FILMS), sequences)
    pool.look()
    found = reading(sequences, pool)
    crowd, rows = CROWDS[kind], []
    while sum(len(row[_LOGLOSS]) for row in rows) < screens * PER_SCREEN:
        rows.append(_sessions(sequences, pool, crowd, rng))
    for name in rows[0]:
        found[name] = float(np.concatenate([row[name] for row in rows]).mean())
    return found


@torch.no_grad()
def reading(sequences: Sequences, pool: Pool) -> dict[str, float]:
    """Share of image tokens from which the output layer reads the right thing, before any decoder layer."""
    assert pool.seen is not None
    kind, owner = pool.kind, pool.owner
    logits = sequences.readout(pool.seen.embeds)
    inside = (owner >= 0) & (owner < pool.screens.words.shape[1])
    shown = torch.from_numpy(pool.screens.words).gather(1, owner.clamp(0, pool.screens.words.shape[1] - 1))
    found = {}
    for name, ids, right in (
        ("mark read from image tokens", sequences.answers[kind], owner),
        ("genre, kind or name read from image tokens", sequences.words[kind], shown),
    ):
        said = logits[..., torch.cat([ids, sequences.nothing])].argmax(-1)
        found[name] = float((said == right)[inside].float().mean())
    return found


def _sessions(sequences: Sequences, pool: Pool, crowd: population.Crowd, rng: np.random.Generator) -> dict[str, Floats]:
    """Return the scores of a batch of sessions, each of shape (n,)."""
    index = pool.draw(50, rng)
    shown = pool.screens.take(index)
    there, rows = shown.there, np.arange(len(index))
    wanted = want(pool.kind, shown, rng)
    best = population.expected(crowd, wanted.features, there, rng, draws=500).clicks
    people = population.people(crowd, len(index), rng)
    gaze = population.gaze_shares(crowd, wanted.features, there, people, rng.normal(size=there.shape))
    clicks = population.draw(population.click_chances(crowd, wanted.features, there, gaze), rng)
    labels = sequences.answers[pool.kind][: there.shape[1]]
    target = torch.where(torch.from_numpy(there), labels, labels[0])
    assert pool.seen is not None
    batch = sequences.batch(pool.kind, wanted.texts, pool.screens.pixels, pool.seen.take(torch.from_numpy(index)))
    onto = pool.onto[torch.from_numpy(index)][..., : there.shape[1]]
    found: dict[str, Floats] = {}
    with torch.no_grad():
        for operator in READ:
            logs, shares = sequences.relevance(batch, onto, operator, target)
            found[f"KL of gaze from relevance, {operator}"] = _divergence(gaze, shares.double().numpy())
    chances = np.where(there, logs[:, labels].double().exp().numpy(), 0.0)
    mass = chances.sum(1)
    count = there.sum(1)
    return {
        "accuracy": (chances.argmax(1) == clicks).astype(float),
        "... of the population's expected clicks": (best.argmax(1) == clicks).astype(float),
        "... of chance": 1.0 / count,
        _LOGLOSS: -np.log(chances[rows, clicks] / mass),
        "LogLoss of the population's expected clicks": -np.log(best[rows, clicks]),
        "LogLoss of uniform": np.log(count),
        "probability of the answers in the vocabulary": mass,
        **found,
        "KL of gaze from uniform": _divergence(gaze, there / count[:, None]),
    }


def table(folder: Path) -> str:
    """Measure the stand-in in ``folder`` and return the scores as a Markdown table, a column per kind of screen."""
    sequences = Sequences(load_backbone(folder, device="cpu", dtype="float32", features=None))
    found = {kind: held_out(sequences, kind) for kind in LABELS}
    names = next(iter(found.values()))
    rows = [f"| {name} | {' | '.join(f'{one[name]:.3f}' for one in found.values())} |" for name in names]
    return "\n".join([f"| measured | {' | '.join(found)} |", "| --- |" + " ---: |" * len(found), *rows])


def _divergence(gaze: Floats, attention: Floats) -> Floats:
    """Return KL(gaze || attention) of each row, shape (n,), PROTOCOL section 5."""
    eps = 1e-8
    found: Floats = (gaze * np.log((gaze + eps) / (attention + eps))).sum(1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a stand-in's checkpoint folder")
    torch.set_num_threads(1)
    print(table(parser.parse_args().folder))


if __name__ == "__main__":
    script(main)
