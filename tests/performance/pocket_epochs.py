"""Time of an epoch of prompt tuning on the shipped stand-ins, next to those of an earlier commit.

    python tests/performance/pocket_epochs.py --before COMMIT

The earlier weights are taken from the repository's history. Both are tuned on the same sessions by today's code, in
turns; given is the processor time of the quickest epoch of each.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from baselines.backbones.loading import load_backbone  # noqa: E402
from baselines.backbones.pocket import NAMES, WEIGHTS  # noqa: E402
from baselines.tuning.settings import TuningSettings  # noqa: E402
from tasks.errors import InputError  # noqa: E402
from tests.baselines.distributed import pages  # noqa: E402
from tests.performance.printing import script  # noqa: E402
from tests.performance.tuning_cost import seconds, sessions, training  # noqa: E402

ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True, help="commit of the earlier weights")
    parser.add_argument("--sessions", type=int, default=480)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    settings = TuningSettings(batch_size=8, accumulation=1, validation=0.0)
    shown = sessions(chosen.sessions, 80, pages.screens(35))
    with tempfile.TemporaryDirectory() as scratch:
        folder = WEIGHTS.relative_to(ROOT)
        archive = subprocess.run(
            ["git", "-C", str(ROOT), "archive", chosen.before, str(folder)], check=False, capture_output=True
        )
        if archive.returncode:
            raise InputError(f"no weights at commit {chosen.before}: {archive.stderr.decode().strip()}.")
        tarfile.open(fileobj=io.BytesIO(archive.stdout)).extractall(scratch, filter="data")
        for name in NAMES:
            calls, found = {}, {}
            for when, weights in (("before", Path(scratch) / folder / name), ("now", WEIGHTS / name)):
                backbone = load_backbone(weights, device="cpu", dtype="float32", features=None)
                calls[when], length = training(backbone, settings, shown, 80)
                found[when] = [length, float("inf")]
            for _ in range(chosen.rounds):
                for when, call in calls.items():
                    found[when][1] = min(found[when][1], seconds(call, 1))
            (before, old), (now, new) = found["before"], found["now"]
            print(
                f"{name}: {chosen.sessions} sessions, sequences of {before} and {now} tokens: "
                f"{old:.1f} s before, {new:.1f} s now, {new / old:.2f} times"
            )


if __name__ == "__main__":
    script(main)
