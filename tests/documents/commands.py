"""Where the commands of the documents are not run exactly as they stand, and why.

``test_blocks.py`` runs every command. One that is changed before it is run (``IN_PLACE``) or only read (``READ_ONLY``)
is listed here; one that neither runs nor is listed fails the test, and so does an entry that nothing needs.
"""

from __future__ import annotations

from typing import NamedTuple


class InPlace(NamedTuple):
    """A change to a command before it is run; the verb's own parser reads the command as it stands, too.

    Attributes:
        pattern: What is replaced.
        by: What stands in its place; ``{names}`` are things of the workshop.
        reason: Why.
    """

    pattern: str
    by: str
    reason: str


class ReadOnly(NamedTuple):
    """Commands that are not run; their options and files are held against what is there.

    Attributes:
        pattern: The whole command.
        reason: Why.
    """

    pattern: str
    reason: str


_THEIRS = "something of the reader's: a small one of the same kind"
_LONG = "takes minutes with the pocket backbones"
_RAY = "starting Ray takes ten seconds; tests/benchmark/test_engines_ray.py holds it against the engine local"

IN_PLACE = (
    InPlace(r"^make run$", "{main_job}", "what the Makefile runs behind the installation"),
    InPlace(r"(?<= prepare --task )(\S+)(.* --raw) DIR\b", r"\1\2 {raw[\1]}", _THEIRS),
    InPlace(r"(?<= --posters )DIR\b", "{empty}", _THEIRS),
    InPlace(r"(?<= --task )(\S+)(.* --data) DIR\b", r"\1\2 {data}/\1", _THEIRS),
    InPlace(r"(?<= reproduce all --data )DIR\b", "{data}", _THEIRS),
    InPlace(r"=FOLDER\b", "={checkpoint}", _THEIRS),
    InPlace(r"\bSESSION_ID\b", "KInIT_1-30", _THEIRS),
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
    InPlace(r"\b3fa2b1c9\b", "{trial}", "a trial of the run at hand"),
    InPlace(r" --engine ray\b| --workers \d+\b", "", _RAY),
    InPlace(r"^(?!.* --(?:simulators|config) )(.* benchmark run .*)$",
            r"\1 --simulators position-prior --seeds 42", _LONG),
    InPlace(r"^(.* benchmark run .*--simulators fixate\b.*)$", r"\1 --set epochs=1 --seeds 42", _LONG),
    InPlace(r"(?<= benchmark tune )(.*)--simulator fixate --space configs/spaces/fixate.yaml$",
            r"\1--simulator user-prior --space {space} --engine local --out runs/tune-recgaze-loo-fixate", _LONG),
    InPlace(r"(?<= benchmark reproduce )(?:main|ablation|all)\b(.*)$",
            r"adserp\1 --preset quick --backbone qwen3-vl={checkpoint} --set epochs=1",
            "three operators take minutes; every part has its tests in tests/benchmark/reproduction"),
)  # fmt: skip

READ_ONLY = (
    ReadOnly(r"make test", "runs these tests"),
    ReadOnly(r"\.venv/bin/python -m pytest .*", "runs these tests"),
    ReadOnly(r"python docs/generate\.py.*", "writes the documents; test_generated.py calls what it calls"),
    ReadOnly(r"pip install 'gazebench\[\w+\]'", "installs packages"),
    ReadOnly(r"torchrun .*", "starts processes that wait for each other; tests/baselines/distributed does"),
    ReadOnly(r"ray start .*", "starts a cluster; tests/benchmark/test_engines_ray.py does"),
    ReadOnly(r"python -m benchmark .* --address \S+.*", "joins a cluster that is not there"),
    ReadOnly(
        r"python -m benchmark .* --deepspeed .*", "starts workers that share a trial; tests/baselines/distributed"
    ),
    ReadOnly(r"python tests/performance/\S+\.py.*", "proofs and measurements that take minutes to hours"),
)
