"""A language model that answers questions without an image: a causal one, or a backbone's text decoder."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers

from baselines.backbones import answers, checkpoint, loading, templates
from baselines.backbones.conversation import DEFAULT_TEMPLATE
from baselines.backbones.interface import Candidates, ModelInput
from baselines.backbones.loading import DTYPES
from baselines.backbones.templates import Prompt
from baselines.simulators import loaded
from benchmark.simulator import Floats
from tasks.types import Session, Stimulus


@dataclass(frozen=True, slots=True, eq=False)
class LanguageModel:
    """A model in evaluation mode and its tokenizer; with ``parts`` a turn of its chat template is a list of parts."""

    model: Any
    tokenizer: Any
    parts: bool

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        found: torch.device = self.model.get_input_embeddings().weight.device
        return found

    def prompt(self, question: str) -> Prompt:
        """Return what the model continues with its answer; without a chat template a line of text."""
        for token in self.tokenizer.all_special_tokens:
            question = question.replace(token, " ")
        template = templates.own_template(self.tokenizer) or (DEFAULT_TEMPLATE if self.parts else None)
        if template is None:
            return templates.prompt(f"{question}\nAnswer: ")
        content: Any = [{"type": "text", "text": question}] if self.parts else question
        return templates.render(self.tokenizer, [{"role": "user", "content": content}], template)

    def ids(self, question: str) -> list[int]:
        """Return the token ids of a question, up to where the answer begins."""
        own = not self.tokenizer.chat_template and not self.parts
        return [int(i) for i in self.tokenizer.encode(self.prompt(question).text, add_special_tokens=own)]

    def answer_tokens(self, session: Stimulus | Session, question: str) -> Candidates:
        """Return the token ids of every label, as they follow a question."""
        shown = self.prompt(question)
        return answers.answer_tokens(self.tokenizer, session, templates.tail(self.tokenizer, shown.text), shown.lead)

    def probabilities(self, questions: Sequence[str], candidates: Sequence[Candidates]) -> list[Floats]:
        """Return for each question the probabilities of its candidates, answers as token ids, sum 1."""
        rows = [self.ids(question) for question in questions]
        length = max(map(len, rows))
        pad = self.tokenizer.pad_token_id or 0
        padded = torch.tensor([[pad] * (length - len(row)) + row for row in rows], device=self.device)
        mask = torch.tensor([[False] * (length - len(row)) + [True] * len(row) for row in rows], device=self.device)
        embedding = self.model.get_input_embeddings()
        empty = torch.zeros(0, dtype=torch.long, device=self.device)
        count = len(rows)
        inputs = ModelInput(
            inputs_embeds=embedding(padded),
            position_ids=(mask.long().cumsum(1) - 1).clamp(min=0),
            attention_mask=mask,
            image_index=(empty,) * count,
            patch_boxes=(np.zeros((0, 4)),) * count,
            visual_pos_masks=None,
            deepstack=(),
            prompt_index=(empty,) * count,
            sessions=("",) * count,
        )
        with torch.no_grad():
            logits = answers.node_logits(
                self.model.get_decoder(), self.model.get_output_embeddings(), embedding, inputs, candidates
            )
            found = answers.candidate_log_probabilities(logits, candidates, self.tokenizer.eos_token_id)
        shares = [np.exp(row.double().cpu().numpy()) for row in found]
        return [share / share.sum() for share in shares]


def of_backbone(name: str, dtype: str) -> LanguageModel:
    """Return the text side of a backbone."""
    backbone = loaded.load(name, dtype)
    return LanguageModel(backbone.model, backbone.processor.tokenizer, parts=True)


def causal(name: str, dtype: str) -> LanguageModel:
    """Load a causal language model: folder or hub name; InputError if it does not load, or weights are not finite."""
    return _causal(name, loaded.device_name(), loaded.number_format(dtype))


@functools.lru_cache(maxsize=1)
def _causal(name: str, device: str | None, dtype: str) -> LanguageModel:
    folder = checkpoint.find_folder(name)
    checkpoint.read_weights(folder)
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    with loading.quiet():
        model = loading.checked_model(transformers.AutoModelForCausalLM, folder, DTYPES[dtype])
        tokenizer = loading.read_tokenizer(folder, int(model.config.get_text_config().vocab_size))
    return LanguageModel(model.to(place).eval().requires_grad_(False), tokenizer, parts=False)
