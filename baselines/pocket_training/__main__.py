"""``python -m baselines.pocket_training --name NAME`` trains a pocket stand-in and writes its checkpoint folder."""

import argparse
import logging
import sys
from pathlib import Path

from baselines.backbones.pocket import NAMES, WEIGHTS
from baselines.pocket_training.training import train
from tasks.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and call; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m baselines.pocket_training", description=__doc__)
    parser.add_argument("--name", required=True, help=f"one of {', '.join(NAMES)}")
    parser.add_argument("--plain", action="store_true", help="do not shape attention in stage 3")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="threads for torch (default: 1)")
    parser.add_argument("--out", type=Path, help="new folder (default: the shipped one, which must be empty)")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for noisy in ("httpx", "transformers", "datasets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    out = chosen.out or WEIGHTS / (chosen.name + ("-plain" if chosen.plain else ""))
    try:
        train(chosen.name, out, plain=chosen.plain, seed=chosen.seed, threads=chosen.threads)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"written: {out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
