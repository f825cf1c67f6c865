"""The operators as their definitions read: full eager autograd, whole matrices, S x S x S products.

Slow, and independent of the package: nothing of it is imported.
"""

from __future__ import annotations

import torch
from torch import Tensor


def run(model, arguments, tokens):
    """Return A_l as graph nodes (B, H, S, S), the logits at src (B, V) and y (B,), summed over each one's tokens."""
    decoder = model.get_decoder()
    before = decoder.config._attn_implementation
    decoder.config._attn_implementation = "eager"
    softmax = torch.nn.functional.softmax
    if next(decoder.parameters()).dtype == torch.float64:
        # The model classes take the softmax in float32 whatever they run in.
        torch.nn.functional.softmax = lambda scores, dim, dtype=None: softmax(scores, dim)
    try:
        output = decoder(**arguments, use_cache=False, output_attentions=True)
    finally:
        torch.nn.functional.softmax = softmax
        decoder.config._attn_implementation = before
    logits = model.get_output_embeddings()(output.last_hidden_state[:, -1])
    y = torch.stack([sum(logits[b, t] for t in ids) for b, ids in enumerate(tokens(logits))])
    return list(output.attentions), logits, y


def gradients(attentions, y, create_graph):
    return list(torch.autograd.grad(y.sum(), attentions, create_graph=create_graph, retain_graph=True))


def row_normalised(matrix: Tensor) -> Tensor:
    total = matrix.sum(-1, keepdim=True)
    return torch.where(total == 0, torch.zeros_like(matrix), matrix / torch.where(total == 0, 1.0, total))


def rollout(attentions: list[Tensor]) -> Tensor:
    size = attentions[0].shape[-1]
    identity = torch.eye(size, dtype=attentions[0].dtype)
    relevance = identity.expand(attentions[0].shape[0], size, size)
    for weights in attentions:
        relevance = row_normalised(0.5 * weights.mean(1) + 0.5 * identity) @ relevance
    return relevance[:, -1]


def attnlrp(attentions: list[Tensor], grads: list[Tensor], damping: float) -> Tensor:
    size, count = attentions[0].shape[-1], len(attentions)
    relevance = torch.eye(size, dtype=attentions[0].dtype)[None]
    for number, (weights, grad) in enumerate(zip(attentions, grads, strict=True), start=1):
        weighted = weights * grad
        signed = weighted.sum(-1, keepdim=True)
        sign = torch.where(signed >= 0, 1.0, -1.0).to(signed)
        normaliser = signed + sign * (1e-4 + damping * weighted.abs().sum(-1, keepdim=True))
        relevance = relevance + number / sum(range(1, count + 1)) * (weighted / normaliser).mean(1)
    return relevance[:, -1]


def glimpse(attentions: list[Tensor], grads: list[Tensor], real: Tensor, windows=None) -> Tensor:
    """``real`` (B, S): True on real tokens; attended means j <= i, both real, and within the layer's window if any."""
    batch, heads, size, _ = attentions[0].shape
    distance = torch.arange(size)[:, None] - torch.arange(size)
    seen = (distance >= 0) & real[:, None, :] & real[:, :, None]
    layers, masses = [], []
    for number, (weights, grad) in enumerate(zip(attentions, grads, strict=True), start=1):
        window = windows[number - 1] if windows else None
        attended = seen if window is None else seen & (distance < window)
        grad = grad * attended[:, None]
        weighted = torch.relu(weights * grad)
        score = weighted.sum((2, 3)) / (torch.relu(grad).sum((2, 3)) + 1e-8)
        share = torch.softmax(score / 0.5, 1)
        layers.append(row_normalised((share[:, :, None, None] * weighted).sum(1)))
        depth = torch.softmax(0.2 * torch.arange(1, len(attentions) + 1, dtype=weights.dtype), 0)[number - 1]
        masses.append(grad.sum(1).abs().sum((1, 2)) * depth)
    relevance = torch.eye(size, dtype=attentions[0].dtype).expand(batch, size, size)
    for mass, layer in zip(masses, layers, strict=True):
        relevance = relevance + (mass / sum(masses))[:, None, None] * (layer @ relevance)
    return relevance[:, -1]


def relevance(name: str, attentions, y, real, create_graph, windows=None):
    with torch.device(attentions[0].device):
        return _relevance(name, attentions, y, real, create_graph, windows)


def _relevance(name, attentions, y, real, create_graph, windows):
    constant = name == "glimpse-first-order"
    if name == "rollout":
        return rollout(attentions)
    grads = gradients(attentions, y, create_graph and not constant)
    if constant:
        grads = [grad.detach() for grad in grads]
    if name.startswith("glimpse"):
        return glimpse(attentions, grads, real, windows)
    return attnlrp(attentions, grads, 0.25 if name == "attnlrp-stable" else 0.0)
