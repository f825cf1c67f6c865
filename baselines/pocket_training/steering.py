"""A quick look at whether soft prompts can steer a stand-in: one prompt for all against one per user.

Not the benchmark's FixATE simulator, but the same idea in small (PROTOCOL section 7): a basis of prompts, coefficients
per user, the answer loss and the attention loss. The people come from a population shifted away from the training one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from baselines.pocket_training import population
from baselines.pocket_training.evaluation import divergence, see
from baselines.pocket_training.population import TEST_FILMS, FilmStock
from baselines.pocket_training.sequences import Seen, Sequences, Soft
from tasks.types import Floats

SHIFT = (0.6, -0.45)  # steeper by row, and rightwards: unlike the training population
_USERS, _TRAIN, _TEST, _SCREENS = 60, 8, 4, 60
_BASES, _TOKENS = 8, 16


@dataclass(frozen=True, slots=True)
class Steered:
    """Means over the test sessions: KL(gaze || attention), -log p(click), accuracy."""

    kl: float
    logloss: float
    accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class _Sessions:
    """Sessions of the shifted population: profile, screen, user, gaze (n, 15), click."""

    texts: list[str]
    seen: Seen
    screen: Tensor
    user: Tensor
    gaze: Tensor
    click: Tensor

    def __len__(self) -> int:
        return len(self.texts)


def steer(sequences: Sequences, epochs: int = 8, seed: int = 0) -> dict[str, Steered]:
    """Tune prompts on the shifted population and measure them, and without them, on further sessions of its people."""
    train, test = _invent(sequences, seed)
    prior = train.gaze.mean(0, keepdim=True).expand(len(test), -1)
    clicks = functional.one_hot(train.click, prior.shape[1]).sum(0) + 0.5
    found = {
        "position prior": _scores(prior, (clicks / clicks.sum()).log().expand(len(test), -1), test),
        "no prompt": _measure(sequences, test, None),
    }
    for name, personal in (("shared prompt", False), ("personal prompt", True)):
        found[name] = _measure(sequences, test, _tune(sequences, train, personal, epochs, seed))
    return found


def _invent(sequences: Sequences, seed: int) -> tuple[_Sessions, _Sessions]:
    rng = np.random.default_rng((seed, 7))
    drawn = FilmStock(TEST_FILMS).screens(_SCREENS, rng)
    seen = see(sequences, drawn.pixels)
    own = np.zeros((_USERS, drawn.genres.shape[1]), dtype=np.int64)
    profiles = population.invent_profiles(_USERS, own, 3, rng)
    people = population.invent_habits(_USERS, rng, SHIFT)
    each = _TRAIN + _TEST
    screen = np.concatenate([rng.choice(_SCREENS, each, replace=False) for _ in range(_USERS)])
    user = np.repeat(np.arange(_USERS), each)
    gaze = population.gaze_shares(drawn.genres[screen], profiles.repeat(each), people.repeat(each), rng)
    click = population.draw_clicks(gaze, rng)
    texts = profiles.texts()
    tested = np.tile(np.arange(each) >= _TRAIN, _USERS)

    def part(rows: Any) -> _Sessions:
        return _Sessions(
            [texts[u] for u in user[rows]],
            seen,
            torch.from_numpy(screen[rows]),
            torch.from_numpy(user[rows]),
            torch.from_numpy(gaze[rows]).float(),
            torch.from_numpy(click[rows]),
        )

    return part(~tested), part(tested)


def _probe(
    sequences: Sequences, part: _Sessions, rows: Tensor, prompt: Tensor | None, train: bool
) -> tuple[Tensor, Tensor]:
    """Return attention over slots and log p of the letters, each of shape (B, 15)."""
    batch = sequences.batch(
        [part.texts[i] for i in rows.tolist()],
        part.seen.take(part.screen[rows]),
        None if prompt is None else Soft(prompt),
    )
    letters = sequences.letters
    target = letters[part.click[rows]] if train else None
    with torch.set_grad_enabled(train):
        logs, shares = sequences.relevance(batch, target)
    return shares, logs[:, letters].log_softmax(-1)


def _measure(sequences: Sequences, test: _Sessions, prompts: Tensor | None) -> Steered:
    attention, answers = [], []
    for rows in torch.split(torch.arange(len(test)), 40):
        prompt = None if prompts is None else prompts[test.user[rows]]
        shares, logs = _probe(sequences, test, rows, prompt, train=False)
        attention.append(shares)
        answers.append(logs)
    return _scores(torch.cat(attention), torch.cat(answers), test)


def _scores(attention: Tensor, answers: Tensor, test: _Sessions) -> Steered:
    gaze: Floats = test.gaze.double().numpy()
    return Steered(
        kl=divergence(gaze, attention.double().numpy()),
        logloss=float(-answers.gather(1, test.click[:, None]).mean()),
        accuracy=float((answers.argmax(1) == test.click).float().mean()),
    )


def _tune(sequences: Sequences, train: _Sessions, personal: bool, epochs: int, seed: int) -> Tensor:
    """Return the tuned prompt of every user, shape (users, N, D)."""
    generator = torch.Generator().manual_seed(seed)
    words = sequences.embed(torch.arange(sequences.vocabulary)).detach()
    drawn = torch.randint(sequences.vocabulary, (_BASES, _TOKENS), generator=generator)
    noise = 0.1 * float(words.std()) * torch.randn(_BASES, _TOKENS, words.shape[1], generator=generator)
    basis = (words[drawn] + noise).requires_grad_()
    logits = torch.zeros(_USERS, _BASES, requires_grad=personal)
    groups: list[dict[str, Any]] = [{"params": [basis], "lr": 1e-3, "weight_decay": 1e-3}]
    if personal:
        groups.append({"params": [logits], "lr": 5e-2, "weight_decay": 0.0})
    optimiser = torch.optim.AdamW(groups)

    def prompts() -> Tensor:
        return torch.einsum("um,mnd->und", logits.softmax(-1), basis)

    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(train), generator=generator), 8):
            attention, answers = _probe(sequences, train, rows, prompts()[train.user[rows]], train=True)
            gaze = train.gaze[rows]
            weight = gaze.square() / gaze.square().sum(1, keepdim=True)
            attended = (weight * gaze * (gaze.log() - attention.log())).sum(1).mean()
            loss = functional.nll_loss(answers, train.click[rows]) + attended
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_([basis, logits] if personal else [basis], 1.0)
            optimiser.step()
    return prompts().detach()
