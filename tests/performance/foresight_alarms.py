"""How near the simulators of a run come to what ``doctor`` calls suspicious (1) and a leak (2).

python tests/performance/foresight_alarms.py runs/order --task recgaze --data sample
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmark.scores import checking, predictions, reading, results, tested  # noqa: E402
from submissions.checks import foresight  # noqa: E402
from tasks.registry import load  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", default="sample")
    options = parser.parse_args()
    found = results.read(options.run)
    task = load(found.task, options.data)
    table = reading.stored(options.run / "predictions.parquet")
    print(f"{found.task} {found.version}, {found.split}: the clearest clue of each part")
    for row in found.simulators:
        said = predictions.chosen(table, simulator=row.name)
        if len(said):
            checked = checking.checked(predictions.raw(said), tested.of_task(task, found.split))
            clues = foresight.clues(task, found.split, [checked], labelled=False)
            print(f"  {row.name:24}", *(f"{c.part} {c.rule} {c.number:.2f} ({c.found});" for c in clues))


if __name__ == "__main__":
    main()
