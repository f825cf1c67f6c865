"""What a table is made from: one group of runs per backbone and operator, all in one store of finished trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from benchmark.catalogue import Catalogue
from benchmark.config import CONFIGS, RunConfig, read_config
from benchmark.engines import Engine
from benchmark.results import Results
from benchmark.runner import FailedTrial, assemble, run_missing
from benchmark.store import TrialStore
from benchmark.trials import Trial, expand

if TYPE_CHECKING:
    import pandas as pd

    from tasks.task import Task

STAND_INS = {"qwen3-vl": "pocket-qwen3vl", "internvl3.5": "pocket-internvl"}
"""The pocket backbone that takes a published one's place where nothing else is asked for."""

STAND_IN_OPERATORS = {"attnlrp": "attnlrp-stable"}
"""On a pocket backbone the published normaliser nearly divides by zero; the stable variant takes its place."""

QUICK_SEEDS = (42, 123)
QUICK_DEFAULTS: Mapping[str, object] = {"epochs": 2}
"""What ``--preset quick`` changes: two seeds, two epochs."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user chose beside the layout.

    Attributes:
        backbones: Backbone of the layout -> registry name or folder to use; those that are missing are left out.
        quick: Few seeds and epochs.
        label: Attention for the true click as well, as in the published tables.
        data: Data source of every task: a folder, ``sample``, or None for the configured default.
        settings: Settings of simulators that win over those of the layouts, wherever a simulator has them. Who takes
            them from a user checks that some simulator does.
    """

    backbones: Mapping[str, str]
    quick: bool = False
    label: bool = False
    data: str | None = None
    settings: Mapping[str, object] | None = None


class HasRuns(Protocol):
    """The layout of a table or of a figure, as far as it says what is run."""

    @property
    def backbones(self) -> tuple[str, ...]:
        """Registry names; stand-ins may take their place."""
        ...

    @property
    def operators(self) -> tuple[str, ...]:
        """Probing operators."""
        ...

    @property
    def run(self) -> Mapping[str, object]:
        """The run configuration, as ``read_config`` returns it."""
        ...


@dataclass(frozen=True, slots=True)
class Varied:
    """One setting of one simulator, moved away from its default.

    Attributes:
        simulator: Whose.
        setting: Which.
        value: Where to.
    """

    simulator: str
    setting: str
    value: float


@dataclass(frozen=True, slots=True)
class Group:
    """The runs behind a block of rows, or behind a point of a curve.

    Attributes:
        backbone: As the layout names it.
        operator: As the layout names it.
        used_backbone: What is run.
        used_operator: What is run.
        config: The run.
        varied: The setting that the layout moves; None for the method as it is.
    """

    backbone: str
    operator: str
    used_backbone: str
    used_operator: str
    config: RunConfig
    varied: Varied | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A group that has been run.

    Attributes:
        group: What was run.
        results: Its results; simulators with failed trials are left out.
        scores: Scores per session.
        predictions: What the simulators said, a row per simulator, seed, session and target.
        identities: Row name -> identities of its trials.
        deterministic: Simulators that use no seed and were run once.
    """

    group: Group
    results: Results
    scores: pd.DataFrame
    predictions: pd.DataFrame
    identities: Mapping[str, tuple[str, ...]]
    deterministic: frozenset[str] = frozenset()


def groups_of(layout: HasRuns, choice: Choice, varied: Varied | None = None) -> list[Group]:
    """Return the runs of one table or figure.

    Args:
        layout: What is run.
        choice: What the user chose.
        varied: A setting that wins over everything, the user's choice included.
    """
    found = []
    for backbone in layout.backbones:
        if backbone not in choice.backbones:
            continue
        used = choice.backbones[backbone]
        pocket = used.startswith("pocket-")
        for operator in layout.operators:
            probed = STAND_IN_OPERATORS.get(operator, operator) if pocket else operator
            values: dict[str, Any] = {**layout.run, "data": choice.data, "label": choice.label}
            defaults = dict(read_config(CONFIGS / "simulators" / "pocket.yaml")["settings"]) if pocket else {}  # type: ignore[call-overload]
            if choice.quick:
                values["seeds"] = QUICK_SEEDS
                defaults.update(QUICK_DEFAULTS)
            given = choice.settings or {}
            own = {**values.get("settings", {}), "backbone": used, "operator": probed}
            moved = {} if varied is None else {f"{varied.simulator}.{varied.setting}": varied.value}
            # As defaults, the user's settings are passed over in groups whose simulators have no such setting.
            values["defaults"] = {**defaults, **values.get("defaults", {}), **given}
            stronger = {*own, *(f"{name}.{key}" for name in values["simulators"] for key in own)}
            values["settings"] = {**own, **{key: value for key, value in given.items() if key in stronger}, **moved}
            found.append(Group(backbone, operator, used, probed, RunConfig(**values), varied))
    return found


def trials_of(
    groups: Sequence[Group], load_task: Callable[[str], Task], catalogue: Catalogue
) -> tuple[list[list[Trial]], dict[str, list[Trial]]]:
    """Return the trials of each group, and task name -> its trials, each once however many groups need it.

    Args:
        groups: What is run.
        load_task: Task name -> task.
        catalogue: Where simulators are found.
    """
    tasks = {name: load_task(name) for name in dict.fromkeys(group.config.task for group in groups)}
    by_group = [expand(group.config, tasks[group.config.task], catalogue) for group in groups]
    by_task: dict[str, dict[str, Trial]] = {name: {} for name in tasks}
    for group, trials in zip(groups, by_group, strict=True):
        by_task[group.config.task].update({trial.identity(): trial for trial in trials})
    return by_group, {name: list(trials.values()) for name, trials in by_task.items()}


def run_groups(
    groups: Sequence[Group],
    load_task: Callable[[str], Task],
    catalogue: Catalogue,
    store: TrialStore,
    *,
    engine: Engine | None = None,
    **showing: Any,
) -> tuple[list[Found], list[FailedTrial]]:
    """Run what is missing of all groups, a task at a time, and score them.

    Args:
        groups: What to run.
        load_task: Task name -> task, the same one whenever it is asked.
        catalogue: Where simulators are found.
        store: Where finished trials are kept; a trial that several groups need is run once.
        engine: What carries the trials out.
        showing: ``force``, ``display``, ``progress`` and ``report`` of ``run_missing``.

    Returns:
        The groups in the given order, without those of which nothing is complete; and the failed trials.
    """
    trials, wanted = trials_of(groups, load_task, catalogue)
    failed: list[FailedTrial] = []
    for name, of_task in wanted.items():
        failed += run_missing(of_task, load_task(name), store, engine=engine, **showing)
    broken = {failure.trial.identity() for failure in failed}
    found = []
    for group, of_group in zip(groups, trials, strict=True):
        incomplete = {trial.simulator for trial in of_group if trial.identity() in broken}
        complete = tuple(name for name in group.config.simulators if name not in incomplete)
        if complete:
            config = replace(group.config, simulators=complete)
            results, scores, predictions = assemble(config, load_task(config.task), catalogue, of_group, store)
            identities = {
                name: tuple(t.identity() for t in of_group if t.simulator == name.removesuffix(" [label]"))
                for name in dict.fromkeys(scores["simulator"])
            }
            once = frozenset(name for name in complete if not catalogue.entry(name).stochastic)
            found.append(Found(group, results, scores, predictions, identities, once))
    return found, failed


def stand_ins(found: Sequence[Found]) -> list[str]:
    """Return a caption line for everything that is not the real thing: data, backbones, operators."""
    lines = [f"NOTE: {line}" for line in dict.fromkeys(f.results.notice for f in found if f.results.notice)]
    for group in (f.group for f in found):
        if group.used_backbone != group.backbone:
            lines.append(f"NOTE: in place of {group.backbone}: {group.used_backbone}")
        if group.used_operator != group.operator:
            lines.append(f"NOTE: in place of {group.operator}: {group.used_operator}")
    return list(dict.fromkeys(lines))
