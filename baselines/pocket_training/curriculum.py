"""The training curriculum, in three stages.

1. Captions: the vision tower learns to say, at every image token, which genre the slot's poster shows and which letter
   is below it. Then image embeddings are brought to the scale of word embeddings.
2. Answers: the decoder learns the expected click chances of simulated users with a given profile. For its first half
   every image token also says whether its film is of the top genre, of another liked one, or neither. One step in ten
   asks for a number instead, with a made-up search query for a profile: place alone decides then.
3. Personas: in place of a soft prompt, some rows have words for a person's habits, and aim at the person's own
   click chances. This makes the stand-in steerable. Unless ``attention`` is 0 (the plain variant), the relevance of
   the slots for the answer, by ``sequences.OPERATOR``, is drawn to the expected gaze as well: in even steps that for
   the model's own answer, in odd ones that for a letter drawn from the expected clicks.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from baselines.backbones.interface import Placement
from baselines.pocket_training import population
from baselines.pocket_training.architecture import GROUNDING, PERSONA, PERSONA_FILLER
from baselines.pocket_training.population import TRAIN_FILMS, Expected, FilmStock, Habits, Integers, Profiles
from baselines.pocket_training.sequences import Batch, Seen, Sequences, Soft
from tasks.recgaze.sample_films import invent_name

_LOG = logging.getLogger(__name__)
PROMPT = 16  # tokens of a persona, as of a soft prompt (PROTOCOL section 7)
_NUMBERS_EVERY = 10
_PLACEMENTS: tuple[Placement, ...] = ("prefix", "prefix", "suffix")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps, batch sizes and learning rates of the three stages.

    Attributes:
        caption_batch: Screens per step of stage 1.
        persona_batch: Rows with a persona per step of stage 3; half as many rows have none.
        pool: Screens that stages 2 and 3 draw from.
        attention: Weight of KL(expected gaze || relevance of the slots) in stage 3; 0 for none.
        reading: Weight that keeps image tokens readable as words in stages 2 and 3.
    """

    captions: int = 240
    caption_batch: int = 12
    caption_rate: float = 2e-3
    answers: int = 600
    answer_batch: int = 48
    answer_rate: float = 2e-3
    personas: int = 450
    persona_batch: int = 24
    persona_rate: float = 1e-3
    pool: int = 1200
    attention: float = 0.3
    reading: float = 0.05


SCHEDULES = {"pocket-qwen3vl": Schedule(), "pocket-internvl": Schedule(captions=180, answers=520)}
"""Of the shipped stand-ins; a step on InternVL's larger picture takes longer."""


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """Screens seen once by the finished vision tower, and their genres, shape (n, 15)."""

    seen: Seen
    genres: Integers

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Seen, Integers]:
        index = rng.choice(len(self.genres), count, replace=False)
        return self.seen.take(torch.from_numpy(index)), self.genres[index]


class Curriculum:
    """One training run."""

    def __init__(self, sequences: Sequences, schedule: Schedule, seed: int) -> None:
        self._sequences = sequences
        self._schedule = schedule
        self._stock = FilmStock(TRAIN_FILMS)
        # Each stage has a stream of its own, so that a change to one leaves the others as they are.
        self._seed = seed
        self._rng = [np.random.default_rng((seed, stage)) for stage in (1, 2, 3)]
        self._on_screen = sequences.slot_of_token >= 0
        self._started = time.monotonic()

    def learn(self) -> None:
        """Go through the three stages."""
        model = self._sequences.model
        model.requires_grad_(True)
        self._captions()
        self._rescale()
        self._vision().requires_grad_(False)
        pool = self._fill_pool()
        self._answers(pool)
        model.requires_grad_(False)
        model.get_decoder().requires_grad_(True)
        self._personas(pool)
        model.requires_grad_(False)

    def _vision(self) -> torch.nn.Module:
        """Return the part that sees: tower and projection, everything that is not the decoder."""
        inner = self._sequences.model.model
        if hasattr(inner, "visual"):
            found: torch.nn.Module = inner.visual
            return found
        return torch.nn.ModuleList([inner.vision_tower, inner.multi_modal_projector])

    def _captions(self) -> None:
        schedule, sequences, rng = self._schedule, self._sequences, self._rng[0]
        parameters = [*self._vision().parameters(), sequences.model.get_output_embeddings().weight]

        def loss(step: int) -> dict[str, Tensor]:
            screens = self._stock.screens(schedule.caption_batch, rng)
            seen = sequences.see(screens.pixels)
            found = {"captions": self._caption_loss(seen.embeds, screens.genres)}
            for number, layer in enumerate(seen.deepstack):
                found[f"deepstack {number}"] = 0.3 * self._caption_loss(layer, screens.genres)
            return found

        self._optimise("captions", parameters, loss, schedule.captions, schedule.caption_rate, decay=0.01)

    def _caption_loss(self, tokens: Tensor, genres: Integers) -> Tensor:
        """Cross-entropy of genre and letter at every image token on the screen; tokens of shape (n, T, D)."""
        logits = self._sequences.readout(tokens[:, self._on_screen])
        slot = self._sequences.slot_of_token[self._on_screen]
        genre = torch.from_numpy(genres)[:, slot].flatten()
        letter = slot.repeat(len(genres))
        genre_loss = functional.cross_entropy(logits[..., self._sequences.genres].flatten(0, 1), genre)
        return genre_loss + functional.cross_entropy(logits[..., self._sequences.letters].flatten(0, 1), letter)

    @torch.no_grad()
    def _rescale(self) -> None:
        """Bring image embeddings to the scale of the words: larger ones would hide what the decoder's layers add."""
        words = float(self._sequences.embed(torch.cat([self._sequences.genres, self._sequences.letters])).std())
        seen = self._sequences.see(self._stock.screens(20, self._rng[1]).pixels)
        inner = self._sequences.model.model
        if hasattr(inner, "visual"):
            outputs = [inner.visual.merger.linear_fc2] + [m.linear_fc2 for m in inner.visual.deepstack_merger_list]
        else:
            outputs = [inner.multi_modal_projector.linear_2]
        for number, (layer, tokens) in enumerate(zip(outputs, (seen.embeds, *seen.deepstack), strict=True)):
            factor = words * (0.5 if number else 1.0) / float(tokens[:, self._on_screen].std())
            layer.weight.mul_(factor)
            layer.bias.mul_(factor)

    @torch.no_grad()
    def _fill_pool(self) -> _Pool:
        parts, genres = [], []
        for _ in range(self._schedule.pool // 40):
            screens = self._stock.screens(40, self._rng[1])
            parts.append(self._sequences.see(screens.pixels))
            genres.append(screens.genres)
        _LOG.info("pool of %d screens at %.0f s", len(parts) * 40, time.monotonic() - self._started)
        return _Pool(Seen.join(parts), np.concatenate(genres))

    def _answers(self, pool: _Pool) -> None:
        schedule, rng = self._schedule, self._rng[2]

        def loss(step: int) -> dict[str, Tensor]:
            seen, genres = pool.draw(schedule.answer_batch, rng)
            if step % _NUMBERS_EVERY == _NUMBERS_EVERY - 1:
                expected = population.expected(genres, population.no_profiles(len(genres)), rng)
                batch = self._sequences.batch([_query(rng)] * len(genres), seen, numbers=True)
                answer, _ = self._sequences.answers(batch)
                return {"numbers": _answer_loss(answer[:, self._sequences.numbers], expected)}
            profiles = population.invent_profiles(len(genres), genres, int(rng.integers(1, 6)), rng)
            expected = population.expected(genres, profiles, rng)
            answer, image = self._sequences.answers(self._sequences.batch(profiles.texts(), seen))
            found = {"answers": _answer_loss(answer[:, self._sequences.letters], expected)}
            weight = 1.0 - step / (0.5 * schedule.answers)
            if weight > 0:
                found["grounding"] = weight * self._grounding_loss(image, genres, profiles)
            found["reading"] = schedule.reading * self._caption_loss(seen.embeds, genres)
            return found

        self._optimise("answers", self._trainable(), loss, schedule.answers, schedule.answer_rate, decay=0.02)

    def _grounding_loss(self, image: Tensor, genres: Integers, profiles: Profiles) -> Tensor:
        liked = np.take_along_axis(profiles.liked, genres, axis=1)
        kind = 2 - liked.astype(np.int64) - (genres == profiles.top[:, None])
        target = torch.from_numpy(kind)[:, self._sequences.slot_of_token[self._on_screen]].flatten()
        words = torch.tensor([self._sequences.word(word) for word in GROUNDING])
        return functional.cross_entropy(image[:, self._on_screen][..., words].flatten(0, 1), target)

    def _personas(self, pool: _Pool) -> None:
        schedule, rng = self._schedule, np.random.default_rng((self._seed, 4))

        def loss(step: int) -> dict[str, Tensor]:
            found: dict[str, Tensor] = {}
            for share, rows in ((2 / 3, schedule.persona_batch), (1 / 3, schedule.persona_batch // 2)):
                seen, genres = pool.draw(rows, rng)
                profiles = population.invent_profiles(rows, genres, int(rng.integers(1, 6)), rng)
                soft = None
                if share > 0.5:
                    people = population.invent_habits(rows, rng)
                    expected = population.expected(genres, profiles, rng, people)
                    soft = Soft(self._sequences.embed(self._persona(people, rng)), _PLACEMENTS[step % len(_PLACEMENTS)])
                else:
                    expected = population.expected(genres, profiles, rng)
                batch = self._sequences.batch(profiles.texts(), seen, soft)
                kind = "population" if soft is None else "persona"
                for name, part in self._shaped_loss(batch, expected, step % 2 == 0, rng).items():
                    found[f"{kind} {name}"] = share * part
                found["reading"] = schedule.reading * self._caption_loss(seen.embeds, genres)
            return found

        self._optimise("personas", self._trainable(), loss, schedule.personas, schedule.persona_rate, decay=0.02)

    def _shaped_loss(self, batch: Batch, expected: Expected, free: bool, rng: np.random.Generator) -> dict[str, Tensor]:
        if not self._schedule.attention:
            answer, _ = self._sequences.answers(batch)
            return {"answers": _answer_loss(answer[:, self._sequences.letters], expected)}
        # Simulators tune prompts with the true answer as target and are measured with their own: both are shaped.
        drawn = self._sequences.letters[torch.from_numpy(population.draw(expected.clicks, rng))]
        answer, relevance = self._sequences.relevance(batch, None if free else drawn)
        gaze = torch.from_numpy(expected.gaze).float()
        divergence = (gaze * (gaze.log() - relevance.log())).sum(1).mean()
        answers = _answer_loss(answer[:, self._sequences.letters], expected)
        return {"answers": answers, "attention": self._schedule.attention * divergence}

    def _persona(self, people: Habits, rng: np.random.Generator) -> Tensor:
        """Return token ids, shape (n, 16): words for each trait, as many as it is strong, in any order."""
        words = np.array([self._sequences.word(word) for word in PERSONA]).reshape(-1, 2)
        found = np.full((len(people), PROMPT), self._sequences.word(PERSONA_FILLER))
        for row, traits in zip(found, people.traits(), strict=True):
            times = np.floor(0.6 * np.abs(traits) + rng.random(len(traits))).astype(np.int64)
            chosen = words[np.arange(len(traits)), (traits > 0).astype(np.int64)]
            said = rng.permutation(np.repeat(chosen, times))[:PROMPT]
            row[: len(said)] = said
            rng.shuffle(row)
        return torch.from_numpy(found)

    def _trainable(self) -> list[torch.nn.Parameter]:
        return [p for p in self._sequences.model.parameters() if p.requires_grad]

    def _optimise(
        self,
        stage: str,
        parameters: list[torch.nn.Parameter],
        loss: Callable[[int], dict[str, Tensor]],
        steps: int,
        rate: float,
        decay: float,
    ) -> None:
        """AdamW with a short warm-up and a cosine; says every hundred steps where it is."""
        optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, betas=(0.9, 0.98))
        recent: list[dict[str, float]] = []
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = rate * min(1.0, (step + 1) / 30) * (0.5 * (1 + np.cos(np.pi * step / steps)) + 0.02)
            parts = loss(step)
            total = torch.stack(list(parts.values())).sum()
            optimiser.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            recent.append({name: float(part.detach()) for name, part in parts.items()})
            if step % 100 == 99 or step == steps - 1:
                names = dict.fromkeys(name for one in recent for name in one)
                means = {name: np.mean([one[name] for one in recent if name in one]) for name in names}
                words = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
                _LOG.info("%s %d/%d at %.0f s: %s", stage, step + 1, steps, time.monotonic() - self._started, words)
                recent.clear()


def _answer_loss(answer: Tensor, expected: Expected) -> Tensor:
    """Cross-entropy between expected click chances and log p of the answers in the whole vocabulary, both (B, 15)."""
    return -(torch.from_numpy(expected.clicks).float() * answer).sum(1).mean()


def _query(rng: np.random.Generator) -> str:
    """Return a search query of two to five made-up words."""
    words = [invent_name(rng).lower() for _ in range(int(rng.integers(2, 6)))]
    return f"Search query: {' '.join(words)}"
