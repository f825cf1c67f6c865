"""What the files of a figure look like: readable, inside the page, honest about stand-ins, the same every time."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import itertools
import json

import matplotlib
import pytest
from PIL import Image

from benchmark.cli import options, reproduce
from benchmark.output import figure_style as style
from benchmark.output.figure_style import encode
from benchmark.output.rendering import render
from benchmark.reproduction.figures import KINDS
from benchmark.reproduction.figures.base import figure_document
from benchmark.reproduction.printing import write_files
from tasks.errors import InputError
from tests.benchmark.reproduction.test_figures import RANKS, figures, folder, read  # noqa: F401
from tests.latex import AWKWARD, compiles

pytestmark = pytest.mark.slow

KIND = pytest.mark.parametrize("kind", sorted(set(KINDS) - {"paths"}))  # the toy task has no recorded paths


def texts(canvas):
    """Return the visible texts of a drawn canvas with their boxes in pixels."""
    canvas.draw_without_rendering()
    found = [t for t in canvas.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text().strip()]
    for axis in (axis for axes in canvas.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        beyond = [tick for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]
        found = [t for t in found if all(t is not tick.label1 for tick in beyond)]  # never drawn
    return [(t, t.get_window_extent()) for t in found]


@KIND
def test_text_is_readable_inside_the_page_and_apart(kind, figures):  # noqa: F811
    for figure in figures[kind][2]:
        with style.drawn(figure) as canvas:
            found = texts(canvas)
            page = canvas.bbox
            assert canvas.get_figwidth() * 2.54 == pytest.approx(8.4)
            assert len(found) > 4 and all(t.get_fontsize() >= 7 for t, _ in found)
            for text, box in found:
                inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1
                assert inside, f"{text.get_text()!r} is cut off"
            for (one, a), (other, b) in itertools.combinations(found, 2):
                if one.axes is not None and one.axes is other.axes and kind == "examples":
                    continue  # numbers of neighbouring slots stand on the toy's tiny screens
                wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
                assert wide <= 1 or high <= 1, f"{one.get_text()!r} overlaps {other.get_text()!r}"


@KIND
def test_picture_and_captions_name_stand_ins_and_simulated_data(kind, figures):  # noqa: F811
    for figure in figures[kind][2]:
        expected = ["simulated: seven invented users"]
        if kind != "ranks":
            expected += ["pocket-qwen3vl for qwen3-vl", "pocket-qwen3vl is a toy"]
        with style.drawn(figure) as canvas:
            drawn = " ".join(t.get_text() for t, _ in texts(canvas)).replace("\n", " ")
        for form in ("terminal", "markdown", "latex", "json"):
            assert all(line in render(figure_document(figure), form) for line in expected)
        lines = list(csv.DictReader(io.StringIO(render(figure_document(figure), "csv"))))
        assert {line["notice"] for line in lines} == {
            "simulated data" if kind == "ranks" else "simulated data; stand-in backbone"
        }
        assert all(line in drawn for line in expected)
        assert drawn.count("seven invented users") == 1  # in the picture each thing once


def test_the_picture_without_stand_ins_has_no_notes(figures):  # noqa: F811
    (figure,) = figures["ranks"][2]
    bare = dataclasses.replace(figure, captions=("plain",))
    with style.drawn(figure) as noted, style.drawn(bare) as plain:
        assert noted.get_figheight() > plain.get_figheight() == pytest.approx(figure.picture.height / 2.54)


@KIND
def test_files_are_the_same_every_time_whatever_the_users_settings(kind, figures):  # noqa: F811
    figure = figures[kind][2][0]
    first = encode(figure)
    with matplotlib.rc_context({"font.size": 20, "svg.hashsalt": None, "axes.facecolor": "red"}):
        assert encode(figure) == first
        assert matplotlib.rcParams["font.size"] == 20
    assert b"<dc:date>" not in first["svg"] and first["svg"].startswith(b"<?xml")
    image = Image.open(io.BytesIO(first["png"]))
    assert image.width == pytest.approx(8.4 / 2.54 * 300, abs=1) and not {"Software", "Creation Time"} & set(image.info)


@KIND
def test_a_figure_is_written_in_every_format_with_the_data_behind_it(kind, figures, tmp_path):  # noqa: F811
    for figure in figures[kind][2]:
        paths = write_files(tmp_path, figure_document(figure), encode(figure))
        assert [p.suffix for p in paths] == [".svg", ".png", ".pdf", ".txt", ".md", ".tex", ".csv", ".json"]
        assert {p.stem for p in paths} == {figure.name}
        record = json.loads((tmp_path / f"{figure.name}.json").read_text())
        rows = list(csv.DictReader(io.StringIO((tmp_path / f"{figure.name}.csv").read_text())))
        assert set(record["settings"]) == set(record["identities"])
        assert len(rows) == len(record["data"]) == len(figure.records) > 0
        used = {identity for found in record["identities"].values() for identity in found}
        assert {i for row in rows for i in row["trials"].split()} == used
        assert record["digests"] == dict(figure.digests) and bool(used) == (kind != "ranks")
        assert f"{figure.name}.svg" in (tmp_path / f"{figure.name}.md").read_text()
        latex = (tmp_path / f"{figure.name}.tex").read_text()
        assert latex.count("{") == latex.count("}") and f"{{{figure.name}.pdf}}" in latex


def test_the_figures_compile_with_their_pictures(figures, tmp_path):  # noqa: F811
    bodies = []
    for _, _, drawn in figures.values():
        for figure in drawn[:1]:
            awkward = dataclasses.replace(figure, title=AWKWARD)
            write_files(tmp_path, figure_document(awkward), encode(awkward))
            bodies.append((tmp_path / f"{figure.name}.tex").read_text())
    assert len(bodies) == 4
    compiles("\n".join(bodies), tmp_path)


def test_an_unknown_format_is_refused(figures):  # noqa: F811
    with pytest.raises(InputError, match="Did you mean 'latex'"):
        render(figure_document(figures["ranks"][2][0]), "latx")


def test_lines_are_broken_by_their_width():
    lines = style.wrap("one two three four five six seven eight nine ten", 60)
    assert len(lines) > 2 and " ".join(lines).split()[-1] == "ten"
    assert style.wrap("incomprehensibilities", 5) == ["incomprehensibilities"] and style.wrap("", 50) == []


@pytest.fixture
def call(monkeypatch, mini, tmp_path):
    """Return the verb with one figure of the small task in place of the shipped layouts."""
    layout = read(RANKS, tmp_path, "small-ranks")
    monkeypatch.setattr("benchmark.reproduction.figures.figure_layouts", lambda: [layout])
    monkeypatch.setattr(options, "load_task", lambda name, *how: mini)

    def called(*words):
        parser = argparse.ArgumentParser()
        reproduce.add_arguments(parser.add_argument)
        return reproduce.call(parser.parse_args([*words, "--out", str(tmp_path / "out")]))

    return called


def test_a_part_with_figures_alone(call, capsys, tmp_path):
    assert call("toys", "--format", "markdown") == 0
    assert "![Toys](small-ranks.svg)" in capsys.readouterr().out
    assert {p.name for p in (tmp_path / "out").glob("small-ranks.*")} == {
        f"small-ranks.{suffix}" for suffix in ("svg", "png", "pdf", "txt", "md", "tex", "csv", "json")
    }


def test_a_part_or_a_setting_that_is_not_there(call):
    with pytest.raises(InputError, match="Did you mean 'toys'"):
        call("toy")
    with pytest.raises(InputError, match="unknown setting 'epoch'"):
        call("main", "--set", "epoch=1")
