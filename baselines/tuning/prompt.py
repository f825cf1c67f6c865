"""The personal soft prompt: bases shared by all users, mixed by each user's own coefficients.

    c_u = softmax(z_u), prompt_u = sum_m c_um B_m, B of shape (M, N, D), z_u in R^M starting at 0

A user without training sessions gets the mean coefficients of the trained users. Source: Huang et al. 2026
(arXiv 2604.09368); PROTOCOL section 7. The paper does not say how B starts; ours is drawn from a normal distribution on
the scale of the word embeddings, so that the untrained prompt is neither lost among the words nor drowns them.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tasks.errors import InputError
from tasks.storage import write_errors


class PromptBank(nn.Module):
    """Bases and user coefficients, in float32; the bases may be held in another number format.

    Attributes:
        users: The trained users, sorted; row u of the logits is ``users[u]``.
        basis: Shape (M, N, D).
        user_logits: Shape (U, M), or None if one prompt serves all (z_u = 1 for every user).
    """

    def __init__(
        self, basis: Tensor, users: Sequence[str], personal: bool = True, dtype: torch.dtype = torch.float32
    ) -> None:
        """Start every user at z_u = 0, from bases of shape (M, N, D); ``personal``: with coefficients of their own."""
        super().__init__()
        self.users = tuple(sorted(set(users)))
        self._row = {user: row for row, user in enumerate(self.users)}
        self.basis = nn.Parameter(basis.detach().clone().to(dtype))
        logits = torch.zeros(len(self.users), len(basis), device=basis.device)
        self.user_logits = nn.Parameter(logits) if personal and self.users else None

    @classmethod
    def drawn(
        cls, embedding: Tensor, users: Sequence[str], seed: int, settings: Any, dtype: torch.dtype = torch.float32
    ) -> "PromptBank":
        """Draw the bases that settings (``TuningSettings``) ask for from a normal distribution.

        Their standard deviation is ``init_sd``, or if that is 0, ``init_scale`` times that of the backbone's word
        embeddings, shape (V, D).
        """
        generator = torch.Generator().manual_seed(seed)
        spread = settings.init_sd or float(embedding.detach().float().std()) * settings.init_scale
        basis = torch.randn(settings.bases, settings.tokens, embedding.shape[1], generator=generator) * spread
        return cls(basis.to(embedding.device), users, getattr(settings, "personal", False), dtype)

    def keep(self, path: Path, placement: str) -> None:
        """Write the parameters, with the users' names and where the prompt is placed, as safetensors.

        InputError if the file cannot be written.
        """
        from safetensors.torch import save_file

        tensors = {name: value.detach().cpu().contiguous() for name, value in self.named_parameters()}
        with write_errors(path):
            save_file(tensors, path, metadata={"users": json.dumps(self.users), "placement": placement})

    @classmethod
    def kept(
        cls, path: Path, shape: tuple[int, int, int], users: Sequence[str], personal: bool, placement: str
    ) -> "PromptBank":
        """Read a prompt that :meth:`keep` wrote, with bases of ``shape`` (M, N, D) and these training users.

        InputError if there is no such file, it is damaged, or it holds a different prompt.
        """
        from safetensors import SafetensorError, safe_open

        if not path.is_file():
            raise InputError(f"there is no tuned prompt {path}; run the trial again.")
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
            names = json.loads(about["users"])
        except (OSError, SafetensorError, ValueError, KeyError, RecursionError) as error:
            raise InputError(f"the tuned prompt {path} is damaged ({error}); run the trial again.") from error
        dtype = tensors["basis"].dtype if "basis" in tensors else torch.float32
        bank = cls(torch.zeros(shape), users, personal, dtype)
        wanted = {name: tuple(value.shape) for name, value in bank.named_parameters()}
        found = {name: tuple(value.shape) for name, value in tensors.items()}
        if found != wanted or names != list(bank.users) or about.get("placement") != placement:
            raise InputError(f"{path} holds another prompt than its settings and training users ask for; run it again.")
        if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
            raise InputError(f"the tuned prompt {path} holds numbers that are not finite; run the trial again.")
        bank.load_state_dict(tensors)
        return bank

    def knows(self, user: str) -> bool:
        """Return whether the user had training sessions."""
        return user in self._row

    def logits_of(self, users: Sequence[str]) -> Tensor:
        """Return z_u of trained users, shape (B, M); ones where one prompt serves all."""
        if self.user_logits is None:
            return torch.ones(len(users), len(self.basis), device=self.basis.device)
        return self.user_logits[torch.tensor([self._row[user] for user in users], device=self.basis.device)]

    def coefficients(self, users: Sequence[str]) -> Tensor:
        """Return c_u, shape (B, M), rows of sum 1; a user never trained gets the mean of all trained users."""
        if self.user_logits is None or all(self.knows(user) for user in users):
            return torch.softmax(self.logits_of(users), 1)
        trained = torch.softmax(self.user_logits, 1)
        mean = trained.mean(0)
        return torch.stack([trained[self._row[user]] if self.knows(user) else mean for user in users])

    def forward(self, users: Sequence[str]) -> Tensor:
        """Return the prompts of the users, shape (B, N, D), differentiable."""
        return torch.einsum("bm,mnd->bnd", self.coefficients(users).to(self.basis.dtype), self.basis)

    def mixing_entropy(self) -> float:
        """Return the mean entropy of the users' coefficients in nats; ln M while all coefficients are equal."""
        with torch.no_grad():
            logits = self.basis.new_zeros(1, len(self.basis)) if self.user_logits is None else self.user_logits
            shares = torch.softmax(logits.double(), 1)
            return float(torch.special.entr(shares).sum(1).mean())
