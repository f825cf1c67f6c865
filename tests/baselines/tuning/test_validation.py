from collections import Counter

import numpy as np
import pytest

from baselines.tuning.validation import published_score, split
from tasks.errors import InputError
from tasks.types import Session, Slot
from tests.baselines.tuning.people import sessions


def ids(found):
    return [session.session_id for session in found]


def test_the_share_is_held_out_and_every_user_keeps_a_session():
    train = sessions(users=5, each=4)
    kept, held = split(train, 0.15, 42)
    assert len(held) == 3 and sorted(ids(kept) + ids(held)) == sorted(ids(train))
    assert set(Counter(s.user for s in held).values()) == {1}
    assert ids(kept) == [i for i in ids(train) if i in set(ids(kept))]


def test_it_depends_on_the_seed_alone():
    train = sessions(users=6, each=4)
    assert ids(split(train, 0.15, 1)[1]) == ids(split(train, 0.15, 1)[1])
    assert len({tuple(ids(split(train, 0.15, seed)[1])) for seed in range(6)}) > 1


def test_a_large_share_goes_round_again_but_leaves_everybody_one():
    kept, held = split(sessions(users=3, each=3), 0.9, 0)
    assert len(held) == 6 and Counter(s.user for s in kept) == {"u0": 1, "u1": 1, "u2": 1}


def test_users_with_a_single_session_are_named_and_trained_on():
    said = []
    train = sessions(users=3, each=3) + sessions(users=2, each=1, prefix="single")
    kept, held = split(train, 0.3, 0, said.append)
    assert {"single0", "single1"} <= {s.user for s in kept} and not {s.user for s in held} & {"single0", "single1"}
    assert len(said) == 1 and "2 of 5 users" in said[0] and "single0, single1" in said[0]


def test_where_nobody_has_two_sessions_users_are_held_out_whole():
    said, train = [], sessions(users=20, each=1)
    kept, held = split(train, 0.15, 7, said.append)
    assert len(held) == 3 and sorted(ids(kept) + ids(held)) == sorted(ids(train))
    assert ids(kept) == [i for i in ids(train) if i in set(ids(kept))]
    assert ids(split(train, 0.15, 7)[1]) == ids(held) != ids(split(train, 0.15, 8)[1])
    [line] = said
    assert "each of the 20 users" in line and all(session.user in line for session in held)


def test_no_validation_on_request():
    train = sessions(users=2, each=1)
    assert split(train, 0, 0) == (train, [])


def test_too_few_sessions_are_named():
    with pytest.raises(InputError, match="nobody would be left to train on: of 1 users.*validation=0"):
        split(sessions(users=1, each=1), 0.15, 0)
    with pytest.raises(InputError, match="nobody would be left"):
        split(sessions(users=3, each=1), 0.9, 0)
    with pytest.raises(InputError, match="no training session"):
        split([], 0.15, 0)


def test_published_scores_are_their_definition_with_ties_to_the_last_slot():
    from scipy.spatial.distance import jensenshannon

    gaze = np.array([4.0, 0.0, 3.0, 2.0, 1.0, 6.0, 0.0])
    attention = np.array([0.1, 0.2, 0.1, 0.2, 0.2, 0.1, 0.1])
    slots = tuple(Slot(str(k), "film", "", (0.0, 0.0, 1.0, 1.0)) for k in range(7))
    session = Session("s", "u", "0", None, "", slots, gaze, gaze, 3)
    share = gaze / gaze.sum()
    order = np.argsort(share)[::-1][:5]
    top = [np.append(x[order], max(0.0, 1 - x[order].sum())) for x in (share, attention)]
    cosine = share @ attention / (np.linalg.norm(share) * np.linalg.norm(attention))
    # The largest are 4, 3, 1 in that order: the click 3 is second, and none of the most looked at, 5, 0, 2, is there.
    expected = 0.10 * cosine + 0.20 * 0 + 0.25 * 1 + 0.20 * 0 - 0.10 * jensenshannon(*top) ** 2
    assert published_score("composite", session, attention) == pytest.approx(-expected, rel=1e-6)
    assert published_score("js", session, attention) == pytest.approx(jensenshannon(share, attention) ** 2, rel=1e-6)
    even = published_score("js", session, np.full(7, 1 / 7))
    assert published_score("js", session, np.zeros(7)) == pytest.approx(even)
