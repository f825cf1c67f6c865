import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from baselines import registry
from baselines.simulators import loaded, prompted
from baselines.simulators.prompted import Fixate
from benchmark.runs.runner import run_trial
from benchmark.scores.checking import simulated
from benchmark.simulator import AttendsToLabel, HasMaterial, ReportsCost, UsesWorkspace, Workspace
from benchmark.trials.catalogue import setting_names, simulator_class
from benchmark.trials.trial import Trial
from tasks.definition import quiet
from tasks.errors import InputError
from tasks.types import Session
from tests.baselines.backbones import tiny
from tests.baselines.tuning.people import sessions

QUICK = {"bases": 2, "tokens": 2, "epochs": 2, "basis_lr": 1e-2, "user_lr": 1e-1, "heads": 2}
ON_SCREEN = (
    "backbone",
    "gaze-heads",
    "random-prompt",
    "shared-prompt",
    "fixate",
    "fixate-suffix",
    "fixate-no-weights",
    "fixate-no-attention",
    "fixate-no-ntp",
)


def build(name, folder, **settings):
    known = setting_names(registry.entry(name).factory)
    chosen = {k: v for k, v in {**QUICK, **settings}.items() if k in known}
    return registry.build(name, {"backbone": folder, **chosen})


def fitted(name, folder, seed=1, train=None, **settings):
    simulator = build(name, folder, **settings)
    simulator.fit(sessions() if train is None else train, seed)
    return simulator


def workspace(folder, said):
    for name in ("state", "artifacts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Workspace(folder / "state", folder / "artifacts", said.append, quiet)


def unseen():
    return sessions(each=2, seed=9)


def same(left, right):
    return all(
        np.array_equal(a.attention, b.attention)
        and np.array_equal(a.probabilities, b.probabilities)
        and a.answer == b.answer
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_SCREEN)
def test_predictions_are_whole_repeatable_and_come_from_the_seed(name, folder):
    shown = [session.stimulus() for session in unseen()]
    first = fitted(name, folder).simulate(shown)
    assert [p.session_id for p in first] == [s.session_id for s in shown]
    assert len(simulated(first, unseen(), name, 1, name)) == len(first)  # every value is in its range
    for prediction in first:
        assert prediction.attention.sum() == pytest.approx(1)
        assert prediction.answer == int(prediction.probabilities.argmax())
        assert prediction.target == ("none" if name == "gaze-heads" else "free")
    assert same(first, fitted(name, folder).simulate(shown))
    assert same(first, fitted(name, folder, seed=2).simulate(shown)) != registry.entry(name).stochastic


@pytest.mark.parametrize("operator", ["rollout", "attnlrp", "glimpse"])
def test_every_operator_can_be_tuned_and_read(operator, folder):
    simulator = fitted("fixate", folder, operator=operator, epochs=1)
    found = simulator.simulate([unseen()[0].stimulus()])[0]
    assert found.attention.sum() == pytest.approx(1)
    assert found.target == ("none" if operator == "rollout" else "free")


def test_the_backbone_alone_says_what_the_backbone_says(folder):
    shown = unseen()[0]
    found = fitted("backbone", folder).simulate([shown.stimulus()])[0]
    np.testing.assert_allclose(found.probabilities, tiny.token_scores(loaded.load(folder), [shown])[0], rtol=1e-5)


def test_a_random_prompt_is_fixate_before_its_first_step(folder):
    from baselines.tuning.prompt import PromptBank
    from baselines.tuning.settings import TuningSettings

    random = fitted("random-prompt", folder)
    words = loaded.load(folder).model.get_input_embeddings().weight
    start = PromptBank.drawn(words, ["u0", "u1"], 1, TuningSettings(bases=2, tokens=2))
    torch.testing.assert_close(random._bank(["u0"]).detach(), start(["u0"]).detach())


def test_users_have_prompts_of_their_own_and_newcomers_the_mean(folder, tmp_path):
    said = []
    simulator = build("fixate", folder)
    simulator.attach(workspace(tmp_path, said))
    simulator.fit(sessions(), 1)
    one = unseen()[0].stimulus()
    other, new = (dataclasses.replace(one, user=user) for user in ("u1", "newcomer"))
    own, swapped, mean = simulator.simulate([one, other, new])
    assert not np.allclose(own.probabilities, swapped.probabilities, rtol=1e-4)
    assert any("1 users have no training session (newcomer)" in line and "mean coefficients" in line for line in said)
    with torch.no_grad():
        coefficients = torch.softmax(simulator._bank.user_logits, 1).mean(0)
        prompt = torch.einsum("m,mnd->nd", coefficients, simulator._bank.basis)
    expected = tiny.token_scores(loaded.load(folder), [new], [prompt])[0]
    np.testing.assert_allclose(mean.probabilities, expected, rtol=1e-4)
    assert {path.name for path in (tmp_path / "artifacts").iterdir()} == {
        "curves.parquet",
        "prompt.safetensors",
    }


def test_a_shared_prompt_knows_no_users(folder):
    simulator = fitted("shared-prompt", folder)
    one = unseen()[0].stimulus()
    assert same(simulator.simulate([one]), simulator.simulate([dataclasses.replace(one, user="u1")]))


@pytest.mark.slow
def test_a_fit_resumed_in_a_new_simulator_predicts_the_same(folder, tmp_path, monkeypatch):
    from baselines.tuning.trainer import Trainer

    shown = [session.stimulus() for session in unseen()]
    whole = fitted("fixate", folder, epochs=3).simulate(shown)
    step, calls = Trainer._step, []

    def stopped(self, *arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(Trainer, "_step", stopped)
    first = build("fixate", folder, epochs=3)
    first.attach(workspace(tmp_path, []))
    with pytest.raises(KeyboardInterrupt):
        first.fit(sessions(), 1)
    monkeypatch.undo()
    loaded.forget()
    second, said = build("fixate", folder, epochs=3), []
    second.attach(workspace(tmp_path, said))
    second.fit(sessions(), 1)
    assert any("continues after epoch" in line for line in said)
    assert same(whole, second.simulate(shown))


class Secret(Session):
    """A test session whose recording must not be read."""

    __slots__ = ()

    def __getattribute__(self, name):
        if name in ("gaze_ms", "cursor_ms", "click", "gaze"):
            raise AssertionError(f"the {name} of a test session was read")
        return super().__getattribute__(name)


def secret(session):
    hidden = object.__new__(Secret)
    for field in dataclasses.fields(Session):
        object.__setattr__(hidden, field.name, getattr(session, field.name))
    return hidden


class Guarded:
    """A task whose test sessions can be listed but whose recordings raise when they are read."""

    def __init__(self):
        self.sessions = [*sessions(), *map(secret, unseen())]
        self.asked = []

    def split(self, name):
        train = list(range(len(sessions())))
        return SimpleNamespace(name=name, folds=[(train, list(range(len(train), len(self.sessions))))])

    def sessions_at(self, indices):
        self.asked.append(indices)
        return [self.sessions[i] for i in indices]


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_SCREEN)
def test_a_trial_never_reads_the_recording_of_a_test_session(name, folder, tmp_path, monkeypatch):
    entry, task = registry.entry(name), Guarded()
    settings = {k: v for k, v in QUICK.items() if k in setting_names(entry.factory)} | {"backbone": folder}
    trial = Trial("t", "1", "loo", "", name, entry.factory, settings, {}, entry.oracle, 1, 0, "")
    fit = simulator_class(entry.factory).fit

    def fits_first(self, train, seed):
        fit(self, train, seed)
        # Until fit has returned, nobody has so much as asked for the test sessions.
        assert task.asked == [task.split("loo").folds[0][0]]

    monkeypatch.setattr(simulator_class(entry.factory), "fit", fits_first)
    made, _ = run_trial(trial, task, workspace(tmp_path, []))
    assert made["session_id"].to_pylist() == [session.session_id for session in unseen()]


def test_a_trial_that_asks_for_label_attention_reads_the_click_of_a_test_session(folder, tmp_path):
    """The guard works: where the click is asked for, on request only, it raises."""
    entry = registry.entry("backbone")
    trial = Trial("t", "1", "loo", "", "backbone", entry.factory, {"backbone": folder}, {}, False, 1, 0, "", label=True)
    with pytest.raises(AssertionError, match="click of a test session"):
        run_trial(trial, Guarded(), workspace(tmp_path, []))


def test_attention_for_the_label_is_marked_and_differs_from_the_free_one(folder):
    simulator = fitted("fixate", folder)
    shown = unseen()
    free = simulator.simulate([session.stimulus() for session in shown])
    wrong = [dataclasses.replace(s, click=(p.answer + 1) % 6) for s, p in zip(shown, free, strict=True)]
    label = simulator.attend_to_label(wrong)
    assert {p.target for p in label} == {"label"} and all(p.probabilities is None and p.answer is None for p in label)
    assert not any(np.allclose(a.attention, b.attention, rtol=1e-3) for a, b in zip(free, label, strict=True))
    right = [dataclasses.replace(s, click=p.answer) for s, p in zip(shown, free, strict=True)]
    for a, b in zip(free, simulator.attend_to_label(right), strict=True):
        np.testing.assert_allclose(a.attention, b.attention, rtol=1e-4)


def test_the_contracts_are_met_and_costs_counted(folder):
    simulator = fitted("fixate", folder)
    assert all(isinstance(simulator, kind) for kind in (UsesWorkspace, HasMaterial, ReportsCost, AttendsToLabel))
    before = simulator.cost()["flops_estimated"]
    shown = [session.stimulus() for session in unseen()]
    simulator.simulate(shown)
    cost = simulator.cost()
    length = sum(loaded.load(folder).build(s).inputs_embeds.shape[1] + 2 for s in shown)
    assert cost["tokens_simulated"] == length
    decoder = sum(p.numel() for p in loaded.load(folder).model.get_decoder().parameters())
    assert cost["flops_estimated"] - before == 2 * decoder * length
    assert cost["epochs"] == 2 and cost["seconds_train"] > 0 and cost["peak_memory_bytes"] > 1e6


def test_the_material_changes_with_the_model_and_the_number_format(folder, tmp_path):
    import json
    import shutil

    first = build("fixate", folder).material()
    assert first == {**build("backbone", folder).material(), "tuning": "1"}
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert build("fixate", str(copy)).material() == first
    (copy / "gazebench.json").write_text(json.dumps({"letters": "Pick one letter."}))
    assert build("fixate", str(copy)).material() != first
    assert build("fixate", folder, dtype="float64").material() != first


@pytest.fixture
def loads(monkeypatch):
    """The backbones that are loaded, in order; nothing is loaded before."""
    from baselines.backbones import loading

    loaded.forget()
    found, load = [], loading.load_backbone
    monkeypatch.setattr(loading, "load_backbone", lambda name, *rest: found.append(name) or load(name, *rest))
    yield found
    loaded.forget()


def test_a_backbone_is_loaded_once_per_process(folder, loads):
    fitted("backbone", folder)
    fitted("random-prompt", folder)
    assert loads == [folder]


def test_two_small_backbones_stay_loaded_and_a_large_one_is_alone(folder, tmp_path, loads, monkeypatch):
    import shutil

    first, second, third = folder, *(str(shutil.copytree(folder, tmp_path / name)) for name in "bc")
    for name in (first, second, first, third, first, second):
        loaded.load(name)
    assert loads == [first, second, third, second]  # the third took the place of the second
    monkeypatch.setattr("baselines.backbones.memory.SMALL", 0)
    loaded.load(third)
    for name in (third, first, third):
        loaded.load(name)
        assert [key[0] for key in loaded._loaded] == [name]
    assert loads[4:] == [third, first, third]


def test_variants_are_settings_of_one_class():
    base = {f.name: f.default for f in dataclasses.fields(Fixate) if f.init}
    expected = {
        "SharedPrompt": {"personal": False},
        "FixateSuffix": {"placement": "suffix"},
        "FixateNoWeights": {"gamma": 0.0},
        "FixateNoAttention": {"lambda_": 0.0},
        "FixateNoNTP": {"ntp": False},
    }
    for name, changes in expected.items():
        fields = {f.name: f for f in dataclasses.fields(getattr(prompted, name)) if f.name in base}
        assert {k: f.default for k, f in fields.items() if f.default != base[k]} == changes
        # What makes the variant is not a setting: neither a preset nor --set lambda=1 may turn an ablation into FixATE.
        assert {k for k, f in fields.items() if not f.init} == set(changes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"operator": "glimps"}, "unknown operator 'glimps'. Did you mean 'glimpse'"),
        ({"operator": "gaze-heads"}, "run the simulator gaze-heads"),
        ({"dtype": "float31"}, "unknown dtype 'float31'"),
        ({"epochs": 0}, "epochs is 0"),
        ({"target": "true"}, "target of fixate"),
    ],
)
def test_wrong_settings_are_one_line(settings, message, folder):
    with pytest.raises(InputError, match=message):
        build("fixate", folder, **settings)


def test_more_gaze_heads_than_the_model_has_are_refused(folder):
    with pytest.raises(InputError, match="from 1 to 8"):
        fitted("gaze-heads", folder, heads=9)


def test_sessions_without_an_image_are_named_not_called_divergence(folder):
    train = [dataclasses.replace(session, image=None) for session in sessions()]
    with pytest.raises(InputError, match="session u.-. has no image"):
        fitted("fixate", folder, train=train, validation=0.0)


def test_a_small_model_runs_in_one_thread_and_the_setting_comes_back(folder, monkeypatch):
    from baselines.backbones import memory
    from baselines.tuning.trainer import Trainer

    seen, step = [], Trainer._step

    def counted(self, *arguments):
        seen.append(torch.get_num_threads())
        return step(self, *arguments)

    monkeypatch.setattr(Trainer, "_step", counted)
    torch.set_num_threads(2)
    try:
        fitted("fixate", folder)
        assert set(seen) == {1} and torch.get_num_threads() == 2
        monkeypatch.setattr(memory, "SMALL", 10)
        seen.clear()
        fitted("fixate", folder, epochs=1)
        assert set(seen) == {2}
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("name", ["backbone", "fixate", "fixate-suffix"])
def test_the_other_architecture_will_do_as_well(name, tmp_path):
    folder = str(tiny.save("internvl", tmp_path / "internvl"))
    first = fitted(name, folder).simulate([unseen()[0].stimulus()])[0]
    assert first.attention.sum() == pytest.approx(1) and first.probabilities.sum() == pytest.approx(1)
