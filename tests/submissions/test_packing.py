from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
import yaml

import submissions
from baselines.limits import departing
from baselines.tuning.settings import ReadingRules
from benchmark.cli import main
from benchmark.naming import OTHERWISE
from benchmark.runs import kept
from benchmark.runs.runner import run
from benchmark.scores import paths, scoring
from benchmark.trials.configuration import RunConfig
from submissions import packing
from submissions.facts import Facts
from submissions.packing import _telling, pack
from tasks.errors import InputError
from tests.benchmark.toys import Toys

SIMULATORS = ("sharp", "noisy", "faint", "oracle")


@pytest.fixture(scope="module")
def finished(mini, tmp_path_factory):
    out = tmp_path_factory.mktemp("packing") / "run"
    config = RunConfig("mini", split="kfold", simulators=SIMULATORS, seeds=(1, 2), reference="sharp")
    return out, run(config, mini, Toys(), out)


@pytest.mark.slow
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_packed_simulator_passes_and_scores_as_in_its_run(finished, mini, tmp_path, simulator):
    out, found = finished
    oracle = simulator == "oracle"
    facts = Facts("a toy", ("test gaze",) if oracle else ("image",), "oracle" if oracle else "other")
    pack(out, simulator, tmp_path / "s", facts)
    assert submissions.errors(submissions.doctor(tmp_path / "s", {"mini": mini})) == []
    submission = submissions.read(tmp_path / "s")
    assert (submission.kind == "oracle") == oracle and submission.notice == mini.notice and submission.digests
    assert submission.seeds == ((1, 2) if simulator == "noisy" else (1,))
    assert submission.failures == (5 if simulator == "faint" else 0)  # once in each of five folds
    assert submission.cost["seconds"] > 0 and "CPU cores" in submission.hardware
    scores = scoring.score(mini, "kfold", submissions.prediction_table(submission, submission.entries))
    row = next(r for r in found.simulators if r.name == simulator)
    for metric, result in row.metrics.items():
        assert scores[metric].mean() == pytest.approx(result.mean, rel=1e-12), metric
    assert {m for m in row.metrics} == {m for m in scores if m not in scoring.KEYS and scores[m].notna().any()}


def test_label_attention_is_packed_apart(mini, tmp_path):
    config = RunConfig("mini", simulators=("stubborn",), reference="stubborn", label=True)
    for _ in range(2):  # its first fit stops half-way
        try:
            run(config, mini, Toys(), tmp_path / "run")
        except KeyboardInterrupt:
            continue
    pack(tmp_path / "run", "stubborn", tmp_path / "free", Facts("a toy"))
    pack(tmp_path / "run", "stubborn", tmp_path / "label", Facts("a toy"), label=True)
    free, label = submissions.read(tmp_path / "free"), submissions.read(tmp_path / "label")
    assert (free.target, label.target) == ("free", "label")
    assert label.cost["tokens"] == 7 and label.notice == f"{mini.notice}; its backbone is a toy"
    one = submissions.load_predictions(label.entries[0])
    assert one["probabilities"].null_count == len(one)


def test_paths_of_the_first_seed_are_packed(finished, mini, tmp_path):
    out, found = finished
    for record in kept.behind(out, found)["noisy"]:
        tested = mini.split("kfold").folds[record.values["fold"]][1]
        drawn = {s.session_id: [[record.values["seed"], 0], [3]] for s in mini.sessions_at(tested)}
        paths.write(drawn, record.folder / "artifacts")
    for simulator in ("noisy", "sharp"):
        pack(out, simulator, tmp_path / simulator, Facts("a toy", ("image",)))
    (file,) = (tmp_path / "noisy").rglob("*.json")
    assert file == tmp_path / "noisy/paths/mini@1/kfold.json" and not (tmp_path / "sharp/paths").exists()
    assert paths.read_given(file) == {s.session_id: [[1, 0], [3]] for s in map(mini.session, range(len(mini)))}


def test_what_its_maker_says_wins_over_what_the_run_says(finished, tmp_path):
    about = {"authors": ["Ada"], "contact": "a@b.org", "simulator": {"kind": "prior"}, "attention": {"source": "ours"}}
    pack(finished[0], "sharp", tmp_path / "s", Facts("a toy", ("image",), "other", None, about))
    found = submissions.read(tmp_path / "s")
    assert (found.authors, found.kind, found.inputs) == (("Ada",), "prior", ("image",))
    assert (found.attention.source, found.attention.target) == ("ours", "free") and "weight=0.7" in found.description


@pytest.mark.parametrize(
    ("simulator", "facts", "message"),
    [
        ("shrap", Facts(), "Did you mean 'sharp'?"),
        ("sharp", Facts(sees=("future",)), "unknown input that the simulator sees: 'future'"),
        ("sharp", Facts(about={"contact": "x"}), "'contact' is 'x'"),
        ("sharp", Facts(kind="magic"), "'simulator.kind' is 'magic'"),
    ],
)
def test_what_cannot_be_packed_leaves_nothing_behind(finished, tmp_path, simulator, facts, message):
    with pytest.raises(InputError, match=message):
        pack(finished[0], simulator, tmp_path / "s", facts)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_empty_is_left_alone(finished, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        pack(finished[0], "sharp", tmp_path, Facts())
    with pytest.raises(InputError, match="holds no finished run"):
        pack(tmp_path, "sharp", tmp_path / "s", Facts())


# The verb


@pytest.fixture
def prepared(mini, monkeypatch):
    from tasks import registry

    monkeypatch.setitem(registry.TASKS, "mini", "tests.mini:DEFINITION")
    return str(mini.folder)


@pytest.mark.slow
def test_every_cheap_simulator_of_the_suite_can_be_packed(prepared, tmp_path, capsys):
    names = ["uniform", "position-prior", "kind-position-prior", "user-prior", "conditional-logit"]
    names += ["gaze-click-prior", "user-click-prior", "gaze-oracle"]
    argv = ["run", "--task", "mini", "--data", prepared, "--split", "kfold", "--simulators", ",".join(names)]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 0
    for name in names:
        out = tmp_path / name
        assert main(["pack", str(tmp_path / "run"), "--simulator", name, "--out", str(out)]) == 0
        capsys.readouterr()
        assert main(["doctor", str(out), "--data", f"mini={prepared}"]) == 0, capsys.readouterr().out
        values = yaml.safe_load((out / "submission.yaml").read_text())
        assert (values["simulator"]["kind"] == "oracle") == name.endswith("oracle")


def test_fields_come_from_a_file(prepared, tmp_path, capsys):
    argv = ["run", "--task", "mini", "--data", prepared, "--simulators", "uniform", "--reference", "uniform"]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 0
    pack_it = ["pack", str(tmp_path / "run"), "--simulator", "uniform", "--out", str(tmp_path / "s"), "--about"]
    (tmp_path / "about.yaml").write_text("authors: [Ada]\ncontact: a@b.org\nnmae: x\n")
    assert main([*pack_it, str(tmp_path / "about.yaml")]) == 2
    assert "'nmae' is not a field of the format. Did you mean 'name'?" in capsys.readouterr().err
    (tmp_path / "about.yaml").write_text("authors: [Ada]\ncontact: a@b.org\n")
    assert main([*pack_it, str(tmp_path / "about.yaml")]) == 0
    assert submissions.read(tmp_path / "s").authors == ("Ada",)
    assert main([*pack_it, str(tmp_path / "nothing.yaml")]) == 2


def test_the_files_of_a_submission_say_that_their_data_are_simulated(finished, mini, tmp_path):
    import pyarrow.parquet as pq

    pack(finished[0], "sharp", tmp_path / "s", Facts())
    (file,) = (tmp_path / "s").rglob("*.parquet")
    assert pq.read_schema(file).metadata[b"notice"].decode() == mini.notice
    assert mini.notice in (tmp_path / "s" / "submission.yaml").read_text().splitlines()[0]


def test_costs_are_summed_over_folds_and_seeds_and_peaks_are_not(finished, tmp_path):
    out, _ = finished
    records = [json.loads(path.read_text()) for path in (out / "trials").glob("*/trial.json")]
    costs = [r["cost"] for r in records if r["simulator"] == "noisy"]
    pack(out, "noisy", tmp_path / "s", Facts())
    cost = submissions.read(tmp_path / "s").cost
    assert len(costs) == 10 and cost["seconds"] == pytest.approx(sum(c["seconds"] for c in costs), abs=0.01)
    assert cost["peak_memory_bytes"] == max(c["peak_memory_bytes"] for c in costs)
    assert np.isfinite(list(cost.values())).all()


def test_what_must_be_said_of_other_simulators_of_the_run_is_not_said_of_this_one(mini, tmp_path):
    import pyarrow.parquet as pq

    names = ("stubborn", "sharp")
    config = RunConfig("mini", simulators=names, reference="sharp")
    for _ in range(2):  # the first fit of one stops half-way
        try:
            found = run(config, mini, Toys(), tmp_path / "run")
        except KeyboardInterrupt:
            continue
    assert found.notice == f"{mini.notice}; its backbone is a toy"
    for name, said in (("stubborn", found.notice), ("sharp", mini.notice)):
        pack(tmp_path / "run", name, tmp_path / name, Facts("a toy"))
        assert submissions.read(tmp_path / name).notice == said
        assert (tmp_path / name / "submission.yaml").read_text().splitlines()[0].endswith(said)
        (file,) = (tmp_path / name).rglob("*.parquet")
        assert pq.read_schema(file).metadata[b"notice"].decode() == said


def test_settings_that_depart_from_the_suites_choice_never_share_a_board_line(finished, tmp_path, monkeypatch):
    """A line is a name and a version; so a departure, which the run's notice names, is in the name."""
    notice = f"{OTHERWISE} (positions=plain)"
    assert (departing(ReadingRules(positions="plain")), departing(ReadingRules())) == (notice, "")
    monkeypatch.setattr(packing, "_notice", lambda *_: notice)
    pack(finished[0], "sharp", tmp_path / "s", Facts("a toy"))
    assert submissions.read(tmp_path / "s").name == f"sharp ({OTHERWISE})"


@pytest.mark.parametrize("last, seeds", [(1, [1]), (0, [1, 2])])
def test_seeds_that_all_say_the_same_are_one(last, seeds):
    said = pa.table({"seed": [1, 1, 2, 2], "session_id": ["a", "b"] * 2, "answer": [0, 1, 0, last]})
    assert _telling(said) == seeds
