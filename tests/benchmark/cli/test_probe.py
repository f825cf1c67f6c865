"""The verbs about backbones, on a tiny random model of a real architecture."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from PIL import Image

from benchmark.cli import main
from tests.baselines.backbones import tiny


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe") / "tiny"
    tiny.save("qwen3_vl", folder, notice="tiny is a random stand-in")
    return folder


@pytest.fixture(scope="module")
def session(own_cache):
    from tasks import load

    return load("adserp", "sample").session(0)


def probe(checkpoint, session, tmp_path, *more):
    out = tmp_path / "probe.png"
    argv = ["probe", "--backbone", str(checkpoint), "--task", "adserp", "--data", "sample"]
    return main([*argv, "--session", session.session_id, "--out", str(out), *more]), out


@pytest.mark.parametrize("operator", ["rollout", "attnlrp-stable", "glimpse"])
def test_probe_prints_the_slots_and_draws_them(checkpoint, session, tmp_path, capsys, operator):
    status, out = probe(checkpoint, session, tmp_path, "--operator", operator, "--json")
    assert status == 0
    found = json.loads(capsys.readouterr().out)
    slots = pd.DataFrame(found["slots"])
    assert slots.slot.tolist() == [slot.label for slot in session.slots]
    assert slots.gaze.tolist() == pytest.approx(session.gaze.tolist())
    assert slots.attention.sum() == pytest.approx(1) and slots.probability.sum() == pytest.approx(1)
    assert slots.clicked.to_numpy().nonzero()[0].tolist() == [session.click] and slots.answer.sum() == 1
    assert "simulated" in found["notice"] and "random stand-in" in found["notice"]
    with Image.open(out) as picture:
        assert picture.format == "PNG" and picture.width > 1000


def test_probe_as_a_table_names_what_is_a_stand_in(checkpoint, session, tmp_path, capsys):
    own = tmp_path / "own.py"  # an operator in a file is one like any other
    own.write_text(
        "import dataclasses\nfrom baselines.probing.registry import info\n"
        "OPERATOR = dataclasses.replace(info('rollout'), name='mine')\n"
    )
    status, out = probe(checkpoint, session, tmp_path, "--operator", f"{own}:OPERATOR")
    text = capsys.readouterr().out
    assert status == 0 and text.startswith("NOTE: ") and "random stand-in" in text and text.endswith(f"{out}\n")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--operator", "glimps"], "Did you mean 'glimpse'?"),
        (["--operator", "gaze-heads"], "chosen on training sessions"),
        (["--target", "lable"], "Did you mean 'label'?"),
        (["--out", "x.jpg"], "must end in .png"),
        (["--backbone", "qwen3vl"], "Did you mean 'qwen3-vl'?"),
        (["--session", "nobody"], "unknown session 'nobody'"),
    ],
)
def test_probe_refuses_what_it_cannot_do(checkpoint, session, tmp_path, capsys, more, message):
    status, out = probe(checkpoint, session, tmp_path, *more)
    said = capsys.readouterr().err
    assert status == 2 and message in said and said.count("\n") == 1 and not out.exists()


def test_backbone_info(checkpoint, capsys):
    assert main(["backbone", "info", str(checkpoint)]) == 0
    assert "random stand-in" in capsys.readouterr().out
    assert main(["backbone", "info", str(checkpoint), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model_type"] == "qwen3_vl" and found["parameters"] > 0 and len(found["fingerprint"]) == 64


@pytest.mark.parametrize(
    ("argv", "message"),
    [(["inof", "qwen3-vl"], "Did you mean 'info'?"), (["info", "pocket"], "unknown backbone 'pocket'")],
)
def test_backbone_refuses_mistakes(capsys, argv, message):
    assert main(["backbone", *argv]) == 2
    assert message in capsys.readouterr().err
