"""The training curriculum, in three stages, each on three kinds of screens.

1. Captions: the vision tower learns to say, at every image token, which slot's mark is there (or none) and what the
   slot shows: a film's genre, a result's kind, a snack's name. Then image embeddings are brought to the scale of word
   embeddings.
2. Answers: the decoder learns the expected click chances of simulated people who want what the profile says. Until
   near its end every image token of a film or snack also says whether it is liked most, liked, or neither.
3. Personas: in place of a soft prompt, some rows have words for a person's habits, and aim at the person's own
   click chances. This makes the stand-in steerable. Unless ``attention`` is 0 (the plain variant), the relevance of
   the slots for the answer is drawn to the expected gaze as well, by the operators of ``sequences.OPERATORS`` in turn:
   in half of the steps for the model's own answer, in the others for one drawn from the expected clicks.
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
from baselines.pocket_training import population, screens
from baselines.pocket_training.architecture import GROUNDING, PERSONA_FILLER, TRAITS
from baselines.pocket_training.population import CROWDS, Expected, Integers
from baselines.pocket_training.screens import Screens, Wanted, want
from baselines.pocket_training.sequences import OPERATORS, Batch, Seen, Sequences, Soft
from tasks.types import Floats

_LOG = logging.getLogger(__name__)
PROMPT = 16  # tokens of a persona, as of a soft prompt (PROTOCOL section 7)
_WORDS = 12.0  # of a persona, where every trait is a standard deviation from the population's
_PLACEMENTS: tuple[Placement, ...] = ("prefix", "prefix", "suffix")
_OUTSIDE = 0.4
"""Weight of an image token outside all slots, where one inside has 1."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps, batch sizes and learning rates of the three stages.

    Attributes:
        captions: Steps of stage 1, of ``caption_batch`` screens by kind.
        answers: Steps of stage 2; ``turns`` says which kind of screen comes when, ``persona_turns`` in stage 3.
        persona_batch: Rows with a persona per step of stage 3; half as many rows have none.
        snack_batch: Further rows on snacks in stage 3.
        screens: Drawn screens by kind.
        attention: Weight of KL(expected gaze || relevance of the slots) in stage 3; 0 for none.
        reading: Weight that keeps image tokens readable as words in stages 2 and 3.
    """

    captions: int = 1300
    caption_batch: tuple[tuple[str, int], ...] = (("page", 7), ("carousel", 3), ("grid", 3))
    caption_rate: float = 2e-3
    answers: int = 1400
    answer_batch: int = 32
    answer_rate: float = 2e-3
    personas: int = 1300
    persona_batch: int = 24
    persona_rate: float = 1e-3
    snack_batch: int = 24
    screens: tuple[tuple[str, int], ...] = (("carousel", 900), ("page", 1600), ("grid", 900))
    turns: tuple[str, ...] = ("carousel", "grid", "page", "carousel", "grid")
    persona_turns: tuple[str, ...] = ("carousel", "grid", "carousel", "page", "carousel")
    attention: float = 1.0
    reading: float = 0.05


SCHEDULES = {"pocket-qwen3vl": Schedule(), "pocket-internvl": Schedule(captions=1100)}
"""Of the shipped stand-ins; a step on InternVL's larger picture takes longer."""


class Pool:
    """Drawn screens of one kind, how image tokens lie on them, and what the finished vision tower makes of them."""

    def __init__(self, kind: str, drawn: Screens, sequences: Sequences) -> None:
        self.kind, self.screens, self._sequences = kind, drawn, sequences
        self.onto, self.owner = sequences.onto(drawn)
        self.seen: Seen | None = None
        counts = drawn.there.sum(1)
        self._groups = [np.flatnonzero(counts == k) for k in np.unique(counts)]

    def look(self) -> None:
        """See all screens, without gradients."""
        with torch.no_grad():
            starts = range(0, len(self.screens), 40)
            self.seen = Seen.join([self._sequences.see(self.screens.pixels[s : s + 40]) for s in starts])

    def draw(self, count: int, rng: np.random.Generator) -> Integers:
        """Return the numbers of so many screens; snacks of one number of slots, so that ratings are equally many."""
        if self.kind != "grid":
            return rng.choice(len(self.screens), count, replace=len(self.screens) < count)
        shares = np.array([len(group) for group in self._groups]) / len(self.screens)
        group = self._groups[int(rng.choice(len(self._groups), p=shares))]
        k = int(self.screens.there[group[0]].sum())
        # Long texts cost time.
        return rng.choice(group, max(2, count // 2 if k > 16 else count))


class Curriculum:
    """One training run."""

    def __init__(self, sequences: Sequences, schedule: Schedule, seed: int) -> None:
        self._sequences = sequences
        self._schedule = schedule
        # Each stage has a stream of its own, so that a change to one leaves the others as they are.
        self._rng = [np.random.default_rng((seed, stage)) for stage in range(4)]
        self._started = time.monotonic()
        self._pools = {
            kind: Pool(kind, screens.draw(kind, count, self._rng[0], sequences.fit), sequences)
            for kind, count in schedule.screens
        }
        _LOG.info("screens drawn at %.0f s", time.monotonic() - self._started)

    def learn(self) -> None:
        """Go through the three stages."""
        model = self._sequences.model
        model.requires_grad_(True)
        self._captions()
        self._rescale()
        self._vision().requires_grad_(False)
        for pool in self._pools.values():
            pool.look()
        self._answers()
        model.requires_grad_(False)
        model.get_decoder().requires_grad_(True)
        self._personas()
        model.requires_grad_(False)

    def _vision(self) -> torch.nn.Module:
        """Return the part that sees: tower and projection, everything that is not the decoder."""
        inner = self._sequences.model.model
        if hasattr(inner, "visual"):
            found: torch.nn.Module = inner.visual
            return found
        return torch.nn.ModuleList([inner.vision_tower, inner.multi_modal_projector])

    def _captions(self) -> None:
        schedule, sequences, rng = self._schedule, self._sequences, self._rng[1]
        parameters = [*self._vision().parameters(), sequences.model.get_output_embeddings().weight]
        total = sum(count for _, count in schedule.caption_batch)

        def loss(step: int) -> dict[str, Tensor]:
            found: dict[str, Tensor] = {}
            for kind, count in schedule.caption_batch:
                pool = self._pools[kind]
                index = rng.choice(len(pool.screens), count)
                seen = sequences.see(pool.screens.pixels[index])
                found[kind] = count / total * self._caption_loss(pool, index, seen.embeds)
                for number, layer in enumerate(seen.deepstack):
                    found[f"{kind} {number}"] = 0.3 * count / total * self._caption_loss(pool, index, layer)
            return found

        self._optimise("captions", parameters, loss, schedule.captions, schedule.caption_rate, decay=0.01)

    def _caption_loss(self, pool: Pool, index: Integers, tokens: Tensor) -> Tensor:
        """Cross-entropy of mark and word at every image token on the screen; tokens of shape (n, T, D)."""
        sequences, kind = self._sequences, pool.kind
        owner = pool.owner[torch.from_numpy(index)]
        words = torch.from_numpy(np.pad(pool.screens.words[index], ((0, 0), (0, 1)), constant_values=-1))
        on = owner >= 0
        owner = owner[on]
        shown = words.gather(1, pool.owner[torch.from_numpy(index)].clamp(min=0))[on]
        logits = sequences.readout(tokens[on])
        inside = shown >= 0
        weight = torch.where(inside, 1.0, _OUTSIDE)
        total = torch.zeros(())
        for ids, target in ((sequences.answers[kind], owner), (sequences.words[kind], shown)):
            none = torch.full_like(target, len(ids))
            right = torch.where(inside, target, none)
            cost = functional.cross_entropy(logits[:, torch.cat([ids, sequences.nothing])], right, reduction="none")
            total = total + (cost * weight).sum() / weight.sum()
        return total

    @torch.no_grad()
    def _rescale(self) -> None:
        """Bring image embeddings to the scale of the words: larger ones would hide what the decoder's layers add."""
        sequences = self._sequences
        words = float(sequences.embed(torch.cat([*sequences.words.values(), *sequences.answers.values()])).std())
        seen = [sequences.see(pool.screens.pixels[:8]) for pool in self._pools.values()]
        inner = sequences.model.model
        if hasattr(inner, "visual"):
            outputs = [inner.visual.merger.linear_fc2] + [m.linear_fc2 for m in inner.visual.deepstack_merger_list]
        else:
            outputs = [inner.multi_modal_projector.linear_2]
        for number, layer in enumerate(outputs):
            tokens = [one.deepstack[number - 1] if number else one.embeds for one in seen]
            factor = words * (0.5 if number else 1.0) / float(torch.cat([t.flatten(0, 1) for t in tokens]).std())
            layer.weight.mul_(factor)
            layer.bias.mul_(factor)

    def _answers(self) -> None:
        schedule, rng = self._schedule, self._rng[2]

        def loss(step: int) -> dict[str, Tensor]:
            weight = 1.0 - step / (0.8 * schedule.answers)
            pool = self._pools[schedule.turns[step % len(schedule.turns)]]
            return self._answered(pool, schedule.answer_batch, weight, rng)

        self._optimise("answers", self._trainable(), loss, schedule.answers, schedule.answer_rate, decay=0.02)

    def _answered(self, pool: Pool, rows: int, grounding: float, rng: np.random.Generator) -> dict[str, Tensor]:
        """Return the losses of one step without personas; ``grounding`` is a weight."""
        sequences = self._sequences
        index = pool.draw(rows, rng)
        shown = pool.screens.take(index)
        wanted = want(pool.kind, shown, rng)
        expected = population.expected(CROWDS[pool.kind], wanted.features, shown.there, rng)
        batch, seen = self._rows(pool, index, wanted)
        answer, logits = sequences.answer(batch)
        found = {pool.kind: _answer_loss(answer, sequences.answers[pool.kind], expected)}
        if grounding > 0 and wanted.liked is not None:
            words = torch.tensor([sequences.word(word) for word in GROUNDING])
            liked, owner = torch.from_numpy(wanted.liked), pool.owner[torch.from_numpy(index)]
            inside = (owner >= 0) & (owner < liked.shape[1])
            target = liked.gather(1, owner.clamp(0, liked.shape[1] - 1))[inside]
            cost = functional.cross_entropy(logits[:, batch.image][inside][:, words], target)
            if wanted.named is not None:  # a name comes right before the bracket around its rating
                row, at = (batch.before == sequences.word("(")).nonzero(as_tuple=True)
                target = liked.gather(1, torch.from_numpy(wanted.named)).flatten()
                found["names"] = functional.cross_entropy(logits[row, at - 1][:, words], target)
            found[f"{pool.kind} grounding"] = grounding * cost
        found["reading"] = self._schedule.reading * self._caption_loss(pool, index, seen.embeds)
        return found

    def _rows(self, pool: Pool, index: Integers, wanted: Wanted, soft: Soft | None = None) -> tuple[Batch, Seen]:
        assert pool.seen is not None
        seen = pool.seen.take(torch.from_numpy(index))
        return self._sequences.batch(pool.kind, wanted.texts, pool.screens.pixels, seen, soft), seen

    def _personas(self) -> None:
        schedule, sequences, rng = self._schedule, self._sequences, self._rng[3]

        def loss(step: int) -> dict[str, Tensor]:
            found: dict[str, Tensor] = {}
            turn, place = divmod(step, len(schedule.persona_turns))
            pool = self._pools[schedule.persona_turns[place]]
            crowd = CROWDS[pool.kind]
            for share, rows in ((2 / 3, schedule.persona_batch), (1 / 3, schedule.persona_batch // 2)):
                index = pool.draw(rows, rng)
                shown = pool.screens.take(index)
                wanted = want(pool.kind, shown, rng)
                soft = traits = None
                if share > 0.5:
                    traits = population.people(crowd, len(index), rng)
                    said = self._persona(pool.kind, population.standardised(crowd, traits), rng)
                    soft = Soft(sequences.embed(said), _PLACEMENTS[turn % len(_PLACEMENTS)])
                expected = population.expected(crowd, wanted.features, shown.there, rng, traits)
                batch, seen = self._rows(pool, index, wanted, soft)
                who = "population" if soft is None else "persona"
                for name, part in self._shaped_loss(pool, index, batch, expected, turn, rng).items():
                    found[f"{pool.kind} {who} {name}"] = share * part
                found["reading"] = schedule.reading * self._caption_loss(pool, index, seen.embeds)
            if pool.kind == "grid":  # many names and ratings: they take longer to find than genres
                found |= self._answered(pool, schedule.snack_batch, 1.0, rng)
            return found

        self._optimise("personas", self._trainable(), loss, schedule.personas, schedule.persona_rate, decay=0.02)

    def _shaped_loss(
        self, pool: Pool, index: Integers, batch: Batch, expected: Expected, turn: int, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        labels = self._sequences.answers[pool.kind]
        if not self._schedule.attention:
            return {"answers": _answer_loss(self._sequences.answer(batch)[0], labels, expected)}
        # Simulators tune prompts with the true answer as target and are measured with their own: both are shaped.
        there = torch.from_numpy(pool.screens.take(index).there)
        target = torch.where(there, labels[: there.shape[1]], labels[0])
        if turn // 2 % 2:
            target = labels[torch.from_numpy(population.draw(expected.clicks, rng))][:, None]
        onto = pool.onto[torch.from_numpy(index)][..., : there.shape[1]]
        operator = OPERATORS[turn % len(OPERATORS)]
        answer, relevance = self._sequences.relevance(batch, onto, operator, target)
        gaze = torch.from_numpy(expected.gaze).float()
        divergence = (torch.xlogy(gaze, gaze) - gaze * relevance.log()).sum(1).mean()
        answers = _answer_loss(answer, labels, expected)
        return {"answers": answers, operator: self._schedule.attention * divergence}

    def _persona(self, kind: str, traits: Floats, rng: np.random.Generator) -> Tensor:
        """Return token ids, shape (n, 16): words for each trait, as many as it is strong, about ten, in any order."""
        words = np.array([[self._sequences.word(f"<|{trait}{sign}|>") for sign in "-+"] for trait in TRAITS[kind]])
        found = np.full((len(traits), PROMPT), self._sequences.word(PERSONA_FILLER))
        for row, own in zip(found, traits, strict=True):
            times = np.floor(_WORDS / len(own) * np.abs(own) + rng.random(len(own))).astype(np.int64)
            chosen = words[np.arange(len(own)), (own > 0).astype(np.int64)]
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


def _answer_loss(answer: Tensor, labels: Tensor, expected: Expected) -> Tensor:
    """Cross-entropy between expected click chances, shape (B, K), and log p of the answers in the whole vocabulary."""
    clicks = torch.from_numpy(expected.clicks).float()
    return -(clicks * answer[:, labels[: clicks.shape[1]]]).sum(1).mean()
