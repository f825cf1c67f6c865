"""What is differentiated, by hand."""

from __future__ import annotations

import pytest
import torch

from baselines.probing.targets import PerSequence, answer_logit, free_answers
from tasks.errors import InputError

LOGITS = torch.tensor([[1.0, 5.0, 2.0, 4.0], [3.0, 0.0, 6.0, 1.0]])


@pytest.mark.parametrize(
    ("target", "candidates", "expected"),
    [
        (2, None, [2.0, 6.0]),
        ([0, 3], None, [5.0, 4.0]),
        (PerSequence([1, [0, 2]]), None, [5.0, 9.0]),
        ("free", None, [5.0, 6.0]),
        ("free", [0, 3], [4.0, 3.0]),
        # Means 1.5, 4 and 4, 1: a candidate of two tokens is not preferred for its length.
        ("free", [[0, 2], 3], [4.0, 9.0]),
        ("free", PerSequence([[0, 2], [1, 3]]), [2.0, 1.0]),
        (lambda logits: logits[:, 0] - logits[:, 1], None, [-4.0, 3.0]),
    ],
)
def test_answer_logit(target, candidates, expected):
    assert answer_logit(LOGITS, target, candidates).tolist() == expected


def test_ties_go_to_the_first_candidate():
    assert free_answers(torch.tensor([[2.0, 2.0, 2.0]]), [2, 0, 1]) == [[2]]


def test_the_choice_itself_is_not_differentiated():
    logits = LOGITS.clone().requires_grad_()
    answer_logit(logits, "free", [[0, 2], 3]).sum().backward()
    assert logits.grad.tolist() == [[0, 0, 0, 1], [1, 0, 1, 0]]


@pytest.mark.parametrize(
    ("target", "candidates", "message"),
    [
        (4, None, "token id 4 is outside the model's vocabulary of 4"),
        ([-1], None, "token id -1"),
        ([], None, "no token ids"),
        ("fre", None, "unknown target 'fre'"),
        ("free", [], "no candidates"),
        (PerSequence([1]), None, "1 targets were given for a batch of 2"),
        ("free", PerSequence([[1], [2], [3]]), "3 lists of candidates"),
        (lambda logits: logits, None, "expected \\(2,\\)"),
    ],
)
def test_bad_targets_are_named(target, candidates, message):
    with pytest.raises(InputError, match=message):
        answer_logit(LOGITS, target, candidates)
