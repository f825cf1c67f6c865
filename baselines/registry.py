"""The catalogue of simulators: a new one is a class and a line here.

A class is imported only when it is built, so listing the catalogue loads no model library. Its settings are the
fields of its dataclass.
"""

import types
import typing
from collections.abc import Mapping

import msgspec

from benchmark.simulator import Simulator
from benchmark.trials.catalogue import Entry, setting_names, simulator_class, source_digest
from benchmark.trials.extended import class_entry, file_entry
from benchmark.trials.own_files import check_class
from tasks import outside
from tasks.errors import InputError, unknown_name

_TRAIN = ("gaze-train", "clicks-train")

_BOXES = ("item places",)
_SCREEN = ("image", "profile")
_TUNED = (*_SCREEN, *_TRAIN)
_FOLDER = "baselines.simulators"
_PROMPTED = f"{_FOLDER}.prompted"

_MODELS = (
    Entry(
        "text",
        f"{_FOLDER}.text:Text",
        "language model, items without places",
        ("item texts", "profile"),
        stochastic=True,
        behaviour="2",
    ),
    Entry(
        "text-position",
        f"{_FOLDER}.text:TextPosition",
        "language model, items with row and column",
        ("item texts", "item places", "profile"),
        stochastic=True,
        behaviour="2",
    ),
    Entry("backbone", f"{_FOLDER}.probed:Backbone", "the frozen vision-language model", _SCREEN),
    Entry(
        "gaze-heads",
        f"{_FOLDER}.probed:GazeHeads",
        "its heads that look where people look",
        (*_SCREEN, "gaze-train"),
    ),
    Entry(
        "gaze-heads-unlabelled",
        f"{_FOLDER}.probed:GazeHeadsUnlabelled",
        "its heads that look at what a question names; no gaze is read",
        _SCREEN,
    ),
    Entry("random-prompt", f"{_PROMPTED}:RandomPrompt", "an untrained soft prompt", _SCREEN, stochastic=True),
    Entry("shared-prompt", f"{_PROMPTED}:SharedPrompt", "FixATE, one prompt for all users", _TUNED, stochastic=True),
    Entry(
        "fixate", f"{_PROMPTED}:Fixate", "FixATE: a personal prompt tuned on gaze and clicks", _TUNED, stochastic=True
    ),
    Entry("fixate-suffix", f"{_PROMPTED}:FixateSuffix", "FixATE, prompt after the image", _TUNED, stochastic=True),
    Entry(
        "fixate-no-weights", f"{_PROMPTED}:FixateNoWeights", "FixATE, all slots weigh alike", _TUNED, stochastic=True
    ),
    Entry(
        "fixate-no-attention",
        f"{_PROMPTED}:FixateNoAttention",
        "FixATE on clicks alone",
        (*_SCREEN, "clicks-train"),
        stochastic=True,
    ),
    Entry(
        "fixate-no-ntp", f"{_PROMPTED}:FixateNoNTP", "FixATE on gaze alone", (*_SCREEN, "gaze-train"), stochastic=True
    ),
)

_ORDER = (
    Entry("visit-frequency", f"{_FOLDER}.order.steps:VisitFrequency", "visits per position", _TRAIN[:1]),
    Entry("reading-order", f"{_FOLDER}.order.steps:ReadingOrder", "the slot after the current one", _TRAIN[:1]),
    Entry("step-markov", f"{_FOLDER}.order.steps:StepMarkov", "step sizes of all users", _TRAIN[:1]),
    Entry(
        "personal-step-markov",
        f"{_FOLDER}.order.steps:PersonalStepMarkov",
        "step sizes of the user, drawn to those of all",
        _TRAIN[:1],
    ),
    Entry(
        "examination-logit",
        f"{_FOLDER}.order.choice:ExaminationLogit",
        "conditional logit of the next slot on step, visits, frontier, kind and rank",
        _TRAIN[:1],
    ),
    Entry(
        "attention-walk",
        f"{_FOLDER}.order.choice:AttentionWalk",
        "a walk over another simulator's attention",
        (*_BOXES, *_TRAIN),
        stochastic=True,
    ),
    Entry(
        "slot-transformer",
        f"{_FOLDER}.order.transformer:SlotTransformer",
        "a small transformer over slots and the path so far",
        ("text", *_BOXES, *_TRAIN[:1]),
        stochastic=True,
    ),
    Entry(
        "other-paths",
        f"{_FOLDER}.order.steps:OtherPaths",
        "step sizes of other users on the same screen",
        _TRAIN[:1],
        oracle=True,
    ),
)

SIMULATORS = (
    Entry("uniform", f"{_FOLDER}.priors:Uniform", "1/K everywhere", behaviour="2"),
    Entry("position-prior", f"{_FOLDER}.priors:PositionPrior", "mean gaze and clicks per position", _TRAIN),
    Entry(
        "kind-position-prior",
        f"{_FOLDER}.priors:KindPositionPrior",
        "mean gaze and clicks per kind and position",
        _TRAIN,
        behaviour="2",
    ),
    Entry("user-prior", f"{_FOLDER}.priors:UserPrior", "position prior drawn to the user's own habits", _TRAIN),
    Entry(
        "user-click-prior",
        f"{_FOLDER}.priors:UserClickPrior",
        "the user's own clicks per position, drawn to everybody's",
        _TRAIN[1:],
    ),
    Entry(
        "gaze-click-prior",
        f"{_FOLDER}.priors:GazeClickPrior",
        "the user's gaze habits, as clicks too",
        _TRAIN[:1],
    ),
    Entry(
        "conditional-logit", f"{_FOLDER}.choice_model:ConditionalLogit", "click model on position and kind", _TRAIN[1:]
    ),
    Entry(
        "rating-prior",
        f"{_FOLDER}.choice_model:RatingPrior",
        "softmax of the user's own ratings (tasks with ratings)",
        ("item ratings", "profile", *_TRAIN[1:]),
    ),
    Entry(
        "centre-area",
        f"{_FOLDER}.examination:CentreArea",
        "area times nearness to the middle; nothing is fitted",
        _BOXES,
    ),
    Entry(
        "examination-prior",
        f"{_FOLDER}.examination:ExaminationPrior",
        "guessed habits of reading a page; nothing is fitted",
        _BOXES,
    ),
    Entry(
        "geometry", f"{_FOLDER}.geometry:Geometry", "conditional logit on size, place, rank, kind", (*_BOXES, *_TRAIN)
    ),
    Entry(
        "geometry-text",
        f"{_FOLDER}.geometry:GeometryText",
        "the same with words of the query, price, rating and length of the text",
        ("item texts", *_BOXES, "profile", *_TRAIN),
    ),
    *_ORDER,
    *_MODELS,
    Entry(
        *("chat", f"{_FOLDER}.chat.simulator:Chat", "any OpenAI-compatible chat endpoint", _SCREEN),
        stochastic=True,
        behaviour="3",
    ),
    Entry("gaze-oracle", f"{_FOLDER}.oracles:GazeOracle", "the human gaze itself", ("gaze-test",), oracle=True),
    Entry(
        "cursor-oracle",
        f"{_FOLDER}.oracles:CursorOracle",
        "the human cursor itself",
        ("cursor-test",),
        oracle=True,
        behaviour="2",
    ),
    Entry(
        "other-users",
        f"{_FOLDER}.oracles:OtherUsers",
        "mean gaze of the other users on the same screen",
        ("gaze of other users",),
        oracle=True,
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
