from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmark.output.drawing import draw_session, panels_of
from benchmark.scores import predictions
from benchmark.scores.predictions import of_rows
from benchmark.scores.results import attention_of
from benchmark.simulator import Prediction
from tasks.errors import InputError


def test_a_panel_each_with_the_shares_over_their_slots(mini):
    session = mini.session(0)
    attention = np.array([0.0, 0.0, 0.0, 2.0])
    panels = panels_of(session, [("toy", attention)])
    assert [p.title for p in panels] == ["screen 0, user u0", "human gaze (share of dwell)", "attention: toy"]
    assert panels[1].shares.sum() == pytest.approx(1) and panels[2].shares.tolist() == [0, 0, 0, 1]
    picture = draw_session(session, panels, "simulated")
    one = draw_session(session, panels[:1])
    assert picture.width > one.width and picture.height > one.height  # three panels stand in two rows
    # The bare screen is untouched away from the clicked slot, the attention panel is coloured in its fourth slot only.
    sheet = np.asarray(draw_session(dataclasses.replace(session, click=0), panels[2:]))
    background = (200, 220, 255)
    scale, gap, title = 8, 12, 28
    at = lambda x, y: tuple(int(v) for v in sheet[gap + title + y * scale, gap + x * scale])  # noqa: E731
    assert at(40, 2) == background and at(30, 30) == background
    assert at(70, 30) != background


def test_a_session_without_an_image_is_refused(mini):
    session = dataclasses.replace(mini.session(0), image=None)
    with pytest.raises(InputError, match="prepared without images"):
        draw_session(session, panels_of(session, []))


def test_of_a_run_up_to_four_simulators_are_drawn_the_model_and_its_tuning_first(mini, tmp_path):
    session, names = mini.session(0), ("uniform", "shared-prompt", "fixate", "text", "backbone", "user-prior")
    said = [Prediction(session.session_id, np.arange(1.0, 5.0))]
    predictions.write(predictions.joined(of_rows(said, name, 1) for name in names), tmp_path / "predictions.parquet")
    drawn = [panel.title for panel in panels_of(session, attention_of(tmp_path, session.session_id, None))[2:]]
    assert set(drawn[:2]) == {"attention: fixate", "attention: backbone"}
    assert drawn[2:] == ["attention: uniform", "attention: shared-prompt"]
    found = attention_of(tmp_path, session.session_id, ["text"])
    assert [panel.title for panel in panels_of(session, found)[2:]] == ["attention: text"]
