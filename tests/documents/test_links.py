"""Every relative link of the documents leads to a file that is there, and every anchor to a heading of it."""

from __future__ import annotations

import re

import pytest

from tests.documents.blocks import ROOT, documents

_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)\)")


def prose(document: str) -> str:
    """Return the text of a document without its code."""
    text = (ROOT / document).read_text(encoding="utf-8")
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)
    return re.sub(r"`[^`\n]*`", lambda match: "x" * len(match[0]), text)


def anchors(document: str) -> list[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    text = re.sub(r"^ *```.*?^ *```", "", (ROOT / document).read_text(encoding="utf-8"), flags=re.S | re.M)
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", text, re.M):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.append(name if name not in found else f"{name}-{found.count(name)}")
    return found


@pytest.mark.parametrize("document", documents())
def test_every_link_leads_somewhere(document):
    for target in _LINK.findall(prose(document)):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = ((ROOT / document).parent / path).resolve() if path else ROOT / document
        assert file.exists() and file.is_relative_to(ROOT), f"{document}: nothing lies at {target}"
        if anchor:
            there = anchors(file.relative_to(ROOT).as_posix())
            assert anchor in there, f"{document}: {target} names no heading; there are {', '.join(there)}"


def test_links_and_anchors_are_found_as_they_are_written():
    assert "submit-a-simulator" in anchors("README.md") and len(_LINK.findall(prose("README.md"))) > 10
    assert _LINK.findall("a [b](c.md#d), ![no](e.png), [`f`](../g.md)") == ["c.md#d", "../g.md"]


def test_every_guide_is_in_the_index_and_every_document_can_be_reached():
    reached, waiting = set(), ["README.md"]
    while waiting:
        document = waiting.pop()
        reached.add(document)
        for target in _LINK.findall(prose(document)):
            file = ((ROOT / document).parent / target.partition("#")[0]).resolve()
            if file.suffix == ".md" and file.is_relative_to(ROOT):
                name = file.relative_to(ROOT).as_posix()
                waiting += [] if name in reached or name in waiting else [name]
    assert not set(documents()) - reached


def test_the_glossary_is_in_order_and_says_each_term_once():
    terms = re.findall(r"^## (.+)$", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.M)
    assert terms == sorted(set(terms), key=str.lower) and len(terms) > 50
