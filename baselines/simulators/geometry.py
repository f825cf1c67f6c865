"""A conditional logit on where a slot is, how large it is and of which kind; with texts, also on what they say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from baselines.simulators.choice_model import SlotLogit
from baselines.simulators.examination import places
from benchmark.simulator import Floats
from tasks.types import Session, Stimulus

_PRICE = re.compile(r"[$€£¥]\s?\d|\d\s?(?:€|(?:EUR|USD|GBP|kr)\b)", re.IGNORECASE)
_RATING = re.compile(r"[★⭐]|\b[1-5][.,]\d\s?(?:/\s?5|\(|stars?\b)|\brating\b", re.IGNORECASE)
_SITE = re.compile(r"\b(?:[\w-]+\.)+[a-z]{2,6}\b", re.IGNORECASE)
_PLAIN_WORDS = {"and", "buy", "for", "from", "the", "with"}


@dataclass
class Geometry(SlotLogit):
    """Attention and click probabilities from log area, log height, y, y^2, x, rank and kind.

    Everything but the kind is measured in standard deviations of the training slots, so that the penalty weighs alike
    on all. y and x are the box's middle in windows (``examination``).
    """

    reads: tuple[str, ...] = field(default=("gaze_ms", "click"), init=False, repr=False)
    _mean: Floats = field(default_factory=lambda: np.empty(0), init=False, repr=False)
    _deviation: Floats = field(default_factory=lambda: np.empty(0), init=False, repr=False)

    def prepare(self, train: Sequence[Session]) -> None:
        """Learn which kinds there are, and how the measures vary."""
        super().prepare(train)
        rows = np.concatenate([self.measures(session.stimulus()) for session in train])
        spread = rows.std(axis=0)
        self._mean, self._deviation = rows.mean(axis=0), np.where(spread > 1e-9, spread, 1.0)

    def features(self, session: Stimulus) -> Floats:
        """Return standardised measures and indicators of the kind, shape (K, F)."""
        return np.hstack([(self.measures(session) - self._mean) / self._deviation, self.kinds(session)])

    def measures(self, session: Stimulus) -> Floats:
        """Return the numbers that describe each slot, shape (K, 6)."""
        at = places(session)
        rank = np.arange(len(session.slots), dtype=np.float64)
        return np.stack([np.log(at.area), np.log(at.height), at.y, at.y**2, at.x, rank], axis=1)


@dataclass
class GeometryText(Geometry):
    """The same with what a slot says.

    These are the share of the words of the query (or the profile) that its text has, whether one of them names its
    site, as a brand does, whether it has a price, whether it has a rating, and the logarithm of its number of words.
    """

    reads: tuple[str, ...] = field(default=("gaze_ms", "click", "texts"), init=False, repr=False)

    def measures(self, session: Stimulus) -> Floats:
        """Return the numbers that describe each slot, shape (K, 11)."""
        asked = _words(re.sub(r"[\w ]+:", " ", session.profile)) - _PLAIN_WORDS
        return np.hstack([super().measures(session), [text_measures(slot.text, asked) for slot in session.slots]])


def text_measures(text: str, asked: set[str]) -> tuple[float, float, float, float, float]:
    """Return what ``GeometryText`` says of a text, given the words of the query in lower case."""
    words = re.findall(r"\w+", text)
    site = (_SITE.search(text) or [""])[0].lower()
    return (
        len(asked & _words(text)) / max(len(asked), 1),
        float(any(word in site for word in asked)),
        float(bool(_PRICE.search(text))),
        float(bool(_RATING.search(text))),
        float(np.log1p(len(words))),
    )


def _words(text: str) -> set[str]:
    """Return the words of three letters and more, in lower case."""
    return set(re.findall(r"\w{3,}", text.lower()))
