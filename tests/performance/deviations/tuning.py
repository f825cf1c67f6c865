"""Deviations in tuning, and in the simulators that need none; tuning on the stand-in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from unittest import mock

import yaml

from baselines.simulators import text
from benchmark.trials.configuration import CONFIGS
from tasks.types import Session
from tests.performance.deviations.material import POCKET, Material
from tests.performance.deviations.measuring import (
    ADSERP,
    SEED,
    SIMULATED,
    STAND_IN,
    Deviation,
    Effect,
    Tested,
    both,
    folds,
    tested,
)

ON_STAND_IN = f"{SIMULATED}; {STAND_IN}"
METRICS = ("KL", "Accuracy", "LogLoss", "AUC")
PUBLISHED = yaml.safe_load((CONFIGS / "presets" / "parity.yaml").read_text(encoding="utf-8"))["defaults"]
"""The settings of the published code, as the preset parity has them."""


def against(material: Material, name: str = "fixate", **settings: object) -> list[Effect]:
    """Compare FixATE tuned with other settings there with that tuned with the suite's here."""
    there, here = material.tuned("fixate", **settings)[1], material.tuned(name)[1]
    return both(METRICS, there, here, "fixate" if name == "fixate" else f"{name} (there fixate)", ON_STAND_IN)


def published(*names: str, **more: object) -> Callable[[Material], list[Effect]]:
    """Return what compares FixATE tuned with some of the published settings there with the suite's here."""
    return lambda material: against(material, **{name: PUBLISHED[name] for name in names}, **more)


def operator(material: Material) -> list[Effect]:
    norms = [
        max(epoch.gradient_largest or 0.0 for epoch in simulator._epochs)
        for simulator in (material.tuned(operator="attnlrp")[0], material.tuned()[0])
    ]
    count = len(material.train)
    largest = Effect("largest gradient norm in tuning", *norms, count, ON_STAND_IN, "training sessions", 1)
    return [largest, *against(material, operator="attnlrp")]


def whole_users(material: Material) -> list[Effect]:
    """Tune on AdSERP's loo, where every user has one training session: all of them there, a share held out here."""
    split = folds(material.adserp_screens, "loo")
    there, here = (
        tested("fixate", material.adserp_screens, split, SEED, **{**POCKET, "validation": share})
        for share in (0.0, 0.15)
    )
    return both(METRICS, there, here, "fixate", f"{ADSERP}; {STAND_IN}")


def clip(material: Material) -> list[Effect]:
    shares = [
        max(epoch.clipped or 0.0 for epoch in simulator._epochs)
        for simulator in (material.tuned(clips=tuple(PUBLISHED["clips"]))[0], material.tuned()[0])
    ]
    what = "largest share of clipped steps in an epoch"
    steps = Effect(what, *shares, len(material.train), ON_STAND_IN, "training sessions")
    return [steps, *against(material, clips=tuple(PUBLISHED["clips"]))]


def start(material: Material) -> list[Effect]:
    """Draw the bases with standard deviation 0.01 there, that of the word embeddings here."""
    there = tested("random-prompt", material.recgaze, material.loo, SEED, init_sd=PUBLISHED["init_sd"])
    untrained = both(METRICS, there, material.random_prompt(SEED), "random-prompt", ON_STAND_IN)
    return [*untrained, *against(material, init_sd=PUBLISHED["init_sd"])]


def number_format(material: Material) -> list[Effect]:
    """Hold and step the bases in bfloat16, the model's format, there, and in float32 here; the model is in bfloat16."""
    there, here = (material.tuned(dtype="bfloat16", **more)[1] for more in ({"parameters": "model"}, {}))
    return both(METRICS, there, here, "fixate", ON_STAND_IN)


def strangers_as(material: Material, sessions: Sequence[Session], of: str) -> list[Effect]:
    """Show FixATE sessions; a user without training gets all bases alike there, the mean of the trained users here."""
    import torch

    simulator = material.tuned()[0]
    bank = simulator._bank
    shown = [session.stimulus() for session in sessions]
    here = simulator.simulate(shown)
    even = torch.full((len(bank.basis),), 1.0 / len(bank.basis))

    def mixed(self: torch.nn.Module, users: Sequence[str]) -> torch.Tensor:
        own = {user: torch.softmax(bank.logits_of([user])[0], 0) for user in users if bank.knows(user)}
        return torch.stack([own.get(user, even) for user in users])

    with mock.patch.object(type(bank), "coefficients", mixed):
        there = simulator.simulate(shown)
    return both(METRICS, Tested(material.test, there), Tested(material.test, here), of, ON_STAND_IN)


def strangers(material: Material) -> list[Effect]:
    nobody = [dataclasses.replace(session, user="") for session in material.test]
    return strangers_as(material, nobody, "fixate shown to strangers")


def strangers_tested(material: Material) -> list[Effect]:
    return strangers_as(material, material.test, "fixate")


def list_order(material: Material) -> list[Effect]:
    """List the items in the order of their slots there, shuffled here."""

    class Unshuffled:
        def permutation(self, count: int) -> range:
            return range(count)

    effects = []
    for name in ("text", "text-position"):
        here = tested(name, material.recgaze, material.loo)
        with mock.patch.object(text.np.random, "default_rng", lambda *_: Unshuffled()):
            there = tested(name, material.recgaze, material.loo)
        effects += both(METRICS[1:], there, here, name, ON_STAND_IN)
    return effects


def suffix(material: Material) -> list[Effect]:
    return against(material, "fixate-suffix")


def smoothing(material: Material) -> list[Effect]:
    effects = []
    for sessions, data, split in ((material.adserp, ADSERP, "kfold"), (material.recgaze, SIMULATED, "loo")):
        parts = folds(sessions, split)
        for name in ("position-prior", "kind-position-prior", "user-prior"):
            if name.startswith("kind") and data == SIMULATED:
                continue  # one kind only
            there, here = (tested(name, sessions, parts, gaze_smoothing=weight) for weight in (0.0, 1.0))
            effects += both(("KL",), there, here, name, data)
    return effects


DEVIATIONS = (
    Deviation("tuning-operator", operator),
    Deviation("tuning-rates", published("basis_lr", "user_lr", "batch_size", "accumulation")),
    Deviation("tuning-validation", published("validate_every", "score")),
    Deviation("tuning-users", whole_users, needs=frozenset({"adserp"})),
    Deviation("tuning-patience", published("validate_every", "patience")),
    Deviation("tuning-weights", published("lambda_", "ntp_weight")),
    Deviation("tuning-warmup", published("warmup")),
    Deviation("tuning-eps", published("loss_eps")),
    Deviation("tuning-scale", published("gradient_scale")),
    Deviation("tuning-clip", clip),
    Deviation("tuning-start", start),
    Deviation("tuning-format", number_format),
    Deviation("tuning-strangers", strangers),
    Deviation("tuning-strangers-tested", strangers_tested, zero=True, tolerance=1e-6),
    Deviation("fixate-suffix", suffix),
    Deviation("text-order", list_order),
    Deviation("prior-smoothing", smoothing, needs=frozenset({"adserp"})),
)
