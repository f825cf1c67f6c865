"""The sources, tests and documents are written in plain English: words that a reader has to read twice stay out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmark", "baselines", "tasks", "leaderboard", "submissions", "configs", "tests", "docs")
SUFFIXES = (".py", ".md", ".html", ".yaml", ".json", ".js")
# A flag, two prompts to models and a key of 'doctor --json' keep their words: results and programs depend on them.
WORDS = {
    "anew": "again",
    "likewise": "also, the same",
    r"(?<!click-)beside(?! (?:the result you|it, exactly))": "next to, compared with, in addition to",
    '(?<!")(?:mend|mends|mended)': "fix, remedy",
    "at hand": "available",
    "(?:is|are) told": "is reported, the user sees",
    "owns? up": "declares",
    "goes along": "transfers, is included",
    "held against": "compared with, checked against",
    "stands (?:twice|in (?:the|a) (?:file|line|table|way))": "appears, is",
}
"""What is left out -> what to write instead."""


def texts() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SUFFIXES]
    return [*ROOT.glob("*.md"), *found]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_left_out(word):
    pattern = re.compile(rf"\b(?:{word})\b", re.IGNORECASE)
    found = []
    for path in texts():
        if path != Path(__file__):
            for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
                if pattern.search(line):
                    found.append(f"{path.relative_to(ROOT)}:{number}")
    assert not found, f"write '{WORDS[word]}' instead: {', '.join(found[:10])} ({len(found)} lines)"
