"""Ways in which chat models write an answer; ``{}`` is the label that is meant.

``python -m tests.baselines.simulators.chat.phrasings`` prints how each of them is read with every label.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from baselines.simulators.chat.answers import read
from tasks.types import Slot

PHRASINGS = (
    "{}",
    " {}.\n",
    "**{}**",
    "({})",
    "[{}]",
    '"{}"',
    "{})",
    "Answer: {}",
    "answer: {}",
    "**Answer:** {}",
    "The answer is {}.",
    "My answer is **{}**.",
    "Final answer: {}",
    r"\boxed{{{}}}",
    '{{"answer": "{}"}}',
    '```json\n{{"answer": "{}", "reason": "a good film"}}\n```',
    "<answer>{}</answer>",
    "<think>The first one? No, I would pick another.</think>\n{}",
    "The user likes drama, so one might do.\n</think>\n\n{}",
    "I would pick {}.",
    "I'd pick {} because it is a drama.",
    "I choose {}",
    "I would click on {}.",
    "I'd go with {}.",
    "I think {} fits best",
    "{} is the best choice.",
    "{} would be my pick",
    "{} is what this user would click.",
    "{} seems best for a user like this.",
    "{} matches the profile.",
    "{} clearly fits the taste.",
    "{} it is",
    "{}, because it is a thriller.",
    "{} because a thriller is what they like",
    "Definitely {}!",
    "It would be {}.",
    "I'd say it is {}.",
    "This user would most likely choose {}.",
    "Option {}",
    "The letter is {}.",
    "A good choice is {}",
    "A user like this would choose {}",
    "After a long look I would pick the film labelled {}.",
    "Choice: {}",
    "My pick: {}",
    "{}\n\nExplanation: a film for this user.",
    "As this user, I am drawn to {}.",
    "I like a comedy, so {} is my choice",
    "Let me think. The profile says drama. I pick {}.",
    "Their click would land on {}.",
    "‘{}’",
    "answer:{}",
    "{}: a drama about a boy",
    "{} – a drama",
    "{}. A drama about a boy.",
    "{}! I love it.",
    "A: comedy\nB: drama\nC: thriller\nAnswer: {}",
    "Row 1: A, B, C, D, E. Row 2: F, G, H, I, J. Answer: {}",
    "Films A to O are shown. I pick {}.",
    "1. The user likes drama.\n2. Posters are dark.\nI pick {}.",
    r"Final Answer: The final answer is $\boxed{{\text{{{}}}}}$. I hope it is correct.",
    '{{"reason": "it is like B or C", "answer": "Film {}"}}',
    '{{"answer": {{"letter": "{}"}}}}',
    "<|channel|>analysis<|message|>B?<|end|><|start|>assistant<|channel|>final<|message|>{}",
    "<unused94>thought\nB or C<unused95>{}",
    "<think >B</think >{}",
    "<inner_monologue>B</inner_monologue>{}",
    "I, as the user, choose {}.",
    "A drama fan would pick {}.",
    "Vitamin A is good, so {}.",
    "答案是{}。",
    "我选择{}",
    "答えは{}です。",
    "정답: {}",
    "Die Antwort ist {}.",
    "La réponse est {}.",
    "La respuesta es {}.",
    "Ответ: {}",
)

AGAINST = (
    "My answer is {}. Film {other} would be my second choice.",
    "Answer: {}\n\nExplanation: option {other} is a close second",
    "I would pick {}, not {other}.",
    "{} rather than {other}.",
    "Option {other} looks nice, but I choose {}.",
    "First I thought of {other}. Final answer: {}",
    "Between {other} and {}, I pick {}.",
    "I wouldn't pick {other}. I'd go with {}.",
    "Okay, so I would choose {other}\n</think>\n\n**{}**",
    "{} is the best choice; {other} comes second.",
    "**{}** - {other} was close.",
    "{other}? No. {}.",
    "I don't like {other}. I like {}.",
    "1st: {}, 2nd: {other}",
    "{other} is a comedy, so {}.",
    "Anything but {other}: {}.",
    '{{"considered": "{other}", "answer": "{}"}}',
    "Neither {other} nor the rest: {}",
)
"""The same with another label next to it."""

UNDECIDED = (
    "{} or {other}",
    "Answer: {}. Answer: {other}.",
    "I would pick {}. I would pick {other}.",
    "<think>The user likes {other}. So I pick {}, wait",
    "Not {}.",
    "Answer: {} or {other}",
    "I'd pick {} or {other}.",
    "Anything but {}.",
    "{} would not be my choice.",
    "The film next to {}.",
    '{{"answer": "{}", "answer": "{other}"}}',
)
"""Texts that name no slot, or several."""


def table(slots: Sequence[Slot]) -> list[tuple[str, list[str]]]:
    """Return phrasing -> for each label "." if it is read right, else the label that is read, or "-" for none."""
    found = []
    for phrasing in (*PHRASINGS, *AGAINST):
        cells = []
        for index, slot in enumerate(slots):
            text = phrasing.format(*[slot.label] * 3, other=slots[(index + 4) % len(slots)].label)
            reading = read(text, slots)
            cells.append("-" if reading is None else "." if reading.slot == index else slots[reading.slot].label)
        found.append((phrasing, cells))
    return found


if __name__ == "__main__":
    for labels in ("ABCDEFGHIJKLMNO", [str(n) for n in range(1, 26)]):
        rows = table([Slot(label, "film", f"Title number {i}", (0, 0, 1, 1)) for i, label in enumerate(labels)])
        right = sum(cell == "." for _, cells in rows for cell in cells)
        sys.stdout.write(
            f"{right} of {len(rows) * len(labels)} read right ('.' right, '-' unread, else what was read instead)\n"
        )
        sys.stdout.write(" ".join(f"{label:>2}" for label in labels) + "\n")
        for phrasing, cells in rows:
            sys.stdout.write(" ".join(f"{cell:>2}" for cell in cells) + f" {phrasing!r}\n")
