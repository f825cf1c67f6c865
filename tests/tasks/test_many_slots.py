"""A task of many slots keeps them as they are stored; nobody who reads them can tell."""

from __future__ import annotations

import dataclasses
import pickle

from benchmark.trials.content import content_digests
from tasks import task as tasks_task


def test_stored_slots_are_the_same_slots(mini, monkeypatch):
    content_digests(mini)
    monkeypatch.setattr(tasks_task, "MANY_SLOTS", 0)
    stored = dataclasses.replace(mini)
    for index in range(len(mini)):
        plain, kept = mini.session(index).slots, stored.session(index).slots
        assert isinstance(plain, tuple) and not isinstance(kept, tuple)
        assert kept == plain and tuple(kept) == plain and len(kept) == len(plain) and hash(kept) == hash(plain)
        assert kept[0] == plain[0] and kept[-1] == plain[-1] and kept[1:] == plain[1:]
        assert pickle.loads(pickle.dumps(kept)) == plain
        assert stored.session(index).gaze_ms.tolist() == mini.session(index).gaze_ms.tolist()
    assert content_digests(stored) == content_digests(mini)
