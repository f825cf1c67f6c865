"""The vectorised session rule against a literal one: one session at a time, events replayed in time order."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.recgaze.event_table import read_events
from tasks.recgaze.events import Recording, select_sessions
from tests.tasks.recgaze.raw_folder import HEADER, aoi, click, cursor, event, fixation, swipe, write_csv

Row = dict[str, object]


def literal(
    rows: Sequence[Row], visible: bool
) -> tuple[dict[str, tuple[list[float], list[float], int, list[int]]], int]:
    """PROTOCOL section 2, sentence by sentence; returns the kept sessions and the number of all."""
    sessions: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        sessions.setdefault((str(row["UserID"]), int(float(str(row["TaskID"])))), []).append(row)
    kept = {}
    for (user, task), events in sessions.items():
        pages = [0, 0, 0]
        last = None
        for row in sorted(events, key=lambda row: float(str(row["Timestamp"]))):  # stable: ties in row order
            kind = row["Click_AOI_type"]
            if kind == "NA":
                continue
            last = row
            carousel = row["Click_AOI_Carousel_position"]
            if kind in ("Forward", "Backward") and carousel in (1, 2, 3):
                step = {"Forward": 1, "Backward": 2}[kind]
                pages[int(str(carousel)) - 1] = (pages[int(str(carousel)) - 1] + step) % 3
        fixated = [row for row in events if row["Fixation_Duration"] != "NA"]
        if task > 35 or not fixated or last is None or last["Click_AOI_type"] != "Movie":
            continue
        if any(row["Fixation_AOI_Carousel_position"] not in ("NA", 1, 2, 3) for row in fixated):
            continue
        carousel, position = (last[f"Click_AOI_{p}"] for p in ("Carousel_position", "Movie_position_in_carousel"))
        assert isinstance(carousel, int) and isinstance(position, int)
        if carousel <= 3:
            pages[carousel - 1] = (position - 1) // 5

        def dwell(kind: str, shown: Sequence[int], events: list[Row] = events) -> list[float]:
            sums = [0.0] * 15
            for row in events:
                c, p = row[f"{kind}_AOI_Carousel_position"], row[f"{kind}_AOI_Movie_position_in_carousel"]
                if isinstance(c, int) and isinstance(p, int) and c <= 3 and (p - 1) // 5 == shown[c - 1]:
                    sums[(c - 1) * 5 + (p - 1) % 5] += float(str(row[f"{kind}_Duration"]))
            return sums

        shown = pages if visible else [0, 0, 0]
        gaze = dwell("Fixation", shown)
        if sum(dwell("Fixation", [0, 0, 0])) == 0 or carousel > 3 or sum(gaze) == 0:
            continue
        cursors = [1000 * s for s in dwell("Cursor", shown)]
        kept[f"{user}-{task}"] = (gaze, cursors, (carousel - 1) * 5 + (position - 1) % 5, pages)
    return kept, len(sessions)


def random_rows(seed: int, n: int) -> list[Row]:
    """Events of a few sessions with every oddity, in any order; no two rows are equal (StimulusID)."""
    draw = random.Random(seed)
    rows: list[Row] = []
    for i in range(n):
        user, task = draw.choice(("KINIT_1", "UvA_2", "UvA_11")), draw.choice((1, 2, 10, 36))
        moment = draw.randint(0, 12)  # few values: ties
        carousel = draw.choice((1, 1, 2, 3, 3, 4)) if draw.random() < 0.1 else draw.randint(1, 3)
        position = draw.randint(1, 15) if draw.random() < 0.5 else draw.randint(1, 5)
        row = draw.choice(
            (
                fixation(user, task, moment, draw.randint(0, 400), carousel, position),
                fixation(user, task, moment, draw.randint(0, 400), carousel, position),
                cursor(user, task, moment, draw.randint(0, 3), carousel, position),
                click(user, task, moment, carousel, position),
                swipe(user, task, moment, carousel, draw.choice(("Forward", "Backward"))),
                event(user, task, moment, Fixation_Duration=90, Fixation_AOI_type="Background"),
                event(user, task, moment, Click_AOI_type=draw.choice(("Genre", "Background"))),
                fixation(user, task, moment, 7, carousel, position) | aoi("Click", 2, position),
            )
        )
        rows.append(row | {"StimulusID": f"v{i}"})
    return rows


def visits_of(folder, rows: Sequence[Row], visible: bool) -> tuple[dict[str, Recording], int, int]:
    path = folder / "summary_feedback.csv"
    write_csv(path, HEADER, [[row[name] for name in HEADER] for row in rows])
    selection = select_sessions(read_events(path), visible)
    return (
        {f"{visit.user}-{visit.task}": visit for visit in selection.recordings},
        selection.read,
        sum(selection.dropped.values()),
    )


@pytest.mark.parametrize("visible", [False, True], ids=["recgaze", "recgaze-visible"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9), n=st.integers(1, 60))
def test_the_rule_equals_its_literal_definition(tmp_path, visible, seed, n):
    rows = random_rows(seed, n)
    expected, read = literal(rows, visible)
    found, found_read, dropped = visits_of(tmp_path, rows, visible)
    assert list(found) == sorted(expected, key=lambda name: tuple(name.split("-")))
    assert (found_read, dropped) == (read, read - len(expected))
    for name, (gaze, cursors, clicked, pages) in expected.items():
        np.testing.assert_allclose(found[name].gaze_ms, gaze)
        np.testing.assert_allclose(found[name].cursor_ms, cursors)
        assert (found[name].click, list(found[name].pages)) == (clicked, pages)


def test_the_random_events_do_keep_sessions(tmp_path):
    kept = sum(len(literal(random_rows(seed, 40), visible=True)[0]) for seed in range(30))
    assert kept > 50


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9))
def test_the_order_of_rows_with_different_times_does_not_matter(tmp_path, seed):
    rows = [row | {"Timestamp": i} for i, row in enumerate(random_rows(seed, 40))]
    shuffled = random.Random(seed).sample(rows, len(rows))
    one, two = visits_of(tmp_path, rows, True)[0], visits_of(tmp_path, shuffled, True)[0]
    assert list(one) == list(two)
    for name in one:
        np.testing.assert_allclose(one[name].gaze_ms, two[name].gaze_ms)
        assert (one[name].click, one[name].pages, one[name].flags) == (
            two[name].click,
            two[name].pages,
            two[name].flags,
        )
