"""The verb ``reproduce`` from its words to its files."""

from __future__ import annotations

import argparse
import csv
import json

import pytest

import baselines.registry
from benchmark.cli import options, reproduce
from benchmark.reproduction.section import read_layout
from tasks.errors import InputError
from tests.baselines.backbones import tiny
from tests.benchmark.reproduction.test_tables import LAYOUT, Catalogue

SIGNIFICANCE = LAYOUT.replace("  part: main", "  part: main\n  kind: significance").replace(
    "{still: Still, moving: Moving}\n", "{moving: Moving}\n"
)


@pytest.fixture
def call(monkeypatch, mini, tmp_path):
    """Return the verb with two tables of the toys in place of the shipped layouts and simulators."""
    monkeypatch.setattr("benchmark.reproduction.figures.figure_layouts", list)
    monkeypatch.setattr(baselines, "registry", Catalogue())
    monkeypatch.setattr(options, "load_task", lambda name, *how: mini)
    found = []
    for name, text in (
        ("toys", LAYOUT),
        ("toys-significance", SIGNIFICANCE.replace("  improvement: [moving, still]\n", "")),
    ):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        found.append(read_layout(path))
    monkeypatch.setattr("benchmark.reproduction.section.layouts", lambda: found)

    def called(*words):
        parser = argparse.ArgumentParser()
        reproduce.add_arguments(parser.add_argument)
        return reproduce.call(parser.parse_args(["main", *words, "--out", str(tmp_path / "out")]))

    return called


@pytest.mark.slow
def test_tables_say_what_was_moved_and_what_ran(call, capsys, tmp_path):
    assert call("--preset", "quick", "--set", "epochs=1", "lambda=2") == 0
    printed = capsys.readouterr().out
    assert printed.count("NOTE: Preset quick, 2 seeds and at most 1 epoch: too few for conclusions.") == 2
    assert printed.count("NOTE: Settings moved with --set: epochs=1, lambda=2.") == 2
    record = json.loads((tmp_path / "out" / "toys.json").read_text())
    assert record["moved"] == {"epochs": 1, "lambda": 2} and record["rows"][1]["settings"]["lambda"] == 2
    seen = record["backbones"]["qwen3-vl"]
    assert (seen["used"], seen["model_type"], len(seen["fingerprint"])) == ("pocket-qwen3vl", "qwen3_vl", 64)
    assert f"fingerprint {seen['fingerprint'][:8]}" in printed
    with (tmp_path / "out" / "toys.csv").open(encoding="utf-8") as file:
        notices = {line["notice"] for line in csv.DictReader(file)}
    assert all(notice.endswith("preset quick; settings moved") for notice in notices)


@pytest.mark.slow
def test_a_table_of_nothing_is_not_written_and_the_others_say_what_is_missing(call, capsys, tmp_path):
    assert call("--set", "lambda=-1") == 1
    printed, said = capsys.readouterr()
    assert {path.name for path in (tmp_path / "out").glob("toys*")} == {
        f"toys.{suffix}" for suffix in ("txt", "md", "tex", "csv", "json")
    }
    assert "table toys-significance is not written: missing is moving of pocket-qwen3vl, glimpse (3 of 3" in said
    assert "NOTE: Missing: Moving of pocket-qwen3vl, glimpse (3 of 3 trials failed);" in printed
    assert "improvement" not in printed


@pytest.mark.slow
def test_a_folder_is_no_stand_in_but_named_with_its_size(call, capsys, tmp_path):
    tiny.save("qwen3_vl", tmp_path / "mine")
    assert call("--backbone", f"qwen3-vl={tmp_path / 'mine'}") == 0
    printed = capsys.readouterr().out
    assert f"Checkpoints: qwen3-vl = {tmp_path / 'mine'} (qwen3_vl, " in printed and "Stand-in" not in printed
    assert f"NOTE: {tmp_path / 'mine'} has " in printed and "it is not the published model." in printed


def test_a_folder_of_another_architecture_is_refused_before_anything_runs(call, tmp_path, monkeypatch):
    tiny.save("internvl", tmp_path / "mine")
    with pytest.raises(InputError, match="holds a model of type internvl, but qwen3-vl is of type qwen3_vl"):
        call("--backbone", f"qwen3-vl={tmp_path / 'mine'}")
    assert not (tmp_path / "out").exists()
