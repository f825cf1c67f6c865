"""The metrics as Hugging Face ``evaluate`` metrics: thin shells over ``evaluate_sessions``, usable offline.

``load("KL")`` returns an ``evaluate.Metric``; its ``compute`` gives ``{"KL": mean over sessions}``. There are
three feature schemas, which differ in what a prediction and a reference are:

- ``attention-gaze`` (KL, JS, Cosine, TGO@k): prediction = attention per slot, reference = gaze per slot;
- ``attention-click`` (CSH@k): prediction = attention per slot, reference = clicked slot;
- ``probabilities-click`` (Accuracy, LogLoss, AUC): prediction = click probabilities, reference = clicked slot.

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
from tasks.errors import unknown_name

SCHEMAS = ("attention-gaze", "attention-click", "probabilities-click")
"""The feature schemas; metrics of the same one can be combined."""


def schema(name: str) -> str:
    """Return the feature schema of the metric ``name``.

    Raises:
        InputError: There is no such metric.
    """
    metric = registry.get(name)
    return f"{family(metric.family).parts[0]}-{metric.against}"


def names(of_schema: str) -> tuple[str, ...]:
    """Return the names of the metrics that share a feature schema.

    Raises:
        InputError: There is no such schema.
    """
    if of_schema not in SCHEMAS:
        raise unknown_name("feature schema", of_schema, SCHEMAS)
    return tuple(name for name in registry.names() if schema(name) == of_schema)


class SessionMetric(evaluate.Metric):  # type: ignore[misc]
    """One metric of the registry behind the ``evaluate.Metric`` interface.

    ``compute(predictions=..., references=..., ties="expected")`` returns the mean over sessions under the
    metric's name. Bad input raises ``InputError`` naming the session by its position.

    Args:
        metric_name: The metric's name in the registry.
        options: Options of ``evaluate.Metric``. By default every instance gets an
            ``experiment_id`` of its own, since parallel runs would wait for each other's lock files, and
            keeps its data in memory.
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
        numbers = datasets.Sequence(datasets.Value("float64"))
        return evaluate.MetricInfo(
            description=self._metric.definition,
            citation=self._metric.citation,
            inputs_description=(
                f"Args: predictions: {judged} per slot, one list per session; references: {reference}, one "
                f"{'list per session' if reference == 'gaze' else 'slot number per session'}; "
                "ties: 'expected' (default) or 'last'."
            ),
            features=datasets.Features(
                {
                    "predictions": numbers,
                    "references": numbers if reference == "gaze" else datasets.Value("int64"),
                }
            ),
        )

    def _compute(self, predictions: Any, references: Any, ties: str = "expected") -> dict[str, float]:
        judged, reference = self._schema.split("-")
        if reference == "gaze":
            # a metric of this schema never reads the click, nor one of the others the gaze
            gaze, click = references, np.zeros(len(predictions), dtype=np.int64)
        else:
            gaze, click = [np.ones(len(row)) for row in predictions], references
        table = evaluate_sessions(gaze, click, **{judged: predictions}, ties=ties, metrics=[self._metric.name])
        return {self._metric.name: float(table[self._metric.name].mean())}


def load(name: str, **options: Any) -> SessionMetric:
    """Return the ``evaluate`` shell of a metric, for example ``load("CSH@1")``.

    Raises:
        InputError: There is no metric of that name.
    """
    return SessionMetric(name, **options)
