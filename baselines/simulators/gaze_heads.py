"""The frozen backbone, read through the few attention heads that look where people look (ours; PROTOCOL section 6)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from baselines.limits import WholeAtLeastOne
from baselines.simulators import loaded
from baselines.simulators.probed import OnScreen
from benchmark.simulator import Floats
from tasks.errors import InputError
from tasks.storage import write_errors
from tasks.types import Session


@dataclass
class GazeHeads(OnScreen):
    """Heads are scored on training sessions by the correlation of their src-row attention over slots with gaze.

    Attributes:
        heads: How many of the best heads are averaged.
    """

    heads: WholeAtLeastOne = 5
    reads: tuple[str, ...] = field(default=("gaze_ms",), init=False, repr=False)

    def material(self) -> Mapping[str, str]:
        """Return what the backbone contributes, and the version of the operator."""
        from baselines.probing.registry import info

        return {**super().material(), "probing": f"gaze-heads {info('gaze-heads').behaviour}"}

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Choose the heads; nothing is random.

        Raises:
            InputError: There is no training session, or the model has fewer heads.
        """
        from baselines.distributed.group import in_shares
        from baselines.probing.gaze_heads import GazeHeads as Operator
        from baselines.probing.gaze_heads import score_heads, select_heads
        from baselines.tuning.trainer import EVALUATION_BATCH

        if not train:
            raise InputError(
                "there is no training session to choose heads on; choose another split or a larger data set."
            )
        self._prepare(tokens=0)
        with loaded.few_threads(self._store.backbone.model):
            attention = in_shares(train, self._head_attention, EVALUATION_BATCH, self._say)
        self._count_passed()
        scores = score_heads(attention, [session.gaze for session in train])
        chosen = select_heads(scores, self.heads)
        self._probe = Operator(chosen)
        if self._workspace is not None:
            found = [{"layer": layer, "head": head, "score": float(scores[layer, head])} for layer, head in chosen]
            path = self._workspace.artifacts / "heads.json"
            with write_errors(path):
                path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    def _head_attention(self, sessions: Sequence[Session]) -> list[Floats]:
        """Return every head's row-src attention over the slots of each session, shape (L, H, K), summing to 1."""
        import torch

        from baselines.probing.relevance import head_attention
        from baselines.tuning.examples import Batch

        batch = Batch.of([self._store.get(session) for session in sessions])
        inputs = batch.inputs(None)
        rows = head_attention(self._store.backbone.model, **inputs.arguments()).tokens
        self._passed += int(inputs.attention_mask.sum())
        found = []
        for row, example in enumerate(batch.examples):
            on_slots = rows[row][..., inputs.image_index[row]] @ example.overlap.to(rows.dtype)
            total = on_slots.sum(-1, keepdim=True)
            shares = on_slots / torch.where(total > 0, total, 1.0)
            found.append(shares.double().cpu().numpy())
        return found
