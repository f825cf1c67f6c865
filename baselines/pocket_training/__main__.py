"""``python -m baselines.pocket_training train|evaluate``."""

import argparse
import logging
import sys
from pathlib import Path

from baselines.backbones.pocket import NAMES, WEIGHTS
from tasks.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and call; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m baselines.pocket_training", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    train = verbs.add_parser("train", help="train a stand-in and write its checkpoint folder")
    train.add_argument("--name", required=True, help=f"one of {', '.join(NAMES)}")
    train.add_argument("--plain", action="store_true", help="do not shape attention in stage 3")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--threads", type=int, default=1, help="threads for torch (default: 1)")
    train.add_argument("--out", type=Path, help="new folder (default: the shipped one, which must be empty)")
    evaluate = verbs.add_parser("evaluate", help="measure a stand-in")
    evaluate.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for noisy in ("httpx", "transformers", "datasets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        return _train(chosen) if chosen.verb == "train" else _evaluate(chosen)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _train(chosen: argparse.Namespace) -> int:
    from transformers.utils import logging as transformers_logging

    from baselines.pocket_training.training import train

    transformers_logging.disable_progress_bar()
    out = chosen.out or WEIGHTS / (chosen.name + ("-plain" if chosen.plain else ""))
    train(chosen.name, out, plain=chosen.plain, seed=chosen.seed, threads=chosen.threads)
    sys.stdout.write(f"written: {out}\n")
    return 0


def _evaluate(chosen: argparse.Namespace) -> int:
    from baselines.pocket_training.evaluation import table

    sys.stdout.write(table(chosen.folder) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
