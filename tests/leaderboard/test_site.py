from __future__ import annotations

import csv
import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from baselines import registry
from benchmark.metrics import get
from benchmark.output import figure_style as style
from benchmark.output.text import plain
from leaderboard import board_documents
from leaderboard.board_files import Board
from leaderboard.context import slot_shares
from leaderboard.entries import Metadata
from leaderboard.site import build
from leaderboard.site.figures import embedded, link, slot_plot
from leaderboard.site.front import MOST, Map
from leaderboard.site.submissions import cost_words, extreme_sessions, size_words
from leaderboard.site.tables import SiteTable, slug, span_of
from leaderboard.submitting import submit, withdraw
from tasks.errors import InputError
from tasks.types import Fixation
from tests import mini as mini_task
from tests.leaderboard.boards import AT, candidate
from tests.leaderboard.conftest import SCRIPT, views_of
from tests.mini import NOTICE

VOID = {"meta", "link", "input", "br", "img", "path", "rect", "image", "circle"}
SCRIPTS = {"theme.js", "site.js", "table.js", "compare.js"}


class Page(HTMLParser):
    """Collects what matters of a page, and refuses one whose elements do not close."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.scripts: list[str] = []
        self.handlers: list[str] = []
        self.text: list[str] = []
        self.styles = ""
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self._open.append(tag)
        for name, value in attrs:
            if name.startswith("on"):
                self.handlers.append(name)
            if name in ("href", "src", "action", "data", "srcset", "poster"):
                self.links.append((tag, value or ""))
            if name == "id":
                self.ids.append(value)
        if tag == "script" and "src" not in dict(attrs):
            self.scripts.append(dict(attrs).get("type", ""))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, tag

    def handle_data(self, data):
        if self._open and self._open[-1] == "style":
            self.styles += data
        elif not self._open or self._open[-1] != "script":
            self.text.append(data)


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Page]:
    return {p.relative_to(site).as_posix(): Page(p) for p in sorted(site.rglob("*.html"))}


def test_there_is_a_page_for_everything(site, pages, views):
    kinds = {name.split("/")[0] for name in pages}
    assert kinds == {"index.html", "compare.html", "tables", "tasks", "submissions"}
    assert sum(name.startswith("tables/") for name in pages) == 2 == sum(name.startswith("tasks/") for name in pages)
    # A submission on two splits has one page with both.
    descriptions = {(r.record.kind, r.record.metadata) for view in views for r in view.table.rows}
    assert sum(name.startswith("submissions/") for name in pages) == len(descriptions)
    (both,) = (p for name, p in pages.items() if name.startswith("submissions/sim-0-9-"))
    assert {"mini, loo", "mini, kfold"} <= {text.strip() for text in both.text}


def test_every_link_leads_somewhere_inside_the_site(site, pages):
    for name, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), name
        for tag, address in page.links:
            parts = urlsplit(address)
            if address == "data:," or (tag == "img" and address.startswith("data:image/jpeg;base64,")):
                continue
            assert not parts.scheme and not parts.netloc and not address.startswith("/"), (name, tag, address)
            if not parts.path:
                assert parts.fragment in page.ids
                continue
            target = ((site / name).parent / unquote(parts.path)).resolve()
            assert target.is_file() and target.is_relative_to(site.resolve()), (name, address)


def test_nothing_is_fetched_from_elsewhere(site):
    for path in site.rglob("*"):
        if path.suffix in (".css", ".js", ".html"):
            text = path.read_text(encoding="utf-8")
            foreign = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", text, re.IGNORECASE))
            assert foreign <= {"http://www.w3.org"}, path  # the name of SVG, which nothing fetches
            assert not re.search(r"url\((?!#)", text) and "@import" not in text


def test_hostile_text_is_only_text(pages):
    """<script> and event handlers stand in every text field of a submission on these pages."""
    shown = 0
    for name, page in pages.items():
        assert not page.handlers, name
        assert set(page.scripts) <= {"application/json"}, name
        sources = {urlsplit(a).path.rsplit("/", 1)[-1] for tag, a in page.links if tag == "script"}
        assert sources <= SCRIPTS, name
        assert not any("javascript:" in a.lower() for _, a in page.links), name
        assert not any(tag in ("iframe", "object", "embed", "form", "base") for tag, _ in page.links), name
        assert all(a.startswith("data:image/jpeg;base64,") for tag, a in page.links if tag == "img"), name
        shown += sum(SCRIPT[:40] in text for text in page.text)
    assert shown > 20
    (own,) = (p for name, p in pages.items() if name.startswith("submissions/script-"))
    text = "\n".join(own.text)
    for field in ("contact", "licence", "description", "backbone", "parameters", "training data", "hardware", "cost"):
        if field != "description":
            assert field in text
    assert text.count(SCRIPT[:60]) >= 12 and "javascript:document.title='owned'" in text


def test_json_inside_a_page_cannot_end_its_element():
    value = {"</script><!--": "<script>&\u2028"}
    text = str(embedded(value))
    assert not set("<>&") & set(text) and text.isascii() and json.loads(text) == value
    with pytest.raises(ValueError):
        embedded(float("nan"))


def test_links_carry_no_referrer_and_no_code():
    assert link("https://example.org/?a=1&b=<") == "https://example.org/?a=1&amp;b=&lt;"
    made = str(link("https://example.org/?a=1&b=2"))
    assert made.startswith('<a href="https://example.org/?a=1&amp;b=2" rel="noopener noreferrer nofollow">')
    assert str(link("javascript:alert(1)")) == "javascript:alert(1)"


def test_every_page_says_that_the_data_are_simulated(pages):
    for name, page in pages.items():
        assert NOTICE in " ".join(page.text), name


def test_unranked_lines_stand_apart(site, views):
    (page,) = (site / "tables").glob("mini-loo-*.html")
    ranked, apart = page.read_text().split('<tbody id="apart">')
    for name in ("gaze-oracle", "other-users", "peeper", "labelled [label]"):
        assert f">{name}</a>" in apart and f">{name}</a>" not in ranked
    assert ranked.index(">sim-0.9</a>") < ranked.index(">sim-0.1</a>")
    assert 'data-t="' not in apart.split("</table>")[0]
    assert "Self-reported, not checked, never ranked" in apart and "AUC norm↑" in ranked


def test_tables_show_what_the_ranking_says(views, site):
    loo = views[1]
    (page,) = (site / "tables").glob("mini-loo-*.html")
    text = page.read_text()
    for i, row in enumerate(loo.table.rows):
        line = re.search(rf'<tr id="r-{row.key}".*?</tr>', text, re.DOTALL).group()
        for j, metric in enumerate(loo.table.told):
            cell = re.search(rf'<td class="v g-metrics[^"]* k-{slug(metric.name)} [^"]*"([^>]*)>([^<]*)</td>', line)
            mean = loo.ranking.mean[i, j]
            if np.isnan(loo.ranking.mean[:, j]).all():
                assert cell is None
            elif np.isnan(mean):
                assert cell.group(2) == ""
            else:
                assert cell.group(2) == f"{mean:.3f}".replace("-0.000", "0.000")
                tier = re.search(r'data-t="(\d+)"', cell.group(1))
                assert (int(tier.group(1)) if tier else 0) == loo.ranking.tier[i, j]


def test_a_submissions_page_has_what_was_promised(site, views):
    (page,) = (site / "submissions").glob("personal-*.html")
    text = page.read_text()
    for words in ("− position-prior", "− uniform", "seed SD", "user by user", "Personal gain", "normalised"):
        assert words in text
    assert text.count('<figure class="session ') == 4 and text.count("best: KL") == 2 == text.count("worst: KL")
    assert len(re.findall(r'alt="Screen, human gaze, most on slot \d, attention, most on slot \d; slot', text)) == 4
    assert "Steps and revisits</figcaption>" in text and "revisits 0%" not in text  # drawn as shapes
    assert "Revisits: this simulator 0%" in text and '<td class="n">2.000</td>' in text  # visits: 3, 1 and 2
    assert "Steps and revisits" not in next((site / "submissions").glob("sim-0-9-*.html")).read_text()


def test_sessions_shown_are_the_best_and_the_worst(views):
    loo = views[1]
    t = SiteTable(loo, {row.id: "x" for row in loo.table.rows})
    row = next(r for r in t.rows if r.name == "sim-0.5")
    metric, chosen = extreme_sessions(t, row)
    kl = row.values[:, :, loo.table.metric_index("KL")].mean(axis=0)
    assert metric == "KL" and [i for _, i, _ in chosen[:2]] == np.argsort(kl)[:2].tolist()
    assert [i for _, i, _ in chosen[2:]] == np.argsort(-kl)[:2].tolist()
    clicks = next(r for r in t.rows if r.name == "clicks-only")
    assert extreme_sessions(t, clicks)[0] == "LogLoss"


def test_a_task_page_has_floor_ceiling_and_heatmaps(site, mini):
    (page,) = (site / "tasks").glob("mini-loo-*.html")
    text = page.read_text()
    for words in (
        "position-prior (floor, 0)",
        "human reference (ceiling, 1)",
        "gaze-oracle",
        "other-users",
    ):
        assert words in text
    assert "The data set's card" in text.replace("&#39;", "'") and mini.digests["loo"] in text
    shares = slot_shares([s for _, test in mini.split("loo").folds for s in mini.sessions_at(test)])
    for kind, values in (("gaze", shares.gaze), ("clicks", shares.clicks)):
        assert sum(values) == pytest.approx(1, abs=1e-5)
        assert f"{kind}, mean share" in text or f"{kind}, share of sessions" in text
        for label, value in zip(shares.labels, values, strict=True):
            assert f"{label} {value:.0%}" in text
    (folder,) = (site / "data").glob("mini-loo-*")
    heads = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for name in ("front", "slots"):
        assert all((folder / f"{name}.{form}").read_bytes().startswith(head) for form, head in heads.items())


def test_slots_that_move_are_shown_as_bars():
    class Session:
        def __init__(self, k, click):
            from tasks.types import Slot

            self.slots = [Slot(str(i + 1), "x", "", (0.0, 0.0, 1.0, 1.0)) for i in range(k)]
            self.gaze, self.click, self.image = np.full(k, 1 / k), click, None

    shares = slot_shares([Session(2, 0), Session(4, 3)])
    assert shares.boxes == () and shares.sessions == (2, 2, 1, 1)
    assert shares.gaze == (0.375, 0.375, 0.25, 0.25) and shares.clicks == (0.5, 0.0, 0.0, 1.0)
    made = slot_plot(shares, "x")
    assert "clicks, share of sessions per slot, of those that have it: 1 50%, 2 0%, 3 0%, 4 100%" in made.words
    with style.drawn(made.drawing) as canvas:
        (axes,) = canvas.axes
        heights = [[bar.get_height() for bar in bars] for bars in axes.containers]
        (there,) = axes.lines
    assert heights == [pytest.approx([37.5, 37.5, 25, 25]), [50, 0, 0, 100]] and list(there.get_ydata())[-1] == 50


def test_the_front_page_has_a_figure_per_table_and_its_data(site, views):
    index = (site / "index.html").read_text()
    assert index.count('<svg class="plot"') == len(views) and "submit my-submission" in index and "@software" in index
    for view in views:
        t = SiteTable(view, {row.id: "x" for row in view.table.rows})
        plot, lines = t.front
        drawn = [t.rows[i] for i in lines]
        columns = [view.table.metric_index(name) for name in ("KL", "LogLoss")]
        claim = ~np.isnan(view.ranking.mean[:, columns]).any(axis=1)
        assert all(row.ranked for row in drawn) and all(claim[lines]) and len(lines) <= MOST
        if sum(row.ranked and claim[i] for i, row in enumerate(t.rows)) <= MOST:
            assert len(lines) == sum(row.ranked and claim[i] for i, row in enumerate(t.rows))
        assert all(plain(row.name, 40) in plot.words for row in drawn)
        table = json.loads((site / "data" / t.key / "table.json").read_text())
        with (site / "data" / t.key / "table.csv").open(newline="") as file:
            names = {line["simulator"] for line in csv.DictReader(file)}
        assert table and {row.name for row in drawn} <= names


def test_in_the_front_figure_better_is_up_and_right_and_what_leaves_it_has_an_arrow():
    from matplotlib.figure import Figure

    ends = np.array([[[2.0, 2.1, 2.2], [0.8, 0.9, 1.0]], [[2.4, 2.5, 2.6], [1.0, 1.1, 1.2]]])
    canvas = Figure()
    hairs = {"prior": (2.4, 1.0), "people": (1.0, float("nan"))}
    Map((get("LogLoss"), get("KL")), ends, hairs).draw(canvas)
    (axes,) = canvas.axes
    assert axes.xaxis_inverted() and axes.yaxis_inverted()
    said = [text.get_text() for text in axes.texts]
    assert said.count("prior") == 2 and "people 1.000 →" in said and not any("nan" in text for text in said)


def test_a_bars_scale_holds_every_interval_and_its_anchor_with_better_to_the_right():
    span = span_of(np.array([0.2, np.nan, 0.9]))
    assert 0 < span.at(0.2) < span.at(0.9) < 100 and span.at(-5) == 0 and span.at(7) == 100
    assert (span.beyond(-5), span.beyond(0.5), span.beyond(7)) == ("◂", "", "▸")
    assert span_of(np.array([np.nan])) is None
    assert span_of(np.array([0.3, 0.4]), 0.0).at(0.0) == pytest.approx(3.7, abs=0.1)
    loss = span_of(np.array([0.2, 0.9]), 1.2, flipped=True)
    assert loss.at(1.2) < loss.at(0.9) < loss.at(0.2) and loss.beyond(7) == "◂"


@pytest.mark.slow
def test_a_site_replaces_a_site_and_nothing_else(stocked, views, tmp_path):
    def make(out):
        return build(out, stocked, views)

    make(tmp_path / "site")
    (tmp_path / "site" / "stale.html").write_text("old")
    first = {p.relative_to(tmp_path / "site"): p.read_bytes() for p in (tmp_path / "site").rglob("*") if p.is_file()}
    make(tmp_path / "site")
    again = {p.relative_to(tmp_path / "site"): p.read_bytes() for p in (tmp_path / "site").rglob("*") if p.is_file()}
    assert again == {k: v for k, v in first.items() if k.name != "stale.html"}
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.png").write_text("keep")
    with pytest.raises(InputError, match="is not a leaderboard site"):
        make(tmp_path / "photos")
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["me.png"]


@pytest.mark.slow
def test_without_the_data_there_are_no_pictures_and_the_page_says_so(stocked, views, tmp_path):
    build(tmp_path / "site", stocked, views)
    (page,) = (tmp_path / "site" / "submissions").glob("sim-0-9-*.html")
    assert "Pictures of single sessions need the task&#39;s data" in page.read_text()
    (page,) = (tmp_path / "site" / "submissions").glob("personal-*.html")
    assert "Revisits: this simulator 0%" in page.read_text() and "data:image" not in page.read_text()


@pytest.mark.slow
def test_drawn_paths_are_shown_next_to_the_recorded_one(mini, tmp_path):
    def read(raw, options, progress):
        found = mini_task.DEFINITION.read(raw, options, progress)
        looks = tuple(Fixation(slot, 100.0 * i, 50.0) for i, slot in enumerate((0, 1, 0, 3)))
        seen = {"fixations": looks, "gaze_ms": np.array([100.0, 50.0, 0.0, 50.0])}
        return dataclasses.replace(found, sessions=[dataclasses.replace(s, **seen) for s in found.sessions])

    task = mini_task.build(tmp_path, dataclasses.replace(mini_task.DEFINITION, read=read))
    one = dataclasses.replace(candidate("follows", task), paths={"u2-0": [[0, 1, 0, 1, 0, 1]]})
    submit(tmp_path / "board", [one], registry, now=AT)
    board = Board.open(tmp_path / "board")
    build(tmp_path / "site", board, views_of(board), {task.digests["loo"]: task})
    (page,) = (tmp_path / "site" / "submissions").glob("follows-*.html")
    text = page.read_text()
    # People go back once in 4 visits, the simulator 4 times in 6, of which the last 3 are not the recorded path's.
    assert "points are people&#39;s" in text and "Revisits: people 25%, this simulator 67%" in text
    assert text.count('<img class="paths" src="data:image/jpeg') == 1 and "session u2-0" in text and ">0.500<" in text


@pytest.mark.slow
def test_what_was_withdrawn_stays_readable(mini, tmp_path):
    from baselines import registry

    submit(tmp_path / "board", [candidate("kept", mini), candidate("gone", mini, "kfold")], registry, now=AT)
    board = Board.open(tmp_path / "board")
    withdraw(board, "gone@1", SCRIPT, now=AT)
    build(tmp_path / "site", board, views_of(board))
    text = " ".join(Page(tmp_path / "site" / "index.html").text)
    assert "gone@1" in text and "withdrawn" in text and SCRIPT in text


def test_an_empty_board_has_no_site(tmp_path):
    board = Board.create(tmp_path / "board")
    with pytest.raises(InputError, match="holds no active result"):
        build(tmp_path / "site", board, [])


@pytest.mark.parametrize(
    ("cost", "size", "shown"),
    [
        (
            "flops_estimated 3.86002e+11, peak_memory_bytes 7.36342e+08, seconds 90, seconds_fit 1.5, tokens 0",
            "1.785e+06",
            ("flops estimated 386 G, peak memory 702 MiB, time 1.5 min, time fit 1.5 s, tokens 0", "1.785 M"),
        ),
        ("two GPUs for a day", "4B", ("two GPUs for a day", "4B")),
        ("seconds 1e999, <b> 2", "1e+6000", ("seconds 1e999, <b> 2", "1e+6000")),
        ("", "", ("", "")),
    ],
)
def test_cost_and_size_are_shown_in_units_and_anything_else_as_it_was_sent(cost, size, shown):
    said = Metadata("x", "1", cost=cost, size=size)
    assert (cost_words(said), size_words(said)) == shown


def test_what_the_data_asks_to_be_said_is_not_said_again_by_the_simulator(mini, tmp_path):
    both = candidate("pocket", mini, notice=f"{mini.notice}; its backbone is a toy")
    submit(tmp_path / "board", [both], registry, now=AT)
    board = Board.open(tmp_path / "board")
    views = views_of(board)
    build(tmp_path / "site", board, views)
    (page,) = (tmp_path / "site" / "submissions").glob("pocket-*.html")
    text = page.read_text(encoding="utf-8")
    assert text.count(mini.notice) == 1 and text.count("its backbone is a toy") == 1
    assert board_documents.notices(views[0]) == [mini.notice, "pocket: its backbone is a toy"]
