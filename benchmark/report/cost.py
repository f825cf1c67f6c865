"""What a run cost, and where it ran, from the records of its trials."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.runs.kept import TrialRecord
from benchmark.trials.records import Spent


@dataclass(frozen=True, slots=True)
class Cost:
    """The wall time, tokens, FLOPs and highest memory (bytes) of one simulator's trials; None where no trial has it."""

    simulator: str
    trials: int
    seconds_fit: float | None
    seconds_simulate: float | None
    tokens: float | None
    flops: float | None
    memory: float | None
    again: int


@dataclass(frozen=True, slots=True)
class Place:
    """Trials that ran in one and the same environment."""

    facts: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    trials: int
    simulators: tuple[str, ...]
    processes: int


def costs(trials: Sequence[TrialRecord]) -> list[Cost]:
    """Return the cost of each simulator, in the order of the trials."""
    found = []
    for name in dict.fromkeys(record.text("simulator") for record in trials):
        mine = [record for record in trials if record.text("simulator") == name]
        spent = [record.values.get("cost", {}) for record in mine]
        memory = [one["peak_memory_bytes"] for one in spent if "peak_memory_bytes" in one]
        found.append(
            Cost(
                name,
                len(mine),
                _sum([one.get("seconds_fit") for one in spent]),
                _sum([one.get("seconds_simulate") for one in spent]),
                _sum([_tokens(one) for one in spent]),
                _sum([one.get("flops_estimated") for one in spent]),
                max(memory, default=None),
                sum(record.values.get("attempts", 1) > 1 for record in mine),
            )
        )
    return found


def places(trials: Sequence[TrialRecord]) -> list[Place]:
    """Return where the trials ran, the place of most trials first."""
    groups: dict[str, list[TrialRecord]] = {}
    for record in trials:
        shared = {k: v for k, v in record.values.get("environment", {}).items() if k != "where"}
        groups.setdefault(json.dumps(shared, sort_keys=True, default=str), []).append(record)
    found = []
    for text, mine in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        shared = json.loads(text)
        versions = shared.pop("packages", {})
        found.append(
            Place(
                tuple((str(k).replace("_", " "), _text(v)) for k, v in shared.items()),
                tuple((str(k), str(v)) for k, v in sorted(versions.items())),
                len(mine),
                tuple(dict.fromkeys(record.text("simulator") for record in mine)),
                len({record.where for record in mine}),
            )
        )
    return found


def _tokens(cost: Spent) -> float | None:
    """Return the tokens of a trial: as one count, or of training and simulating together."""
    whole = cost.get("tokens")
    return whole if whole is not None else _sum([cost.get("tokens_trained"), cost.get("tokens_simulated")])


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _text(value: object) -> str:
    return "none" if value is None else str(value)
