"""The pocket models: configurations of the real architecture classes, a few hundred times narrower and shallower.

The pocket tokenizer: whole words for what the training texts hold, single characters for everything else.

Letters and numbers up to ``LARGEST_NUMBER`` are one token each, so an answer is one token; an unknown word is spelled
out. Persona words exist for training alone: they describe a simulated user's habits, take the place of a soft prompt
later, and no text can spell them.
"""

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.errors import unknown_name
from tasks.recgaze.posters import GENRES
from tasks.snacks.sample import SNACKS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

LETTERS = "ABCDEFGHIJKLMNO"
LARGEST_NUMBER = 60
GROUNDING = ("<|liked-most|>", "<|liked|>", "<|other|>")
"""What an image token of a film or snack should know once the profile is read: a target of training, never an input."""
NOTHING = "<|nothing|>"
PAGE_WORDS = ("<|result|>", "<|text-ad|>", "<|top-ads|>", "<|side-ads|>")
"""What image tokens of a result page show; ``NOTHING`` is what is outside all slots."""
TRAITS = {
    "carousel": ("row-1", "row-2", "row-3", "column-1", "column-2", "column-3", "column-4", "column-5", "taste"),
    "page": ("rank", "place", "text-ad", "top-ads", "side-ads", "area"),
    "grid": ("across", "down", "order", "rating"),
}
"""Kind of screen -> what people differ in there."""
PERSONA = tuple(f"<|{trait}{sign}|>" for traits in TRAITS.values() for trait in traits for sign in "-+")
"""Two persona words per trait: less and more of it than the population."""
PERSONA_FILLER = "<|persona|>"

_PAD, _UNKNOWN, _START, _END = "<|endoftext|>", "<|unknown|>", "<|im_start|>", "<|im_end|>"
_WORDS = (
    *("user", "assistant", "system", "Top_genre", "Preferred_genres", "Search", "query"),
    *("Pick", "one", "letter", "number", "Answer", "Act", "as", "this", "the", "film", "page"),
    *("Own", "ratings", "of", "snacks", "shown", "best", "to", "worst", "snack"),
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
    tokens += [*_WORDS, *GENRES, *SNACKS, *string.punctuation, *characters, *(f"##{c}" for c in characters + "_-")]
    tokens += [str(number) for number in range(10, LARGEST_NUMBER + 1)]
    tokens += [*GROUNDING, NOTHING, *PAGE_WORDS, *PERSONA, PERSONA_FILLER]
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


def build_tokenizer(name: str) -> "PreTrainedTokenizerFast":
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


SCREEN = (480, 288)
"""Width and height of the pages of films that the stand-ins are trained on."""
PIXELS = (396 * 288, 135_000)
"""Fewest and most pixels of a picture as the Qwen3-VL stand-in sees it: 13 x 8 or 11 x 9 image tokens."""
PATCH, MERGE = 12, 3
"""Of the Qwen3-VL stand-in: pixels of a patch, fine enough for digits, and patches across an image token."""
SQUARE, SQUARE_PATCH, SQUARE_MERGE = 468, 18, 2
"""Of the InternVL stand-in: side of the letterboxed picture, 13 x 13 image tokens; the class divides by 2 or 4."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Widths and depths of the text decoder and of the vision tower.

    Attributes:
        groups: Key and value heads.
        vocabulary: Rows of the embedding, a multiple of 64.
    """

    width: int = 128
    layers: int = 3
    heads: int = 4
    groups: int = 2
    feedforward: int = 384
    vision_width: int = 96
    vision_layers: int = 3
    vision_heads: int = 4
    vision_feedforward: int = 256
    vocabulary: int = 384


SHAPES = {"pocket-qwen3vl": Shape(), "pocket-internvl": Shape(vision_feedforward=512)}
"""Of the shipped stand-ins. InternVL's tower has no merger and no deepstack: it gets wider layers instead."""


def new_model(name: str, tokenizer: "PreTrainedTokenizerFast", shape: Shape | None = None) -> Any:
    """Return an untrained stand-in in float32, of its own shape if none is given.

    Its weights come from torch's global generator. InputError if there is no stand-in of this name.
    """
    import torch
    from transformers import InternVLForConditionalGeneration, Qwen3VLForConditionalGeneration

    if name not in MARKERS:
        raise unknown_name("pocket stand-in", name, MARKERS)
    shape = shape or SHAPES[name]
    if name == "pocket-qwen3vl":
        model = Qwen3VLForConditionalGeneration(_qwen3vl(tokenizer, shape))
    else:
        model = InternVLForConditionalGeneration(_internvl(tokenizer, shape))
    # Wider than usual: image embeddings start on the scale of the words, and small models learn faster from it.
    torch.nn.init.normal_(model.get_input_embeddings().weight, 0.0, 0.15)
    _like_to_like(model)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def _like_to_like(model: Any) -> None:
    """Let attention begin with what is alike: a film's image token finds its genre in the profile, a snack its name."""
    import torch

    with torch.no_grad():
        for layer in model.get_decoder().layers:
            heads = layer.self_attn
            size = heads.head_dim
            queries = heads.q_proj.weight.unflatten(0, (-1, heads.num_key_value_groups, size))
            heads.k_proj.weight.copy_(queries[:, 0].flatten(0, 1))
            heads.q_norm.weight.fill_(1.5)


def _text(tokenizer: "PreTrainedTokenizerFast", shape: Shape) -> dict[str, Any]:
    return {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.feedforward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.groups,
        "head_dim": shape.width // shape.heads,
        "max_position_embeddings": 4096,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
        "tie_word_embeddings": True,
        "initializer_range": 0.06,
    }


def _qwen3vl(tokenizer: "PreTrainedTokenizerFast", shape: Shape) -> Any:
    from transformers import Qwen3VLConfig

    markers = MARKERS["pocket-qwen3vl"]
    half = shape.width // shape.heads // 2
    space = half * 5 // 16
    return Qwen3VLConfig(
        text_config={
            **_text(tokenizer, shape),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [half - 2 * space, space, space],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": shape.vision_layers,
            "hidden_size": shape.vision_width,
            "intermediate_size": shape.vision_feedforward,
            "num_heads": shape.vision_heads,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": 2,
            "out_hidden_size": shape.width,
            "num_position_embeddings": 36 * 36,
            "deepstack_visual_indexes": [0],
            "initializer_range": 0.05,
        },
        image_token_id=tokenizer.convert_tokens_to_ids(markers.image),
        video_token_id=tokenizer.convert_tokens_to_ids(markers.video),
        vision_start_token_id=tokenizer.convert_tokens_to_ids(markers.start),
        vision_end_token_id=tokenizer.convert_tokens_to_ids(markers.end),
        tie_word_embeddings=True,
    )


def _internvl(tokenizer: "PreTrainedTokenizerFast", shape: Shape) -> Any:
    from transformers import InternVLConfig

    markers = MARKERS["pocket-internvl"]
    return InternVLConfig(
        text_config={
            "model_type": "qwen3",
            **_text(tokenizer, shape),
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        },
        vision_config={
            "hidden_size": shape.vision_width,
            "intermediate_size": shape.vision_feedforward,
            "num_hidden_layers": shape.vision_layers,
            "num_attention_heads": shape.vision_heads,
            "image_size": [SQUARE, SQUARE],
            "patch_size": [SQUARE_PATCH, SQUARE_PATCH],
            "attention_bias": True,
            "layer_scale_init_value": 1.0,
            "initializer_range": 0.05,
        },
        image_token_id=tokenizer.convert_tokens_to_ids(markers.image),
        image_seq_length=(SQUARE // SQUARE_PATCH // SQUARE_MERGE) ** 2,
        downsample_ratio=1.0 / SQUARE_MERGE,
        tie_word_embeddings=True,
    )
