"""What is differentiated: the logit of the answer at src (PROTOCOL section 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from tasks.errors import InputError

Answer: TypeAlias = "int | Sequence[int]"


@dataclass(frozen=True, slots=True)
class PerSequence:
    """One target, or one list of candidates, for every sequence of the batch."""

    items: Sequence[Any]


Candidates: TypeAlias = "Sequence[Answer] | PerSequence | None"
Target: TypeAlias = "str | int | Sequence[int] | PerSequence | Callable[[Tensor], Tensor]"


def answer_logit(logits: Tensor, target: Target = "free", candidates: Candidates = None) -> Tensor:
    """Return y, the logit of the answer token, summed over answer tokens if there are several.

    Args:
        logits: Logits at src, shape (B, V).
        target: ``free``: the model's own best answer; a token id; a list of ids whose logits are summed;
            ``PerSequence`` of ids or lists, one per sequence; or a function from logits (B, V) to y (B,).
        candidates: For ``free``: token ids, or lists of ids, among which the best is picked (all tokens if None);
            ``PerSequence`` if every sequence has its own. A candidate of several ids is ranked by its mean logit, so
            that longer ones are not preferred.

    Returns:
        y of shape (B,), differentiable in ``logits``.

    Raises:
        InputError: An id outside the vocabulary, an empty list, or a wrong number of per-sequence entries.
    """
    batch, vocabulary = logits.shape
    if callable(target):
        chosen = target(logits)
        if chosen.shape != (batch,):
            raise InputError(f"the target function returned shape {tuple(chosen.shape)}, expected ({batch},).")
        return chosen
    if isinstance(target, str):
        if target != "free":
            raise InputError(f"unknown target '{target}'. Give 'free', a token id, or a list of token ids.")
        answers = free_answers(logits, candidates)
    elif isinstance(target, PerSequence):
        answers = [_ids(item, vocabulary) for item in _per_sequence(target, batch, "targets")]
    else:
        answers = [_ids(target, vocabulary)] * batch
    index, weight = _padded(answers, logits)
    return (logits.gather(1, index) * weight).sum(1)


def free_answers(logits: Tensor, candidates: Candidates = None) -> list[list[int]]:
    """Return for each sequence the token ids of its best candidate; ties go to the first."""
    batch, vocabulary = logits.shape
    scores = logits.detach()
    if candidates is None:
        return [[int(best)] for best in scores.argmax(1)]
    if isinstance(candidates, PerSequence):
        pools = list(_per_sequence(candidates, batch, "lists of candidates"))
    else:
        pools = [candidates] * batch
    answers = []
    for row, pool in zip(scores, pools, strict=True):
        options = [_ids(item, vocabulary) for item in pool]
        if not options:
            raise InputError("target 'free' has no candidates to choose among. Give at least one token id.")
        index, weight = _padded(options, row)
        means = (row[index].float() * weight).sum(1) / weight.sum(1)
        answers.append(options[int(means.argmax())])
    return answers


def _ids(item: Answer, vocabulary: int) -> list[int]:
    ids = [int(item)] if isinstance(item, int) else [int(i) for i in item]
    if not ids:
        raise InputError("an answer has no token ids.")
    for token in ids:
        if not 0 <= token < vocabulary:
            raise InputError(f"answer token id {token} is outside the model's vocabulary of {vocabulary}.")
    return ids


def _per_sequence(wrapped: PerSequence, batch: int, what: str) -> Sequence[Any]:
    if len(wrapped.items) != batch:
        raise InputError(f"{len(wrapped.items)} {what} were given for a batch of {batch} sequences.")
    return wrapped.items


def _padded(lists: list[list[int]], like: Tensor) -> tuple[Tensor, Tensor]:
    """Return ids and 0/1 weights of shape (n, longest)."""
    width = max(map(len, lists))
    index = torch.tensor([ids + [0] * (width - len(ids)) for ids in lists], device=like.device)
    weight = torch.tensor([[1.0] * len(ids) + [0.0] * (width - len(ids)) for ids in lists], device=like.device)
    return index, weight.to(like.dtype if like.dtype == torch.float64 else torch.float32)
