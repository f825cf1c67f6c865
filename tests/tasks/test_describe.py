from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from tasks.decoding import decode
from tasks.manifest import Spread, Statistics, describe, entropy_bits
from tasks.types import Session, Slot


def session(name, user, screen, gaze, click, flags=()):
    kinds = ["film", "ad", "film", "film"]
    slots = tuple(Slot(str(k), kinds[k], "", (0.0, 0.0, 1.0, 1.0)) for k in range(len(gaze)))
    return Session(name, user, screen, None, "", slots, gaze, [0.0] * len(gaze), click, flags)


SESSIONS = [
    session("1", "u", "s", [1000, 1000, 1000, 1000], 3),
    session("2", "u", "t", [500, 0], 0, ("odd",)),
    session("3", "v", "s", [250, 750], 0),
]


def test_hand_worked():
    found = describe(SESSIONS)
    assert (found.sessions, found.users, found.screens) == (3, 2, 2)
    assert found.sessions_per_user == Spread(1, 1.5, 1.5, 2)
    assert found.slots_per_session == Spread(2, 2, pytest.approx(8 / 3, abs=1e-6), 4)
    assert found.gaze_s == Spread(0.5, 1.0, pytest.approx(5.5 / 3, abs=1e-6), 4.0)
    # 4 equal slots: 2 bits; one slot: 0; a quarter and three quarters: 0.811278.
    assert found.gaze_entropy_bits == Spread(0.0, 0.811278, pytest.approx(2.811278 / 3, abs=1e-6), 2.0)
    assert found.click_is_longest_looked_at == pytest.approx(2 / 3, abs=1e-6)
    assert found.click_positions == [2, 0, 0, 1]
    assert found.click_kinds == {"film": 3}
    assert found.slot_kinds == {"ad": 3, "film": 5}
    assert found.flags == {"odd": 1}


def test_through_json_and_back():
    found = describe(SESSIONS)
    assert decode(Statistics, json.loads(json.dumps(dataclasses.asdict(found))), "x") == found


def test_entropy_of_one_slot_is_zero_and_not_minus_zero():
    assert str(entropy_bits(np.array([1.0, 0.0]))) == "0.0"
