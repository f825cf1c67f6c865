"""What a pocket stand-in can do, measured on films, screens and people that its training did not see.

    python tests/performance/pockets_on_simulations.py FOLDER

prints the table of its card. How it does on the tasks, and how far prompts steer it, is what a run of the benchmark
measures.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[2]))

from baselines.backbones.loading import load_backbone  # noqa: E402
from baselines.pocket_training import population  # noqa: E402
from baselines.pocket_training.population import TEST_FILMS, FilmStock, Integers, Pixels, Profiles  # noqa: E402
from baselines.pocket_training.sequences import OPERATOR, Seen, Sequences  # noqa: E402
from baselines.pocket_training.training import RECORD  # noqa: E402
from tasks.decoding import read_json  # noqa: E402
from tasks.types import Floats  # noqa: E402

SEED = 99
SCREENS, PER_SCREEN = 120, 5


@dataclass(frozen=True, slots=True)
class Reading:
    """Share of image tokens from which the output layer reads the right word, before any decoder layer."""

    genre: float
    letter: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Clicks and gaze of simulated users of the training population, on unseen films.

    Attributes:
        accuracy: Share of sessions in which the best letter is the click.
        best_accuracy: The same of the population's expected clicks: the most that profile and screen can show.
        logloss: Mean -log p(click), letters renormalised; ``best_logloss`` is that of the expected clicks.
        letters: Mean probability of the fifteen letters among the whole vocabulary.
        kl: Mean KL(gaze || relevance of the slots for the model's answer, by ``OPERATOR``).
        prior_kl: The same of the population's mean gaze per slot.
    """

    sessions: int
    accuracy: float
    best_accuracy: float
    logloss: float
    best_logloss: float
    letters: float
    kl: float
    prior_kl: float


@torch.no_grad()
def reading(sequences: Sequences, screens: Pixels, genres: Integers) -> Reading:
    """Read genre and letter from the image tokens of screens of shape (n, height, width, 3)."""
    seen = see(sequences, screens)
    on_screen = sequences.slot_of_token >= 0
    slot = sequences.slot_of_token[on_screen]
    logits = sequences.readout(seen.embeds[:, on_screen])
    genre = logits[..., sequences.genres].argmax(-1) == torch.from_numpy(genres)[:, slot]
    letter = logits[..., sequences.letters].argmax(-1) == slot
    return Reading(float(genre.float().mean()), float(letter.float().mean()))


@torch.no_grad()
def held_out(sequences: Sequences) -> tuple[HeldOut, Reading]:
    """Measure a stand-in on new screens and new people of the training population."""
    rng = np.random.default_rng((SEED, 0))
    drawn = FilmStock(TEST_FILMS).screens(SCREENS, rng)
    genres = np.repeat(drawn.genres, PER_SCREEN, axis=0)
    profiles = population.invent_profiles(len(genres), genres, 3, rng)
    expected = population.expected(genres, profiles, rng, draws=1000)
    gaze = population.gaze_shares(genres, profiles, population.invent_habits(len(genres), rng), rng)
    clicks = population.draw(population.click_chances(gaze), rng)
    seen = see(sequences, drawn.pixels)
    index = torch.arange(SCREENS).repeat_interleave(PER_SCREEN)
    answers, relevance = predict(sequences, profiles, seen, index)
    chances = np.exp(answers)
    letters = chances.sum(1)
    prior = gaze.mean(0)
    rows = np.arange(len(clicks))
    found = HeldOut(
        sessions=len(clicks),
        accuracy=float((chances.argmax(1) == clicks).mean()),
        best_accuracy=float((expected.clicks.argmax(1) == clicks).mean()),
        logloss=float(-np.log(chances / letters[:, None])[rows, clicks].mean()),
        best_logloss=float(-np.log(expected.clicks)[rows, clicks].mean()),
        letters=float(letters.mean()),
        kl=_divergence(gaze, relevance),
        prior_kl=_divergence(gaze, np.broadcast_to(prior, gaze.shape)),
    )
    return found, reading(sequences, drawn.pixels, drawn.genres)


def table(folder: Path) -> str:
    """Measure the stand-in in ``folder`` and return the scores as a Markdown table.

    InputError if the folder is not that of a stand-in.
    """
    read_json(dict[str, Any], folder / RECORD, "give the folder of a pocket stand-in")
    scores, words = held_out(Sequences(load_backbone(folder, device="cpu", dtype="float32", features=None)))
    rows = {
        "measured": "stand-in",
        "---": "---:",
        "genre read from image tokens": f"{words.genre:.1%}",
        "letter read from image tokens": f"{words.letter:.1%}",
        f"held-out sample, n = {scores.sessions}: accuracy (chance 0.067)": f"{scores.accuracy:.3f}",
        "... of the population's expected clicks": f"{scores.best_accuracy:.3f}",
        "... LogLoss (uniform 2.708)": f"{scores.logloss:.3f}",
        "... LogLoss of the population's expected clicks": f"{scores.best_logloss:.3f}",
        "... probability of the 15 letters in the vocabulary": f"{scores.letters:.4f}",
        f"... KL of gaze from relevance, {OPERATOR}": f"{scores.kl:.3f}",
        "... KL of gaze from the mean gaze per slot": f"{scores.prior_kl:.3f}",
    }
    return "\n".join(f"| {what} | {value} |" for what, value in rows.items())


def see(sequences: Sequences, screens: Pixels, batch: int = 40) -> Seen:
    """Run the vision tower on many screens without gradients."""
    with torch.no_grad():
        return Seen.join([sequences.see(screens[start : start + batch]) for start in range(0, len(screens), batch)])


def predict(
    sequences: Sequences, profiles: Profiles, seen: Seen, screen: Tensor, batch: int = 50
) -> tuple[Floats, Floats]:
    """Return log probabilities of the letters among the vocabulary and the slots' relevance, each (n, 15)."""
    texts = profiles.texts()
    answers, relevance = [], []
    for start in range(0, len(texts), batch):
        rows = seen.take(screen[start : start + batch])
        with torch.no_grad():
            logs, shares = sequences.relevance(sequences.batch(texts[start : start + batch], rows))
        answers.append(logs[:, sequences.letters].double().numpy())
        relevance.append(shares.double().numpy())
    return np.concatenate(answers), np.concatenate(relevance)


def _divergence(gaze: Floats, attention: Floats) -> float:
    """Return the mean over rows of KL(gaze || attention), PROTOCOL section 5."""
    eps = 1e-8
    return float((gaze * np.log((gaze + eps) / (attention + eps))).sum(1).mean())


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
