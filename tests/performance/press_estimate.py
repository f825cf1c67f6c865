"""How well the press that opened AdSERP's confirmation dialog can be estimated without button events.

The raw layout holds the press (mouseup), the replay layout does not (PROTOCOL section 3, version 2). For every click of
the raw trials, prints how much fixation time lies between the true press and the estimated one, which is what the
estimate counts wrongly, and between the true press and the logged click, which is what version 1 counts.

    python tests/performance/press_estimate.py DIR

DIR is a folder of the raw layout. Exits with 1 if the estimate misplaces more than 300 ms a trial on average.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tasks.adserp.dialogs import estimate, presses  # noqa: E402
from tasks.adserp.raw import raw_trials, read_raw  # noqa: E402
from tasks.adserp.trial import Trial  # noqa: E402
from tests.performance.printing import script  # noqa: E402

ALLOWED_MS = 300.0


def fixation_time(trial: Trial, a: float, b: float) -> float:
    """Return the fixation time between two moments, ms."""
    fixations, (first, last) = trial.fixations, sorted((a, b))
    inside = np.minimum(fixations.end, last) - np.maximum(fixations.end - fixations.duration, first)
    return float(np.clip(inside, 0.0, None).sum())


def misplaced(folder: Path) -> tuple[list[float], list[float]]:
    """Print one line a click and return the fixation time that the estimate and the logged click misplace, ms."""
    by_estimate, by_click = [], []
    print("trial          click after press   estimate - press   misplaced: estimate   logged click")
    for trial_id in raw_trials(folder):
        trial = read_raw(trial_id, folder, lambda page, ads: [])
        assert trial is not None
        found, flagged = presses(trial)
        if flagged:
            print(f"{trial_id:<14} has a click without a release; left out")
            continue
        before = -np.inf
        for press, click in zip(found.tolist(), trial.clicks.t.tolist(), strict=True):
            guess = estimate(trial.fixations, trial.cursor, trial.scrolls, click, before)
            wrong, logged = fixation_time(trial, press, guess), fixation_time(trial, press, click)
            row = (click - press, guess - press, wrong, logged)
            print(f"{trial_id:<14}", *(f"{ms:{width}.0f} ms" for ms, width in zip(row, (14, 14, 17, 10), strict=True)))
            by_estimate.append(wrong)
            by_click.append(logged)
            before = click
    return by_estimate, by_click


def main() -> int:
    """Measure, print and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder of the raw layout")
    by_estimate, by_click = misplaced(parser.parse_args().folder)
    for name, times in (("estimate", by_estimate), ("logged click", by_click)):
        print(f"{name}: mean {np.mean(times):.0f} ms, median {np.median(times):.0f} ms, {len(times)} clicks")
    return int(np.mean(by_estimate) > ALLOWED_MS)


if __name__ == "__main__":
    script(lambda: sys.exit(main()))
