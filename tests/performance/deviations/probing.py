"""Deviations in how attention and probabilities are read from a backbone; all on the stand-in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from unittest import mock

from baselines import registry
from baselines.backbones.registry import checkpoint_of
from benchmark.simulator import Prediction
from tasks.definition import ReadOptions
from tasks.types import Session
from tests.performance.deviations.material import Material, kept
from tests.performance.deviations.measuring import (
    ADSERP,
    SEED,
    SIMULATED,
    STAND_IN,
    Deviation,
    Effect,
    Tested,
    both,
    tested,
)

if TYPE_CHECKING:
    from torch import Tensor

FROZEN = "the frozen backbone"
ON_STAND_IN = f"{SIMULATED}; {STAND_IN}"
METRICS = ("KL", "CSH@1", "TGO@1")
OPERATORS = ("attnlrp-stable", "glimpse", "rollout")
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


def read_by(material: Material, operator: str, **rules: object) -> tuple[Tested, Tested]:
    """Return the frozen stand-in read by other rules there, as the suite reads it here."""
    there = tested("backbone", material.recgaze, material.loo, operator=operator, **rules)
    return there, material.frozen(operator)


def by_rules(operators: Sequence[str] = OPERATORS, **rules: object) -> Callable[[Material], list[Effect]]:
    """Return what measures the rules with each operator."""

    def measure(material: Material) -> list[Effect]:
        pairs = [(name, *read_by(material, name, **rules)) for name in operators]
        return [e for name, *ways in pairs for e in both(METRICS, *ways, f"{FROZEN}, {name}", ON_STAND_IN)]

    return measure


def tiles(**rules: object) -> Callable[[Material], list[Effect]]:
    """Return what measures rules about InternVL's tiles, on screens that are cut into some.

    The stand-in was trained on one picture with bars, so its attention to tiles is hardly better than chance.
    """

    def measure(material: Material) -> list[Effect]:
        from baselines.backbones.loading import load_backbone
        from baselines.backbones.settings import read_settings
        from baselines.probing.registry import create
        from baselines.tuning.examples import Batch, ExampleStore
        from baselines.tuning.reading import read
        from baselines.tuning.settings import ReadingRules

        folder = checkpoint_of("pocket-internvl")
        settings = dataclasses.replace(read_settings(folder), fit="tile")
        backbone = load_backbone(folder, "cpu", "float32", settings=settings, features=None)
        backbone.processor.image_processor.max_patches = 12  # as the published model has it; the stand-in's own is 1
        ways = []
        for chosen in (ReadingRules(**rules), ReadingRules(patches="centre" if "patches" in rules else "overlap")):
            store, found = ExampleStore(backbone, 0, "prefix", chosen), []
            for session in material.test:
                given = read(backbone, Batch.of([store.get(session)]), None, create("attnlrp-stable"))
                found.append(Prediction(session.session_id, given.attention_of(0, len(session.slots))))
            ways.append(Tested(material.test, found))
        data = f"{SIMULATED}; pocket-internvl in tiles, a stand-in"
        return both(METRICS, *ways, f"{FROZEN}, attnlrp-stable", data)

    return measure


def several_tokens(material: Material) -> list[Effect]:
    """Write numbers digit by digit; probe at the last digit there, at the first that tells the answer here."""
    backbone = material.backbone
    tokenizer = backbone.processor.tokenizer

    def digits(session: Session) -> list[list[int]]:
        parts = [[tokenizer.encode(d, add_special_tokens=False) for d in slot.label] for slot in session.slots]
        return [[int(i) for ids in of_slot for i in ids] for of_slot in parts]

    sessions = kept(material.trials, ReadOptions(size=PAGE_SIZE), whole_page=True)
    effects = []
    with mock.patch.object(type(backbone), "answer_tokens", lambda self, session: digits(session)):
        for name in ("attnlrp-stable", "rollout"):
            ways = []
            for answers in ("last", "branching"):
                simulator = registry.build("backbone", {"operator": name, "answers": answers})
                simulator.fit([], SEED)
                ways.append(Tested(sessions, simulator.attend_to_label(sessions)))
            what = f"{FROZEN}, {name}, for the true click"
            effects += both(METRICS, *ways, what, f"{ADSERP}, whole page; {STAND_IN}")
    return effects


DEVIATIONS = (
    Deviation("last-layers", by_rules(last_layers=1)),
    Deviation("positions", by_rules(positions="plain")),
    Deviation("patches", by_rules(patches="centre")),
    Deviation("tile-order", tiles(patches="grid")),
    Deviation("thumbnail", tiles(thumbnail=False)),
    Deviation("glimpse-sums", by_rules(("glimpse",), glimpse_sums="all")),
    Deviation("attnlrp-stable", stable),
    Deviation("answer-token", answer_token, zero=True, tolerance=ROUNDING),
    Deviation("gaze-heads", gaze_heads),
    Deviation("answers", several_tokens, needs=frozenset({"adserp"})),
    Deviation(
        "instruction",
        None,
        "the stand-in knows no words but those it was trained with; it needs a published model and the wording there",
    ),
)
