"""Sessions made ready once and used in every epoch: everything of the model's input but the soft prompt."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from os.path import commonprefix
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.backbones.answers import branches, single_pass
from baselines.backbones.geometry import as_one_grid
from baselines.backbones.interface import Candidates, ModelInput, Placement, collate, followed_by
from baselines.probing.relevance import centre_matrix, overlap_matrix
from baselines.tuning.prefix_cache import content_key
from baselines.tuning.settings import ReadingRules
from tasks.types import Floats, Session, Stimulus

_MEMORY = 2**29
"""Bytes of model inputs kept; beyond that they are rebuilt each time (a 4-billion-parameter model: 100 sessions)."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One session as the model takes it in.

    Attributes:
        inputs: The model input, zeros where the soft prompt goes.
        candidates: Token ids of each slot's answer.
        overlap: Which fraction of each image token lies in each slot, shape (T, K).
        one_pass: The logits at src alone decide among the answers.
        prefix_key: What is before the prompt, by content, where the prompt comes after the image; else None.
        last: Attention is probed at an answer's last token, see ``ReadingRules``.
    """

    session_id: str
    user: str
    inputs: ModelInput
    candidates: Candidates
    overlap: Tensor
    one_pass: bool
    prefix_key: bytes | None
    last: bool = False

    def answer_path(self, slot: int, end: int | None) -> list[int]:
        """Return the tokens that teacher forcing asks for: the answer's, and the end of the turn where others go on."""
        ids = self.candidates[slot]
        longer = () in branches(self.candidates).get(tuple(ids), [])
        return [*ids, end] if longer and end is not None else list(ids)

    def branch(self, slot: int, end: int | None) -> tuple[list[int], int]:
        """Return the first token by which a slot's answer differs from all others, and the tokens before it.

        An answer that begins another differs by ending the turn.
        """
        if self.last:
            return self.candidates[slot][:-1], self.candidates[slot][-1]
        path, *others = [self.answer_path(k, end) for k in sorted(range(len(self.candidates)), key=lambda k: k != slot)]
        depth = min(len(path) - 1, max(len(commonprefix([path, other])) for other in others))
        return path[:depth], path[depth]


@dataclass(slots=True)
class ExampleStore:
    """Builds examples for one backbone and kind of prompt; keeps those of known sessions, up to ``limit`` bytes."""

    backbone: Any
    tokens: int
    placement: Placement
    rules: ReadingRules = field(default_factory=ReadingRules)
    limit: int = _MEMORY
    _kept: dict[str, Example] = field(default_factory=dict)
    _bytes: int = 0

    def get(self, session: Stimulus | Session) -> Example:
        """Return the example of a session; session ids are unique within a task."""
        found = self._kept.get(session.session_id)
        # Another user's prompt may be tried on the same session: the user is not part of the model's input.
        if found is not None:
            return found if found.user == session.user else replace(found, user=session.user)
        found = self._build(session)
        size = sum(t.numel() * t.element_size() for t in (found.inputs.inputs_embeds, *found.inputs.deepstack))
        if self._bytes + size <= self.limit:
            self._kept[session.session_id] = found
            self._bytes += size
        return found

    def _build(self, session: Stimulus | Session) -> Example:
        device = self.backbone.device
        blank = torch.zeros(self.tokens, self.backbone.width, device=device) if self.tokens else None
        inputs = self.backbone.build(session, blank, self.placement)
        if self.rules.positions == "plain":
            counted = torch.arange(inputs.inputs_embeds.shape[1], device=device)
            inputs = replace(inputs, position_ids=counted.expand(inputs.position_ids.shape))
        candidates = self.backbone.answer_tokens(session)
        overlap = torch.from_numpy(self._shares(session, inputs.patch_boxes[0])).to(device, torch.float32)
        key = content_key(inputs) if self.tokens and self.placement == "suffix" else None
        one_pass, last = single_pass(candidates), self.rules.answers == "last"
        return Example(session.session_id, session.user, inputs, candidates, overlap, one_pass, key, last)

    def _shares(self, session: Stimulus | Session, boxes: Floats) -> Floats:
        """Return what each image token gives to each slot, shape (T, K)."""
        if self.rules.patches == "overlap" and self.rules.thumbnail:
            return overlap_matrix(boxes, session.slots)
        assert session.image is not None, "it was built from the image"
        screen = self.backbone.encode_screen(session.image)
        n, rows, columns = screen.grid
        own = boxes[: max(1, n - 1) * rows * columns]  # the last of several pictures is the view of the whole screen
        rest = boxes[len(own) :] if self.rules.thumbnail else np.zeros_like(boxes[len(own) :])
        if self.rules.patches == "grid":
            own = as_one_grid(own, (max(1, n - 1), rows, columns), screen.size)
        shares = overlap_matrix if self.rules.patches == "overlap" else centre_matrix
        return shares(np.concatenate([own, rest]), session.slots)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Examples read together.

    Attributes:
        examples: The rows.
        tokens: Token ids of the answers' first tokens, shape (B, K), 0 where there is no slot.
        present: True where there is a slot, shape (B, K).
        overlap: Shape (B, T, K), zeros after each row's own tokens and slots.
    """

    examples: tuple[Example, ...]
    tokens: Tensor
    present: Tensor
    overlap: Tensor

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Batch":
        """Join examples."""
        device = examples[0].overlap.device
        slots = max(len(example.candidates) for example in examples)
        patches = max(len(example.overlap) for example in examples)
        tokens = torch.tensor(
            [[ids[0] for ids in e.candidates] + [0] * (slots - len(e.candidates)) for e in examples], device=device
        )
        present = torch.tensor([[k < len(e.candidates) for k in range(slots)] for e in examples], device=device)
        overlap = torch.zeros(len(examples), patches, slots, device=device)
        for row, example in enumerate(examples):
            overlap[row, : example.overlap.shape[0], : example.overlap.shape[1]] = example.overlap
        return cls(tuple(examples), tokens, present, overlap)

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def users(self) -> list[str]:
        """Per row the user."""
        return [example.user for example in self.examples]

    @property
    def one_pass(self) -> bool:
        """Whether the logits at src alone decide in every row."""
        return all(example.one_pass for example in self.examples)

    def probed_at(self, backbone: Any, slots: Sequence[int]) -> "tuple[Batch, Tensor]":
        """Return the batch up to where each row's answer branches off, and the tokens that follow there, shape (B,).

        What its logits say is no longer the probabilities of the answers. See ``Example.branch``.
        """
        told = [example.branch(slot, backbone.end_token) for example, slot in zip(self.examples, slots, strict=True)]
        device, rows = self.tokens.device, list(self.examples)
        for row, (before, _) in enumerate(told):
            if before:
                words = backbone.model.get_input_embeddings()(torch.tensor([before], device=device))
                rows[row] = replace(rows[row], inputs=followed_by(rows[row].inputs, words))
        return replace(self, examples=tuple(rows)), torch.tensor([token for _, token in told], device=device)

    def inputs(self, prompts: Tensor | None) -> ModelInput:
        """Return the model input with the prompts, shape (B, N, D), written over the zeros that keep their place."""
        inputs = collate([example.inputs for example in self.examples])
        if prompts is None:
            return inputs
        index = torch.stack(list(inputs.prompt_index))
        rows = torch.arange(len(index), device=index.device)[:, None]
        embeds = inputs.inputs_embeds.index_put((rows, index), prompts.to(inputs.inputs_embeds.dtype))
        return replace(inputs, inputs_embeds=embeds)


def slot_attention(relevance: Tensor, batch: Batch, index: Sequence[Tensor], rectify: str) -> tuple[Tensor, Tensor]:
    """Return attention over slots, shape (B, K), and which rows have any, shape (B,): ``relevance`` of many in one go.

    Relevance over tokens has shape (B, S), ``index`` gives per row the positions of its image tokens, and ``rectify``
    is what the operator applies to them: ``none``, ``abs`` or ``relu``.
    """
    patches = batch.overlap.shape[1]
    # Position 0 fills up a row after its own image tokens; its overlap is 0.
    places = torch.stack([torch.nn.functional.pad(row, (0, patches - len(row))) for row in index])
    values = relevance.gather(1, places)
    values = {"none": values, "abs": values.abs(), "relu": values.relu()}[rectify]
    sums = torch.einsum("bt,btk->bk", values, batch.overlap.to(values.dtype))
    total = sums.sum(1, keepdim=True)
    found = total.detach() > 0
    return torch.where(found, sums / torch.where(found, total, 1.0), torch.zeros_like(sums)), found[:, 0]


def slot_log_probabilities(logits: Tensor, batch: Batch) -> Tensor:
    """Return log p over slots where src's logits decide, shape (B, K); -inf where there is no slot."""
    scores = logits.to(torch.promote_types(logits.dtype, torch.float32)).gather(1, batch.tokens)
    return torch.log_softmax(scores.masked_fill(~batch.present, -torch.inf), 1)
