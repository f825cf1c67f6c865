"""The metrics of PROTOCOL sections 5 and 10: one small file each, found through one registry.

To add a metric, write one file next to the others and add its name to ``MODULES`` in ``registry.py``.
``benchmark.metrics.hf`` wraps the same functions for Hugging Face ``evaluate`` and is imported only on demand.
"""

from benchmark.metrics.registry import Metric, all_metrics, asked_of, get, names
from benchmark.metrics.sessions import evaluate_sessions, measure

__all__ = ["Metric", "all_metrics", "asked_of", "evaluate_sessions", "get", "measure", "names"]
