from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.metrics import get
from benchmark.report import gallery, reading
from benchmark.report.figures import PerUser, Training, inline, interval_plot, plot, user_plot
from benchmark.report.reading import Curve
from benchmark.runs.kept import TrialRecord
from benchmark.scores.results import MetricResult
from tasks.errors import InputError
from tasks.types import Fixation

GENERATOR = 5


def trial(simulator="a", **values):
    values = {"simulator": simulator, "seed": 1, "fold": 0, **values}
    return TrialRecord("0" * 24, Path("run"), Path("run/trials/x"), "finished", False, "", values)


def test_costs_are_added_up_and_what_was_not_measured_is_not_0():
    trials = [
        trial(
            cost={
                "seconds_fit": 2,
                "seconds_simulate": 0.5,
                "tokens_trained": 100.0,
                "tokens_simulated": 11.0,
                "flops_estimated": 3e9,
                "peak_memory_bytes": 7,
            }
        ),
        trial(cost={"seconds_fit": 1.5, "seconds_simulate": 0.25, "tokens": 9, "peak_memory_bytes": 5}, attempts=2),
        trial("b"),
    ]
    a, b = reading.costs(trials)
    spent = {"seconds_fit": 3.5, "seconds_simulate": 0.75, "tokens": 120, "flops": 3e9, "memory": 7}
    assert a == {"simulator": "a", "trials": 2, "again": 1, **spent}
    assert b == {"simulator": "b", "trials": 1, "again": 0, **dict.fromkeys(spent)}


def test_trials_are_grouped_by_where_they_ran():
    here, there = {"cpu_count": 2, "packages": {"numpy": "1"}}, {"cpu_count": 64, "gpu": None}
    trials = [
        trial("a", environment={**there, "where": "far process 1"}),
        trial("a", environment={**here, "where": "near process 1"}),
        trial("b", environment={**here, "where": "near process 2"}),
    ]
    first, second = reading.places(trials)
    assert (first["trials"], first["processes"], first["simulators"]) == (2, 2, ["a", "b"])
    assert first["facts"] == [("cpu count", "2")] and first["packages"] == [("numpy", "1")]
    assert second["facts"] == [("cpu count", "64"), ("gpu", "none")] and second["packages"] == []


def test_sessions_are_chosen_by_the_metric_and_none_twice():
    values = {f"s{i:02d}": float(v) for i, v in enumerate(np.random.default_rng(GENERATOR).permutation(21))}
    chosen = gallery.choose(values)
    by_word = {word: [values[name] for w, name in chosen if w == word] for word, _ in chosen}
    assert by_word["best"] == [0, 1] and by_word["median"] == [10] and by_word["worst"] == [20, 19]
    assert len(by_word["random"]) == 2 and len({name for _, name in chosen}) == len(chosen) == 7
    assert chosen == gallery.choose(dict(reversed(values.items())))
    assert [name for _, name in gallery.choose({"only": 1.0})] == ["only"]
    few = gallery.choose({"a": 1.0, "b": 2.0, "c": 3.0})
    assert sorted(name for _, name in few) == ["a", "b", "c"]


def test_a_picture_shrinks_until_it_fits():
    noise = Image.fromarray(np.random.default_rng(GENERATOR).integers(0, 255, (2000, 2000, 3), dtype=np.uint8))
    for budget in (1_000_000, 200_000, 80_000):
        address, size = gallery.encode(noise, budget)
        assert address.startswith("data:image/jpeg;base64,") and len(address) * 3 / 4 <= budget + 100
        assert size[0] == size[1] <= 1200
    with pytest.raises(InputError, match="does not fit"):
        gallery.encode(noise, 1000)
    tall = gallery.encode(Image.new("RGB", (1000, 9000)), 1_000_000)[1]
    assert tall[1] <= 1.6 * 1200 and tall[0] < tall[1] / 8


def test_users_are_drawn_best_first_and_counted_by_the_direction_of_the_metric():
    from matplotlib.figure import Figure

    values = np.array([0.5, -1.0, -0.25, 1e-9])
    for name, first, count in (("KL", -1.0, 2), ("Accuracy", 0.5, 1)):
        canvas = Figure(layout="constrained")
        PerUser(get(name), ("a",), (values,)).draw(canvas)
        axes = canvas.axes[0]
        heights = sum(patch.get_data().values for patch in axes.patches)
        assert heights[0] == first and sorted(heights) == sorted(values)
        assert axes.get_title(loc="left") == f"a\n{count} of 3, 1 tied"


def test_figures_are_elements_of_their_own_that_say_what_they_show():
    def row(name, *numbers, ranked=True):
        return SimpleNamespace(name=name, ranked=ranked, metrics={"KL": MetricResult(*numbers, None, 2)})

    rows = [row("ref", 1.0, 0.9, 1.1), row("a $x_1^2$ <b>" * 4, 0.5, None, None), row("seer", 0, 0, 0, ranked=False)]
    found = SimpleNamespace(simulators=rows, reference="ref")
    figure = interval_plot(found, get("KL"))
    assert figure == interval_plot(found, get("KL")) and "seer" not in figure.words
    assert interval_plot(found, get("JS")) is None
    svg = str(figure.svg)
    assert svg.startswith('<svg class="plot" viewBox="') and 'role="img"' in svg and "&lt;b&gt;" in svg
    assert "<style" not in svg and "http" not in svg and "#222222" not in svg and "currentColor" in svg
    scores = pd.DataFrame(
        [(n, 1, u, u, v) for n, of in (("ref", (1, 1)), ("a", (2, 0))) for u, v in zip("xy", of, strict=True)],
        columns=["simulator", "seed", "session_id", "user", "KL"],
    )
    users = user_plot(
        SimpleNamespace(simulators=[row("ref", 1, 1, 1), row("a", 1, 1, 1)], reference="ref"), scores, get("KL")
    )
    assert "better than ref: a 1 of 2" in users.words
    other = plot("other", "c", "w", PerUser(get("KL"), ("a",), (np.array([1.0, -1.0]),)))
    assert 'id="other-' in other.svg and 'id="other-' not in users.svg


def test_an_svg_is_made_part_of_a_page():
    file = (
        '<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg xmlns:xlink="http://x" width="10pt" viewBox="0 0 10 5">\n'
        '<metadata>when</metadata><style type="text/css">*{a: b}</style><!-- a remark -->\n'
        '<path id="p1" style="fill: #222222"/><use xlink:href="#p1" clip-path="url(#p2)"/></svg>\n'
    )
    assert str(inline(file, "n", 'says "so"')) == (
        '<svg class="plot" viewBox="0 0 10 5" role="img" aria-label="says &#34;so&#34;">\n'
        '<path id="n-p1" style="fill: currentColor"/><use href="#n-p1" clip-path="url(#n-p2)"/></svg>\n'
    )


def test_a_simulator_of_a_file_is_named_by_its_file(finished, mini):
    import dataclasses

    from benchmark.report import reading

    run = reading.read(finished)
    trials = [
        dataclasses.replace(r, values={**r.values, "factory": "mine/top.py:Top"})
        if r.text("simulator") == "sharp"
        else r
        for r in run.trials
    ]
    made = reading.recipe(dataclasses.replace(run, trials=tuple(trials)))
    assert "- mine/top.py:Top\n- noisy\n" in made.config and "sharp.weight: 0.6" in made.config


def test_trials_that_the_results_were_not_made_from_are_left_out(copied):
    import json

    from benchmark.report import reading

    before = reading.read(copied)
    assert before.others == 0 and len(before.failed) > 0
    folder = before.trials[0].folder
    record = json.loads((folder / "trial.json").read_text())
    other = folder.with_name("f" * 24)
    other.mkdir()
    (other / "trial.json").write_text(json.dumps({**record, "settings": {"weight": 0.1}}))
    later = folder.with_name("e" * 24)
    later.mkdir()
    (later / "trial.json").write_text(json.dumps({**record, "finished": "9999"}))
    after = reading.read(copied)
    assert after.others == 2 and after.trials == before.trials


@pytest.mark.parametrize(("epochs", "ticks"), [([1], [1]), ([0, 1], [0, 1]), ([0, 1, 2, 3], [0, 1, 2, 3])])
def test_a_tick_of_a_training_curve_is_an_epoch(epochs, ticks):
    from matplotlib.figure import Figure

    loss = np.array([float("nan"), 3.0, 2.5, 2.25])[: len(epochs)] if epochs[0] == 0 else np.array([3.0])
    columns = {"epoch": np.array(epochs, dtype=float), "loss": loss, "valid_score": np.arange(len(epochs)) + 1.0}
    canvas = Figure(layout="constrained")
    Training.of([Curve("1", "0", 1, columns)]).draw(canvas)
    for axes in canvas.axes[:2]:
        low, high = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == ticks


def test_drawn_paths_are_compared_and_one_session_is_shown(finished, mini, monkeypatch):
    """The run of the fixture draws no paths, and its data holds no fixations: both are put in."""
    from benchmark.report import order, reading

    run = reading.read(finished)
    assert order.order(run, mini) == order.Order()
    names = [mini.session(i).session_id for i in range(3)]
    monkeypatch.setattr(order.paths, "of_run", lambda folder, found: {"toy": {name: [[0, 1], [2]] for name in names}})
    assert order.order(run, mini).rows == () == order.order(run, None).rows
    paths = {name: [0, 1] * (i + 1) for i, name in enumerate(names)}

    class Recorded:
        notice = "invented"

        def __len__(self):
            return len(mini)

        def session(self, index):
            found = mini.session(index)
            path = enumerate(paths.get(found.session_id, []))
            return dataclasses.replace(found, fixations=tuple(Fixation(s, 100.0 * i, 50.0) for i, s in path))

    shown = order.order(run, Recorded())
    people, toy, plain = shown.rows[:3]
    assert (people[0], people[1], toy[:3], plain[0]) == ("people", "4.000", ("toy", "1.500", "0.000"), "top to bottom")
    assert shown.session == names[1] and shown.picture.startswith("data:image/jpeg;base64,") and len(shown.plots) == 1
