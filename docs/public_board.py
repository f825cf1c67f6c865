"""Make the public board: the suite's own simulators on the public trials of AdSERP and on the simulated samples.

    python docs/public_board.py --data DIR

DIR is a folder of AdSERP's replay layout, or a clone of its repository; without ``--data`` the samples alone are used.
Writes ``leaderboard/boards/public`` again. Every line is a simulator that was run here, packed and submitted as anybody
would; the lines of the paper are reported, never ranked. Take ``make site`` to look at it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from baselines import registry  # noqa: E402
from benchmark import published  # noqa: E402
from benchmark.cli import main as command  # noqa: E402
from benchmark.scores import results  # noqa: E402
from leaderboard import references  # noqa: E402
from leaderboard.board_files import Board  # noqa: E402
from leaderboard.entries import ReportedRecord  # noqa: E402

BOARD = ROOT / "leaderboard" / "boards" / "public"
ORDER = ("uniform", "visit-frequency", "reading-order", "step-markov", "personal-step-markov", "examination-logit")
LOOKS = ("uniform", "position-prior", "geometry", "backbone", "random-prompt", "shared-prompt", "fixate")
PARTS = (
    ("adserp", "kfold", ("uniform", "position-prior", "geometry", "backbone")),
    ("adserp-page", "kfold", ("uniform", "position-prior", "geometry", "backbone", *ORDER[1:])),
    ("recgaze", "loo", (*LOOKS, *ORDER[1:])),
    ("snacks", "kfold", ("uniform", "position-prior", "user-prior", "rating-prior", *ORDER[1:])),
)
"""Task, split and the simulators that are run on it; the floor, the priors and the oracles come by themselves."""

README = """# The public board

The suite's own simulators on the public trials of AdSERP (94 trials of 47 people, tasks `adserp` and `adserp-page`) and
on the simulated samples of `recgaze` and `snacks`, which are no recordings of people. Made by

    python docs/public_board.py --data DIR

The backbone is a pocket stand-in that this project trained, not a published model. The numbers of the paper are
reported lines: they come from other sessions and another protocol, and are never ranked. The board holds predictions
and scores. What was recorded is in it as means per slot, and in the shape of the rows of simulators that say where the
eyes go next: they were asked along the recorded path.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Make the board and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="AdSERP's replay folder, or a clone of its repository")
    parser.add_argument("--board", type=Path, default=BOARD)
    parser.add_argument("--seeds", default="42,123,456")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="gazebench-") as work:
        made = Path(work) / "board"
        for task, split, names in PARTS:
            public = task.startswith("adserp")
            if public and arguments.data is None:
                continue
            _add(made, Path(work), task, split, names, str(arguments.data) if public else "sample", arguments.seeds)
        _report(Board.open(made))
        (made / "README.md").write_text(README, encoding="utf-8")
        shutil.rmtree(arguments.board, ignore_errors=True)
        shutil.copytree(made, arguments.board)
    sys.stdout.write(f"{arguments.board}\n")
    return 0


def _add(board: Path, work: Path, task: str, split: str, names: Sequence[str], data: str, seeds: str) -> None:
    """Run simulators, pack what the board does not bring itself, and submit it."""
    run, about = work / f"{task}-{split}", work / "about.yaml"
    options = ["--task", task, "--split", split, "--data", data, "--seeds", seeds, "--reference", "position-prior"]
    _call("run", *options, "--simulators", ",".join(names), "--out", str(run))
    shown = results.read(run)
    own = [row.name for row in shown.simulators if row.ranked and row.name not in references.every()]
    for name in own:
        entry = registry.entry(name)
        kind = "vision-language-model" if "image" in entry.sees else "prior"
        values = {"authors": ["gazebench"], "contact": "https://github.com/gazebench", "version": "1", "licence": "MIT"}
        about.write_text(
            yaml.safe_dump({**values, "description": entry.summary, "simulator": {"kind": kind, "training_data": None}})
        )
        folder = work / f"{task}-{name}"
        _call("pack", str(run), "--simulator", name, "--about", str(about), "--out", str(folder))
        _call("submit", str(folder), "--board", str(board), "--data", f"{task}={data}")


def _report(board: Board) -> None:
    """Add the lines of the paper's tables."""
    found = published.load()
    for row in found.rows:
        name = " ".join(filter(None, (row.method, row.backbone, row.operator, f"(table {row.table})")))
        cells = {metric: float(cell.mean.value) for metric, cell in row.cells.items()}
        n = found.settings[row.task].n_sessions or 0
        board.put_reported(
            ReportedRecord(
                name, found.source, "https://arxiv.org/abs/2604.09368", row.task, "loo", n, cells, " ".join(found.notes)
            )
        )


def _call(*argv: str) -> None:
    """Run a command of the suite.

    Raises:
        SystemExit: It failed.
    """
    if command(list(argv)):
        raise SystemExit(f"failed: python -m benchmark {' '.join(argv)}")


if __name__ == "__main__":
    sys.exit(main())
