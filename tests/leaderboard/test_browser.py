"""The site as people meet it: in a browser. Skipped, with a message, where there is no Chromium."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmark import statistics
from benchmark.output.text import plain
from benchmark.statistics.clusters import SessionMeans
from leaderboard.board_documents import order
from tests.browser import Browser

pytestmark = pytest.mark.slow

NAMES = """return [...document.querySelectorAll("#ranked tr:not([hidden]) th.who a")].map(a => a.textContent)"""
SHOWN = """return [...document.querySelectorAll("#board tbody tr[data-kind]:not([hidden]) th.who a")]
    .filter(a => a.offsetParent !== null).map(a => a.textContent)"""
PHONE = {"width": 390, "height": 800}
TAB, ENTER, SPACE, DOWN = "\ue004", "\ue007", " ", "\ue015"


def page(site: Path, pattern: str) -> Path:
    (found,) = site.glob(pattern)
    return found


@pytest.fixture
def table(site, browse) -> Iterator[Browser]:
    browser = browse()
    browser.open(page(site, "tables/mini-loo-*.html").as_uri())
    browser.console(), browser.requests()
    yield browser


def quiet(browser: Browser) -> None:
    assert browser.console() == []
    own = ("file:", "data:", "about:", "chrome:", "chrome-untrusted:")  # the browser's start page is its own
    assert [u for u in browser.requests() if not u.startswith(own)] == []


@pytest.mark.parametrize("window", [{}, {"dark": True}, PHONE], ids=["light", "dark", "phone"])
def test_every_page_opens_quietly_and_fits_its_window(site, browse, window):
    browser = browse(**window)
    browser.open("about:blank")
    browser.console(), browser.requests()
    for path in sorted(site.rglob("*.html")):
        browser.open(path.as_uri())
        assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth"), path
        assert browser.run("return document.title").endswith("gazebench"), path  # no script of a stranger ran
        broken = "return [...document.images].filter(i => !i.naturalWidth).length"
        assert browser.run(broken) == 0
        images = "return [...document.querySelectorAll('svg image')].map(i => i.getBBox().width > 0)"
        assert all(browser.run(images))
    quiet(browser)


@pytest.mark.parametrize("window", [{}, {"dark": True, **PHONE}], ids=["light", "dark phone"])
def test_an_accessibility_audit_finds_nothing_serious(site, browse, window):
    audit = pytest.importorskip("axe_core_python", reason="pip install axe-core-python")
    script = (Path(audit.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    browser = browse(**window)
    kinds = (next(site.glob(f"{part}/*.html")) for part in ("tables", "tasks", "submissions"))
    for name in (site / "index.html", site / "compare.html", *kinds):
        browser.open(name.as_uri())
        found = audited(browser, script)
        assert not [one for one in found if one[1] in ("serious", "critical")], name
    browser.run("document.querySelector('img, svg[role=img]').remove(); document.body.innerHTML += '<img src=x>'")
    assert "image-alt" in [one[0] for one in audited(browser, script)]


def audited(browser: Browser, script: str) -> list[list[str]]:
    """Return rule, impact and first element of each violation that axe finds on the open page."""
    keep = "r => { window.audited = r.violations.map(v => [v.id, v.impact, v.nodes[0].html]); }"
    browser.run(f"{script}; window.audited = null; axe.run(document, {{resultTypes: ['violations']}}).then({keep});")
    browser.wait("window.audited", 30)
    return browser.run("return window.audited")


def test_the_site_works_from_a_host_too(site, browse):
    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_address[1]}/"
        browser = browse()
        browser.open("about:blank")
        browser.console(), browser.requests()
        for name in ("index.html", "compare.html", page(site, "tables/mini-loo-*.html").relative_to(site).as_posix()):
            browser.open(root + name)
        assert browser.run(NAMES)
        browser.open(root + "compare.html")
        browser.wait("!document.getElementById('out').hidden")
        assert browser.console() == [] and all(u.startswith((root, "data:")) for u in browser.requests())
        server.shutdown()


def expected(view, metric: str) -> list[str]:
    return [plain(view.table.rows[i].name, 60) for i in order(view, metric) if view.table.rows[i].ranked]


def test_the_head_orders_the_lines_and_carries_the_tiers(table, views):
    loo = views[1]
    assert table.run(NAMES) == expected(loo, "KL")
    for metric, slug in (("AUC", "auc"), ("LogLoss", "logloss"), ("KL", "kl")):
        table.click(f"th[data-k='{slug}'] button")
        assert table.run(NAMES) == expected(loo, metric), metric
        tiers = table.run("return [...document.querySelectorAll('#ranked tr')].map(r => r.cells[0].textContent)")
        j = loo.table.metric_index(metric)
        rows = [i for i in order(loo, metric) if loo.table.rows[i].ranked]
        assert tiers == [str(loo.ranking.tier[i, j] or "") for i in rows]
        opens = table.run("return [...document.querySelectorAll('#ranked tr')].map(r => r.classList.contains('opens'))")
        assert opens == [bool(t) and (k == 0 or tiers[k - 1] != t) for k, t in enumerate(tiers)]
        sort = table.run(f"return document.querySelector(\"th[data-k='{slug}']\").getAttribute('aria-sort')")
        assert sort == ("descending" if metric == "AUC" else "ascending")
    table.click("th[data-k='kl'] button")  # once more: the other way round, the blank ones still last
    claimed = [n for n in expected(loo, "KL") if n not in ("clicks-only", "conditional-logit", "labelled")]
    found = table.run(NAMES)
    means = {plain(row.name, 60): loo.ranking.mean[i, 0] for i, row in enumerate(loo.table.rows)}
    assert sorted(found[: len(claimed)]) == sorted(claimed)
    values = [means[n] for n in found[: len(claimed)]]
    assert values == sorted(values, reverse=True)
    table.click("th[data-k='name'] button")
    found = table.run(NAMES)
    assert found == sorted(found, key=str.lower)
    quiet(table)


def test_filters_narrow_the_lines_and_reset(table, views):
    every = table.run(SHOWN)
    assert len(every) == len(views[1].table.rows)
    table.type("#find", "sim-")
    assert sorted(table.run(SHOWN)) == ["sim-0.1", "sim-0.5", "sim-0.9"]
    assert table.run("return document.getElementById('count').textContent") == f"3 of {len(every)} lines"
    table.type("#find", "zzz")
    assert table.run(SHOWN) == [] and table.run("return !document.getElementById('none').hidden")
    table.click("#filters button[type=reset]")
    table.wait("document.querySelectorAll('#board tr[hidden]').length === 0")
    assert table.run(SHOWN) == every
    table.click("#baselines")
    names = table.run(SHOWN)
    assert "position-prior" not in names and "sim-0.5" in names and "gaze-oracle" in names
    table.click("#filters button[type=reset]")
    choose = (
        "const s = document.getElementById(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event('change'))"
    )
    table.run(choose, "sees", "image")
    assert "uniform" not in table.run(SHOWN) and "sim-0.5" in table.run(SHOWN)
    table.click("#filters button[type=reset]")
    table.run(choose, "blind", "image")
    assert "uniform" in table.run(SHOWN) and "sim-0.5" not in table.run(SHOWN)
    quiet(table)


def test_other_columns_can_be_shown(table):
    visible = """return [...document.querySelectorAll('#board thead th')].filter(h => h.offsetParent)
        .map(h => h.innerText.trim())"""
    assert [h.rstrip(" ▴▾") for h in table.run(visible)[3:]] == ["KL↓", "Accuracy↑", "LogLoss↓", "AUC↑"]
    choose = "const s = document.getElementById('group'); s.value = arguments[0]; s.dispatchEvent(new Event('change'))"
    for group, title in (
        ("metrics", "TGO@5↑"),
        ("normalised", "AUC norm↑"),
        ("gain", "KL swap"),
        ("about", "backbone"),
    ):
        table.run(choose, group)
        assert title in table.run(visible), group
    quiet(table)


def test_bars_begin_at_the_prior_and_better_is_to_the_right(table):
    """The mean's mark, at the end of the bar from the prior, lies within its interval; KL falls from left to right."""
    where = """
        const cell = document.querySelector(`#ranked tr:nth-child(${arguments[0]}) td.k-kl`);
        const box = cell.getBoundingClientRect(), ends = (name) => {
          const s = getComputedStyle(cell, name);
          return [parseFloat(s.left), parseFloat(s.left) + parseFloat(s.width)];
        };
        const bar = ends("::after"), mark = cell.hasAttribute("data-lo") ? bar[0] + 1.5 : bar[1] - 1.5;
        return [ends("::before"), mark, box.width]"""
    (low, high), best, width = table.run(where, 1)
    assert 0 <= low <= best <= high + 1 <= width
    assert table.run(where, 4)[1] < best


def test_everything_can_be_reached_and_worked_with_the_keyboard(site, browse):
    browser = browse()
    browser.open(page(site, "tables/mini-loo-*.html").as_uri())
    reached = []
    for _ in range(40):
        browser.press(TAB)
        reached.append(
            browser.run("const e = document.activeElement; return e.id || e.dataset.k || e.className || e.textContent")
        )
    assert reached[0] == "skip" and {
        "theme",
        "find",
        "sort",
        "group",
        "sees",
        "blind",
        "baselines",
        "family-all",
    } <= set(reached)
    outline = """const s = getComputedStyle(document.activeElement);
        return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 1"""
    browser.run("document.getElementById('theme').focus()")
    browser.press(TAB)
    assert browser.run(outline)
    browser.run("document.querySelector(\"th[data-k='auc'] button\").focus()")
    browser.press(ENTER)
    assert browser.run("return document.getElementById('board').dataset.sort") == "auc"
    browser.press(SPACE)
    assert browser.run("return document.querySelector(\"th[data-k='auc']\").getAttribute('aria-sort')") == "ascending"
    browser.run("document.getElementById('baselines').focus()")
    browser.press(SPACE)
    assert "position-prior" not in browser.run(SHOWN)


def test_a_phone_shows_name_and_one_metric(site, browse):
    browser = browse(**PHONE)
    browser.open(page(site, "tables/mini-loo-*.html").as_uri())
    visible = """return [...document.querySelectorAll('#board thead th')].filter(h => h.offsetParent)
        .map(h => h.dataset.k || '')"""
    assert browser.run(visible) == ["", "name", "kl"]
    browser.run("const s = document.getElementById('sort'); s.value = 'auc'; s.dispatchEvent(new Event('change'))")
    assert browser.run(visible) == ["", "name", "auc"]
    small = """return [...document.querySelectorAll('main p, main td, main th, main a, main button, main select')]
        .filter(e => e.offsetParent && parseFloat(getComputedStyle(e).fontSize) < 11).length"""
    assert browser.run(small) == 0


CONTRAST = """
    function channel(v) { v /= 255; return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); }
    function luminance(c) { return 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]); }
    function colour(text) { return (text.match(/[\\d.]+/g) || []).map(Number); }
    function ground(e) {
      for (; e; e = e.parentElement) {
        const c = colour(getComputedStyle(e).backgroundColor);
        if (c.length === 3 || c[3] > 0) return c;
      }
      return [255, 255, 255];
    }
    const low = [];
    for (const e of document.querySelectorAll("main *, header *, footer *")) {
      const words = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
      if (!e.offsetParent || e.closest("svg") || !words) continue;
      const a = luminance(colour(getComputedStyle(e).color)), b = luminance(ground(e));
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) low.push([e.tagName, e.className, e.textContent.slice(0, 30), ratio.toFixed(2)]);
    }
    return low"""


@pytest.mark.parametrize("window", [{}, {"dark": True}], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(site, browse, window):
    """Contrast of at least 4.5 to 1 (WCAG 2.2, AA), in both colour schemes."""
    browser = browse(**window)
    for pattern in ("index.html", "tables/mini-loo-*.html", "tasks/mini-loo-*.html", "submissions/personal-*.html"):
        browser.open(page(site, pattern).as_uri())
        assert browser.run(CONTRAST) == [], pattern


def test_the_button_changes_the_colours_and_they_stay(site, browse):
    browser = browse()
    browser.open((site / "index.html").as_uri())
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = browser.run(ground)
    browser.click("#theme")
    dark = browser.run(ground)
    assert light != dark and browser.run("return document.getElementById('theme').textContent") == "Light"
    browser.open((site / "compare.html").as_uri())
    assert browser.run(ground) == dark
    browser.click("#theme")
    assert browser.run(ground) == light


def test_comparing_two_gives_the_numbers_of_the_suites_statistics(site, browse, views):
    loo = views[1].table
    browser = browse()
    t = page(site, "tables/mini-loo-*.html").stem
    names = ("sim-0.9", "sim-0.5")
    rows = [next(i for i, r in enumerate(loo.rows) if r.name == n) for n in names]
    a, b = (loo.rows[i].id[:16] for i in rows)
    browser.open("about:blank")
    browser.open(f"{(site / 'compare.html').as_uri()}#t={t}&a={a}&b={b}")
    browser.wait("document.querySelectorAll('#compared tbody tr').length > 0")
    read = """return [...document.querySelectorAll('#compared tbody tr')].map(r => {
        const d = r.querySelector('.diff').dataset;
        return [r.cells[0].textContent, +r.cells[1].textContent, +r.cells[2].textContent, +d.mean, +d.low, +d.high,
                r.cells[5].textContent];
    })"""
    found = browser.run(read)
    assert browser.run("return document.getElementById('over').textContent") == loo.over == "users and screens"
    # What one of the two is not measured by is not compared.
    shown = [j for j in range(len(loo.metrics)) if np.isfinite([loo.by_user[i][:, j] for i in rows]).all()]
    assert len(shown) == 12
    for j, line in zip(shown, found, strict=True):
        metric, values = loo.metrics[j], [loo.by_user[i][:, j] for i in rows]
        one, other = (loo.by_session[i][:, j] for i in rows)
        clustered = SessionMeans((), np.empty(0), loo.design).clustered(one - other)
        expected = statistics.paired_comparison(*values, n_resamples=0, clustered=clustered)
        assert line[0] == metric.name + metric.arrow
        assert line[1:3] == pytest.approx([v.mean() for v in values], abs=6e-4)
        assert line[3:6] == pytest.approx([expected.mean_difference, expected.low, expected.high], rel=1e-6, abs=1e-6)
        apart = expected.low > 0 or expected.high < 0
        better = (expected.mean_difference > 0) == metric.higher_is_better
        assert line[6] == (("A better" if better else "B better") if apart else "not separated")
    kl = [loo.by_user[i][:, 0] for i in rows]
    words = browser.run("return document.querySelector('#users figcaption').textContent")
    assert words.startswith(f"A is better for {int(np.sum(kl[0] < kl[1]))} of 7 users")
    assert browser.run("return document.querySelectorAll('#users circle').length") == 7
    browser.click("#swap")
    browser.wait(f"document.getElementById('a').value === '{b}'")
    browser.wait(f"location.hash.includes('a={b}')")
    swapped = browser.run(read)
    assert [line[3] for line in swapped] == pytest.approx([-line[3] for line in found])
    quiet(browser)


def test_a_page_leads_to_its_comparison_and_hostile_names_stay_text(site, browse):
    browser = browse()
    browser.open(page(site, "submissions/script-*.html").as_uri())
    browser.run("document.querySelector('a[href*=\"compare.html#\"]').click()")
    browser.wait("document.getElementById('out') && !document.getElementById('out').hidden")
    assert "<script>" in browser.run("return document.getElementById('said').textContent")
    assert browser.run("return document.title").endswith("gazebench")
    assert browser.run("return document.querySelectorAll('main script:not([type]), main img').length") == 0
    quiet(browser)


def test_a_long_table_shows_its_first_lines_until_asked(site, browse):
    """Two hundred lines are laid out at first; the button, or looking for something, shows the rest."""
    browser = browse()
    browser.open(page(site, "tables/mini-loo-*.html").as_uri())
    browser.run("""
        const body = document.getElementById("ranked"), row = body.rows[0];
        for (let i = 0; i < 300; i++) {
          const copy = row.cloneNode(true);
          copy.dataset.find = "copy-" + i;
          copy.cells[1].firstElementChild.textContent = "copy-" + i;
          body.appendChild(copy);
        }
        document.getElementById("find").dispatchEvent(new Event("input"));""")
    count = "return [...document.querySelectorAll('#ranked tr')].filter(r => r.offsetParent).length"
    assert browser.run(count) == 200 and browser.run("return !document.getElementById('more').hidden")
    browser.type("#find", "copy-299")
    assert browser.run(count) == 1 and browser.run("return document.getElementById('more').hidden")
    browser.run("const f = document.getElementById('find'); f.value = ''; f.dispatchEvent(new Event('input'))")
    browser.click("#more")
    assert browser.run(count) > 300


RIGHT = "\ue014"


def test_one_family_of_metrics_at_a_time_with_the_keyboard(site, table):
    heads = """return [...document.querySelectorAll("#board thead th.v")].filter(h => h.offsetParent !== null)
        .map(h => h.dataset.name)"""
    assert {"KL", "LogLoss"} <= set(table.run(heads))
    table.run("document.getElementById('family-all').focus()")
    table.press(RIGHT, RIGHT)
    assert table.run(heads) == ["Accuracy", "LogLoss", "AUC"]
    assert table.run("return document.querySelector('th[aria-sort]').dataset.name") == "LogLoss"
    shown = """return [...document.querySelectorAll("tr[data-family]")].filter(r => r.offsetParent !== null)
        .map(r => r.dataset.family)"""
    for pattern in ("tasks/mini-loo-*.html", "submissions/personal-*.html"):
        table.open(page(site, pattern).as_uri())
        assert set(table.run(shown)) == {"attention", "click"}  # without a choice, and without any script
        table.click("#family-attention")
        assert set(table.run(shown)) == {"attention"}
    quiet(table)
