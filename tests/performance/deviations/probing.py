"""Deviations in how attention and probabilities are read from a backbone; all on the stand-in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmark.simulator import Prediction
from tasks.adserp.sessions import Rules
from tasks.types import Session
from tests.performance.deviations.material import Material, kept
from tests.performance.deviations.measuring import (
    ADSERP,
    SIMULATED,
    STAND_IN,
    Deviation,
    Effect,
    Tested,
    both,
    over_users,
    tested,
)

if TYPE_CHECKING:
    from torch import Tensor

FROZEN = "the frozen backbone"
ON_STAND_IN = f"{SIMULATED}; {STAND_IN}"
METRICS = ("KL", "CSH@1", "TGO@1")
ROUNDING = 1e-3
PAGE_SIZE = (480, 960)


def literally(
    material: Material, name: str, relevance: Callable[[list[Tensor], list[Tensor]], Tensor], metrics: Sequence[str]
) -> tuple[Tested, Tested]:
    """Return the frozen stand-in read by a definition over whole matrices, and by the suite's operator.

    Args:
        material: Gives the backbone and the tested sessions of the RecGaze sample.
        name: The suite's operator; its treatment of image tokens serves both.
        relevance: From L attention matrices and their gradients, each (1, H, S, S), to relevance of shape (1, S).
        metrics: Unused by the definition; what the caller compares.
    """
    from baselines.probing.relevance import rectifier
    from baselines.tuning.examples import Batch, ExampleStore, slot_attention, slot_log_probabilities
    from tests.baselines.probing import literal

    store = ExampleStore(material.backbone, 0, "prefix")
    here = material.frozen(name)
    found = []
    for session, own in zip(here.sessions, here.predictions, strict=True):
        batch = Batch.of([store.get(session)])
        inputs = batch.inputs(None)
        arguments = inputs.arguments()
        arguments["inputs_embeds"] = arguments["inputs_embeds"].detach().clone().requires_grad_()

        def answered(logits: Tensor, batch: Batch = batch) -> list[list[int]]:
            best = slot_log_probabilities(logits.detach(), batch).argmax(1).tolist()
            return [batch.examples[0].candidates[best[0]]]

        attentions, _, y = literal.run(material.backbone.model, arguments, answered)
        row = relevance(attentions, literal.gradients(attentions, y, False)).detach()
        shares, given = slot_attention(row, batch, inputs.image_index, rectifier(name))
        attention = shares[0].double().cpu().numpy() if bool(given[0]) else None
        attention = None if attention is None else attention / attention.sum()
        found.append(dataclasses.replace(own, attention=attention))
    return Tested(here.sessions, found), here


def compare(material: Material, name: str, relevance: Callable[..., Tensor], what: str = "") -> list[Effect]:
    there, here = literally(material, name, relevance, METRICS)
    return both(METRICS, there, here, f"{FROZEN}, {name}{what}", ON_STAND_IN)


def masked_glimpse(attentions: list[Tensor], gradients: list[Tensor]) -> Tensor:
    """GLIMPSE whose sums over G also take positions that causality hides."""
    import torch

    size = attentions[0].shape[-1]
    layers, masses = [], []
    for number, (weights, gradient) in enumerate(zip(attentions, gradients, strict=True), start=1):
        positive = torch.relu(weights * gradient)
        score = positive.sum((2, 3)) / (torch.relu(gradient).sum((2, 3)) + 1e-8)
        mixed = (torch.softmax(score / 0.5, 1)[:, :, None, None] * positive).sum(1)
        total = mixed.sum(-1, keepdim=True)
        layers.append(mixed / torch.where(total > 0, total, 1.0))
        depth = torch.softmax(0.2 * torch.arange(1, len(attentions) + 1, dtype=weights.dtype), 0)[number - 1]
        masses.append(gradient.sum(1).abs().sum() * depth)
    relevance = torch.eye(size)[None]
    for mass, layer in zip(masses, layers, strict=True):
        relevance = relevance + mass / sum(masses) * (layer @ relevance)
    return relevance[:, -1]


def glimpse_mask(material: Material) -> list[Effect]:
    return compare(material, "glimpse", masked_glimpse)


def gradient_scale(material: Material) -> list[Effect]:
    """Multiply G by 0.1 there, before rows are divided by their sums."""
    from tests.baselines.probing import literal

    def scaled(damping: float) -> Callable[..., Tensor]:
        return lambda attentions, gradients: literal.attnlrp(attentions, [0.1 * g for g in gradients], damping)

    return [*compare(material, "attnlrp", scaled(0.0)), *compare(material, "attnlrp-stable", scaled(0.25))]


def answer_token(material: Material) -> list[Effect]:
    """Differentiate the whole sequence there, recompute the answer token alone or push a row down here."""
    import torch

    from tests.baselines.probing import literal

    def glimpse(attentions: list[Tensor], gradients: list[Tensor]) -> Tensor:
        return literal.glimpse(attentions, gradients, torch.ones(1, attentions[0].shape[-1], dtype=torch.bool))

    return [
        *compare(material, "attnlrp-stable", lambda a, g: literal.attnlrp(a, g, 0.25)),
        *compare(material, "glimpse", glimpse),
        *compare(material, "rollout", lambda a, g: literal.rollout(a)),
    ]


def stable(material: Material) -> list[Effect]:
    there, here = (material.frozen(name) for name in ("attnlrp", "attnlrp-stable"))
    return both((*METRICS, "JS"), there, here, FROZEN, ON_STAND_IN)


def gaze_heads(material: Material) -> list[Effect]:
    there = material.frozen("attnlrp-stable")
    here = tested("gaze-heads", material.recgaze, material.loo)
    return both((*METRICS, "JS"), there, here, f"{FROZEN} (there attnlrp-stable)", ON_STAND_IN)


def equal_cells(session: Session) -> Session:
    """Return the session with its 15 slots spread evenly over the whole screen, 3 rows of 5."""
    assert session.image is not None
    width, height = session.image.open().size
    slots = tuple(
        dataclasses.replace(
            slot,
            box=(i % 5 * width / 5, i // 5 * height / 3, (i % 5 + 1) * width / 5, (i // 5 + 1) * height / 3),
        )
        for i, slot in enumerate(session.slots)
    )
    return dataclasses.replace(session, slots=slots)


def slot_grid(material: Material) -> list[Effect]:
    cells = [equal_cells(session) for session in material.recgaze]
    effects = []
    for operator in ("attnlrp-stable", "glimpse", "rollout"):
        there = tested("backbone", cells, material.loo, operator=operator)
        effects += both(METRICS, there, material.frozen(operator), f"{FROZEN}, {operator}", ON_STAND_IN)
    return effects


def vocabulary(material: Material) -> list[Effect]:
    """Let the clicked answer compete with the whole vocabulary there, with the other answers here."""
    import torch

    from baselines.tuning.examples import Batch, ExampleStore
    from baselines.tuning.reading import answer_loss

    backbone = material.backbone
    here = material.frozen("attnlrp-stable")
    scores = here.scores()
    losses, store = [], ExampleStore(backbone, 0, "prefix")
    for session in here.sessions:
        with torch.no_grad():
            batch = Batch.of([store.get(session)])
            logits = backbone.logits(batch.inputs(None))
            losses.append(float(answer_loss(backbone, batch, None, [session.click], logits)[0]))
    scores["whole"] = losses
    there = over_users(scores, "whole")
    return [Effect(f"LogLoss of {FROZEN}", there, over_users(scores, "LogLoss"), len(losses), ON_STAND_IN, digits=4)]


def several_tokens(material: Material) -> list[Effect]:
    """Write numbers digit by digit; go by the first digit alone there, by the whole number here."""
    import torch

    tokenizer, backbone = material.backbone.processor.tokenizer, material.backbone
    sessions = kept(material.trials, Rules(whole_page=True, size=PAGE_SIZE))
    there, here = [], []
    for session in sessions:
        digits = [
            [int(i) for digit in slot.label for i in tokenizer.encode(digit, add_special_tokens=False)]
            for slot in session.slots
        ]
        if not all(len(ids) == len(slot.label) for ids, slot in zip(digits, session.slots, strict=True)):
            raise AssertionError("the stand-in has no token for a digit")
        with torch.no_grad():
            inputs = backbone.build(session)
            exact = backbone.log_probabilities(inputs, [digits])[0].double().exp().numpy()
            logits = backbone.logits(inputs)[0].double().numpy()
        first = np.exp(logits[[ids[0] for ids in digits]] - logits.max())
        for found, p in ((there, first), (here, exact)):
            found.append(Prediction(session.session_id, None, p / p.sum()))
    metrics = ("Accuracy", "LogLoss", "AUC")
    data = f"{ADSERP}, whole page; {STAND_IN}"
    return both(metrics, Tested(sessions, there), Tested(sessions, here), FROZEN, data)


DEVIATIONS = (
    Deviation("slot-grid", slot_grid),
    Deviation("glimpse-mask", glimpse_mask),
    Deviation("attnlrp-stable", stable),
    Deviation("attnlrp-scale", gradient_scale),
    Deviation("answer-token", answer_token, zero=True, tolerance=ROUNDING),
    Deviation("gaze-heads", gaze_heads),
    Deviation("vocabulary", vocabulary),
    Deviation("answer-digits", several_tokens, needs=frozenset({"adserp"})),
    Deviation(
        "instruction",
        None,
        "the stand-in knows no words but those it was trained with; it needs a published model and the wording there",
    ),
)
