"""One pass over a batch: click probabilities, and attention over slots where it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from baselines.probing.hook import Decoder
from baselines.probing.inputs import Operator
from baselines.probing.relevance import rectifier, token_relevance
from baselines.tuning.examples import Batch, ExampleStore, slot_attention, slot_log_probabilities
from baselines.tuning.prefix_cache import cache_of
from baselines.tuning.suffix_pass import OPERATORS, SuffixPass
from tasks.types import Floats, Session, Stimulus


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a pass gives.

    Attributes:
        log_probabilities: log p over slots, shape (B, K), -inf where there is no slot; None if it was not asked for
            and would have cost a pass of its own.
        attention: Over slots, shape (B, K), rows of sum 1, or of zeros where it is missing; None without an
            operator.
        found: Which rows have attention, shape (B,).
        logits: At src, shape (B, V).
    """

    log_probabilities: Tensor | None
    attention: Tensor | None
    found: Tensor | None
    logits: Tensor

    def attention_of(self, row: int, slots: int) -> Floats | None:
        """Return a row's attention over its ``slots`` slots, shape (K,), sum 1; None if it is missing."""
        if self.attention is None or self.found is None or not bool(self.found[row]):
            return None
        values: Floats = self.attention[row, :slots].detach().double().cpu().numpy()
        shares: Floats = values / values.sum()
        return shares

    def probabilities_of(self, row: int, slots: int) -> Floats:
        """Return a row's probabilities over its ``slots`` slots, shape (K,), sum 1."""
        assert self.log_probabilities is not None, "probabilities were asked for"
        values: Floats = self.log_probabilities[row, :slots].detach().double().exp().cpu().numpy()
        shares: Floats = values / values.sum()
        return shares


def read_sessions(
    backbone: Any, sessions: Sequence[Session | Stimulus], operator: Operator, clicks: Sequence[int] | None = None
) -> list[tuple[Floats | None, Floats]]:
    """Return attention (None if no slot has relevance) and click probabilities of sessions without a soft prompt.

    ``clicks`` are the answers that a gradient operator is applied to; None for the model's own best.
    """
    store = ExampleStore(backbone, 0, "prefix")
    batch = Batch.of([store.get(session) for session in sessions])
    found = read(backbone, batch, None, operator, clicks)
    sizes = [len(session.slots) for session in sessions]
    return [(found.attention_of(row, k), found.probabilities_of(row, k)) for row, k in enumerate(sizes)]


def read(
    backbone: Any,
    batch: Batch,
    prompts: Tensor | None,
    operator: Operator | None,
    slots: Sequence[int] | None = None,
    *,
    create_graph: bool = False,
    probabilities: bool = True,
) -> Reading:
    """Run a batch once; where answers have several tokens that share their first, probabilities cost more passes.

    Soft prompts have the shape (B, N, D); ``operator`` probes attention, and ``slots`` are per row the answer that a
    gradient operator is applied to, None for the model's own best. ``create_graph`` keeps everything in the graph of
    the prompts, for training. ``probabilities`` asks for log p, which always comes where src's logits give it.
    """
    with torch.set_grad_enabled(create_graph):
        own: Tensor | None = None
        if not batch.one_pass and (probabilities or (slots is None and operator is not None)):
            own = _tried_answers(backbone, batch, prompts)
            slots = own.detach().argmax(1).tolist() if slots is None else slots

        def answer(logits: Tensor) -> Tensor:
            """Return y per row: the logit of the answer at src, summed over its tokens."""
            chosen = slots
            if chosen is None:
                chosen = slot_log_probabilities(logits.detach(), batch).argmax(1).tolist()
            paths = [example.candidates[slot] for example, slot in zip(batch.examples, chosen, strict=True)]
            width = max(map(len, paths))
            index = torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in paths], device=logits.device)
            weight = torch.tensor(
                [[1.0] * len(ids) + [0.0] * (width - len(ids)) for ids in paths], device=logits.device
            )
            return (logits.gather(1, index) * weight.to(logits.dtype)).sum(1)

        suffix = prompts is not None and all(example.prefix_key is not None for example in batch.examples)
        if suffix and (operator is None or isinstance(operator, OPERATORS)):
            assert prompts is not None
            run = SuffixPass(backbone.model, cache_of(backbone), batch, prompts)
            index: Sequence[Tensor] = run.image_index
            if operator is None:
                relevance, logits = None, run.logits()
            else:
                relevance, logits = run.relevance(operator, answer, create_graph)
        else:
            inputs = batch.inputs(prompts)
            index = inputs.image_index
            if operator is None:
                decoder = Decoder.of(backbone.model)
                relevance = None
                logits = decoder.logits(decoder.run(inputs.arguments(), use_cache=False).last_hidden_state)
            else:
                with torch.enable_grad():
                    relevance, logits = token_relevance(
                        backbone.model, operator, **inputs.arguments(), target=answer, create_graph=create_graph
                    )
        attention = found = None
        if relevance is not None and operator is not None:
            attention, found = slot_attention(relevance, batch, index, rectifier(operator))
        if own is None and batch.one_pass:
            own = slot_log_probabilities(logits, batch)
        return Reading(own, attention, found, logits)


def answer_loss(backbone: Any, batch: Batch, prompts: Tensor | None, slots: Sequence[int], logits: Tensor) -> Tensor:
    """Return L_NTP per session, shape (B,): the summed cross-entropy of the answer's tokens under teacher forcing.

    Where every answer is one token, the logits at src, shape (B, V), give it; otherwise the answers' tokens run after
    the sequence.
    """
    end = backbone.processor.tokenizer.eos_token_id
    paths = [e.answer_path(slot, end) for e, slot in zip(batch.examples, slots, strict=True)]
    first = torch.tensor([path[0] for path in paths], device=logits.device)
    wide = torch.promote_types(logits.dtype, torch.float32)
    loss = cross_entropy(logits.to(wide), first, reduction="none")
    more = max(map(len, paths)) - 1
    if not more:
        return loss
    given = torch.tensor([[*path[:-1], *[0] * (more + 1 - len(path))] for path in paths], device=logits.device)
    wanted = torch.tensor([[*path[1:], *[-100] * (more + 1 - len(path))] for path in paths], device=logits.device)
    inputs = batch.inputs(prompts)
    arguments = inputs.arguments()
    words = backbone.model.get_input_embeddings()(given).to(inputs.inputs_embeds.dtype)
    steps = torch.arange(1, more + 1, device=logits.device)
    arguments["inputs_embeds"] = torch.cat([inputs.inputs_embeds, words], 1)
    arguments["position_ids"] = torch.cat([inputs.position_ids, inputs.position_ids[..., -1:] + steps], -1)
    arguments["attention_mask"] = pad(inputs.attention_mask, (0, more), value=True)
    if "visual_pos_masks" in arguments and inputs.visual_pos_masks is not None:
        arguments["visual_pos_masks"] = pad(inputs.visual_pos_masks, (0, more), value=False)
    decoder = Decoder.of(backbone.model)
    hidden = decoder.run(arguments, use_cache=False).last_hidden_state[:, -more:]
    scores = decoder.head(hidden).to(wide)
    return loss + cross_entropy(scores.transpose(1, 2), wanted, reduction="none").sum(1)


def _tried_answers(backbone: Any, batch: Batch, prompts: Tensor | None) -> Tensor:
    """Return log p over slots, shape (B, K), by trying the answers' further tokens."""
    with torch.no_grad():
        rows = backbone.log_probabilities(batch.inputs(prompts), [example.candidates for example in batch.examples])
    width = batch.present.shape[1]
    return torch.stack([pad(row, (0, width - len(row)), value=-torch.inf) for row in rows])
