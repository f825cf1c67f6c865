"""From what a chat model wrote to a slot, and from its log-probabilities to click probabilities."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmark.simulator import Floats
from tasks.types import Slot

BEHAVIOUR = "1"
"""Version of how answers are read; see ``benchmark.trials.catalogue.Entry``."""

_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_CUE = r"(?:answer|choice|choose|pick|select|click(?: on)?|option|letter|number|film|result)"
_MARKS = " \t\r\n*_`'\"()[]{}<>.,:;!#"


def slot_of(text: str, slots: Sequence[Slot]) -> int | None:
    """Return the slot that an answer names, or None if it names none or several.

    Tried in this order: the whole answer is a label; a JSON object with a field ``answer``; a label after a word such
    as "answer" or "pick", where the last one counts; a single label by itself; a single item's text.
    """
    text = _THOUGHT.sub(" ", text)
    labels = {slot.label: index for index, slot in enumerate(slots)}
    whole = _label(text.strip(_MARKS), labels)
    if whole is not None:
        return whole
    given = _from_json(text, labels)
    if given is not None:
        return given
    names = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    cued = re.findall(rf"\b{_CUE}\b[^A-Za-z0-9]*(?:is|was|would be)?[^A-Za-z0-9]*({names})(?![A-Za-z0-9])", text, re.I)
    # A small "a" or "i" is a word; any other small letter is meant as a label.
    cued = [label if label in labels else label.upper() for label in cued if label not in ("a", "i")]
    if cued:
        return labels[cued[-1]]
    alone = {label for label in re.findall(rf"(?<![A-Za-z0-9'’])({names})(?![A-Za-z0-9])", _without_words(text))}
    if len(alone) == 1:
        return labels[alone.pop()]
    titled = [i for i, slot in enumerate(slots) if _title(slot) and _title(slot) in text.casefold()]
    return titled[0] if len(titled) == 1 and not alone else None


def _label(text: str, labels: Mapping[str, int]) -> int | None:
    """Return the slot of a text that is nothing but a label; case does not matter."""
    folded = {label.casefold(): index for label, index in labels.items()}
    return folded.get(text.casefold())


def _from_json(text: str, labels: Mapping[str, int]) -> int | None:
    """Return the slot that a JSON object in the text names under ``answer``."""
    match = re.search(r"\{[^{}]*\}", text)
    if match is None:
        return None
    try:
        value = json.loads(match[0])
    except ValueError:
        return None
    answer = next((v for k, v in value.items() if k.casefold() in ("answer", "choice", "slot")), None)
    return None if isinstance(answer, bool | dict | list | None) else _label(str(answer).strip(_MARKS), labels)


def _without_words(text: str) -> str:
    """Return a text without the pronoun I and the article a, which are labels as well."""
    return re.sub(r"\b(?:I|A)(?='|’| [a-z])", " ", text)


def _title(slot: Slot) -> str:
    """Return an item's text as it is searched for; short ones occur in other words too often."""
    title = re.split(r"[(|,]", slot.text)[0].strip().casefold()
    return title if len(title) >= 4 else ""


def probabilities(choice: Mapping[str, Any], slots: Sequence[Slot]) -> Floats | None:
    """Return click probabilities from the log-probabilities of the token that names the slot, shape (K,), sum 1.

    None if the choice has no log-probabilities, or none for a label. The first token that is a label, or begins one,
    decides. The candidates shown with it count for the label that they are; one that only begins several labels ("1" of
    1, 10 and 12) is followed by the next token's candidates where the model took it, and is shared out evenly among
    them elsewhere. What the candidates leave over is shared out among the labels not shown, none getting more than the
    smallest shown.
    """
    steps = _steps(choice)
    labels = [slot.label.casefold() for slot in slots]
    for place, (token, candidates) in enumerate(steps):
        written = _plain(token)
        if written and any(label.startswith(written) for label in labels):
            return _shared(labels, written, candidates, steps[place + 1 :])
    return None


def _shared(
    labels: list[str], written: str, candidates: Mapping[str, float], after: Sequence[tuple[str, Mapping[str, float]]]
) -> Floats | None:
    """Return the mass of every label, normalised."""
    mass = np.zeros(len(labels))
    for text, probability in candidates.items():
        begun = [i for i, label in enumerate(labels) if label.startswith(text)]
        if len(begun) > 1 and text == written and after:
            mass += probability * _continued(labels, begun, text, after[0][1])
        elif begun:
            mass[begun] += probability / len(begun)
    total = float(mass.sum())
    if not 0 < total < math.inf:
        return None
    unseen = mass == 0
    if unseen.any():
        left = max(0.0, 1.0 - sum(candidates.values()))
        mass[unseen] = min(left / int(unseen.sum()), float(mass[~unseen].min()))
    shares: Floats = mass / mass.sum()
    return shares


def _continued(labels: list[str], begun: list[int], text: str, candidates: Mapping[str, float]) -> Floats:
    """Return how the labels that begin with ``text`` share it, by what may follow; anything else ends the label."""
    share = np.zeros(len(labels))
    for index in begun:
        rest = labels[index][len(text) :]
        if rest:
            share[index] = sum(p for word, p in candidates.items() if word and rest.startswith(word))
        else:
            following = {labels[i][len(text) :] for i in begun} - {""}
            ending = [p for word, p in candidates.items() if not any(word and f.startswith(word) for f in following)]
            share[index] = sum(ending)
    total = float(share.sum())
    if total <= 0:
        share[begun] = 1 / len(begun)
        return share
    return share / total


def _steps(choice: Mapping[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """Return per token what was written and the probabilities of the candidates, those that read alike added up."""
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    steps = []
    for entry in content if isinstance(content, list) else []:
        if not isinstance(entry, dict):
            continue
        found: dict[str, float] = {}
        top = entry.get("top_logprobs")
        shown = [entry, *(top if isinstance(top, list) else [])]
        seen = set()
        for candidate in shown[1:] + shown[:1]:  # the token itself may be among the candidates, and counts once
            token, value = (candidate.get("token"), candidate.get("logprob")) if isinstance(candidate, dict) else (0, 0)
            if not isinstance(token, str) or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if token in seen or not value <= 1e-6:
                continue
            seen.add(token)
            word = _plain(token)
            found[word] = found.get(word, 0.0) + math.exp(min(0.0, value))
        steps.append((str(entry.get("token", "")), found))
    return steps


def _plain(token: str) -> str:
    """Return a token without the marks around a label."""
    return token.strip(_MARKS + "\u0120\u2581").casefold()
