from __future__ import annotations

import contextlib
import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.simulators.chat import answers
from baselines.simulators.chat.answers import Reading, read
from baselines.simulators.chat.answers import shares as stated
from baselines.simulators.chat.token_probabilities import probabilities
from tasks.types import Slot
from tests.baselines.simulators.chat.phrasings import UNDECIDED, table
from tests.baselines.simulators.chat.stub import says

BOX = (0.0, 0.0, 1.0, 1.0)
LETTERS = [Slot(label, "film", f"Film number {i} (1999) | Drama", BOX) for i, label in enumerate("ABCDEFGHIJKLMNO")]
NUMBERS = [Slot(str(n), "organic_result", f"Title of {n}", BOX) for n in range(1, 26)]
CASES = Path(__file__).parents[5] / "shared" / "cases" / "chat.json"


def slot_of(text, slots=LETTERS):
    found = read(text, slots)
    return None if found is None else found.slot


def others(slots, index):
    return slots[(index + 4) % len(slots)].label


@pytest.mark.parametrize("slots", [LETTERS, NUMBERS], ids=["letters", "numbers"])
def test_every_label_is_read_right_in_every_phrasing(slots):
    wrong = [(phrasing, cells) for phrasing, cells in table(slots) if set(cells) != {"."}]
    assert wrong == []


@pytest.mark.parametrize("slots", [LETTERS, NUMBERS], ids=["letters", "numbers"])
@pytest.mark.parametrize("phrasing", UNDECIDED)
def test_conflict_rejection_and_open_thought_are_no_answer(slots, phrasing):
    for index, slot in enumerate(slots):
        assert slot_of(phrasing.format(slot.label, other=others(slots, index)), slots) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i", 8),
        ("answer: c", 2),
        ('```json\n{"answer": "c"}\n```', 2),
        ("[THINK]B looks good[/THINK]C", 2),
        ("<|channel|>analysis<|message|>I pick B<|end|><|start|>assistant<|channel|>final<|message|>C", 2),
        ("◁think▷B?◁/think▷ C", 2),
        ("Film number 4", 4),
        ("（Ｅ）", 4),
        ("Answer: Ｅ", 4),
        ("Ⓔ", 4),
        ("", None),
        ("None of them.", None),
        ("I cannot say.", None),
        ("A user like this would rather watch a comedy.", None),
        ("Z", None),
        ('{"answer": true}', None),
        ('{"answer": "B"} {"answer": "C"}', None),
        ("Film number 1 or Film number 2", None),  # also the beginning of 10 to 14
    ],
)
def test_letters(text, expected):
    assert slot_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Result #3.", 2),
        ("１２", 11),
        ("1. The user likes drama.\n2. So: 12", 11),
        ("7: Top 10 laptops of 2020", 6),
        ('{"answer": 7}', 6),
        ("I looked at 3 results in row 2 and click 12.", 11),
        ("The 2nd one costs $4.99; I'd click 7", 6),
        ("26", None),
        ("0", None),
        ("3.5", None),
    ],
)
def test_numbers(text, expected):
    assert slot_of(text, NUMBERS) == expected


def test_a_label_in_a_title_is_part_of_the_title():
    titles = ("Drive", "I, Robot", "A Quiet Place", "E.T. the Extra-Terrestrial", "Vitamin C", "Malcolm X", "Plan B")
    slots = [Slot(label, "film", f"{t} (2001) | Drama", BOX) for label, t in zip("ABCDEFG", titles, strict=True)]
    for index, (slot, title) in enumerate(zip(slots, titles, strict=True)):
        for text in ("{0}", "I would pick {0}.", "{0} ({1})", "{1}. {0}", "{0}, which is {1}.", '{{"answer": "{0}"}}'):
            assert slot_of(text.format(title, slot.label), slots) == index, (text, title)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"A": 1, "B": 3}', [0.25, 0.75]),
        ('<think>{"A": 9, "B": 1}</think>```json\n{"B": 50.0,\n "A": 50}\n```', [0.5, 0.5]),
        ('{"A": 0, "B": 7}', [0, 1]),
        ('<think>{"A": 1, "B": 3}', None),
        ('{"A": 1}', None),
        ('{"A": 1, "B": 3, "C": 0}', None),
        ('{"A": 1, "B": 3, "A": 2}', None),
        ('{"A": 1, "B": "3"}', None),
        ('{"A": 1, "B": true}', None),
        ('{"A": 1, "B": -0.5}', None),
        ('{"A": 0, "B": 0}', None),
        ('{"A": 1, "B": NaN}', None),
        ('{"A": 1, "B": 1e999}', None),
        ('{"A": 1, "B": 3} or {"A": 2, "B": 2}', None),
        ("A: 25, B: 75", None),
        ("", None),
    ],
)
def test_stated_shares_are_read_strictly(text, expected):
    try:
        found = stated(text, ["A", "B"])
    except ValueError:
        found = None
    assert (None if found is None else found.tolist()) == expected


@pytest.mark.skipif(not CASES.is_file(), reason="the collected cases are not there")
def test_collected_cases():
    cases = json.loads(CASES.read_text(encoding="utf-8"))
    labels = [slot.label for slot in LETTERS]
    for case in cases["answers"]:
        assert slot_of(case["text"]) == (labels.index(case["expected"]) if case["expected"] else None), case["text"]
    for case in cases["token_probabilities"]:
        tops = [{token: p, **dict(rest)} for token, p, rest in case["tokens"]]
        found = shares(case["content"], tops)
        assert found is not None and labels[found.argmax()] == case["expected_argmax"]


def shares(text, tops, slots=LETTERS):
    reading = read(text, slots)
    return None if reading is None else probabilities(says(text, list(tops))[1]["choices"][0], reading, slots)


def test_candidates_become_probabilities_and_the_rest_is_shared_out():
    found = shares("C", [{"C": 0.5, " A": 0.2, '"C': 0.1, "the": 0.05}])
    raw = np.full(15, 0.15 / 13)
    raw[2], raw[0] = 0.6, 0.2
    np.testing.assert_allclose(found, raw / raw.sum(), atol=1e-12)


def test_what_is_not_shown_never_gets_more_than_the_smallest_shown():
    found = shares("C", [{"C": 0.3, "A": 0.01}])
    assert found[1] == pytest.approx(found[0])


def test_the_tokens_that_wrote_the_answer_decide():
    found = shares("Film C", [{"Film": 0.9, "B": 0.1}, {" ": 1.0}, {"C": 0.75, "B": 0.25}])
    assert found[2] == pytest.approx(3 * found[1]) and found.argmax() == 2


def test_a_digit_that_begins_several_numbers_is_followed_by_the_next_token():
    found = shares("12", [{"1": 0.8, "3": 0.2}, {"2": 0.5, "<end>": 0.25, "0": 0.25}], NUMBERS[:12])
    assert found[11] == pytest.approx(0.4, abs=1e-6) and found[2] == pytest.approx(0.2, abs=1e-6)
    assert found[0] == pytest.approx(0.2, abs=1e-6) and found[9] == pytest.approx(0.2, abs=1e-6)


def test_a_digit_that_was_not_written_is_shared_out_evenly():
    found = shares("3", [{"3": 0.6, "1": 0.4}], NUMBERS[:12])
    np.testing.assert_allclose(found[[0, 9, 10, 11]], 0.1, atol=1e-9)


def test_a_title_that_begins_with_a_label_has_no_probabilities():
    slots = [Slot("D", "film", "Elf", BOX), Slot("E", "film", "Drive", BOX)]
    assert read("Drive", slots) == Reading(1)
    assert shares("Drive", [{"D": 0.9, "E": 0.1}, {"rive": 1.0}], slots) is None


TOKENS = [
    *"ABDEI",
    " E",
    " B",
    "I",
    "A",
    "a",
    " good",
    " pick",
    " is",
    " would",
    "Answer",
    ":",
    "\n",
    '"',
    "1",
    "2",
    "12",
]


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(TOKENS), st.floats(0.01, 1)), min_size=1, max_size=5, unique_by=lambda t: t[0]
        ),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_the_most_probable_slot_is_the_answer_that_was_read(stream, numbers):
    """Any stream written at temperature 0: either the probabilities agree with the answer or there are none."""
    slots = NUMBERS if numbers else LETTERS
    tops = []
    for candidates in stream:
        total = sum(p for _, p in candidates)
        tops.append({token: p / total for token, p in sorted(candidates, key=lambda t: -t[1])})
    text = "".join(next(iter(top)) for top in tops)
    found = shares(text, tops, slots)
    if found is not None:
        assert found.sum() == pytest.approx(1) and (found >= 0).all()
        assert found[read(text, slots).slot] == found.max()


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
    assert probabilities({"logprobs": logprobs}, Reading(2, 0, 1), LETTERS) is None


@pytest.mark.parametrize(
    "piece",
    [
        "{",
        '{"answer":',
        "<think>",
        "</think>",
        "< think ",
        "answer ",
        "answer" + " " * 40,
        "((",
        "\n",
        "not ",
        "1. ",
        "Film ",
    ],
)
def test_reading_100_000_characters_takes_linear_time(piece, monkeypatch):
    """Twice the text takes about twice as long; with a quadratic pattern it would be four times."""
    monkeypatch.setattr(answers, "LONGEST", 200_000)

    def spent(length):
        text = (piece * length)[:length]
        start = time.process_time()
        for read_it in (lambda: read(text, LETTERS), lambda: stated(text, ["A"])):
            with contextlib.suppress(ValueError):
                read_it()
        return time.process_time() - start

    assert min(spent(100_000) for _ in range(3)) < 3 * max(0.004, min(spent(50_000) for _ in range(3)))


def test_labels_alone_take_linear_time_and_a_long_answer_is_read_from_its_end(monkeypatch):
    steps = []
    monkeypatch.setattr(
        answers, "_before", lambda text, one: steps.append(one) or text[max(0, one.start - 80) : one.start]
    )
    for length in (2_000, 4_000):
        read(("B " * length)[:length], LETTERS)
    assert len(steps) == 4 * 3_000  # each label is looked at once for each of four cues
    assert read("B " * 50_000 + "word " * answers.LONGEST + "Answer: C", LETTERS).slot == 2
