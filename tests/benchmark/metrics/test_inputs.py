"""What may be handed in, what is blank, and what is refused with the session's name."""

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics import evaluate_sessions
from tasks.errors import InputError

ATTENTION = ["KL", "JS", "Cosine", "CSH@1", "CSH@3", "CSH@5", "TGO@1", "TGO@3", "TGO@5"]
ALL = [*ATTENTION, "Accuracy", "LogLoss", "AUC"]


def good():
    """Three sessions, of 3, 2 and 3 slots."""
    return {
        "gaze": [[1.0, 2.0, 3.0], [1.0, 0.0], [5.0, 1.0, 1.0]],
        "click": [2, 0, 1],
        "attention": [[0.2, 0.3, 0.5], [1.0, 3.0], [2.0, 2.0, 1.0]],
        "probabilities": [[0.2, 0.3, 0.5], [0.5, 0.5], [0.1, 0.8, 0.1]],
        "answer": [2, 1, 1],
        "session_ids": ["KINIT_1-4", "KINIT_1-9", "UvA_3-7"],
    }


def measured(table, row):
    return [name for name in ALL if not np.isnan(table.iloc[row][name])]


def test_rows_keep_their_order_and_names():
    table = evaluate_sessions(**good())
    assert table.index.tolist() == ["KINIT_1-4", "KINIT_1-9", "UvA_3-7"]
    assert [name for name in table.columns if name in ALL] == ALL
    assert (table.dtypes == np.float64).all()
    assert table["Accuracy"].tolist() == [1, 0, 1]
    assert not table.isna().any(axis=None)
    without = good()
    del without["session_ids"]
    assert evaluate_sessions(**without).index.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "supplied, columns",
    [
        ([], []),
        (["attention"], ATTENTION),
        (["probabilities"], ["Accuracy", "LogLoss", "AUC"]),
        (["answer"], ["Accuracy"]),
        (["attention", "answer"], [*ATTENTION, "Accuracy"]),
    ],
)
def test_parts_not_supplied_are_blank(supplied, columns):
    everything = good()
    table = evaluate_sessions(everything["gaze"], everything["click"], **{part: everything[part] for part in supplied})
    for row in range(3):
        assert measured(table, row) == columns


def test_single_sessions_may_lack_a_part():
    data = good()
    data["attention"] = [None, [1.0, 3.0], [2.0, 2.0, 1.0]]
    data["probabilities"] = [[0.2, 0.3, 0.5], None, None]
    data["answer"] = [None, 1, -1]
    table, whole = evaluate_sessions(**data), evaluate_sessions(**good())
    assert measured(table, 0) == ["Accuracy", "LogLoss", "AUC"]
    assert measured(table, 1) == [*ATTENTION, "Accuracy"]
    assert measured(table, 2) == ATTENTION
    present = table.notna()
    assert (table[present].fillna(0) == whole[present].fillna(0)).all(axis=None)


def test_all_attention_none_is_as_none():
    data = good()
    table = evaluate_sessions(data["gaze"], data["click"], attention=[None, None, None])
    assert table.isna().all(axis=None)


def test_chosen_metrics_only():
    table = evaluate_sessions(**good(), metrics=["AUC", "KL"])
    assert list(table.columns) == ["AUC", "KL"]
    assert (table == evaluate_sessions(**good())[["AUC", "KL"]]).all(axis=None)


def test_no_sessions():
    table = evaluate_sessions([], [], attention=[], probabilities=[], answer=[])
    assert table.shape == (0, len(ALL))


@pytest.mark.parametrize("kind", ["list", "tuple", "rows", "series", "objects", "float32", "fortran"])
def test_the_kind_of_sequence_does_not_matter(kind):
    random = np.random.default_rng(5)
    gaze = random.integers(0, 9, (20, 4)).astype(np.float64)
    gaze[:, 0] += 1
    click = random.integers(0, 4, 20)
    objects = np.empty(20, dtype=object)
    objects[:] = list(gaze)
    same = {
        "list": gaze.tolist(),
        "tuple": tuple(map(tuple, gaze.tolist())),
        "rows": list(gaze),
        "series": pd.Series(list(gaze), index=range(100, 120)),
        "objects": objects,
        "float32": gaze.astype(np.float32),
        "fortran": np.asfortranarray(gaze),
    }[kind]
    clicks = pd.Series(click, index=range(100, 120)) if kind == "series" else click.astype(np.float32).tolist()
    np.testing.assert_array_equal(
        evaluate_sessions(same, clicks, attention=same).to_numpy(),
        evaluate_sessions(gaze, click, attention=gaze).to_numpy(),
    )


def test_input_is_left_as_it_was():
    gaze, odds = np.array([[1.0, 3.0]]), np.array([[0.4, 0.6005]])
    before = gaze.copy(), odds.copy()
    evaluate_sessions(gaze, [0], gaze, odds)
    np.testing.assert_array_equal(gaze, before[0])
    np.testing.assert_array_equal(odds, before[1])


BAD_NUMBERS = [
    ([0.2, np.nan, 0.8], "NaN"),
    ([0.2, np.inf, 0.8], "infinity"),
    ([0.2, -np.inf, 0.8], "infinity"),
    ([1.2, -0.1, -0.1], "negative"),
    ([0.5, 0.5], "has 2 numbers; the session has 3 slots"),
    ([0.25, 0.25, 0.25, 0.25], "has 4 numbers; the session has 3 slots"),
    ([], "has 0 numbers; the session has 3 slots"),
    (["0.5", "0.25", "0.25"], "not a flat list of numbers"),
    ([0.5, None, 0.5], "not a flat list of numbers"),
    ([[0.5], [0.25], [0.25]], "not a flat list of numbers"),
    ([[0.5], [0.25, 0.25], []], "not a flat list of numbers"),
    ([0.5, 0.5j, 0.0], "not a flat list of numbers"),
    ("abc", "not a flat list of numbers"),
    (0.5, "not a flat list of numbers"),
]


@pytest.mark.parametrize("part", ["attention", "probabilities"])
@pytest.mark.parametrize("bad, words", BAD_NUMBERS)
def test_bad_part_names_session_and_part(part, bad, words):
    data = good()
    data[part][2] = bad
    with pytest.raises(InputError, match=f"^session UvA_3-7: {part} .*{words}"):
        evaluate_sessions(**data)
    del data["session_ids"]
    with pytest.raises(InputError, match=f"^session 2: {part} "):
        evaluate_sessions(**data)


@pytest.mark.parametrize("bad, words", [pair for pair in BAD_NUMBERS if "the session has" not in pair[1]])
def test_bad_gaze_names_the_session(bad, words):
    data = good()
    data["gaze"][2] = bad
    with pytest.raises(InputError, match=f"^session UvA_3-7: gaze .*{words}"):
        evaluate_sessions(**data)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("part", ["gaze", "attention", "probabilities"])
def test_bad_number_in_a_matrix_names_the_session(part, bad):
    data = {name: np.full((5000, 20), 0.05) for name in ("gaze", "attention", "probabilities")}
    data[part][4321, 7] = bad
    with pytest.raises(InputError, match=f"^session 4321: {part} holds"):
        evaluate_sessions(click=np.zeros(5000, dtype=int), **data)


@pytest.mark.parametrize("part", ["gaze", "attention"])
def test_zero_mass(part):
    data = good()
    data[part][0] = [0.0, 0.0, 0.0]
    with pytest.raises(InputError, match=f"^session KINIT_1-4: {part} is 0 on every slot"):
        evaluate_sessions(**data)


def test_sum_beyond_floats():
    data = good()
    data["gaze"][0] = [1e308, 1e308, 1e308]
    with pytest.raises(InputError, match="^session KINIT_1-4: gaze has a sum too large"):
        evaluate_sessions(**data)


@pytest.mark.parametrize("bad, accepted", [(0.4992, True), (0.4988, False), (0.5008, True), (0.5012, False)])
def test_probabilities_must_sum_to_one(bad, accepted):
    data = good()
    data["probabilities"][1] = [bad, 0.5]
    if accepted:
        assert evaluate_sessions(**data)["Accuracy"].tolist() == [1, 0, 1]
    else:
        with pytest.raises(InputError, match=f"^session KINIT_1-9: probabilities sum to {bad + 0.5:.6g}. Normalise"):
            evaluate_sessions(**data)


def test_one_slot_is_no_choice():
    data = good()
    for part in ("gaze", "attention", "probabilities"):
        data[part][1] = [1.0]
    with pytest.raises(InputError, match="^session KINIT_1-9: gaze has 1 slot"):
        evaluate_sessions(**data)


def test_gaze_of_every_session_is_needed():
    data = good()
    data["gaze"][1] = None
    with pytest.raises(InputError, match="^session KINIT_1-9: gaze is missing"):
        evaluate_sessions(**data)
    with pytest.raises(InputError, match="^gaze is missing"):
        evaluate_sessions(None, [0])


@pytest.mark.parametrize("bad", [3, -2, 2.5, np.nan, np.inf, "1", True, 10**400, [1]])
@pytest.mark.parametrize("part", ["click", "answer"])
def test_a_slot_number_must_be_one_of_the_sessions_slots(part, bad):
    data = good()
    data[part][0] = bad
    with pytest.raises(InputError, match=f"^session KINIT_1-4: {part} .* is not a slot"):
        evaluate_sessions(**data)


@pytest.mark.parametrize("bad", [-1, None])
def test_every_session_has_a_click(bad):
    data = good()
    data["click"][2] = bad
    with pytest.raises(InputError, match=r"^session UvA_3-7: click is missing"):
        evaluate_sessions(**data)


def test_the_number_of_slots_that_counts_is_the_sessions_own():
    data = good()
    data["click"] = np.array([2, 2, 1])
    with pytest.raises(InputError, match=r"^session KINIT_1-9: click 2 is not a slot 0\.\.1"):
        evaluate_sessions(**data)


@pytest.mark.parametrize("part", ["click", "attention", "probabilities", "answer", "session_ids"])
def test_one_entry_per_session(part):
    data = good()
    data[part] = data[part][:2]
    with pytest.raises(InputError, match=f"^{part} has 2 entries for 3 sessions"):
        evaluate_sessions(**data)


@pytest.mark.parametrize("part", ["gaze", "click", "attention", "probabilities", "answer"])
@pytest.mark.parametrize("bad", [5, "text", {"a": 1}, np.array(3.0)])
def test_parts_are_sequences(part, bad):
    data = good()
    data[part] = bad
    with pytest.raises(InputError, match=f"^{part} is not a sequence"):
        evaluate_sessions(**data)


def test_mistyped_names_suggest_the_nearest():
    with pytest.raises(InputError, match="unknown ties mode 'lasst'. Did you mean 'last'"):
        evaluate_sessions(**good(), ties="lasst")
    with pytest.raises(InputError, match="unknown metric 'Kl'. Did you mean 'KL'"):
        evaluate_sessions(**good(), metrics=["Kl"])
