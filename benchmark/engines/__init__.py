"""Engines: where and how the trials of a run are carried out.

An engine is handed trials that are missing and a ledger that it tells what becomes of each. It decides nothing about
results: the same trials give the same predictions on every engine.
"""

from benchmark.engines.interface import Engine, Failure, Outcome
from benchmark.engines.ledger import Ledger
from benchmark.engines.local import LocalEngine
from benchmark.engines.settings import EngineSettings

__all__ = ["Engine", "EngineSettings", "Failure", "Ledger", "LocalEngine", "Outcome"]
