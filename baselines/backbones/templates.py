"""Chat templates: a turn as the text that a model continues with its answer."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.errors import InputError

CLOCK = datetime(2025, 1, 1, 12)
"""The time that templates with a clock are given: the prompt must not depend on the day on which a trial runs."""

_THOUGHTS = (("<think>", "</think>"), ("<thinking>", "</thinking>"), ("[THINK]", "[/THINK]"), ("◁think▷", "◁/think▷"))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered prompt.

    Attributes:
        text: It ends where the answer begins, without trailing blanks: tokenizers join those with the next word.
        lead: The blanks that were taken off; the answer begins with them.
        closed: The template ended inside a thought, which was closed.
    """

    text: str
    lead: str = ""
    closed: bool = False


_CLOCKED = re.compile(r"strftime_now\(\s*(['\"])(.*?)\1\s*\)")


def own_template(tokenizer: Any) -> str | None:
    """Return the tokenizer's chat template; where it holds several by name, the default one."""
    own = tokenizer.chat_template
    found = own.get("default") if isinstance(own, dict) else own
    return str(found) if found else None


def render(tokenizer: Any, messages: Sequence[Mapping[str, Any]], template: str, **values: Any) -> Prompt:
    """Render a conversation up to the answer: without thinking where the template knows it, at a fixed time.

    InputError if the template reads the clock in a way that cannot be fixed.
    """
    still = _CLOCKED.sub(lambda call: repr(CLOCK.strftime(call[2])), template)
    if re.search(r"strftime_now\(", still):
        raise InputError("the chat template reads the clock in a format of its own making; write the format out there.")
    text = tokenizer.apply_chat_template(
        list(messages),
        chat_template=still,
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=False,
        **values,
    )
    return prompt(str(text))


def prompt(text: str) -> Prompt:
    """Return a text as a prompt: an open thought at its end is closed, trailing blanks are kept apart."""
    closed = False
    for begin, end in _THOUGHTS:
        if text.rfind(begin) > text.rfind(end) and not text[text.rfind(begin) + len(begin) :].strip():
            text, closed = f"{text.rstrip()}\n\n{end}\n\n", True
    bare = text.rstrip(" ")
    return Prompt(bare, text[len(bare) :], closed)


def tail(tokenizer: Any, text: str) -> str:
    """Return what follows the last special token of a text; what comes before it does not change later tokens."""
    special = [re.escape(token) for token in tokenizer.all_special_tokens if token]
    return re.split("|".join(special), text)[-1] if special else text
