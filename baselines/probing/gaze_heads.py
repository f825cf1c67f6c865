"""Gaze heads: the attention of the few heads that look where people look (ours).

Every head is scored by the correlation between its row-src attention over slots and human gaze on training sessions;
the attention of the best n heads, averaged, is the relevance. No gradient, no training; one forward pass per session.
As published, without any gaze, heads are scored by questions that name a slot: does src look at the slot that is named?

Source: this project, after Gandikota and Bau 2026, Gaze Heads (arXiv 2606.14703); PROTOCOL section 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from baselines.probing.answer_token import answer_rows
from baselines.probing.hook import Decoder
from baselines.probing.inputs import DecoderInputs, Target
from tasks.errors import InputError
from tasks.types import Floats

Head = tuple[int, int]


def score_heads(attention: Sequence[Floats], gaze: Sequence[Floats]) -> Floats:
    """Return every head's mean Pearson correlation with human gaze over slots, in [-1, 1], shape (L, H).

    Per session, attention over its K slots has shape (L, H, K), gaze (K,), on any scale; K may differ. A head whose
    attention is the same on all slots scores 0 in that session; a session whose gaze is (K = 1 included) is left out.
    InputError if there is no usable session, shapes do not fit, or values are not finite.
    """
    if len(attention) != len(gaze):
        raise InputError(f"{len(attention)} sessions have attention but {len(gaze)} have gaze.")
    total: Floats | None = None
    used = 0
    for index, (rows, human) in enumerate(zip(attention, gaze, strict=True)):
        heads = np.asarray(rows, dtype=np.float64)
        target = np.asarray(human, dtype=np.float64)
        if heads.ndim != 3 or target.shape != heads.shape[2:] or (total is not None and heads.shape[:2] != total.shape):
            raise InputError(
                f"session {index}: attention of shape {heads.shape} does not fit gaze of shape {target.shape}."
            )
        if not (np.isfinite(heads).all() and np.isfinite(target).all()):
            raise InputError(f"session {index}: attention or gaze holds a value that is not finite.")
        total = np.zeros(heads.shape[:2]) if total is None else total
        # Compared exactly: a rounded mean leaves constant rows with deviations that are noise, not 0.
        if (target == target[:1]).all():
            continue
        constant = (heads == heads[..., :1]).all(-1)
        deviation = heads - heads.mean(-1, keepdims=True)
        wanted = target - target.mean()
        norm = np.linalg.norm(deviation, axis=-1) * np.linalg.norm(wanted)
        total += np.where(constant, 0.0, deviation @ wanted / np.where(constant | (norm == 0), 1.0, norm))
        used += 1
    if total is None or used == 0:
        raise InputError("no training session has gaze that differs between slots; heads cannot be scored.")
    return total / used


def diagonal_scores(attention: Sequence[Floats]) -> Floats:
    """Return how much every head looks at the slot that a question names, shape (L, H): 0 by chance, 1 at it alone.

    Per screen ``attention`` has shape (K, L, H, K): for the question about each slot, shares over the slots. A head
    that looks at the same slots whatever is asked scores 0. K may differ; screens with K = 1 are left out. InputError
    for no usable screen, or shapes that do not fit.
    """
    found = []
    for rows in attention:
        slots = len(rows)
        if rows.ndim != 4 or rows.shape[3] != slots:
            raise InputError(f"attention for the questions of a screen has shape {rows.shape}, not (K, L, H, K).")
        if slots > 1:
            found.append((np.einsum("klhk->lh", rows) - 1.0) / (slots - 1))
    if not found:
        raise InputError("no screen has two slots to ask about; heads cannot be scored.")
    mean: Floats = np.mean(found, axis=0)
    return mean


def select_heads(scores: Floats, n: int) -> tuple[Head, ...]:
    """Return the best ``n`` heads as (layer, head), best first, both counted from 0; ties go to the earlier one.

    InputError if n is below 1 or above the number of heads, or a score is not finite.
    """
    values = np.asarray(scores, dtype=np.float64)
    if not 1 <= n <= values.size:
        raise InputError(f"{n} gaze heads were asked for; give a number from 1 to {values.size}.")
    if not np.isfinite(values).all():
        raise InputError("a head's score is not finite.")
    best = np.argsort(-values, axis=None, kind="stable")[:n]
    return tuple((int(i) // values.shape[1], int(i) % values.shape[1]) for i in best)


def relevance(rows: Tensor, heads: Sequence[Head]) -> Tensor:
    """Return the mean row of ``heads``, shape (B, S), from rows of shape (B, L, H, S).

    InputError for no head, or one the model does not have.
    """
    _, layers, count, _ = rows.shape
    if not heads:
        raise InputError("no gaze heads were selected.")
    for layer, head in heads:
        if not (0 <= layer < layers and 0 <= head < count):
            raise InputError(f"head {(layer, head)} does not exist in a model of {layers} layers and {count} heads.")
    index = torch.tensor(list(heads), device=rows.device)
    return rows[:, index[:, 0], index[:, 1]].mean(1)


@dataclass(frozen=True, slots=True)
class GazeHeads:
    """The averaged row-src attention of chosen heads.

    Attributes:
        heads: (layer, head) pairs, as ``select_heads`` returns them.
    """

    heads: tuple[Head, ...]
    last_layers: ClassVar[int] = 0
    differentiable: ClassVar[bool] = False

    def relevance(
        self, decoder: Decoder, inputs: DecoderInputs, target: Target, create_graph: bool
    ) -> tuple[Tensor, Tensor]:
        """Return the mean row, shape (B, S), and the logits at src; the target plays no part."""
        rows, logits = answer_rows(decoder, inputs, differentiable=False, create_graph=create_graph)
        return self.of_rows(rows, logits, target, create_graph), logits

    def of_rows(self, rows: list[Tensor], logits: Tensor, target: Target, create_graph: bool) -> Tensor:
        """Return the mean row from the rows of all layers."""
        return relevance(torch.stack(rows, 1), self.heads)
