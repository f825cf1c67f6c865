"""The files of a run, read as data: results, scores, and of its trials the curves, the cost and the recipe."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmark.runs import kept as records
from benchmark.runs.kept import TrialRecord
from benchmark.scores import results
from benchmark.scores.results import Results
from benchmark.trials import own_files
from benchmark.trials.records import Spent
from tasks.errors import InputError
from tasks.types import Floats


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it lies on disk.

    Attributes:
        trials: The finished trials that the results were made from, in the order of the table, then seed and fold.
        failed: Trials that failed and were not finished since.
        unfinished: Trials that were begun and neither finished nor failed.
        others: Finished trials of the folder that have no part in the results.
    """

    folder: Path
    results: Results
    scores: pd.DataFrame
    trials: tuple[TrialRecord, ...]
    failed: tuple[TrialRecord, ...]
    unfinished: tuple[TrialRecord, ...]
    others: int


def read(folder: Path) -> Run:
    """Read a run; InputError if the folder holds no finished run, or one of its files is damaged."""
    found = results.read(folder)
    scores = results.read_scores(folder)
    names = set(scores["simulator"]) if "simulator" in scores.columns else set()
    if not {row.name for row in found.simulators} <= names:
        raise InputError(f"{folder / 'scores.parquet'} is damaged (it lacks simulators of results.json); run again.")
    everything = records.trials(folder) if (folder / "trials").is_dir() else []
    finished = [record for record in everything if record.state == "finished"]
    used = [record for of_simulator in records.behind(folder, found).values() for record in of_simulator]
    done = {record.identity for record in finished}
    left = [record for record in everything if record.state != "finished" and record.identity not in done]
    return Run(
        folder,
        found,
        scores,
        tuple(used),
        tuple(record for record in left if record.state == "failed"),
        tuple(record for record in left if record.state != "failed"),
        len(finished) - len(used),
    )


FILE = "curves.parquet"


@dataclass(frozen=True, slots=True)
class Curve:
    """One trial's curve: column (``epoch`` is one) -> value per epoch, or NaN; ``best``: the epoch used, or None."""

    seed: str
    fold: str
    best: int | None
    columns: dict[str, Floats]


def curves(trials: tuple[TrialRecord, ...]) -> dict[str, list[Curve]]:
    """Return simulator -> curves of its trials, where there are any; InputError if a file is damaged."""
    found: dict[str, list[Curve]] = {}
    for record in trials:
        path = record.folder / "artifacts" / FILE
        if path.is_file():
            found.setdefault(record.text("simulator"), []).append(_read(record))
    return found


def _read(record: TrialRecord) -> Curve:
    """Read one file as numbers; columns of anything else are passed over."""
    path = record.folder / "artifacts" / FILE
    try:
        table = pq.read_table(path)
        columns = {
            name: np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)
            for name in table.column_names
            if pa.types.is_floating(table.schema.field(name).type) or pa.types.is_integer(table.schema.field(name).type)
        }
        columns["epoch"]  # noqa: B018  # a curve has epochs
        best = (table.schema.metadata or {}).get(b"best_epoch", b"").decode()
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} is damaged ({str(error).splitlines()[0]}); run the trial again.") from error
    return Curve(record.text("seed"), record.text("fold"), int(best) if best.isdigit() else None, columns)


def costs(trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Return time, tokens, FLOPs and highest memory (bytes) of each simulator's trials; None where no trial has it."""
    found = []
    for name in dict.fromkeys(record.text("simulator") for record in trials):
        mine = [record for record in trials if record.text("simulator") == name]
        spent = [record.values.get("cost", {}) for record in mine]
        memory = [one["peak_memory_bytes"] for one in spent if "peak_memory_bytes" in one]
        again = sum(record.values.get("attempts", 1) > 1 for record in mine)
        sums = {key: _sum([one.get(key) for one in spent]) for key in ("seconds_fit", "seconds_simulate")}
        sums |= {"tokens": _sum(map(_tokens, spent)), "flops": _sum([one.get("flops_estimated") for one in spent])}
        about = {"simulator": name, "trials": len(mine), "again": again, "memory": max(memory, default=None)}
        found.append({**about, **sums})
    return found


def places(trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Return the environments that trials ran in, that of most trials first."""
    groups: dict[str, list[TrialRecord]] = {}
    for record in trials:
        shared = {k: v for k, v in record.values.get("environment", {}).items() if k != "where"}
        groups.setdefault(json.dumps(shared, sort_keys=True, default=str), []).append(record)
    found = []
    for text, mine in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        shared = json.loads(text)
        versions = shared.pop("packages", {})
        about = {"trials": len(mine), "processes": len({record.where for record in mine})}
        facts = [(str(k).replace("_", " "), "none" if v is None else str(v)) for k, v in shared.items()]
        who = list(dict.fromkeys(record.text("simulator") for record in mine))
        found.append({**about, "facts": facts, "packages": sorted(versions.items()), "simulators": who})
    return found


def _tokens(cost: Spent) -> float | None:
    """Return the tokens of a trial: as one count, or of training and simulating together."""
    whole = cost.get("tokens")
    return whole if whole is not None else _sum([cost.get("tokens_trained"), cost.get("tokens_simulated")])


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


CONFIG_FILE = "config.yaml"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What makes the same trials again: the whole configuration as YAML; identity, simulator, seed and fold of each."""

    command: str
    config: str
    identities: tuple[tuple[str, str, str, str], ...]


def recipe(run: Run) -> Recipe:
    """Return the recipe of a run."""
    found = run.results
    rows = {row.base: row for row in found.simulators}
    factories = {record.text("simulator"): record.text("factory") for record in run.trials}
    label = any(row.name != row.base for row in found.simulators)
    label = label or any(record.values.get("label") is True for record in run.trials)
    config: dict[str, object] = {"task": found.task}
    if found.data is not None:
        config["data"] = found.data
    config |= {
        "split": found.split,
        "simulators": [factories[n] if own_files.is_file(factories.get(n, "")) else n for n in rows],
        "seeds": list(found.seeds),
        "reference": found.reference,
        "family": list(found.family),
        "alpha": float(found.alpha),
    }
    if label:
        config["label"] = True
    settings = {f"{name}.{key}": value for name, row in rows.items() for key, value in row.settings.items()}
    if settings:
        config["settings"] = settings
    return Recipe(
        f"python -m benchmark run --config {CONFIG_FILE} --out runs/{found.task}-{found.split}",
        yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100),
        tuple((r.identity, r.text("simulator"), r.text("seed"), r.text("fold")) for r in run.trials),
    )
