"""How many cheating submissions the checks of recordings find, and how many honest ones they mark (docs/trust.md).

python tests/performance/cheats.py --replay ../shared/data/adserp/replay --snacks ../shared/data/krajbich2011

Honest: priors of many settings on bootstraps, models of boxes and ratings at several sharpnesses, models that name one
answer, random ones and, on the RecGaze sample, perfect knowledge: the sample's own simulator, run many times for each
session. Cheats: gaze and clicks of the test sessions, mixed, blurred and hidden in many ways. A cheat would be first if
its KL or LogLoss is below that of every honest one but perfect knowledge.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmark.parts import PARTS  # noqa: E402
from benchmark.parts.ragged import ragged  # noqa: E402
from benchmark.scores.checking import Checked  # noqa: E402
from benchmark.statistics.choice import fit_weights  # noqa: E402
from submissions.checks import foresight  # noqa: E402
from submissions.checks.recording import Recording, described  # noqa: E402
from submissions.checks.slots import Slots, codes  # noqa: E402
from tasks.registry import load  # noqa: E402
from tasks.types import visits  # noqa: E402

DRAWS = 150


def normed(values, floor=1e-4):
    values = np.maximum(values, floor)
    return values / values.sum()


def logit(slots, features, chosen):
    """The log chances of a conditional logit, of each user as fitted to the others."""
    scaled, utility = slots.centred(features) / (features.std(axis=0) + 1e-9), np.zeros(len(chosen))
    for own in (slots.users % 5 == fold for fold in range(5)):
        if own.any() and not own.all():
            rows, counts = slots.rows(~own), slots.counts[~own]
            weights = fit_weights(scaled[rows], np.cumsum(counts) - counts, chosen[rows], 3.0)
            utility[~rows] = scaled[~rows] @ weights
    utility -= slots.rows(np.maximum.reduceat(utility, slots.starts))
    return utility - np.log(slots.sums(np.exp(utility)))


def populations(sessions, draws):
    """The mean gaze and clicks of a session of the RecGaze sample, seen often, and the taste of its user."""
    from tasks.recgaze import sample_sessions
    from tasks.recgaze.sample_films import invent_films
    from tasks.recgaze.sample_users import invent_looking, invent_users

    films = invent_films(np.random.default_rng((3, 0)))
    people = invent_users(83, 1.0, np.random.default_rng((3, 1)))
    habits = np.random.default_rng((3, 6))
    people = {user.user_id: (user, invent_looking(1.0, habits)) for user in people}
    pages = defaultdict(dict)
    for film in films:
        pages[film.task][film.carousel, film.position] = film
    found = []
    for number, session in enumerate(sessions):
        random = np.random.default_rng((9, number))
        user, looking = people[session.user]
        gaze, clicks, count = np.zeros(15), np.zeros(15), 0
        for _ in range(draws):
            events = sample_sessions.simulate_session(user, pages[int(session.screen)], False, random, looking, random)
            looks, outside = np.zeros(15), False
            for event in events:
                at = event.fixation
                outside |= at is not None and at.carousel > 3
                if at is not None and at.kind == "Movie" and at.carousel <= 3 and at.position <= 5:
                    looks[(at.carousel - 1) * 5 + at.position - 1] += event.fixation_ms
            last = [event.click for event in events if event.click][-1:]
            if outside or not last or last[0].kind != "Movie" or last[0].carousel > 3 or not looks.sum():
                continue
            gaze += looks / looks.sum()
            clicks[(last[0].carousel - 1) * 5 + (last[0].position - 1) % 5] += 1
            count += 1
        page = pages[int(session.screen)]
        liked = [user.liking(page[k // 5 + 1, k % 5 + 1].genres) for k in range(15)]
        found.append((normed(gaze + 0.1 / 15, 0), normed(clicks + 0.2, 0), np.array(liked)))
    return found


class Data:
    """Sessions laid end to end, with honest models that the generator draws from."""

    def __init__(self, sessions, known=None):
        self.sessions, self.known = sessions, known
        self.slots = Slots(np.array([len(s.slots) for s in sessions]), codes(s.user for s in sessions))
        self.gaze = np.concatenate([s.gaze for s in sessions])
        self.click = np.zeros(len(self.gaze))
        self.click[self.slots.starts + [s.click for s in sessions]] = 1
        place = np.arange(len(self.gaze)) - self.slots.rows(self.slots.starts)
        kinds = codes(slot.kind for s in sessions for slot in s.slots)
        self.place = codes(zip(place, kinds, strict=True))
        screens = codes(s.screen for s in sessions)
        self.owners = [codes(zip(self.slots.rows(one), self.place, strict=True)) for one in (self.slots.users, screens)]
        features = np.concatenate([described(s) for s in sessions])
        if known:  # an honest model may know what users like
            features = np.c_[features, np.concatenate([liked for *_, liked in known])]
        places = np.log(self.rates(self.click, np.random.default_rng(0), 5, 20, 20, False))
        gaze = np.log(self.rates(self.gaze, np.random.default_rng(0), 3, 5, 5, False))
        self.models = [
            logit(self.slots, np.c_[places, features], self.click),
            logit(self.slots, np.c_[places, gaze, features, features**2], self.click),
            logit(self.slots, features, self.click),
            logit(self.slots, np.c_[places, features], self.gaze),
        ]

    def rates(self, values, random, smooth, user, screen, bootstrap):
        """Rates of position and kind, from other folds of random size, drawn to the user's and the screen's."""
        sessions, folds = len(self.sessions), int(random.integers(4, 11))
        weight = self.slots.rows(random.poisson(1, sessions) if bootstrap else np.ones(sessions)).astype(float)
        fold = self.slots.rows(random.permutation(sessions) % folds)
        found = np.empty(len(values))
        for own in (fold == f for f in range(folds)):
            used = weight * ~own

            def drawn(key, toward, by, used=used):
                number, total = np.bincount(key, used), np.bincount(key, used * values)
                return (total[key] + by * toward) / np.maximum(number[key] + by, 1e-9)

            base = drawn(self.place, np.mean(1 / self.slots.counts), smooth)
            several = [
                drawn(key, base, by) if by else base for key, by in zip(self.owners, (user, screen), strict=True)
            ]
            found[own] = np.maximum(several[0] * several[1] / np.maximum(base, 1e-9), 1e-6)[own]
        return found

    def split(self, values, test):
        starts, counts = self.slots.starts, self.slots.counts
        return [normed(values[starts[i] : starts[i] + counts[i]]) for i in test]


def top(rows):
    return [int(row.argmax()) for row in rows]


def peaked(row, share, others):
    found = others * (1 - share) / (others.sum() - others[row.argmax()])
    found[row.argmax()] = share
    return found


def honest(data, test, random, priors=30):
    for number in range(priors):
        smooth, user, screen = (float(random.choice(c)) for c in ((0.3, 1, 3, 10), (0, 2, 5, 10, 30), (0, 0, 2, 5, 15)))
        gaze = data.rates(data.gaze, random, smooth, user, screen, number % 2 == 1) ** random.choice([0.5, 1, 1, 2, 3])
        click = data.rates(data.click, random, smooth, 3 * user, 3 * screen, number % 2 == 1)
        said = data.split(gaze if number % 5 == 0 else click, test)
        yield "prior", data.split(gaze, test), said, top(said)
    base = data.rates(data.gaze, random, 1, 5, 0, False)
    for model in data.models:
        for power in (0.5, 1, 2, 4):
            said = data.split(np.exp(power * model), test)
            yield "features", data.split(base * np.exp(0.3 * power * model), test), said, top(said)
            yield "features as attention", said, said, top(said)
        for share in (0.5, 0.8, 0.93):
            rows = data.split(np.exp(model), test)
            said = [peaked(row, share, random.uniform(0.5, 1, len(row))) for row in rows]
            yield "one answer", said, said, top(said)
    if data.known:
        gaze, click = ([data.known[i][part] for i in test] for part in (0, 1))
        for power in (0.5, 1, 1.5, 2, 3):
            said = [normed(row**power) for row in click]
            for noise in (0, 0.01, 0.03):
                blurred = [normed(row**power + random.normal(0, noise, len(row))) for row in gaze]
                yield "perfect knowledge", blurred, said, top(said)
        yield "perfect knowledge", click, click, top(click)
        yield "perfect knowledge", gaze, gaze, top(gaze)
        for share in (0.5, 0.8, 0.93):
            said = [peaked(row, share, np.ones(len(row))) for row in click]
            yield "perfect knowledge", gaze, said, top(click)
    for width in (0.3, 1.0):
        said = [normed(random.dirichlet(np.full(data.slots.counts[i], width))) for i in test]
        yield "random", said, said, top(said)


def cheats(data, test, random):
    """Yield kind, setting, attention, probabilities and answers; what is not cheated with is a prior's."""
    prior = data.split(data.rates(data.gaze, random, 1, 5, 0, False), test)
    rates = data.split(data.rates(data.click, random, 1, 15, 0, False), test)
    gaze = [data.sessions[i].gaze for i in test]
    clicks = [data.sessions[i].click for i in test]
    honest_clicks = rates, top(rates)
    both = list(zip(gaze, prior, strict=True))
    labelled = list(zip(prior, clicks, strict=True))

    def flat(row):
        return random.dirichlet(np.ones(len(row)))

    for noise in (0.001, 0.003, 0.007, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2):
        yield "gaze + noise", noise, [normed(g + random.normal(0, noise, len(g))) for g in gaze], *honest_clicks
    for w in (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.95):
        yield "gaze mixed with a prior", w, [w * g + (1 - w) * p for g, p in both], *honest_clicks
        yield "gaze mixed with random numbers", w, [normed(w * g + (1 - w) * flat(g)) for g in gaze], *honest_clicks
        blurred = [normed(w * g + (1 - w) * normed(p * np.exp(random.normal(0, 0.5, len(p))))) for g, p in both]
        yield "gaze mixed with a blurred prior", w, blurred, *honest_clicks
    for power in (0.3, 0.5, 2):
        yield "a power of gaze", power, [normed((g + 0.01) ** power) for g in gaze], *honest_clicks
    yield "ranks of gaze", 0, [normed(g.argsort().argsort() + 1.0) for g in gaze], *honest_clicks
    yield "gaze as click", 0, prior, [normed(g + 0.01) for g in gaze], top(gaze)
    said = [normed(g + random.normal(0, 0.05, len(g)), 0.01) for g in gaze]
    yield "gaze + noise as click", 0.05, prior, said, top(said)
    one = [
        np.where(np.arange(len(p)) == k, g[k], p * (1 - g[k]) / (1 - p[k]))
        for g, p, k in zip(gaze, prior, clicks, strict=True)
    ]
    yield "gaze of the clicked slot", 0, one, *honest_clicks
    for right in (0.6, 0.7, 0.8, 0.9, 0.95, 1.0):
        for style in ("random", "prior", "calibrated"):
            said = []
            for k, rate in zip(clicks, rates, strict=True):
                row, known = (random.uniform(0.5, 1, len(rate)) if style == "random" else rate.copy()), random.random()
                if style == "calibrated":
                    at = k if known < right else int(random.integers(len(rate)))
                    row = (1 - right) * rate + 0.9 * right * np.eye(len(rate))[at]
                elif known < right:
                    row[k] = 13 * row.sum()
                said.append(normed(row))
            yield f"clicks right, {style} otherwise", right, prior, said, top(said)
        answers = [
            k if random.random() < right else int(random.integers(len(r))) for k, r in zip(clicks, rates, strict=True)
        ]
        yield "answers right", right, prior, rates, answers
    for share in (0.02, 0.05, 0.1, 0.2, 0.4):
        yield (
            "click in attention",
            share,
            [(1 - share) * p + share * np.eye(len(p))[k] for p, k in labelled],
            *honest_clicks,
        )
    order = [normed(np.where(np.arange(len(p)) == k, p.max() + 1e-9, p), 1e-6) for p, k in labelled]
    yield "click in the order of attention", 0, order, *honest_clicks
    for kind, rows in (("click in ties of attention", prior), ("click in ties of probabilities", rates)):
        tied = [
            normed(np.where((np.arange(len(p)) == k) | (np.arange(len(p)) == p.argmax()), p.max(), p))
            for p, k in zip(rows, clicks, strict=True)
        ]
        yield kind, 0, *((tied, *honest_clicks) if rows is prior else (prior, tied, top(rates)))
    for share in (0.3, 0.5, 0.7):
        some = [g if random.random() < share else p for g, p in both]
        yield "gaze in a share of sessions", share, some, *honest_clicks
    for share in (0.3, 0.5):
        some = [normed(g + random.normal(0, 0.02, len(g))) if random.random() < share else p for g, p in both]
        yield "gaze + noise in a share of sessions", share, some, *honest_clicks
    counts = [
        normed(
            np.bincount([f.slot for f in data.sessions[i].fixations if f.slot >= 0], minlength=data.slots.counts[i])
            + 0.05
        )
        for i in test
    ]
    yield "numbers of fixations", 0, counts, *honest_clicks
    for w in (0.2, 0.5):
        mixed = [normed(w * n + (1 - w) * flat(n)) for n in counts]
        yield "numbers of fixations mixed with random ones", w, mixed, *honest_clicks


def scores(data, test, attention, said):
    """KL and LogLoss, means over users."""
    users = codes(data.sessions[i].user for i in test)
    kl = [
        (data.sessions[i].gaze * np.log((data.sessions[i].gaze + 1e-8) / (a + 1e-8))).sum()
        for i, a in zip(test, attention, strict=True)
    ]
    loss = [-np.log(p[data.sessions[i].click] + 1e-8) for i, p in zip(test, said, strict=True)]
    return [float((np.bincount(users, x) / np.bincount(users)).mean()) for x in (kl, loss)]


def clearness(clue):
    return clue.number


def judged(recording, attention, said, answers):
    cells = {
        "attention": ragged(attention),
        "probabilities": ragged(said),
        "answer": ragged(np.array([float(a)]) for a in answers),
    }
    file = Checked(np.arange(len(said)), dict.fromkeys(cells, np.ones(len(said), dtype=bool)), cells)
    return max(recording.clues([file], PARTS[:3]), key=lambda clue: clue.number)


class Walks:
    """Honest models of where the eyes go next, fitted to other users, and rows of those who know."""

    def __init__(self, data):
        chosen = [i for i, s in enumerate(data.sessions) if len(visits(s)) > 1]
        self.sessions, self.steps = [data.sessions[i] for i in chosen], []
        steps = [list(foresight._steps(s)) for s in self.sessions]
        owner = np.concatenate([np.full(len(mine), n) for n, mine in enumerate(steps)])
        flat = [step for mine in steps for step in mine]
        users = codes(s.user for s in self.sessions)
        slots = Slots(np.array([len(to) for _, to, _ in flat]), users[owner])
        x = np.concatenate([features[:, :-3] for *_, features in flat])  # without the future
        hit = [to == visits(self.sessions[n])[k].slot for n, (k, to, _) in zip(owner, flat, strict=True)]
        boxes = np.concatenate([described(self.sessions[n])[to] for n, (_, to, _) in zip(owner, flat, strict=True)])
        mixed = np.c_[x, x[:, :8] * x[:, [6]], x[:, :4] * x[:, [8]]]
        seen = [x, x[:, :5], x[:, :8], x[:, 6:10], x[:, [0, 1, 4, 5, 6, 9, 10, 11]], mixed, np.c_[mixed, boxes]]
        if data.known:
            liked = [np.log(np.array(data.known[i][:2])).T for i in chosen]
            seen.append(np.c_[x, np.concatenate([liked[n][to] for n, (_, to, _) in zip(owner, flat, strict=True)])])
        models = [logit(slots, features, np.concatenate(hit).astype(float)) for features in seen]
        self.slots, self.owner, self.hit, self.to = slots, owner, hit, [to for _, to, _ in flat]
        self.models = [power * model for model in models for power in (1, 0.5, 1.5, 2, 3)]
        self.best = np.exp(models[5])

    def honest(self):
        ends = np.full(len(self.to), len(self.sessions) / (len(self.to) + len(self.sessions)))
        for model in self.models:
            yield "model", "", np.exp(model), ends, ends[0]

    def cheats(self, random):
        base, hit = self.best, np.concatenate(self.hit)
        ends = np.full(len(self.to), len(self.sessions) / (len(self.to) + len(self.sessions)))
        for right in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
            yield "next slot mixed in", right, (1 - right) * base + right * hit, ends, ends[0]
            known = self.slots.rows(random.random(len(self.to)) < right)
            other = self.slots.rows(self.slots.starts + random.integers(0, self.slots.counts)) == np.arange(len(hit))
            yield "next slot right, random otherwise", right, 0.1 + 5 * np.where(known, hit, other), ends, ends[0]
            yield "next slot right, a model otherwise", right, base + 2 * known * hit, ends, ends[0]
        for share in (0.2, 0.5, 0.8, 1.0):
            known = random.random(len(self.sessions)) < share
            yield "ends", share, base, np.where(known[self.owner], 0.05, ends), np.where(known, 0.9, ends[0])
            sure = np.where(self.slots.rows(known[self.owner]), hit, base)
            yield "whole paths", share, sure, np.where(known[self.owner], 0.0, ends), np.where(known, 1.0, ends[0])

    def scored(self, values, ends, last, test):
        """Bits of the next slot, misses and bits of stopping, and the rows of some sessions."""
        shares = np.split(self.slots.shares(values), self.slots.starts[1:])
        last = np.broadcast_to(last, len(self.sessions))
        found, bits, misses, stops = [], [], [], []
        for n in test:
            mine = np.flatnonzero(self.owner == n)
            rows = np.zeros((len(mine) + 1, len(self.sessions[n].slots) + 1))
            for k, move in enumerate(mine):
                rows[k, self.to[move]] = (1 - ends[move]) * shares[move]
                bits.append(-np.log2(shares[move][self.hit[move]][0] + 1e-8))
                misses.append(not self.hit[move][shares[move].argmax()])
            rows[:-1, -1], rows[-1, -1], rows[-1, :-1] = ends[mine], last[n], (1 - last[n]) / (rows.shape[1] - 1)
            stops += [*-np.log2(1 - ends[mine] + 1e-8), -np.log2(last[n] + 1e-8)]
            found.append(rows)
        return [float(np.mean(x)) for x in (bits, misses, stops)], found


def measure_walks(name, data, seeds, out):
    walks = Walks(data)
    users = codes(s.user for s in walks.sessions)
    for seed in seeds:
        random = np.random.default_rng((seed, 3))
        many = max(users.max() + 1, 24)
        sets = {f"{many}, any": random.permutation(len(users))[:many], "20": random.permutation(len(users))[:20]}
        if seed == seeds[0]:
            sets["all"] = np.arange(len(users))
        for which, test in sets.items():
            recorded = foresight.Paths([walks.sessions[n] for n in test])

            def judged(values, ends, last, test=test, recorded=recorded):
                score, rows = walks.scored(values, ends, last, test)
                good = {"next_visit": np.ones(len(rows), dtype=bool)}
                file = Checked(np.arange(len(rows)), good, {"next_visit": ragged(row.ravel() for row in rows)})
                return score, sorted(recorded.clues(file), key=clearness)[-1]

            good = [(kind, *judged(*said)) for kind, _, *said in walks.honest()]
            best = np.min([score for _, score, _ in good], axis=0)
            for kind, _, clue in good:
                out.append((name, which, len(test), seed, "honest", kind, "", False, clue.number, str(clue)))
            for kind, setting, *said in walks.cheats(np.random.default_rng((seed, 4))):
                score, clue = judged(*said)
                first = bool((np.array(score) < best - 1e-9).any())
                out.append((name, which, len(test), seed, "cheat", kind, setting, first, clue.number, str(clue)))


def measure(name, data, seeds, out):
    users = defaultdict(list)
    for i, session in enumerate(data.sessions):
        users[session.user].append(i)
    rows = []
    for seed in seeds:
        random = np.random.default_rng(seed)
        sets = {
            "one per user": [int(random.choice(v)) for v in users.values()],
            "20": sorted(int(i) for i in random.permutation(len(data.sessions))[:20]),
        }
        if name == "three-item choice":
            sets["5 per user"] = [int(i) for v in users.values() for i in random.permutation(v)[:5]]
        sets["all"] = list(range(len(data.sessions)))
        for which, test in sets.items():
            recording = Recording(data.sessions, np.array(test))
            good = [
                (kind, scores(data, test, a, p), judged(recording, a, p, answers))
                for kind, a, p, answers in honest(data, test, np.random.default_rng((seed, 1)))
            ]
            plain = [score for kind, score, _ in good if kind != "perfect knowledge"]
            best = [min(score[j] for score in plain) for j in (0, 1)]
            for kind, _, clue in good:
                rows.append((name, which, len(test), seed, "honest", kind, "", False, clue.number, str(clue)))
            for kind, setting, a, p, answers in cheats(data, test, np.random.default_rng((seed, 2))):
                score = scores(data, test, a, p)
                clue = judged(recording, a, p, answers)
                first = score[0] < best[0] or score[1] < best[1]
                rows.append((name, which, len(test), seed, "cheat", kind, setting, first, clue.number, str(clue)))
    out += rows


def tell(rows):
    print("data                   sessions       honest marked  sure   most | first  found   sure")
    for name, which in dict.fromkeys((r[0], r[1]) for r in rows):
        mine = [r for r in rows if r[:2] == (name, which)]
        good = np.array([r[8] for r in mine if r[4] == "honest"])
        bad = np.array([r[8] for r in mine if r[7]])
        print(
            f"{name:22} {which:>12} {mine[0][2]:4} {len(good):6} {(good >= 1).sum():6} {(good >= 2).sum():5}"
            f" {good.max():6.2f} | {len(bad):5} {(bad >= 1).mean():6.1%} {(bad >= 2).mean():6.1%}"
        )
    marked = [r for r in rows if r[4] == "honest" and r[8] >= 1]
    honest_ones = sum(r[4] == "honest" for r in rows)
    print(f"honest: {honest_ones}, marked {len(marked)}, sure {sum(r[8] >= 2 for r in marked)}")
    for r in marked:
        print("  marked:", *r[:4], r[5], r[9])
    missed = defaultdict(lambda: [0, 0])
    for r in rows:
        if r[7]:
            missed[r[0], r[5], r[6]][0] += 1
            missed[r[0], r[5], r[6]][1] += r[8] < 1
    for key, (count, lost) in missed.items():
        if lost:
            print(f"  missed {lost} of {count}:", *key)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replay", type=Path, help="folder of AdSERP's replay trials")
    parser.add_argument("--snacks", type=Path, help="folder of the three-item choices")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--draws", type=int, default=DRAWS, help="runs of the sample's simulator per session")
    parser.add_argument("--kept", type=Path, help="file that keeps what these runs came to")
    parser.add_argument("--walks", action="store_true", help="judge where the eyes go next instead")
    options = parser.parse_args()
    rows = []
    for name, task, place in (
        ("RecGaze sample", "recgaze", "sample"),
        ("AdSERP, viewport", "adserp", options.replay),
        ("AdSERP, page", "adserp-page", options.replay),
        ("three-item choice", "snacks", options.snacks),
    ):
        if place is None or (options.only and task not in options.only):
            continue
        began = time.perf_counter()
        loaded = load(task, place)
        sessions = loaded.sessions_at(range(len(loaded)))
        if task == "snacks":
            sessions = sessions[::5]
        known = None
        if task == "recgaze" and options.draws:
            if options.kept and options.kept.is_file():
                known = pickle.loads(options.kept.read_bytes())
            else:
                known = populations(sessions, options.draws)
                if options.kept:
                    options.kept.write_bytes(pickle.dumps(known))
        data = Data(sessions, known)
        (measure_walks if options.walks else measure)(name, data, options.seeds, rows)
        print(f"{name}: {len(sessions)} sessions, {time.perf_counter() - began:.0f} s", flush=True)
    tell(rows)


if __name__ == "__main__":
    main()
