"""What each process holds and how long a step takes: one process alone, ZeRO-2, ZeRO-3 and ZeRO-3 with offloading.

The model is a wide one of the pocket's classes with random weights in float32, on the CPU; each cell runs in processes
of its own, of which the largest counts. Parameters are counted by their storage. The other columns are what the system
says: anonymous memory after loading, against before it; how much higher memory rose in two training steps; seconds. The
gradient's difference is against the first row.

    python tests/performance/zero_memory.py
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

MIB = 2**20
CELLS = [("alone", 1)] + [(name, size) for name in ("zero2", "zero3", "zero3-offload") for size in (1, 2)]


def write_model(folder: Path, width: int, layers: int) -> None:
    """Write a random checkpoint."""
    import torch

    from baselines.pocket_training.architecture import Shape, build_tokenizer, new_model
    from baselines.pocket_training.training import write_checkpoint

    torch.manual_seed(0)
    tokenizer = build_tokenizer("pocket-qwen3vl")
    shape = Shape(width=width, layers=layers, heads=8, groups=4, feedforward=3 * width)
    write_checkpoint(new_model("pocket-qwen3vl", tokenizer, shape), tokenizer, "pocket-qwen3vl", folder)


def status(key: str) -> int:
    """Return a line of the system's report on this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"this system does not report {key}")


def cell(name: str, folder: Path, out: Path, sessions: int) -> None:
    """Run one process's part of a cell; the first process writes the row."""
    import numpy as np
    import torch

    from baselines.distributed import session
    from baselines.simulators import loaded
    from baselines.simulators.prompted import Fixate
    from tests.baselines.distributed import pages, worker
    from tests.baselines.distributed.worker import resident_bytes

    torch.set_num_threads(1)
    settings = dict(worker.STILL, batch_size=2, accumulation=sessions // 2)
    with session(name) if name != "alone" else nullcontext() as group:
        import transformers.modeling_utils  # noqa: F401  so that it is not counted as the model's

        before = status("RssAnon")
        model = loaded.load(str(folder), "float32").model
        held, resident = resident_bytes(model, group), status("RssAnon") - before
        Path("/proc/self/clear_refs").write_text("5")
        low = status("VmRSS")
        start = time.perf_counter()
        shown = pages.sessions(users=2, each=sessions)
        found = worker.gradient(Fixate(backbone=str(folder), dtype="float32", **settings), shown)
        row = {
            "parameters": held,
            "model": 4 * sum(p.numel() for p in model.parameters()),
            "resident": resident,
            "peak": status("VmHWM") - low,
            "seconds": (time.perf_counter() - start) / 2,
        }
        rows = [row] if group is None else group.jointly(lambda: row)
        if group is None or group.first:
            worst = {key: max(r[key] for r in rows) for key in row}
            np.savez(out, row=json.dumps(worst), gradient=np.concatenate(list(found.values())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--sessions", type=int, default=4, help="sessions per step; there are two steps")
    parser.add_argument("--cell", nargs=3, metavar=("NAME", "FOLDER", "OUT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.cell:
        cell(chosen.cell[0], Path(chosen.cell[1]), Path(chosen.cell[2]), chosen.sessions)
        return
    import numpy as np

    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "model"
        write_model(folder, chosen.width, chosen.layers)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GAZEBENCH_DEVICE": "cpu", "GAZEBENCH_CACHE": work}
        first: tuple[dict[str, float], np.ndarray] | None = None
        heads = ("parameters held", "after loading", "highest in a step", "seconds a step", "gradient")
        print(f"{'':28s}" + "".join(f"{head:>20s}" for head in heads))
        for name, size in CELLS:
            out = Path(work) / f"{name}-{size}.npz"
            launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={size}", "--standalone"] if size > 1 else []
            command = [sys.executable, *launcher, __file__, "--sessions", str(chosen.sessions)]
            subprocess.run([*command, "--cell", name, str(folder), str(out)], env=environment, check=True)
            with np.load(out) as file:
                row, gradient = json.loads(str(file["row"])), file["gradient"]
            if first is None:
                first = row, gradient
                print(f"the model's parameters: {row['model'] / MIB:.0f} MiB; in brackets against the first row")
            cells = [
                f"{row[key] / MIB:8.0f} MiB ({row[key] / first[0][key]:4.2f})"
                for key in ("parameters", "resident", "peak")
            ]
            cells.append(f"{row['seconds']:8.1f} ({row['seconds'] / first[0]['seconds']:4.2f})")
            away = np.linalg.norm(gradient - first[1]) / np.linalg.norm(first[1])
            label = f"{name}, {size} process{'es' if size > 1 else ''}"
            print(f"{label:28s}" + "".join(f"{text:>20s}" for text in [*cells, f"{away:.1e}"]), flush=True)


if __name__ == "__main__":
    main()
