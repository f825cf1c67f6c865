from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from baselines import registry
from leaderboard import references
from leaderboard.board_table import assemble
from leaderboard.columns import view
from leaderboard.derived import difference, normalise, personal_gain, scale
from tasks import others
from tests.leaderboard.boards import candidate
from tests.leaderboard.test_ranking import context, item


def test_others_gaze_is_the_mean_of_the_other_users_on_the_same_screen(mini):
    found = references.others_gaze(mini, "kfold")
    sessions = mini.sessions_at(range(len(mini)))
    assert set(found) == {s.session_id for s in sessions}
    for session in sessions:
        total = np.full(4, others.SMOOTHING / 4)
        seen = 0
        for other in sessions:
            if other.screen == session.screen and other.user != session.user:
                total += other.gaze_ms / other.gaze_ms.sum()
                seen += 1
        assert seen == 6
        np.testing.assert_allclose(found[session.session_id], total / (seen + others.SMOOTHING))
        assert found[session.session_id].sum() == pytest.approx(1)


def test_others_gaze_does_not_know_the_user_it_speaks_about(mini, monkeypatch):
    before = references.others_gaze(mini, "loo")
    gaze = mini._columns["gaze_ms"]
    position = mini._position[next(iter(before))]
    changed = [*gaze]
    changed[position] = pa.scalar([9e9, 0.0, 0.0, 0.0])
    monkeypatch.setitem(mini._columns, "gaze_ms", changed)
    after = references.others_gaze(mini, "loo")
    first = next(iter(before))
    np.testing.assert_array_equal(before[first], after[first])


def test_too_few_others_are_no_reference(mini, monkeypatch):
    monkeypatch.setattr(others, "MIN_OTHERS", 7)
    found = references.others_gaze(mini, "loo")
    assert all(gaze is None for gaze in found.values()) and not others.usable(found)
    made = [r.metadata.name for r in references.compute(mini, "loo", registry, references.names())]
    assert references.OTHERS not in made and "gaze-oracle" in made


def test_baselines_are_ranked_and_references_are_not(mini):
    kinds = {r.metadata.name: r.kind for r in references.compute(mini, "loo", registry, references.names())}
    ranked = {name for name, kind in kinds.items() if kind == "baseline"}
    assert ranked == {
        *("uniform", "position-prior", "kind-position-prior"),
        *("user-prior", "gaze-click-prior", "conditional-logit"),
        *("centre-area", "examination-prior", "geometry"),
    }
    # The sessions have no cursor, so that its oracle has nothing to say.
    assert {name for name, kind in kinds.items() if kind == "reference"} == {"gaze-oracle", "other-users"}


def lines(**scores: object):
    """A table of KL (against gaze) and Accuracy (against the click) over four users."""
    users = ["a", "b", "c", "d"]
    kinds = {"position-prior": "baseline", "other-users": "reference", "gaze-oracle": "reference"}
    items = []
    for name, (kl, accuracy) in scores.items():
        name = name.replace("_", "-")
        columns = {"KL": kl, "Accuracy": accuracy}
        given = {m: np.array([v], dtype=float) for m, v in columns.items() if v is not None}
        items.append(item(name, given, users, kind=kinds.get(name, "submission")))
    return assemble(context(users), items)


def test_normalised_scores_put_the_prior_at_0_and_people_at_1():
    table = lines(
        position_prior=([1.0, 1.2, 0.8, 1.0], [0, 0, 1, 0]),
        other_users=([0.5, 0.5, 0.5, 0.5], None),
        gaze_oracle=([0, 0, 0, 0], [1, 1, 1, 0]),
        mine=([0.9, 1.1, 0.5, 0.5], [1, 0, 1, 0]),
    )
    names = [row.name for row in table.rows]
    found = normalise(table)
    kl, accuracy = table.metric_index("KL"), table.metric_index("Accuracy")
    of = {name: (found.mean[i, kl], found.mean[i, accuracy]) for i, name in enumerate(names)}
    # (0.75 - 1) / (0.5 - 1); (0.5 - 0.25) / (0.75 - 0.25)
    assert of["mine"] == pytest.approx((0.5, 0.5))
    assert of["position-prior"] == (0.0, 0.0) and of["other-users"][0] == 1.0 and of["gaze-oracle"][1] == 1.0
    i = names.index("mine")
    prior = table.by_session[names.index("position-prior")][:, kl]
    apart = difference(table, table.by_session[i][:, kl], prior)
    assert (found.low[i, kl], found.high[i, kl]) == pytest.approx((apart.high / -0.5, apart.low / -0.5))
    assert found.low[i, kl] < 0.5 < found.high[i, kl]


def test_there_is_no_scale_without_a_better_human_reference():
    table = lines(position_prior=([0.4] * 4, [0, 0, 1, 0]), other_users=([0.5] * 4, None), mine=([0.1] * 4, [1] * 4))
    assert "does not beat" in scale(table, table.metric_index("KL"))[2]
    assert "no human reference" in scale(table, table.metric_index("Accuracy"))[2]
    assert np.isnan(normalise(table).mean).all()


def test_the_scale_needs_the_prior():
    table = lines(mine=([0.1] * 4, [1] * 4))
    assert "does not hold the position-prior" in scale(table, 0)[2]


def test_personal_gain_is_own_over_shared_and_its_control_is_swapped_over_shared(views):
    loo = views[1].table
    index = next(i for i, row in enumerate(loo.rows) if row.name == "personal")
    kl, auc = loo.metric_index("KL"), loo.metric_index("AUC")
    for j, sign in ((kl, -1.0), (auc, 1.0)):
        gain = personal_gain(loo, index, j)
        own = loo.by_user[index][:, j]
        controls = [loo.rows[index].controls[c].mean(axis=0)[:, j] for c in ("shared", "swapped")]
        shared, swapped = (loo.design.users.means(values) for values in controls)
        assert gain.own_over_shared.mean == pytest.approx(sign * (own - shared).mean())
        assert gain.swapped_over_shared.mean == pytest.approx(sign * (swapped - shared).mean())
        assert gain.own_over_swapped.mean == pytest.approx(sign * (own - swapped).mean())
        assert gain.own_over_shared.low < gain.own_over_shared.mean < gain.own_over_shared.high
    assert personal_gain(loo, 0, kl) is None


def test_a_table_can_be_seen_without_any_reference():
    shown = view(lines(mine=([0.1] * 4, [1] * 4), other=([0.2] * 4, None)))
    assert shown.ranking.tier.max() >= 1


def test_candidates_of_another_digest_are_refused(mini):
    import dataclasses

    from leaderboard.submitting import prepare
    from tasks.errors import InputError

    with pytest.raises(InputError, match="was made for mini, loo with digest ffffffffffff"):
        prepare(dataclasses.replace(candidate("x", mini), digest="f" * 64))
