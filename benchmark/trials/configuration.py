"""What a run is asked to do, read from a YAML file or from the command line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from msgspec import Meta

from benchmark.files import plain_yaml
from benchmark.metrics import get
from benchmark.metrics.families import main_metrics
from benchmark.metrics.registry import require
from tasks.decoding import Count, decode
from tasks.errors import InputError, require_known

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
"""The settings that come with the suite."""

SEEDS = (42, 123, 456, 789, 2024)
"""The five seeds of PROTOCOL section 7."""

ENGINE = "engine"
"""The section of a configuration that says how trials are carried out, see ``engines.settings``."""

LAYOUT = "layout"
"""The section of a configuration that says how its results are laid out, see ``reproduction.section``."""

PRIORS = (
    *("uniform", "centre-area", "position-prior", "kind-position-prior"),
    *("user-prior", "gaze-click-prior", "conditional-logit", "examination-prior", "geometry"),
)
ORACLES = ("gaze-oracle", "cursor-oracle", "other-users")

Seeds = Annotated[tuple[Count, ...], Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One run: simulators on one split of one task.

    Attributes:
        data: Prepared or raw folder, ``sample``, or None for the configured default.
        simulators: Names, in the order of the table.
        seeds: Seeds of simulators that use one; a deterministic simulator runs once.
        settings: ``key`` or ``simulator.key`` -> value; one that no simulator of the run has is refused.
        defaults: As ``settings``, from a preset: weaker than they are, and ignored where no simulator has it.
        reference: The simulator that every other one is compared with; see ``with_reference``.
        family: Metrics whose comparisons with the reference are corrected together (Holm), also of files.
        alpha: Level of the family.
        label: Also compute attention for the true click, where a simulator can; it has rows of its own, unranked.
        ties: How equal values are ranked: ``expected``, or ``last`` as in published code.
        truth: Version of the ground truth that a raw folder or the sample is read with, None for the task's own.
        viewport: Height of the viewport in screenshot pixels that they are read with (adserp), None for the recorded.
    """

    task: str
    data: str | None = None
    split: str = "loo"
    simulators: Annotated[tuple[str, ...], Meta(min_length=1)] = PRIORS + ORACLES
    seeds: Seeds = SEEDS
    settings: Mapping[str, object] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    reference: str = "position-prior"
    family: tuple[str, ...] = main_metrics()
    alpha: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    label: bool = False
    ties: Literal["expected", "last"] = "expected"
    truth: int | None = None
    viewport: Annotated[int, Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if not self.simulators:
            raise InputError("no simulator is named; 'list simulators' shows them.")
        twice = {name for name in self.simulators if self.simulators.count(name) > 1}
        if twice:
            raise InputError(f"simulator '{sorted(twice)[0]}' is named twice.")
        object.__setattr__(self, "family", tuple(get(name).name for name in self.family))


def with_reference(config: RunConfig, report: Callable[[str], None]) -> RunConfig:
    """Return a run that has its reference, which is added in front and reported where it is missing."""
    if config.reference in config.simulators:
        return config
    report(f"note: {config.reference} is added: the others are compared with it (another one: --reference NAME).")
    return replace(config, simulators=(config.reference, *config.simulators))


def read_preset(
    name: str, backbone: str | None = None, task: str = "", kind: Callable[[str | None], str] = lambda backbone: ""
) -> dict[str, Any]:
    """Return the values of a preset of ``configs/presets``: ``quick``, ``tuned``, ``full`` or ``parity``.

    A folder of the preset's name holds what else it has for a ``kind`` of backbone, a task, or both; the last wins. The
    pocket backbones, one of which is the default, are trained with settings of their own
    (``configs/simulators/pocket.yaml``), which a preset's own ``defaults`` override. InputError if there is no such
    preset.
    """
    known = sorted(path.stem for path in (CONFIGS / "presets").glob("*.yaml"))
    require_known("preset", [name], known)
    folder = CONFIGS / "presets" / name
    of = kind(backbone) if folder.is_dir() else ""
    parts = [folder.with_suffix(".yaml"), *(folder / f"{part}.yaml" for part in (of, task, f"{task}-{of}"))]
    layers = [read_config(part) for part in parts if part.is_file()]
    if backbone is None or backbone.startswith("pocket-"):
        pocket = read_config(CONFIGS / "simulators" / "pocket.yaml").get("settings", {})
        layers.insert(0, {"defaults": pocket})
    defaults = {key: value for layer in layers for key, value in layer.get("defaults", {}).items()}
    values = {key: value for layer in layers for key, value in layer.items()}
    return {**values, "defaults": defaults} if defaults else values


def shipped(path: Path, folder: Path) -> Path:
    """Return the file that comes with the suite in a folder of ``configs`` where only its name is given: ``priors``."""
    if path.suffix or len(path.parts) > 1 or path.exists():
        return path
    known = {one.stem: one for one in sorted(folder.glob("*.yaml"))}
    require_known("configuration", [path.name], known)
    return known[path.name]


def read_config(path: Path) -> dict[str, Any]:
    """Read a YAML run configuration and check its keys and types.

    Returns field name -> value, ready for ``RunConfig(**values)`` once the options of the command line have been
    applied and ``engine`` and ``layout`` taken out: how trials are carried out and shown is not part of what is run.
    InputError if the file is missing, is not YAML, or holds an unknown key or a value of the wrong type.
    """
    path = shipped(path, CONFIGS)
    raw = plain_yaml.read(path, "configuration")
    if not isinstance(raw, dict):
        raise InputError(f"{path} must hold keys and values, such as 'task: recgaze'.")
    kinds = {**get_type_hints(RunConfig, include_extras=True), ENGINE: dict[str, object], LAYOUT: dict[str, object]}
    require_known(f"key in {path}:", map(str, raw), kinds)
    found = {key: decode(kinds[key], value, path, "correct it", at=(key,)) for key, value in raw.items()}
    require(found.get("family", ()), f"{path}: family")
    return found
