"""Tunes a prompt: AdamW on the objective, the best epoch by validation kept, a checkpoint after every epoch.

Validation score (lower is better) where the settings name no other: nats per held-out session, LogLoss of the click if
L_NTP is trained plus KL of the gaze (or cursor) against attention if L_attn is. Attention is that for the model's own
answer, as in the evaluation, whatever training uses. Epoch 0, the untrained prompt, takes part. All randomness comes
from the seed and the epoch's number, so a resumed training continues exactly as it would have.

In a group of processes (``baselines.distributed``) each trains and validates its share of the sessions. What follows
from it, gradients, scores and the end of the training, is the same on all; the first keeps the checkpoint.
"""

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.backbones.memory import is_out_of_memory, peak_memory, small
from baselines.distributed.group import Group, current, in_shares, total
from baselines.distributed.optimiser import ShardedOptimiser
from baselines.distributed.partition import word_embeddings
from baselines.probing.registry import create_for
from baselines.tuning import state
from baselines.tuning.examples import Batch, ExampleStore
from baselines.tuning.objective import Terms, attention_loss, padded, supervision, warmed_up
from baselines.tuning.prompt import PromptBank
from baselines.tuning.reading import answer_loss, read
from baselines.tuning.settings import EPS, TuningSettings
from baselines.tuning.validation import published_score, split
from benchmark.simulator import Workspace
from tasks.definition import quiet
from tasks.errors import InputError
from tasks.types import Session

EVALUATION_BATCH = 32
"""Sessions per pass without training; fewer where memory is short, with the same results up to rounding."""


def training_operator(settings: TuningSettings, model: Any) -> Any:
    """Return the operator to train with; rollout on a small model keeps activations instead of recomputing them."""
    more = {"recompute": False} if settings.operator == "rollout" and small(model) else {}
    operator: Any = create_for(settings, **more)
    # Relevance is a ratio: smaller gradients are a larger constant in its normalisers.
    scaled = settings.gradient_scale != 1 and settings.operator != "rollout"
    return dataclasses.replace(operator, eps=operator.eps / settings.gradient_scale) if scaled else operator


@dataclass(slots=True)
class Trainer:
    """One training.

    Attributes:
        train: The training sessions of the fold; no other session is ever read.
        seed: Seed of everything random.
        workspace: Where checkpoints and curves go; None keeps nothing.
        tokens: Positions run through the decoder so far, training and validation.
    """

    backbone: Any
    store: ExampleStore
    settings: TuningSettings
    train: Sequence[Session]
    seed: int
    workspace: Workspace | None = None
    tokens: int = 0
    _operator: Any = None
    _state: state.State | None = None
    _identity: str = ""
    _lambda: float = 0.0
    _optimiser: Any = None
    _sharded: ShardedOptimiser | None = None
    _group: Group | None = None
    _kept: list[Session] = field(default_factory=list)
    _held: list[Session] = field(default_factory=list)

    def run(self) -> tuple[PromptBank, list[state.Epoch], int]:
        """Train, or continue a training that the workspace holds; return the best epoch's prompt, the curve, the epoch.

        InputError if there are too few sessions, or the training diverged.
        """
        settings = self.settings
        self._group = current()
        if self._group is not None and not self._group.first:
            self.workspace = None
        self._kept, self._held = split(self.train, settings.validation, self.seed, self._say)
        self._operator = training_operator(settings, self.backbone.model) if settings.lambda_ > 0 else None
        words, users = word_embeddings(self.backbone.model), [session.user for session in self.train]
        dtype = self.backbone.dtype if settings.parameters == "model" else torch.float32
        bank = PromptBank.drawn(words, users, self.seed, settings, dtype)
        self._optimiser = self._new_optimiser(bank)
        self._identity = self._digest()
        found = self._found() if self._group is None else self._group.from_first(self._found)
        if found is not None:
            bank.load_state_dict(found.parameters)
        if self._group is not None:
            self._sharded = ShardedOptimiser.of(bank, self._optimiser, settings.clip, self._group)
        if found is None:
            first = state.parameters_of(bank)
            self._state = state.State(first, dict(first), epochs=[self._validated(bank, state.Epoch(0, 0))])
        else:
            self._state = found
            if self._sharded is not None:
                self._sharded.restore(found.moments)
            else:
                state.restore_moments(bank, self._optimiser, found.moments)
            self._say(f"training continues after epoch {found.epochs[-1].epoch}.")
        self._epochs(bank, self._state)
        if self._sharded is not None:
            self._sharded.close()
        bank.load_state_dict(self._state.best)
        if self.workspace is not None:
            state.write_curve(self._state.epochs, self._state.best_epoch, self.workspace.artifacts)
        return bank, self._state.epochs, self._state.best_epoch

    def _found(self) -> state.State | None:
        """Return the state that an interrupted training left."""
        return None if self.workspace is None else state.load(self.workspace.folder, self._identity)

    def _epochs(self, bank: PromptBank, progress: state.State) -> None:
        """Train epoch after epoch until the last, or until validation has not improved for ``patience`` epochs."""
        wrap = quiet if self.workspace is None else self.workspace.progress
        done = progress.epochs[-1].epoch
        for number in wrap(range(done + 1, self.settings.epochs + 1), total=self.settings.epochs - done, desc="epochs"):
            stale = progress.epochs[-1].epoch - progress.best_epoch
            if self._held and self.settings.patience and stale >= self.settings.patience:
                break
            try:
                epoch = self._validated(bank, self._trained(bank, number, progress.epochs[-1].steps))
            except KeyboardInterrupt:
                self._say(f"interrupted in epoch {number}; {self._kept_until(number)} Run the same command to go on.")
                raise
            progress.epochs.append(epoch)
            progress.parameters = state.parameters_of(bank)
            sharded = self._sharded
            progress.moments = state.moments_of(bank, self._optimiser) if sharded is None else sharded.moments()
            best, now = progress.epochs[progress.best_epoch].valid_score, epoch.valid_score
            if not self._held or (now is not None and (best is None or now < best)):
                progress.best, progress.best_epoch = progress.parameters, number
            if self.workspace is not None:
                state.save(progress, self.workspace.folder, self._identity)
                values = dataclasses.asdict(epoch)
                self.workspace.measured(number, {k: v for k, v in values.items() if isinstance(v, float)})

    def _trained(self, bank: PromptBank, number: int, steps: int) -> state.Epoch:
        """Train one epoch; return its training part."""
        settings = self.settings
        order = np.random.default_rng((self.seed, number)).permutation(len(self._kept))
        size = settings.batch_size * settings.accumulation
        start, tokens = time.perf_counter(), self.tokens
        sums = np.zeros(4)
        norms = []
        for low in range(0, len(order), size):
            sessions = [self._kept[i] for i in order[low : low + size]]
            steps += 1
            values, norm = self._step(bank, sessions, steps, number)
            sums += values * len(sessions)
            norms.append(norm)
        seconds = time.perf_counter() - start
        means = sums / len(order)
        limits = [(2, settings.clip)] if settings.clips is None else list(enumerate(settings.clips))
        return state.Epoch(
            epoch=number,
            steps=steps,
            loss=float(means[0]),
            ntp=float(means[1]),
            attention=float(means[2]) if self._operator is not None else None,
            penalty=float(means[3]) if bank.user_logits is not None else None,
            gradient_basis=float(np.mean([norm[0] for norm in norms])),
            gradient_users=float(np.mean([norm[1] for norm in norms])) if bank.user_logits is not None else None,
            gradient_largest=max(norm[2] for norm in norms),
            clipped=float(np.mean([any(norm[i] > most for i, most in limits) for norm in norms])),
            seconds_train=seconds,
            sessions_per_second=len(order) / seconds,
            tokens_per_second=(self.tokens - tokens) / seconds,
        )

    def _step(
        self, bank: PromptBank, sessions: Sequence[Session], step: int, epoch: int
    ) -> tuple[np.ndarray[Any, np.dtype[np.float64]], tuple[float, float, float]]:
        """Take one optimiser step; return the mean terms (loss, ntp, attention, penalty) and the gradient norms."""
        settings = self.settings
        parameters = list(bank.parameters())
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        sums = np.zeros(4)
        self._lambda = settings.lambda_ * warmed_up(step, settings.warmup)
        trouble = ""
        mine, before = self._built(sessions), self.tokens
        try:
            for low in range(0, len(mine), settings.batch_size):
                sums += self._accumulate(bank, mine[low : low + settings.batch_size], len(sessions))
        except InputError as error:
            # The inputs were built, and so checked, above: what fails here follows from the prompt.
            trouble = str(error).rstrip(".")
        if self._group is not None and self._sharded is not None:
            shares = self._group.exchange((sums, trouble))
            sums, trouble = np.sum([share[0] for share in shares], 0), next(filter(None, (s[1] for s in shares)), "")
            self._sharded.add_up()
            self._count_all(before)
        norms = [float(torch.linalg.vector_norm(p.grad)) for p in parameters if p.grad is not None]
        together = math.hypot(*norms)
        if not trouble and not (np.isfinite(sums).all() and math.isfinite(together)):
            trouble = f"loss {sums[0]:.4g}, gradient norm {together:.4g}"
        if trouble:
            used = ", ".join(f"{k}={v}" for k, v in dataclasses.asdict(settings).items())
            raise InputError(
                f"training diverged at step {step} in epoch {epoch} (seed {self.seed}): {trouble}. Settings: {used}. "
                f"{self._kept_until(epoch)} Lower basis_lr, user_lr or lambda_, or use operator attnlrp-stable."
            )
        if self._sharded is not None:
            self._sharded.step()
        else:
            groups = [parameters] if settings.clips is None else [[parameter] for parameter in parameters]
            for group, most in zip(groups, settings.clips or (settings.clip,), strict=False):
                torch.nn.utils.clip_grad_norm_(group, most)
            self._optimiser.step()
        return sums, (norms[0], norms[1] if len(norms) > 1 else 0.0, together)

    def _built(self, sessions: Sequence[Session]) -> Sequence[Session]:
        """Return this process's share of a step's sessions, their inputs built."""

        def build(part: Sequence[Session]) -> None:
            for session in part:
                self.store.get(session)

        if self._group is None:
            build(sessions)
            return sessions
        mine = self._group.share(sessions)
        self._group.jointly(lambda: build(mine))
        return mine

    def _count_all(self, before: int) -> None:
        """Add what the other processes ran since this one's counter was at ``before``."""
        self.tokens = before + int(total(self.tokens - before))

    def _accumulate(
        self, bank: PromptBank, sessions: Sequence[Session], total: int
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Add the gradient of this part of a step, in halves without memory for all; return its share of the means."""
        parameters = list(bank.parameters())
        failed = False
        try:
            terms, loss = self._terms(bank, sessions, len(sessions) / total)
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        except Exception as error:
            if not is_out_of_memory(error) or len(sessions) == 1:
                raise
            failed = True
        if failed:
            half = (len(sessions) + 1) // 2
            self._say(f"out of memory with {len(sessions)} sessions at once; these are trained {half} at a time.")
            parts = [self._accumulate(bank, part, total) for part in (sessions[:half], sessions[half:])]
            return parts[0] + parts[1]
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None and parameter.grad is not None:
                parameter.grad += gradient
        share = len(sessions) / total
        values = [
            float(loss.detach()),
            *(float(t.detach()) * share for t in (terms.ntp, terms.attention, terms.penalty)),
        ]
        return np.array(values)

    def _terms(self, bank: PromptBank, sessions: Sequence[Session], share: float) -> tuple[Terms, Tensor]:
        """Return the mean terms of some sessions, and the objective times ``share``."""
        settings = self.settings
        batch = Batch.of([self.store.get(session) for session in sessions])
        prompts = bank(batch.users)
        clicks = [session.click for session in sessions]
        target = clicks if settings.target == "label" else None
        found = read(
            self.backbone,
            batch,
            prompts,
            self._operator,
            target,
            create_graph=True,
            probabilities=settings.target == "free",
        )
        self.tokens += sum(example.inputs.inputs_embeds.shape[1] for example in batch.examples)
        zero = prompts.new_zeros(())
        ntp = answer_loss(self.backbone, batch, prompts, clicks, found.logits).mean() if settings.ntp else zero
        attention = zero
        if found.attention is not None:
            rows = [supervision(session, settings.signal) for session in sessions]
            gaze = padded(rows, found.attention.shape[1], found.attention.device)
            attention = attention_loss(found.attention, gaze, settings.gamma, batch.present, settings.loss_eps).mean()
        # Without user logits z_u is the constant 1: its norm is not part of the objective.
        penalty = zero if bank.user_logits is None else bank.logits_of(batch.users).square().sum(1).mean()
        terms = Terms(ntp, attention, penalty)
        return terms, terms.total(settings.ntp * settings.ntp_weight, self._lambda, settings.beta) * share

    def _validated(self, bank: PromptBank, epoch: state.Epoch) -> state.Epoch:
        start = time.perf_counter()
        epoch = dataclasses.replace(
            epoch, mixing_entropy=bank.mixing_entropy(), peak_memory_bytes=peak_memory(self.backbone.device)
        )
        settings, number = self.settings, epoch.epoch
        due = number % settings.validate_every == 0 or number == settings.epochs
        if not self._held or not due or (number == 0 and settings.score != "nats"):
            return epoch
        before = self.tokens
        found = in_shares(self._held, lambda part: self._measured(bank, part), EVALUATION_BATCH, self._say)
        self._count_all(before)
        logloss = float(np.mean([row[0] for row in found]))
        divergences = [row[1] for row in found if row[1] is not None]
        kl = float(np.mean(divergences)) if divergences else None
        score = (logloss if settings.ntp else 0.0) + (kl if kl is not None else 0.0)
        if settings.score != "nats" and self._operator is not None:
            score = float(np.mean([row[3] for row in found]))
        return dataclasses.replace(
            epoch,
            valid_logloss=logloss,
            valid_kl=kl,
            valid_accuracy=float(np.mean([row[2] for row in found])),
            valid_score=score,
            seconds_valid=time.perf_counter() - start,
        )

    def _measured(self, bank: PromptBank, sessions: Sequence[Session]) -> list[tuple[float, float | None, bool, float]]:
        """Return per validation session LogLoss, KL (None without attention loss or supervision), accuracy, score."""
        batch = Batch.of([self.store.get(session) for session in sessions])
        score = self.settings.score
        clicks = None if score == "nats" else [session.click for session in sessions]
        with torch.no_grad():
            found = read(self.backbone, batch, bank(batch.users), self._operator, clicks)
        self.tokens += sum(example.inputs.inputs_embeds.shape[1] for example in batch.examples)
        assert found.log_probabilities is not None
        logs = found.log_probabilities.double().cpu().numpy()
        attention = None if found.attention is None else found.attention.double().cpu().numpy()
        rows: list[tuple[float, float | None, bool, float]] = []
        for row, session in enumerate(sessions):
            gaze = supervision(session, self.settings.signal)
            kl = None
            if attention is not None and gaze is not None:
                own = attention[row, : len(gaze)]
                kl = float(np.sum(gaze * np.log((gaze + EPS) / (own + EPS))))
            logloss = float(-max(logs[row, session.click], math.log(EPS)))
            scored = 0.0
            if attention is not None and score != "nats":
                scored = published_score(score, session, attention[row, : len(session.slots)])
            rows.append((logloss, kl, int(logs[row].argmax()) == session.click, scored))
        return rows

    def _new_optimiser(self, bank: PromptBank) -> torch.optim.AdamW:
        settings = self.settings
        groups: list[dict[str, Any]] = [{"params": [bank.basis], "lr": settings.basis_lr}]
        if bank.user_logits is not None:
            groups.append({"params": [bank.user_logits], "lr": settings.user_lr})
            if settings.user_decay is not None:
                groups[1]["weight_decay"] = settings.user_decay
        return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)

    def _digest(self) -> str:
        """Return what identifies this training: a checkpoint of another one is not continued."""
        text = json.dumps(
            [
                dataclasses.asdict(self.settings),
                self.seed,
                self.backbone.fingerprint,
                [
                    [s.session_id, s.user, *(np.asarray(getattr(s, name)).tolist() for name in self.settings.columns)]
                    for s in self.train
                ],
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def _kept_until(self, epoch: int) -> str:
        if self.workspace is None or epoch == 1:
            return "No checkpoint is kept."
        return f"The checkpoint of epoch {epoch - 1} is kept in {self.workspace.folder}."

    def _say(self, line: str) -> None:
        report: Callable[[str], None] = (lambda text: None) if self.workspace is None else self.workspace.report
        report(line)
