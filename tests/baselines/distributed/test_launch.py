"""Entering a group: what is missing is named in one line."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from baselines.distributed import launch, session
from baselines.distributed.group import current
from tasks.errors import InputError

LAUNCHED = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


@pytest.fixture
def no_launcher(monkeypatch):
    for name in LAUNCHED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GAZEBENCH_DEVICE", "cpu")


def test_without_deepspeed_one_line_says_how_to_get_it(no_launcher, monkeypatch):
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    with pytest.raises(InputError, match=r"pip install deepspeed"), session("zero2"):
        raise AssertionError("entered")
    assert current() is None


def test_the_engine_ray_says_it_before_anything_is_started(monkeypatch, capsys):
    from benchmark.cli import main

    pytest.importorskip("ray")
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    asked = ["run", "--task", "recgaze", "--simulators", "fixate", "--deepspeed", "zero3", "--engine", "ray"]
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "pip install deepspeed" in said


def test_verbs_without_the_option_refuse_a_configuration_with_it():
    from benchmark.cli.options import make_engine

    bare = argparse.Namespace(engine="ray", address=None, workers=None, cpus=None, gpus=None)
    with pytest.raises(InputError, match="deepspeed is for the verb 'run' alone"):
        make_engine(bare, {"deepspeed": "zero3"})


def test_an_incomplete_launcher_is_named(no_launcher, monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"):
        monkeypatch.setenv(name, LAUNCHED[name])
    with pytest.raises(InputError, match="lacks LOCAL_RANK, MASTER_PORT.*torchrun"), session("zero2"):
        raise AssertionError("entered")


def test_a_launcher_is_taken_at_its_word_and_none_makes_a_group_of_one():
    assert launch._launched(LAUNCHED) == (LAUNCHED, True)
    alone, launched = launch._launched({})
    assert (alone["RANK"], alone["LOCAL_RANK"], alone["WORLD_SIZE"]) == ("0", "0", "1") and not launched


def test_more_processes_than_gpus(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setenv("GAZEBENCH_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert launch._device(0) == "cuda:0"
    with pytest.raises(InputError, match="process 1 of this machine has no GPU: there are 1"):
        launch._device(1)


def test_reading_configurations_imports_neither_torch_nor_deepspeed():
    code = "import sys; from baselines.distributed import names, read; read(names()[0]); "
    code += "sys.exit(any(m in sys.modules for m in ('torch', 'deepspeed', 'transformers')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0
