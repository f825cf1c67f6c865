"""Load a checkpoint: checked before, while and after its weights are read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from safetensors import SafetensorError

from baselines.backbones import checkpoint as checkpoints
from baselines.backbones.conversation import give_template
from baselines.backbones.features import FeatureStore
from baselines.backbones.memory import check_memory, is_out_of_memory
from baselines.backbones.registry import ARCHITECTURES
from baselines.backbones.settings import Settings, read_settings
from baselines.backbones.vlm import VisionLanguageModel
from baselines.distributed.group import Group, current
from tasks import outside
from tasks.errors import InputError, unknown_name
from tasks.storage import cache_root

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32, "float64": torch.float64}
_ATTENTION = "sdpa"


def load_backbone(
    name_or_path: str | Path,
    device: str | torch.device | None = None,
    dtype: str | None = None,
    *,
    settings: Settings | None = None,
    features: Path | None | Literal["default"] = "default",
) -> VisionLanguageModel:
    """Load a backbone, frozen and in evaluation mode.

    In a group of processes that splits backbones (``baselines.distributed``) the first process reads the weights, and
    each ends up with its part of them.

    Args:
        name_or_path: A registry name, a local folder, or a hub name. Of a folder nothing is looked up on the hub.
        device: By default the first GPU if there is one, else the CPU.
        dtype: By default bfloat16 on a GPU and float32 on the CPU.
        settings: How sessions are put to it; by default the folder's ``gazebench.json``, else ``Settings()``.
        features: Folder for screen features, None to keep them in memory only; by default below the user's cache.

    InputError if the checkpoint is missing, incomplete, damaged or not a supported vision-language model, or there is
    not enough memory for it.
    """
    place = _device(device)
    number = _dtype(dtype, place)
    folder = checkpoints.find_folder(name_or_path)
    config = checkpoints.read_config(folder)
    parameters, _ = checkpoints.read_weights(folder)
    group = current()
    group = group if group is not None and group.settings.partitions else None
    _check_memory(parameters * number.itemsize, place, str(name_or_path), group)
    chosen = settings or read_settings(folder)
    cls: type[VisionLanguageModel] = outside.load(ARCHITECTURES[config["model_type"]].factory)
    with quiet():
        kind = getattr(transformers, cls.transformers_class)
        if group is None:
            model = checked_model(kind, folder, number)
        else:
            model = _split_model(kind, folder, number, group)
        tokenizer = read_tokenizer(folder, int(model.config.text_config.vocab_size))
        processor = cls.load(folder, model, tokenizer, chosen)
    found = checkpoints.fingerprint(folder)
    if features == "default":
        made_by = f"{found[:20]}-{chosen.fit}-{str(number).removeprefix('torch.')}-{place.type}"
        features = cache_root() / "features" / made_by
    try:
        model = model.to(place) if group is None else model
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(f"{name_or_path} does not fit into the memory of {place}; use a smaller backbone.") from error
    return cls(
        model,
        processor,
        name=str(name_or_path),
        checkpoint=found,
        settings=chosen,
        store=FeatureStore(features),
    )


def check_finite(model: torch.nn.Module, folder: Path) -> None:
    """Look for NaN and Inf in the weights; InputError if a weight is not finite; the message names the first tensor."""
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            # The sum is quick and keeps nothing; only where it overflows is every number looked at.
            if not bool(torch.isfinite(tensor.sum(dtype=torch.float32))) and not bool(torch.isfinite(tensor).all()):
                raise InputError(
                    f"the weights in {folder} hold NaN or Inf, first in {name}; fetch or train them again."
                )


def _check_memory(weights: int, place: torch.device, name: str, group: Group | None) -> None:
    """Compare the weights that a process will hold with its memory; in a group the first process reads all of them."""
    if group is None:
        check_memory(weights, place, name)
        return
    part = weights // group.size

    def check() -> None:
        check_memory(weights if group.first else part, torch.device("cpu"), name)
        if not group.settings.offload and place.type != "cpu":
            check_memory(part, place, name)

    group.attempt(check)


def checked_model(cls: Any, folder: Path, dtype: torch.dtype) -> Any:
    """Return the model of a folder with every weight that its configuration asks for, all of them finite.

    InputError if it does not load, weights are missing or of another shape (tied ones apart), or are not finite.
    """
    try:
        model, report = cls.from_pretrained(
            folder, dtype=dtype, attn_implementation=_ATTENTION, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError, SafetensorError) as error:
        raise InputError(f"the checkpoint in {folder} does not load: {_first_line(error)}") from error
    for kind in ("missing_keys", "mismatched_keys"):
        names = sorted(map(str, report[kind]))
        if names:
            raise InputError(
                f"the weights in {folder} do not fit its config.json: "
                f"{len(names)} {kind.replace('_', ' ')}, the first {names[0]}."
            )
    check_finite(model, folder)
    return model


def _split_model(cls: Any, folder: Path, dtype: torch.dtype, group: Group) -> Any:
    """Return the model split among a group; only its first process reads the weights."""
    from baselines.distributed.partition import split

    def model() -> Any:
        if group.first:
            return checked_model(cls, folder, dtype)
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        with torch.device("meta"):
            return transformers.AutoModelForImageTextToText.from_config(
                config, dtype=dtype, attn_implementation=_ATTENTION
            )

    return split(group.attempt(model), group)


def read_tokenizer(folder: Path, vocabulary: int) -> Any:
    """Return the tokenizer of a folder, with the chat template that lies next to it.

    InputError if there is none, it does not load, or it has more tokens than the model.
    """
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json", "tokenizer_config.json")):
        raise InputError(f"{folder} holds no tokenizer; save it there with save_pretrained.")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the Rust tokenizers raise bare Exception on a malformed file
        raise InputError(f"the tokenizer in {folder} does not load: {_first_line(error)}") from error
    if len(tokenizer) > vocabulary:
        raise InputError(
            f"the tokenizer in {folder} has {len(tokenizer)} tokens, the model only {vocabulary}; "
            "they do not belong together."
        )
    give_template(tokenizer, folder)
    return tokenizer


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"'{device}' is not a device; give cpu, cuda or cuda:1.") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise InputError(
            f"the device {found} was asked for, but torch sees no GPU. "
            "Use the device cpu, or install a CUDA build of torch."
        )
    return found


def _dtype(dtype: str | None, device: torch.device) -> torch.dtype:
    if dtype is None:
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if dtype not in DTYPES:
        raise unknown_name("dtype", dtype, DTYPES)
    return DTYPES[dtype]


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' progress bars and load reports; what matters of them is raised."""
    log = transformers.utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()
