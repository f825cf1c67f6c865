"""The metrics as Hugging Face ``evaluate`` modules, offline.

``load("CSH@1")`` gives an ``evaluate.Metric`` whose ``compute`` returns the mean over sessions. Inputs go by name, one
list, or for ``click`` and ``answer`` one slot number, per session:

- attention family: ``attention``, with ``gaze`` (dwell) or ``click``;
- click family: ``probabilities`` with ``click``; ``load("Accuracy", of="answer")`` reads ``answer`` instead;
- order family, given the path so far: ``next_visit``, one row per visit and one more, with ``path``, the slots visited.

``evaluate.combine([load(name) for name in names("attention")]).compute(attention=..., gaze=..., click=...)`` computes a
whole family; an input that none of its metrics takes is refused. The number of slots may differ between sessions.

This module imports ``datasets``; ``benchmark.metrics`` does not import it.
"""

import uuid
from typing import Any

import datasets
import evaluate
import numpy as np

from benchmark.metrics import registry
from benchmark.metrics.families import family
from benchmark.metrics.sessions import evaluate_sessions
from benchmark.parts import part
from tasks.errors import InputError, require_known


def names(of_family: str) -> tuple[str, ...]:
    """Return the metrics of a family, ``attention``, ``click`` or ``order``; InputError if there is no such family."""
    return tuple(metric.name for metric in registry.all_metrics() if metric.family == family(of_family).name)


class SessionMetric(evaluate.Metric):  # type: ignore[misc]
    """One metric of the registry behind the ``evaluate.Metric`` interface.

    ``compute(attention=..., gaze=..., ties="expected")`` returns the mean over sessions under the metric's name.
    InputError for a bad input, which names the session by its position. By default every instance gets an
    ``experiment_id`` of its own, since parallel runs would wait for each other's lock files, and keeps its data in
    memory.
    """

    def __init__(self, metric_name: str, of: str | None = None, **options: Any) -> None:
        self._metric = registry.get(metric_name)
        require_known(f"input of {metric_name}:", [of] if of is not None else [], self._metric.needs)
        self._judged = of or family(self._metric.family).parts[0]
        same = [one for one in registry.all_metrics() if one.family == self._metric.family]
        self._known = {name for one in same for name in (*one.needs, one.against)}
        options.setdefault("experiment_id", uuid.uuid4().hex)
        options.setdefault("keep_in_memory", options.get("num_process", 1) == 1)
        super().__init__(config_name=metric_name, **options)

    @property
    def name(self) -> str:
        """The metric's name in the registry; ``evaluate.combine`` prefixes clashing results with it."""
        return self._metric.name

    @property
    def inputs(self) -> tuple[str, str]:
        """What is predicted, and what it is compared with."""
        return self._judged, self._metric.against

    def compute(self, ties: str = "expected", **given: Any) -> dict[str, float] | None:
        """Return the mean over the sessions that are given or were added, under the metric's name.

        What only other metrics of the family take is left alone. InputError if another input is given, or one is
        missing.
        """
        given = {name: values for name, values in given.items() if values is not None}
        require_known(f"input, as {self.name} takes {' and '.join(self.inputs)}:", given, sorted(self._known))
        own = {name: given[name] for name in self.inputs if name in given}
        if given and len(own) < 2:
            raise InputError(f"{self.name} takes {' and '.join(self.inputs)}; give both.")
        found: dict[str, float] | None = super().compute(**own, ties=ties)
        return found

    def _info(self) -> evaluate.MetricInfo:
        numbers, slot = datasets.Sequence(datasets.Value("float64")), datasets.Value("int64")
        depth = part(self._judged).depth
        judged = datasets.Sequence(numbers) if depth == 2 else numbers if depth else slot
        compared = {"gaze": numbers, "click": slot, "path": datasets.Sequence(slot)}[self._metric.against]
        return evaluate.MetricInfo(
            description=self._metric.definition,
            citation=self._metric.citation,
            inputs_description=f"Args: {' and '.join(self.inputs)}, per session; ties: 'expected' (default) or 'last'.",
            features=datasets.Features({self._judged: judged, self._metric.against: compared}),
        )

    def _compute(self, ties: str, **given: Any) -> dict[str, float]:
        judged, reference = given[self._judged], given[self._metric.against]
        if self._judged == "answer":  # how many slots there are does not matter to an answer
            slots = [max(pair) + 2 for pair in zip(judged, reference, strict=True)]
        else:
            slots = [len(row[0]) - 1 if part(self._judged).depth == 2 else len(row) for row in judged]
        # A metric reads neither the gaze nor the click nor the path that another is compared with.
        human: dict[str, Any] = {"gaze": [np.ones(k) for k in slots], "click": np.zeros(len(slots), dtype=np.int64)}
        human["visits" if self._metric.against == "path" else self._metric.against] = reference
        table = evaluate_sessions(**human, **{self._judged: judged}, ties=ties, metrics=[self.name])
        return {self.name: float(table[self.name].mean())}


def load(name: str, of: str | None = None, **options: Any) -> SessionMetric:
    """Return the ``evaluate`` module of a metric, for example ``load("CSH@1")``.

    ``of`` is the part of a prediction that it judges, where it can judge several: Accuracy takes ``probabilities`` or
    ``answer``. InputError if there is no metric of that name, or it does not judge that part.
    """
    return SessionMetric(name, of, **options)
