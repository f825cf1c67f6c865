"""A DeepSpeed configuration: a file of ``configs/deepspeed`` or one's own; readable without torch and DeepSpeed."""

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from benchmark.trials.configuration import CONFIGS
from benchmark.trials.trial import Trial
from tasks.decoding import decode, load_json
from tasks.errors import InputError, unknown_name

FOLDER = CONFIGS / "deepspeed"
BEHAVIOUR = "1"
"""Version of how work is shared out; see ``benchmark.trials.catalogue.Entry``."""
_OWNED = (
    "optimizer",
    "scheduler",
    "gradient_clipping",
    "gradient_accumulation_steps",
    "train_batch_size",
    "train_micro_batch_size_per_gpu",
)
"""What the simulator's settings decide, which are part of a trial's identity."""
MODELS = ("backbone", "language_model")
"""Settings that name a model: trials whose material they are can be shared out."""
_Number = Annotated[float, msgspec.Meta(ge=0, le=1e18)]


class _Format(msgspec.Struct, frozen=True):
    enabled: Literal["auto"] | bool = "auto"


class _Offload(msgspec.Struct, frozen=True):
    device: Literal["none", "cpu"] = "none"


class _Zero(msgspec.Struct, frozen=True):
    stage: Literal[2, 3]
    offload_param: _Offload | None = None
    stage3_param_persistence_threshold: _Number = 1000
    stage3_max_live_parameters: _Number = 0


class _File(msgspec.Struct, frozen=True):
    """What is read of the file; the rest is for DeepSpeed."""

    zero_optimization: _Zero
    bf16: _Format = _Format()
    fp16: _Format = _Format()


@dataclass(frozen=True, slots=True)
class ZeroSettings:
    """What is shared out among the processes.

    Attributes:
        stage: 2: the prompt's optimiser; 3: the weights of the backbone too.
        offload: Each process keeps its part of the weights in main memory, not on its GPU.
        whole: Weights of up to so many numbers are kept whole by every process (stage 3).
        live: So many gathered numbers may be kept for the next use, in addition to the layer in use (stage 3).
        values: The file as DeepSpeed reads it.
    """

    name: str
    stage: int
    offload: bool = False
    whole: int = 0
    live: int = 0
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def parallel(self, trial: Trial, size: int) -> str:
        """Return how so many processes share a trial with a model, as its identity has it; empty for one without.

        Sums that are shared out differently differ in their last digits, so everything that says how they are shared
        out is in it, the version of this package's behaviour included; the name of the file is not.
        """
        if not any(name in trial.material for name in MODELS):
            return ""
        digest = hashlib.sha256(json.dumps(self.values, sort_keys=True).encode() + BEHAVIOUR.encode())
        kind = f"zero{self.stage}{'-offload' if self.offload else ''}"
        return f"DeepSpeed {kind} x{size} ({digest.hexdigest()[:8]})"

    @property
    def partitions(self) -> bool:
        """Whether the backbone is split."""
        return self.stage == 3

    def for_prompt(self, clip: float) -> dict[str, Any]:
        """Return the configuration of the prompt's optimiser; ``clip`` is the largest gradient norm.

        A prompt has some 100,000 numbers, so there is nothing to gain from splitting it too: stage 3 and offloading are
        for the backbone. It is kept and tuned in float32 whatever the backbone's number format.
        """
        found = self.for_backbone(False)
        zero = found["zero_optimization"]
        for key in [key for key in zero if key.startswith(("stage3_", "offload_"))] + ["memory_efficient_linear"]:
            zero.pop(key, None)
        zero["stage"] = 2
        return {**found, "gradient_clipping": clip}

    def for_backbone(self, bf16: bool) -> dict[str, Any]:
        """Return the configuration that the backbone's weights, bfloat16 or not, are split by."""
        found: dict[str, Any] = copy.deepcopy(dict(self.values))
        found["bf16"] = {"enabled": bf16}
        # DeepSpeed asks for a batch size; the batches are the trainer's.
        found["train_micro_batch_size_per_gpu"] = 1
        found.setdefault("steps_per_print", 10**9)
        return found


def names() -> list[str]:
    """Return the names of the configurations that come with the suite."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def read(name: str) -> ZeroSettings:
    """Return the configuration of this name, or in the file of this path.

    InputError if there is none, or it asks for something that is not DeepSpeed's to decide here.
    """
    path = FOLDER / f"{name}.json" if name in names() else Path(name)
    if path.suffix != ".json":
        raise unknown_name("DeepSpeed configuration", name, names())
    values: Any = load_json(path, "correct it")
    found = decode(_File, values, path, "correct it")
    for key in _OWNED:
        if key in values:
            raise InputError(f"{path}: leave out {key}; it is a setting of the simulator (--set), not of DeepSpeed.")
    for form, asked in (("bf16", found.bf16), ("fp16", found.fp16)):
        if asked.enabled is True:
            raise InputError(
                f'{path}: {form}.enabled must be "auto" or false; the number format is the simulator\'s setting dtype.'
            )
    values.pop("fp16", None)
    zero = found.zero_optimization
    offload = zero.offload_param is not None and zero.offload_param.device == "cpu"
    whole, live = zero.stage3_param_persistence_threshold, zero.stage3_max_live_parameters
    return ZeroSettings(name, zero.stage, offload, int(whole), int(live), values)
