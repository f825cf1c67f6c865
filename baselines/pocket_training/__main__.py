"""``python -m baselines.pocket_training train|evaluate``."""

from __future__ import annotations

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
    train.add_argument("--plain-out", type=Path, help="new folder for the plain variant as well")
    evaluate = verbs.add_parser("evaluate", help="measure a stand-in")
    evaluate.add_argument("folder", type=Path)
    evaluate.add_argument("--plain", type=Path, help="folder of the plain variant, reported for comparison")
    evaluate.add_argument("--again", type=Path, help="folder of a second run with the same seed, compared")
    evaluate.add_argument("--card", action="store_true", help="write what was measured into the folder's README.md")
    evaluate.add_argument("--no-steering", action="store_true", help="leave out prompt tuning, which takes minutes")
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
    train(
        chosen.name,
        out,
        plain=chosen.plain,
        plain_out=chosen.plain_out,
        seed=chosen.seed,
        threads=chosen.threads,
    )
    sys.stdout.write(f"written: {out}\n")
    return 0


def _evaluate(chosen: argparse.Namespace) -> int:
    from baselines.pocket_training.card import measure, repetition, table, write_card

    repeated = repetition(chosen.folder, chosen.again) if chosen.again else ""
    found = measure(chosen.folder, steering=not chosen.no_steering)
    plain = measure(chosen.plain, steering=not chosen.no_steering) if chosen.plain else None
    sys.stdout.write(table(found, plain) + "\n" + (f"{repeated}\n" if repeated else ""))
    if chosen.card:
        write_card(chosen.folder, found, plain, repeated)
    return 0


if __name__ == "__main__":
    sys.exit(main())
