"""The families of metrics: what belongs together in tables and pages, and what each family is read next to.

A family collects the metrics of one kind of prediction. To add one, add an entry to ``FAMILIES``; the metrics that
name it follow in files of their own. Nothing else in the suite lists metrics by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.errors import unknown_name


@dataclass(frozen=True, slots=True)
class Family:
    """One family of metrics.

    Attributes:
        name: Short name, for commands and files.
        title: Heading in tables and pages.
        parts: The parts of a prediction that its metrics are computed from, the one most often used first.
        headline: The metric to read first: it chooses examples, and settings when they are tuned.
        main: The metrics that tables show first, that a run corrects its comparisons over unless its configuration
            says otherwise, and that a personal gain is measured on; the headline is one of them.
        prior: The simulator at 0 of a normalised score.
        human: What a metric is compared with -> the reference at 1 of its normalised score.
        corrected_with: The family whose comparisons its own are corrected together with (Holm); empty: with no other.
        verb: What a simulator does, in a verdict: it "clicks better than" another.
        noun: On what, in a verdict: it "is not separable from" another "on clicks".
        apart: Few simulators have it: it is in no default list, and a run without it says nothing of it.
        given: What its simulators see of the session that they are about, which every output says; empty for nothing.
    """

    name: str
    title: str
    parts: tuple[str, ...]
    headline: str
    main: tuple[str, ...]
    prior: str
    human: Mapping[str, str]
    corrected_with: str = ""
    apart: bool = False
    given: str = ""
    verb: str = "does"
    noun: str = "its metrics"


FAMILIES: tuple[Family, ...] = (
    Family(
        name="attention",
        title="Attention",
        parts=("attention",),
        headline="KL",
        main=("KL",),
        prior="position-prior",
        human={"gaze": "other-users", "click": "gaze-oracle"},
        verb="looks",
        noun="gaze",
    ),
    Family(
        name="click",
        title="Click",
        parts=("probabilities", "answer"),
        headline="LogLoss",
        main=("Accuracy", "LogLoss", "AUC"),
        prior="position-prior",
        human={"click": "gaze-oracle"},
        corrected_with="attention",
        verb="clicks",
        noun="clicks",
    ),
    Family(
        name="order",
        title="Order (given the path so far)",
        parts=("next_visit",),
        headline="NextSlot",
        main=("NextSlot",),
        prior="step-markov",
        human={"path": "other-paths"},
        verb="orders",
        noun="order",
        apart=True,
        given="given the path so far",
    ),
)
"""Every family, in the order of tables and pages."""


def family_names() -> tuple[str, ...]:
    """Return the families' names in their order."""
    return tuple(one.name for one in FAMILIES)


def family(name: str) -> Family:
    """Return a family by its name; InputError if there is none of that name; the nearest is suggested."""
    for one in FAMILIES:
        if one.name == name:
            return one
    raise unknown_name("family of metrics", name, family_names())


def main_metrics() -> tuple[str, ...]:
    """Return the names of the main metrics of the families that every simulator is expected to have."""
    return tuple(metric for one in FAMILIES if not one.apart for metric in one.main)


def apart_metrics() -> tuple[str, ...]:
    """Return the names of the main metrics of the families that only some simulators have."""
    return tuple(metric for one in FAMILIES if one.apart for metric in one.main)


def headlines() -> tuple[str, ...]:
    """Return the headline metric of each family that every simulator is expected to have."""
    return tuple(one.headline for one in FAMILIES if not one.apart)
