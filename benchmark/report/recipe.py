"""How to get a run again: the command, its configuration and the identities of its trials."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.report.reading import Run
from benchmark.trials import own_files

CONFIG_FILE = "config.yaml"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What makes the same trials again.

    Attributes:
        config: The configuration as YAML, every setting written out, defaults included.
        identities: Identity, simulator, seed and fold of each trial.
    """

    command: str
    config: str
    identities: tuple[tuple[str, str, str, str], ...]


def recipe(run: Run) -> Recipe:
    """Return the recipe of a run."""
    import yaml

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
