"""What each deviation from the paper and its reference implementation does to the numbers.

    python tests/performance/deviation_effects.py --data DIR [--only NAME ...] [--write]

Every deviation of docs/deviations.md is measured both ways on the same data or predictions: ``there`` as the paper or
its reference implementation is described (where neither says, the plainest other way), ``here`` as the suite does it.
DIR is a folder of AdSERP's replay layout, with the raw layout in ``raw`` next to it or in --raw. Everything else is
measured on the built-in sample, which is simulated, and on the pocket backbone, which is a stand-in: such numbers tell
how far a choice can move a number, not how far it moves that of a published model.

A difference has the half width of its 95 % t interval over users where both sides have the same sessions. Seeds are
fixed; one thread. --write puts what was measured into the document.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.performance import printing  # noqa: E402
from tests.performance.deviations.document import cell, filled  # noqa: E402
from tests.performance.deviations.listing import DEVIATIONS  # noqa: E402
from tests.performance.deviations.material import Material  # noqa: E402
from tests.performance.deviations.measuring import Deviation  # noqa: E402

DOCUMENT = ROOT / "docs" / "deviations.md"
DATA = ROOT.parent / "shared" / "data" / "adserp" / "replay"
HEADERS = ("deviation", "data", "compared", "there", "here", "difference", "n")


def measure(deviation: Deviation, material: Material) -> tuple[list[tuple[str, ...]], str | None]:
    """Return the lines of a deviation's table and its cell of the document, None where data is missing."""
    lacking = [need for need in sorted(deviation.needs) if not material.has(need)]
    if lacking:
        option = "--data" if "adserp" in lacking else "--raw"
        return [(deviation.name, "", f"skipped: needs {option}", "", "", "", "")], None
    effects = deviation.effects(material)
    lines = [
        (deviation.name, e.data, e.what, e.shown(e.there), e.shown(e.here), e.shown_difference(), e.size)
        for e in effects
    ]
    if deviation.unmeasured:
        lines.append((deviation.name, "", f"not measurable here: {deviation.unmeasured}", "", "", "", ""))
    return lines, cell(deviation, effects)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of AdSERP's replay layout")
    parser.add_argument("--raw", type=Path, help="folder of AdSERP's raw layout; default: 'raw' next to --data")
    names = [deviation.name for deviation in DEVIATIONS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help="measure only these")
    parser.add_argument("--write", action="store_true", help="put the effects into docs/deviations.md")
    options = parser.parse_args()
    if options.data is not None and not (options.data / "trials").is_dir():
        parser.error(f"{options.data} holds no folder trials; give a folder of AdSERP's replay layout.")
    if options.raw is not None and not (options.raw / "mouse-movement-data").is_dir():
        parser.error(f"{options.raw} holds no folder mouse-movement-data; give a folder of AdSERP's raw layout.")
    replay = options.data or (DATA if DATA.is_dir() else None)
    next_to = replay.parent / "raw" if replay is not None else None
    raw = options.raw or (next_to if next_to is not None and next_to.is_dir() else None)
    material = Material(replay, raw)
    table, measured = [], {}
    start = time.perf_counter()
    for deviation in DEVIATIONS:
        if options.only and deviation.name not in options.only:
            continue
        lines, text = measure(deviation, material)
        table += lines
        if text is not None:
            measured[deviation.name] = text
        print(f"{time.perf_counter() - start:6.1f} s  {deviation.name}", file=sys.stderr)
    print(printing.table(printing.rows(HEADERS, table)))
    if options.write:
        DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8"), measured), encoding="utf-8")


if __name__ == "__main__":
    main()
