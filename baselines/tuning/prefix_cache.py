"""Keys and values of everything before a soft prompt placed after the image, computed once.

What precedes the prompt does not depend on it, nor on the user, the epoch or the seed. Entries are known by their
content (embeddings, positions, image features), so a backbone that puts the profile before the image has one per
screen and profile, and one that puts it after has one per screen. Each is computed by itself, not in a batch, so that
its last bit does not depend on the order of the training sessions.
"""

import hashlib
import weakref
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from baselines.backbones.interface import ModelInput
from baselines.probing.inputs import cached

_CPU_LIMIT, _GPU_SHARE = 2**31, 0.25


@dataclass(slots=True)
class PrefixCache:
    """Prefixes of one backbone by content, up to ``limit`` bytes; the ones unused for longest are dropped first.

    An entry holds the keys and values of the P positions before the prompt, shape (L, 2, H_kv, P, d).
    """

    limit: int = _CPU_LIMIT
    computed: int = 0
    _kept: OrderedDict[bytes, Tensor] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def get(self, model: Any, key: bytes, inputs: ModelInput) -> Tensor:
        """Return the prefix of one row, whose soft prompt comes after the image; ``key`` is its ``content_key``."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        found = compute(model, inputs)
        self.computed += 1
        self._kept[key] = found
        self._bytes += found.numel() * found.element_size()
        while self._bytes > self.limit and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.numel() * oldest.element_size()
        return found


_CACHES: weakref.WeakKeyDictionary[Any, PrefixCache] = weakref.WeakKeyDictionary()


def cache_of(backbone: Any) -> PrefixCache:
    """Return the cache of a loaded backbone, shared by all that tune prompts on it in this process."""
    if backbone not in _CACHES:
        limit = _CPU_LIMIT
        if backbone.device.type == "cuda":
            limit = int(torch.cuda.get_device_properties(backbone.device).total_memory * _GPU_SHARE)
        _CACHES[backbone] = PrefixCache(limit)
    return _CACHES[backbone]


def content_key(inputs: ModelInput) -> bytes:
    """Return the digest of all that shapes the keys and values before the prompt of a one-row input."""
    end = prompt_start(inputs)
    digest = hashlib.blake2b(digest_size=16)
    for tensor in (
        inputs.inputs_embeds[:, :end],
        inputs.position_ids[..., :end],
        inputs.image_index[0],
        *inputs.deepstack,
    ):
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.digest()


def prompt_start(inputs: ModelInput) -> int:
    """Return the position of the first prompt token of a one-row input."""
    return int(inputs.prompt_index[0][0])


def compute(model: Any, inputs: ModelInput) -> Tensor:
    """Run the positions before the prompt of a one-row input; return their keys and values, (L, 2, H_kv, P, d)."""
    from transformers import DynamicCache

    end = prompt_start(inputs)
    arguments: dict[str, Any] = {
        "inputs_embeds": inputs.inputs_embeds[:, :end],
        "position_ids": inputs.position_ids[..., :end],
        "attention_mask": inputs.attention_mask[:, :end],
    }
    if inputs.deepstack and inputs.visual_pos_masks is not None:
        arguments["visual_pos_masks"] = inputs.visual_pos_masks[:, :end]
        arguments["deepstack_visual_embeds"] = list(inputs.deepstack)
    cache = DynamicCache()
    with torch.no_grad():
        model.get_decoder()(**arguments, **cached(model.get_decoder(), cache), use_cache=True)
        return torch.stack([torch.stack([layer.keys[0], layer.values[0]]) for layer in cache.layers])
