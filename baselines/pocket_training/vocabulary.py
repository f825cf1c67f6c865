"""The pocket tokenizer: whole words for what the training texts hold, single characters for everything else.

Letters and numbers up to ``LARGEST_NUMBER`` are one token each, so an answer is one token; an unknown word is spelled
out. Persona words exist for training alone: they describe a simulated user's habits, take the place of a soft prompt
later, and no text can spell them.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.recgaze.posters import GENRES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

LETTERS = "ABCDEFGHIJKLMNO"
LARGEST_NUMBER = 60
GROUNDING = ("<|liked-most|>", "<|liked|>", "<|other|>")
"""What an image token of a film should know once the profile is read: a target of training, never an input."""
TRAITS = ("row-1", "row-2", "row-3", "column-1", "column-2", "column-3", "column-4", "column-5", "taste")
PERSONA = tuple(f"<|{trait}{sign}|>" for trait in TRAITS for sign in "-+")
"""Two persona words per trait: less and more of it than the population."""
PERSONA_FILLER = "<|persona|>"

_PAD, _UNKNOWN, _START, _END = "<|endoftext|>", "<|unknown|>", "<|im_start|>", "<|im_end|>"
_WORDS = (
    *("user", "assistant", "system", "Top_genre", "Preferred_genres", "Search", "query"),
    *("Pick", "one", "letter", "number", "Answer", "Act", "as", "this", "the", "film", "page"),
)
_PIECES = r"[A-Za-z_]+(?:-[A-Za-z_]+)*|[0-9]+|[^\sA-Za-z0-9_]"


@dataclass(frozen=True, slots=True)
class Markers:
    """The tokens around and in place of an image, as the family's published tokenizer writes them.

    Attributes:
        image: Stands for one image token, as ``video`` for one video token, which is not used here.
        explicit: The chat template writes start and end itself (Qwen); otherwise the processor does (InternVL).
    """

    start: str
    end: str
    image: str
    video: str
    explicit: bool


MARKERS = {
    "pocket-qwen3vl": Markers("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", explicit=True),
    "pocket-internvl": Markers("<img>", "</img>", "<IMG_CONTEXT>", "<video>", explicit=False),
}


def vocabulary(markers: Markers) -> dict[str, int]:
    """Return token -> id: special tokens, words, characters and their continuations, persona words."""
    characters = string.ascii_letters + string.digits
    tokens = [_PAD, _UNKNOWN, _START, _END, markers.start, markers.end, markers.image, markers.video]
    tokens += [*_WORDS, *GENRES, *string.punctuation, *characters, *(f"##{c}" for c in characters + "_-")]
    tokens += [str(number) for number in range(10, LARGEST_NUMBER + 1)]
    tokens += [*GROUNDING, *PERSONA, PERSONA_FILLER]
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}


def chat_template(markers: Markers) -> str:
    """Return the chat template: the turns of ChatML."""
    image = f"{markers.start}{markers.image}{markers.end}" if markers.explicit else markers.image
    return (
        f"{{% for message in messages %}}{_START}{{{{ message.role }}}}\n"
        f"{{% for part in message.content %}}{{% if part.type == 'image' %}}{image}"
        f"{{% else %}}{{{{ part.text }}}}{{% endif %}}{{% endfor %}}{_END}\n{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{_START}assistant\n{{% endif %}}"
    )


def build_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a pocket stand-in, chat template included."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    markers = MARKERS[name]
    tokens = vocabulary(markers)
    backend = Tokenizer(models.WordPiece(tokens, unk_token=_UNKNOWN, max_input_chars_per_word=200))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), behavior="removed", invert=True)
    backend.decoder = decoders.WordPiece()
    # Not so the persona words: as pieces split at every sign, no text can spell one.
    control = [_PAD, _UNKNOWN, _START, _END, markers.start, markers.end, markers.image, markers.video]
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=_PAD,
        unk_token=_UNKNOWN,
        eos_token=_END,
        padding_side="left",
        chat_template=chat_template(markers),
        clean_up_tokenization_spaces=False,
        model_max_length=4096,
        extra_special_tokens={
            "start_image_token": markers.start,
            "end_image_token": markers.end,
            "context_image_token": markers.image,
            "image_token": markers.image,
            "video_token": markers.video,
        },
    )
