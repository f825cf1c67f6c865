"""The settings of a tuned prompt; readable without torch."""

from dataclasses import dataclass, field
from typing import Literal

from baselines.limits import LATER, AtLeastZero, PartOf, Positive, WholeAtLeastOne, WholeAtLeastZero, check_settings
from tasks.errors import InputError

Placement = Literal["prefix", "suffix"]
Signal = Literal["gaze", "cursor", "both"]
Target = Literal["label", "free"]
BEHAVIOUR = "1"
"""Version of what tuning makes of its settings and sessions; see ``benchmark.trials.catalogue.Entry``."""


@dataclass
class TuningSettings:
    """How a prompt is built and tuned; the defaults are those of PROTOCOL section 7.

    The simulators that tune a prompt inherit these fields as their settings.

    Attributes:
        operator: Probing operator whose attention is aligned, and read out.
        last_layers: Only so many of the backbone's last layers are probed; 0 for all.
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
    """

    operator: str = "attnlrp-stable"
    last_layers: WholeAtLeastZero = field(default=0, metadata=LATER)
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

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.ntp and self.lambda_ == 0:
            raise InputError("ntp is off and lambda_ is 0, so there is no loss; switch one of them on.")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the recordings that training reads."""
        return ("gaze_ms", "click") if self.signal == "gaze" else ("gaze_ms", "cursor_ms", "click")
