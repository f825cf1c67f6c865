"""Where the commands of the documents are not run exactly as printed, and why.

``test_blocks.py`` runs every command. One that is changed before it is run is listed here; the changes make it small,
or give it what the reader would: a folder, a port, the installation that is there already. An entry that nothing
needs fails the test.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.documents.workshop import Workshop


class InPlace(NamedTuple):
    """A change to a command before it is run; the verb's own parser reads the command as it is, too.

    Attributes:
        pattern: What is replaced.
        by: What takes its place; ``{names}`` are things of the workshop.
        reason: Why.
    """

    pattern: str
    by: str
    reason: str


_THEIRS = "something of the reader's: a small one of the same kind"
_CLONED = "nothing is fetched from a network: a simulated folder where the clone would have it"
_LONG = "takes minutes with the pocket backbones"
_INSTALLED = "the environment that the tests run in replaces the one that would be set up"
_PROOF = "takes minutes to hours"
_SHOWN = "takes minutes, for what tests/benchmark/engines and tests/baselines/distributed compare in small"
_TINY = "--backbone qwen3-vl={tiny[qwen3_vl]},internvl3.5={tiny[internvl]}"

IN_PLACE = (
    InPlace(r"^make run$", "make -o .venv/.installed BIN={few} run", f"{_INSTALLED}, with options for a small run"),
    InPlace(r"^make test$", "PYTEST_ADDOPTS={quick_tests} make -o .venv/.tested BIN={programs} test",
            f"{_INSTALLED}, with a few of the tests: these here are among all"),
    InPlace(r"^\.venv/bin/(python -m pytest .*)$", r"PYTEST_ADDOPTS={quick_tests} \1", "the same tests"),
    InPlace(r"^python -m pytest tests/baselines/device$", "python -m pytest --collect-only tests/baselines/device",
            "these tests are among all"),
    InPlace(r"^pip install -e '\.(\[\w+\])'$",
            r"pip install --dry-run --no-index --no-build-isolation --disable-pip-version-check .\1", _INSTALLED),
    InPlace(r"^git clone https://github\.com/andyed/approach-retreat .*$",
            "python -c 'import shutil; "
            "shutil.copytree(\"{raw[adserp]}\", \"approach-retreat/site/replay/data\")'", _CLONED),
    InPlace(r"^git clone https://github\.com/athms/many-item-choice .*$",
            "python -c 'import shutil; shutil.copytree(\"{raw[snacks]}\", \"many-item-choice/data\")'", _CLONED),
    InPlace(r"(?<= prepare --task )(\S+)(.* --raw) DIR\b", r"\1\2 {raw[\1]}", _THEIRS),
    InPlace(r"(?<= --posters )DIR\b", "{empty}", _THEIRS),
    InPlace(r"(?<= --task )(\S+)(.* --data) DIR\b", r"\1\2 {data}/\1", _THEIRS),
    InPlace(r"(?<= --task adserp --data )RAW\b", "{replay}", _THEIRS),
    InPlace(r"^(.* --simulators )backbone,random-prompt,fixate( .*)$", r"\1fixate\2", _LONG),
    InPlace(r"(?<= reproduce all )(--plan )?--data DIR\b", r"\1--data {data}", _THEIRS),
    InPlace(r"(?<=\.py --data )DIR\b", "{replay}", _THEIRS),
    InPlace(r" --backbone qwen3-vl=FOLDER,internvl3\.5=FOLDER\b", f" {_TINY}", _THEIRS),
    InPlace(r"\bSESSION_ID\b", "KInIT_1-30", _THEIRS),
    InPlace(r"(?<= show )TRIAL\b", "p001-b1-t1", _THEIRS),
    InPlace(r"\bpredictions\.parquet\b", "{run}/predictions.parquet", _THEIRS),
    InPlace(r"\btable\.csv\b", "{table}", _THEIRS),
    InPlace(r"\bruns/my-run\b", "{run}", _THEIRS),
    InPlace(r"(?<= submit )DIR(?= --supersedes )", "{submission[newer]}", _THEIRS),
    InPlace(r"(?<= --supersedes )NAME@VERSION", "{submitted[older]}", "a submission on the board"),
    InPlace(r"(?<= (?:submit|doctor) )DIR\b", "{submission[first]}", _THEIRS),
    InPlace(r"(?<= submit )OWN --shared SHARED --swapped SWAPPED", "{submission[own]} --shared {submission[shared]}"
            " --swapped {submission[swapped]}", _THEIRS),
    InPlace(r"(?<= withdraw )NAME@VERSION", "{submitted[wrong]}", "a submission on the board"),
    InPlace(r"(?<= supersede )OLD@VERSION NEW@VERSION",
            "{submitted[old]} {submitted[new]}", "submissions on the board"),
    InPlace(r"\bbase_url=\S+ model=NAME\b", "base_url={endpoint} model=stub", "an endpoint in this process"),
    InPlace(r"\b3fa2b1c9\b", "{trial}", "a trial of the workshop's run"),
    InPlace(r"^(?!.* --address )(.* benchmark tune .*|.* --preset tuned --engine ray|.* --engine ray --deepspeed .*)$",
            r"\1 --address auto", "each Ray takes seconds to start: one cluster for all documents; `run --task recgaze "
            "--engine ray` of the README starts its own"),
    InPlace(r"(?<= --workers-per-trial )4$", "2", "as many as there are cores"),
    InPlace(r"^(?!.* --workers-per-trial )(.* --deepspeed .*--address auto)$", r"\1 --workers-per-trial 1",
            "each worker takes ten seconds to start; the guide to farming out has two"),
    InPlace(r"^(.* --config configs/order\.yaml\b.*)$", r"\1 --simulators step-markov,reading-order",
            "takes minutes with the transformer"),
    InPlace(r"^(?!.* --(?:simulators|config) )(.* benchmark run .*)$",
            r"\1 --simulators position-prior --seeds 42", _LONG),
    InPlace(r"^(.* --engine ray .*--seeds 42)$", r"\1 --force", "the trials were finished just before"),
    InPlace(r"^(?!.* --seeds )(.* benchmark run .*--simulators fixate\b.*|.* --config runs/tune.*)$",
            r"\1 --seeds 123", _LONG),
    InPlace(r"^(.* benchmark run .*--simulators fixate\b.*|.* --config runs/tune.*)$", r"\1 --set epochs=1", _LONG),
    InPlace(r"(?<= --space )configs/spaces/fixate\.yaml\b", "{space} --set epochs=1 --workers 1", _LONG),
    InPlace(r"^(?!.* --backbone )(.* benchmark reproduce .*)$", rf"\1 {_TINY}", _LONG),
    InPlace(r"^(?!.* --plan )(.* benchmark reproduce .*)$", r"\1 --preset quick --set epochs=1 --out {reproduced}",
            f"{_LONG}; one store for all documents, because what one of them has run the others keep"),
    InPlace(r"^(.* benchmark reproduce .*)(?<= --plan)( .*)$", r"\1 1\2 --preset quick --out {planned}",
            f"{_LONG}; a store in which nothing has been run"),
    InPlace(r"\bruns/reproduce/plan\.json\b", "{planned}/plan.json", "the same store"),
    InPlace(r"\bruns/reproduce\b", "{reproduced}", "the same store"),
    InPlace(r"(?<=^torchrun )", "--standalone ", "a port that is free"),
    InPlace(r"(?<=^ray start --head --port )6379$", "{port} {node} --include-dashboard false", "a port that is free"),
    InPlace(r"(?<=^ray start --address )FIRST:6379$", "127.0.0.1:{port} {node}", "a second node on this machine"),
    InPlace(r"^(python tests/performance/(?:ray_(?:engines|overhead|chaos)|zero_in_ray)\.py)$", r"\1 --help", _SHOWN),
    InPlace(r"(?<=/first_table\.py)$", " --trials 4 --rounds 1 --repeat 1", _PROOF),
    InPlace(r"(?<=/many_sessions\.py)$", " --sessions 5000 --slots 4", _PROOF),
    InPlace(r"(?<=/deviation_effects\.py)(?= )", " --only adserp-page adserp-widgets", _PROOF),
    InPlace(r"(?<=/does_it_work\.py)(?= )",
            " --populations 1 --users 6 --sessions 3 --seeds 42 --set epochs=1", _PROOF),
)  # fmt: skip


def ready(command: str, things: Workshop) -> str:
    """Return a command as it is run."""
    for change in IN_PLACE:
        command = re.sub(change.pattern, change.by, command)
    return command.format_map(things)
