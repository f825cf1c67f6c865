"""The words around the screen: chat template, question, profile, and their token ids (PROTOCOL section 7)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from baselines.backbones import templates
from baselines.backbones.settings import Settings
from tasks.decoding import read_json
from tasks.errors import InputError
from tasks.types import Session, Stimulus

DEFAULT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% for part in message.content %}{% if part.type == 'image' %}{{ image_token }}"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""ChatML, the format both model families were tuned on; used where a checkpoint brings no chat template."""


@dataclass(frozen=True, slots=True)
class TokenizedSession:
    """Token ids around the image.

    Attributes:
        before: Ids up to the image, its opening token included.
        closing: Ids that close the image.
        after: Ids from there to src, the last prompt token.
        tail: The text after the last special token.
        lead: Blanks between the prompt and an answer.
    """

    before: tuple[int, ...]
    closing: tuple[int, ...]
    after: tuple[int, ...]
    tail: str = ""
    lead: str = ""


@dataclass(slots=True)
class Conversation:
    """Puts a session into words and those into token ids.

    Attributes:
        image_token: Stands for the image in the template.
        opening: Token that opens an image in the sequence; ``closing`` closes it.
    """

    tokenizer: Any
    image_token: str
    opening: str
    closing: str
    settings: Settings
    _known: dict[tuple[str, str], TokenizedSession] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for token in (self.image_token, self.opening, self.closing):
            if not _in_vocabulary(self.tokenizer, token):
                raise InputError(f"the tokenizer has no token {token}; it does not belong to this model.")
        if self._template is DEFAULT_TEMPLATE and not _in_vocabulary(self.tokenizer, "<|im_start|>"):
            raise InputError("the tokenizer has neither a chat template nor a token <|im_start|> for the default one.")

    def tokens(self, session: Stimulus | Session) -> TokenizedSession:
        """Return the token ids of a session.

        InputError for labels of mixed kind, or a chat template that does not place exactly one image.
        """
        key = (self.question(session), session.profile)
        if key not in self._known:
            self._known[key] = self._tokenize(*key)
        return self._known[key]

    def question(self, session: Stimulus | Session) -> str:
        """Return the instruction: for letters or for numbers, as the session's slots are labelled."""
        labels = [slot.label for slot in session.slots]
        if all(label.isdecimal() for label in labels):
            return self.settings.numbers
        if all(label.isalpha() for label in labels):
            return self.settings.letters
        raise InputError(f"session {session.session_id}: slot labels must be all letters or all numbers, not {labels}.")

    @property
    def _template(self) -> str:
        return templates.own_template(self.tokenizer) or DEFAULT_TEMPLATE

    def _tokenize(self, question: str, profile: str) -> TokenizedSession:
        profile = self._plain(profile)
        image = {"type": "image"}
        if self.settings.order == "profile-first":
            content = [_text(profile + "\n")] if profile else []
            content += [image, _text(question)]
        else:
            content = [image, _text(f"{profile}\n{question}" if profile else question)]
        rendered = templates.render(
            self.tokenizer, [{"role": "user", "content": content}], self._template, image_token=self.image_token
        )
        pieces = rendered.text.split(self.image_token)
        if len(pieces) != 2:
            raise InputError(f"the chat template places {len(pieces) - 1} images (as {self.image_token}), expected 1.")
        before, after = pieces
        before = before.removesuffix(self.opening) + self.opening
        after = after.removeprefix(self.closing)
        # Tokenizing piece by piece equals the whole: special tokens always split the text.
        tail = templates.tail(self.tokenizer, after)
        return TokenizedSession(
            self._ids(before), self._ids(self.closing), self._ids(after), tail=tail, lead=rendered.lead
        )

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(int(i) for i in self.tokenizer.encode(text, add_special_tokens=False))

    def _plain(self, text: str) -> str:
        """Return ``text`` without control tokens: a search query must not open an image or end the turn."""
        for token in {self.image_token, self.opening, self.closing, *self.tokenizer.all_special_tokens}:
            text = text.replace(token, " ")
        return text.strip()


class _Template(TypedDict):
    chat_template: str


def give_template(tokenizer: Any, folder: Path) -> None:
    """Give a tokenizer without a chat template that of the processor in the same folder, as older checkpoints hold it.

    InputError if the file is unreadable.
    """
    path = folder / "chat_template.json"
    if not tokenizer.chat_template and path.is_file():
        tokenizer.chat_template = read_json(_Template, path, "fetch it again")["chat_template"]


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _in_vocabulary(tokenizer: Any, token: str) -> bool:
    found = tokenizer.convert_tokens_to_ids(token)
    return found is not None and (found != tokenizer.unk_token_id or token == tokenizer.unk_token)
