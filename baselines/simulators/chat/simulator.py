"""The simulator ``chat``: asks an endpoint what the user would click."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from baselines.simulators.chat import answers
from baselines.simulators.chat.client import Client, Unanswered, reach
from benchmark.simulator import Floats, Prediction, Workspace
from tasks.errors import InputError
from tasks.storage import write_errors
from tasks.types import Session, Stimulus

LETTERS = (
    "Act as this user and look at the page. Which film would you pick? Answer with the letter under it, exactly one "
    "letter and nothing else."
)
NUMBERS = (
    "Act as the user who made this search and look at the result page. Which result would you click? Answer with the "
    "number beside it, exactly one number and nothing else."
)
"""The question, where slots are labelled with letters and with numbers."""

ANSWERS = "answers.jsonl"
"""The endpoint's answers, kept with the trial: ``session_id`` and ``choice`` per line."""

_OUTAGE = 10
"""So many failed requests in a row end the trial: the endpoint is down, a fallback for the rest would say nothing."""


@dataclass
class Chat:
    """Any OpenAI-compatible chat endpoint, asked once per session at temperature 0 with the trial's seed.

    A session that fails, because its request is not answered or the answer names no slot, gets the uniform
    distribution: click probabilities 1/K, or, where the endpoint offers no log-probabilities, a slot drawn evenly with
    the seed. It is counted in the costs as ``failed_sessions`` and reported.

    Attributes:
        base_url: The endpoint's address in front of ``/chat/completions``.
        model: Its name for the model.
        api_key_env: Environment variable that holds the key; it is sent if it is set, and is never stored.
        image: Show the screen, as PNG.
        items: List the items' texts with their labels; needed where no screen is shown.
        profile: Include what is known of the user.
        instruction: The question; empty takes the suite's, for letters or for numbers.
        logprobs: ``auto`` uses log-probabilities where the endpoint offers them; ``never`` does not ask for them.
        max_tokens: Longest answer, tokens.
        retries: How often a request is repeated.
        timeout: Seconds to wait for an answer.
        requests_per_minute: At most so many; 0 for no limit.
        backoff: Seconds before the first repetition; doubled for each further one.
    """

    base_url: str = ""
    model: str = ""
    api_key_env: str = "OPENAI_API_KEY"
    image: bool = True
    items: bool = False
    profile: bool = True
    instruction: str = ""
    logprobs: Literal["auto", "never"] = "auto"
    max_tokens: int = 64
    retries: int = 4
    timeout: float = 60.0
    requests_per_minute: float = 0.0
    backoff: float = 1.0
    reads: tuple[str, ...] = field(default=(), init=False, repr=False)
    _workspace: Workspace | None = field(default=None, init=False, repr=False)
    _seed: int = field(default=0, init=False, repr=False)
    _client: Client | None = field(default=None, init=False, repr=False)
    _counts: Counter[str] = field(default_factory=Counter, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("retries", "requests_per_minute", "backoff"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"the setting {name} is {getattr(self, name)}; it must be 0 or more.")
        if self.max_tokens < 1 or not 0 < self.timeout < float("inf"):
            raise InputError("the settings max_tokens and timeout must be above 0.")
        if not self.image and not self.items:
            raise InputError("chat shows neither image nor items; set image=true or items=true.")

    def attach(self, workspace: Workspace) -> None:
        """Remember where answers are kept: a stopped trial does not pay for them twice."""
        self._workspace = workspace

    def material(self) -> Mapping[str, str]:
        """Return the version of how answers are read; the simulator's own version covers the question."""
        return {"answers": answers.BEHAVIOUR}

    def check_ahead(self) -> None:
        """Check that the endpoint takes connections.

        Raises:
            InputError: It does not, or no endpoint or model is named.
        """
        if not self.base_url or not self.model:
            raise InputError("chat needs an endpoint and a model: --set base_url=http://localhost:8000/v1 model=NAME.")
        reach(self.base_url, min(self.timeout, 10.0))

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Take the seed; the training sessions are not looked at.

        Raises:
            InputError: No endpoint or model is named.
        """
        if not self.base_url or not self.model:
            raise InputError("chat needs an endpoint and a model: --set base_url=http://localhost:8000/v1 model=NAME.")
        self._seed = seed
        self._counts = Counter()
        self._client = Client(
            self.base_url,
            os.environ.get(self.api_key_env, "") if self.api_key_env else "",
            retries=self.retries,
            timeout=self.timeout,
            requests_per_minute=self.requests_per_minute,
            backoff=self.backoff,
        )

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Ask about every session; failed ones get the documented fallback.

        Raises:
            InputError: The endpoint refuses the requests, or is down; answers so far are kept for the next attempt.
        """
        if self._client is None:
            raise RuntimeError("fit before simulate")
        kept = self._kept()
        found: list[tuple[int | None, Floats | None]] = []
        down = 0
        for session in self._progress(sessions):
            choice = kept.get(session.session_id)
            if choice is None:
                try:
                    choice = self._client.complete(self.request(session))
                    down = 0
                    self._keep(session.session_id, choice)
                except Unanswered as error:
                    down += 1
                    self._counts["unanswered_sessions"] += 1
                    if down == min(_OUTAGE, len(sessions)):
                        raise InputError(f"{error}. Is it running? The same command goes on from here.") from error
                    choice = {}
            found.append(self._read(choice, session))
        offered = any(shares is not None for _, shares in found)
        path = self._answers()
        if path is not None and path.is_file() and self._workspace is not None:
            with write_errors(self._workspace.artifacts):
                shutil.copyfile(path, self._workspace.artifacts / ANSWERS)
        predictions = [self._prediction(s, *read, offered) for s, read in zip(sessions, found, strict=True)]
        self._tell(len(sessions))
        return predictions

    def request(self, session: Stimulus) -> dict[str, Any]:
        """Return the body of the request about one session.

        Raises:
            InputError: The session has no image to show.
        """
        parts: list[dict[str, Any]] = []
        if self.image:
            if session.image is None:
                raise InputError(f"session {session.session_id} has no image; prepare the task with images.")
            data = base64.b64encode(_png(session)).decode("ascii")
            parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}})
        lines = [session.profile] if self.profile and session.profile else []
        if self.items:
            lines += [f"{slot.label}. {slot.text.strip() or '(no title)'}" for slot in session.slots]
        letters = all(slot.label.isalpha() for slot in session.slots)
        lines.append(self.instruction or (LETTERS if letters else NUMBERS))
        parts.append({"type": "text", "text": "\n".join(lines)})
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": parts}],
            "temperature": 0,
            "seed": self._seed,
            "max_tokens": self.max_tokens,
        }
        if self.logprobs == "auto":
            body |= {"logprobs": True, "top_logprobs": 20}
        return body

    def cost(self) -> Mapping[str, float]:
        """Return requests, repetitions, tokens, seconds of waiting, and sessions that failed and why."""
        spent = {} if self._client is None else dict(self._client.spent)
        tokens = spent.get("tokens_prompt", 0) + spent.get("tokens_completion", 0)
        names = (
            "failed_sessions",
            "unanswered_sessions",
            "unread_answers",
            "sessions_without_logprobs",
            "sessions_kept",
        )
        counts = {name: float(self._counts[name]) for name in names}
        return {**{k: float(v) for k, v in spent.items()}, "tokens": float(tokens), **counts}

    def _read(self, choice: Mapping[str, Any], session: Stimulus) -> tuple[int | None, Floats | None]:
        """Return the slot that an answer names, and click probabilities where it shows them."""
        message = choice.get("message")
        text = message.get("content") if isinstance(message, dict) else None
        if isinstance(text, list):  # some endpoints answer in parts
            text = " ".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
        slot = answers.slot_of(text, session.slots) if isinstance(text, str) else None
        if choice and slot is None:
            self._counts["unread_answers"] += 1
        shares = answers.probabilities(choice, session.slots) if self.logprobs == "auto" and slot is not None else None
        return slot, shares

    def _prediction(self, session: Stimulus, slot: int | None, shares: Floats | None, offered: bool) -> Prediction:
        """Return the prediction, or the fallback for what is missing."""
        k = len(session.slots)
        if slot is None:
            self._counts["failed_sessions"] += 1
            if not offered:
                words = f"{self._seed}\0{session.session_id}".encode()
                drawn = np.random.default_rng(int.from_bytes(hashlib.sha256(words).digest()[:8], "big"))
                return Prediction(session.session_id, answer=int(drawn.integers(k)))
        if offered and shares is None:
            shares = np.full(k, 1 / k)
            self._counts["sessions_without_logprobs"] += slot is not None
        return Prediction(session.session_id, probabilities=shares, answer=slot)

    def _tell(self, sessions: int) -> None:
        """Say how many sessions failed, and what the endpoint did not take."""
        if self._workspace is None or self._client is None:
            return
        failed = self._counts["failed_sessions"]
        if failed:
            unread = self._counts["unread_answers"]
            self._workspace.report(
                f"chat failed in {failed} of {sessions} sessions ({unread} answers named no slot, "
                f"{failed - unread} got none); they count as uniform."
            )
        if self._client.dropped:
            names = ", ".join(sorted(self._client.dropped))
            self._workspace.report(f"{self.base_url} takes no {names}; asked without.")

    def _progress(self, sessions: Sequence[Stimulus]) -> Any:
        if self._workspace is None:
            return sessions
        return self._workspace.progress(sessions, total=len(sessions), desc="sessions")

    def _kept(self) -> dict[str, dict[str, Any]]:
        """Return the answers that an earlier attempt at this trial left."""
        found: dict[str, dict[str, Any]] = {}
        path = self._answers()
        if path is None or not path.is_file():
            return found
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
                found[record["session_id"]] = record["choice"]
            except (ValueError, KeyError, TypeError):
                continue  # the line at which the earlier attempt was stopped
        self._counts["sessions_kept"] = len(found)
        return found

    def _keep(self, session_id: str, choice: dict[str, Any]) -> None:
        """Write an answer down at once."""
        path = self._answers()
        if path is not None:
            with write_errors(path), path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"session_id": session_id, "choice": choice}) + "\n")

    def _answers(self) -> Path | None:
        return None if self._workspace is None else self._workspace.folder / ANSWERS


def _png(session: Stimulus) -> bytes:
    """Return the screen as PNG."""
    import io

    assert session.image is not None, "the caller has looked"
    encoded = session.image.encoded()
    if encoded.startswith(b"\x89PNG\r\n\x1a\n"):
        return encoded
    data = io.BytesIO()
    session.image.open().save(data, format="PNG")
    return data.getvalue()
