"""Golden predictions: what every simulator, operator, backbone reader and the tuning predict on a few sessions.

The models are the shipped pocket backbones in float64, so sums in another order (threads, BLAS, CPU) differ by far less
than the tolerance. ``python -m tests.baselines.golden.golden`` writes the file again; it refuses to where predictions
have moved and no declared version has.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from baselines import registry
from baselines.probing import registry as operators
from benchmark.engines.asking import ask
from benchmark.simulator import HasMaterial, Prediction
from benchmark.trials.catalogue import setting_names
from benchmark.trials.content import RECORDED
from tasks.types import Fixation, Session, visits
from tests.baselines.backbones import tiny
from tests.baselines.simulators.chat.stub import Stub, says

FILE = Path(__file__).parent / "predictions.json"
COMMAND = "python -m tests.baselines.golden.golden"
RELATIVE, PROMPTED, ABSOLUTE = 1e-7, 1e-5, 1e-9
"""Tolerance of a value, relative (``PROMPTED`` with a soft prompt) and absolute.

Soft prompts are float32, whose rounding moves these predictions by up to 1e-6 between kinds of CPU; the others are
computed in float64 and move by less than 1e-9.
"""

VERSIONS = {
    "simulator": "baselines/registry.py",
    "probing": "baselines/probing/registry.py",
    "reader": "baselines/backbones/registry.py",
    "tuning": "baselines/tuning/settings.py",
    "answers": "baselines/simulators/chat/answers.py",
}
"""Where the version of each part is declared."""

QUICK = {
    "dtype": "float64",
    "epochs": 2,
    "passes": 2,
    "validation": 0.25,
    "basis_lr": 1e-2,
    "bases": 2,
    "tokens": 3,
    "heads": 2,
}

Case = tuple[str, Mapping[str, object]]


def cases() -> dict[str, Case]:
    """Return case -> registry name and settings."""
    found: dict[str, Case] = {f"simulator {name}": (name, {}) for name in registry.names()}
    found["simulator chat without log-probabilities"] = ("chat", {"logprobs": "never", "items": True})
    found["simulator chat with samples"] = ("chat", {"samples": 5, "form": "line"})
    for name in operators.names():
        if name != "gaze-heads":  # a simulator of its own
            found[f"operator {name}"] = ("backbone", {"operator": name})
    found["operator attnlrp tuned"] = ("fixate", {"operator": "attnlrp"})
    for name in ("backbone", "fixate-suffix", "text"):
        found[f"reader internvl {name}"] = (name, {"backbone": "pocket-internvl"})
    found["tuning on free answers and both signals"] = ("fixate", {"target": "free", "signal": "both"})
    return found


class Watched(Session):
    """A session that notes which columns of its recording are read."""

    read: set[str] = set()

    def __getattribute__(self, name: str) -> Any:
        if name in RECORDED:
            Watched.read.add(name)
        return super().__getattribute__(name)


def sessions(labels: Sequence[str], users: int, each: int, seed: int) -> list[Session]:
    """Return sessions on noisy screens of 192 x 128 pixels; a user mostly looks at, and clicks, one place."""
    rng = np.random.default_rng(seed)
    found = []
    for user in range(users):
        for number in range(each):
            shown = tiny.session(
                labels, 192, 128, profile=f"Top_genre: {'Drama Comedy'.split()[user % 2]}", seed=number
            )
            weights = rng.random((2, len(labels)))
            weights[0, user] += 2
            gaze, cursor = np.round(1000 * weights)
            fields = (shown.image, shown.profile, shown.slots, gaze, cursor, user if number else number)
            path = looks(len(labels), user, np.random.default_rng((seed, user, number)))
            found.append(Watched(f"{seed}-{user}-{number}", f"u{user}", str(number), *fields, fixations=path))
    return found


def looks(slots: int, user: int, rng: np.random.Generator) -> tuple[Fixation, ...]:
    """Return fixations that mostly go on by as many slots as the user's number plus one."""
    steps = np.where(rng.random(8) < 0.7, user + 1, rng.integers(1, slots, 8))
    places = np.cumsum([rng.integers(slots), *steps]) % slots
    return tuple(Fixation(int(slot), 300.0 * i, float(rng.integers(80, 300))) for i, slot in enumerate(places))


TRAIN = (sessions("ABCDEF", 2, 4, 1), sessions([str(n) for n in range(1, 13)], 2, 1, 2))
TEST = (sessions("ABCDEF", 3, 1, 3), sessions([str(n) for n in range(1, 13)], 1, 1, 4))
"""Sessions labelled with letters, and with numbers, among them some of two digits; one test user is new."""


def predicted(case: Case) -> tuple[list[Prediction], set[str]]:
    """Return a case's predictions, and which columns of the recordings it read."""
    name, settings = case
    with endpoint() as url:
        simulator = built(name, {**settings, "base_url": url, "model": "golden"})
        train, test = [s for part in TRAIN for s in part], [s for part in TEST for s in part]
        paths = [visits(session) for session in test]
        Watched.read.clear()
        simulator.fit(train, 7)
        found = ask(simulator, test if registry.entry(name).oracle else [s.stimulus() for s in test], paths, name)
        return found, set(Watched.read)


def built(name: str, settings: Mapping[str, object]) -> Any:
    """Return a simulator with the settings that it has."""
    known = setting_names(registry.entry(name).factory)
    return registry.build(name, {k: v for k, v in {**QUICK, **settings}.items() if k in known})


@contextmanager
def endpoint() -> Iterator[str]:
    """Run a chat endpoint whose answers depend on everything in the request but the pixels."""

    def reply(body: dict[str, Any], number: int) -> Any:
        parts = [part for part in body["messages"][0]["content"] if part["type"] == "text"]
        asked = json.dumps({**body, "messages": parts}, sort_keys=True)
        rng = np.random.default_rng(list(hashlib.sha256(asked.encode()).digest()))
        labels = "ABCDEF" if "letter" in asked else "123456"
        falling = sorted(rng.dirichlet(np.ones(6)).tolist(), reverse=True)  # at temperature 0 the first is written
        shares = dict(zip(rng.permutation(list(labels)).tolist(), falling, strict=True))
        return says(next(iter(shares)), [shares] if "logprobs" in body else None)

    stub = Stub(reply)
    try:
        yield stub.url
    finally:
        stub.close()


def versions(case: Case) -> dict[str, str]:
    """Return the declared versions that a case depends on, and a short digest of its model."""
    name, settings = case
    simulator = built(name, settings)
    material = dict(simulator.material()) if isinstance(simulator, HasMaterial) else {}
    model = {key: hashlib.sha256(material[key].encode()).hexdigest()[:12] for key in material if key not in VERSIONS}
    declared = {key: value for key, value in material.items() if key in VERSIONS}
    return {"simulator": registry.entry(name).behaviour, **declared, **model}


def values(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """Return predictions as JSON values: the parts that they have."""

    def rounded(array: Any) -> list[Any]:
        return [rounded(value) if isinstance(value, np.ndarray) else float(f"{value:.9g}") for value in array]

    parts = [field.name for field in dataclasses.fields(Prediction) if field.name not in ("session_id", "target")]
    found = []
    for prediction in predictions:
        given = {part: getattr(prediction, part) for part in parts if getattr(prediction, part) is not None}
        found.append({part: rounded(v) if isinstance(v, np.ndarray) else v for part, v in given.items()})
    return found


def same(case: Case, left: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether predictions of a case agree within its tolerance."""
    relative = PROMPTED if hasattr(built(*case), "tokens") else RELATIVE
    return len(left) == len(right) and all(
        a.keys() == b.keys() and all(np.allclose(a[part], b[part], relative, ABSOLUTE) for part in a)
        for a, b in zip(left, right, strict=True)
    )


def moved(name: str, declared: Mapping[str, str]) -> str:
    """Return what to do about predictions that have moved under the same versions."""
    where = ", ".join(f"{VERSIONS[key]} ({key})" for key in declared if key in VERSIONS)
    return (
        f"the predictions of '{name}' have moved. If that is not meant, fix the code. If it is, raise the version of "
        f"what now behaves otherwise, so that kept trials are run again, in one of {where}; then run {COMMAND}."
    )


def main() -> None:
    """Write the file again, unless predictions have moved without a new version."""
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    found = {}
    for name, case in cases().items():
        found[name] = {"versions": versions(case), "predictions": values(predicted(case)[0])}
        before = kept.get(name, found[name])
        if before["versions"] == found[name]["versions"]:
            if not same(case, before["predictions"], found[name]["predictions"]):
                sys.exit(moved(name, before["versions"]))
            found[name] = before
    FILE.write_text(
        "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items()) + "\n}\n"
    )


if __name__ == "__main__":
    main()
