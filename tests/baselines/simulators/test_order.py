import csv
import dataclasses
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from baselines import registry
from baselines.simulators.order import network
from baselines.simulators.order.paths import recorded
from baselines.simulators.order.steps import StepMarkov
from baselines.simulators.order.transformer import SlotTransformer
from benchmark.simulator import Workspace
from benchmark.trials.catalogue import settings_in
from tasks import registry as registry_of_tasks
from tasks.definition import ReadOptions, quiet
from tasks.errors import InputError
from tasks.splits import whole_k_fold
from tasks.types import Fixation, Session, Slot, visits

_DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
KRAJBICH, REPLAY = _DATA / "krajbich2011" / "data.csv", _DATA / "adserp" / "replay"
CHEAP = (
    *("uniform", "visit-frequency", "reading-order", "step-markov", "personal-step-markov"),
    *("examination-logit", "attention-walk", "other-paths"),
)


def session(path, slots=5, user="u", screen="s", name="x"):
    """A session whose slots are looked at in this order, 100 ms each."""
    items = tuple(
        Slot(str(i), "ad" if i == 0 else "film", f"word{i}", (0, 10 * i, 9, 10 * i + 9)) for i in range(slots)
    )
    gaze = 100.0 * np.bincount(path, minlength=slots)
    fixations = tuple(Fixation(slot, 200.0 * i, 100.0) for i, slot in enumerate(path))
    return Session(name, user, screen, None, "", items, gaze, gaze, path[-1], fixations=fixations)


def people(rng, users=4, each=3):
    """Users who go on by one or, those of odd number, by two."""
    found = []
    for user in range(users):
        for number in range(each):
            step = 1 + user % 2
            path = [int(rng.integers(2))]
            while len(path) < 9:
                ways = [
                    s for s in (path[-1] + step, path[-1] - 1, int(rng.integers(6))) if 0 <= s < 6 and s != path[-1]
                ]
                path.append(ways[0])
            found.append(session(path, 6, f"u{user}", f"s{number}", f"{user}-{number}"))
    return found


def fitted(name, train, **settings):
    simulator = registry.build(name, settings)
    simulator.fit(train, 1)
    return simulator


@pytest.mark.parametrize("name", CHEAP)
def test_rows_are_distributions_that_leave_the_current_slot_out(name):
    train = people(np.random.default_rng(1))
    simulator = fitted(name, train)
    for shown in (train[0], session([1, 8, 2], 10, "newcomer", "new", "n"), session([1, 0, 1], 2, "u0", "s0", "two")):
        path = visits(shown)
        for k in range(len(path) + 1):
            row = simulator.follow(shown.stimulus(), path[:k])
            assert row.shape == (len(shown.slots) + 1,) and row.min() >= 0 and row.sum() == pytest.approx(1)
            assert k == 0 or row[path[k - 1].slot] == 0
            assert name == "uniform" or (row[-1] > 0) == (k > 0), "a path has a visit at least"


def test_the_share_of_a_step_is_what_was_counted_drawn_to_the_general_by_its_weight():
    simulator = fitted("step-markov", [session([0, 1, 2, 1, 3]), session([1, 2], 4)], slot_weight=3.0, smoothing=0.5)
    row = simulator.follow(session([1], 4).stimulus(), visits(session([1], 4)))
    # All steps: +1 three times, -1 once, +2 once. From slot 1: +1 twice, +2 once.
    general = {step: (n + 0.5) / 5.5 for step, n in {-1: 1, 1: 3, 2: 1}.items()}
    share = {step: (n + 3 * general[step]) / 6 for step, n in {-1: 0, 1: 2, 2: 1}.items()}
    expected = np.array([share[-1], 0, share[1], share[2]])
    np.testing.assert_allclose(row[:4] / row[:4].sum(), expected / expected.sum())


def test_the_start_is_that_of_the_sessions_that_have_the_position():
    simulator = fitted("step-markov", [session([0, 1], 2), session([0, 1], 2), session([2, 1], 4)])
    chance = (1 / 2 + 1 / 2 + 1 / 4) / 3
    expected = np.array([2 + chance, 0 + chance, (1 + chance) * 2, chance * 2]) / 4  # three, three, one and one session
    np.testing.assert_allclose(simulator.follow(session([0], 4).stimulus(), ())[:4], expected / expected.sum())


def test_a_personal_model_knows_its_user_and_a_newcomer_gets_the_shared_one():
    train = people(np.random.default_rng(2))
    shared, personal = fitted("step-markov", train), fitted("personal-step-markov", train)
    shown = session([0], 6, "u1")
    path = visits(shown)
    own = personal.follow(shown.stimulus(), path)
    assert (
        own[2] > shared.follow(shown.stimulus(), path)[2] > personal.follow(session([0], 6, "u0").stimulus(), path)[2]
    )
    new = session([0], 6, "newcomer").stimulus()
    np.testing.assert_allclose(personal.follow(new, path), shared.follow(new, path))


def test_other_paths_are_those_of_others_on_the_screen():
    train = [session([0, 4, 0, 4], user="a", screen="x"), session([0, 1, 0, 1], user="b", screen="x")]
    train += [session([0, 2, 0, 2], user="c", screen="y")]
    simulator = fitted("other-paths", train, weight=0.1)
    shown = session([0], user="a", screen="x")
    assert simulator.follow(shown.stimulus(), visits(shown))[:5].argmax() == 1
    assert simulator.follow(dataclasses.replace(shown.stimulus(), user="b"), visits(shown))[:5].argmax() == 4
    assert simulator.follow(dataclasses.replace(shown.stimulus(), screen="y"), visits(shown))[:5].argmax() == 2


def test_reading_goes_on_as_often_as_people_do():
    simulator = fitted("reading-order", [session([0, 1, 2, 0, 1, 4])])  # three of five go on
    row = simulator.follow(session([1]).stimulus(), visits(session([1])))[:5]
    np.testing.assert_allclose(row / row.sum(), [1 / 7, 0, 4 / 7, 1 / 7, 1 / 7])


def test_the_end_comes_when_it_came_in_training():
    path = recorded([session([0, 1, 2, 3])])[0]
    simulator = fitted("step-markov", [path.session] * 32)
    stops = [simulator.follow(path.session.stimulus(), path.visits[:k])[-1] for k in range(1, 5)]
    assert stops[3] > 0.6 > 0.3 > max(stops[:3])
    assert sum(stops) == pytest.approx(1, abs=1e-3), "as many ends are expected as there were"


def test_a_walk_stands_on_a_simulator_with_attention_which_is_part_of_its_identity():
    simulator = registry.build("attention-walk", {"of": "position-prior"})
    other = registry.build("attention-walk", {"of": "position-prior", "settings": {"smoothing": 2}})
    assert 'smoothing": 1.0' in simulator.material()["walks on"] != other.material()["walks on"]
    assert {"gaze_ms", "click", "fixations"} == set(simulator.reads)
    entry, layers = registry.entry("attention-walk"), ({"smoothing": 3}, {"attention-walk.of": "user-prior"})
    assert settings_in(registry, entry, *layers) == {"of": "user-prior", "settings": {"smoothing": 3}}
    for wrong in ("gaze-oracle", "attention-walk"):
        with pytest.raises(InputError, match="a simulator with attention that is ranked"):
            registry.build("attention-walk", {"of": wrong})
    with pytest.raises(InputError, match="conditional-logit gives no attention"):
        fitted("attention-walk", people(np.random.default_rng(3)), of="conditional-logit")


def test_a_path_is_needed_to_learn_one():
    old = dataclasses.replace(session([0, 1]), fixations=())
    for name in ("step-markov", "slot-transformer"):
        with pytest.raises(InputError, match="no training session holds its fixations in order"):
            fitted(name, [old])
        with pytest.raises(InputError, match="no training session to fit on"):
            fitted(name, [])
    for name, wrong in (
        ("step-markov", {"memory": 3}),
        ("slot-transformer", {"width": 62}),
        ("examination-logit", {"l2": 0}),
    ):
        with pytest.raises(InputError, match="the setting"):
            registry.build(name, wrong)
    with pytest.raises(InputError, match="parameters, more than 300000; lower width or layers"):
        fitted("slot-transformer", [session([0, 1])], width=256)


class Stopped(Exception):
    pass


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    train = people(np.random.default_rng(4))
    small = {"width": 8, "layers": 1, "heads": 2, "passes": 3}

    def stop(epoch, values):
        if epoch == 2:
            raise Stopped

    def attached(measured):
        simulator = SlotTransformer(**small)
        simulator.attach(Workspace(tmp_path, tmp_path, lambda line: None, quiet, measured))
        return simulator

    with pytest.raises(Stopped):
        attached(stop).fit(train, 1)
    done = []
    resumed = attached(lambda epoch, values: done.append(epoch))
    resumed.fit(train, 1)
    assert done == [3]
    shown, path = train[0].stimulus(), visits(train[0])
    straight = fitted("slot-transformer", train, **small)
    np.testing.assert_array_equal(resumed.follow(shown, path[:4]), straight.follow(shown, path[:4]))
    assert not np.array_equal(
        straight.follow(shown, path[:4]),
        fitted("slot-transformer", people(np.random.default_rng(5)), **small).follow(shown, path[:4]),
    )
    (tmp_path / "slot-transformer.pt").write_bytes(b"x")
    with pytest.raises(InputError, match="is damaged; delete it"):
        attached(lambda epoch, values: None).fit(train, 1)


def test_a_row_of_the_network_does_not_depend_on_later_visits_or_on_padding():
    train = people(np.random.default_rng(6))
    simulator = fitted("slot-transformer", train, width=8, layers=1, heads=2, passes=1)
    path = visits(train[0])
    long = network.example(network.screen(train[0].slots, simulator._kinds), path)
    wide = network.example(network.screen(session([0, 7], 8).slots, simulator._kinds), visits(session([0, 7], 8)))
    share, odds = simulator._network(network.batch([long, wide]))
    for k in range(1, len(path) + 1):
        row = simulator.follow(train[0].stimulus(), path[:k])
        np.testing.assert_allclose(row[:6] / (1 - row[6]), share[0, k, :6].exp().detach().numpy(), atol=1e-9)
        assert row[6] == pytest.approx(float(odds[0, k].detach().sigmoid()))


def test_two_steps_of_memory_on_choices_among_three_snacks():
    """Krajbich and Rangel 2011: mean over users, left out in thirds; second order where two visits came before."""
    if not KRAJBICH.is_file():
        pytest.skip("needs data/krajbich2011/data.csv next to the project")
    looks = defaultdict(list)
    with KRAJBICH.open(newline="") as file:
        for row in csv.DictReader(file):
            place = [row[name] for name in ("leftroi", "middleroi", "rightroi")].index("1")
            looks[row["subject"], row["trial"]].append((int(row["fix_num"]), place))
    sessions = [
        session([p for _, p in sorted(path)], 3, user, name=f"{user}-{trial}") for (user, trial), path in looks.items()
    ]
    bits: dict[int, dict[str, list[float]]] = {1: defaultdict(list), 2: defaultdict(list)}
    for part in range(3):
        mine = [int(s.user) % 3 == part for s in sessions]
        test = recorded([s for s, one in zip(sessions, mine, strict=True) if one])
        train = recorded([s for s, one in zip(sessions, mine, strict=True) if not one])
        for memory, found in bits.items():
            simulator = StepMarkov(memory=memory)
            simulator.learn(train)
            for path in test:
                for before, to in path.moves():
                    if len(before) >= memory:
                        weights = np.delete(simulator.weights(path.session.stimulus(), before), before[-1].slot)
                        chosen = weights[to - (to > before[-1].slot)]
                        found[path.session.user].append(-np.log2(chosen / weights.sum()))
    first, second = (np.mean([np.mean(of) for of in found.values()]) for found in bits.values())
    assert len(sessions) == 2966 and len(Counter(s.user for s in sessions)) == 30
    assert first == pytest.approx(0.987, abs=0.005) and second == pytest.approx(0.845, abs=0.01)


@pytest.mark.slow
def test_bits_on_recorded_result_pages_are_those_of_the_protocol():
    """PROTOCOL section 10: 93 paths of two visits or more, mean over users, no user in training and test."""
    if not REPLAY.is_dir():
        pytest.skip("needs data/adserp/replay next to the project")
    task = registry_of_tasks.definition("adserp-page")
    sessions = task.read(REPLAY, ReadOptions("replay", images=False), quiet).sessions
    folds = np.array(whole_k_fold([session.user for session in sessions]))
    expected = {"uniform": 3.67, "visit-frequency": 3.23, "reading-order": 2.91, "step-markov": 2.43}
    for name, bits in {**expected, "examination-logit": 2.18}.items():
        found = defaultdict(list)
        for fold in range(5):
            simulator = fitted(name, [s for s, of in zip(sessions, folds, strict=True) if of != fold])
            for tested in (s for s, of in zip(sessions, folds, strict=True) if of == fold):
                path, each = visits(tested), []
                for k, visit in enumerate(path):
                    row = simulator.follow(tested.stimulus(), path[:k])[:-1]
                    each.append(-np.log2(row[visit.slot] / row.sum()))  # the current slot has nothing
                if len(path) > 1:
                    found[tested.user].append(np.mean(each))
        assert sum(map(len, found.values())) == 93
        assert np.mean([np.mean(of) for of in found.values()]) == pytest.approx(bits, abs=0.05), name
