"""The cases of ``worker`` run by one process alone, by a group of one, and by a group of two."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.baselines.backbones import tiny

WORKER = Path(__file__).with_name("worker.py")
NEEDS = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None,
    reason="deepspeed is not installed: pip install deepspeed",
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A random checkpoint whose tokenizer writes numbers digit by digit."""
    return tiny.save("qwen3_vl", tmp_path_factory.mktemp("distributed"))


@pytest.fixture(scope="session")
def together(folder, tmp_path_factory):
    """What groups of 1 and 2 processes found: size -> ``configuration/case/key`` -> array."""
    out = tmp_path_factory.mktemp("found")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GAZEBENCH_CACHE": str(out / "cache")}
    started = {
        size: subprocess.Popen(
            [sys.executable, *command, str(WORKER), str(out / f"{size}.npz"), str(folder)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for size, command in ((1, []), (2, torchrun))
    }
    try:
        said = {size: process.communicate(timeout=600)[0] for size, process in started.items()}
    finally:
        for process in started.values():
            process.kill()
            process.communicate()
    for size, process in started.items():
        assert process.returncode == 0, said[size]
    return {size: dict(np.load(out / f"{size}.npz")) for size in started}


@pytest.fixture(scope="session")
def alone(folder):
    """What a process finds that is in no group, by case and key; cases run when they are asked for."""
    import torch

    from tests.baselines.distributed import worker

    torch.set_num_threads(1)
    cases, found = worker.cases(folder), {}

    def run(case):
        if case not in found:
            found[case] = cases[case][1]()
        return found[case]

    return run
