"""Layouts of figures, the runs behind them, and the values they show."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from baselines import registry
from benchmark.output.rendering import render
from benchmark.reproduction.figures import figure_layouts, read_figure_layout
from benchmark.reproduction.figures.base import figure_document
from benchmark.reproduction.figures.heatmaps import Clicks, divergence, uninformative
from benchmark.reproduction.figures.ranks import _interval, chance_within, click_rank, signal_of
from benchmark.reproduction.groups import Choice, groups_of, run_groups, spelt
from benchmark.reproduction.section import layouts
from benchmark.simulator import Prediction
from benchmark.trials.catalogue import simulator_class
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import expand
from tasks.errors import InputError
from tests.benchmark.toys import ToyEntry, Toys

HEADS = """
task: mini
simulators: [{simulators}]
seeds: [1, 2]
reference: still
layout:
  part: toys
  title: Toys
"""

SENSITIVITY = (
    HEADS.format(simulators="still, moving")
    + """
  kind: sensitivity
  backbones: [qwen3-vl, other]
  operators: [glimpse]
  simulator: moving
  metrics: [KL, Accuracy]
  varied:
    steps: {label: steps S, values: [4, 1, 2], quick: [1]}
    weight: {label: weight, values: [0.9], quick: [0.1]}
"""
)

HEATMAPS = (
    HEADS.format(simulators="still, moving, likely, silent")
    + """
  kind: heatmaps
  backbones: [qwen3-vl]
  operators: [glimpse]
  columns: 2
  humans: People
  rows: {still: Still, likely: Likely, silent: Silent}
"""
)

RANKS = """
task: mini
layout: {part: toys, title: Toys, kind: ranks, item: film}
"""

EXAMPLES = (
    HEADS.format(simulators="still, moving")
    + """
  kind: examples
  backbones: [qwen3-vl]
  operators: [glimpse]
  rows: {still: Still, moving: Moving}
  quantiles: [1, 0.5, 0]
"""
)

TEXTS = {"sensitivity": SENSITIVITY, "heatmaps": HEATMAPS, "ranks": RANKS, "examples": EXAMPLES}


@dataclass
class Still:
    """Clicks and looks at the first slot."""

    backbone: str = ""
    operator: str = ""

    def notice(self):
        return f"{self.backbone} is a toy"

    def fit(self, train, seed):
        self.seed = seed

    def shares(self, s):
        return np.array([0.7, 0.1, 0.1, 0.1])

    def simulate(self, sessions):
        return [Prediction(s.session_id, a := self.shares(s), a, 0, "free") for s in sessions]

    def attend_to_label(self, sessions):
        return [Prediction(s.session_id, s.gaze, target="label") for s in sessions]


@dataclass
class Moving(Still):
    """Its attention depends on settings, seed and session."""

    steps: int = 2
    weight: float = 0.5

    def fit(self, train, seed):
        if self.steps == 4 and self.backbone == "other":
            raise ZeroDivisionError("too many steps")
        self.rng = np.random.default_rng(seed)

    def shares(self, s):
        return self.weight * self.rng.dirichlet(np.ones(4)) + (1 - self.weight) * np.array([0.4, 0.3, 0.2, 0.1])


@dataclass
class Likely(Still):
    """Gives no answer; two slots are equally likely."""

    def simulate(self, sessions):
        return [Prediction(s.session_id, None, np.array([0.1, 0.4, 0.4, 0.1])) for s in sessions]


@dataclass
class Silent(Still):
    """Says nothing but attention, for half of the sessions."""

    def simulate(self, sessions):
        found = [Prediction(s.session_id, np.ones(4), None, 3 if i % 2 else None) for i, s in enumerate(sessions)]
        return found


class Catalogue(Toys):
    entries = {
        name: ToyEntry(name, f"{__name__}:{name.capitalize()}", stochastic=name == "moving")
        for name in ("still", "moving", "likely", "silent")
    }

    def build(self, name, settings):
        return simulator_class(self.entry(name).factory)(**settings)


_DONE = {}
"""What the fixture below has made, for both modules that use it."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


def read(text, folder, name="toys"):
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return read_figure_layout(path)


def made(layout, mini, folder, **choice):
    chosen = Choice({"qwen3-vl": "pocket-qwen3vl", "other": "other"}, **choice)
    return run_groups(layout.groups(chosen), lambda name: mini, Catalogue(), TrialStore(folder / "trials"))


@pytest.fixture(scope="session")
def figures(mini, folder):
    """Return kind -> (layout, what was found, figures)."""
    for kind, text in TEXTS.items() if not _DONE else ():
        layout = read(text, folder, kind)
        ran = made(layout, mini, folder)
        _DONE[kind] = layout, list(ran.found), layout.build(ran.found, lambda name: mini, ran.missing)
    return _DONE


def test_the_shipped_layouts_are_read_in_the_order_of_the_papers_figures():
    found = figure_layouts()
    assert [layout.published for layout in found] == ["2a", "2b", "5", "6", "7", "", ""]
    assert [layout.part for layout in found] == [
        "perception",
        "perception",
        "sensitivity",
        "examples",
        "examples",
        "order",
        "order",
    ]
    names = [layout.name for layout in [*found, *layouts()]]
    assert len(set(names)) == len(names)  # tables and figures are written to one folder


def test_what_tables_and_figures_have_in_common_is_the_same_trials(mini):
    choice = Choice({"qwen3-vl": "pocket-qwen3vl"})

    def identities(groups):
        return {
            (t.simulator, t.seed): t.identity()
            for g in groups
            if g.operator == "attnlrp" and g.varied is None
            for t in expand(g.config, mini, registry)
        }

    main = identities(groups_of(next(t for t in layouts() if t.name == "main"), choice))
    assert {seed for name, seed in main if name == "fixate"} == {42, 123, 456, 789, 2024}
    for figure in figure_layouts():
        if figure.task == "recgaze" and figure.published:
            mine = identities(figure.groups(choice))
            assert {key: main[key] for key in mine if key in main} == {k: v for k, v in mine.items() if k in main}
            assert figure.KIND == "ranks" or set(mine) & set(main)


def test_the_default_is_a_point_of_every_curve_and_is_run_once(mini):
    figure = next(f for f in figure_layouts() if f.name == "sensitivity")
    for quick, backbones, moved in ((False, 2, 4 + 4 + 4 - 3), (True, 1, 3)):
        groups = figure.groups(Choice({"qwen3-vl": "pocket-qwen3vl", "internvl3.5": "pocket-internvl"}, quick=quick))
        trials = {t.identity() for g in groups for t in expand(g.config, mini, registry)}
        assert len(trials) == backbones * (1 + moved) * (2 if quick else 5)


def test_points_are_means_over_users_with_the_difference_from_the_default(figures):
    layout, found, _ = figures["sensitivity"]
    points = [p for p in layout.points(found) if p.backbone == "qwen3-vl"]
    steps = [p for p in points if (p.setting, p.metric) == ("steps", "KL")]
    assert [p.value for p in steps] == [1, 2, 4] and [p.default for p in steps] == [False, True, False]
    weights = [p for p in points if (p.setting, p.metric) == ("weight", "KL")]
    assert [p.value for p in weights] == [0.5, 0.9] and weights[0].trials == steps[1].trials
    by_value = {f.group.varied and f.group.varied.value: f.scores for f in found if f.group.backbone == "qwen3-vl"}
    tables = [by_value[v][by_value[v]["simulator"] == "moving"] for v in (None, 0.9)]
    default, far = (one.groupby("user")["KL"].mean() for one in tables)
    assert weights[1].mean == pytest.approx(far.mean())
    low, high = scipy.stats.ttest_rel(far, default).confidence_interval(0.95)
    point = weights[1]
    assert point.difference == pytest.approx(far.mean() - default.mean())
    # With three screens as a second random factor the interval is wider than over users alone.
    assert point.difference_low < low < point.difference < high < point.difference_high
    assert point.differs == (point.difference_low > 0 or point.difference_high < 0)
    # `steps` changes nothing in this toy: no difference, and no filled mark.
    assert steps[2].difference == 0 and not steps[2].differs
    assert steps[1].difference is None and not steps[1].differs


def test_a_point_that_failed_is_left_out_and_the_curve_remains(figures):
    layout, found, made_figures = figures["sensitivity"]
    steps = [p.value for p in layout.points(found) if (p.backbone, p.setting, p.metric) == ("other", "steps", "KL")]
    assert steps == [1, 2]  # `still`, which those groups hold too, was finished
    (figure,) = made_figures
    assert sum(line[0].startswith("other") for line in figure.summary) == 2 + 2


def test_the_curve_is_around_what_the_user_sets(mini, folder):
    layout = read(SENSITIVITY, folder)
    groups = layout.groups(Choice({"qwen3-vl": "pocket-qwen3vl"}, settings={"steps": 3, "moving.weight": 0.2}))
    (settings, *_), *rest = [
        [t.settings for t in expand(g.config, mini, Catalogue()) if t.simulator == "moving"] for g in groups
    ]
    assert (settings["steps"], settings["weight"]) == (3, 0.2)
    found = [(s[0]["steps"], s[0]["weight"]) for s in rest]
    assert found == [(4, 0.2), (1, 0.2), (2, 0.2), (3, 0.9)]


def test_a_users_setting_is_passed_over_where_no_simulator_has_it_and_wins_where_one_has(mini, folder):
    layout = read(HEATMAPS, folder)
    choice = Choice({"qwen3-vl": "pocket-qwen3vl"}, settings={"depth": 3, "weight": 0.3, "still.operator": "rollout"})
    by_name = {t.simulator: t.settings for t in expand(layout.groups(choice)[0].config, mini, Catalogue())}
    assert by_name["still"]["operator"] == "rollout" and by_name["moving"]["operator"] == "glimpse"
    assert by_name["moving"]["weight"] == 0.3


def test_maps_count_answers_and_else_the_likeliest_slots(figures, mini):
    _, found, (figure,) = figures["heatmaps"]
    people, still, likely, silent = figure.picture.clicks
    test = mini.sessions_at(mini.split("loo").folds[0][1])
    assert people.shares.tolist() == [sum(s.click == k for s in test) / 7 for k in range(4)]
    assert still.shares.tolist() == [1, 0, 0, 0] and likely.shares.tolist() == [0, 0.5, 0.5, 0]
    # Sessions without an answer and without probabilities are no clicks, and the caption counts them.
    assert silent.shares.tolist() == [0, 0, 0, 1] and (silent.answered, silent.asked) == (3, 7)
    assert "Silent: 4 of 7 without an answer." in figure.captions
    assert figure.identities["still"] == found[0].identities["still"]
    rows = list(csv.DictReader(io.StringIO(render(figure_document(figure), "csv"))))
    assert len(rows) == 16 and {(r["slot"], r["row"], r["column"]) for r in rows[-1:]} == {("3", "1", "1")}
    assert rows[4]["trials"] == found[0].identities["still"][0]


def test_clicks_do_not_depend_on_the_operator_and_the_caption_does_not_speak_of_it(mini, tmp_path):
    layout = read(HEATMAPS.replace("[glimpse]", "[attnlrp]"), tmp_path)
    (figure,) = layout.build(made(layout, mini, tmp_path).found, lambda name: mini)
    assert "NOTE: Stand-in: pocket-qwen3vl for qwen3-vl." in figure.captions
    assert figure.notice == "simulated data; stand-in backbone" and figure.title == "Toys: pocket-qwen3vl"


def test_maps_that_are_even_or_the_same_are_said_to_be():
    even, same, other = (
        Clicks(name, name.capitalize(), np.array(shares), 100, 100)
        for name, shares in (
            ("one", [0.251, 0.249, 0.25, 0.25]),
            ("two", [0.25, 0.25, 0.252, 0.248]),
            ("three", [0.7, 0.1, 0.1, 0.1]),
        )
    )
    said = "One and Two: not distinguishable from even clicks on all slots (JS 0.000, 0.000)"
    alike = "One and Two: the same to the percent in every slot."
    assert uninformative([even, same, other], 0.01, stand_in=False) == [f"{said}.", alike]
    assert uninformative([even, same], 0.01, stand_in=True)[0].startswith(f"{said}; on a stand-in")
    assert uninformative([other], 0.01, stand_in=True) == []


def test_the_interval_of_a_share_stays_within_its_range(mini, tmp_path):
    few = signal_of("fixation", mini.sessions_at(range(9)))
    wide = dataclasses.replace(few, by_user={"a": 1.0, "b": 1.0, "c": 0.5})
    assert _interval(wide) == "mean over users 83.3%, 95 % interval 14.9% to 99.3%"
    none = dataclasses.replace(few, by_user={"a": 0.0, "b": 1.0})
    assert _interval(none) == "mean over users 50.0%, 95 % interval 0.2% to 99.8%"


def test_a_figure_says_what_is_missing_of_it(figures):
    layout, found, made_figures = figures["sensitivity"]
    (said,) = [line for line in made_figures[0].captions if "Missing" in line]
    assert said == "NOTE: Missing: moving of other, glimpse, steps = 4 (2 of 2 trials failed)."


def test_points_name_what_ran_and_settings_as_the_user_knows_them(figures):
    _, _, (figure,) = figures["sensitivity"]
    assert figure.headers[:3] == ("backbone", "operator", "setting")
    assert {line[:2] for line in figure.summary} == {("pocket-qwen3vl", "glimpse"), ("other", "glimpse")}
    assert {(r["backbone"], r["used_backbone"]) for r in figure.records} == {
        ("qwen3-vl", "pocket-qwen3vl"),
        ("other", "other"),
    }
    moved = figure.settings["qwen3-vl, glimpse, moving, steps = 4"]
    assert moved == {"backbone": "pocket-qwen3vl", "operator": "glimpse", "steps": 4, "weight": 0.5}
    assert [spelt(name) for name in ("lambda_", "fixate.lambda_", "epochs")] == ["lambda", "fixate.lambda", "epochs"]


def test_two_samples_of_one_distribution_differ_by_about_what_the_caption_says():
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.full(15, 5.0))
    n = 200
    drawn = rng.multinomial(n, p, size=(400, 2)) / n
    assert np.mean([divergence(a, b) for a, b in drawn]) == pytest.approx((15 - 1) / (4 * n), rel=0.1)
    assert divergence(p, p) == 0 and np.isnan(divergence(np.zeros(15), p))


def test_a_map_needs_full_rows_of_slots(figures, mini):
    layout, found, _ = figures["heatmaps"]
    with pytest.raises(InputError, match="draws 3 slots a row, but the sessions of mini have 4 slots"):
        dataclasses.replace(layout, columns=3).build(found, lambda name: mini)


@pytest.mark.parametrize(
    ("dwell", "click", "mid", "shares"),
    [
        ([5, 9, 1, 0], 1, 1, [1, 0, 0, 0]),
        ([5, 9, 1, 0], 3, 4, [0, 0, 0, 1]),
        ([5, 5, 9, 0], 0, 2.5, [0, 0.5, 0.5, 0]),
        ([0, 0, 0, 0], 2, 2.5, [0.25, 0.25, 0.25, 0.25]),
        ([7, 0, 0, 0], 1, 3, [0, 1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_rank_of_the_click_by_hand(dwell, click, mid, shares):
    rank = click_rank(np.array(dwell, dtype=float), click)
    assert rank.mid == mid and rank.shares(4) == pytest.approx(shares)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=20), st.data())
def test_the_mean_of_the_spread_out_rank_is_the_mid_rank(dwell, data):
    click = data.draw(st.integers(0, len(dwell) - 1))
    rank = click_rank(np.array(dwell, dtype=float), click)
    shares = rank.shares(len(dwell))
    assert shares.sum() == pytest.approx(1) and shares @ np.arange(1, len(dwell) + 1) == pytest.approx(rank.mid)
    assert rank.mid == scipy.stats.rankdata(-np.array(dwell))[click]


def test_ranks_of_all_sessions_by_both_signals(figures, mini):
    _, found, (figure,) = figures["ranks"]
    assert found == [] and figure.identities == {} and figure.digests == {"mini": mini.digests["loo"]}
    # In the small task people click what they looked at longest, and no cursor was recorded.
    fixation, cursor = figure.picture.signals
    assert fixation.within(1) == 1 and cursor.within(2) == pytest.approx(0.5) and cursor.absent == 21
    assert "No cursor on any film: 21 sessions, all ranks tied." in figure.captions
    assert [line[0] for line in figure.summary] == ["fixation", "cursor"] and figure.summary[1][3] == "2.50"
    record = json.loads(render(figure_document(figure), "json"))
    assert len(record["data"]) == 21 and record["data"][0]["cursor_rank"] == 2.5
    assert record["data"][0]["cursor_tied"] == 4


def test_share_in_the_top_two_over_sessions_and_over_users(mini):
    first, second, other = mini.session(0), mini.session(1), mini.session(3)
    dwell = np.array([3.0, 2.0, 1.0, 0.0])
    sessions = [dataclasses.replace(s, gaze_ms=dwell, click=c) for s, c in ((first, 0), (second, 2), (other, 1))]
    found = signal_of("fixation", sessions)
    assert found.within(2) == pytest.approx(2 / 3) and dict(found.by_user) == {"u0": 0.5, "u1": 1.0}
    assert chance_within(sessions, 2) == 0.5 and chance_within(sessions, 9) == 1


def test_the_test_part_alone_may_be_shown(figures, mini):
    layout, _, _ = figures["ranks"]
    (figure,) = dataclasses.replace(layout, sessions="test").build([], lambda name: mini)
    assert len(figure.records) == 7 and "mini 1, test sessions of split loo: 7 sessions" in figure.captions[1]


def sessions_of(figure) -> list[str]:
    return list(dict.fromkeys(record["session_id"] for record in figure.records))


def test_examples_are_chosen_by_the_gain_of_the_first_seed(figures, mini):
    _, (found,), (figure,) = figures["examples"]
    first = found.scores[found.scores["seed"] == 1].pivot(index="session_id", columns="simulator", values="KL")
    gain = (first["still"] - first["moving"]).sort_values()
    shown = sessions_of(figure)
    assert shown == [gain.index[6], gain.index[3], gain.index[0]]
    assert [line[1] for line in figure.summary] == ["1", "0.5", "0"]
    row = figure.picture.rows[0]
    frozen, people, tuned = row.views
    kl = {record["source"]: record["kl"] for record in figure.records if record["session_id"] == shown[0]}
    assert kl == {"still": first["still"][shown[0]], "human gaze": None, "moving": first["moving"][shown[0]]}
    assert people.shares == pytest.approx(mini.find(shown[0]).gaze)
    assert frozen.shares.tolist() == pytest.approx([0.7, 0.1, 0.1, 0.1])


def test_attention_for_the_true_click_is_not_shown(mini, folder):
    layout = read(EXAMPLES, folder)
    found = made(layout, mini, folder, label=True).found
    assert "still [label]" in found[0].identities
    (figure,) = layout.build(found, lambda name: mini)
    assert all(row.views[0].shares == pytest.approx([0.7, 0.1, 0.1, 0.1]) for row in figure.picture.rows)


def test_examples_may_be_named(figures, mini):
    layout, found, _ = figures["examples"]
    tested = sorted(found[0].scores["session_id"].unique())
    (figure,) = dataclasses.replace(layout, sessions=(tested[4],), quantiles=()).build(found, lambda name: mini)
    assert sessions_of(figure) == [tested[4]]
    assert any("named in the layout" in line for line in figure.captions)
    with pytest.raises(InputError, match="unknown test session .* 'u0-9'"):
        dataclasses.replace(layout, sessions=("u0-9",), quantiles=()).build(found, lambda name: mini)


def test_examples_need_screens(figures, mini):
    layout, found, _ = figures["examples"]

    class Bare:
        name, version = "mini", "1"

        def find(self, session_id):
            return dataclasses.replace(mini.find(session_id), image=None)

    with pytest.raises(InputError, match="prepared without images"):
        layout.build(found, lambda name: Bare())


@pytest.mark.parametrize("kind", ["sensitivity", "heatmaps", "examples"])
def test_nothing_is_drawn_of_nothing(kind, figures, mini):
    assert figures[kind][0].build([], lambda name: mini) == []


@pytest.mark.parametrize(
    ("kind", "old", "new", "message"),
    [
        ("ranks", "layout:", "lay_out:", "unknown key in"),
        ("ranks", "task: mini", "split: loo", "must name a task"),
        ("ranks", "kind: ranks", "kind: rank", "Did you mean 'ranks'"),
        ("ranks", "item: film", "items: film", "'layout' lacks 'item' .is 'items' meant"),
        ("ranks", ", item: film", "", "'layout' lacks 'item'"),
        (
            "ranks",
            "item: film",
            "item: film, sessions: tests",
            "must be one of all, test, not 'tests'",
        ),
        ("heatmaps", "columns: 2", "columns: two", "'layout.columns' must be a whole number, not 'two'"),
        ("heatmaps", "silent: Silent", "silence: Silent", "unknown simulator in 'layout' .*: 'silence'"),
        ("heatmaps", "backbones: [qwen3-vl]", "backbones: []", "lacks backbones or operators"),
        ("sensitivity", "metrics: [KL, Accuracy]", "metrics: [KL, Acuracy]", "Did you mean 'Accuracy'"),
        ("sensitivity", "simulator: moving", "simulator: moved", "Did you mean 'moving'"),
        ("sensitivity", "values: [0.9]", "values: 0.1", "'layout.varied.weight.values' must be a list, not 0.1"),
        ("sensitivity", "label: weight, ", "lable: weight, ", "'layout.varied.weight' lacks 'label' .is 'lable' meant"),
        ("examples", "quantiles: [1, 0.5, 0]", "quantiles: [2]", "'layout.quantiles.0.' must be a number <= 1"),
        ("examples", "  quantiles: [1, 0.5, 0]\n", "", "either quantiles or sessions"),
        (
            "examples",
            "rows: {still: Still, moving: Moving}",
            "rows: {still: Still}",
            "of length >= 2",
        ),
    ],
)
def test_a_faulty_layout_is_one_line(kind, old, new, message, tmp_path):
    assert old in TEXTS[kind]
    with pytest.raises(InputError, match=message) as caught:
        read(TEXTS[kind].replace(old, new), tmp_path)
    assert "\n" not in str(caught.value)
