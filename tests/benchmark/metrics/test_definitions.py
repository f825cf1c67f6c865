"""The vectorised metrics against a slow, literal reading of PROTOCOL section 5 over scipy and plain loops."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cosine, jensenshannon
from scipy.stats import mannwhitneyu, rankdata

import benchmark.metrics.sessions
from benchmark.metrics import evaluate_sessions


def chances_of_top(values, k):
    """Chance of each slot to be among the k largest, from the best and the worst rank it can take."""
    descending = [-v for v in values]
    best, worst = rankdata(descending, method="min"), rankdata(descending, method="max")
    chances = []
    for b, w in zip(best, worst, strict=True):
        places_within_k = sum(1 for place in range(int(b), int(w) + 1) if place <= k)
        chances.append(places_within_k / (w - b + 1))
    return chances


def top_with_last_first(values, k):
    order = sorted(range(len(values)), key=lambda slot: (values[slot], slot))
    return set(order[-k:])


def literal(gaze, click, attention, probabilities, answer, ties):
    eps, slots = 1e-8, len(gaze)
    g = [x / math.fsum(gaze) for x in gaze]
    a = [x / math.fsum(attention) for x in attention]
    p = [x / math.fsum(probabilities) for x in probabilities]
    out = {
        "KL": math.fsum(gi * math.log((gi + eps) / (ai + eps)) for gi, ai in zip(g, a, strict=True)),
        "JS": jensenshannon(g, a) ** 2,
        "Cosine": 1 - cosine(a, g),
        "LogLoss": -math.log(max(p[click], eps)),
    }
    for k in (1, 3, 5):
        if ties == "last":
            top_a, top_g = top_with_last_first(attention, k), top_with_last_first(gaze, k)
            out[f"CSH@{k}"] = float(click in top_a)
            out[f"TGO@{k}"] = len(top_a & top_g) / min(k, slots)
        else:
            chance_a, chance_g = chances_of_top(attention, k), chances_of_top(gaze, k)
            out[f"CSH@{k}"] = chance_a[click]
            out[f"TGO@{k}"] = sum(x * y for x, y in zip(chance_a, chance_g, strict=True)) / min(k, slots)
    if answer is not None:
        out["Accuracy"] = float(answer == click)
    elif ties == "last":
        out["Accuracy"] = float(top_with_last_first(probabilities, 1) == {click})
    else:
        out["Accuracy"] = chances_of_top(probabilities, 1)[click]
    others = [x for slot, x in enumerate(probabilities) if slot != click]
    out["AUC"] = mannwhitneyu([probabilities[click]], others, method="asymptotic").statistic / (slots - 1)
    return out


def random_sessions(count, seed):
    """Sessions of 2 to 17 slots, half of them on a coarse grid so that ties and zeros are common."""
    random = np.random.default_rng(seed)
    sessions = []
    for i in range(count):
        slots = int(random.integers(2, 18))
        draw = (lambda k: random.integers(0, 4, k).astype(float)) if i % 2 else (lambda k: random.gamma(0.5, 1.0, k))
        gaze, attention, odds = draw(slots), draw(slots), draw(slots)
        for values in (gaze, attention, odds):
            values[random.integers(slots)] += 1.0
        answer = None if random.random() < 0.5 else int(random.integers(slots))
        sessions.append((gaze * 250, int(random.integers(slots)), attention, odds / odds.sum(), answer))
    return sessions


@pytest.mark.slow
@pytest.mark.parametrize("ties", ["expected", "last"])
def test_against_the_literal_definition(ties, monkeypatch):
    monkeypatch.setattr(benchmark.metrics.sessions, "BLOCK_NUMBERS", 64)  # many blocks, most of them ragged ends
    sessions = random_sessions(400, seed=7)
    table = evaluate_sessions(*zip(*sessions, strict=True), ties=ties)
    assert len(table) == len(sessions)
    for i, session in enumerate(sessions):
        for name, value in literal(*session, ties).items():
            # the literal cosine leaves out eps, which matters by eps / (|a||g|) <= 17 eps
            tolerance = 1e-6 if name == "Cosine" else 1e-10
            assert table.loc[i, name] == pytest.approx(value, abs=tolerance), (i, name, session)


def test_cosine_has_its_eps():
    table = evaluate_sessions([[3.0, 1.0]], [0], attention=[[1.0, 1.0]])
    g, a = np.array([0.75, 0.25]), np.array([0.5, 0.5])
    exact = a @ g / (np.linalg.norm(a) * np.linalg.norm(g) + 1e-8)
    assert table.loc[0, "Cosine"] == pytest.approx(exact, abs=1e-15)
    assert abs(exact - a @ g / (np.linalg.norm(a) * np.linalg.norm(g))) > 1e-9  # the check above can tell


def test_block_size_changes_nothing(monkeypatch):
    sessions = random_sessions(60, seed=11)
    whole = evaluate_sessions(*zip(*sessions, strict=True))
    monkeypatch.setattr(benchmark.metrics.sessions, "BLOCK_NUMBERS", 1)  # one session at a time
    alone = evaluate_sessions(*zip(*sessions, strict=True))
    np.testing.assert_allclose(whole.to_numpy(), alone.to_numpy(), rtol=0, atol=1e-12)
