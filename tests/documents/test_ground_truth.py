"""The script behind ``docs/ground-truth.md``, on a few recorded trials."""

from __future__ import annotations

import importlib.util
import json
import shutil

import pytest

from tests.documents.blocks import ROOT

REPLAY = ROOT.parent / "shared" / "data" / "adserp" / "replay" / "trials"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("ground_truth_document", ROOT / "docs" / "ground_truth.py")
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module  # its dataclass looks its module up
    spec.loader.exec_module(module)
    return module


def test_markers_hold_what_is_new(script):
    page = "a\n<!-- table -->\nold\n<!-- end of table -->\nb"
    assert script.between(page, "table", "new") == "a\n<!-- table -->\n\nnew\n\n<!-- end of table -->\nb"
    with pytest.raises(SystemExit, match="no markers"):
        script.between("a", "table", "new")


@pytest.mark.slow
def test_figures_numbers_and_tables_come_from_the_trials(script, own_cache, tmp_path, monkeypatch, capsys):
    if not REPLAY.is_dir():
        pytest.skip("the recorded AdSERP trials (shared/data/adserp) are not here")
    chosen = {}
    for path in sorted(REPLAY.glob("*.json")):
        chosen.setdefault(path.stem.split("-")[0], []).append(path)
    chosen = [path for paths in chosen.values() if len(paths) > 1 for path in paths][:6]
    (tmp_path / "data" / "trials").mkdir(parents=True)
    (tmp_path / "data" / "png").mkdir()
    for path in chosen:
        shutil.copy(path, tmp_path / "data" / "trials")
        shutil.copy(path.parents[1] / json.loads(path.read_text())["screenshot"], tmp_path / "data" / "png")
    several = [
        sum(event["event"] == "click" for event in json.loads(path.read_text())["cursor"]) > 1 for path in chosen
    ]
    docs = tmp_path / "docs"
    docs.mkdir()
    shutil.copy(ROOT / "docs" / "ground-truth.md", docs)
    monkeypatch.setattr(script, "DOCS", docs)
    assert script.main(["--data", str(tmp_path / "data")]) == 0
    printed = capsys.readouterr().out
    assert f"- {len(chosen)} trials with a click." in printed
    assert f"- {sum(several)} trials have several clicks" in printed
    page = (docs / "ground-truth.md").read_text()
    assert printed.count("| (cursor-oracle) |") == 2 == page.count("| (cursor-oracle) |")
    assert all(line in page for line in printed.splitlines())
    figures = sorted(docs.glob("figures/*.svg"))
    assert [path.stem for path in figures] == ["truth-density", "truth-dismissed", "truth-last-visit", "truth-time"]
    assert all(path.read_text().count("<svg") == 1 for path in figures)
