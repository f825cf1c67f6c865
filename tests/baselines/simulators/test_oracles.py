import numpy as np
import pytest

from baselines.simulators.oracles import CursorOracle, GazeOracle
from tasks.errors import InputError


def test_gaze_oracle_worked_by_hand(make_session):
    found = GazeOracle(smoothing=0.1).simulate([make_session([300, 100, 0, 0], 1)])[0]
    assert found.attention.tolist() == [0.75, 0.25, 0, 0]
    assert found.probabilities == pytest.approx([0.9 * 0.75 + 0.025, 0.9 * 0.25 + 0.025, 0.025, 0.025])
    assert found.answer == 0
    assert GazeOracle(smoothing=0).simulate([make_session([1, 3], 0)])[0].probabilities.tolist() == [0.25, 0.75]


def test_cursor_oracle_follows_the_cursor_and_not_the_gaze(make_session):
    found = CursorOracle().simulate([make_session([300, 100], 0, cursor=[10, 30])])[0]
    assert found.attention.tolist() == [0.25, 0.75]
    assert found.answer == 1


def test_a_cursor_that_dwelt_nowhere_is_uniform_and_data_without_a_cursor_are_blank(make_session):
    sessions = [make_session([300, 100], 0), make_session([1, 1], 0, cursor=[1, 0])]
    found = CursorOracle().simulate(sessions)[0]
    assert found.attention.tolist() == found.probabilities.tolist() == [0.5, 0.5]
    assert found.answer is None
    [found] = CursorOracle().simulate(sessions[:1])
    assert found.attention is found.probabilities is found.answer is None


@pytest.mark.parametrize("cls", [GazeOracle, CursorOracle])
def test_no_oracle_without_the_recording(cls, make_session):
    with pytest.raises(TypeError, match="full sessions"):
        cls().simulate([make_session([1, 1], 0).stimulus()])


@pytest.mark.parametrize("cls", [GazeOracle, CursorOracle])
@pytest.mark.parametrize("smoothing", [-0.1, 1.1, float("nan")])
def test_smoothing_is_a_share(cls, smoothing):
    with pytest.raises(InputError, match="at least 0 and at most 1"):
        cls(smoothing=smoothing)


def test_the_click_changes_nothing(make_session):
    one, other = (GazeOracle().simulate([make_session([2, 1, 1], click)])[0] for click in (0, 2))
    np.testing.assert_array_equal(one.probabilities, other.probabilities)
