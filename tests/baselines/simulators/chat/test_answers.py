from __future__ import annotations

import math

import numpy as np
import pytest

from baselines.simulators.chat.answers import probabilities, slot_of
from tasks.types import Slot
from tests.baselines.simulators.chat.stub import says

BOX = (0.0, 0.0, 1.0, 1.0)
LETTERS = [Slot(label, "film", f"Film number {i} (1999) | Drama", BOX) for i, label in enumerate("ABCDEFGHIJKLMNO")]
NUMBERS = [Slot(str(n), "organic_result", f"Title of {n}", BOX) for n in range(1, 13)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C", 2),
        (" c.\n", 2),
        ("**C**", 2),
        ("(C)", 2),
        ("i", 8),
        ("Answer: C", 2),
        ("answer: c", 2),
        ("My answer is C, not B.", 2),
        ("I would pick C.", 2),
        ("I'd pick film C because A is dull.", 2),
        ("A user like this would choose D", 3),
        ("The answer is I", 8),
        ("First I thought of the answer B. Final answer: E", 4),
        ('{"answer": "C", "reason": "drama"}', 2),
        ('```json\n{"answer": "c"}\n```', 2),
        ("<think>Answer: B? Or A.</think>\nC", 2),
        ("Film number 4", 4),
        ("C it is", 2),
        ("", None),
        ("B or C", None),
        ("None of them.", None),
        ("I cannot say.", None),
        ("Z", None),
        ('{"answer": true}', None),
        ("Film number 1 or Film number 2", None),  # also the beginning of 10 to 14
    ],
)
def test_letters(text, expected):
    assert slot_of(text, LETTERS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 11),
        ("1", 0),
        ("I would click result 12 of the page", 11),
        ("Result #3.", 2),
        ('{"answer": 7}', 6),
        ("Number 2, though 1 is near", 1),
        ("3 or 4", None),
        ("13", None),
        ("0", None),
    ],
)
def test_numbers(text, expected):
    assert slot_of(text, NUMBERS) == expected


def choice(*tops):
    return says("C", list(tops))[1]["choices"][0]


def test_candidates_become_probabilities_and_the_rest_is_shared_out():
    found = probabilities(choice({"C": 0.5, " A": 0.2, "c": 0.1, "the": 0.05}), LETTERS)
    raw = np.full(15, 0.15 / 13)
    raw[2], raw[0] = 0.6, 0.2
    np.testing.assert_allclose(found, raw / raw.sum(), atol=1e-12)
    assert found.sum() == pytest.approx(1)


def test_what_is_not_shown_never_gets_more_than_the_smallest_shown():
    found = probabilities(choice({"C": 0.3, "A": 0.01}), LETTERS)
    assert found[1] == pytest.approx(found[0])


def test_the_token_that_names_the_slot_decides_not_the_words_before_it():
    found = probabilities(choice({"Film": 0.9, "B": 0.1}, {" ": 1.0}, {"C": 0.75, "B": 0.25}), LETTERS)
    assert found[2] == pytest.approx(3 * found[1]) and found.argmax() == 2


def test_a_digit_that_begins_several_numbers_is_followed_by_the_next_token():
    found = probabilities(choice({"1": 0.8, "3": 0.2}, {"2": 0.5, "<end>": 0.25, "0": 0.25}), NUMBERS)
    assert found[11] == pytest.approx(0.4, abs=1e-6) and found[2] == pytest.approx(0.2, abs=1e-6)
    assert found[0] == pytest.approx(0.2, abs=1e-6) and found[9] == pytest.approx(0.2, abs=1e-6)
    assert found[10] == pytest.approx(0, abs=1e-6)


def test_a_digit_that_was_not_written_is_shared_out_evenly():
    found = probabilities(choice({"3": 0.6, "1": 0.4}), NUMBERS)
    np.testing.assert_allclose(found[[0, 9, 10, 11]], 0.1, atol=1e-9)


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {},
        {"content": None},
        {"content": []},
        {"content": [{"token": "x", "logprob": -1.0}]},
        {"content": ["C", {"token": 3}, {"token": "C", "logprob": "high"}]},
        {"content": [{"token": "C", "logprob": math.nan, "top_logprobs": [{"token": "C", "logprob": True}]}]},
        {"content": [{"token": "C", "logprob": 5.0}]},
    ],
)
def test_log_probabilities_that_are_none_give_none(logprobs):
    assert probabilities({"logprobs": logprobs}, LETTERS) is None
