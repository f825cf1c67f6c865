"""The verb, on the simulated result pages: what is printed, written, refused."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from benchmark.cli import main
from benchmark.stress import records


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "run"
    names = "position-prior,user-prior,gaze-oracle"
    assert main(["run", "--task", "adserp", "--simulators", names, "--seeds", "42", "--out", str(out)]) == 0
    return out


@pytest.mark.slow
def test_without_a_flag_every_test_is_made(run, tmp_path, capsys):
    assert main(["stress", str(run), "--screens", str(tmp_path / "screens")]) == 0
    shown, said = capsys.readouterr()
    assert shown.startswith("adserp, split loo: stress tests, seed 0\nNOTE: Simulated sample, not AdSERP")
    for test in ("relabel", "swap-users", "label-leak", "layout"):
        assert f"\n{test}: " in shown
    assert "position-prior: No prediction changes when the user does: it ignores who the user is." in shown
    assert "user-prior: It computes no attention for a label that it is offered." in shown
    assert "gaze-oracle: An oracle is handed the recording itself" in shown
    line = next(r for r in records.read(run).rows if r.measure == "answer stays with the content")
    assert line.value == 1 and "only the horizontal position has changed" in shown + str(records.read(run))
    assert not [r for r in records.read(run).rows if r.measure == "answer stays with the place"]
    pictures = sorted((tmp_path / "screens").glob("*.png"))
    with Image.open(pictures[0]) as picture:
        assert len(pictures) == 12 and picture.size == (640, 512)
    assert "written to" in said


def test_one_test_of_one_simulator_as_json(run, capsys):
    for _ in range(2):
        assert main(["stress", str(run), "--simulators", "user-prior", "--swap-users", "--json"]) == 0
        shown, said = capsys.readouterr()
    found = json.loads(shown)
    assert found["schema_version"] == 1 and found["task"] == "adserp" and found["notice"]
    measures = [r["measure"] for r in found["rows"] if (r["test"], r["simulator"]) == ("swap-users", "user-prior")]
    assert measures[:3] == ["KL↓: own minus swapped", "KL↓ swapped", "KL↓: own minus position-prior"]
    assert "user-prior, seed" not in said  # made before, kept


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--simulators", "fixate"], "unknown simulator"),
        (["--transfer", "adserp"], "the run was made on that task"),
        (["--transfer", "recgase"], "Did you mean 'recgaze'"),
        (["--seed", "-1"], "at least 0"),
        (["--relable"], "Did you mean '--relabel'"),
        (["--data", "nowhere"], "there is no folder"),
    ],
)
def test_bad_input_is_one_line(run, capsys, arguments, told):
    assert main(["stress", str(run), *arguments]) == 2
    shown, said = capsys.readouterr()
    assert shown == "" and said.splitlines()[-1].startswith("error: ") and told in said


def test_a_folder_without_a_run(tmp_path, capsys):
    assert main(["stress", str(tmp_path)]) == 2
    assert "holds no finished run" in capsys.readouterr().err
