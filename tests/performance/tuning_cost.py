"""What tuning and reading a prompt cost per session: against sequence length, batch and number of users.

All cells are measured side by side in one run on a pocket architecture with random weights, the cheapest of several
repetitions; what counts are ratios. Sequences are lengthened by the size at which the screen is read.

    python tests/performance/tuning_cost.py
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from baselines.backbones.loading import load_backbone  # noqa: E402
from baselines.backbones.settings import Settings  # noqa: E402
from baselines.pocket_training.architecture import (  # noqa: E402
    SCREEN,
    build_tokenizer,  # noqa: E402
    new_model,
)
from baselines.pocket_training.screens import slots  # noqa: E402
from baselines.pocket_training.training import write_checkpoint  # noqa: E402
from baselines.probing.registry import create  # noqa: E402
from baselines.tuning.examples import ExampleStore  # noqa: E402
from baselines.tuning.prompt import PromptBank  # noqa: E402
from baselines.tuning.settings import TuningSettings  # noqa: E402
from baselines.tuning.trainer import Trainer  # noqa: E402
from tasks.types import ScreenImage, Session  # noqa: E402
from tests.baselines.distributed import pages  # noqa: E402


def random_backbone(folder: Path, area: float) -> object:
    """Return an untrained pocket model that reads the profile after the image, at ``area`` times its usual size."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer("pocket-qwen3vl")
    write_checkpoint(new_model("pocket-qwen3vl", tokenizer), tokenizer, "pocket-qwen3vl", folder)
    words = Settings(letters="Pick one letter.", numbers="Pick one number.", order="image-first")
    backbone = load_backbone(folder, device="cpu", dtype="float32", features=None, settings=words)
    pixels = int(SCREEN[0] * SCREEN[1] * area)
    backbone.processor.image_processor.size = {"shortest_edge": pixels, "longest_edge": pixels}
    return backbone


def sessions(count: int, users: int, images: list[ScreenImage]) -> list[Session]:
    """Return sessions of so many users."""
    rng, found = np.random.default_rng(1), []
    for i in range(count):
        profile = "Top_genre: Drama, Preferred_genres: Comedy, Drama"
        gaze, image = rng.gamma(1.0, 100.0, 15), images[i % len(images)]
        found.append(
            Session(
                f"s{i}", f"u{i % users}", str(i % len(images)), image, profile, slots(), gaze, gaze, int(gaze.argmax())
            )
        )
    return found


def seconds(call: Callable[[], object], repetitions: int) -> float:
    """Return the processor time of the cheapest call; others share this machine's clock."""
    call()
    found = []
    for _ in range(repetitions):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def training(
    backbone: object, settings: TuningSettings, shown: list[Session], users: int
) -> tuple[Callable[[], object], int]:
    """Return a call that trains on the sessions once, and the length of a sequence."""
    store = ExampleStore(backbone, settings.tokens, settings.placement)
    trainer = Trainer(backbone, store, settings, shown, 0)
    trainer._operator = create(settings.operator) if settings.lambda_ > 0 else None
    words = backbone.model.get_input_embeddings().weight
    names = [f"u{i}" for i in range(users)]
    bank = PromptBank.drawn(words, names, 0, settings)
    trainer._optimiser = trainer._new_optimiser(bank)
    trainer._kept = shown
    return lambda: trainer._trained(bank, 1, 0), int(store.get(shown[0]).inputs.inputs_embeds.shape[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--areas", default="1,2,4,8", help="screen areas, in units of the usual one")
    parser.add_argument("--batches", default="1,2,4,8,16")
    parser.add_argument("--users", default="1,16,1000,100000")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    base = TuningSettings(batch_size=8, accumulation=1, validation=0.0)
    kinds = {
        "fixate": base,
        "fixate-suffix": dataclasses.replace(base, placement="suffix"),
        "no-attention": dataclasses.replace(base, lambda_=0.0),
        "shared-prompt": dataclasses.replace(base, personal=False),
    }
    images = pages.screens(8)
    with tempfile.TemporaryDirectory() as folder:
        usual = random_backbone(Path(folder), 1.0)

        def cost(settings: TuningSettings, users: int, backbone: object = usual) -> tuple[float, int]:
            shown = sessions(chosen.sessions, min(users, chosen.sessions), images)
            call, length = training(backbone, settings, shown, users)
            return 1e3 * seconds(call, chosen.repetitions) / chosen.sessions, length

        print("training, ms of processor time per session (and against fixate in the same row)")
        print(f"\n{'tokens':>8s}" + "".join(f"{name:>22s}" for name in kinds))
        for area in map(float, chosen.areas.split(",")):
            larger = random_backbone(Path(folder), area)
            found = {name: cost(settings, 16, larger) for name, settings in kinds.items()}
            row = "".join(f"{ms:14.2f} ({ms / found['fixate'][0]:4.2f})" for ms, _ in found.values())
            print(f"{found['fixate'][1]:8d}{row}")
        print(f"\n{'batch':>8s}" + "".join(f"{name:>22s}" for name in kinds))
        for batch in map(int, chosen.batches.split(",")):
            found = {n: cost(dataclasses.replace(s, batch_size=batch), 16) for n, s in kinds.items()}
            row = "".join(f"{ms:14.2f} ({ms / found['fixate'][0]:4.2f})" for ms, _ in found.values())
            print(f"{batch:8d}{row}")
        print(f"\n{'users':>8s}{'fixate':>14s}{'against first':>16s}{'user parameters':>18s}")
        first = None
        for users in map(int, chosen.users.split(",")):
            ms, _ = cost(base, users)
            first = first or ms
            print(f"{users:8d}{ms:14.2f}{ms / first:16.2f}{users * base.bases:18d}")


if __name__ == "__main__":
    main()
