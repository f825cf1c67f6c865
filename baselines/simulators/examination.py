"""What the boxes alone say of where people look and click; nothing is fitted (PROTOCOL section 7).

Places are measured in windows: the part of a screen that can be seen at a time. A picture higher than ``ASPECT`` times
its width is a page, whose window is its top; people scroll through it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from baselines.simulators.choice_model import chances
from baselines.simulators.shares import likeliest
from benchmark.simulator import Floats, Prediction
from tasks.types import Session, Stimulus

ASPECT = 0.8
"""Height of a window by its width; 1023 by 1280 on AdSERP."""

SCROLLED = 1 / 8
"""A screen whose first slot begins above this part of the window was scrolled: nothing of the page's head is left.

The scroll position itself is not shown to simulators. On the 94 public AdSERP trials, which share a layout, this is
wrong in 5; it looks at neither gaze nor clicks.
"""

RANK, RANK_SCROLLED = -0.25, -0.075
PLACE, PLACE_UNSCROLLED, MIDDLE, SPREAD = 1.2, 0.48, 0.4, 0.28
KINDS = {"native_ad": -0.9, "dd_top": -0.3, "dd_right": -1.6}
AREA, SMALLEST = 0.35, 1 / 400
"""The numbers of the examination prior: guessed, round, and written down before anything was measured with them."""


class Places(NamedTuple):
    """Where a session's slots are, arrays of shape (K,) in windows: middles from the left and from the top, sizes."""

    x: Floats
    y: Floats
    width: Floats
    height: Floats
    page: bool
    scrolled: bool

    @property
    def area(self) -> Floats:
        """The share of the window that each box has."""
        return self.width * self.height


def places(session: Stimulus) -> Places:
    """Measure the boxes of a session. Without a picture, the screen ends where the last box does."""
    boxes = np.array([slot.box for slot in session.slots], dtype=np.float64)
    width, height = max(float(boxes[:, 2].max()), 1.0), max(float(boxes[:, 3].max()), 1.0)
    if session.image is not None:
        (width, height), _ = session.image.measure()
    page = round(ASPECT * width) < height
    window = np.array([width, ASPECT * width if page else height])
    low, high = boxes[:, :2] / window, boxes[:, 2:] / window
    size = np.maximum(high - low, 1 / window)  # a box is at least a pixel wide and high
    middle = (low + high) / 2
    scrolled = not page and bool(low[:, 1].min() < SCROLLED)
    return Places(middle[:, 0], middle[:, 1], size[:, 0], size[:, 1], page, scrolled)


@dataclass
class Unfitted:
    """Base: attention and click probabilities are the softmax of one score per slot."""

    reads: tuple[str, ...] = field(default=(), init=False, repr=False)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Learn nothing."""

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return the same shares as attention and as probabilities, and the likeliest slot."""
        shares = [chances(self.score(session, places(session))) for session in sessions]
        return [Prediction(s.session_id, p, p, likeliest(p)) for s, p in zip(sessions, shares, strict=True)]

    def score(self, session: Stimulus, at: Places) -> Floats:
        """Return the score of each slot, shape (K,)."""
        raise NotImplementedError


@dataclass
class CentreArea(Unfitted):
    """A slot's area times a Gaussian around the middle of the window; its standard deviation is half a window."""

    def score(self, session: Stimulus, at: Places) -> Floats:
        """Return the logarithm of each slot's weight, shape (K,)."""
        return np.log(at.area) - ((at.x - 0.5) ** 2 + (at.y - 0.5) ** 2) / (2 * 0.5**2)


@dataclass
class ExaminationPrior(Unfitted):
    """Guessed habits of reading a result page, the same for gaze and clicks.

    A slot's score falls with its rank (less on a scrolled screen, which was not read from the top), is higher near 40 %
    of the window's height (more on a scrolled screen; a page has no such place), depends on its kind, and rises with
    the logarithm of its area.
    """

    def score(self, session: Stimulus, at: Places) -> Floats:
        """Return the score of each slot, shape (K,)."""
        near = -((at.y - MIDDLE) ** 2) / (2 * SPREAD**2)
        near *= 0.0 if at.page else PLACE if at.scrolled else PLACE_UNSCROLLED
        rank = (RANK_SCROLLED if at.scrolled else RANK) * np.arange(len(session.slots))
        kind = np.array([KINDS.get(slot.kind, 0.0) for slot in session.slots])
        score: Floats = rank + near + kind + AREA * np.log(np.maximum(at.area, SMALLEST))
        return score
