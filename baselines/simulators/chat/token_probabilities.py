"""From a chat endpoint's token log-probabilities to click probabilities, at the tokens that wrote the answer."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from baselines.simulators.chat.answers import Reading, read
from benchmark.simulator import Floats
from tasks.types import Slot

_Step = tuple[str, Mapping[str, float]]
"""What was written as one token, and the probabilities of the candidates, those that read alike added up."""


def probabilities(choice: Mapping[str, Any], reading: Reading, slots: Sequence[Slot]) -> Floats | None:
    """Return click probabilities, shape (K,), sum 1, from the tokens that wrote the answer that was read.

    None if these tokens cannot be found, show no candidates, or hold a larger probability for another slot: what is
    returned always agrees with the answer. Candidates are counted as labels in the case in which the answer was
    written. One that only begins several labels ("1" of 1, 10 and 12) is followed by the next token's candidates where
    the model took it, and is shared out evenly among them elsewhere. What the candidates leave over is shared out
    among the labels not shown, none getting more than the smallest shown.
    """
    steps, text = _steps(choice), spelled(choice)
    again = read(text, slots) if steps else None
    if again is None or again.slot != reading.slot or again.start < 0:
        return None
    written = text[again.start : again.end]
    labels = [slot.label if written == slots[again.slot].label else slot.label.lower() for slot in slots]
    place, offset = 0, 0
    while offset + len(steps[place][0]) <= again.start:
        offset += len(steps[place][0])
        place += 1
    lead = text[offset : again.start]  # what the token writes before the label: a blank, a bracket, a quote
    if any(character.isalnum() for character in lead):
        return None
    shares = _shares(labels, lead, steps[place:])
    return shares if shares is not None and shares[reading.slot] >= shares.max() else None


def spelled(choice: Mapping[str, Any]) -> str:
    """Return what the tokens with log-probabilities spell."""
    return "".join(token for token, _ in _steps(choice))


def _shares(labels: Sequence[str], lead: str, steps: Sequence[_Step]) -> Floats | None:
    """Return the mass of every label at the token that begins the label which was written, normalised."""
    token, candidates = steps[0]
    taken = token.strip(_MARKS)
    mass = np.zeros(len(labels))
    for word, probability in _plain(candidates).items():
        begun = [i for i, label in enumerate(labels) if word and label.startswith(word)]
        if len(begun) > 1 and word == taken and len(steps) > 1:
            mass += probability * _continued(labels, begun, word, steps[1][1])
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


def _continued(labels: Sequence[str], begun: list[int], text: str, candidates: Mapping[str, float]) -> Floats:
    """Return how the labels that begin with ``text`` share it, by what may follow; anything else ends the label."""
    share = np.zeros(len(labels))
    rests = {labels[i][len(text) :] for i in begun} - {""}
    for word, probability in candidates.items():
        following = word.rstrip(_MARKS)
        continuing = [i for i in begun if following and labels[i][len(text) :].startswith(following)]
        if continuing and any(rest.startswith(following) for rest in rests):
            share[continuing] += probability / len(continuing)
        else:
            share[[i for i in begun if labels[i] == text]] += probability
    total = float(share.sum())
    if total <= 0:
        share[begun] = 1 / len(begun)
        return share
    return share / total


def _plain(candidates: Mapping[str, float]) -> dict[str, float]:
    """Return the candidates without the marks around a label, those that read alike added up."""
    found: dict[str, float] = {}
    for token, probability in candidates.items():
        word = token.strip(_MARKS)
        found[word] = found.get(word, 0.0) + probability
    return found


_MARKS = " \t\r\n*_`'\"()[]{}<>.,:;!#$\u0120\u2581"


def _steps(choice: Mapping[str, Any]) -> list[_Step]:
    """Return the tokens with their candidates; entries that do not have the format end the list."""
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    steps: list[_Step] = []
    for entry in content if isinstance(content, list) else []:
        if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
            break
        top = entry.get("top_logprobs")
        found: dict[str, float] = {}
        for candidate in [entry, *(top if isinstance(top, list) else [])]:  # the token itself counts once
            token, value = (candidate.get("token"), candidate.get("logprob")) if isinstance(candidate, dict) else (0, 0)
            if isinstance(token, str) and isinstance(value, int | float) and not isinstance(value, bool):
                if value <= 1e-6:
                    found.setdefault(_blank(token), math.exp(min(0.0, value)))
        steps.append((_blank(entry["token"]), found))
    return steps


def _blank(token: str) -> str:
    """Return a token with blanks where a vocabulary's own sign for one is."""
    return token.replace("\u0120", " ").replace("\u2581", " ").replace("\u010a", "\n")
