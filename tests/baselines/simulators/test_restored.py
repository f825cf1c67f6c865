"""A tuned prompt comes back from its trial's artifacts, and nothing else passes for it."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from baselines import registry
from baselines.simulators.prompted import PROMPT_FILE
from benchmark.simulator import Restorable
from tasks.errors import InputError
from tests.baselines.simulators.test_simulators import build, same, unseen, workspace
from tests.baselines.tuning.people import sessions

TUNED = ("shared-prompt", "fixate", "fixate-suffix", "fixate-no-weights", "fixate-no-attention", "fixate-no-ntp")


def tuned(name, folder, place):
    simulator = build(name, folder)
    simulator.attach(workspace(place, []))
    simulator.fit(sessions(), 1)
    return simulator


@pytest.mark.slow
@pytest.mark.parametrize("name", TUNED)
def test_a_restored_simulator_predicts_exactly_what_the_tuned_one_did(name, folder, tmp_path):
    shown = [session.stimulus() for session in unseen() + sessions(users=1, prefix="new")]
    first = tuned(name, folder, tmp_path).simulate(shown)
    again = build(name, folder)
    assert isinstance(again, Restorable)
    again.restore(tmp_path / "artifacts", sessions(), 1)
    assert same(first, again.simulate(shown))


@pytest.fixture(scope="module")
def kept(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("kept")
    tuned("fixate", folder, place)
    return place / "artifacts"


def test_only_simulators_with_a_tuned_prompt_are_restorable(folder):
    found = {name for name in registry.names() if isinstance(registry.build(name, {}), Restorable)}
    assert found == set(TUNED)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "there is no tuned prompt"),
        (lambda path: path.write_bytes(b"nothing"), "is damaged"),
        (lambda path: save_file({"basis": torch.zeros(2, 2, 4)}, path), "is damaged"),
        (
            lambda path: save_file(
                {k: v * float("nan") for k, v in load_file(path).items()},
                path,
                metadata={"users": '["u0", "u1", "u2"]', "placement": "prefix"},
            ),
            "not finite",
        ),
        (
            lambda path: save_file(load_file(path), path, metadata={"users": '["u0"]', "placement": "prefix"}),
            "another prompt",
        ),
        (
            lambda path: save_file(
                load_file(path), path, metadata={"users": '["u0", "u1", "u2"]', "placement": "suffix"}
            ),
            "another prompt",
        ),
    ],
)
def test_a_file_that_is_not_this_prompt_is_refused(kept, folder, tmp_path, spoil, message):
    shutil.copytree(kept, tmp_path / "artifacts")
    spoil(tmp_path / "artifacts" / PROMPT_FILE)
    with pytest.raises(InputError, match=message):
        build("fixate", folder).restore(tmp_path / "artifacts", sessions(), 1)


@pytest.mark.slow
def test_other_settings_or_users_ask_for_another_prompt(kept, folder):
    with pytest.raises(InputError, match="another prompt"):
        build("fixate", folder, tokens=3).restore(kept, sessions(), 1)
    with pytest.raises(InputError, match="another prompt"):
        build("fixate", folder).restore(kept, sessions(users=2), 1)
    with pytest.raises(InputError, match="another prompt"):
        build("shared-prompt", folder).restore(kept, sessions(), 1)
