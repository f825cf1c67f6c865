"""What a run found, as typed values, and its files: results.json, scores.parquet, predictions.parquet, table.md."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.files.replacing import replace_file, replace_text
from benchmark.metrics.registry import Metric, declare
from benchmark.naming import base_name, input_word
from benchmark.output.units import counted
from benchmark.scores import predictions
from benchmark.simulator import Floats
from tasks.decoding import decode, load_json
from tasks.errors import InputError, require_known

if TYPE_CHECKING:
    import pandas as pd

    from tasks.task import Task

SCHEMA_VERSION = 1

Limits = tuple[float | None, float | None]
"""Lower and upper limit of an interval."""

LIMITED = "limited-"
"""Begins the digest of a split of which only some test sessions were run."""


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One simulator on one metric; the unit of analysis is the user.

    Attributes:
        mean: Mean over users of the mean over their sessions of the mean over seeds.
        low: Lower end of the 95 % interval over users, and over screens where they repeat.
        seed_sd: SD over seeds of the mean, None for a deterministic simulator or one seed.
        intervals: Name of another interval of ``statistics.registry`` -> its limits.
    """

    mean: float
    low: float | None
    high: float | None
    seed_sd: float | None
    n_users: int
    intervals: Mapping[str, Limits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SimulatorResult:
    """One row of the table.

    Attributes:
        name: Registry name, with `` [label]`` where attention was computed for the true click and `` [stated]`` where
            the model stated it itself.
        ranked: False for oracles, label-conditioned and stated attention.
        sees: Inputs it uses.
        settings: Every setting, defaults included.
        failed: Sessions (over seeds) in which it did not deliver a part it claims.
        metrics: Metric name -> result; metrics it does not claim are absent.
        trials: Identities of the trials it was made from, by seed and fold; empty for predictions made elsewhere.
    """

    name: str
    ranked: bool
    sees: tuple[str, ...]
    settings: Mapping[str, object]
    failed: int
    metrics: Mapping[str, MetricResult]
    trials: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "sees", tuple(map(input_word, self.sees)))

    @property
    def base(self) -> str:
        """The registry name."""
        return base_name(self.name)


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """A simulator compared with the reference on one metric, paired over users.

    Attributes:
        difference: Mean over users of simulator minus reference.
        low: Lower end of its 95 % t interval over users, and over screens where they repeat.
        tests: Name of a test of ``statistics.registry`` -> its two-sided p: ``t`` over users, ``two_way`` over users
            and screens where they repeat. ``results.json`` holds each as ``p_NAME``.
        p_holm: The larger of these two after Holm's correction; None outside a family (``Corrected``).
        smallest_difference: What the test set can resolve for this simulator with 80 % power at the 5 % level.
        intervals: Name of another interval of the registry -> its limits.
    """

    simulator: str
    metric: str
    difference: float
    low: float | None
    high: float | None
    tests: Mapping[str, float | None]
    p_holm: float | None
    smallest_difference: float | None
    intervals: Mapping[str, Limits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Corrected:
    """A family of ``size`` comparisons with the reference that are corrected together; equal simulators count once."""

    metrics: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class BestLine:
    """The best ranked simulator, by its mean, on a family's headline metric, compared with the others.

    ``size`` counts pairs of ranked simulators, equal ones once; ``p`` is another simulator -> p of its difference from
    the best, the larger of those over users and over users and screens, times ``size`` (Bonferroni over all pairs, as
    the best was found among them); None if not known.
    """

    metric: str
    simulator: str
    size: int
    p: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that ``results.json`` holds.

    Attributes:
        data: Where the sessions came from, as it was asked for.
        notice: What every output must say of simulated data; empty for real data.
        digest: Digest of sessions and split; results with another digest are not comparable.
        n_train: Training sessions, fold by fold.
        seeds: Seeds of stochastic simulators.
        reference: What the comparisons are with.
        family: Metrics whose comparisons are corrected.
        resolution: Metric -> smallest difference that the test set resolves with 80 % power (median over the ranked
            simulators' comparisons with the reference), None where it is not known.
        slots: The numbers of slots that test sessions have, each once, ascending; empty in results of older versions.
        uniform_logloss: LogLoss of uniform probabilities in nats: the mean over users of the mean over their test
            sessions of ln K. None in results of older versions.
        recorded: The sessions are recordings of people, not simulated; None in results of older versions.
        n_screens: Test screens, by which screens repeat; None in results of older versions, which count users alone.
        corrected: The families of comparisons; empty in results of older versions.
        best: The best lines; empty in results of older versions.
        equal: Simulator -> the simulator before it, or the reference, that scores the same in everything.
        ties: How equal values are ranked, see ``metrics.evaluate_sessions``.
        stored: Trial -> SHA-256 of the predictions that it was scored with; empty in results of older versions.
        own_metrics: The metrics that are not the suite's, without their functions.
    """

    schema_version: int
    task: str
    version: str
    title: str
    data: str | None
    notice: str
    split: str
    digest: str
    n_sessions: int
    n_users: int
    n_train: tuple[int, ...]
    seeds: tuple[int, ...]
    reference: str
    family: tuple[str, ...]
    alpha: float
    packages: Mapping[str, str]
    resolution: Mapping[str, float | None]
    simulators: tuple[SimulatorResult, ...]
    comparisons: tuple[ComparisonResult, ...]
    slots: tuple[int, ...] = ()
    uniform_logloss: float | None = None
    recorded: bool | None = None
    n_screens: int | None = None
    corrected: tuple[Corrected, ...] = ()
    equal: Mapping[str, str] = field(default_factory=dict)
    best: tuple[BestLine, ...] = ()
    ties: str = "expected"
    stored: Mapping[str, str] = field(default_factory=dict)
    own_metrics: tuple[Metric, ...] = ()


def failures(results: Results) -> list[str]:
    """Return a line per simulator that failed on sessions."""
    return [
        f"note: {row.name} returned nothing for a part it normally returns in {counted(row.failed, 'session')}; "
        f"{'that session gets' if row.failed == 1 else 'those sessions get'} each metric's worst value."
        for row in results.simulators
        if row.failed
    ]


def to_json(results: Results) -> str:
    """Return ``results.json``."""
    return json.dumps(to_values(results), indent=1) + "\n"


def to_values(results: Results) -> dict[str, Any]:
    """Return what ``results.json`` holds."""
    values = dataclasses.asdict(results)
    values["comparisons"] = [_flat(comparison) for comparison in values["comparisons"]]
    for metric in values["own_metrics"]:
        del metric["function"]
    return values


def _flat(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comparison as ``results.json`` holds it: ``p_NAME`` for each test, in the place of ``tests``."""
    found: dict[str, Any] = {}
    for key, value in comparison.items():
        found.update({f"p_{name}": p for name, p in value.items()} if key == "tests" else {key: value})
    return found


def _nested(raw: Mapping[str, Any]) -> dict[str, Any]:
    tests = {key: value for key, value in raw.items() if key.startswith("p_") and key != "p_holm"}
    rest = {key: value for key, value in raw.items() if key not in tests}
    return {**rest, "tests": {key.removeprefix("p_"): value for key, value in tests.items()}}


def read(run: Path) -> Results:
    """Read the results of a run; InputError if there are none, they are damaged, or of another schema version."""
    path = run / "results.json"
    if not path.is_file():
        raise InputError(f"{run} holds no finished run (no results.json); give the folder that 'run' wrote to.")
    return decoded(load_json(path, "run again"), path)


def decoded(raw: object, path: Path) -> Results:
    """Return the values of a ``results.json``, or of what ``table --format json`` prints, as results.

    InputError if they are damaged, or of another schema version.
    """
    if isinstance(raw, dict) and isinstance(raw.get("comparisons"), list):
        raw["comparisons"] = [_nested(one) if isinstance(one, dict) else one for one in raw["comparisons"]]
    try:
        found = decode(Results, raw, path, "run again", version=("schema_version", SCHEMA_VERSION))
        declare(found.own_metrics, over=False)
        return found
    except InputError as error:
        raise InputError(str(error).replace(".tests.", ".p_")) from error  # as the file has it


def write(out: Path, results: Results, scores: pd.DataFrame, said: pa.Table, page: str) -> None:
    """Write a run's files, ``page`` as ``table.md``; ``results.json`` comes last, once the others are there."""
    about = {"task": results.task, "split": results.split, "digest": results.digest, "notice": results.notice}
    table = pa.Table.from_pandas(scores, preserve_index=False)
    replace_file(out / "predictions.parquet", lambda path: predictions.write(said, path, about))
    replace_file(out / "scores.parquet", lambda path: predictions.write_table(table, path, about))
    replace_text(out / "table.md", page)
    replace_text(out / "results.json", to_json(results))


def read_scores(folder: Path) -> pd.DataFrame:
    """Return the score table of a run; InputError if it is missing or damaged."""
    path = folder / "scores.parquet"
    try:
        frame: pd.DataFrame = pq.read_table(path).to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is missing or damaged ({reason}); run again.") from error
    return frame


def check_whole(results: Results, run: Path) -> None:
    """Refuse a run of some test sessions only; InputError if it is one."""
    if results.digest.startswith(LIMITED):
        raise InputError(f"{run} has a part of the test sessions only (--limit); give 'run' without --limit for this.")


def check_digest(results: Results, task: Task, run: Path) -> None:
    """Refuse to put a run next to a task whose sessions or splits are not those that it was made from.

    InputError if the digests differ.
    """
    check_whole(results, run)
    digest = task.digests.get(results.split)
    if (results.task, results.digest) != (task.name, digest):
        raise InputError(
            f"{run} was made from {results.task} with digest {results.digest[:12]}; the data given is {task.name} with "
            f"digest {str(digest)[:12]}. Give the run's own data (--data), or run again."
        )


def attention_of(said: pa.Table, session_id: str, simulators: Sequence[str] | None) -> list[tuple[str, Floats]]:
    """Return the attention of the simulators of some predictions on one session, averaged over seeds.

    Without names of simulators these are four: backbone and fixate if they are there, and the first of the others.
    InputError if the session is not predicted, or a simulator gave no attention for it.
    """
    of_session = predictions.chosen(said, session_id=session_id)
    if not len(of_session):
        raise InputError(f"session '{session_id}' is not among the test sessions of the run.")
    found = predictions.drawn(of_session).get(session_id, {})
    if simulators is None:
        # The paper's figure first: the frozen model next to the tuned one.
        simulators = sorted(found, key=lambda name: name not in ("backbone", "fixate"))[:4]
    require_known("simulator with attention in the run:", simulators, found)
    return [(name, found[name]) for name in simulators]
