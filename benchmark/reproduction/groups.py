"""What a table is made from: one group of runs per backbone and operator, all in one store of finished trials."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmark.engines import Engine
from benchmark.naming import base_name
from benchmark.reproduction.checkpoints import Checkpoint, called, check_architecture, is_stand_in
from benchmark.reproduction.section import Section
from benchmark.runs.runner import FailedTrial, assemble, run_missing
from benchmark.scores.results import Results
from benchmark.trials.catalogue import Catalogue
from benchmark.trials.configuration import CONFIGS, RunConfig, read_config, read_preset
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import Trial, expand
from tasks.task import Task

STAND_IN_OPERATORS = {"attnlrp": "attnlrp-stable"}
"""On a pocket backbone the published normaliser nearly divides by zero; the stable variant takes its place."""

QUICK_SEEDS = (42, 123)
QUICK_DEFAULTS: Mapping[str, object] = {"epochs": 2}
"""What ``--preset quick`` changes: two seeds, two epochs."""

OF_PRESET = ("seeds", "label", "ties", "truth", "viewport")
"""What the tables take from another preset, apart from its defaults."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user chose in addition to the layout.

    Attributes:
        backbones: Backbone of the layout -> registry name or folder to use; those that are missing are left out.
        quick: Few seeds and epochs.
        preset: Another preset of ``configs/presets``: its ways of reading, tuning and scoring; empty for none.
        label: Attention for the true click as well, as in the published tables.
        data: Data source of every task: a folder, ``sample``, or None for the configured default.
        settings: Settings of simulators that win over those of the layouts, wherever a simulator has them. Who takes
            them from a user checks that some simulator does.
        describe: Name or folder of a backbone -> what that holds; without it nothing is checked or said of it.
    """

    backbones: Mapping[str, str]
    quick: bool = False
    preset: str = ""
    label: bool = False
    data: str | None = None
    settings: Mapping[str, object] | None = None
    describe: Callable[[str], Checkpoint] | None = None


@dataclass(frozen=True, slots=True)
class Varied:
    """One setting of one simulator, moved away from its default."""

    simulator: str
    setting: str
    value: float


@dataclass(frozen=True, slots=True)
class Group:
    """The runs behind a block of rows, or behind a point of a curve; what is run may differ from what the layout names.

    Attributes:
        given: The user's settings, whether a simulator of the group has them or not.
        checkpoint: What ``used_backbone`` holds, None if nobody looked.
    """

    backbone: str
    operator: str
    used_backbone: str
    used_operator: str
    config: RunConfig
    varied: Varied | None = None
    quick: bool = False
    given: Mapping[str, object] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None

    @property
    def shown(self) -> tuple[str, str]:
        """What backbone and operator are called in print."""
        return called(self.backbone, self.used_backbone), self.used_operator


@dataclass(frozen=True, slots=True)
class Found:
    """A group that has been run.

    Attributes:
        results: Its results; simulators with failed trials are left out.
        predictions: What the simulators said, a row per simulator, seed, session and target.
        identities: Row name -> identities of its trials.
        folders: Simulator -> folders of its trials, with what they keep.
        deterministic: Simulators that use no seed and were run once.
        data_notice: What every output must say of the sessions; empty for recorded ones.
        notices: What every output must say of the simulators, each thing once.
        moved: The user's settings that a simulator of the group has, spelt as the user knows them.
    """

    group: Group
    results: Results
    scores: pd.DataFrame
    predictions: pa.Table
    identities: Mapping[str, tuple[str, ...]]
    deterministic: frozenset[str] = frozenset()
    data_notice: str = ""
    notices: tuple[str, ...] = ()
    moved: Mapping[str, object] = field(default_factory=dict)
    folders: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Missing:
    """A simulator of a group that is left out because some of its trials failed."""

    group: Group
    simulator: str
    failed: int
    trials: int


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of running some groups, in their order; groups of which nothing is complete are missing."""

    found: tuple[Found, ...]
    missing: tuple[Missing, ...]
    failed: tuple[FailedTrial, ...]

    def of(self, groups: Sequence[Group]) -> "Ran":
        """Return what concerns some of the groups; all failed trials stay."""
        mine = {id(group) for group in groups}
        found = tuple(one for one in self.found if id(one.group) in mine)
        return Ran(found, tuple(one for one in self.missing if id(one.group) in mine), self.failed)


def groups_of(layout: Section, choice: Choice, varied: Varied | None = None) -> list[Group]:
    """Return the runs of one table or figure; the varied setting wins over everything, the user's choice included.

    InputError if a checkpoint cannot be read, or is of another architecture than the backbone it is run for.
    """
    found = []
    given = choice.settings or {}
    if not layout.backbones:
        found.append(Group("", "", "", "", _config(layout, choice, {}, varied), varied, choice.quick, given))
    for backbone in layout.backbones:
        if backbone not in choice.backbones:
            continue
        used = str(given.get("backbone", choice.backbones[backbone]))
        checkpoint = None if choice.describe is None else choice.describe(used)
        if checkpoint is not None:
            check_architecture(backbone, used, checkpoint)
        for operator in layout.operators:
            stands_in = is_stand_in(used) and not choice.preset
            stand_in = STAND_IN_OPERATORS.get(operator, operator) if stands_in else operator
            probed = str(given.get("operator", stand_in))
            config = _config(layout, choice, {"backbone": used, "operator": probed}, varied)
            found.append(Group(backbone, operator, used, probed, config, varied, choice.quick, given, checkpoint))
    return found


def _config(layout: Section, choice: Choice, probed: Mapping[str, object], varied: Varied | None) -> RunConfig:
    """Return the run of one group; ``probed`` holds its backbone and operator, nothing where no model is run."""
    values: dict[str, Any] = {**layout.run, "data": choice.data, "label": choice.label}
    defaults: dict[str, object] = {}
    used = str(probed.get("backbone", ""))
    if is_stand_in(used):
        defaults.update(read_config(CONFIGS / "simulators" / "pocket.yaml")["settings"])
    if choice.preset:
        looked = choice.describe(used).model_type if used and choice.describe is not None else ""
        preset = read_preset(choice.preset, used, str(values["task"]), lambda _: looked)
        defaults.update(preset.get("defaults", {}))
        values.update({key: preset[key] for key in OF_PRESET if key in preset})
    if choice.quick:
        values["seeds"] = QUICK_SEEDS
        defaults.update(QUICK_DEFAULTS)
    given = choice.settings or {}
    own = {**values.get("settings", {}), **probed}
    moved = {} if varied is None else {f"{varied.simulator}.{varied.setting}": varied.value}
    # As defaults, the user's settings are passed over in groups whose simulators have no such setting.
    values["defaults"] = {**defaults, **values.get("defaults", {}), **given}
    stronger = {*own, *(f"{name}.{key}" for name in values["simulators"] for key in own)}
    values["settings"] = {**own, **{key: value for key, value in given.items() if key in stronger}, **moved}
    return RunConfig(**values)


def trials_of(
    groups: Sequence[Group], load_task: Callable[[str], Task], catalogue: Catalogue
) -> tuple[list[list[Trial]], dict[str, list[Trial]]]:
    """Return the trials of each group, and task name -> its trials, each once however many groups need it."""
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
) -> Ran:
    """Run what is missing of all groups, a task at a time, and score them.

    ``load_task`` returns the same task whenever it is asked; ``showing`` goes to ``run_missing``.
    """
    trials, wanted = trials_of(groups, load_task, catalogue)
    failed: list[FailedTrial] = []
    for name, of_task in wanted.items():
        failed += run_missing(of_task, load_task(name), store, engine=engine, **showing)
    broken = {failure.trial.identity() for failure in failed}
    found: list[Found] = []
    missing: list[Missing] = []
    for group, of_group in zip(groups, trials, strict=True):
        asked = Counter(trial.simulator for trial in of_group)
        lost = Counter(trial.simulator for trial in of_group if trial.identity() in broken)
        missing += [Missing(group, name, lost[name], asked[name]) for name in group.config.simulators if lost[name]]
        complete = tuple(name for name in group.config.simulators if not lost[name])
        if complete:
            config = replace(group.config, simulators=complete)
            found.append(_found(group, config, load_task(config.task), catalogue, of_group, store))
    return Ran(tuple(found), tuple(missing), tuple(failed))


def _found(
    group: Group, config: RunConfig, task: Task, catalogue: Catalogue, trials: Sequence[Trial], store: TrialStore
) -> Found:
    """Score the complete simulators of a group."""
    results, scores, predictions = assemble(config, task, catalogue, trials, store)
    mine = [trial for trial in trials if trial.simulator in config.simulators]
    said = [*(trial.notice for trial in mine), *(f"computed with {t.parallel}" for t in mine if t.parallel)]
    return Found(
        group,
        results,
        scores,
        predictions,
        identities={
            name: tuple(t.identity() for t in trials if t.simulator == base_name(name))
            for name in dict.fromkeys(scores["simulator"])
        },
        deterministic=frozenset(name for name in config.simulators if not catalogue.entry(name).stochastic),
        data_notice=task.notice,
        notices=tuple(dict.fromkeys(line for line in said if line)),
        moved=_moved(group.given, trials),
        folders={n: tuple(store.folder(t) for t in trials if t.simulator == n) for n in config.simulators},
    )


def _moved(given: Mapping[str, object], trials: Sequence[Trial]) -> dict[str, object]:
    """Return the user's settings that one of the trials has."""
    found = {}
    for key, value in given.items():
        simulator, _, setting = key.rpartition(".")
        known = {name for t in trials if simulator in ("", t.simulator) for name in t.settings}
        if {setting, f"{setting}_"} & known:
            found[spelt(key)] = value
    return found


def spelt(setting: str) -> str:
    """Return a setting as the user knows it: ``lambda`` for ``lambda_``, which Python would keep for itself."""
    return setting.removesuffix("_")
