"""Each toy rests on one thing, and each test says which."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmark.metrics import asked_of
from benchmark.output.rendering import render
from benchmark.scores import results
from benchmark.stress import records, rows
from benchmark.stress.conditions import STEER, TESTS, steered_to, swapped_users, wrong_label
from benchmark.stress.sources import sources
from tasks.errors import InputError
from tests.benchmark.stress.conftest import bench, finished, study
from tests.benchmark.stress.toys import Tuned, number

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tested(toys, mini, tmp_path_factory):
    out = tmp_path_factory.mktemp("tested") / "run"
    shutil.copytree(toys, out)
    Tuned.fitted = 0
    found = study(mini, out).test(TESTS)
    assert Tuned.fitted == 0  # restored, not trained again
    return out, found


def value(found, test, simulator, measure):
    (row,) = [r for r in found.rows if (r.test, r.simulator, r.measure) == (test, simulator, measure)]
    return row.value


def reading(found, test, simulator):
    return next(r for r in found.rows if (r.test, r.simulator) == (test, simulator)).reading


@pytest.mark.parametrize(
    ("simulator", "item", "label"),
    [("by-label", 0, 1), ("by-item", 1, 0), ("by-place", 1, 0), ("by-user", 1, 0), ("listing", 0, 1)],
)
def test_relabel_tells_labels_from_items(tested, simulator, item, label):
    _, found = tested
    assert value(found, "relabel", simulator, "answer stays with the item") == item
    assert value(found, "relabel", simulator, "answer stays with the letter") == label
    assert value(found, "relabel", simulator, "chance") == 0.25
    follows = "follows the letter" if label else "follows the item"
    assert follows in reading(found, "relabel", simulator)
    unmoved = value(found, "relabel", simulator, "Accuracy↑: after minus before") == 0
    assert unmoved == bool(item)


@pytest.mark.parametrize(
    ("simulator", "content", "place"), [("by-label", 0, 1), ("by-item", 1, 0), ("by-place", 0, 1), ("by-user", 0, 1)]
)
def test_layout_tells_content_from_place(tested, simulator, content, place):
    _, found = tested
    for what in ("answer stays with the {}", "largest attention stays with the {}"):
        assert value(found, "layout", simulator, what.format("content")) == content
        assert value(found, "layout", simulator, what.format("place")) == place
    assert value(found, "layout", simulator, "answer goes elsewhere") == 0
    better, worse = ("content", "place") if content else ("place", "content")
    r = {w: value(found, "layout", simulator, f"correlation of attention by {w}") for w in ("content", "place")}
    assert r[better] == pytest.approx(1) and r[worse] < 0
    assert ("content decides" if content else "position decides") in reading(found, "layout", simulator)


def test_swapping_users_moves_only_what_knows_users(tested, mini):
    _, found = tested
    for name in ("by-label", "by-item", "by-place", "leaking", "listing"):
        assert "ignores who the user is" in reading(found, "swap-users", name)
        assert value(found, "swap-users", name, "not applicable") is None
    own, swapped = (value(found, "swap-users", "by-user", f"Accuracy↑{w}") for w in (": own minus swapped", " swapped"))
    sessions = [s for _, test in mini.split("kfold").folds for s in mini.sessions_at(test)]
    other = swapped_users({s.user for s in sessions}, mini.digests["kfold"])
    right: dict[str, list[float]] = {}
    for train, test in mini.split("kfold").folds:
        habits = {s.user: s.click for s in mini.sessions_at(train)}
        for s in mini.sessions_at(test):
            right.setdefault(s.user, []).append(habits[other[s.user]] == s.click)
    expected = sum(sum(v) / len(v) for v in right.values()) / len(right)
    before = value(found, "relabel", "by-user", "Accuracy↑ before")
    assert swapped == pytest.approx(expected) and own == pytest.approx(before - expected) and own != 0
    assert value(found, "swap-users", "tuned", "Accuracy↑ swapped") == swapped  # restored with the same habits


def test_label_leak_tells_a_leak_from_none(tested):
    _, found = tested
    leak = lambda measure, name="leaking": value(found, "label-leak", name, measure)  # noqa: E731
    assert leak("CSH@1↑, true label") == 1 and leak("CSH@1↑, wrong label") == 0
    assert leak("CSH@1↑: true label minus own answer") == pytest.approx(1 - leak("CSH@1↑, own answer")) != 0
    for which in ("true", "wrong"):
        assert leak(f"largest attention on the offered slot, {which} label") == 1
        assert leak(f"CSH@1↑: {which} label minus own answer", "tight") == 0
    assert "leaks" in reading(found, "label-leak", "leaking")
    assert reading(found, "label-leak", "tight") == "Offering a label moves nothing."
    assert "no attention for a label" in reading(found, "label-leak", "by-item")


def test_steering_counts_the_answers_that_move_to_the_slot(mini, tmp_path):
    finished(mini, tmp_path, ("pushed", "by-item"))
    found = study(mini, tmp_path).test((STEER,))
    users: dict[str, list[bool]] = {}
    for session in (s for _, test in mini.split("kfold").folds for s in mini.sessions_at(test)):
        before = int(np.argmin([slot.box[0] for slot in session.slots]))
        if steered_to(session, mini.digests["kfold"]) != before:
            users.setdefault(session.user, []).append(number(session.session_id) % 2 == 1)
    expected = sum(sum(v) / len(v) for v in users.values()) / len(users)
    assert 0 < expected < 1 and sum(map(len, users.values())) < 21
    measure = "answer moves to the slot"
    assert value(found, STEER, "pushed", f"{measure}, own heads") == pytest.approx(expected)
    assert value(found, STEER, "pushed", f"{measure}, random heads") == 0
    assert value(found, STEER, "pushed", f"{measure}: own heads minus random heads") == pytest.approx(expected)
    assert "no heads" in reading(found, STEER, "by-item")


def test_an_oracle_is_passed_over_with_a_reason(tested):
    _, found = tested
    for test in TESTS:
        assert "oracle" in reading(found, test, "oracle")


def test_what_was_found_is_written_and_read_again(tested):
    out, found = tested
    assert records.read(out).rows == found.rows and found.notice == "simulated: seven invented users"
    for condition in ("relabel", "swap-users", "true-label", "wrong-label", "layout"):
        frame = pd.read_parquet(out / "stress" / condition / "predictions.parquet")
        assert len(frame) and frame["session_id"].nunique() == 21
    labels = pd.read_parquet(out / "stress" / "wrong-label" / "predictions.parquet")
    assert set(labels["target"]) == {"label"} and set(labels["simulator"]) == {"leaking", "tight"}


def test_finished_parts_are_kept_and_only_the_rest_is_made(toys, mini, tmp_path):
    shutil.copytree(toys, tmp_path / "run")
    said: list[str] = []
    first = study(mini, tmp_path / "run", ("by-item", "by-user"), report=said.append)
    first.test(("relabel",))
    assert len(said) == 2 * 2 * 5  # as seen and relabelled, two simulators, five folds
    assert said[0] == "1 of 20: by-item, seed 1, fold 0: own"
    said.clear()
    again = study(mini, tmp_path / "run", ("by-item",), report=said.append).test(("relabel", "layout"))
    assert "is kept" in said[0] and len(said) == 6 and all("layout" in line for line in said[1:])
    # The other simulator's rows stay next to the new ones.
    assert {(r.test, r.simulator) for r in again.rows} == {
        ("relabel", "by-item"),
        ("relabel", "by-user"),
        ("layout", "by-item"),
    }


def test_labels_of_its_own_are_those_of_each_seed(mini, tmp_path):
    out = finished(mini, tmp_path / "run", ("listing",), split="loo", seeds=(1, 2, 3))
    found = study(mini, out, split="loo").test(("relabel",))
    assert value(found, "relabel", "listing", "answer stays with the letter") == 1


def test_another_seed_is_another_condition(toys, mini, tmp_path):
    shutil.copytree(toys, tmp_path / "run")
    first = study(mini, tmp_path / "run", ("by-label",)).test(("relabel",))
    other = study(mini, tmp_path / "run", ("by-item",), seed=5).test(("relabel",))
    assert first.seed == 0 and other.seed == 5 and {r.simulator for r in other.rows} == {"by-item"}


def test_what_does_not_repeat_itself_is_refused(mini, tmp_path):
    out = finished(mini, tmp_path / "run", ("fickle",))
    with pytest.raises(InputError, match="fickle.*does not predict again.*apart.*--simulators"):
        study(mini, out).test(TESTS)
    assert records.read(out) is None


def test_a_trained_simulator_without_its_artifacts_is_refused(toys, mini, tmp_path):
    shutil.copytree(toys, tmp_path / "run")
    for path in (tmp_path / "run" / "trials").glob("*/artifacts/habits.json"):
        path.unlink()
    with pytest.raises(InputError, match="tuned with seed 1 cannot be restored: there are no habits"):
        study(mini, tmp_path / "run", ("tuned",)).test(("relabel",))


def test_names_data_and_trials_are_checked(toys, mini, tmp_path):
    with pytest.raises(InputError, match="by-itm.*Did you mean 'by-item'"):
        study(mini, toys, ("by-itm",))
    with pytest.raises(InputError, match="no finished run"):
        study(mini, tmp_path)
    shutil.copytree(toys, tmp_path / "run")
    shutil.rmtree(next((tmp_path / "run" / "trials").glob("[0-9a-f]*")))
    with pytest.raises(InputError, match="lacks finished trials of"):
        study(mini, tmp_path / "run")


def test_a_task_that_cannot_draw_labels_is_told_so(toys, mini, tmp_path):
    shutil.copytree(toys, tmp_path / "run")
    found = study(mini, tmp_path / "run", ("by-item",), drawing=None).test(("relabel", "layout"))
    assert "does not say how it draws labels" in reading(found, "relabel", "by-item")
    assert value(found, "layout", "by-item", "answer stays with the content") == 1  # a grid needs no new labels


def test_conditions_are_functions_of_data_session_and_seed(mini):
    digest = mini.digests["loo"]
    users = [f"u{i}" for i in range(7)]
    swapped = swapped_users(users, digest)
    assert sorted(swapped.values()) == users and all(a != b for a, b in swapped.items())
    assert swapped == swapped_users(reversed(users), digest) != swapped_users(users, digest, seed=1)
    sessions = [mini.session(i) for i in range(len(mini))]
    wrong = [wrong_label(s, digest) for s in sessions]
    assert all(w != s.click and 0 <= w < 4 for w, s in zip(wrong, sessions, strict=True)) and len(set(wrong)) > 1
    with pytest.raises(InputError, match="fewer than two test users"):
        swapped_users(["u1"], digest)


def test_transfer_takes_only_tuned_prompts_along(toys, mini, minor, tmp_path):
    shutil.copytree(toys, tmp_path / "run")
    found = study(mini, tmp_path / "run", ("tuned", "by-item")).test((), other=minor)
    assert "no tuned prompt" in reading(found, "transfer minor", "by-item")
    metrics = [r.measure for r in found.rows if r.simulator == "tuned"]
    assert len(metrics) == len(asked_of(())) and "KL↓" in metrics
    made = bench(mini, tmp_path / "run").folder / "transfer-minor" / "predictions.parquet"
    frame = pd.read_parquet(made)
    assert set(frame["simulator"]) == {"tuned"} and set(frame["session_id"]) == {
        f"v{i}-{j}" for i in range(5) for j in range(3)
    }
    about = {k.decode(): v.decode() for k, v in pq.read_schema(made).metadata.items()}
    assert (about["digest"], about["notice"]) == (minor.digests["kfold"], minor.notice)
    first = [s.identity for s in sources(tmp_path / "run", results.read(tmp_path / "run"))["tuned"] if s.fold == 0]
    assert json.loads(about["trials"]) == {"tuned": first}


def test_what_must_be_said_of_another_task_stays_as_long_as_its_rows_do(toys, mini, minor, tmp_path):
    shutil.copytree(toys, tmp_path / "run")
    both = f"{mini.notice}; {minor.notice}"
    assert study(mini, tmp_path / "run", ("tuned",)).test((), other=minor).notice == both
    # Another test of another simulator: the rows of the transfer stand, though nothing was predicted on this task.
    found = study(mini, tmp_path / "run", ("by-item",)).test(("relabel",))
    assert {r.test for r in found.rows} == {"transfer minor", "relabel"} and found.notice == both
    assert records.read(tmp_path / "run").notice == both
    assert both in render(records.document(found, ("relabel",)), "terminal")
    (tmp_path / "run" / "stress" / "transfer-minor" / "predictions.parquet").unlink()
    gone = study(mini, tmp_path / "run", ("by-item",)).test(("layout",))
    assert "transfer minor" not in {r.test for r in gone.rows} and gone.notice == mini.notice


def test_a_transfer_of_one_simulator_leaves_that_of_another_in_the_file(toys, mini, minor, tmp_path):
    out = finished(mini, tmp_path / "run", ("tuned", "tuned-too"))
    for name in ("tuned", "tuned-too"):
        study(mini, out, (name,)).test((), other=minor)
    frame = pd.read_parquet(out / "stress" / "transfer-minor" / "predictions.parquet")
    assert set(frame["simulator"]) == {"tuned", "tuned-too"}


def test_other_screens_than_the_runs_are_refused(toys, mini, tmp_path):
    shutil.copytree(toys, tmp_path / "run")
    for path in (tmp_path / "run" / "trials").glob("*/trial.json"):
        path.write_text(path.read_text().replace('"stimuli": "', '"stimuli": "0'))
    with pytest.raises(InputError, match=r"other screens, texts or boxes.*--data"):
        study(mini, tmp_path / "run")


def test_an_interrupted_test_goes_on_where_it_was(toys, mini, tmp_path):
    shutil.copytree(toys, tmp_path / "run")

    def stop(line):
        if line.startswith("7 of"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(mini, tmp_path / "run", ("by-item",), report=stop).test(("relabel",))
    assert records.read(tmp_path / "run") is None
    said: list[str] = []
    found = study(mini, tmp_path / "run", ("by-item",), report=said.append).test(("relabel",))
    assert len(said) == 1 + 4 and "is kept" in said[0]
    assert value(found, "relabel", "by-item", "answer stays with the item") == 1


def test_a_damaged_record_is_told_before_anything_is_computed(mini, tmp_path):
    out = finished(mini, tmp_path / "run", ("by-item",))
    (out / "stress").mkdir()
    (out / "stress" / "stress.json").write_text("{")
    with pytest.raises(InputError, match=r"stress\.json: line 1 is not JSON"):
        study(mini, out).test(("swap-users",))
    assert not (out / "stress" / "parts").exists()


@pytest.mark.parametrize("spoilt", ["a trial's predictions", "scores"])
def test_damaged_files_of_the_run_are_told_before_anything_is_computed(spoilt, mini, tmp_path):
    out = finished(mini, tmp_path / "run", ("by-item", "by-user"))
    last = sources(out, results.read(out))["by-user"][-1].folder / "predictions.parquet"
    (last if spoilt != "scores" else out / "scores.parquet").write_bytes(b"PAR1 nothing")
    said: list[str] = []
    with pytest.raises(InputError, match=r"damaged.*run again"):
        study(mini, out, report=said.append).test(("swap-users",))
    assert all(line.startswith("note: ") for line in said) and not (out / "stress" / "parts").exists()


def personal(**apart: float) -> pd.DataFrame:
    """Scores of nine users whose own differs from the swapped by a mean per metric; 0 is a difference of noise."""
    noise = np.resize([1.0, -1.0, 0.5, -0.5, 0.0], 9) * 0.1
    rows = [
        {"simulator": condition, "seed": 1, "session_id": f"s{i}", "user": f"u{i}"}
        | {metric: 1.0 + (gap + noise[i] if condition == "own" else 0.0) for metric, gap in apart.items()}
        for i in range(9)
        for condition in ("own", "swap-users")
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("apart", "told"),
    [
        (
            {"KL": -0.5, "Accuracy": 0.5, "LogLoss": -0.5, "AUC": 0.5},
            r"A user's own does better than another's on KL \(p .*\), Accuracy \(.*\), LogLoss \(.*\) and "
            r"AUC \(.*\)\. The gain is personal\.",
        ),
        (
            {"KL": 0.03, "Accuracy": 0.0, "LogLoss": -0.5, "AUC": 0.5},
            r"A user's own does better than another's on LogLoss \(.*\) and AUC \(.*\); no difference is shown on "
            r"KL \(p = 0\.\d+\) and Accuracy \(p = 1\.000\)\. The gain is personal there\.",
        ),
        (
            {"KL": 0.5, "Accuracy": 0.5, "LogLoss": 0.0, "AUC": 0.0},
            r"A user's own .* on Accuracy \(.*\); another user's does better than the user's own on KL \(.*\); "
            r"no difference is shown on LogLoss \(.*\) and AUC \(p = [0-9.]+\)\.",
        ),
        (
            {"KL": 0.0, "Accuracy": 0.0, "LogLoss": 0.0, "AUC": 0.0},
            r"That a user's own does better than another's is shown on no metric: KL \(.*\), .* and AUC \(.*\)\.",
        ),
    ],
)
def test_the_sentence_on_swapped_users_speaks_of_every_metric(apart, told):
    found = rows.swap_users("x", personal(**apart), {}, unchanged=False)
    assert re.fullmatch(told, found[0].reading), found[0].reading
    for row in found[2::2]:
        assert row.measure.partition("↓")[0].partition("↑")[0] in row.reading or "As another user" in row.reading


def test_the_sentence_on_a_transfer_speaks_of_every_metric():
    scores = personal(KL=-0.5, Accuracy=-0.5, LogLoss=0.0, AUC=0.0).replace({"own": "x", "swap-users": "backbone"})
    found = rows.transfer("transfer y", "x", scores, ("KL", "Accuracy", "LogLoss", "AUC"), ("backbone",), "z")
    assert re.fullmatch(
        r"Compared with backbone: better on KL \(.*\); worse on Accuracy \(.*\); "
        r"no difference is shown on LogLoss, AUC\.",
        found[0].reading,
    )
    assert "KL there, as fitted on z." not in {r.reading for r in found[:1]} and len(found) == 8
