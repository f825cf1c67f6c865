from __future__ import annotations

import pytest

from benchmark.output.text import folded, markdown, plain, spreadsheet, web_link


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\x1b[31mred\x07", "a[31mred"),
        ("two\nlines\tand  gaps", "two lines and gaps"),
        ("turned \u202e round\u2066", "turned round"),
        ("half a pair \ud800", "half a pair"),
        ("Grüße 漢字", "Grüße 漢字"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_plain_text_moves_no_cursor_and_turns_no_line(given, shown):
    assert plain(given) == shown


def test_markdown_shows_letter_by_letter():
    assert markdown("a|b<script>*x*_y_[z](w)`v`\\") == "a\\|b&lt;script&gt;\\*x\\*\\_y\\_\\[z\\](w)\\`v\\`\\\\"


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_spreadsheets_evaluate_no_cell(formula):
    assert spreadsheet(formula) == "'" + formula
    assert spreadsheet("a" + formula) == "a" + formula


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " data:text/html,<script>1</script>",
        "java\nscript:alert(1)",
        "vbscript:x",
        "file:///etc/passwd",
        "//example.org/x",
        "http:///nohost",
        "https://user@example.org",
        "https://example.org/\"onclick='x'",
        "https://example.org/a b",
        "https://[::1",
        "https://example.org:port/",
        "https://example.org/\u202e",
        "",
    ],
)
def test_only_plain_web_addresses_become_links(address):
    assert web_link(address) is None


def test_web_addresses_become_links():
    for address in ("https://example.org/a?b=c&d=e#f", "http://localhost:8080/x", "HTTPS://EXAMPLE.ORG"):
        assert web_link(address) == address


def test_names_that_look_alike_by_form_or_case_are_the_same():
    assert folded("ＦｉｘＡＴＥ  one") == folded("fixate one") != folded("fixate two")
