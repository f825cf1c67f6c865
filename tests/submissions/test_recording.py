"""What the recording tells is found in predictions; what can be known without it is not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.parts import PARTS
from benchmark.parts.ragged import ragged
from benchmark.scores.checking import Checked
from submissions.checks.recording import Recording, scale
from submissions.checks.slots import Given, Slots
from tasks.types import Fixation, Session, Slot

K = 8


def people(random, users=30, each=4):
    """Sessions whose looks are drawn from an intention, which is returned too, and whose click from the gaze."""
    habits = random.dirichlet(np.full(K, 3.0), users)
    sessions, intentions = [], []
    for number in range(users * each):
        intention = 0.5 * habits[number % users] + 0.5 * random.dirichlet(np.full(K, 1.0))
        seen = random.choice(K, 14, p=intention)
        looks = tuple(Fixation(int(k), 300.0 * i, float(random.lognormal(5.3, 0.4))) for i, k in enumerate(seen))
        gaze = np.bincount(seen, [look.duration_ms for look in looks], minlength=K)
        click = int(random.choice(K, p=gaze / gaze.sum()))
        slots = tuple(Slot("ABCDEFGH"[k], "film", "", (20.0 * k, 0.0, 20.0 * k + 18, 30.0)) for k in range(K))
        sessions.append(
            Session(f"s{number}", f"u{number % users}", str(number % 5), None, "", slots, gaze, gaze, click, (), looks)
        )
        intentions.append(intention)
    return sessions, intentions


@pytest.fixture(scope="module")
def recorded():
    sessions, intentions = people(np.random.default_rng(5))
    return sessions, intentions, Recording(sessions, np.arange(len(sessions)))


def most(recording, **parts):
    """The largest number of any clue."""
    rows = len(next(iter(parts.values())))
    cells = {part.name: ragged(parts.get(part.name, [None] * rows)) for part in PARTS}
    file = Checked(np.arange(rows), {name: cell.present for name, cell in cells.items()}, cells)
    return max(clue.number for clue in recording.clues([file]))


def normed(values):
    values = np.maximum(values, 1e-4)
    return values / values.sum()


def test_who_knows_a_user_is_no_suspect_and_who_knows_a_session_never_refused(recorded):
    sessions, intentions, recording = recorded
    for power in (0.5, 1, 3):
        said = [normed(row**power) for row in intentions]
        assert most(recording, attention=said, probabilities=said) < 2
        users = [normed(np.mean(intentions[i % 30 :: 30], axis=0) ** power) for i in range(len(sessions))]
        assert most(recording, attention=users, probabilities=users) < 1


def test_noise_and_the_position_alone_are_no_suspects(recorded):
    sessions, _, recording = recorded
    mean = np.mean([s.gaze for s in sessions], axis=0)
    assert most(recording, attention=[mean] * len(sessions)) < 0.1
    random = np.random.default_rng(2)
    assert most(recording, attention=[random.dirichlet(np.ones(K)) for _ in sessions]) < 1


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1])
def test_blurred_gaze_is_found(recorded, noise):
    sessions, _, recording = recorded
    random = np.random.default_rng(3)
    assert most(recording, attention=[normed(s.gaze + random.normal(0, noise, K)) for s in sessions]) >= 2


def test_clicks_are_found_in_attention_probabilities_and_answers(recorded):
    sessions, intentions, recording = recorded
    clicks = [np.eye(K)[s.click] for s in sessions]
    hinted = [0.9 * row + 0.1 * click for row, click in zip(intentions, clicks, strict=True)]
    assert most(recording, attention=hinted) >= 1
    assert most(recording, probabilities=[0.5 * a + 0.5 * b for a, b in zip(intentions, clicks, strict=True)]) >= 2
    assert most(recording, answer=[np.array([float(s.click)]) for s in sessions]) >= 2


def test_the_mean_over_seeds_is_looked_at(recorded):
    sessions, _, recording = recorded
    random = np.random.default_rng(4)
    seeds = []
    for _ in range(6):
        cells = {part.name: ragged([None] * len(sessions)) for part in PARTS}
        cells["attention"] = ragged(normed(s.gaze + random.normal(0, 0.6, K)) for s in sessions)
        seeds.append(Checked(np.arange(len(sessions)), {n: cell.present for n, cell in cells.items()}, cells))
    one, six = (max(clue.number for clue in recording.clues(seeds[:n])) for n in (1, 6))
    assert six > one


def test_public_rates_know_nothing_of_their_own_session(recorded):
    """Changing one session's recording leaves what is public of it as it is."""
    sessions, _, recording = recorded
    other = people(np.random.default_rng(6))[0][7]
    s = sessions[7]
    changed = Session(s.session_id, s.user, s.screen, None, "", s.slots, other.gaze_ms, s.cursor_ms, s.click)
    again = Recording([*sessions[:7], changed, *sessions[8:]], np.arange(len(sessions)))
    mine = slice(7 * K, 8 * K)
    np.testing.assert_array_equal(recording.public[mine, :6], again.public[mine, :6])
    assert (recording.public[:, :6] != again.public[:, :6]).any()


def test_correlations_of_rests_are_those_of_regressions():
    random = np.random.default_rng(7)
    counts = random.integers(2, 6, 40)
    slots = Slots(counts, np.arange(40) % 10)
    rows = counts.sum()
    known, one, other = random.normal(size=(rows, 2)), random.normal(size=rows), random.normal(size=rows)
    one += other
    sets = np.repeat(np.arange(40), counts)
    place = np.concatenate([np.arange(k) for k in counts])
    often = [k for k in range(5) if (place == k).sum() >= 10]
    design = np.column_stack([np.eye(40)[sets], known, *(1.0 * (place == k) for k in often)])
    rests = [x - design @ np.linalg.lstsq(design, x, rcond=None)[0] for x in (one, other)]
    r, e = Given(slots, known, {"": other}).correlation(one)
    assert r == pytest.approx(np.corrcoef(*rests)[0, 1], abs=1e-9) and 0.02 < e < 0.3
    shares = np.split(slots.shares(one**2), slots.starts[1:])
    ranks = [[((x < v).sum() + ((x == v).sum() + 1) / 2) / len(x) for v in x] for x in shares]
    np.testing.assert_allclose(slots.ranks(np.concatenate(shares)), np.concatenate(ranks))


def test_the_scale_begins_at_suspicion_and_ends_at_certainty():
    assert [round(scale(x, (0.2, 0.4)), 9) for x in (-0.2, 0.1, 0.2, 0.3, 0.4, 0.5)] == [-1, 0.5, 1, 1.5, 2, 2.5]
