"""A pass that starts from kept keys and values: only the soft prompt and the question run.

A batch is laid out as [padding, prefix][padding, own tokens]; the mask hides the padding, positions are given, so every
row attends to what it would attend to by itself. As in answer-token recomputation (PROTOCOL section 6) the own tokens
before src run through a fast kernel, and src runs alone with explicit attention.
"""

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers.cache_utils import Cache, DynamicLayer

from baselines.probing.answer_token import PrefixDone, src_rows
from baselines.probing.attnlrp import AttnLRP
from baselines.probing.gaze_heads import GazeHeads
from baselines.probing.hook import Decoder, hooked
from baselines.probing.inputs import DecoderInputs, cached
from baselines.tuning.examples import Batch
from baselines.tuning.prefix_cache import PrefixCache, prompt_start

OPERATORS = (AttnLRP, GazeHeads)
"""Operators that need row src alone; the others need the rows of the prefix too and run the whole sequence."""


def _given(keys: Tensor, values: Tensor) -> Any:
    """Return the cache of one layer, which starts with given keys and values."""
    layer = DynamicLayer()
    layer.keys, layer.values, layer.is_initialized = keys, values, True
    return layer


class SuffixPass:
    """One batch after its prefixes; ``image_index`` has per row the positions of its image tokens in the layout."""

    def __init__(self, model: Any, cache: PrefixCache, batch: Batch, prompts: Tensor) -> None:
        """Lay out a batch of examples whose prompt, shape (B, N, D), comes after the image."""
        rows = [example.inputs for example in batch.examples]
        starts = [prompt_start(row) for row in rows]
        keys = [example.prefix_key for example in batch.examples]
        assert all(key is not None for key in keys)
        states = [cache.get(model, key, row) for key, row in zip(keys, rows, strict=True) if key is not None]
        before = max(starts)
        after = max(row.inputs_embeds.shape[1] - start for row, start in zip(rows, starts, strict=True))
        self.decoder = Decoder.of(model)
        # (L, 2, B, H_kv, P, d): one copy for all layers.
        self.states = torch.stack(
            [pad(s, (0, 0, before - start, 0)) for s, start in zip(states, starts, strict=True)], 2
        )
        embeds, positions, masks = [], [], []
        tokens = prompts.shape[1]
        for row, start, prompt in zip(rows, starts, prompts, strict=True):
            own = row.inputs_embeds.shape[1] - start
            tail = row.inputs_embeds[0, start + tokens :]
            embeds.append(pad(torch.cat([prompt.to(tail.dtype), tail]), (0, 0, after - own, 0)))
            positions.append(pad(row.position_ids[..., start:], (after - own, 0)))
            mask = torch.zeros(before + after, dtype=torch.bool, device=tail.device)
            mask[before - start : before] = True
            mask[before + after - own :] = True
            masks.append(mask)
        self.inputs = DecoderInputs(torch.stack(embeds), torch.stack(masks), torch.cat(positions, dim=-2))
        self.image_index = tuple(row.image_index[0] + before - start for row, start in zip(rows, starts, strict=True))

    def logits(self) -> Tensor:
        """Return the logits at src, shape (B, V), without probing."""
        arguments = self.inputs.arguments()
        with hooked(self.decoder.module):
            output = self.decoder.run(arguments, **cached(self.decoder.module, self._given()), use_cache=True)
        return self.decoder.logits(output.last_hidden_state)

    def _given(self) -> Any:
        return Cache(layers=[_given(keys, values) for keys, values in self.states])

    def relevance(self, operator: Any, answer: Any, create_graph: bool) -> tuple[Tensor, Tensor]:
        """Return relevance over tokens, shape (B, S), and the logits at src, as ``token_relevance`` does."""
        cache, decoder = self._given(), self.decoder.last(operator.last_layers)
        cache.layers[-1].last = True
        with suppress(PrefixDone), torch.set_grad_enabled(create_graph), hooked(decoder.module):
            decoder.run(self.inputs.prefix_arguments(), **cached(decoder.module, cache), use_cache=True)
        rows, logits = src_rows(decoder, self.inputs, cache.layers, operator.differentiable, create_graph)
        found = operator.of_rows(rows, logits, answer, create_graph)
        return (found, logits) if create_graph else (found.detach(), logits.detach())
