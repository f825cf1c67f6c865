"""The command line: parses, calls and prints, and holds no logic.

Every verb is a module with ``add_arguments(add)``, given the ``add_argument`` of a parser, and ``call(arguments)``,
which returns the exit status; it is imported only when it is asked for, so help answers at once.
"""

import argparse
import difflib
import errno
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import NoReturn

from tasks.errors import InputError, unknown_name

EXAMPLES: dict[str, tuple[str, str]] = {
    "run": (
        "run --task recgaze",
        "run --task adserp --data data/adserp --split kfold --simulators uniform,position-prior,user-prior",
    ),
    "runs": ("runs --state done", "runs show 3f9c"),
    "tune": (
        "tune --task recgaze --simulator user-prior --space configs/spaces/user-prior.yaml",
        "tune --task recgaze --simulator fixate --space configs/spaces/fixate.yaml --engine ray",
    ),
    "reproduce": ("reproduce main --preset quick", "reproduce ablation --with-published --format latex"),
    "prepare": (
        "prepare --task adserp --layout replay --raw DIR --out data/adserp",
        "prepare --task recgaze --raw DIR --check",
    ),
    "score": (
        "score predictions.parquet --task recgaze",
        "score predictions.jsonl --task adserp --data data/adserp --split kfold --json",
    ),
    "new-simulator": ("new-simulator top-left", "new-simulator top-left --out work"),
    "pack": (
        "pack runs/recgaze-loo --simulator fixate --out my-submission",
        "pack runs/recgaze-loo --simulator top-left --about about.yaml --out my-submission",
    ),
    "doctor": ("doctor my-submission", "doctor my-submission --data adserp=data/adserp"),
    "audit": ("audit published", "audit table.csv --sessions 76 --seeds 5"),
    "submit": ("submit my-submission --board board --dry-run", "submit my-submission --board board"),
    "leaderboard": ("leaderboard --board board --html site", "leaderboard verify --board board"),
    "table": ("table runs/recgaze-loo", "table runs/recgaze-loo --format latex --families click"),
    "report": ("report runs/recgaze-loo --html report.html", "report runs/recgaze-loo --paper paper"),
    "variance": ("variance runs/recgaze-loo", "variance runs/recgaze-loo --metric KL --simulator fixate"),
    "stress": ("stress runs/recgaze-loo", "stress runs/recgaze-loo --swap-users --simulators fixate"),
    "list": ("list simulators", "list metrics --json"),
    "show": (
        "show SESSION_ID --run runs/recgaze-loo --simulators fixate,user-prior",
        "show SESSION_ID --task adserp --data data/adserp --path --out path.png",
    ),
    "probe": (
        "probe --backbone pocket-qwen3vl --task recgaze --session SESSION_ID",
        "probe --backbone pocket-internvl --task adserp --session SESSION_ID --operator rollout --out probe.png",
    ),
    "backbone": ("backbone info pocket-qwen3vl", "backbone info DIR --json"),
}
"""Verb -> two command lines, without the beginning that all of them share."""


def epilog(verb: str) -> str:
    """Return the examples of a verb as its help page prints them."""
    return "examples:\n" + "\n".join(f"  python -m benchmark {line}" for line in EXAMPLES[verb])


class Terminated(KeyboardInterrupt):
    """SIGTERM came; whatever keeps finished work on an interrupt keeps it now as well."""


@contextmanager
def guarded() -> Iterator[None]:
    """Run a command with streams that can print anything, and raise :class:`Terminated` on SIGTERM."""
    prepare_streams()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def prepare_streams() -> None:
    """Let stdout and stderr replace what their encoding lacks; where one is closed, discard what is printed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


MODULES = {"list": "listing", "new-simulator": "new_simulator"}
"""Verbs whose module has another name: one called ``list`` would hide the builtin in this package."""

VERBS = {
    "run": "fit and score simulators on a task, and print the table",
    "runs": "list the trials on disk, show one, remove some (runs show ID, runs rm ID)",
    "tune": "choose a simulator's settings by cross-validation on training sessions",
    "reproduce": "make the paper's tables from our own runs, the published numbers next to them",
    "prepare": "turn a raw data folder into a prepared data set with a card and fixed splits",
    "score": "score a predictions file against a task",
    "new-simulator": "write a small simulator of your own that runs, with a configuration and a test",
    "pack": "turn a simulator of a finished run into a submission folder",
    "doctor": "list everything that is wrong with a submission",
    "audit": "check whether reported numbers fit together (audit FILE, audit published)",
    "submit": "check and score a submission and put it on a board",
    "leaderboard": "print a board, write its site, verify it (leaderboard verify)",
    "table": "print the table of a finished run",
    "report": "write a finished run as one self-contained HTML page",
    "variance": "split a run's variance into users, sessions and seeds, and say what to add",
    "stress": "test what clicks and attention depend on: relabel, swap users, leak labels, mirror columns, transfer",
    "list": "list tasks, simulators, backbones, operators, metrics or splits",
    "show": "draw one session: the screen, human gaze and a run's attention, as PNG, SVG or PDF",
    "probe": "draw where a backbone looks on one session, and print its slots",
    "backbone": "say what a checkpoint is (backbone info NAME)",
}


VLM_PACKAGES = ("torch", "transformers", "safetensors", "tokenizers")
"""What the vision-language models need and the priors do not."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line with the nearest known name."""

    def options(self) -> list[str]:
        """Return the option strings of this parser."""
        return list(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong as an InputError; ``main`` prints it."""
        raise InputError(f"{message}. See '{self.prog} --help'.")


def overview() -> str:
    """Return the help page."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {text}" for name, text in VERBS.items())
    return (
        "usage: python -m benchmark VERB [options]\n\n"
        "Benchmark of user simulators whose attention and clicks are compared with human gaze.\n\n"
        f"verbs:\n{verbs}\n\n"
        "python -m benchmark VERB --help   the options of a verb\n"
        "python -m benchmark --version     the version"
    )


def parser_of(verb: str, module: ModuleType) -> Parser:
    """Return the parser of a verb, with two examples below its options."""
    parser = Parser(
        prog=f"python -m benchmark {verb}",
        description=VERBS[verb],
        epilog=epilog(verb),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser.add_argument)
    return parser


def dispatch(argv: Sequence[str]) -> int:
    """Parse ``argv``, call the verb and return its exit status."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview() + "\n")
        return 0
    if argv[0] == "--version":
        from benchmark import __version__

        sys.stdout.write(f"gazebench {__version__}\n")
        return 0
    verb = argv[0]
    if verb not in VERBS:
        raise unknown_name("verb", verb, VERBS)
    module = importlib.import_module(f"benchmark.cli.{MODULES.get(verb, verb)}")
    parser = parser_of(verb, module)
    arguments, unknown = parser.parse_known_args(argv[1:])
    if unknown:
        word = unknown[0].split("=")[0]
        near = difflib.get_close_matches(word, parser.options(), n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise InputError(f"unknown argument '{word}' of '{verb}'.{hint} See --help.")
    status: int = module.call(arguments)
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    0, 1 (something failed), 2 (bad input), 130 (interrupted) or 143 (SIGTERM).
    """
    try:
        with guarded():
            return dispatch(list(sys.argv[1:] if argv is None else argv))
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in VLM_PACKAGES:
            raise
        sys.stderr.write(
            f"error: {error.name} is not installed; the models need it: pip install torch transformers safetensors.\n"
        )
        return 2
    except KeyboardInterrupt as stop:
        sys.stderr.write("stopped. What was finished is kept: the same command goes on from there.\n")
        return 143 if isinstance(stop, Terminated) else 130
    except BrokenPipeError:
        # The reader (head, less) has gone; point stdout elsewhere so that closing it does not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        where = f" {error.filename}" if error.filename else ""
        refused = error.errno in (errno.EACCES, errno.EPERM)
        done, do = ("open", "Change its permissions") if refused else ("write", "Free some space")
        sys.stderr.write(f"error: cannot {done}{where}: {error.strerror}. {do} or choose another folder.\n")
        return 2
