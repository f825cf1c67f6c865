"""The simulated people of the stand-ins' training, on three kinds of screens: a population of its own.

A person's score of a slot is a sum over what the slot is and has, weighted by the person's traits, plus noise. Gaze is
softmax(sharpness score). Clicks follow gaze to a power, times what pulls clicks alone, mixed with a little chance.
There are no fixations here: gaze is a share, not a count. ``CROWDS`` holds all numbers; the cards repeat them.

- Films (``carousel``): place falls by row and column; taste is for the profile's top genre and its other genres.
- Result pages (``page``): the habits that the examination prior guesses, with differences between people; nothing is
  fitted to real people.
- Snacks (``grid``): a side of the screen to which a person returns, the order of reading, and the person's ratings.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.simulators import examination
from tasks.types import Floats

Integers = NDArray[np.int64]
_DRAWS = 32  # Monte-Carlo draws per expected gaze and click, in training


@dataclass(frozen=True, slots=True)
class Crowd:
    """People on one kind of screen.

    Attributes:
        mean: Of the traits, in the order of ``architecture.TRAITS``; ``spread`` is their standard deviation.
        sharpness: Of gaze; ``noise`` is the standard deviation of a score from session to session.
        power: Clicks go with gaze to this power, times exp(``pull`` features).
        chance: Share of clicks on any slot.
    """

    mean: tuple[float, ...]
    spread: tuple[float, ...]
    sharpness: float = 1.0
    power: float = 1.0
    chance: float = 0.03
    noise: float = 0.5
    pull: tuple[float, ...] = ()


_ADS = [examination.KINDS[kind] for kind in ("native_ad", "dd_top", "dd_right")]
CROWDS: Mapping[str, Crowd] = {
    "carousel": Crowd(
        (0.55, 0.0, -0.55, 0.7, 0.35, 0.0, -0.35, -0.7, 1.0),
        (0.75, 0.6, 0.75, 0.55, 0.4, 0.3, 0.4, 0.55, 0.35),
        1.4,
        2.5,
    ),
    "page": Crowd(
        (-examination.RANK, examination.PLACE, *_ADS, examination.AREA),
        (0.25, 0.6, 0.6, 0.6, 0.6, 0.3),
        1.2,
        chance=0.1,
    ),
    "grid": Crowd((0.0, 0.0, 0.4, 0.35), (1.2, 1.2, 0.4, 0.25), pull=(0.0, 0.0, 0.0, 1.4)),
}


def people(crowd: Crowd, count: int, rng: np.random.Generator) -> Floats:
    """Return the traits of so many people, shape (count, F)."""
    found: Floats = rng.normal(crowd.mean, crowd.spread, (count, len(crowd.mean)))
    return found


def standardised(crowd: Crowd, traits: Floats) -> Floats:
    """Return deviations from the population in standard deviations, shape (n, F)."""
    found: Floats = (traits - np.array(crowd.mean)) / np.array(crowd.spread)
    return found


def gaze_shares(crowd: Crowd, features: Floats, there: NDArray[np.bool_], traits: Floats, noise: Floats) -> Floats:
    """Return a gaze per row, shape (..., K), sum 1; features (..., K, F), there (..., K), traits (..., F).

    ``noise`` is of standard deviation 1, shape (..., K).
    """
    score = np.einsum("...kf,...f->...k", features, traits) + crowd.noise * noise
    return _softmax(crowd.sharpness * score, there)


def click_chances(crowd: Crowd, features: Floats, there: NDArray[np.bool_], gaze: Floats) -> Floats:
    """Return the chance of a click per slot, shape (..., K), given gaze shares."""
    pull = features @ np.array(crowd.pull) if crowd.pull else np.zeros(gaze.shape)
    chosen = _softmax(crowd.power * np.log(gaze + 1e-12) + pull, there)
    anywhere = there / there.sum(-1, keepdims=True)
    found: Floats = (1 - crowd.chance) * chosen + crowd.chance * anywhere
    return found


def _softmax(score: Floats, there: NDArray[np.bool_]) -> Floats:
    score = np.where(there, score, -np.inf)
    weight = np.exp(score - score.max(-1, keepdims=True))
    found: Floats = weight / weight.sum(-1, keepdims=True)
    return found


def draw(chances: Floats, rng: np.random.Generator) -> Integers:
    """Return one slot per row of chances, shape (n,)."""
    limits = np.cumsum(chances, axis=1)
    drawn: Integers = (rng.random(len(chances))[:, None] * limits[:, -1:] > limits).sum(axis=1)
    return drawn


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Expected click chances and gaze shares, each of shape (n, K), 0 where there is no slot."""

    clicks: Floats
    gaze: Floats


def expected(
    crowd: Crowd,
    features: Floats,
    there: NDArray[np.bool_],
    rng: np.random.Generator,
    traits: Floats | None = None,
    draws: int = _DRAWS,
) -> Expected:
    """Average over ``draws`` sessions of each of the given people, shape (n, F), or of as many people each."""
    n, k = there.shape
    if traits is None:
        everyone = people(crowd, n * draws, rng).reshape(n, draws, -1)
    else:
        everyone = np.repeat(traits[:, None], draws, axis=1)
    features, there = features[:, None], np.repeat(there[:, None], draws, axis=1)
    gaze = gaze_shares(crowd, features, there, everyone, rng.normal(size=(n, draws, k)))
    clicks = click_chances(crowd, features, there, gaze)
    return Expected(clicks.mean(axis=1), gaze.mean(axis=1))
