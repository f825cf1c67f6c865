"""Memory of a trial on a task of many sessions with many slots: peak of the process, stage by stage.

    python tests/performance/many_sessions.py --sessions 100000 --slots 200

The sessions are made up, without screens, and lie in a file that is mapped, as those of every large task are; the first
column is gigabytes (2^30) of resident memory.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[2]))

from datasets import Dataset  # noqa: E402

from baselines import registry  # noqa: E402
from benchmark.engines.resources import forget_peaks, peak_resident  # noqa: E402
from benchmark.runs.runner import run  # noqa: E402
from benchmark.trials.configuration import RunConfig  # noqa: E402
from tasks.splits import Split  # noqa: E402
from tests import mini  # noqa: E402


def lists(values: pa.Array, slots: int) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.arange(0, len(values) + 1, slots, dtype=np.int32)), values)


CHUNK = 5000


def chunk(image: pa.DataType, first: int, slots: int) -> pa.Table:
    """Return made-up sessions."""
    rng, sessions = np.random.default_rng(first), CHUNK
    count = sessions * slots
    words = pa.array([f"result number {i} of some page, with a title of usual length" for i in range(1000)])
    box = lists(pa.array(rng.integers(0, 1000, 4 * count).astype(np.float64)), 4)
    slot = pa.StructArray.from_arrays(
        [
            pa.array([str(i) for i in range(slots)]).take(pa.array(np.tile(np.arange(slots), sessions))),
            pa.array(["organic_result"]).take(pa.array(np.zeros(count, dtype=np.int64))),
            words.take(pa.array(rng.integers(0, 1000, count))),
            box,
        ],
        names=["label", "kind", "text", "box"],
    )
    gaze = rng.exponential(100.0, count)
    known = {
        "session_id": pa.array([f"s{first + i}" for i in range(sessions)]),
        "user": pa.array([f"u{i % 1000}" for i in range(sessions)]),
        "screen": pa.array([f"q{i % 5000}" for i in range(sessions)]),
        "image": pa.nulls(sessions, image),
        "profile": pa.array([""] * sessions),
        "slots": lists(slot, slots),
        "gaze_ms": lists(pa.array(gaze), slots),
        "cursor_ms": lists(pa.array(gaze[::-1].copy()), slots),
        "click": pa.array(rng.integers(0, slots, sessions)),
        "flags": pa.array([[]] * sessions, pa.list_(pa.string())),
    }
    return pa.table(known)


def write(path: Path, image: pa.DataType, sessions: int, slots: int) -> None:
    """Write made-up sessions."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, chunk(image, 0, slots).schema) as writer:
        for low in range(0, sessions, CHUNK):
            writer.write_table(chunk(image, low, slots))


def large(task, sessions: int, slots: int, path: Path):
    """Return a task with made-up sessions in place of its own, a tenth of them for testing."""
    # In a process of its own, whose memory does not count.
    image = task.sessions.data.schema.field("image").type
    maker = multiprocessing.get_context("spawn").Process(target=write, args=(path, image, sessions, slots))
    maker.start()
    maker.join()
    table = Dataset(pa.ipc.open_file(pa.memory_map(str(path))).read_all(), fingerprint="many")
    order = np.random.default_rng(0).permutation(sessions)
    fold = (np.sort(order[sessions // 10 :]), np.sort(order[: sessions // 10]))
    return dataclasses.replace(task, sessions=table, splits={"loo": Split("loo", [fold])})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--slots", type=int, default=200)
    parser.add_argument("--simulators", nargs="+", default=["uniform", "position-prior", "user-prior"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        task = large(mini.build(Path(folder)), arguments.sessions, arguments.slots, Path(folder) / "sessions.arrow")
        print(f"{peak_resident() / 2**30:6.2f}  the table", flush=True)
        forget_peaks()
        task.session(0)
        print(f"{peak_resident() / 2**30:6.2f}  sessions open", flush=True)
        forget_peaks()
        names = tuple(arguments.simulators)
        run(RunConfig("mini", simulators=names, reference=names[0]), task, registry, Path(folder) / "run")
        print(f"{peak_resident() / 2**30:6.2f}  {len(names)} trials, scored")


if __name__ == "__main__":
    main()
