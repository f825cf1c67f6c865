"""From relevance over image tokens to attention over slots (PROTOCOL section 6).

A token covers an area of the screen; its relevance is shared out to the slots by the fraction of that area which lies
in each slot's box. The fraction outside every slot belongs to no slot. The K sums are normalised to sum 1; if their sum
is 0 the attention is missing.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from baselines.probing.registry import info, names
from tasks.errors import InputError
from tasks.types import Session, Slot, Stimulus

if TYPE_CHECKING:
    from torch import Tensor

    from baselines.backbones.interface import Backbone, Candidates, ModelInput, Placement
    from baselines.probing.relevance import Operator

Floats = NDArray[np.float64]
SlotTarget = Literal["free", "label"] | int


@dataclass(frozen=True, slots=True, eq=False)
class SlotReading:
    """What one pass over a session gives.

    Attributes:
        attention: Attention over the K slots, shape (K,), sum 1; None if no slot has relevance.
        log_probabilities: log p over the K slots, shape (K,).
        target: The slot whose answer a gradient operator was applied to.
    """

    attention: Tensor | None
    log_probabilities: Tensor
    target: int


def overlap_matrix(patch_boxes: Floats, slots: Sequence[Slot] | Floats) -> Floats:
    """Return which fraction of each patch lies in each slot.

    Args:
        patch_boxes: ``(x0, y0, x1, y1)`` per patch, shape (P, 4), pixels; an empty box overlaps nothing.
        slots: The slots, or their boxes, shape (K, 4), in the same pixels.

    Returns:
        Intersection area over patch area, shape (P, K), in [0, 1]. Where slots overlap each other, both count it.

    Raises:
        InputError: Shapes that do not fit, or a box that is not finite or whose corners are swapped.
    """
    boxes = np.array([slot.box for slot in slots] if isinstance(slots, Sequence) else slots, dtype=np.float64)
    patches = np.asarray(patch_boxes, dtype=np.float64)
    for what, found in (("patch", patches), ("slot", boxes)):
        if found.ndim != 2 or found.shape[1] != 4:
            raise InputError(f"the {what} boxes have shape {found.shape}, expected (number, 4).")
        bad = ~(np.isfinite(found).all(1) & (found[:, 2] >= found[:, 0]) & (found[:, 3] >= found[:, 1]))
        if bad.any():
            index = int(bad.argmax())
            raise InputError(
                f"{what} {index} has the box {found[index].tolist()}; "
                "it must be finite, left before right, top before bottom."
            )
    low = np.maximum(patches[:, None, :2], boxes[None, :, :2])
    high = np.minimum(patches[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(-1)
    area = (patches[:, 2:] - patches[:, :2]).prod(-1, keepdims=True)
    fractions: Floats = np.divide(shared, area, out=np.zeros_like(shared), where=area > 0)
    return fractions


def slot_shares(relevance: Tensor, overlap: Floats, rectify: Literal["none", "abs", "relu"] = "none") -> Tensor | None:
    """Return attention over slots from the relevance of image tokens, differentiable in it.

    Args:
        relevance: Shape (P,), in the order of the overlap's rows.
        overlap: See ``overlap_matrix``, shape (P, K).
        rectify: What the operator applies to image tokens first.

    Returns:
        Shape (K,), sum 1, or None if the sum is 0.

    Raises:
        InputError: The relevance is not finite, or negative where nothing rectifies it.
    """
    import torch

    values = {"none": relevance, "abs": relevance.abs(), "relu": relevance.relu()}[rectify]
    if not bool(torch.isfinite(values.detach()).all()):
        raise InputError(
            "the relevance of an image token is not finite; the weights, the image or the soft prompt are damaged."
        )
    if bool((values.detach() < 0).any()):
        raise InputError("the relevance of an image token is negative; this operator needs 'abs' or 'relu' first.")
    weights = torch.from_numpy(overlap).to(values.device, torch.promote_types(values.dtype, torch.float32))
    sums = values.to(weights.dtype) @ weights
    total = sums.sum()
    if not bool(total.detach() > 0):
        return None
    return sums / total


def rectifier(operator: str | Operator) -> Literal["none", "abs", "relu"]:
    """Return what a registered operator, or an instance of its class, applies to image tokens.

    Raises:
        InputError: The operator is not registered.
    """
    if isinstance(operator, str):
        return info(operator).rectify
    for name in names():
        module, _, attribute = info(name).factory.partition(":")
        if isinstance(operator, getattr(importlib.import_module(module), attribute)):
            return info(name).rectify
    raise InputError(f"the operator {type(operator).__name__} is not registered; give its rectify.")


def read_slots(
    backbone: Backbone,
    sessions: Sequence[Session | Stimulus],
    operator: str | Operator,
    *,
    target: SlotTarget | Sequence[SlotTarget] = "free",
    prompts: Sequence[Tensor | None] | None = None,
    placement: Placement = "prefix",
    create_graph: bool = False,
) -> list[SlotReading]:
    """Probe a batch of sessions: attention, log-probabilities and the answer from one pass.

    Sessions with answers of several tokens need their probabilities first, which costs a second pass.

    Args:
        backbone: The model.
        sessions: The batch.
        operator: A registered name, or an operator with its own settings.
        target: ``free`` for the model's own best answer, ``label`` for the true click (never ranked), or a slot index;
            one for all, or one per session.
        prompts: One soft prompt per session, shape (N, D), or None.
        placement: Where the prompt goes.
        create_graph: Keep the readings in the graph of the prompts, for training.

    Raises:
        InputError: See ``Backbone.build``, ``Backbone.answer_tokens`` and ``token_relevance``; ``label`` for a session
            whose click is hidden.
    """
    import torch

    from baselines.backbones.answers import single_pass
    from baselines.backbones.interface import collate

    chosen = [None] * len(sessions) if prompts is None else list(prompts)
    wanted = [target] * len(sessions) if isinstance(target, str | int) else list(target)
    if not len(chosen) == len(wanted) == len(sessions):
        raise InputError(f"{len(chosen)} prompts and {len(wanted)} targets were given for {len(sessions)} sessions.")
    with torch.set_grad_enabled(create_graph):
        inputs = collate([backbone.build(s, p, placement) for s, p in zip(sessions, chosen, strict=True)])
        candidates = [backbone.answer_tokens(session) for session in sessions]
        slots = [_slot(session, want) for session, want in zip(sessions, wanted, strict=True)]
        one_pass = all(map(single_pass, candidates))
        known = None if one_pass else backbone.log_probabilities(inputs, candidates)
    # A gradient operator needs gradients even here; without create_graph it cuts the inputs off itself.
    with torch.enable_grad():
        return _read(backbone, inputs, sessions, candidates, operator, slots, known, create_graph)


def slot_attention(
    backbone: Backbone,
    session: Session | Stimulus,
    operator: str | Operator,
    target: SlotTarget = "free",
    prompt: Tensor | None = None,
    placement: Placement = "prefix",
) -> Floats | None:
    """Return the attention of one session over its K slots, sum 1, or None if no slot has relevance.

    Arguments and errors as in ``read_slots``.
    """
    [reading] = read_slots(backbone, [session], operator, target=target, prompts=[prompt], placement=placement)
    if reading.attention is None:
        return None
    values: Floats = reading.attention.double().cpu().numpy()
    attention: Floats = values / values.sum()
    return attention


def _read(
    backbone: Backbone,
    inputs: ModelInput,
    sessions: Sequence[Session | Stimulus],
    candidates: list[Candidates],
    operator: str | Operator,
    slots: list[int | None],
    known: list[Tensor] | None,
    create_graph: bool,
) -> list[SlotReading]:
    """Probe the batch; ``known`` are its log-probabilities where one pass does not give them."""
    import torch

    from baselines.backbones.answers import candidate_log_probabilities
    from baselines.probing.relevance import token_relevance

    if known is not None:
        slots = [int(row.detach().argmax()) if slot is None else slot for row, slot in zip(known, slots, strict=True)]

    def answer(logits: Tensor) -> Tensor:
        """Return y: the logit of the target answer at src, summed over its tokens."""
        rows = []
        for row, options, slot in zip(logits, candidates, slots, strict=True):
            # One pass decides by the first token: no two answers share it.
            own = row.detach()[torch.tensor([ids[0] for ids in options], device=row.device)]
            ids = options[int(own.argmax()) if slot is None else slot]
            rows.append(row[torch.tensor(ids, device=row.device)].sum())
        return torch.stack(rows)

    found = token_relevance(backbone.model, operator, **inputs.arguments(), target=answer, create_graph=create_graph)
    logs = known
    if logs is None:
        logs = candidate_log_probabilities([{(): row} for row in found.logits], candidates, None)
    rule = rectifier(operator)
    readings = []
    for row, session in enumerate(sessions):
        overlap = overlap_matrix(inputs.patch_boxes[row], session.slots)
        picked = slots[row]
        readings.append(
            SlotReading(
                attention=slot_shares(found.tokens[row, inputs.image_index[row]], overlap, rule),
                log_probabilities=logs[row],
                target=int(logs[row].detach().argmax()) if picked is None else picked,
            )
        )
    return readings


def _slot(session: Session | Stimulus, target: Any) -> int | None:
    """Return the target slot, or None for the model's own answer."""
    if target == "free":
        return None
    if target == "label":
        if not isinstance(session, Session):
            raise InputError(
                f"session {session.session_id}: target 'label' needs the click, which is hidden from simulators."
            )
        return session.click
    if isinstance(target, int) and 0 <= target < len(session.slots):
        return target
    raise InputError(
        f"session {session.session_id}: the target {target!r} is not 'free', 'label' "
        f"or a slot 0..{len(session.slots) - 1}."
    )
