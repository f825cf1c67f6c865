"""The probing operators by name; reading it needs no torch.

A new operator is one module with one class and one entry here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from tasks import outside
from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    from baselines.probing.inputs import Operator


@dataclass(frozen=True, slots=True)
class OperatorInfo:
    """What is known of an operator without running it.

    Attributes:
        equation: The relevance in one line; R is read at row src, A_l are attention weights (PROTOCOL section 6).
        layers: Which layers, heads and rows of attention it reads.
        needs_gradient: Whether it differentiates the answer's logit, so that its target matters.
        rectify: What is applied on image tokens before patches are shared out to slots: ``none`` (never negative),
            ``abs`` or ``relu``.
        factory: ``module:class`` of the implementation, built with the keyword arguments ``options``.
        published_sums: Options with which it sums over all positions, as published code does (``glimpse_sums: all``).
        behaviour: Version of what it computes; see ``benchmark.trials.catalogue.Entry``.
    """

    name: str
    title: str
    equation: str
    source: str
    layers: str
    needs_gradient: bool
    rectify: Literal["none", "abs", "relu"]
    factory: str
    options: Mapping[str, Any] = field(default_factory=dict)
    published_sums: Mapping[str, Any] = field(default_factory=dict)
    behaviour: str = "1"


_ATTNLRP = OperatorInfo(
    name="attnlrp",
    title="AttnLRP, the variant of FixATE",
    equation="P = A*G per head, E_l = mean_h P / (s + sign(s) 1e-4), s = rowsum(P); "
    "R = I + sum_l w_l E_l, w_l = l / sum(1..L)",
    source="Huang et al. 2026 (arXiv 2604.09368), after Achtibat et al. 2024, AttnLRP (arXiv 2402.05602)",
    layers="row src of every layer and head; later layers count more",
    needs_gradient=True,
    rectify="abs",
    factory="baselines.probing.attnlrp:AttnLRP",
    behaviour="2",
)
_GLIMPSE = OperatorInfo(
    name="glimpse",
    title="GLIMPSE",
    equation="P = relu(A*G); E_l = rownorm(sum_h w_h P_h), w = softmax(sum(P) / sum(relu(G)) / 0.5); "
    "R <- R + alpha_l E_l R, alpha_l ~ sum|sum_h G_l| softmax_l(0.2 l)",
    source="Shen 2025, GLIMPSE (arXiv 2506.18985), as used by Huang et al. 2026; attended positions only (ours)",
    layers="all layers and rows; heads and layers weighted by their gradients, later layers more",
    needs_gradient=True,
    rectify="relu",
    factory="baselines.probing.glimpse:Glimpse",
    published_sums={"everywhere": True, "eps": 1e-4},
    behaviour="3",
)
_OPERATORS = (
    OperatorInfo(
        name="rollout",
        title="Attention Rollout",
        equation="E_l = rownorm(0.5 mean_h A_l + 0.5 I); R = E_L ... E_2 E_1",
        source="Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers (arXiv 2005.00928)",
        layers="all layers and rows, heads averaged; every layer counts the same",
        needs_gradient=False,
        rectify="none",
        factory="baselines.probing.rollout:Rollout",
        behaviour="3",
    ),
    _ATTNLRP,
    replace(
        _ATTNLRP,
        name="attnlrp-stable",
        title="AttnLRP with a stable row normaliser (ours)",
        equation="as attnlrp with E_l = mean_h P / (s + sign(s) (1e-4 + 0.25 rowsum|P|))",
        source="this project; rows whose signed sum nearly cancels no longer blow up",
        options={"damping": 0.25},
    ),
    _GLIMPSE,
    replace(
        _GLIMPSE,
        name="glimpse-first-order",
        title="GLIMPSE trained without second derivatives (ours)",
        equation="as glimpse; in training G is a constant, so that relevance is differentiated through A alone",
        source="this project, after Shen 2025, GLIMPSE (arXiv 2506.18985); reads as glimpse does and trains otherwise",
        options={"constant_gradients": True},
        behaviour="2",
    ),
    OperatorInfo(
        name="gaze-heads",
        title="Gaze heads (ours)",
        equation="R = mean over the n heads whose src-row attention over slots correlates best with training gaze",
        source="this project, after Gandikota and Bau 2026, Gaze Heads (arXiv 2606.14703)",
        layers="row src of the chosen heads alone",
        needs_gradient=False,
        rectify="none",
        factory="baselines.probing.gaze_heads:GazeHeads",
    ),
)
_BY_NAME = {entry.name: entry for entry in _OPERATORS}


def names() -> tuple[str, ...]:
    """Return the registered operator names in order, those of installed packages last."""
    return (*_BY_NAME, *outside.installed("operators"))


def info(name: str) -> OperatorInfo:
    """Return the entry of ``name``, of the suite, of an installed package or of a file; InputError if there is none."""
    found = _BY_NAME.get(name) or outside.find("operators", name, OperatorInfo)
    if found is None:
        raise unknown_name("operator", name, names())
    if outside.is_file(name):  # any change of the file counts as a new version
        return replace(found, behaviour=hashlib.sha256(outside.path_of(name).read_bytes()).hexdigest()[:16])
    return found


def create_for(settings: Any, **options: Any) -> Operator:
    """Build the operator that a simulator's settings name, as they say (``ReadingRules``)."""
    if settings.glimpse_sums == "all":
        options |= info(settings.operator).published_sums
    return create(settings.operator, last_layers=settings.last_layers, **options)


def create(name: str, **options: Any) -> Operator:
    """Build the operator ``name``; ``options`` override those of its entry.

    Raises:
        InputError: Unknown name or option, or an option that has no default is missing.
    """
    entry = info(name)
    factory = outside.load(entry.factory)
    try:
        operator: Operator = factory(**{**entry.options, **options})
    except TypeError as error:
        raise InputError(f"operator '{name}' cannot be built with options {sorted(options)}: {error}.") from error
    return operator
