"""Simulators that read the items as a list and never see the screen: text and text-position (PROTOCOL section 7).

The list is shuffled, so that its order says nothing of the screen, and its entries are labelled in list order: the
first entry has the label of slot 0 wherever its item is on the screen.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from baselines.simulators import loaded
from baselines.simulators.shares import likeliest
from benchmark.simulator import Floats, Prediction, Workspace
from tasks.errors import InputError
from tasks.storage import write_errors
from tasks.types import Session, Slot, Stimulus

_BATCH = 8
_WORDS = {
    "film": ("films on the page", "film you would pick"),
    "snack": ("snacks on the screen", "snack you would choose"),
}
"""Kind of all slots -> what they are called, and the choice among them; other slots are results."""


@dataclass(frozen=True, slots=True)
class ItemList:
    """A session as text: what the model is asked, and the slot of the entry at each place of the list.

    Entry i has the label of slot i.
    """

    text: str
    order: tuple[int, ...]


def item_list(session: Stimulus | Session, seed: int, positions: bool) -> ItemList:
    """Put a session into words: its slots' texts, its profile and, with ``positions``, row and column of every item.

    The seed and the session's id decide the order, the same with and without positions. InputError if the slots have no
    texts.
    """
    slots = session.slots
    if not any(slot.text.strip() for slot in slots):
        raise InputError(
            f"session {session.session_id}: its slots have no texts, so there is no list to give to a language model."
        )
    entropy = int.from_bytes(hashlib.sha256(session.session_id.encode()).digest()[:8], "big")
    order = tuple(int(i) for i in np.random.default_rng((seed, entropy)).permutation(len(slots)))
    tags = [f"(row {row}, column {column}) " for row, column in grid(slots)] if positions else [""] * len(slots)
    entries = [
        f"{slots[place].label}. {tags[i]}{slots[i].text.strip() or '(no title)'}" for place, i in enumerate(order)
    ]
    kinds = {slot.kind for slot in slots}
    what, verb = _WORDS.get(kinds.pop() if len(kinds) == 1 else "", ("results on the page", "result you would click"))
    label = "letter" if slots[0].label.isalpha() else "number"
    lines = [session.profile] if session.profile else []
    lines += [f"Act as this user. The {what}:", *entries, f"Answer with exactly one {label}: that of the {verb}."]
    return ItemList("\n".join(lines), order)


def grid(slots: Sequence[Slot]) -> list[tuple[int, int]]:
    """Return row and column of each slot, counted from 1 at the top left.

    Slots share a row if the middle of one is within the height of the row's first slot; columns are formed in the same
    way.
    """
    return list(zip(_bands(slots, 1), _bands(slots, 0), strict=True))


def _bands(slots: Sequence[Slot], axis: int) -> list[int]:
    """Return the 1-based band of each slot along an axis (0 across, 1 down)."""
    spans = [(slot.box[axis], slot.box[axis + 2]) for slot in slots]
    firsts: list[tuple[float, float]] = []
    found = [0] * len(slots)
    for index in sorted(range(len(slots)), key=lambda i: spans[i]):
        low, high = spans[index]
        middle = (low + high) / 2
        band = next((b for b, (start, end) in enumerate(firsts) if start <= middle <= end), None)
        if band is None:
            firsts.append((low, high))
            band = len(firsts) - 1
        found[index] = band + 1
    return found


@dataclass
class Text:
    """A language model chooses from the list of items; it gives no attention.

    The list is shuffled per session with the seed. ``recency.json`` records how much the place in the list decides.

    Attributes:
        language_model: Folder or hub name of a causal language model; empty takes the backbone without an image.
        backbone: Registry name, folder or hub name of a vision-language model.
        dtype: Number format of the model; ``auto`` is bfloat16 on a GPU and float32 on a CPU.
        positions: Give row and column of every item; fixed by the class, not a setting.
    """

    language_model: str = ""
    backbone: str = "pocket-qwen3vl"
    dtype: str = "auto"
    positions: bool = field(default=False, init=False)
    reads: tuple[str, ...] = field(default=("texts",), init=False, repr=False)
    _workspace: Workspace | None = field(default=None, init=False, repr=False)
    _model: Any = field(default=None, init=False, repr=False)
    _seed: int = field(default=0, init=False, repr=False)
    _passed: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        loaded.number_format(self.dtype)

    def attach(self, workspace: Workspace) -> None:
        """Remember where the recency bias is written."""
        self._workspace = workspace

    def material(self) -> Mapping[str, str]:
        """Return the fingerprint of the model and its number format."""
        if not self.language_model:
            return loaded.material(self.backbone, self.dtype)
        from baselines.backbones.checkpoint import find_folder, fingerprint

        found = fingerprint(find_folder(self.language_model))
        return {"language_model": found, "dtype": loaded.number_format(self.dtype)}

    def notice(self) -> str:
        """Return what the backbone asks every output to say."""
        return "" if self.language_model else loaded.notice(self.backbone)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Load the model; the training sessions are not looked at, and the seed shuffles the lists."""
        from baselines.simulators import language_model

        if self.language_model:
            self._model = language_model.causal(self.language_model, self.dtype)
        else:
            self._model = language_model.of_backbone(self.backbone, self.dtype)
        self._seed = seed
        self._passed = 0
        if self._workspace is not None and self._model.prompt("").closed:
            self._workspace.report("the chat template opens a thought; it is closed, and the model answers at once.")

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return click probabilities and answers, from the log-probabilities of the labels as answers."""
        from baselines.distributed.group import in_shares, total

        if self._model is None:
            raise RuntimeError("fit before simulate")
        report: Callable[[str], None] = (lambda line: None) if self._workspace is None else self._workspace.report
        with loaded.few_threads(self._model.model):
            found = in_shares(sessions, self._pass, _BATCH, report)
        self._passed = int(total(self._passed))
        if self._workspace is not None and sessions:
            path = self._workspace.artifacts / "recency.json"
            with write_errors(path):
                path.write_text(json.dumps(recency([row[1] for row in found]), indent=1) + "\n", encoding="utf-8")
        return [row[0] for row in found]

    def labels(self, session: Stimulus) -> tuple[str, ...]:
        """Return the label that each slot's item has in the list, shape (K,); it depends on the place in the list."""
        listed = item_list(session, self._seed, self.positions)
        labels = {slot: session.slots[place].label for place, slot in enumerate(listed.order)}
        return tuple(labels[slot] for slot in range(len(session.slots)))

    def cost(self) -> Mapping[str, float]:
        """Return the tokens of the questions, and the estimated FLOPs: two per decoder parameter and token."""
        if self._model is None:
            return {}
        size = sum(math.prod(p.shape) for p in self._model.model.get_decoder().parameters())
        return {"tokens_simulated": self._passed, "flops_estimated": 2.0 * size * self._passed}

    def _pass(self, sessions: Sequence[Stimulus]) -> list[tuple[Prediction, Floats]]:
        """Return per session the prediction, and the probabilities in list order."""
        lists = [item_list(session, self._seed, self.positions) for session in sessions]
        candidates = [self._model.answer_tokens(s, listed.text) for s, listed in zip(sessions, lists, strict=True)]
        self._passed += sum(len(self._model.ids(listed.text)) for listed in lists)
        found = []
        shares = self._model.probabilities([listed.text for listed in lists], candidates)
        for session, listed, places in zip(sessions, lists, shares, strict=True):
            probabilities = np.zeros(len(places))
            probabilities[list(listed.order)] = places
            found.append((Prediction(session.session_id, None, probabilities, likeliest(probabilities)), places))
        return found


@dataclass
class TextPosition(Text):
    """The same list with row and column of every item."""

    positions: bool = field(default=True, init=False)


def recency(shares: Sequence[Floats]) -> dict[str, object]:
    """Return how much the place in the list decides, where it should decide nothing.

    ``shares`` are the probabilities in list order, one array of shape (K,) per session; K may differ. ``first_third``
    and ``last_third`` are the mean probability of these places in units of chance, 1 without bias; ``slope`` is the
    mean of p K - 1 weighted by place from -1 (first) to 1 (last), above 0 for a recency bias; ``answered_last_third``
    is the share of sessions whose largest probability is in the last third, ``chance_last_third`` its chance.
    """
    rows = []
    for places in shares:
        k = len(places)
        third = max(1, round(k / 3))
        ends = places[:third].sum() * k / third, places[-third:].sum() * k / third
        slope = float(np.mean((places * k - 1) * np.linspace(-1, 1, k)))
        rows.append((*ends, slope, int(np.argmax(places)) >= k - third, third / k))
    names = ("first_third", "last_third", "slope", "answered_last_third", "chance_last_third")
    means = (float(np.mean(column)) for column in zip(*rows, strict=True))
    return {"sessions": len(shares), **dict(zip(names, means, strict=True))}
