"""From what a chat model wrote to the slot that it chose, and to shares of slots that it states.

All labels are read alike: ``A`` and ``I`` are English words too, so where the next word shows that they are used as
words they are passed over, and everywhere else they are labels. Every pattern here takes time linear in the text.
"""

import itertools
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.simulator import Floats
from tasks.types import Slot

BEHAVIOUR = "3"
"""Version of how answers are read; see ``benchmark.trials.catalogue.Entry``."""

LONGEST = 20_000
"""Characters of an answer that are read, from its end, after thought was taken out."""

_NAMES = r"(?:ant)?think(?:ing)?|thoughts?|reason(?:ing)?|analysis|scratchpad|reflection|seed:think|inner_?monologue"
_BEGIN = re.compile(
    rf"<\|?\s?(?:{_NAMES})(?:\s[^<>]{{0,40}})?\|?>|<unused94>|\[think(?:ing)?\]|◁think▷|<\|(?:start_thinking|begin_of_thought)\|>"
    r"|<\|channel\|>(?:analysis|commentary)",
    re.I,
)
_END = re.compile(
    rf"<\s?/\|?\s?(?:{_NAMES})\s?\|?>|<unused95>|<\|/(?:{_NAMES})\|>|\[/think(?:ing)?\]|◁/think▷|<\|end_(?:thinking|of_thought)\|>"
    r"|<\|channel\|>final(?:<\|message\|>)?",
    re.I,
)
"""Where thought begins and ends: Qwen, DeepSeek, Mistral, Kimi, Seed, Cohere, gpt-oss and others spell it so."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The slot that an answer names, and where in the text its label begins and ends; -1 if the title named it."""

    slot: int
    start: int = -1
    end: int = -1


def read(text: str, slots: Sequence[Slot]) -> Reading | None:
    """Return the slot that an answer names, or None if it names none or several.

    Everything up to the last end of a thought is thought; a thought without an end is no answer. Of the rest, the
    strongest cue decides: a JSON object or the whole answer, "final answer", "answer", a choice in words, a label that
    the sentence is about, a single label, a single title. Two labels with the same strongest cue are no answer.
    """
    begin = _after_thought(text)
    if begin is None:
        return None
    text = text[:begin] + _plain(text[begin:])
    whole = text[begin:].strip(_MARKS)
    labels = {slot.label.casefold(): index for index, slot in enumerate(slots)}
    if whole.casefold() in labels:
        start = text.index(whole, begin)
        return Reading(labels[whole.casefold()], start, start + len(whole))
    objects = list(_from_json(text, begin, labels))
    if objects:
        return _only(objects)
    found = list(_labels(_without_titles(text, slots), begin, slots))
    if found:
        strong = next(some for cued in _CUES if (some := [one for one in found if cued(text, one, begin)]))
        joined = {a: b for a, b in itertools.pairwise(found) if _OR.fullmatch(text[a.end : b.start][:_SIGHT])}
        return _only([*(joined[one] for one in strong if one in joined), *strong])
    titled = [i for i, slot in enumerate(slots) if _title(slot) and _title(slot) in text[begin:].casefold()]
    return Reading(titled[0]) if len(titled) == 1 else None


def shares(text: str, names: Sequence[str]) -> Floats | None:
    """Return what an answer gives each name, shape (names,), sum 1; None unless it is read without any doubt.

    Apart from thought it must hold one JSON object, with a number of 0 or more for every name and nothing else;
    ValueError if what is between the first and the last curly bracket is no object.
    """
    begin = _after_thought(text)
    if begin is None:
        return None
    given = json.loads(text[text.index("{", begin) : text.rindex("}") + 1], object_pairs_hook=list)
    if sorted(name for name, _ in given) != sorted(names) or not all(type(n) in (int, float) for _, n in given):
        return None
    found = np.array([float(dict(given)[name]) for name in names])
    total = found.sum()
    return found / total if np.isfinite(total) and total > 0 and (found >= 0).all() else None


def _after_thought(text: str) -> int | None:
    """Return where the part of a text that is read begins; None if a thought does not end."""
    begin = 0
    for end in _END.finditer(text):
        begin = end.end()
    return None if _BEGIN.search(text, begin) else max(begin, len(text) - LONGEST)


_MARKS = " \t\r\n*_`'\"()[]{}<>.,:;!#$\\"


_KEYS = ("answer", "final_answer", "choice", "slot", "label", "letter", "number", "click")


def _plain(text: str) -> str:
    """Return a text with full-width and other forms of letters and digits as plain ones, character by character."""
    forms = {} if text.isascii() else {c: unicodedata.normalize("NFKC", c) for c in set(text)}
    return text.translate({ord(c): form for c, form in forms.items() if len(form) == 1})


def _only(found: Sequence[Reading]) -> Reading | None:
    """Return the slot if all labels name the same one, at the place of the last."""
    return found[-1] if len({one.slot for one in found}) == 1 else None


def _from_json(text: str, begin: int, labels: Mapping[str, int]) -> Iterator[Reading]:
    """Yield the labels that JSON objects name under ``answer`` or a word for it."""
    for match in re.compile(r"\{[^{}]*\}").finditer(text, begin):
        try:
            value = json.loads(match[0], object_pairs_hook=list)
        except ValueError:
            continue
        for key, answer in value:
            if key.casefold() in _KEYS and type(answer) in (str, int):
                label = str(answer).strip(_MARKS)
                if label.casefold() in labels:
                    start = text.find(label, max(match.start(), text.find(key, match.start()) + len(key)))
                    yield Reading(labels[label.casefold()], start, start + len(label) if start >= 0 else -1)


def _without_titles(text: str, slots: Sequence[Slot]) -> str:
    """Return a text with the items' titles blotted out: "Vitamin C" is no C."""
    long = "|".join(sorted({re.escape(_title(slot)) for slot in slots if _title(slot)}, key=len, reverse=True))
    return re.sub(rf"\b(?:{long})\b", lambda match: "_" * len(match[0]), text, flags=re.I) if long else text


def _labels(text: str, begin: int, slots: Sequence[Slot]) -> Iterator[Reading]:
    """Yield the labels in a text, except those that are words of a sentence, parts of words, or rejected."""
    names = sorted((slot.label for slot in slots), key=len, reverse=True)
    index = {slot.label: i for i, slot in enumerate(slots)} | {slot.label.lower(): i for i, slot in enumerate(slots)}
    either = {name for label in names for name in (label, label.lower())}
    pattern = "|".join(re.escape(name) for name in sorted(either, key=len, reverse=True))
    bullets = {match.start(1) for match in _BULLET.finditer(text, begin)}
    for match in re.compile(rf"(?<!{_W})(?<!/)(?<!\w[.,’'-])({pattern})(?!{_W}|%|[’'.,/-]\w)").finditer(text, begin):
        label = match[1]
        before, after = text[max(begin, match.start() - _SIGHT) : match.start()], text[match.end() :][:_SIGHT]
        if label not in names and (re.match(r"[ \t]+\w", after) or before.endswith("<")):
            continue  # a small letter before another word is a word, and in pointed brackets it is markup
        if label in _WORD and _WORD[label](before, after):
            continue
        if label.isdigit() and (_COUNTS.match(after) or _PLACE.search(before)):
            continue
        if len(bullets) > 1 and match.start() in bullets:
            continue  # the number of a line in a list
        if not _REJECTED.search(before) and not _SECOND.match(after):
            yield Reading(index[label], match.start(), match.end())


_W = r"[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
"""A character of a word, in writings that put blanks between words."""

_BULLET = re.compile(r"^ *(\d+)[.)] +\S", re.M)
_OR = re.compile(r"[\s*_`\"'()]*,?(?:\b(?:or|and|oder|ou|y|e)\b|[/&]|或)[\s*_`\"'()]*")

_SIGHT = 80
"""Characters before and after a label that can say how it is meant."""

_VERB = (
    r"(?:(?:\w+ly|best|most|also|just|still) ){0,2}"
    r"(?:(?!series|serious|always|perhaps|sometimes|was\b)[a-z]*[^\W\dsu]s\b|caught (?:my|the|his|her|their))"
)
_JOINS = (
    r"(?:because|since|as|for|due|over|and|or|but|from|in|on|at|with|rather|instead|than|to|it|please|of course|"
    r"(?:would|will|could|should|might|may|must) (?:\w+ly )?(?:fit|suit|match|appeal|win|stand|(?:be|have been) (?:my|"
    r"the|an?|their|his|her|it|what|where|best|perfect|ideal|most|right|good|great|chosen|picked|clicked|selected)))\b"
)
_AS_LABEL = re.compile(rf" +(?:{_VERB}|{_JOINS})")
"""A verb in the third person, or a word that no noun and no first person begins with: what comes before is a label."""
_ASKED = re.compile(
    r"\b(?:pick|choose|select|click|like|love|prefer|take|watch|on|with|for|to|letter|label(?:led)?|option|answer|is)"
    r"[ *_`\"'(:]*$",
    re.I,
)
"""What is followed by its object, so that the ``I`` after it is not a subject."""


def _is_article(before: str, after: str) -> bool:
    """Tell whether an ``A`` between these texts is the article: it begins a sentence or a title, and a noun follows."""
    if re.match(r" +[A-Z][a-z]", after):
        return not re.search(r"\b(?:letter|option|label(?:led)?|answer(?: is)?) *$", before, re.I)
    return bool(
        re.match(r" +[a-z]", after)
        and re.search(r"(?:^|[.!?:\n\"“>])[\s*_`\"'“(]*$", before)
        and not re.match(r" +(?:was|would|will|could|should|may|might|can)\b", after)
        and not _AS_LABEL.match(after)
    )


def _is_pronoun(before: str, after: str) -> bool:
    """Tell whether an ``I`` between these texts is the pronoun: a verb in the first person follows."""
    return bool(re.match(r" +[a-z]|[’'][a-z]", after) and not _AS_LABEL.match(after) and not _ASKED.search(before))


_WORD = {"A": _is_article, "I": _is_pronoun}
"""The labels that are English words too, and whether they are used as such."""

_COUNTS = re.compile(
    r"(?:st|nd|rd|th)\b| *(?:films?|movies?|results?|options?|stars?|rows?|columns?|years?|minutes?|hours?|"
    r"times|items?|pages?|ads?|snacks?|reasons?|percent|points?|of (?:the|these|them))\b"
)
_PLACE = re.compile(r"\b(?:row|column|page|line|step|top|under|rated|top-|rank(?:ed)?|position|reason) *#?$", re.I)
"""What makes a number a count, or the number of something else than a slot."""

_REJECTED = re.compile(
    r"(?:(?:\b(?:not|never|no|neither|nor|(?:any|every)thing but|rather than|instead of|than|over|next to|unlike|"
    r"except|besides|beats|versus|vs\.?)|n[’']t)(?: (?:pick|choose|click|select|like|want|watch|take|be|on|"
    r"go (?:for|with)|the|film|movie|result|option|letter|number|item))*"
    r"|(?:second|2nd|runner.up|alternative|alternatively|next best|third|backup)[^.;\n]{0,20}"
    r"(?:is|be|:|choice|option|pick)?) *[\"'(*_`#]*$",
    re.I,
)
_SECOND = re.compile(
    r"[\"')*_`]*,? (?:is|was|would be|could be|comes?|as) (?:an?|my|the|their|his|her|in)? ?"
    r"(?:close |possible |good |likely |very )?(?:second|alternative|runner|backup|third|not\b|wrong|less)"
    r"|[\"')*_`]*,? (?:is|was|comes) (?:also |very |quite )?close\b|[\"')*_`]*\? +(?:no|nope|not)\b"
    r"|[\"')*_`]*,? (?:is|was|would|will|could|should)(?: be)?(?: not|n[’']t)\b|[\"')*_`]* (?:isn|wasn|wouldn)[’']t\b",
    re.I,
)
"""What takes a label out: it is refused, compared with, or named as second."""

_GAP = r"[\s*_`\"'(\[{:=#>,.-]{0,12}"
_NOUN = r"(?:(?:the|film|movie|result|option|letter|number|item|slot|poster|snack|label(?:led)?|one|under) ){0,4}"
_BE = r"(?:is|was|would be|will be|be|are|should be|=|:|->|→)?"
_FINAL = re.compile(
    rf"\b(?:final (?:answer|choice|pick|decision|selection)|boxed){_GAP}{_BE}{_GAP}{_NOUN}{_GAP}$", re.I
)
_ANSWER = re.compile(
    rf"(?:\b(?:answer|response|output|verdict|antwort|réponse|respuesta|risposta|resposta|antwoord|ответ)|答案|答え|回答|정답)"
    rf"(?:是|は|ist|est|es|è|é)?{_GAP}{_BE}{_GAP}{_NOUN}{_GAP}$",
    re.I,
)
_CHOSEN = re.compile(
    rf"\b(?:choice|choose|chooses|chose|chosen|pick|picks|picked|select|selects|selection|selected|click|clicks|clicked|"
    rf"go|goes|going|opt|opts|decide|decides|prefer|prefers|take|takes|settle|decision|say|vote|so|thus|hence|therefore){_GAP}"
    rf"(?:on|with|for|upon)?{_GAP}{_BE}{_GAP}{_NOUN}{_GAP}$",
    re.I,
)
_CHOICE = re.compile(
    r"[\"')*_`]* (?:is|was|would be|will be|as) (?:(?:clearly|probably|definitely|most likely|likely) )?"
    r"(?:my|the|their|his|her|this user[’']s|what|where|who|which) ?(?:\w+ )?"
    r"(?:choice|pick|answer|selection|click|one|film|result|favou?rite|I|he|she|they|this|user)"
    r"|[\"')*_`]* it is\b"
)
_THEN = re.compile(r"[\"')*_`\]]*(?:[:.)]| +[–—-]) +(?=[^\n]*[^\W\d_]{2})")
_ABOUT = re.compile(
    r"[\"')*_`]* (?:(?:clearly|best|really|probably|also) )?(?:is|was|fits?|suits?|seems|looks|matche?s|appeals|wins|"
    r"stands out|would|because|since|,)",
)


_CUES: tuple[Callable[[str, Reading, int], object], ...] = (
    lambda text, one, begin: _FINAL.search(_before(text, one)),
    lambda text, one, begin: _ANSWER.search(_before(text, one)) or _alone(text, one),
    lambda text, one, begin: _CHOSEN.search(_before(text, one)) or _CHOICE.match(text, one.end, one.end + _SIGHT),
    lambda text, one, begin: not text[begin : one.start].strip(_MARKS) and _THEN.match(text, one.end),
    lambda text, one, begin: _ABOUT.match(text, one.end, one.end + _SIGHT),
    lambda text, one, begin: True,
)
"""What tells how a label is meant, the strongest first; ``begin`` is where the answer begins."""


def _alone(text: str, one: Reading) -> bool:
    """Tell whether a label is all there is on its line."""
    line, rest = _before(text, one).rpartition("\n")[2], text[one.end : one.end + _SIGHT].partition("\n")[0]
    return not line.strip(_MARKS + "-") and not rest.strip(_MARKS)


def _before(text: str, one: Reading) -> str:
    return text[max(0, one.start - _SIGHT) : one.start]


def _title(slot: Slot) -> str:
    """Return an item's text as it is searched for; short ones occur in other words too often."""
    title = re.split(r"[(|]", slot.text)[0].strip().casefold()
    return title if len(title) >= 4 else ""
