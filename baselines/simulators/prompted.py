"""The simulators with a soft prompt: random, shared, personal (FixATE), and its ablations.

They are one class; what makes a variant one is fixed in it, so that no setting of a run can undo it.
Source: Huang et al. 2026 (arXiv 2604.09368); PROTOCOL section 7.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baselines.limits import AtLeastZero, Positive, WholeAtLeastOne, departure
from baselines.simulators import loaded
from baselines.simulators.probed import Probed
from baselines.tuning.settings import BEHAVIOUR, Placement, TuningSettings
from tasks.types import Session

PROMPT_FILE = "prompt.safetensors"
"""The tuned prompt among a trial's artifacts."""


@dataclass
class RandomPrompt(Probed):
    """An untrained soft prompt: exactly FixATE before its first step.

    Attributes:
        bases: Number of bases M, mixed evenly.
        tokens: Prompt tokens N.
        init_scale: Standard deviation of the bases, in units of that of the word embeddings.
        init_sd: Standard deviation of the bases in place of that; 0 leaves it to ``init_scale``.
    """

    bases: WholeAtLeastOne = 8
    tokens: WholeAtLeastOne = 16
    init_scale: Positive = 1.0
    init_sd: AtLeastZero = departure(0.0)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Draw the prompt from the seed; the training sessions are not looked at."""
        from baselines.distributed.partition import word_embeddings
        from baselines.tuning.prompt import PromptBank

        self._prepare(self.tokens)
        self._bank = PromptBank.drawn(word_embeddings(self._store.backbone.model), [], seed, self)


@dataclass
class Fixate(TuningSettings, Probed):
    """Fixation-aligned tuning: a personal soft prompt that aligns attention with gaze and answers with clicks.

    Its settings are those of ``TuningSettings`` and of the backbone. A user without training sessions gets the mean
    coefficients of the trained users.
    """

    _epochs: list[Any] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        TuningSettings.__post_init__(self)
        Probed.__post_init__(self)
        self.reads = self.columns

    def material(self) -> Mapping[str, str]:
        """Return what the backbone and the operator contribute, and the version of the tuning."""
        return {**super().material(), "tuning": BEHAVIOUR}

    def tuning(self) -> TuningSettings:
        """Return the settings of the training."""
        return TuningSettings(**{f.name: getattr(self, f.name) for f in dataclasses.fields(TuningSettings)})

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Tune the prompt on the training sessions, a part of which chooses the epoch.

        InputError if there are too few sessions, or the training diverged.
        """
        from baselines.tuning.trainer import Trainer

        self._prepare(self.tokens, self.placement)
        trainer = Trainer(self._store.backbone, self._store, self.tuning(), train, seed, self._workspace)
        with loaded.few_threads(self._store.backbone.model):
            self._bank, self._epochs, best = trainer.run()
        self._count("epochs", self._epochs[-1].epoch)
        self._count("best_epoch", best)
        self._count("seconds_train", sum(epoch.seconds_train for epoch in self._epochs))
        self._count("seconds_validation", sum(epoch.seconds_valid for epoch in self._epochs))
        self._count_tokens(trainer.tokens, backward=True)
        self._count_memory()
        if self._workspace is not None:
            self._bank.keep(self._workspace.artifacts / PROMPT_FILE, self.placement)

    def restore(self, artifacts: Path, train: Sequence[Session], seed: int) -> None:
        """Take the tuned prompt that a finished trial kept, in place of tuning it again.

        InputError if the trial kept none, or it is damaged or another one's.
        """
        from baselines.distributed.partition import word_embeddings
        from baselines.tuning.prompt import PromptBank

        self._prepare(self.tokens, self.placement)
        embedding = word_embeddings(self._store.backbone.model)
        shape = (self.bases, self.tokens, embedding.shape[1])
        users = [session.user for session in train]
        bank = PromptBank.kept(artifacts / PROMPT_FILE, shape, users, self.personal, self.placement)
        self._bank = bank.to(embedding.device)


@dataclass
class SharedPrompt(Fixate):
    """One prompt for all users: FixATE with z_u = 1."""

    personal: bool = field(default=False, init=False)


@dataclass
class FixateSuffix(Fixate):
    """FixATE with the prompt between image and question (ours).

    What precedes the prompt is computed once and kept for all users, epochs and seeds; see ``tuning.prefix_cache``.
    """

    placement: Placement = field(default="suffix", init=False)


@dataclass
class FixateNoWeights(Fixate):
    """Ablation: all slots weigh alike in the attention loss."""

    gamma: AtLeastZero = field(default=0.0, init=False)


@dataclass
class FixateNoAttention(Fixate):
    """Ablation: personal prompt tuning on clicks alone."""

    lambda_: AtLeastZero = field(default=0.0, init=False)


@dataclass
class FixateNoNTP(Fixate):
    """Ablation: personal prompt tuning on gaze alone."""

    ntp: bool = field(default=False, init=False)
