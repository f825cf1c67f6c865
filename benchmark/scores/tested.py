"""The test sessions of a split as columns: what predictions are checked against and measured on."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.metrics.inputs import Human
from benchmark.parts import PARTS
from benchmark.parts.part import Expected, Part
from benchmark.parts.ragged import Floats, Ints, Ragged, ragged
from tasks.task import Task
from tasks.types import Session, visits


@dataclass(frozen=True, eq=False)
class Tested:
    """Test sessions and their folds, shape (sessions,); ``notice``: what outputs must say, empty for recorded data."""

    sessions: Sequence[Session]
    folds: Ints
    notice: str = ""

    @cached_property
    def ids(self) -> list[str]:
        """Session ids."""
        return [s.session_id for s in self.sessions]

    @cached_property
    def slots(self) -> Ints:
        """K per session, shape (sessions,)."""
        return np.array([len(s.slots) for s in self.sessions], dtype=np.int64)

    @cached_property
    def click(self) -> Ints:
        """Clicked slot per session, shape (sessions,)."""
        return np.array([s.click for s in self.sessions], dtype=np.int64)

    @cached_property
    def dwell(self) -> Ragged:
        """Human dwell times per session, K each, in milliseconds."""
        return ragged(s.gaze_ms for s in self.sessions)

    @cached_property
    def people(self) -> Human:
        """What people did: dwell times in milliseconds, clicks, and the slots of the visits that were recorded."""
        paths = [np.array([visit.slot for visit in visits(s)], dtype=np.float64) for s in self.sessions]
        return Human(self.dwell, self.click, ragged(path if len(path) else None for path in paths))

    @cached_property
    def recordings(self) -> dict[str, list[Floats]]:
        """``gaze`` and ``cursor``: shares of dwell per session, each of shape (K,); a cursor may be 0 everywhere."""
        return {
            "gaze": [s.gaze for s in self.sessions],
            "cursor": [s.cursor_ms / max(float(s.cursor_ms.sum()), 1e-12) for s in self.sessions],
        }

    @cached_property
    def _shapes(self) -> dict[str, Ints]:
        """Part -> K, lists and numbers in each, shape (3, sessions + 1); the last is of no session, all 0."""
        found = {}
        for part in PARTS:
            each = [(len(s.slots), *part.shape(s)) for s in self.sessions]
            found[part.name] = np.array([*each, (0, 0, 0)], dtype=np.int64).T.copy()
        return found

    def places(self, session_ids: pa.Array) -> Ints:
        """Return where among the sessions each id is, -1 where it is not, shape (rows,).

        Ids are compared character by character: one that only looks like a session's is another id.
        """
        found = pc.index_in(session_ids, value_set=pa.array(self.ids, pa.string()))
        return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), dtype=np.int64)

    def expected(self, part: Part, places: Ints) -> Expected:
        """Return what the sessions at some places ask of a part; nothing where a place is -1."""
        return Expected(*(asked[places] for asked in self._shapes[part.name]))


@functools.lru_cache(maxsize=16)
def of_task(task: Task, split: str) -> Tested:
    """Return the test sessions of a split; InputError if the task has no such split."""
    folds = [task.sessions_at(test) for _, test in task.split(split).folds]
    numbers = np.repeat(np.arange(len(folds)), [len(sessions) for sessions in folds])
    return Tested([s for sessions in folds for s in sessions], numbers, task.notice)
