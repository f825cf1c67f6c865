"""One pass over a batch: click probabilities, and attention over slots where it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from baselines.backbones.interface import followed_by
from baselines.probing.gaze_heads import GazeHeads
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
        logits: At the position that was probed, shape (B, V).
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

    Attention is probed at the position that predicts the token by which the answer differs from all others, the tokens
    before it given. Gaze heads know no answer and stay at the prompt's last token.
    """
    with torch.set_grad_enabled(create_graph):
        own: Tensor | None = None
        if not batch.one_pass and (probabilities or (slots is None and operator is not None)):
            own = _tried_answers(backbone, batch, prompts)
            slots = own.detach().argmax(1).tolist() if slots is None else slots
        whole, told = batch, None
        if operator is not None and slots is not None and not isinstance(operator, GazeHeads):
            batch, told = batch.probed_at(backbone, slots)

        def answer(logits: Tensor) -> Tensor:
            """Return y per row: the logit at src of the token that tells the answer."""
            tokens = told
            if tokens is None:  # src decides among the answers
                best = slot_log_probabilities(logits.detach(), whole).argmax(1, keepdim=True)
                tokens = whole.tokens.gather(1, best)[:, 0]
            return logits.gather(1, tokens[:, None])[:, 0]

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
        if own is None and whole.one_pass:
            own = slot_log_probabilities(logits, whole)
        return Reading(own, attention, found, logits)


def answer_loss(backbone: Any, batch: Batch, prompts: Tensor | None, slots: Sequence[int], logits: Tensor) -> Tensor:
    """Return L_NTP per session, shape (B,): the summed cross-entropy of the answer's tokens under teacher forcing.

    Where all answers are one token, the logits at src, shape (B, V), give it; otherwise the tokens run after the
    sequence.
    """
    paths = [e.answer_path(slot, backbone.end_token) for e, slot in zip(batch.examples, slots, strict=True)]
    more = max(map(len, paths)) - 1
    scores = logits[:, None]
    if any(len(ids) > 1 for example in batch.examples for ids in example.candidates):
        rows = [[*path[:-1], *[0] * (more + 1 - len(path))] for path in paths]
        given = torch.tensor(rows, dtype=torch.long, device=logits.device)
        inputs = followed_by(batch.inputs(prompts), backbone.model.get_input_embeddings()(given))
        decoder = Decoder.of(backbone.model)
        scores = decoder.head(decoder.run(inputs.arguments(), use_cache=False).last_hidden_state[:, -more - 1 :])
    wanted = torch.tensor([[*path, *[-100] * (more + 1 - len(path))] for path in paths], device=logits.device)
    wide = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return cross_entropy(wide.transpose(1, 2), wanted, reduction="none").sum(1)


def _tried_answers(backbone: Any, batch: Batch, prompts: Tensor | None) -> Tensor:
    """Return log p over slots, shape (B, K), by trying the answers' further tokens."""
    with torch.no_grad():
        rows = backbone.log_probabilities(batch.inputs(prompts), [example.candidates for example in batch.examples])
    width = batch.present.shape[1]
    return torch.stack([pad(row, (0, width - len(row)), value=-torch.inf) for row in rows])
