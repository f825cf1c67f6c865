"""Personal prompts gain where users have habits, by their own prompt only, and nowhere else.

Users click and look at a slot of their own; a random backbone is enough to learn that. The same questions on simulated
populations with a pocket backbone are asked by ``tests/performance/does_it_work.py``, which is run here in small.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from baselines.simulators.prompted import Fixate, FixateSuffix, SharedPrompt
from tests.baselines.tuning.people import sessions
from tests.performance import does_it_work

USERS, EACH = 4, 6
TUNED = dict(
    bases=4, tokens=4, basis_lr=2e-2, user_lr=2e-1, epochs=25, patience=0, validation=0.0, batch_size=8, accumulation=1
)


def people(habits, seed):
    """Sessions of users who look and click where they always do, or all alike at any of these places."""
    found = sessions(users=USERS, each=EACH, seed=seed)
    if habits:
        return found
    rng = np.random.default_rng(seed + 1)
    others = [found[i] for i in rng.permutation(len(found))]
    return [
        dataclasses.replace(s, gaze_ms=o.gaze_ms, cursor_ms=o.cursor_ms, click=o.click)
        for s, o in zip(found, others, strict=True)
    ]


def scores(simulator, test, shown=None):
    """Mean LogLoss and KL."""
    found = simulator.simulate([session.stimulus() for session in shown or test])
    logloss = np.mean([-np.log(p.probabilities[s.click]) for s, p in zip(test, found, strict=True)])
    kl = np.mean(
        [np.sum(s.gaze * np.log((s.gaze + 1e-8) / (p.attention + 1e-8))) for s, p in zip(test, found, strict=True)]
    )
    return np.array([logloss, kl])


def fitted(cls, folder, train):
    simulator = cls(backbone=folder, **TUNED)
    simulator.fit(train, 1)
    return simulator


@pytest.fixture(scope="module")
def shared(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAZEBENCH_DEVICE", "cpu")
        return fitted(SharedPrompt, folder, people(True, 0))


@pytest.mark.slow
@pytest.mark.parametrize("cls", [Fixate, FixateSuffix])
def test_own_prompts_gain_and_anothers_lose(cls, folder, shared):
    test = people(True, 5)
    personal = fitted(cls, folder, people(True, 0))
    own, common = scores(personal, test), scores(shared, test)
    assert own[0] < common[0] - 0.5 and own[1] < common[1] - 0.05
    after = {f"u{i}": f"u{(i + 1) % USERS}" for i in range(USERS)}
    swapped = scores(personal, test, [dataclasses.replace(s, user=after[s.user]) for s in test])
    assert swapped[0] > common[0] and swapped[1] > own[1] + 0.05


@pytest.mark.slow
def test_users_permuted_in_training_gain_nothing(folder, shared):
    train, test = people(True, 0), people(True, 5)
    users = np.random.default_rng(2).permutation([s.user for s in train])
    permuted = fitted(Fixate, folder, [dataclasses.replace(s, user=str(u)) for s, u in zip(train, users, strict=True)])
    assert scores(permuted, test)[0] > scores(shared, test)[0] - 0.1


@pytest.mark.slow
def test_people_without_habits_give_personal_prompts_no_advantage(folder):
    train, test = people(False, 0), people(False, 5)
    assert scores(fitted(Fixate, folder, train), test)[0] > scores(fitted(SharedPrompt, folder, train), test)[0] - 0.1


ARGUMENTS = "--populations 1 --first 1 --seeds 1 --users 3 --sessions 2 --set epochs=1 --set validation=0".split()


@pytest.mark.slow
def test_the_experiment_runs_and_goes_on_from_what_is_there(tmp_path, capsys, monkeypatch):
    arguments = [*ARGUMENTS, "--skip-no-habits", "--out", str(tmp_path)]
    does_it_work.main(arguments)
    first = capsys.readouterr().out
    assert "pocket-qwen3vl, operator attnlrp-stable; 1 populations of 3 users" in first
    for title in ("1. The gain", "2. With another user's prompt", "3. Users permuted in training"):
        assert title in first
    kept = pd.read_parquet(tmp_path / "population-1-habits-1-seed-1.parquet")
    counts = kept.groupby("simulator")["session"].count()
    assert counts.nunique() == 1 and counts.iloc[0] > 3 and len(counts) == 7
    assert np.isfinite(kept[["KL", "LogLoss", "AUC"]]).all(axis=None)

    monkeypatch.setattr(does_it_work, "measure", None)
    does_it_work.main(arguments)
    assert capsys.readouterr().out == "".join(line for line in first.splitlines(True) if " s\n" not in line)
    with pytest.raises(SystemExit) as stopped:
        does_it_work.main([*arguments, "--set", "lambda_=2"])
    assert stopped.value.code == 2 and "results of other settings" in capsys.readouterr().err


def invented(gains):
    """User means of simulators that are better than the shared prompt by these amounts, on all three metrics."""
    rng = np.random.default_rng(0)
    rows = [
        {"population": 1, "user": f"u{u}", "simulator": name, "KL": 1 - gain, "LogLoss": 2 - gain, "AUC": 0.6 + gain}
        for name, gain in gains.items()
        for u in range(60)
    ]
    users = pd.DataFrame(rows)
    users[["KL", "LogLoss", "AUC"]] += rng.normal(0, 0.1, (len(users), 3))
    return users


def test_answers_follow_the_numbers(capsys):
    others = {"shared-prompt": 0.0, "backbone": -0.1, "user-prior": 0.1, "position-prior": -0.3}
    controls = {"fixate, swapped": -0.02, "fixate, permuted": -0.02}
    gain = invented({"fixate": 0.3, **others, **controls})
    no_gain = invented({"fixate": -0.02, **others, **controls})

    def answers(habits, none):
        does_it_work.report(habits, none)
        return [line.rsplit(": ")[-1] for line in capsys.readouterr().out.splitlines() if line.startswith("=> ")]

    assert answers(gain, no_gain) == ["yes"] * 4
    assert answers(no_gain, gain) == ["NO"] * 4
    left = invented({"fixate": 0.3, **others, "fixate, swapped": 0.15, "fixate, permuted": 0.15})
    assert answers(left, None) == ["yes", "NO", "NO"]
