"""What every simulator on an image shares: a backbone, an operator, one pass per batch of sessions."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from baselines.backbones.registry import checkpoint_of
from baselines.limits import WholeAtLeastOne, WholeAtLeastZero, check_settings, departing, departure
from baselines.simulators import loaded
from baselines.tuning.settings import Placement, ReadingRules
from benchmark.naming import joined
from benchmark.simulator import Floats, Prediction, Workspace
from tasks.errors import InputError, unknown_name
from tasks.storage import write_errors
from tasks.types import Session, Stimulus

PUSH = 10.0
"""What steering adds to the scores of a slot's image tokens, in nats."""


@dataclass
class OnScreen:
    """Base of the simulators that look at the screen; a subclass says what they are fitted on and how they are probed.

    Attributes:
        backbone: Registry name, folder or hub name of the vision-language model.
        dtype: Number format of the model; ``auto`` is bfloat16 on a GPU and float32 on a CPU.
    """

    backbone: str = "pocket-qwen3vl"
    dtype: str = "auto"
    reads: tuple[str, ...] = field(default=(), init=False, repr=False)
    _workspace: Workspace | None = field(default=None, init=False, repr=False)
    _store: Any = field(default=None, init=False, repr=False)
    _bank: Any = field(default=None, init=False, repr=False)
    _probe: Any = field(default=None, init=False, repr=False)
    _differentiated: bool = field(default=False, init=False, repr=False)
    _counts: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _passed: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        check_settings(self)
        checkpoint_of(self.backbone)
        if self.dtype not in loaded.DTYPES:
            raise unknown_name("dtype", self.dtype, loaded.DTYPES)

    def attach(self, workspace: Workspace) -> None:
        """Remember where checkpoints and artifacts go."""
        self._workspace = workspace

    def material(self) -> Mapping[str, str]:
        """Return the fingerprint of the backbone, its number format, and the version of how it is read."""
        return loaded.material(self.backbone, self.dtype)

    def notice(self) -> str:
        """Return what every output must say: what the backbone asks for, and where settings depart from the suite's."""
        return joined([loaded.notice(self.backbone), departing(self)])

    def cost(self) -> Mapping[str, float]:
        """Return tokens run through the decoder, estimated FLOPs, peak memory and seconds by part.

        FLOPs are two per decoder parameter and token of a forward pass, and as many again for a backward pass that
        reaches the prompt but no weight; attention itself is left out.
        """
        return dict(self._counts)

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return attention for the model's own answer, click probabilities and answer, all from one pass."""
        self._name_new_users(sessions)
        return self._predicted(sessions, "free")

    def attend_to_label(self, sessions: Sequence[Session]) -> list[Prediction]:
        """Return attention for the true click, never ranked; an operator without gradients has it no other way."""
        return self._predicted(sessions, "label")

    def _say(self, line: str) -> None:
        report: Callable[[str], None] = (lambda text: None) if self._workspace is None else self._workspace.report
        report(line)

    def _prepare(self, tokens: int, placement: Placement = "prefix") -> None:
        """Load the backbone and make ready for prompts of ``tokens`` tokens."""
        from baselines.tuning.examples import ExampleStore

        rules = self if isinstance(self, ReadingRules) else ReadingRules()
        self._store = ExampleStore(loaded.load(self.backbone, self.dtype), tokens, placement, rules)

    def _name_new_users(self, sessions: Sequence[Stimulus]) -> None:
        """Say which users get the mean coefficients because they have no training sessions."""
        if self._bank is None or self._bank.user_logits is None:
            return
        new = sorted({s.user for s in sessions if not self._bank.knows(s.user)})
        if new:
            self._say(
                f"{len(new)} users have no training session ({', '.join(new[:3])}{', ...' if len(new) > 3 else ''}); "
                "they get the mean coefficients of the trained users."
            )

    def _predicted(self, sessions: Sequence[Stimulus | Session], target: str) -> list[Prediction]:
        from baselines.distributed.group import in_shares
        from baselines.tuning.trainer import EVALUATION_BATCH

        if self._store is None:
            raise RuntimeError("fit before simulate")
        start = time.perf_counter()
        with loaded.few_threads(self._store.backbone.model):
            found = in_shares(sessions, lambda part: self._pass(part, target), EVALUATION_BATCH, self._say)
        self._count_passed()
        self._count(f"seconds_{'simulate' if target == 'free' else 'label'}_model", time.perf_counter() - start)
        self._count_memory()
        return found

    def _pass(self, sessions: Sequence[Stimulus | Session], target: str) -> list[Prediction]:
        """Run one batch."""
        import torch

        from baselines.tuning.examples import Batch
        from baselines.tuning.reading import read

        batch = Batch.of([self._store.get(session) for session in sessions])
        with torch.no_grad():
            prompts = None if self._bank is None else self._bank(batch.users)
        clicks = [s.click for s in sessions if isinstance(s, Session)] if target == "label" else None
        found = read(self._store.backbone, batch, prompts, self._probe, clicks, probabilities=target == "free")
        self._passed += sum(e.inputs.inputs_embeds.shape[1] for e in batch.examples)
        # Where an answer of several tokens branches off, every operator's attention is of that answer.
        kind = target if target == "label" or self._differentiated or not batch.one_pass else "none"
        predictions = []
        for row, session in enumerate(sessions):
            k = len(session.slots)
            attention = found.attention_of(row, k)
            probabilities = found.probabilities_of(row, k) if target == "free" else None
            if isinstance(self, ReadingRules) and self.clicks == "attention":
                probabilities = attention
            answer = None if probabilities is None else int(probabilities.argmax())
            predictions.append(Prediction(session.session_id, attention, probabilities, answer, target=kind))
        return predictions

    def _count(self, name: str, value: float) -> None:
        self._counts[name] = self._counts.get(name, 0.0) + value

    def _count_passed(self) -> None:
        """Count the tokens of the passes since the last call, those of all processes."""
        from baselines.distributed.group import total

        passed, self._passed = self._passed, 0
        self._count_tokens(int(total(passed)), backward=False)

    def _count_tokens(self, tokens: int, backward: bool) -> None:
        decoder = self._store.backbone.model.get_decoder()
        size = sum(math.prod(p.shape) for p in decoder.parameters())
        self._count("tokens_trained" if backward else "tokens_simulated", tokens)
        self._count("flops_estimated", (4.0 if backward else 2.0) * size * tokens)

    def _count_memory(self) -> None:
        from baselines.backbones.memory import peak_memory

        peak = peak_memory(self._store.backbone.device)
        if peak is not None:
            self._counts["peak_memory_bytes"] = peak


@dataclass
class Probed(ReadingRules, OnScreen):
    """Base of the simulators whose attention a probing operator reads.

    Attributes:
        operator: Probing operator; ``gaze-heads`` needs training sessions and is a simulator of its own.
    """

    operator: str = "attnlrp-stable"

    def __post_init__(self) -> None:
        from baselines.probing.registry import info

        super().__post_init__()
        if self.operator == "gaze-heads":
            raise InputError(
                "the operator gaze-heads is fitted on gaze; run the simulator gaze-heads, or give another."
            )
        self._differentiated = info(self.operator).needs_gradient

    def material(self) -> Mapping[str, str]:
        """Return what the backbone contributes, and the version of the operator."""
        from baselines.probing.registry import info

        return {**super().material(), "probing": f"{self.operator} {info(self.operator).behaviour}"}

    def _prepare(self, tokens: int, placement: Placement = "prefix") -> None:
        from baselines.probing.registry import create_for

        super()._prepare(tokens, placement)
        self._probe = create_for(self)


@dataclass
class Backbone(Probed):
    """The frozen vision-language model: screen and profile in, answer and attention out; nothing is learnt."""

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Load the backbone; the training sessions are not looked at."""
        self._prepare(tokens=0)


@dataclass
class GazeHeads(OnScreen):
    """The frozen backbone, read through the few heads that look where people look (ours; PROTOCOL section 6).

    Heads are scored on training sessions by the correlation of their src-row attention over slots with gaze.

    Attributes:
        heads: How many of the best heads are averaged.
        last_layers: Heads are chosen among so many of the last layers; 0 for all.
    """

    heads: WholeAtLeastOne = 5
    last_layers: WholeAtLeastZero = departure(0)
    reads: tuple[str, ...] = field(default=("gaze_ms",), init=False, repr=False)
    _heads: tuple[int, ...] = field(default=(), init=False, repr=False)

    def material(self) -> Mapping[str, str]:
        """Return what the backbone contributes, and the version of the operator."""
        from baselines.probing.registry import info

        return {**super().material(), "probing": f"gaze-heads {info('gaze-heads').behaviour}"}

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Choose the heads, without chance; InputError without training sessions, or if the model has fewer heads."""
        from baselines.probing.gaze_heads import GazeHeads as Operator
        from baselines.probing.gaze_heads import select_heads

        if not train:
            raise InputError(
                "there is no training session to choose heads on; choose another split or a larger data set."
            )
        self._prepare(tokens=0)
        scores = self._scores(train)
        self._count_passed()
        first = max(0, len(scores) - self.last_layers) if self.last_layers else 0
        chosen = tuple((first + layer, head) for layer, head in select_heads(scores[first:], self.heads))
        self._probe, self._heads = Operator(chosen), scores.shape
        if self._workspace is not None:
            found = [{"layer": layer, "head": head, "score": float(scores[layer, head])} for layer, head in chosen]
            path = self._workspace.artifacts / "heads.json"
            with write_errors(path):
                path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    def steer(
        self, sessions: Sequence[Stimulus], slots: Sequence[int], random: np.random.Generator | None = None
    ) -> list[Prediction]:
        """Return what the model answers while its heads, or others drawn for each session, are pushed to a slot."""
        from baselines.probing.steering import steered
        from baselines.tuning.examples import Batch
        from baselines.tuning.reading import read

        backbone, chosen, found = self._store.backbone, self._probe.heads, []
        others = [pair for pair in np.ndindex(self._heads) if pair not in chosen]
        with loaded.few_threads(backbone.model):
            for session, slot in zip(sessions, slots, strict=True):
                batch = Batch.of([self._store.get(session)])
                inputs = batch.inputs(None)
                bias = inputs.inputs_embeds.new_zeros(inputs.inputs_embeds.shape[1])
                bias[inputs.image_index[0]] = PUSH * batch.examples[0].overlap[:, slot].to(bias.dtype)
                heads = chosen
                if random is not None:
                    drawn = random.choice(len(others), min(len(chosen), len(others)), replace=False)
                    heads = tuple(others[i] for i in drawn)
                with steered(backbone.model, heads, bias):
                    shares = read(backbone, batch, None, None).probabilities_of(0, len(session.slots))
                found.append(Prediction(session.session_id, None, shares, int(shares.argmax())))
        return found

    def _scores(self, train: Sequence[Session]) -> Floats:
        """Return the score of every head, shape (L, H)."""
        from baselines.probing.gaze_heads import score_heads

        return score_heads(self._head_attentions(train), [session.gaze for session in train])

    def _head_attentions(self, sessions: Sequence[Session | Stimulus]) -> list[Floats]:
        from baselines.distributed.group import in_shares
        from baselines.tuning.trainer import EVALUATION_BATCH

        with loaded.few_threads(self._store.backbone.model):
            return in_shares(sessions, self._head_attention, EVALUATION_BATCH, self._say)

    def _head_attention(self, sessions: Sequence[Session | Stimulus]) -> list[Floats]:
        """Return every head's row-src attention over the slots of each session, shape (L, H, K), summing to 1."""
        import torch

        from baselines.probing.relevance import head_attention
        from baselines.tuning.examples import Batch

        batch = Batch.of([self._store.get(session) for session in sessions])
        inputs = batch.inputs(None)
        rows = head_attention(self._store.backbone.model, **inputs.arguments()).tokens
        self._passed += int(inputs.attention_mask.sum())
        found = []
        for row, example in enumerate(batch.examples):
            on_slots = rows[row][..., inputs.image_index[row]] @ example.overlap.to(rows.dtype)
            total = on_slots.sum(-1, keepdim=True)
            shares = on_slots / torch.where(total > 0, total, 1.0)
            found.append(shares.double().cpu().numpy())
        return found


@dataclass
class GazeHeadsUnlabelled(GazeHeads):
    """The same with heads that are found without any gaze, as published: those that look at the slot a question names.

    Attributes:
        question: Takes the place of the profile; ``{label}`` is the letter or number of a slot.
        screens: How many of the training sessions' screens are asked about, once per slot.
    """

    question: str = "Look at {label}."
    screens: WholeAtLeastOne = 8
    reads: tuple[str, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if "{label}" not in self.question:
            raise InputError(f"question '{self.question}' names no slot; write {{label}} where its label goes.")

    def _scores(self, train: Sequence[Session]) -> Floats:
        from baselines.probing.gaze_heads import diagonal_scores

        shown = list({session.screen: session.stimulus() for session in reversed(train)}.values())[::-1]
        found = []
        for stimulus in shown[: self.screens]:
            questions = [self.question.replace("{label}", slot.label) for slot in stimulus.slots]
            asked = [replace(stimulus, session_id=f"{stimulus.session_id} {q}", profile=q) for q in questions]
            found.append(np.array(self._head_attentions(asked)))
        return diagonal_scores(found)
