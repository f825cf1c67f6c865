"""The simulator ``chat``: asks an endpoint what the user would click."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from baselines.limits import AtLeastZero, Positive, WholeAtLeastOne, WholeAtLeastZero, check_settings
from baselines.simulators.chat import answers
from baselines.simulators.chat.client import Client, Unanswered, reach
from baselines.simulators.chat.token_probabilities import probabilities
from benchmark.simulator import Floats, Prediction, Workspace
from tasks.errors import InputError
from tasks.storage import write_errors
from tasks.types import Session, Stimulus

LETTERS = "Act as this user and look at the page. Which film would you pick? Answer with the letter under it"
NUMBERS = (
    "Act as the user who made this search and look at the result page. Which result would you click? Answer with the "
    "number next to it"
)
"""The question, where slots are labelled with letters and with numbers."""

FORMS = {
    "json": ', as JSON and nothing else: {{"answer": "<{noun}>"}}',
    "line": ", in one line and nothing else: Answer: <{noun}>",
    "free": ", exactly one {noun} and nothing else.",
}
"""How the answer is asked for: in a form that no word of a sentence can have, or freely."""

ANSWERS = "answers.jsonl"
"""The endpoint's answers, kept with the trial: ``session_id``, ``sample`` and ``choice`` per line."""

_OUTAGE = 10
"""So many failed requests in a row end the trial: the endpoint is down, a fallback for the rest would say nothing."""


_Asked = tuple[str, int]
"""A session and the number of the sample, from 0."""


@dataclass
class Chat:
    """Any OpenAI-compatible chat endpoint, asked once per session at temperature 0 with the trial's seed.

    Click probabilities come from the log-probabilities of the tokens that wrote the answer, or, with ``samples``, from
    how often each slot is the answer to the same question at temperature 1, one answer spread evenly added.

    A session that fails, because its request is not answered or the answer names no slot, gets the uniform
    distribution: click probabilities 1/K, or, where there are none, a slot drawn evenly with the seed. It is counted in
    the costs as ``failed_sessions`` and reported.

    Attributes:
        base_url: The endpoint's address in front of ``/chat/completions``.
        model: Its name for the model.
        api_key_env: Environment variable that holds the key; it is sent if it is set, and is never stored.
        image: Show the screen, as PNG.
        items: List the items' texts with their labels; needed where no screen is shown.
        profile: Include what is known of the user.
        instruction: The question; empty takes the suite's, for letters or for numbers.
        form: How the suite's question asks for the answer: ``json`` (the endpoint is asked to keep to it where it can),
            ``line`` ("Answer: E") or ``free``.
        logprobs: ``auto`` uses log-probabilities where the endpoint offers them; ``never`` does not ask for them.
        samples: How many answers at temperature 1 are asked for in place of one at 0; 0 for none.
        max_tokens: Longest answer, tokens.
        concurrency: Requests under way at the same time.
        retries: How often a request is repeated.
        timeout: Seconds for a request with its whole answer.
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
    form: Literal["json", "line", "free"] = "json"
    logprobs: Literal["auto", "never"] = "auto"
    samples: WholeAtLeastZero = 0
    max_tokens: WholeAtLeastOne = 64
    concurrency: WholeAtLeastOne = 8
    retries: WholeAtLeastZero = 4
    timeout: Positive = 60.0
    requests_per_minute: AtLeastZero = 0.0
    backoff: AtLeastZero = 1.0
    reads: tuple[str, ...] = field(default=("texts",), init=False, repr=False)
    _workspace: Workspace | None = field(default=None, init=False, repr=False)
    _seed: int = field(default=0, init=False, repr=False)
    _client: Client | None = field(default=None, init=False, repr=False)
    _counts: Counter[str] = field(default_factory=Counter, init=False, repr=False)

    def __post_init__(self) -> None:
        check_settings(self)
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
        choices = self._kept()
        wanted = [(session, n) for session in sessions for n in range(max(1, self.samples))]
        choices |= self._ask([(s, n) for s, n in wanted if (s.session_id, n) not in choices])
        found = [
            self._read([choices.get((s.session_id, n), {}) for n in range(max(1, self.samples))], s) for s in sessions
        ]
        offered = any(shares is not None for _, shares in found)
        path = self._answers()
        if path is not None and path.is_file() and self._workspace is not None:
            with write_errors(self._workspace.artifacts):
                shutil.copyfile(path, self._workspace.artifacts / ANSWERS)
        predictions = [self._prediction(s, *read, offered) for s, read in zip(sessions, found, strict=True)]
        self._tell(len(sessions))
        return predictions

    def _ask(self, wanted: Sequence[tuple[Stimulus, int]]) -> dict[_Asked, dict[str, Any]]:
        """Ask what is missing, several at a time; return what was answered.

        Raises:
            InputError: The endpoint refuses the requests, or is down.
        """
        assert self._client is not None, "the caller has looked"
        found: dict[_Asked, dict[str, Any]] = {}
        down = 0
        client, pool = self._client, ThreadPoolExecutor(self.concurrency)
        try:
            asked: dict[Future[dict[str, Any]], _Asked] = {
                pool.submit(lambda s, n: client.complete(self.request(s, n)), s, n): (s.session_id, n)
                for s, n in wanted
            }
            for future in self._progress(as_completed(asked), len(asked)):
                try:
                    found[asked[future]] = future.result()
                    down = 0
                    self._keep(*asked[future], found[asked[future]])
                except Unanswered as error:
                    down += 1
                    self._counts["unanswered_sessions"] += 1
                    if down == min(_OUTAGE, len(wanted)):
                        raise InputError(f"{error}. Is it running? The same command goes on from here.") from error
        finally:
            client.closed = True
            pool.shutdown(cancel_futures=True)
            client.closed = False
        return found

    def request(self, session: Stimulus, sample: int = 0) -> dict[str, Any]:
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
        lines.append(self.instruction or _question(session, self.form))
        parts.append({"type": "text", "text": "\n".join(lines)})
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": parts}],
            "temperature": 1 if self.samples else 0,
            "seed": self._seed * 1000 + sample if self.samples else self._seed,
            "max_tokens": self.max_tokens,
        }
        if self.logprobs == "auto" and not self.samples:
            body |= {"logprobs": True, "top_logprobs": 20}
        if self.form == "json" and not self.instruction:
            body["response_format"] = _schema(session)
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

    def _read(self, choices: Sequence[Mapping[str, Any]], session: Stimulus) -> tuple[int | None, Floats | None]:
        """Return the slot that the answers name, and click probabilities where they show them."""
        found = [self._reading(choice, session) for choice in choices]
        named = [one.slot for one in found if one is not None]
        if not named:
            return None, None
        if self.samples:
            counts = np.bincount(named, minlength=len(session.slots))
            return int(counts.argmax()), (counts + 1 / len(counts)) / (len(named) + 1)
        assert found[0] is not None, "one was named"
        shares = probabilities(choices[0], found[0], session.slots) if self.logprobs == "auto" else None
        return named[0], shares

    def _reading(self, choice: Mapping[str, Any], session: Stimulus) -> answers.Reading | None:
        """Return what one answer names, None if nothing; the answer itself is kept for looking at."""
        message = choice.get("message")
        text = message.get("content") if isinstance(message, dict) else None
        if isinstance(text, list):  # some endpoints answer in parts
            text = " ".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
        found = answers.read(text, session.slots) if isinstance(text, str) else None
        if choice and found is None:
            self._counts["unread_answers"] += 1
        return found

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

    def _progress(self, items: Any, total: int) -> Any:
        """Yield the items; say now and then what was spent so far."""
        if self._workspace is None:
            yield from items
            return
        for number, item in enumerate(self._workspace.progress(items, total=total, desc="requests"), 1):
            yield item
            if number % max(1, total // 10) == 0 and self._client is not None:
                tokens = self._client.spent["tokens_prompt"] + self._client.spent["tokens_completion"]
                self._workspace.report(f"chat: {number} of {total} requests, {tokens:,} tokens so far")

    def _kept(self) -> dict[_Asked, dict[str, Any]]:
        """Return the answers that an earlier attempt at this trial left."""
        found: dict[_Asked, dict[str, Any]] = {}
        path = self._answers()
        if path is None or not path.is_file():
            return found
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
                if isinstance(record["choice"], dict):
                    found[record["session_id"], record.get("sample", 0)] = record["choice"]
            except (ValueError, KeyError, TypeError):
                continue  # the line at which the earlier attempt was stopped
        self._counts["sessions_kept"] = len({session for session, _ in found})
        return found

    def _keep(self, session_id: str, sample: int, choice: dict[str, Any]) -> None:
        """Write an answer down at once."""
        path = self._answers()
        if path is not None:
            with write_errors(path), path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"session_id": session_id, "sample": sample, "choice": choice}) + "\n")

    def _answers(self) -> Path | None:
        return None if self._workspace is None else self._workspace.folder / ANSWERS


def _question(session: Stimulus, form: str) -> str:
    """Return the suite's question, in the form that is asked for."""
    letters = all(slot.label.isalpha() for slot in session.slots)
    return (LETTERS if letters else NUMBERS) + FORMS[form].format(noun="letter" if letters else "number")


def _schema(session: Stimulus) -> dict[str, Any]:
    """Return the request for structured output: an object whose ``answer`` is a label of the session."""
    answer = {"type": "string", "enum": [slot.label for slot in session.slots]}
    schema = {"type": "object", "properties": {"answer": answer}, "required": ["answer"], "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


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
