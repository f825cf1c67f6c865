"""The objective of a tuned prompt.

    L = L_NTP + lambda L_attn + beta |z_u|^2
    L_NTP  = cross-entropy of the answer's tokens under teacher forcing
    L_attn = sum_n w_n g_n (log(g_n + e) - log(a_n + e)),  w_n = (g_n + e)^gamma / sum_m (g_m + e)^gamma

averaged over the sessions of a step. e = 1e-8 as in the metrics; inside the logarithms it is a setting.
Source: Huang et al. 2026 (arXiv 2604.09368); PROTOCOL section 7.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from baselines.tuning.settings import EPS, Signal
from tasks.types import Floats, Session


def supervision(session: Session, signal: Signal) -> Floats | None:
    """Return what a session's attention is aligned with, shape (K,), sum 1; None if there is nothing.

    ``cursor`` gives None where the cursor dwelt on no slot; ``both`` is the mean of gaze and cursor, or gaze alone
    there. InputError if gaze is asked for and all dwell times are 0.
    """
    if signal == "gaze":
        return session.gaze
    total = float(session.cursor_ms.sum())
    cursor = session.cursor_ms / total if total > 0 else None
    if signal == "cursor":
        return cursor
    if cursor is None:
        return session.gaze
    mean: Floats = (session.gaze + cursor) / 2
    return mean


def slot_weights(gaze: Tensor, gamma: float, present: Tensor) -> Tensor:
    """Return w_n, shape (B, K), rows of sum 1 over the slots that are present; gamma 0 gives 1/K."""
    weights = (gaze + EPS) ** gamma * present
    return weights / weights.sum(1, keepdim=True)


def attention_loss(attention: Tensor, gaze: Tensor, gamma: float, present: Tensor, eps: float = EPS) -> Tensor:
    """Return L_attn per session, shape (B,); 0 where the session has no gaze (a row of zeros).

    Attention a and gaze g have shape (B, K); a row of zeros where attention is missing costs the most there is.
    """
    weights = slot_weights(gaze, gamma, present)
    return (weights * gaze * ((gaze + eps).log() - (attention + eps).log())).sum(1)


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """The terms of the objective, L_NTP, L_attn and |z_u|^2, each the mean over a step's sessions, unweighted."""

    ntp: Tensor
    attention: Tensor
    penalty: Tensor

    def total(self, ntp: float, lambda_: float, beta: float) -> Tensor:
        """Return L; ``ntp`` is the weight of L_NTP, 1 in the paper and 0 where it is left out."""
        loss = beta * self.penalty + lambda_ * self.attention
        return loss + ntp * self.ntp if ntp else loss


def warmed_up(step: int, warmup: int) -> float:
    """Return the share of lambda that applies in a step, counted from 1: 0 for ``warmup`` steps, then rising to 1."""
    return 1.0 if not warmup else min(1.0, max(0.0, (step - 1 - warmup) / warmup))


def padded(rows: list[Floats | None], width: int, device: torch.device) -> Tensor:
    """Return rows of differing length as one tensor of shape (B, width), zeros after them and for None."""
    found = np.zeros((len(rows), width))
    for index, row in enumerate(rows):
        if row is not None:
            found[index, : len(row)] = row
    return torch.from_numpy(found).to(device=device, dtype=torch.float32)
