from __future__ import annotations

import math

import numpy as np
import pytest

from benchmark import statistics
from benchmark.statistics.power import smallest_resolvable
from benchmark.statistics.variance import SeedScores, advice, decompose
from tasks.errors import InputError


def simulate(rng, counts, n_seeds, sd):
    """Scores (sessions, seeds) with known standard deviations of users, sessions, seeds and residual."""
    owner = np.repeat(np.arange(len(counts)), counts)
    n = len(owner)
    users, sessions = sd[0] * rng.normal(size=len(counts)), sd[1] * rng.normal(size=n)
    seeds = sd[2] * rng.normal(size=n_seeds)
    values = 1.0 + (users[owner] + sessions)[:, None] + seeds + sd[3] * rng.normal(size=(n, n_seeds))
    return values, [f"u{i:03d}" for i in owner]


def named(found):
    return {part.name: part for part in found.parts}


def test_balanced_data_by_the_textbook():
    """Sums of squares of the nested design with a crossed factor, written out; expected mean squares by hand."""
    rng = np.random.default_rng(3)
    users, per_user, seeds = 9, 4, 5
    values, owner = simulate(rng, [per_user] * users, seeds, (2.0, 1.0, 1.5, 0.5))
    y = values.reshape(users, per_user, seeds)
    grand = y.mean()
    squares = {"users": 0.0, "sessions": 0.0, "seeds": 0.0, "residual": 0.0}
    for u in range(users):
        squares["users"] += per_user * seeds * (y[u].mean() - grand) ** 2
        for s in range(per_user):
            squares["sessions"] += seeds * (y[u, s].mean() - y[u].mean()) ** 2
            for r in range(seeds):
                squares["residual"] += (y[u, s, r] - y[u, s].mean() - y[:, :, r].mean() + grand) ** 2
    for r in range(seeds):
        squares["seeds"] += users * per_user * (y[:, :, r].mean() - grand) ** 2
    ms = {
        "users": squares["users"] / (users - 1),
        "sessions": squares["sessions"] / (users * (per_user - 1)),
        "seeds": squares["seeds"] / (seeds - 1),
        "residual": squares["residual"] / ((users * per_user - 1) * (seeds - 1)),
    }
    expected = {
        "users": (ms["users"] - ms["sessions"]) / (per_user * seeds),
        "sessions": (ms["sessions"] - ms["residual"]) / seeds,
        "seeds": (ms["seeds"] - ms["residual"]) / (users * per_user),
        "residual": ms["residual"],
    }
    found = decompose(values, owner)
    assert {name: part.estimate for name, part in named(found).items()} == pytest.approx(expected, rel=1e-10)
    assert min(expected.values()) > 0 and found.notes == ()
    variance = expected["users"] / users + expected["sessions"] / (users * per_user) + expected["seeds"] / seeds
    variance += expected["residual"] / (users * per_user * seeds)
    assert found.standard_error() == pytest.approx(math.sqrt(variance), rel=1e-10)


@pytest.mark.parametrize("counts", [[3] * 12, [1, 1, 2, 2, 3, 5, 8, 1, 4, 2, 6, 1]], ids=["balanced", "unbalanced"])
def test_known_variances_are_found_within_monte_carlo_error(counts):
    rng = np.random.default_rng(11)
    sd = (1.0, 0.8, 0.6, 0.7)
    runs = [decompose(*simulate(rng, counts, 4, sd)) for _ in range(600)]
    estimates = np.array([[named(run)[n].estimate for n in ("users", "sessions", "seeds", "residual")] for run in runs])
    error = estimates.std(axis=0, ddof=1) / math.sqrt(len(runs))
    assert (np.abs(estimates.mean(axis=0) - np.square(sd)) < 4 * error).all()
    assert (error < 0.1).all()  # the test above is sharp enough to fail
    # The predicted variance of the mean is the one that the means show.
    true = np.var([run.mean for run in runs], ddof=1)
    predicted = np.mean([run.standard_error() ** 2 for run in runs])
    assert predicted == pytest.approx(true, rel=4 * math.sqrt(2 / len(runs)))


@pytest.mark.parametrize("several", [True, False], ids=["many sessions", "one session"])
def test_screens_are_split_off_and_more_of_them_help(several):
    rng = np.random.default_rng(12)
    n_users, per_user, n_screens = (24, 5, 10) if several else (60, 1, 8)
    sd = {"users": 0.5, "screens": 0.7, "sessions": 0.9, "seeds": 0.0, "residual": 0.4}
    owner = np.repeat(np.arange(n_users), per_user)
    runs = []
    for _ in range(400):
        screen = np.concatenate([rng.permutation(n_screens)[:per_user] for _ in range(n_users)])
        values = sd["users"] * rng.normal(size=n_users)[owner] + sd["screens"] * rng.normal(size=n_screens)[screen]
        values = values + sd["sessions"] * rng.normal(size=len(owner))
        values = values[:, None] + sd["residual"] * rng.normal(size=(len(owner), 3))
        runs.append(decompose(values, [f"u{i:03}" for i in owner], [f"s{i}" for i in screen]))
    true = {name: value**2 for name, value in sd.items() if several or name != "sessions"}
    if not several:
        true["users"] += sd["sessions"] ** 2
    for name, value in true.items():
        found = np.array([named(run)[name].estimate for run in runs])
        assert abs(found.mean() - value) < 4 * found.std() / math.sqrt(len(found)), name
    # The parts add up to what the tables print, and their expectation is the variance that the means show.
    assert all(run.standard_error() ** 2 - named(run)["seeds"].of_mean == pytest.approx(run.variance) for run in runs)
    assert np.mean([run.variance for run in runs]) == pytest.approx(np.var([run.mean for run in runs]), rel=0.25)
    one = max(runs, key=lambda run: run.shares["screens"])
    assert one.resolves(screens=2) < one.resolves(users=2) < one.resolves()
    assert "screens make" in advice(one) and "what helps most: twice the screens (" in advice(one)


@pytest.mark.slow
def test_more_of_something_is_what_a_run_with_more_of_it_shows():
    rng = np.random.default_rng(5)
    counts, sd = [2, 1, 3, 2, 4, 1, 2, 3] * 4, (0.6, 0.9, 0.5, 0.9)
    now = [decompose(*simulate(rng, counts, 3, sd)) for _ in range(400)]

    def spread(counts, seeds):
        return np.var([decompose(*simulate(rng, counts, seeds, sd)).mean for _ in range(1500)], ddof=1)

    tolerance = 4 * math.sqrt(2 / 1500) + 0.05
    for more, counts_then, seeds_then in (
        ({"seeds": 2}, counts, 6),
        ({"sessions": 2}, [2 * n for n in counts], 3),
        ({"users": 2}, counts * 2, 3),
    ):
        predicted = np.mean([run.standard_error(**more) ** 2 for run in now])
        assert predicted == pytest.approx(spread(counts_then, seeds_then), rel=tolerance), more


def test_it_says_what_the_tables_say(score_table):
    """The standard error over users, the seed SD and the resolved difference are those that are printed elsewhere."""
    rng = np.random.default_rng(2)
    counts = [1, 2, 3, 1, 2, 4, 2]
    first, users = simulate(rng, counts, 3, (0.3, 0.5, 0.2, 0.4))
    second = simulate(rng, counts, 1, (0.3, 0.5, 0.0, 0.4))[0]
    # A deterministic simulator has the rows of one seed.
    scores = score_table({"a": first.T, "b": second.T}, users)
    means = statistics.user_means(scores, "KL")
    found = SeedScores(scores, "KL").of_difference("a", "b")
    compared = statistics.paired_comparison(means["a"], means["b"])
    assert found.mean == pytest.approx(compared.mean_difference)
    assert found.resolves_with_these_seeds == pytest.approx(compared.smallest_difference)
    parts = named(found)
    over_users = sum(part.of_mean for name, part in parts.items() if name != "seeds")
    assert over_users == pytest.approx((means["a"] - means["b"]).var(ddof=1) / len(counts))
    own = SeedScores(scores, "KL").of_mean("a")
    seeds, rest = named(own)["seeds"], named(own)["residual"]
    n_eff = len(counts) ** 2 / sum(1 / n for n in counts)
    assert seeds.estimate + rest.estimate / n_eff == pytest.approx(statistics.seed_sd(scores, "KL")["a"] ** 2)
    assert found.resolves() == pytest.approx(smallest_resolvable(found.standard_error(), len(counts) - 1))


def test_what_depends_on_no_seed_has_no_part_of_seeds(score_table):
    rng = np.random.default_rng(4)
    values, users = simulate(rng, [3, 2, 3, 1, 2], 2, (1, 1, 0.5, 0.5))
    still = np.repeat(values[:, :1], 2, axis=1)
    scores = score_table({"moves": values.T, "still": values[:, 0], "same": still.T}, users)
    for name in ("still", "same"):
        found = SeedScores(scores, "KL").of_mean(name)
        assert set(named(found)) == {"users", "sessions"} and found.seeds_known
        assert found.standard_error(seeds=2) == found.standard_error()
        assert "the same under every seed" in found.notes and advice(found).startswith("seeds play no part")
    both = SeedScores(scores, "KL").of_difference("moves", "same")
    assert both.n_seeds == 2 and {"seeds", "residual"} <= set(named(both))
    # The order of a difference changes its sign and nothing else.
    turned = SeedScores(scores, "KL").of_difference("still", "moves")
    assert turned.mean == pytest.approx(-both.mean) and turned.standard_error() == pytest.approx(both.standard_error())


def test_one_seed_of_what_depends_on_it_is_not_known(score_table):
    values, users = simulate(np.random.default_rng(4), [3, 2, 3], 1, (1, 1, 0, 0.5))
    found = SeedScores(score_table({"a": values.T}, users), "KL").of_mean("a")
    assert not found.seeds_known and math.isnan(found.standard_error(seeds=2)) and found.standard_error() > 0
    assert "not known what seeds add" in advice(found)
    assert SeedScores(score_table({"a": values.T}, users), "KL", 5).of_mean("a").seeds_known


def test_one_session_per_user_is_said():
    values, users = simulate(np.random.default_rng(8), [1] * 30, 3, (1, 1, 0, 0.1))
    found = decompose(values, users)
    assert [part.shown for part in found.parts][0] == "users (with their session)"
    assert "sessions" not in named(found) and math.isnan(found.resolves(sessions=2))
    assert named(found)["users"].estimate == pytest.approx(
        values.mean(axis=1).var(ddof=1) - named(found)["residual"].estimate / 3
    )
    assert "cannot be separated" in found.notes[0]
    told = advice(found)
    assert (
        told.startswith("more seeds cannot help: users (with their session) make 100 %")
        and "what helps most: twice the users (" in told
    )


def test_negative_estimates_count_as_0_and_are_said():
    """Users all alike: sessions that cancel out within each user make the users' part negative."""
    values = np.array([[1.0], [3.0], [3.0], [1.0], [1.1], [3.0]])
    found = decompose(values, ["a", "a", "b", "b", "c", "c"], depends_on_seed=False)
    users = named(found)["users"]
    assert users.estimate < 0 and users.variance == 0 == users.of_mean
    assert [part.name for part in found.negative] == ["users"]
    # What is left still adds up to the observed spread between users.
    assert found.standard_error() ** 2 == pytest.approx(np.var([2.0, 2.0, 2.05], ddof=1) / 3)


def test_seeds_that_matter_are_named():
    values, users = simulate(np.random.default_rng(1), [2] * 40, 3, (0.05, 0.05, 1.0, 0.05))
    found = decompose(values, users)
    told = advice(found)
    assert told.startswith("seeds make 100 %") and "what helps most: twice the seeds (" in told and "users" not in told
    assert found.resolves() > 3 * found.resolves_with_these_seeds


def test_no_spread_and_faulty_input(score_table):
    still = decompose(np.ones((4, 2)), ["a", "a", "b", "c"])
    assert still.standard_error() == 0 and math.isnan(still.resolves()) and "no spread" in advice(still)
    assert all(math.isnan(share) for share in still.shares.values())
    with pytest.raises(InputError, match="two users"):
        decompose(np.ones((3, 2)), ["a", "a", "a"])
    with pytest.raises(ValueError, match="finite"):
        decompose([[math.nan], [1.0]], ["a", "b"])
    values, users = simulate(np.random.default_rng(4), [2, 2, 2], 2, (1, 1, 1, 1))
    scores = score_table({"a": values.T, "b": values.T + np.arange(6) * [[1.0], [2.0]]}, users)
    scores.loc[scores["simulator"] == "b", "seed"] += 5
    with pytest.raises(InputError, match="different seeds"):
        SeedScores(scores, "KL").of_difference("a", "b")
    with pytest.raises(InputError, match="unknown simulator with KL 'c'"):
        SeedScores(scores, "KL").of_mean("c")
