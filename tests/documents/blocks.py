"""The code blocks of the documents, and the commands of those that are for a shell."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        document: The file, relative to the root.
        line: Number of its first line.
        language: The word after the fence.
        text: The lines between the fences, without their indent.
        printed: The text block that follows directly, if it does: what a generated example prints.
    """

    document: str
    line: int
    language: str
    text: str
    printed: str | None = None


def documents() -> list[str]:
    """Return every document that is tested, relative to the root."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)\n(?P<text>.*?)^ *```$(?P<next>\n\n```text\n(?P<printed>.*?)^```$)?",
    re.S | re.M,
)


def blocks(document: str) -> list[Block]:
    """Return the blocks of a document in order; a fence that is not closed is an error."""
    text = (ROOT / document).read_text(encoding="utf-8")
    assert len(re.findall(r"^ *```", text, flags=re.M)) % 2 == 0, f"{document}: a code block is not closed"
    found, start = [], 0
    while match := _FENCE.search(text, start):
        body = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.M)
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(document, line, match["language"], body, match["printed"]))
        start = match.end("next") if match["next"] and match["language"] == "text" else match.end("text") + 3
    return found


def commands(block: Block) -> list[str]:
    """Return the commands of a shell block, one per line, lines that end in a backslash joined, comments left out."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [
        " ".join(shlex.quote(word) for word in words)
        for words in (shlex.split(x, comments=True) for x in lines)
        if words
    ]
