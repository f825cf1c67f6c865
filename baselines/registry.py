"""The catalogue of simulators: a new one is a class and a line here.

A class is imported only when it is built, so listing the catalogue loads no model library. Its settings are the
fields of its dataclass.
"""

import types
import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from benchmark.simulator import Simulator
from benchmark.trials.catalogue import Entry, setting_names, simulator_class, source_digest
from benchmark.trials.extended import class_entry, file_entry
from benchmark.trials.own_files import check_class
from tasks import outside
from tasks.errors import InputError, unknown_name

_TRAIN = ("gaze-train", "clicks-train")
_SCREEN = ("image", "profile")


def _own(name: str, module: str, summary: str, *sees: str, cls: str = "", **more: Any) -> Entry:
    """Return the entry of a simulator in ``baselines.simulators``; ``gaze-oracle`` is its class ``GazeOracle``."""
    cls = cls or name.title().replace("-", "")
    return Entry(name, f"baselines.simulators.{module}:{cls}", summary, sees, **more)


def _prompted(name: str, summary: str, *sees: str, **more: Any) -> Entry:
    """Return the entry of a simulator with a soft prompt, which sees the screen and what it is tuned on."""
    return _own(name, "prompted", summary, *_SCREEN, *sees, stochastic=True, **more)


SIMULATORS = (
    _own("uniform", "priors", "1/K everywhere", behaviour="2"),
    _own("position-prior", "priors", "mean gaze and clicks per position", *_TRAIN),
    _own("kind-position-prior", "priors", "mean gaze and clicks per kind and position", *_TRAIN, behaviour="2"),
    _own("user-prior", "priors", "position prior drawn to the user's own habits", *_TRAIN),
    _own("user-click-prior", "priors", "the user's own clicks per position, drawn to everybody's", "clicks-train"),
    _own("gaze-click-prior", "priors", "the user's gaze habits, as clicks too", "gaze-train"),
    _own("conditional-logit", "choice_model", "click model on position and kind", "clicks-train"),
    _own(
        "rating-prior",
        "choice_model",
        "softmax of the user's own ratings (tasks with ratings)",
        "item ratings",
        "profile",
        "clicks-train",
    ),
    _own("centre-area", "examination", "area times nearness to the middle; nothing is fitted", "item places"),
    _own("examination-prior", "examination", "guessed habits of reading a page; nothing is fitted", "item places"),
    _own("geometry", "geometry", "conditional logit on size, place, rank, kind", "item places", *_TRAIN),
    _own(
        "geometry-text",
        "geometry",
        "the same with words of the query, price, rating and length of the text",
        "item texts",
        "item places",
        "profile",
        *_TRAIN,
    ),
    _own("visit-frequency", "order.steps", "visits per position", "gaze-train"),
    _own("reading-order", "order.steps", "the slot after the current one", "gaze-train"),
    _own("step-markov", "order.steps", "step sizes of all users", "gaze-train"),
    _own("personal-step-markov", "order.steps", "step sizes of the user, drawn to those of all", "gaze-train"),
    _own(
        "examination-logit",
        "order.choice",
        "conditional logit of the next slot on step, visits, frontier, kind and rank",
        "gaze-train",
    ),
    _own(
        "attention-walk",
        "order.choice",
        "a walk over another simulator's attention",
        "item places",
        *_TRAIN,
        stochastic=True,
    ),
    _own(
        "slot-transformer",
        "order.transformer",
        "a small transformer over slots and the path so far",
        "text",
        "item places",
        "gaze-train",
        stochastic=True,
    ),
    _own("other-paths", "order.steps", "step sizes of other users on the same screen", "gaze-train", oracle=True),
    _own(
        "text", "text", "language model, items without places", "item texts", "profile", stochastic=True, behaviour="2"
    ),
    _own(
        "text-position",
        "text",
        "language model, items with row and column",
        "item texts",
        "item places",
        "profile",
        stochastic=True,
        behaviour="2",
    ),
    _own("backbone", "probed", "the frozen vision-language model", *_SCREEN),
    _own("gaze-heads", "probed", "its heads that look where people look", *_SCREEN, "gaze-train"),
    _own("gaze-heads-unlabelled", "probed", "its heads that look at what a question names; no gaze is read", *_SCREEN),
    _prompted("random-prompt", "an untrained soft prompt"),
    _prompted("shared-prompt", "FixATE, one prompt for all users", *_TRAIN),
    _prompted("fixate", "FixATE: a personal prompt tuned on gaze and clicks", *_TRAIN),
    _prompted("fixate-suffix", "FixATE, prompt after the image", *_TRAIN),
    _prompted("fixate-no-weights", "FixATE, all slots weigh alike", *_TRAIN),
    _prompted("fixate-no-attention", "FixATE on clicks alone", "clicks-train"),
    _prompted("fixate-no-ntp", "FixATE on gaze alone", "gaze-train", cls="FixateNoNTP"),
    _own("chat", "chat.simulator", "any OpenAI-compatible chat endpoint", *_SCREEN, stochastic=True, behaviour="3"),
    _own("gaze-oracle", "oracles", "the human gaze itself", "gaze-test", oracle=True),
    _own("cursor-oracle", "oracles", "the human cursor itself", "cursor-test", oracle=True, behaviour="2"),
    _own(
        "other-users", "oracles", "mean gaze of the other users on the same screen", "gaze of other users", oracle=True
    ),
)


def names() -> list[str]:
    """Return the names of all simulators, in the order of the catalogue."""
    return [*(entry.name for entry in SIMULATORS), *outside.installed("simulators")]


def entry(name: str) -> Entry:
    """Return the entry of a simulator; InputError if the name is unknown; the nearest is suggested."""
    for candidate in SIMULATORS:
        if candidate.name == name:
            return candidate
    if outside.is_file(name):
        return file_entry(name)
    found = outside.find("simulators", name, type)
    if found is None:
        raise unknown_name("simulator", name, names())
    check_class(found, name)
    return class_entry(found, outside.installed("simulators")[name], f"{name} {source_digest(found.__module__)}", name)


def build(name: str, settings: Mapping[str, object]) -> Simulator:
    """Return a new simulator with the given settings (field of its dataclass -> value), defaults elsewhere.

    A whole number is accepted for a number field, a list for a tuple. InputError for an unknown simulator or setting
    (the nearest is suggested), or a value of the wrong type or range.
    """
    return construct(entry(name), settings)


def construct(found: Entry, settings: Mapping[str, object]) -> Simulator:
    """Return a new simulator of an entry, of this catalogue or of a user's own file; see ``build``.

    InputError for an unknown setting, or a value of the wrong type or range.
    """
    name, cls = found.name, simulator_class(found.factory)
    known = list(setting_names(found.factory))
    hints = typing.get_type_hints(cls)
    values = {}
    for key, value in settings.items():
        if key not in known:
            raise unknown_name(f"setting of {name}:", key, known)
        try:
            values[key] = msgspec.convert(value, hints[key])
        except msgspec.ValidationError:
            raise InputError(
                f"the setting {key} of {name} is {value!r}; it must be {_described(hints[key])}."
            ) from None
    return typing.cast(Simulator, cls(**values))


def _described(hint: object) -> str:
    """Return a type in words."""
    plain = {float: "a number", int: "a whole number", bool: "true or false", str: "text", type(None): "null"}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and hint in plain:
        return plain[hint]
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_described(arm) for arm in arguments)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple:
        return f"a list, each {_described(arguments[0])}"
    return f"a {getattr(hint, '__name__', hint)}"
