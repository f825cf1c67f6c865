"""What a stand-in can do, measured on films, screens and people that its training did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from baselines.backbones.vlm import VisionLanguageModel
from baselines.pocket_training import population
from baselines.pocket_training.population import TEST_FILMS, FilmStock, Integers, Pixels, Profiles
from baselines.pocket_training.sequences import OPERATOR, Seen, Sequences
from tasks.task import Task
from tasks.types import Floats, Session

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


@dataclass(frozen=True, slots=True)
class OnTask:
    """The stand-in on a sample task, through ``load_backbone`` and the probing operator.

    Attributes:
        chance: Mean of 1 / K.
        logloss: Mean -log p(click); ``uniform`` is the mean of log K.
        kl: Mean KL(gaze || attention), by ``OPERATOR``; ``uniform_kl`` is that of uniform attention.
        missing: Sessions whose attention is missing.
    """

    sessions: int
    accuracy: float
    chance: float
    logloss: float
    uniform: float
    kl: float
    uniform_kl: float
    missing: int


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
def held_out(sequences: Sequences, screens: int = SCREENS, seed: int = SEED) -> tuple[HeldOut, Reading]:
    """Measure a stand-in on new screens and new people of the training population."""
    rng = np.random.default_rng((seed, 0))
    drawn = FilmStock(TEST_FILMS).screens(screens, rng)
    genres = np.repeat(drawn.genres, PER_SCREEN, axis=0)
    profiles = population.invent_profiles(len(genres), genres, 3, rng)
    expected = population.expected(genres, profiles, rng, draws=1000)
    gaze = population.gaze_shares(genres, profiles, population.invent_habits(len(genres), rng), rng)
    clicks = population.draw_clicks(gaze, rng)
    seen = see(sequences, drawn.pixels)
    index = torch.arange(screens).repeat_interleave(PER_SCREEN)
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
        kl=divergence(gaze, relevance),
        prior_kl=divergence(gaze, np.broadcast_to(prior, gaze.shape)),
    )
    return found, reading(sequences, drawn.pixels, drawn.genres)


def on_task(vlm: VisionLanguageModel, task: Task, sessions: Sequence[int] | None = None, batch: int = 16) -> OnTask:
    """Measure a stand-in on a task's sessions, by default all, without any tuning."""
    from baselines.probing.registry import create
    from baselines.tuning.reading import read_sessions

    chosen = task.sessions_at(range(len(task)) if sessions is None else sessions)
    hits, logs, divergences, missing = 0, 0.0, [], 0
    for start in range(0, len(chosen), batch):
        part: list[Session] = chosen[start : start + batch]
        for session, (attention, chances) in zip(part, read_sessions(vlm, part, create(OPERATOR)), strict=True):
            hits += int(chances.argmax() == session.click)
            logs -= float(np.log(chances[session.click]))
            if attention is None:
                missing += 1
            else:
                divergences.append(divergence(session.gaze[None], attention[None]))
    sizes = np.array([len(session.slots) for session in chosen])
    uniform = [divergence(s.gaze[None], np.full((1, len(s.slots)), 1 / len(s.slots))) for s in chosen]
    return OnTask(
        sessions=len(chosen),
        accuracy=hits / len(chosen),
        chance=float((1 / sizes).mean()),
        logloss=logs / len(chosen),
        uniform=float(np.log(sizes).mean()),
        kl=float(np.mean(divergences)),
        uniform_kl=float(np.mean(uniform)),
        missing=missing,
    )


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


def divergence(gaze: Floats, attention: Floats) -> float:
    """Return the mean over rows of KL(gaze || attention), PROTOCOL section 5."""
    eps = 1e-8
    return float((gaze * np.log((gaze + eps) / (attention + eps))).sum(1).mean())
