"""The settings of a tuned prompt; readable without torch."""

from dataclasses import dataclass
from typing import Literal

from baselines.distributed.group import current
from baselines.limits import AtLeastZero, PartOf, Positive, WholeAtLeastOne, WholeAtLeastZero, check_settings, departure
from tasks.errors import InputError

Placement = Literal["prefix", "suffix"]
Signal = Literal["gaze", "cursor", "both"]
Target = Literal["label", "free"]
EPS = 1e-8
"""Inside logarithms, as in the metrics."""
BEHAVIOUR = "1"
"""Version of what tuning makes of its settings and sessions; see ``benchmark.trials.catalogue.Entry``."""


@dataclass
class ReadingRules:
    """How sessions are put to a model and attention is read; every default is the suite's choice (docs/deviations.md).

    Attributes:
        last_layers: Only so many of the backbone's last layers are probed; 0 for all.
        glimpse_sums: ``attended``: over positions that attention reaches. ``all``: over those that causality hides too,
            with 1e-4 in every normaliser, as published code does.
        positions: ``model``: the model's own. ``plain``: counted from 0, as transformers does where it is given
            embeddings alone; Qwen3-VL then knows no rows and columns.
        patches: What an image token gives to slots. ``overlap``: to each by the area they share. ``centre``: all to the
            first slot that its centre lies in. ``grid``: as ``centre``, InternVL's tiles taken for one grid that is
            read row by row, with the numbers of tiles across and down exchanged, as published code does.
        thumbnail: InternVL's view of the whole screen counts like its tiles; false: the tiles alone.
        answers: Where attention is probed if answers have several tokens. ``branching``: where the answer's first token
            is predicted by which it differs from all others. ``last``: where its last token is.
        clicks: ``answer``: click probabilities are those of the answers. ``attention``: attention is taken for them,
            and its largest for the answer, as published code does on AdSERP.
    """

    last_layers: WholeAtLeastZero = departure(0)
    glimpse_sums: Literal["attended", "all"] = departure("attended")
    positions: Literal["model", "plain"] = departure("model")
    patches: Literal["overlap", "centre", "grid"] = departure("overlap")
    thumbnail: bool = departure(True)
    answers: Literal["branching", "last"] = departure("branching")
    clicks: Literal["answer", "attention"] = departure("answer")


@dataclass
class TuningSettings(ReadingRules):
    """How a prompt is built and tuned; the defaults are those of PROTOCOL section 7.

    The simulators that tune a prompt inherit these fields as their settings.

    Attributes:
        operator: Probing operator whose attention is aligned, and read out.
        placement: ``prefix`` puts the prompt before everything, ``suffix`` between image and question.
        personal: Every user has coefficients of their own; otherwise z_u = 1 for all, so that one prompt serves all.
        bases: Number of prompt bases M.
        tokens: Prompt tokens N.
        init_scale: Standard deviation of the initial bases, in units of that of the word embeddings.
        ntp: Include the answer loss L_NTP.
        lambda_: Weight of the attention loss; 0 leaves it out.
        gamma: Exponent of the slot weights w_n; 0 weighs all slots alike.
        beta: Weight of |z_u|^2.
        target: Answer that gradient operators are applied to in training: ``label`` (the true click, teacher forcing as
            published) or ``free`` (the model's own best answer, as in the evaluation).
        signal: What attention is aligned with: ``gaze``, ``cursor``, or ``both`` (the mean of the two distributions).
        basis_lr: Learning rate of the bases.
        user_lr: Learning rate of the user logits.
        weight_decay: Of AdamW, for both groups.
        clip: Largest gradient norm, over both groups together.
        batch_size: Sessions per forward pass.
        accumulation: Forward passes per optimiser step.
        epochs: Largest number of epochs.
        patience: Epochs without a better validation score before training stops; 0 never stops early.
        validation: Share of the training sessions held out to choose the epoch; 0 keeps the last epoch.
        init_sd: Standard deviation of the initial bases in place of ``init_scale``; 0 leaves it to that.
        ntp_weight: Weight of the answer loss.
        gradient_scale: Factor on the gradients in an operator's normalisers while training.
        warmup: Optimiser steps without the attention loss; over as many more its weight rises to ``lambda_``.
        loss_eps: Added to gaze and attention inside the logarithms of the attention loss.
        clips: Largest gradient norm of the bases and of the user logits, each by itself, in place of ``clip``.
        user_decay: Weight decay of the user logits, where it is not that of the bases.
        parameters: Number format in which the bases are held and stepped: ``float32``, or ``model`` for the model's.
        validate_every: Epochs from one validation to the next; the last epoch is always validated.
        score: What the epoch is chosen by. ``nats``: see ``trainer``. ``composite`` and ``js``: see ``validation``;
            they read attention for the true click, and the untrained prompt takes no part.
    """

    operator: str = "attnlrp-stable"
    placement: Placement = "prefix"
    personal: bool = True
    bases: WholeAtLeastOne = 8
    tokens: WholeAtLeastOne = 16
    init_scale: Positive = 1.0
    ntp: bool = True
    lambda_: AtLeastZero = 1.0
    gamma: AtLeastZero = 2.0
    beta: AtLeastZero = 1e-3
    target: Target = "label"
    signal: Signal = "gaze"
    basis_lr: Positive = 1e-3
    user_lr: Positive = 5e-3
    weight_decay: AtLeastZero = 1e-3
    clip: Positive = 1.0
    batch_size: WholeAtLeastOne = 4
    accumulation: WholeAtLeastOne = 2
    epochs: WholeAtLeastOne = 30
    patience: WholeAtLeastZero = 5
    validation: PartOf = 0.15
    init_sd: AtLeastZero = departure(0.0)
    ntp_weight: Positive = departure(1.0)
    gradient_scale: Positive = departure(1.0)
    warmup: WholeAtLeastZero = departure(0)
    loss_eps: Positive = departure(EPS)
    clips: tuple[float, float] | None = departure(None)
    user_decay: AtLeastZero | None = departure(None)
    parameters: Literal["float32", "model"] = departure("float32")
    validate_every: WholeAtLeastOne = departure(1)
    score: Literal["nats", "composite", "js"] = departure("nats")

    def __post_init__(self) -> None:
        check_settings(self)
        if self.clips is not None and not min(self.clips) > 0:
            raise InputError(f"the setting clips is {list(self.clips)}; both norms must be above 0.")
        if current() is not None and (self.clips or self.parameters == "model"):
            raise InputError("the settings clips and parameters are for one process; leave out --deepspeed.")
        if not self.ntp and self.lambda_ == 0:
            raise InputError("ntp is off and lambda_ is 0, so there is no loss; switch one of them on.")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the recordings that training reads."""
        return ("gaze_ms", "click") if self.signal == "gaze" else ("gaze_ms", "cursor_ms", "click")
