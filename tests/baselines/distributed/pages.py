"""Sessions of a few users on drawn pages of the size that the pocket backbones were trained on."""

from __future__ import annotations

import io

import numpy as np

from baselines.pocket_training.architecture import SCREEN
from baselines.pocket_training.screens import TRAIN_FILMS, FilmStock, slots
from tasks.recgaze.render import draw_screen
from tasks.types import ScreenImage, Session

PROFILES = ("Top_genre: Drama, Preferred_genres: Comedy, Drama", "Top_genre: Horror, Preferred_genres: Horror")


def screens(count: int) -> list[ScreenImage]:
    """Draw pages of invented films."""
    stock, rng, found = FilmStock(TRAIN_FILMS), np.random.default_rng(0), []
    for _ in range(count):
        data = io.BytesIO()
        draw_screen(stock.page(rng), SCREEN).save(data, format="PNG")
        found.append(ScreenImage(data=data.getvalue()))
    return found


def sessions(users: int, each: int) -> list[Session]:
    """Return sessions; profiles differ in length, so that batches are padded."""
    rng, images, found = np.random.default_rng(1), screens(each), []
    for user in range(users):
        for number, image in enumerate(images):
            gaze, cursor = rng.gamma(1.0, 100.0, 15), rng.gamma(1.0, 100.0, 15)
            click = int(rng.integers(15))
            name, profile = f"u{user}", PROFILES[(user + number) % 2]
            found.append(Session(f"{name}-{number}", name, str(number), image, profile, slots(), gaze, cursor, click))
    return found
