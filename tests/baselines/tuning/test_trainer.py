import dataclasses
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from baselines.backbones import memory
from baselines.tuning import state
from baselines.tuning.examples import ExampleStore
from baselines.tuning.settings import TuningSettings
from baselines.tuning.trainer import Trainer
from benchmark.simulator import Workspace
from tasks.definition import quiet
from tasks.errors import InputError
from tests.baselines.tuning.people import sessions

pytestmark = pytest.mark.slow

QUICK = TuningSettings(bases=3, tokens=3, epochs=3, basis_lr=1e-2, user_lr=1e-1, patience=0)


def trainer(backbone, settings=QUICK, seed=1, train=None, workspace=None):
    store = ExampleStore(backbone, settings.tokens, settings.placement)
    return Trainer(backbone, store, settings, train or sessions(), seed, workspace)


def workspace(folder, said=None, progress=quiet):
    for name in ("state", "artifacts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Workspace(folder / "state", folder / "artifacts", (said if said is not None else []).append, progress)


def values(bank):
    return {name: value.detach() for name, value in bank.named_parameters()}


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def curve(epochs):
    timed = ("seconds_train", "seconds_valid", "sessions_per_second", "tokens_per_second", "peak_memory_bytes")
    return [{k: v for k, v in dataclasses.asdict(epoch).items() if k not in timed} for epoch in epochs]


@pytest.mark.parametrize("change", [{}, {"placement": "suffix"}, {"personal": False}, {"lambda_": 0.0}, {"ntp": False}])
def test_training_lowers_what_it_trains(backbone, change):
    settings = dataclasses.replace(QUICK, epochs=8, validation=0.0, **change)
    bank, epochs, best = trainer(backbone, settings).run()
    assert epochs[-1].loss < 0.9 * epochs[1].loss and best == 8
    assert (bank.user_logits is not None) == settings.personal
    if settings.personal:
        assert epochs[-1].mixing_entropy < math.log(3) - 1e-3


def test_the_backbone_stays_as_it_was(backbone):
    before = [p.clone() for p in backbone.model.parameters()]
    trainer(backbone).run()
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(before, backbone.model.parameters(), strict=True))


@pytest.mark.parametrize("placement", ["prefix", "suffix"])
def test_the_same_seed_gives_the_same_prompt_and_another_seed_another(backbone, placement):
    settings = dataclasses.replace(QUICK, placement=placement)
    first, again, other = (values(trainer(backbone, settings, seed).run()[0]) for seed in (1, 1, 2))
    assert same(first, again) and not same(first, other)


@pytest.mark.parametrize("placement", ["prefix", "suffix"])
def test_a_training_stopped_and_resumed_ends_bit_for_bit_like_one_that_was_not(backbone, folder, tmp_path, placement):
    from baselines.backbones.loading import load_backbone

    settings = dataclasses.replace(QUICK, epochs=4, placement=placement)
    whole, epochs, best = trainer(backbone, settings).run()

    def stop_in_the_third(items, *, total=None, desc=""):
        for number in items:
            if number == 3:
                raise KeyboardInterrupt
            yield number

    with pytest.raises(KeyboardInterrupt):
        trainer(backbone, settings, workspace=workspace(tmp_path, progress=stop_in_the_third)).run()
    said = []
    # Another copy of the model: nothing may survive in caches.
    fresh = load_backbone(folder, device="cpu", dtype="float32", features=None)
    resumed, resumed_epochs, resumed_best = trainer(fresh, settings, workspace=workspace(tmp_path, said)).run()
    assert same(values(whole), values(resumed)) and best == resumed_best
    assert curve(epochs) == curve(resumed_epochs)
    assert any("continues after epoch 2" in line for line in said)


def test_a_checkpoint_of_another_training_is_not_continued(backbone, tmp_path):
    trainer(backbone, workspace=workspace(tmp_path)).run()
    said = []
    other = dataclasses.replace(QUICK, gamma=0.0)
    found = values(trainer(backbone, other, workspace=workspace(tmp_path, said)).run()[0])
    assert not any("goes on" in line for line in said)
    assert same(found, values(trainer(backbone, other).run()[0]))


def test_a_damaged_checkpoint_is_one_line(backbone, tmp_path):
    place = workspace(tmp_path)
    trainer(backbone, workspace=place).run()
    path = place.folder / state.FILE
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="training state .* is damaged.*delete it"):
        trainer(backbone, workspace=place).run()


def test_the_interruption_says_how_to_go_on(backbone, tmp_path, monkeypatch):
    said = []
    job = trainer(backbone, workspace=workspace(tmp_path, said))
    monkeypatch.setattr(Trainer, "_step", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        job.run()
    assert any("interrupted in epoch 1" in line and "Run the same command" in line for line in said)


def test_the_best_epoch_by_validation_is_restored(backbone, tmp_path):
    place = workspace(tmp_path)
    # Far too fast: it overshoots, so that the last epoch is not the best.
    settings = dataclasses.replace(QUICK, epochs=6, basis_lr=2.0, user_lr=3.0, validation=0.3)
    job = trainer(backbone, settings, workspace=place)
    bank, epochs, best = job.run()
    scores = [epoch.valid_score for epoch in epochs]
    assert best == int(np.argmin(scores)) and best != 6
    checked = job._validated(bank, epochs[best])
    assert checked.valid_score == pytest.approx(scores[best], rel=1e-6)


def test_training_stops_when_validation_has_not_improved(backbone):
    settings = dataclasses.replace(QUICK, epochs=12, basis_lr=2.0, user_lr=3.0, patience=2, validation=0.3)
    _, epochs, best = trainer(backbone, settings).run()
    assert epochs[-1].epoch == best + 2 < 12


def test_the_validation_score_is_logloss_plus_kl_for_the_models_own_answer(backbone):
    from baselines.probing.registry import create
    from baselines.tuning.examples import Batch
    from baselines.tuning.reading import read

    job = trainer(backbone, dataclasses.replace(QUICK, epochs=1, validation=0.3))
    bank, epochs, best = job.run()
    total = []
    for session in job._held:
        batch = Batch.of([job.store.get(session)])
        found = read(backbone, batch, bank([session.user]).detach(), create(QUICK.operator))
        attention = found.attention_of(0, len(session.slots))
        kl = np.sum(session.gaze * np.log((session.gaze + 1e-8) / (attention + 1e-8)))
        total.append(kl - float(found.log_probabilities[0, session.click]))
    assert len(total) == 4 and epochs[best].valid_score == pytest.approx(np.mean(total), rel=1e-4)


def test_validation_sessions_do_not_train(backbone):
    job = trainer(backbone)
    job.run()
    train = sessions()
    held = {session.session_id for session in job._held}
    assert held
    # Other clicks and gaze in training leave a mark, in validation they leave none on the last epoch's prompt.
    spoilt = [
        dataclasses.replace(s, gaze_ms=s.gaze_ms[::-1].copy(), click=5 - s.click) if s.session_id in held else s
        for s in train
    ]
    first, second = trainer(backbone), trainer(backbone, train=spoilt)
    first.run(), second.run()
    assert same(first._state.parameters, second._state.parameters)
    assert first._state.epochs[-1].valid_score != second._state.epochs[-1].valid_score


@pytest.mark.parametrize("signal", ["cursor", "both"])
def test_the_signal_changes_what_is_aligned(backbone, signal):
    gaze = values(trainer(backbone).run()[0])
    assert not same(gaze, values(trainer(backbone, dataclasses.replace(QUICK, signal=signal)).run()[0]))


def test_the_target_in_training_is_a_setting(backbone):
    settings = dataclasses.replace(QUICK, operator="attnlrp-stable", epochs=1)
    assert not same(
        values(trainer(backbone, settings).run()[0]),
        values(trainer(backbone, dataclasses.replace(settings, target="free")).run()[0]),
    )


def test_accumulation_is_one_larger_batch(backbone):
    settings = dataclasses.replace(QUICK, epochs=1, clip=1e9)
    parts = trainer(backbone, dataclasses.replace(settings, batch_size=2, accumulation=2))
    whole = trainer(backbone, dataclasses.replace(settings, batch_size=4, accumulation=1))
    left, right = parts.run()[1][-1], whole.run()[1][-1]
    assert left.steps == right.steps
    assert left.loss == pytest.approx(right.loss, rel=1e-4)
    assert left.gradient_basis == pytest.approx(right.gradient_basis, rel=1e-2)


def test_without_memory_for_a_batch_it_is_halved_with_the_same_result(backbone, tmp_path, monkeypatch):
    said = []
    settings = dataclasses.replace(QUICK, epochs=1)
    plain = trainer(backbone, settings).run()[1][-1]
    terms = Trainer._terms

    def scarce(self, bank, found, share):
        if len(found) > 2:
            raise MemoryError
        return terms(self, bank, found, share)

    monkeypatch.setattr(Trainer, "_terms", scarce)
    halved = trainer(backbone, settings, workspace=workspace(tmp_path, said)).run()[1][-1]
    assert halved.loss == pytest.approx(plain.loss, rel=1e-4)
    assert any("out of memory with 4 sessions at once; these are trained 2 at a time" in line for line in said)


def test_divergence_names_step_and_settings_and_keeps_the_last_good_checkpoint(backbone, tmp_path, monkeypatch):
    place = workspace(tmp_path)
    terms, calls = Trainer._terms, []

    def fails_late(self, bank, found, share):
        calls.append(len(found))
        parts, loss = terms(self, bank, found, share)
        return parts, loss * (math.nan if len(calls) == 8 else 1.0)

    monkeypatch.setattr(Trainer, "_terms", fails_late)
    with pytest.raises(InputError) as error:
        trainer(backbone, dataclasses.replace(QUICK, basis_lr=0.02), workspace=place).run()
    line = str(error.value)
    # Ten sessions train: steps of 8 and 2 in forward passes of 4, 4 and 2, so the eighth pass is in step 5, epoch 3.
    assert (
        "diverged at step 5 in epoch 3" in line and "basis_lr=0.02" in line and "loss nan" in line and "\n" not in line
    )
    assert "checkpoint of epoch 2 is kept" in line
    with pytest.raises(InputError):
        trainer(backbone, workspace=place, settings=dataclasses.replace(QUICK, bases=0))
    monkeypatch.undo()
    said = []
    _, epochs, _ = trainer(
        backbone, dataclasses.replace(QUICK, basis_lr=0.02), workspace=workspace(tmp_path, said)
    ).run()
    assert any("continues after epoch 2" in line for line in said) and epochs[-1].epoch == 3


def test_curves_are_kept_as_a_table_and_a_picture(backbone, tmp_path):

    place = workspace(tmp_path)
    _, epochs, best = trainer(backbone, workspace=place).run()
    table = pq.read_table(place.artifacts / "curves.parquet")
    assert table.schema.metadata[b"best_epoch"] == str(best).encode()
    rows = table.to_pylist()
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3] and rows == [dataclasses.asdict(epoch) for epoch in epochs]
    assert rows[0]["loss"] is None and rows[0]["mixing_entropy"] == pytest.approx(math.log(3))
    last = rows[-1]
    assert last["loss"] == pytest.approx(last["ntp"] + last["attention"] + 1e-3 * last["penalty"], rel=1e-4)
    assert (
        last["gradient_largest"] >= last["gradient_basis"] > 0
        and last["tokens_per_second"] > last["sessions_per_second"] > 0
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bases": 0}, "bases is 0"),
        ({"lambda_": -1.0}, "lambda_ is -1"),
        ({"basis_lr": math.inf}, "basis_lr is inf"),
        ({"validation": 1.0}, "validation is 1"),
        ({"ntp": False, "lambda_": 0.0}, "no loss"),
        ({"clips": (1.0, 0.0)}, "clips is"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        TuningSettings(**wrong)


@pytest.mark.parametrize("given", [{"clips": (1.0, 1.0)}, {"parameters": "model"}])
def test_settings_for_one_process_are_refused_among_several(given, monkeypatch):
    TuningSettings(**given)
    monkeypatch.setattr("baselines.tuning.settings.current", object)
    TuningSettings()
    with pytest.raises(InputError, match="for one process"):
        TuningSettings(**given)


def test_published_ways_of_tuning_do_what_they_say(backbone):
    published = {"warmup": 2, "clips": (1e-3, 1e9), "parameters": "model", "user_decay": 0.0, "gradient_scale": 0.1}
    settings = dataclasses.replace(QUICK, epochs=3, validate_every=2, score="composite", user_lr=1e-9, **published)
    job = trainer(backbone, settings)
    bank, epochs, best = job.run()
    assert [epoch.valid_score is not None for epoch in epochs] == [False, False, True, True]
    assert best in (2, 3) and all(epoch.clipped == 1.0 for epoch in epochs[1:])
    # Two of the steps have no attention loss; the objective of the first epoch shows it.
    assert epochs[1].loss < epochs[1].ntp + epochs[1].attention
    assert [group["weight_decay"] for group in job._optimiser.param_groups] == [1e-3, 0.0]
    assert job._operator.eps == pytest.approx(1e-3) and bank.basis.dtype == backbone.dtype


def test_rollout_is_trained_the_same_with_and_without_recomputation(backbone, monkeypatch):
    settings = dataclasses.replace(QUICK, operator="rollout", epochs=1)
    kept = trainer(backbone, settings).run()[1][-1]
    monkeypatch.setattr(memory, "SMALL", 0)
    again = trainer(backbone, settings).run()[1][-1]
    assert kept.loss == pytest.approx(again.loss, rel=1e-5) and kept.gradient_basis == pytest.approx(
        again.gradient_basis, rel=1e-3
    )
