"""The page as a browser shows it: nothing complains, nothing is fetched, the pictures are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark import report
from benchmark.metrics import all_metrics

pytestmark = pytest.mark.slow

WINDOWS = [{}, {"dark": True}, {"width": 400, "height": 800}]


@pytest.fixture(scope="module")
def address(finished, mini, tmp_path_factory) -> str:
    path: Path = tmp_path_factory.mktemp("browser") / "page.html"
    report.write(finished, path, task=mini)
    return path.as_uri()


@pytest.mark.parametrize("window", WINDOWS, ids=["light", "dark", "phone"])
def test_the_page_opens_alone_and_whole(browse, address, window):
    browser = browse(**window)
    browser.console()
    browser.open(address)
    # What a policy forbids is said on the console; what is fetched is a resource.
    assert browser.console() == []
    asked = browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(url.startswith("data:") for url in asked)
    pictures = browser.run("return [...document.images].map(p => [p.complete, p.naturalWidth, p.clientWidth])")
    assert len(pictures) == 7 and all(done and wide > 100 and seen > 100 for done, wide, seen in pictures)
    drawn = "return [...document.querySelectorAll('svg.plot')].filter(p => p.checkVisibility())"
    boxes = browser.run(f"{drawn}.map(p => p.getBoundingClientRect().height)")
    assert len(boxes) >= 13 and min(boxes) > 40
    # Wide tables scroll within themselves; the page does not.
    assert browser.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    ink, paper = browser.run(
        "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
        ".map(c => c.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0))"
    )
    assert (ink > 500 > 200 > paper) if window.get("dark") else (paper > 500 > 200 > ink)
    # The figures follow the page's colours.
    line = browser.run("return getComputedStyle(document.querySelector('svg.plot [style*=currentcolor i]')).color")
    assert line == browser.run("return getComputedStyle(document.body).color")


def test_a_press_orders_the_table_and_enlarges_a_picture(browse, address):
    browser = browse()
    browser.open(address)
    names = "return [...document.querySelector('#main').tBodies[0].rows].map(r => r.cells[0].textContent.split(' ')[0])"
    measured = browser.run(names)
    column = "[...document.querySelectorAll('#main thead th')].findIndex(h => h.textContent.startsWith('JS'))"
    values = f"const c = {column}; return [...document.querySelector('#main').tBodies[0].rows]"
    values += ".map(r => Number(r.cells[c].dataset.v))"
    press = f"document.querySelectorAll('#main thead button')[{column}].click()"
    browser.run(press)
    found = browser.run(values)
    assert found == sorted(found) and len(set(found)) > 1 and browser.run(names) != measured
    browser.run(press)
    assert browser.run(values) == found[::-1]
    browser.click("#main thead th:first-child button")
    assert browser.run(names) == measured
    width = "return document.querySelector('.gallery img').clientWidth"
    before = browser.run(width)
    browser.click(".gallery figure button")
    assert browser.run(width) > 1.5 * before
    browser.click(".gallery figure button")
    assert browser.run(width) == before
    assert browser.console() == []


def test_a_tab_shows_one_family_of_metrics(browse, address):
    browser = browse()
    browser.open(address)
    shown = "return [...document.querySelectorAll('#main thead th')].filter(h => h.checkVisibility()).map(h => "
    shown += "h.textContent.replace(/[↑↓]/, ''))"
    plots = "return [...document.querySelectorAll('svg.plot')].filter(p => p.checkVisibility()).length"
    every, drawn = browser.run(shown), browser.run(plots)
    browser.click("#family-click")
    assert browser.run(shown) == [every[0], *(m.name for m in all_metrics() if m.family == "click")]
    clicks = browser.run(plots)
    browser.click("#family-attention")
    assert browser.run(shown) == [every[0], *(m.name for m in all_metrics() if m.family == "attention")]
    assert 0 < clicks < drawn and 0 < browser.run(plots) < drawn
    browser.click("#family-all")
    assert (browser.run(shown), browser.run(plots)) == (every, drawn)
    assert browser.run("return document.querySelector('.families legend').textContent") == "Metrics shown"


def test_it_fits_on_paper(browse, address):
    browser = browse()
    browser.open(address)
    browser.devtools("Emulation.setEmulatedMedia", media="print")
    browser.devtools("Emulation.setDeviceMetricsOverride", width=690, height=980, deviceScaleFactor=1, mobile=False)
    assert browser.run("return document.documentElement.scrollWidth") <= 690
    assert browser.run("return getComputedStyle(document.querySelector('nav')).display") == "none"
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("return [...document.querySelectorAll('details')].every(d => d.open)")
