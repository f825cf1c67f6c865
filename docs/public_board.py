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
from benchmark.trials.configuration import read_preset  # noqa: E402
from benchmark.trials.trial import lacking  # noqa: E402
from leaderboard import references  # noqa: E402
from leaderboard.board_files import Board  # noqa: E402
from leaderboard.entries import ReportedRecord  # noqa: E402
from tasks.registry import load  # noqa: E402

BOARD = ROOT / "leaderboard" / "boards" / "public"
SPLITS = {"adserp": "kfold", "adserp-page": "kfold", "recgaze": "loo", "snacks": "loo"}
"""Task -> the split that its simulators are run on."""
ORDER = (
    "visit-frequency", "reading-order", "step-markov", "personal-step-markov", "examination-logit", "attention-walk",
    "slot-transformer",
)  # fmt: skip
NO_ORDER = "adserp"
"""The pause before the click has too few visits to tell simulators of their order apart."""

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
    parser.add_argument(
        "--work", type=Path, help="where runs are kept, so that the same command goes on; default: nowhere"
    )
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="gazebench-") as scratch:
        work, made = arguments.work or Path(scratch), Path(scratch) / "board"
        for task in SPLITS:
            data = "sample"
            if task.startswith("adserp"):
                if arguments.data is None:
                    continue
                data = str(work / f"{task}-prepared")
                _call("prepare", "--task", task, "--raw", str(arguments.data), "--texts", "--out", data)
            _add(made, work, Path(scratch), task, data, arguments.seeds)
        _report(Board.open(made))
        (made / "README.md").write_text(README, encoding="utf-8")
        shutil.rmtree(arguments.board, ignore_errors=True)
        shutil.copytree(made, arguments.board)
    sys.stdout.write(f"{arguments.board}\n")
    return 0


def _simulators(task: str, data: str) -> list[str]:
    """Return every simulator of the suite that a task's slots have enough for; oracles come by themselves."""
    entries = [registry.entry(name) for name in read_preset("full")["simulators"]]
    entries += [registry.entry(name) for name in ("rating-prior", *(ORDER if task != NO_ORDER else ()))]
    without = {name for names in lacking(entries, load(task, data)).values() for name in names}
    return [entry.name for entry in entries if entry.name not in without and not entry.oracle]


def _add(board: Path, work: Path, scratch: Path, task: str, data: str, seeds: str) -> None:
    """Run simulators, pack what the board does not bring itself, and submit it."""
    run, about = work / f"{task}-run", scratch / "about.yaml"
    options = ["--task", task, "--split", SPLITS[task], "--data", data, "--seeds", seeds]
    names = ",".join(_simulators(task, data))
    _call("run", *options, "--reference", "position-prior", "--simulators", names, "--out", str(run))
    shown = results.read(run)
    own = [row.name for row in shown.simulators if row.ranked and row.name not in references.every()]
    for name in own:
        values = {"authors": ["gazebench"], "contact": "https://github.com/gazebench", "version": "1", "licence": "MIT"}
        values |= {"description": registry.entry(name).summary, "simulator": {"training_data": None}}
        about.write_text(yaml.safe_dump(values))
        folder = scratch / f"{task}-{name}"
        _call("pack", str(run), "--simulator", name, "--about", str(about), "--out", str(folder))
        _call("submit", str(folder), "--board", str(board), "--data", f"{task}={data}")


def _report(board: Board) -> None:
    """Add the lines of the paper's tables."""
    found = published.load()
    for row in found.rows:
        name = " ".join(filter(None, (row.method, row.backbone, row.operator, f"(table {row.table})")))
        cells = {metric: float(cell.mean.value) for metric, cell in row.cells.items()}
        n = found.settings[row.task].n_sessions or 0
        board.put(
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
