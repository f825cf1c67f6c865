"""One training run from nothing to a checkpoint folder that plain ``from_pretrained`` reads."""

import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers

from baselines.backbones.loading import load_backbone
from baselines.backbones.settings import FILE, Settings
from baselines.pocket_training.architecture import (
    MARKERS,
    MERGE,
    PATCH,
    PIXELS,
    SHAPES,
    SQUARE,
    Shape,
    build_tokenizer,
    new_model,
)
from baselines.pocket_training.curriculum import SCHEDULES, Curriculum, Schedule
from baselines.pocket_training.sequences import OPERATORS, Sequences
from tasks.errors import InputError, unknown_name


def settings(name: str) -> Settings:
    """Return how sessions are put to a stand-in.

    Few words, so that a sequence stays short; the profile comes before the image, so that image tokens know it.
    """
    return Settings(
        letters="Pick one letter.",
        numbers="Pick one number.",
        order="profile-first",
        fit="letterbox",
        notice=f"{name} is a pocket stand-in that this project trained on simulated screens, not a published model",
    )


def write_checkpoint(model: Any, tokenizer: Any, name: str, out: Path) -> None:
    """Write weights in bfloat16, configuration, tokenizer, image settings and the wording of the question.

    The model's weights are rounded to bfloat16 and stay so; the folder is made if it is missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)  # written for its owner alone
    tokenizer.save_pretrained(out)
    image_settings(name).save_pretrained(out)
    words = dataclasses.asdict(settings(name))
    (out / FILE).write_text(json.dumps(words, indent=2) + "\n", encoding="utf-8")


def image_settings(name: str) -> Any:
    """Return the image processor: every screen becomes about as many image tokens as a training screen."""
    plain = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    if name == "pocket-qwen3vl":
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        size = {"shortest_edge": PIXELS[0], "longest_edge": PIXELS[1]}
        return Qwen2VLImageProcessorPil(patch_size=PATCH, merge_size=MERGE, temporal_patch_size=2, size=size, **plain)
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    square = {"height": SQUARE, "width": SQUARE}
    return GotOcr2ImageProcessorPil(size=square, crop_to_patches=False, min_patches=1, max_patches=1, **plain)


RECORD = "training.json"
"""How the folder was made: name, seed, schedule, versions, wall and processor time."""


def train(
    name: str,
    out: Path,
    *,
    plain: bool = False,
    seed: int = 0,
    threads: int = 1,
    schedule: Schedule | None = None,
    shape: Shape | None = None,
) -> None:
    """Train a stand-in, ``pocket-qwen3vl`` or ``pocket-internvl``, and write its checkpoint folder, a new or empty one.

    The same arguments on the same machine and number of threads give the same weights; elsewhere rounding differs, and
    with it the weights, but hardly the scores. Schedule and shape are those of the shipped stand-in if None. ``plain``
    leaves out the shaping of attention in stage 3. ``seed``, 0 or larger, is that of weights, films drawn, users and
    all else. InputError for an unknown name, a folder that holds files or cannot be written, a bad number.
    """
    if name not in MARKERS:
        raise unknown_name("pocket stand-in", name, MARKERS)
    if seed < 0 or threads < 1:
        raise InputError(f"training needs seed >= 0 and threads >= 1; got {seed} and {threads}.")
    schedule = schedule or SCHEDULES[name]
    if plain:
        schedule = dataclasses.replace(schedule, attention=0.0)
    _empty(out)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            _train(name, out, seed, schedule, shape or SHAPES[name])
    finally:
        torch.set_num_threads(before)


def _train(name: str, out: Path, seed: int, schedule: Schedule, shape: Shape) -> None:
    wall, processor = time.monotonic(), time.process_time()
    tokenizer = build_tokenizer(name)
    model = new_model(name, tokenizer, shape)
    # Loaded back at once: everything after goes through the interface that later serves the finished stand-in.
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(model, tokenizer, name, Path(folder))
        vlm = load_backbone(folder, device="cpu", dtype="float32", features=None)
    Curriculum(Sequences(vlm), schedule, seed).learn()
    write_checkpoint(vlm.model, tokenizer, name, out)
    record = {
        "name": name,
        "seed": seed,
        "threads": torch.get_num_threads(),
        "plain": not schedule.attention,
        "shape": dataclasses.asdict(shape),
        "schedule": dataclasses.asdict(schedule),
        "shaped": list(OPERATORS) if schedule.attention else None,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "seconds": round(time.monotonic() - wall),
        "processor_seconds": round(time.process_time() - processor),
    }
    (out / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError(f"the folder {folder} is not empty. Give a new or an empty one.")
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror or error}.") from error
