"""Answers as tokens, and the probability of each slot's answer at src.

Candidates form a trie. At every node with several continuations the model's probabilities are renormalised to these
continuations, and an answer's probability is the product along its path: exact decoding constrained to the candidates,
so the K probabilities sum to 1. Where one answer begins another ("1", "12"), ending the turn is a continuation too.
Where all answers are one token this is the softmax over their logits at src, and src's logits suffice; otherwise each
further branching node costs one token after the cached sequence.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from baselines.backbones.interface import Candidates, ModelInput
from baselines.probing.inputs import cached
from tasks.errors import InputError
from tasks.types import Session, Stimulus

Path = tuple[int, ...]


def answer_tokens(tokenizer: Any, session: Stimulus | Session, tail: str = "", lead: str = "") -> Candidates:
    """Return the token ids of every slot's label, as they follow the tokens of the prompt.

    Args:
        tokenizer: Encodes.
        session: Whose labels.
        tail: The end of the prompt's text, from its last special token on.
        lead: Blanks between the prompt and the label.

    InputError for fewer than 2 slots, two that share a label or its tokens, a label without tokens, or one that the
    tokenizer joins with the prompt.
    """
    labels = [slot.label for slot in session.slots]
    if len(labels) < 2:
        raise InputError(f"session {session.session_id} has {len(labels)} slots; a choice needs at least 2.")
    for index, label in enumerate(labels):
        if labels.index(label) < index:
            raise InputError(
                f"session {session.session_id}: slots {labels.index(label)} and {index} share the label '{label}'."
            )
    prompt = _encoded(tokenizer, tail)
    found: Candidates = []
    slot_of: dict[Path, str] = {}
    for label in labels:
        whole = _encoded(tokenizer, tail + lead + label)
        if whole[: len(prompt)] != prompt:
            raise InputError(
                f"the tokenizer joins the end of the prompt, '{tail[-12:]}', with the label '{label}' that follows; "
                "end the chat template with a line break."
            )
        ids = whole[len(prompt) :]
        if not ids or (tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids):
            raise InputError(
                f"session {session.session_id} has {len(labels)} slots, but the tokenizer has candidate tokens for "
                f"only {len(found)} of their labels: it has none for '{label}'."
            )
        twin = slot_of.setdefault(tuple(ids), label)
        if twin != label:
            raise InputError(f"session {session.session_id}: the labels '{twin}' and '{label}' are the same tokens.")
        found.append(ids)
    return found


@lru_cache(maxsize=1024)
def _encoded(tokenizer: Any, text: str) -> list[int]:
    """Return the tokens of a text; the same few are asked for in every session."""
    return [int(i) for i in tokenizer.encode(text, add_special_tokens=False)]


def branches(candidates: Candidates) -> dict[Path, list[Path]]:
    """Return the trie's branching nodes: the tokens written so far -> what may follow.

    What may follow is ``(token,)``, or ``()`` for ending the turn there. Nodes with a single continuation are left
    out: its probability is 1.
    """
    nodes: dict[Path, dict[Path, None]] = {}
    for ids in candidates:
        for depth in range(len(ids)):
            nodes.setdefault(tuple(ids[:depth]), {})[(ids[depth],)] = None
    for ids in candidates:
        if tuple(ids) in nodes:
            nodes[tuple(ids)][()] = None
    return {path: list(steps) for path, steps in nodes.items() if len(steps) > 1}


def single_pass(candidates: Candidates) -> bool:
    """Return whether src's logits alone decide: no branching after the first token."""
    return all(not path for path in branches(candidates))


def candidate_log_probabilities(
    logits: Sequence[dict[Path, Tensor]], candidates: Sequence[Candidates], end: int | None
) -> list[Tensor]:
    """Return per row log p over its slots, shape (K,), in float32 or wider, from the logits at its branching nodes.

    Logits have shape (V,), the root of the trie is ``()``, and ``end`` is the token that ends the turn. InputError if
    an answer begins another and the tokenizer has no end token, or a logit is not finite.
    """
    found = []
    for row, options in zip(logits, candidates, strict=True):
        nodes = branches(options)
        steps: dict[tuple[Path, Path], Tensor] = {}
        for path, continuations in nodes.items():
            if end is None and () in continuations:
                raise InputError(
                    "the tokenizer has no end token, needed to tell an answer from a longer one that starts with it."
                )
            ids = torch.tensor([step[0] if step else end for step in continuations], device=row[path].device)
            scores = row[path][ids]
            if not bool(torch.isfinite(scores.detach()).all()):
                raise InputError(
                    "the model's logits are not finite: its weights, the image or the soft prompt hold NaN or Inf."
                )
            shares = torch.log_softmax(scores.to(torch.promote_types(scores.dtype, torch.float32)), dim=0)
            steps.update({(path, step): shares[i] for i, step in enumerate(continuations)})
        zero = next(iter(steps.values())).new_zeros(())
        totals = []
        for ids_of_slot in options:
            full = tuple(ids_of_slot)
            keys = [(full[:depth], (full[depth],)) for depth in range(len(full))] + [(full, ())]
            totals.append(sum((steps[key] for key in keys if key in steps), start=zero))
        found.append(torch.stack(totals))
    return found


def _behind(decoder: Any, embedding: Any, inputs: ModelInput, ids: Tensor, cache: Any) -> Tensor:
    """Run tokens of shape (B, n) after the cached batch; return their hidden states, shape (B, n, D)."""
    rows, n = ids.shape
    steps = torch.arange(1, n + 1, device=ids.device)
    seen = inputs.attention_mask
    found: Tensor = decoder(
        inputs_embeds=embedding(ids).to(inputs.inputs_embeds.dtype),
        position_ids=inputs.position_ids[..., -1:] + steps,
        attention_mask=torch.cat([seen, seen.new_ones(rows, n)], dim=1),
        **cached(decoder, cache),
        use_cache=True,
    ).last_hidden_state
    return found


def node_logits(
    decoder: Any, head: Any, embedding: Any, inputs: ModelInput, candidates: Sequence[Candidates]
) -> list[dict[Path, Tensor]]:
    """Run the decoder; return per row the logits at every branching node of its trie, and at the root.

    The sequence runs once. Deeper nodes run their few tokens after its cache, all rows of a batch together.
    """
    from transformers import DynamicCache

    nodes = [[path for path in branches(options) if path] for options in candidates]
    deeper = any(nodes)
    cache = DynamicCache() if deeper else None
    output = decoder(**inputs.arguments(), **cached(decoder, cache), use_cache=deeper).last_hidden_state
    roots = head(output[:, -1])
    found: list[dict[Path, Tensor]] = [{(): roots[row]} for row in range(len(inputs))]
    # Nodes of one depth share a call, the j-th of every row; rows without a j-th repeat a token and are not read.
    for depth in sorted({len(path) for row in nodes for path in row}):
        at_depth = [[path for path in row if len(path) == depth] for row in nodes]
        for turn in range(max(map(len, at_depth))):
            paths = [row[turn] if turn < len(row) else None for row in at_depth]
            ids = torch.tensor([path or (0,) * depth for path in paths], device=inputs.inputs_embeds.device)
            scores = head(_behind(decoder, embedding, inputs, ids, cache)[:, -1])
            assert cache is not None
            cache.crop(-depth)
            for row, path in enumerate(paths):
                if path is not None:
                    found[row][path] = scores[row]
    return found
