"""A checkpoint on disk: where it is, what it is, how large, and its fingerprint; no weights are read into memory."""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

from safetensors import SafetensorError, safe_open

from baselines.backbones.registry import ARCHITECTURES, checkpoint_of
from baselines.backbones.settings import read_settings
from tasks.decoding import decode, load_json, read_json
from tasks.errors import InputError

_WHOLE = 64 * 2**20
"""Weight files up to this size enter the fingerprint whole; of larger ones, the header and samples do."""
_SAMPLES, _SAMPLE = 256, 64 * 2**10
_DOWNLOAD = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]
_CONTENT, _NOT_CONTENT = {".json", ".safetensors", ".txt", ".jinja"}, ("generation_config.json", "training.json")


@dataclass(frozen=True, slots=True)
class BackboneInfo:
    """What ``backbone info`` prints; read without loading the weights.

    Attributes:
        parameters: Number as stored, in the types ``dtypes``.
        layers: Layers of the text decoder, whose token embeddings have ``width`` numbers.
        patch: Side of a vision patch, pixels.
        notice: What every output made with it must say; empty for none.
    """

    name: str
    folder: Path
    model_type: str
    parameters: int
    dtypes: tuple[str, ...]
    layers: int
    width: int
    vision_layers: int
    patch: int
    fingerprint: str
    notice: str = ""


def describe(name_or_path: str | Path) -> BackboneInfo:
    """Describe a registered name, a folder or a hub name.

    InputErrors are those of ``find_folder``, ``read_config`` and ``read_weights``.
    """
    folder = find_folder(name_or_path)
    config = read_config(folder)
    parameters, dtypes = read_weights(folder)
    text, vision = config["text_config"], config["vision_config"]
    patch = vision.get("patch_size", 0)
    return BackboneInfo(
        name=str(name_or_path),
        folder=folder,
        model_type=config["model_type"],
        parameters=parameters,
        dtypes=dtypes,
        layers=int(text.get("num_hidden_layers", 0)),
        width=int(text.get("hidden_size", 0)),
        vision_layers=int(vision.get("depth", vision.get("num_hidden_layers", 0))),
        patch=int(patch[0] if isinstance(patch, list) else patch),
        fingerprint=fingerprint(folder),
        notice=read_settings(folder).notice,
    )


def find_folder(name_or_path: str | Path) -> Path:
    """Return the local folder of a checkpoint; a hub name is fetched, or found in the hub's cache.

    InputError if there is no such folder, or the hub does not provide it.
    """
    found = checkpoint_of(name_or_path)
    if isinstance(found, Path):
        if not found.is_dir():
            raise InputError(f"there is no checkpoint folder {found}.")
        return found
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(found, allow_patterns=_DOWNLOAD, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(found, allow_patterns=_DOWNLOAD))
    except Exception as error:  # every transport has its own errors; all of them mean that it could not be fetched
        raise InputError(
            f"cannot fetch {found} from the Hugging Face hub ({type(error).__name__}). "
            "Check the name and the connection, or download it elsewhere and give the folder."
        ) from error


class _Model(TypedDict):
    model_type: str


class _Index(TypedDict):
    weight_map: dict[str, str]


def read_config(folder: Path) -> dict[str, Any]:
    """Return config.json.

    InputError if it is missing or unreadable, or describes a model that sees no images or cannot be run here.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no config.json; give the folder of a checkpoint written by save_pretrained.")
    config: Any = load_json(path, "fetch it again")
    model_type = decode(_Model, config, path, "fetch it again")["model_type"]
    known = ", ".join(ARCHITECTURES)
    if model_type == "internvl_chat":
        raise InputError(
            f"{folder} holds InternVL in its own format; "
            "give the transformers one, such as OpenGVLab/InternVL3_5-4B-HF."
        )
    if model_type not in ARCHITECTURES:
        what = "a text-only model" if "vision_config" not in config else "an unsupported model"
        raise InputError(f"{folder} holds {what} (model_type {model_type}); a backbone is one of {known}.")
    for part in ("text_config", "vision_config"):
        if not isinstance(config.get(part), dict):
            raise InputError(f"{path} has no {part}; a backbone needs text and vision.")
    found: dict[str, Any] = config
    return found


def read_weights(folder: Path) -> tuple[int, tuple[str, ...]]:
    """Return the number of parameters, and their types by safetensors' names, as the headers of the weight files say.

    InputError for a missing safetensors file or shard, or a file that is cut short or not safetensors.
    """
    files = sorted(folder.glob("*.safetensors"))
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        named = sorted(set(read_json(_Index, index, "fetch it again")["weight_map"].values()))
        missing = [name for name in named if not (folder / name).is_file()]
        if missing:
            raise InputError(
                f"{folder} lacks {len(missing)} of {len(named)} weight files, the first {missing[0]}; fetch it again."
            )
        files = [folder / name for name in named]
    if not files:
        raise InputError(f"{folder} holds no weights (*.safetensors).")
    parameters = 0
    dtypes = set()
    for path in files:
        try:
            with safe_open(path, framework="np") as file:
                for name in file.keys():  # noqa: SIM118  (not a dict)
                    tensor = file.get_slice(name)
                    parameters += math.prod(tensor.get_shape())
                    dtypes.add(tensor.get_dtype())
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"the weight file {path} is cut short or is not safetensors: {error}. Fetch it again."
            ) from error
    return parameters, tuple(sorted(dtypes))


def fingerprint(folder: Path) -> str:
    """Return 64 hex digits that change with anything that changes what the model says.

    Hashed are all JSON, text and template files of the folder but two (how it was trained, how it generates text), and
    the weights: whole up to 64 MiB a file; of larger files the header (names, shapes, types), the size, and 256 samples
    of 64 KiB evenly spread.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix in _CONTENT and path.is_file())
    files = [path for path in files if path.name not in _NOT_CONTENT]
    state = tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return _fingerprint(folder.resolve(), state)


@lru_cache(maxsize=64)
def _fingerprint(folder: Path, state: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, size, _ in state:
        digest.update(f"{name}\0{size}\0".encode())
        with (folder / name).open("rb") as file:
            if size <= _WHOLE or not name.endswith(".safetensors"):
                digest.update(file.read())
                continue
            digest.update(file.read(int.from_bytes(file.read(8), "little")))  # the header, after its length
            for sample in range(_SAMPLES):
                file.seek((size - _SAMPLE) * sample // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()
