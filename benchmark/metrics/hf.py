"""The metrics as Hugging Face ``evaluate`` metrics: thin shells over ``evaluate_sessions``, usable offline.

``load("KL")`` returns an ``evaluate.Metric``; its ``compute`` gives ``{"KL": mean over sessions}``. There are
four feature schemas, which differ in what a prediction and a reference are:

- ``attention-gaze`` (KL, JS, Cosine, TGO@k): prediction = attention per slot, reference = gaze per slot;
- ``attention-click`` (CSH@k): prediction = attention per slot, reference = clicked slot;
- ``probabilities-click`` (Accuracy, LogLoss, AUC): prediction = click probabilities, reference = clicked slot;
- ``next_visit-path`` (NextSlot, NextHit@1, Stop), given the path so far: prediction = one row per visit and one more,
  each a distribution over the slots and ``stop``, reference = the slots visited, in time order.

``evaluate.combine([load(name) for name in names("attention-gaze")])`` works for metrics of one schema, since
it hands the same predictions and references to each. Accuracy is computed from the probabilities here: an
answer that differs from them needs ``evaluate_sessions``. The number of slots may differ between sessions.

This module imports ``datasets``; ``benchmark.metrics`` does not import it.
"""

from __future__ import annotations

import uuid
from typing import Any

import datasets
import evaluate
import numpy as np

from benchmark.metrics import registry
from benchmark.metrics.families import family
from benchmark.metrics.sessions import evaluate_sessions
from benchmark.parts import part
from tasks.errors import unknown_name

SCHEMAS = ("attention-gaze", "attention-click", "probabilities-click", "next_visit-path")
"""The feature schemas; metrics of the same one can be combined."""


def schema(name: str) -> str:
    """Return the feature schema of the metric ``name``; InputError if there is no such metric."""
    metric = registry.get(name)
    return f"{family(metric.family).parts[0]}-{metric.against}"


def names(of_schema: str) -> tuple[str, ...]:
    """Return the names of the metrics that share a feature schema; InputError if there is no such schema."""
    if of_schema not in SCHEMAS:
        raise unknown_name("feature schema", of_schema, SCHEMAS)
    return tuple(name for name in registry.names() if schema(name) == of_schema)


class SessionMetric(evaluate.Metric):  # type: ignore[misc]
    """One metric of the registry behind the ``evaluate.Metric`` interface.

    ``compute(predictions=..., references=..., ties="expected")`` returns the mean over sessions under the metric's
    name. Bad input raises ``InputError`` naming the session by its position. By default every instance gets an
    ``experiment_id`` of its own, since parallel runs would wait for each other's lock files, and keeps its data in
    memory.
    """

    def __init__(self, metric_name: str, **options: Any) -> None:
        self._metric = registry.get(metric_name)
        self._schema = schema(metric_name)
        options.setdefault("experiment_id", uuid.uuid4().hex)
        options.setdefault("keep_in_memory", options.get("num_process", 1) == 1)
        super().__init__(config_name=metric_name, **options)

    @property
    def name(self) -> str:
        """The metric's name in the registry; ``evaluate.combine`` prefixes clashing results with it."""
        return self._metric.name

    def _info(self) -> evaluate.MetricInfo:
        judged, reference = self._schema.split("-")
        numbers, slot = datasets.Sequence(datasets.Value("float64")), datasets.Value("int64")
        references = {"gaze": numbers, "click": slot, "path": datasets.Sequence(slot)}
        rows = part(judged).depth == 2
        return evaluate.MetricInfo(
            description=self._metric.definition,
            citation=self._metric.citation,
            inputs_description=(
                f"Args: predictions: {judged}, one list {'of rows ' if rows else 'of slots '}per session; references: "
                f"{reference}, one {'slot number' if reference == 'click' else 'list'} per session; "
                "ties: 'expected' (default) or 'last'."
            ),
            features=datasets.Features(
                {
                    "predictions": datasets.Sequence(numbers) if rows else numbers,
                    "references": references[reference],
                }
            ),
        )

    def _compute(self, predictions: Any, references: Any, ties: str = "expected") -> dict[str, float]:
        judged, reference = self._schema.split("-")
        # A metric of one schema reads neither the gaze nor the click nor the path of another.
        slots = [len(row[0]) - 1 if part(judged).depth == 2 else len(row) for row in predictions]
        human: dict[str, Any] = {"gaze": [np.ones(k) for k in slots], "click": np.zeros(len(slots), dtype=np.int64)}
        human["visits" if reference == "path" else reference] = references
        table = evaluate_sessions(**human, **{judged: predictions}, ties=ties, metrics=[self._metric.name])
        return {self._metric.name: float(table[self._metric.name].mean())}


def load(name: str, **options: Any) -> SessionMetric:
    """Return the ``evaluate`` shell of a metric, for example ``load("CSH@1")``.

    Raises:
        InputError: There is no metric of that name.
    """
    return SessionMetric(name, **options)
