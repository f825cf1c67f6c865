from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.splits import assign, column, k_fold, leave_one_out, split_from_values, unseen_screen, whole_k_fold

USERS = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=40)


def literal_shuffles(users):
    """PROTOCOL section 4 to the letter, one swap at a time as RandomState.shuffle does it."""
    generator = np.random.RandomState(42)
    shuffled = {}
    for user in users:
        if user in shuffled:
            continue
        indices = [i for i in range(len(users)) if users[i] == user]
        for i in range(len(indices) - 1, 0, -1):
            j = _interval(generator, i)
            indices[i], indices[j] = indices[j], indices[i]
        shuffled[user] = indices
    return shuffled


def _interval(generator, largest):
    """A number 0..largest by masked rejection, the draw that legacy shuffling is made of."""
    mask = (1 << largest.bit_length()) - 1
    while True:
        value = int(generator.randint(0, 2**32, dtype=np.uint32)) & mask
        if value <= largest:
            return value


def test_shuffling_a_list_of_one_draws_nothing():
    shuffled, untouched = np.random.RandomState(42), np.random.RandomState(42)
    shuffled.shuffle([7])
    assert shuffled.randint(1 << 30) == untouched.randint(1 << 30)


def test_hand_worked():
    # a has sessions 0, 2, 4; b only 1, which draws nothing; c has 3, 5.
    users = ["a", "b", "a", "c", "a", "c"]
    generator = np.random.RandomState(42)
    of_a, of_c = [0, 2, 4], [3, 5]
    generator.shuffle(of_a)
    generator.shuffle(of_c)
    expected = ["train"] * 6
    expected[of_a[0]] = expected[of_c[0]] = "test"
    assert leave_one_out(users) == expected
    folds = [0] * 6
    for fold, index in enumerate([*of_a, 1, *of_c]):
        folds[index] = fold % 5
    assert k_fold(users) == folds


def test_known_values():
    assert (
        leave_one_out(list("aaaabbbbcccc"))
        == "train test train train train test train train train train train test".split()
    )
    assert k_fold(list("aaaabbbbcccc")) == [2, 0, 3, 1, 1, 4, 2, 0, 4, 0, 1, 3]
    unseen = unseen_screen([str(screen) for screen in range(35)])
    assert [screen for screen, value in enumerate(unseen) if value == "test"] == [13, 15, 21, 24, 26, 29]


@given(USERS)
def test_leave_one_out_is_the_protocol(users):
    values = leave_one_out(users)
    expected = ["train"] * len(users)
    for indices in literal_shuffles(users).values():
        if len(indices) > 1:
            expected[indices[0]] = "test"
    assert values == expected


@given(USERS)
def test_leave_one_out_tests_one_session_of_every_user_with_several(users):
    values = leave_one_out(users)
    for user in set(users):
        of_user = [value for owner, value in zip(users, values, strict=True) if owner == user]
        assert of_user.count("test") == (1 if len(of_user) > 1 else 0)


@given(USERS, st.integers(2, 7))
def test_k_fold_deals_evenly(users, k):
    folds = k_fold(users, k)
    sizes = [folds.count(fold) for fold in range(k)]
    assert sum(sizes) == len(users) and max(sizes) - min(sizes) <= 1
    for indices in literal_shuffles(users).values():
        dealt = [folds[i] for i in indices]
        assert all((b - a) % k == 1 for a, b in zip(dealt, dealt[1:], strict=False))
        assert len(set(dealt)) == min(k, len(dealt))


def test_k_fold_needs_two_folds():
    with pytest.raises(ValueError, match="at least 2"):
        k_fold(["a"], 1)


@given(st.lists(st.sampled_from([str(i) for i in range(40)]), min_size=1, max_size=80))
def test_unseen_screens_never_train(screens):
    values = unseen_screen(screens)
    tested = {s for s, value in zip(screens, values, strict=True) if value == "test"}
    trained = {s for s, value in zip(screens, values, strict=True) if value == "train"}
    assert not tested & trained
    n = len(set(screens))
    assert len(tested) == max(1, int(n * 6 / 35 + 0.5))
    assert unseen_screen(list(dict.fromkeys(screens))) == [
        "test" if screen in tested else "train" for screen in dict.fromkeys(screens)
    ]


def test_six_of_thirty_five_screens():
    assert unseen_screen([str(i) for i in range(35)]).count("test") == 6


@given(st.lists(st.sampled_from([str(i) for i in range(40)]), min_size=1, max_size=80))
def test_folds_of_screens_share_no_screen_and_are_as_large_as_they_can_be(screens):
    folds = whole_k_fold(screens)
    shown = [{s for s, of in zip(screens, folds, strict=True) if of == fold} for fold in range(5)]
    assert sum(len(one) for one in shown) == len(set(screens))
    assert max(len(one) for one in shown) - min(len(one) for one in shown) <= 1
    # The screens of unseen-screen are the first of the same draw: they are dealt to different folds first.
    unseen = {s for s, value in zip(screens, unseen_screen(screens), strict=True) if value == "test"}
    assert max(len(one & unseen) for one in shown) <= -(-len(unseen) // 5)


def test_no_sessions():
    assert assign([], []) == {"loo": [], "kfold": [], "unseen-screen": [], "screen-kfold": [], "user-kfold": []}


@settings(max_examples=30)
@given(USERS.filter(len))
def test_every_session_is_tested_once_in_kfold_and_folds_partition(users):
    for name, values in assign(users, users).items():
        split = split_from_values(name, values)
        for train, test in split.folds:
            assert sorted([*train, *test]) == list(range(len(users)))
        tested = sorted(i for _, test in split.folds for i in test)
        if name in ("kfold", "screen-kfold", "user-kfold"):
            assert tested == list(range(len(users)))
        else:
            assert tested == [i for i, value in enumerate(values) if value == "test"]


def test_counts():
    assert split_from_values("loo", ["train", "test", "train"]).counts() == {"train": 2, "test": 1}
    assert split_from_values("kfold", [0, 1, 1, 4]).counts() == {
        "fold 0": 1,
        "fold 1": 2,
        "fold 2": 0,
        "fold 3": 0,
        "fold 4": 1,
    }


@pytest.mark.parametrize(
    ("name", "values"), [("loo", ["train", "valid"]), ("kfold", [0, 5]), ("kfold", [-1, 0]), ("loo", [None])]
)
def test_other_values_are_refused(name, values):
    with pytest.raises(ValueError, match=column(name)):
        split_from_values(name, values)
