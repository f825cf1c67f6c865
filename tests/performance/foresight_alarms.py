"""How near the simulators of a run come to what ``doctor`` calls a leak of next visits.

python tests/performance/foresight_alarms.py runs/order --task recgaze --data sample
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmark.scores import predictions, reading, results, tested  # noqa: E402
from submissions.checks import foresight  # noqa: E402
from tasks.registry import load  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", default="sample")
    options = parser.parse_args()
    found = results.read(options.run)
    sessions = tested.of_task(load(found.task, options.data), found.split)
    table = reading.stored(options.run / "predictions.parquet")
    print(f"{found.task} {found.version}, {found.split}: likeliest of moves (leak: {foresight.HITS:.0%}), ends, copies")
    for row in found.simulators:
        said = predictions.chosen(table, simulator=row.name)
        cells = predictions.cells_of(said)["next_visit"]
        rows = np.flatnonzero(cells.present)
        if len(rows):
            signs = foresight.signs(cells, rows, sessions.places(said["session_id"].combine_chunks())[rows], sessions)
            print(
                f"  {row.name:24} {signs.hits / max(signs.moves, 1):7.1%} of {signs.moves:6}"
                f" {signs.ends.mean():7.1%} {signs.copied.mean():7.1%} of {len(signs.ends)}"
            )


if __name__ == "__main__":
    main()
