"""Turns a simulator's part of a run into a submission folder."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmark.metrics import all_metrics
from benchmark.naming import INPUTS, OTHERWISE, STATED, STATED_SOURCE, input_word, labelled
from benchmark.parts.checking import claimed, missing
from benchmark.runs import kept as records
from benchmark.scores import paths, predictions, reading, results
from benchmark.scores.results import Results, SimulatorResult
from submissions import json_schema
from submissions.facts import Facts
from submissions.format import (
    CONDITIONS,
    FORMAT,
    PLACEHOLDER_AUTHOR,
    PLACEHOLDER_CONTACT,
    PREDICTIONS_FOLDER,
    entry_of,
    paths_file,
    write_metadata,
    write_predictions,
)
from tasks.errors import InputError, unknown_name
from tasks.storage import staged

CALLED = {"item texts": "text", "item places": "text", "item ratings": "profile"}
"""What the format calls the inputs that it has no word of its own for."""

_COST = re.compile(r"[a-z][a-z0-9_]{0,59}")


def pack(run: Path, simulator: str, out: Path, facts: Facts, *, label: bool = False) -> None:
    """Write the submission folder of one simulator of a finished run; ``out`` must not exist, or be empty.

    Of seeds that all say the same the first is taken; with ``label``, the attention that was computed for the true
    click, which is never ranked. InputError if there is no such run or simulator, ``out`` is not empty, or a field is
    not of the format.
    """
    found = results.read(run)
    results.check_whole(found, run)
    row = _row(found, simulator, run, label)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not empty; choose another folder with --out.")
    said = _predictions(run, simulator, label)
    key = f"{found.task}@{found.version}/{found.split}"
    trials = records.behind(run, found)
    own = [record.values for record in trials[row.base]]
    notice = _notice(found, own, [record.values for several in trials.values() for record in several])
    about = {"task": found.task, "split": found.split, "digest": found.digest, "notice": notice}
    with staged(out, replace=False) as folder:
        seeds, failures = _telling(said), 0
        for seed in seeds:
            if entry_of(f"{PREDICTIONS_FOLDER}/{key}/seed-{seed}.parquet", folder) is None:
                raise InputError(f"{key} with seed {seed} cannot be written as a path of the format.")
            of_seed = predictions.chosen(said, seed=seed)
            write_predictions(folder, key, seed, of_seed, about)
            failures += _blank(of_seed)
        if not label:
            drawn = paths.read(one.folder for one in trials[row.base] if one.values.get("seed") == seeds[0])
            if drawn:
                (folder / paths_file(key)).parent.mkdir(parents=True)
                (folder / paths_file(key)).write_text(paths.text(drawn), encoding="ascii")
            for condition, rows in under_stress(run, found, simulator, facts.own_labels).items():
                for seed in seeds:
                    of_seed = predictions.chosen(rows, seed=seed)
                    write_predictions(folder, key, seed, of_seed, {**about, "condition": condition}, condition)
        values = _metadata(row, facts, own, seeds, {key: found.digest}, failures, notice, label)
        if not label and any(one.name == row.base + STATED for one in found.simulators):
            values["attention"] = {"source": STATED_SOURCE, "target": "none"}
        for where, what, remedy in json_schema.faults(values, json_schema.schema()):
            raise InputError(f"'{where}' {what}. {remedy} Give it in a file: --about FILE.")
        write_metadata(folder, values, f"Written by 'pack' from a run of {found.task}. {notice}".strip())


def _row(found: Results, simulator: str, run: Path, label: bool) -> SimulatorResult:
    wanted = labelled(simulator, "label" if label else "free")
    for row in found.simulators:
        if row.name == wanted:
            return row
    raise unknown_name(f"simulator in {run}:", wanted, [row.name for row in found.simulators])


def _telling(said: pa.Table) -> list[int]:
    """Return the seeds, the first alone where all say the same: what does not depend on them has one."""
    seeds = sorted(said["seed"].unique().to_pylist())
    each = [predictions.chosen(said, seed=seed).drop_columns(["seed"]) for seed in seeds]
    return seeds if any(not one.equals(each[0]) for one in each) else seeds[:1]


def _predictions(run: Path, simulator: str, label: bool) -> pa.Table:
    """Return the simulator's rows of the run's predictions."""
    import pyarrow.compute as pc

    try:
        said = reading.stored(run / "predictions.parquet")
    except InputError as error:
        raise InputError(f"{run} has no readable predictions ({error}); run again.") from error
    said = predictions.chosen(said, simulator=simulator)
    of_label = pc.equal(said["target"], "label")
    return said.filter(of_label if label else pc.invert(of_label))


def _blank(said: pa.Table) -> int:
    """Return in how many rows a part is blank that other rows have."""
    cells = predictions.cells_of(said)
    return int(missing(cells, claimed(cells)).sum())


def under_stress(run: Path, found: Results, simulator: str, own_labels: bool = False) -> dict[str, pa.Table]:
    """Return condition -> what ``stress`` predicted for one simulator of a run, under the published conditions.

    Conditions of another seed than the published one are left out, and so is ``relabel`` of a simulator that names
    slots by labels of its own: a board knows the screen's labels only. Left out too is a condition under which it
    failed on a session: a blank would make the condition look harder than it is. InputError if a file is damaged, or it
    is about other trials than the run's: the run was made again since.
    """
    from benchmark.naming import RELABEL
    from benchmark.stress.records import FOLDER
    from benchmark.stress.sources import sources
    from tasks.altered import SEED

    tables: dict[str, pa.Table] = {}
    for condition in CONDITIONS:
        path = run / FOLDER / condition / "predictions.parquet"
        if not path.is_file():
            continue
        try:
            said, about = reading.stored(path), reading.about(path)
        except InputError as error:
            raise InputError(f"{path} is damaged ({error}); delete it and run 'stress {run}' again.") from error
        trials = _trials_of(about, simulator, path, run)
        if about.get("seed") != str(SEED) or trials is None:
            continue
        known = sources(run, found, [simulator])[simulator]
        if trials != [source.identity for source in known] or about.get("digest") != found.digest:
            raise InputError(f"{path} is about other trials of {simulator} than {run} holds; run 'stress {run}' again.")
        if condition == RELABEL and own_labels:
            continue
        said = predictions.chosen(said, simulator=simulator)
        if not _blank(said):
            tables[condition] = said
    return tables


def _trials_of(about: Mapping[str, str], simulator: str, path: Path, run: Path) -> list[str] | None:
    """Return the trials that a file of ``stress`` names for a simulator, None if it has nothing of it."""
    try:
        trials = json.loads(about.get("trials", "{}"))
        found: list[str] | None = trials.get(simulator)
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error}); delete it and run 'stress {run}' again.") from error
    return found


def _notice(found: Results, own: Sequence[Mapping[str, Any]], every: Sequence[Mapping[str, Any]]) -> str:
    """Return what every output on one simulator must say: of the data, and of its own trials among every trial."""

    def asked(trials: Sequence[Mapping[str, Any]]) -> set[str]:
        lines = [str(trial.get("notice") or "") for trial in trials]
        lines += [f"computed with {trial['parallel']}" for trial in trials if trial.get("parallel")]
        return {part for line in lines for part in line.split("; ")}

    others = asked(every) - asked(own)
    return "; ".join(part for part in found.notice.split("; ") if part not in others)


def _metadata(
    row: SimulatorResult,
    facts: Facts,
    trials: Sequence[Mapping[str, Any]],
    seeds: list[int],
    digests: dict[str, str],
    failures: int,
    notice: str,
    label: bool,
) -> dict[str, Any]:
    name = row.base
    backbone = row.settings.get("backbone") or row.settings.get("language_model") or row.settings.get("model")
    operator = row.settings.get("operator")
    source = f"{operator} on {backbone}" if operator and backbone else facts.summary or f"computed by {name}"
    settings = ", ".join(f"{k}={v}" for k, v in row.settings.items() if v != "")
    attends = any(metric.name in row.metrics and "attention" in metric.needs for metric in all_metrics())
    values: dict[str, Any] = {
        "format": FORMAT,
        "name": f"{name} ({OTHERWISE})" if OTHERWISE in notice else name,
        "version": "1",
        "authors": [PLACEHOLDER_AUTHOR],
        "contact": PLACEHOLDER_CONTACT,
        "link": None,
        "licence": "CC0-1.0",
        "description": f"{facts.summary or name}. Settings: {settings}."[:4000] if settings else facts.summary or name,
        "simulator": {
            "kind": facts.kind,
            "inputs": _inputs(facts.sees),
            "backbone": {"name": str(backbone), "parameters": facts.parameters} if backbone else None,
            "training_data": None,
        },
        "attention": {"source": source, "target": "label" if label else "free"} if attends else None,
        "seeds": seeds,
        "digests": digests,
        "failures": failures,
        "hardware": _hardware(trials),
        "cost": _cost(trials),
        "notice": notice or None,
    }
    for field, value in (facts.about or {}).items():
        nested = isinstance(value, dict) and isinstance(values.get(field), dict)
        values[field] = {**values[field], **value} if nested else value
    if values["attention"] is not None and not attends:
        values["attention"] = None
    return values


def _inputs(sees: Sequence[str]) -> list[str]:
    """Return what a simulator sees in the format's words."""
    found = [CALLED.get(said) or input_word(said) for said in sees]
    for said in found:
        if said not in INPUTS:
            raise unknown_name("input that the simulator sees:", said, INPUTS)
    return list(dict.fromkeys(found))


def _cost(trials: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return what the trials took together: sums, and the largest of every peak."""
    total: dict[str, float] = {}
    for trial in trials:
        for name, value in trial.get("cost", {}).items():
            good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if good and value >= 0 and _COST.fullmatch(name):
                before = total.get(name, 0)
                total[name] = max(before, value) if "peak" in name or "best" in name else round(before + value, 3)
    return total


def _hardware(trials: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what the trials ran on, each kind of machine once."""
    found = []
    for trial in trials:
        environment = trial.get("environment") or {}
        processor = re.search(r"x86_64|amd64|aarch64|arm64", str(environment.get("platform", "")), re.IGNORECASE)
        parts = [processor[0] if processor else "", f"{environment.get('cpu_count', '?')} CPU cores"]
        parts.append(str(environment.get("gpu") or "no GPU"))
        found.append(", ".join(part for part in parts if part))
    return "; ".join(dict.fromkeys(found))[:500] or None
