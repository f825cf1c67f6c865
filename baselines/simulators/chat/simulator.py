"""The simulator ``chat``: asks an endpoint what the user would click and, where asked for, where the user looks."""

import base64
import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from baselines.limits import AtLeastZero, Positive, WholeAtLeastOne, WholeAtLeastZero, check_settings
from baselines.simulators.chat import answers
from baselines.simulators.chat.client import Client, Unanswered, reach
from baselines.simulators.chat.token_probabilities import probabilities
from benchmark.files.replacing import replace_text
from benchmark.naming import STATED_SOURCE
from benchmark.simulator import Floats, Prediction, Workspace
from tasks.errors import InputError
from tasks.storage import write_errors
from tasks.types import Session, Stimulus, Visit

LETTERS = "Act as this user and look at the page. Which film would you pick? Answer with the letter under it"
NUMBERS = (
    "Act as the user who made this search and look at the result page. Which result would you click? Answer with the "
    "number next to it"
)
SNACKS = "Act as this user and look at the grid. Which snack would you choose to eat? Answer with the number next to it"
"""The questions: where slots are labelled with letters, with numbers, and where they are snacks."""

FORMS = {
    "json": ', as JSON and nothing else: {{"answer": "<{noun}>"}}',
    "line": ", in one line and nothing else: Answer: <{noun}>",
    "free": ", exactly one {noun} and nothing else.",
}
"""How the answer is asked for: in a form that no word of a sentence can have, or freely."""

SHARES = "Act as this user and look at the page. {about}, 100 in all, as JSON and nothing else: {form}"
LOOKING = "How is your looking time shared out over it? Give a number of 0 or more for each {noun}"
NEXT = '{path} What do you look at next? Give the chance of each {noun}, and of "stop" for looking no further'
"""The questions for ``attention=stated`` and for ``next_visit``; neither shows the model what it answered before."""

ANSWERS = "answers.jsonl"
"""The endpoint's answers, kept with the trial: ``session_id``, ``asked`` and ``choice`` per line."""

_OUTAGE = 10
"""So many failed requests in a row end the trial: the endpoint is down, a fallback for the rest would say nothing."""

_Asked = tuple[str, str]
"""A session, and what was asked: the number of the sample, from 0; ``attention``; ``visit k`` after k visits."""

ATTENTION = "attention"
_TOKENS_PER_SHARE = 12
_COUNTED = (
    *("failed_sessions", "unanswered_sessions", "sessions_without_logprobs", "sessions_kept"),
    *("unread_answers", "unread_attention", "unread_visits"),
)
_FREE = ("concurrency", "requests_per_minute", "backoff", "prompt_price", "completion_price")
"""Settings that change no answer and are not part of a trial's identity: nothing is paid for again if they change."""

_T = TypeVar("_T")


@dataclass
class Chat:
    """Any OpenAI-compatible chat endpoint, asked once per session at temperature 0 with the trial's seed.

    Click probabilities come from the log-probabilities of the tokens that wrote the answer, or, with ``samples``, from
    how often each slot is the answer to the same question at temperature 1, one answer spread evenly added.

    With ``attention=stated`` the model is also asked for the share of looking time of each slot; an answer that cannot
    be read leaves a blank. With ``next_visit=stated`` it is asked after each visit where the eyes go next, uniform
    where that cannot be read; no paths are drawn from it.

    A session that fails, because its request is not answered or the answer names no slot, gets the uniform
    distribution: click probabilities 1/K, or, where there are none, a slot drawn evenly with the seed.

    Every setting is explained in ``configs/simulators/chat.yaml``; times are in seconds.
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
    attention: Literal["none", "stated"] = "none"
    next_visit: Literal["none", "stated"] = "none"
    max_tokens: WholeAtLeastOne = 64
    concurrency: WholeAtLeastOne = 8
    retries: WholeAtLeastZero = 4
    timeout: Positive = 60.0
    requests_per_minute: AtLeastZero = 0.0
    backoff: AtLeastZero = 1.0
    prompt_price: AtLeastZero = 0.0
    completion_price: AtLeastZero = 0.0
    draws_paths: bool = field(default=False, init=False, repr=False)
    reads: tuple[str, ...] = field(default=("texts",), init=False, repr=False)
    _workspace: Workspace | None = field(default=None, init=False, repr=False)
    _seed: int = field(default=0, init=False, repr=False)
    _client: Client | None = field(default=None, init=False, repr=False)
    _counts: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    _before: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    _choices: dict[_Asked, dict[str, Any]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.next_visit == "stated":  # without it, chat is no simulator that follows paths
            self.follow = self._follow
        if not self.image and not self.items:
            raise InputError("chat shows neither image nor items; set image=true or items=true.")

    def attach(self, workspace: Workspace) -> None:
        """Remember where answers are kept: a stopped trial does not pay for them twice."""
        self._workspace = workspace

    def material(self) -> Mapping[str, str]:
        """Return the version of how answers are read; the simulator's own version covers the question."""
        return {"answers": answers.BEHAVIOUR, **dict.fromkeys(_FREE, "")}

    def notice(self) -> str:
        """Return where what is stated comes from."""
        asked = {"attention": self.attention, "next visits": self.next_visit}
        said = " and ".join(what for what, how in asked.items() if how == "stated")
        return f"what chat says of its {said} is {STATED_SOURCE}, not probed" if said else ""

    def check_ahead(self) -> None:
        """InputError if the endpoint takes no connections, or no endpoint or model is named."""
        if not self.base_url or not self.model:
            raise InputError("chat needs an endpoint and a model: --set base_url=http://localhost:8000/v1 model=NAME.")
        reach(self.base_url, min(self.timeout, 10.0))

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Take the seed; the training sessions are not looked at."""
        self._seed = seed
        self._counts = Counter()
        key = os.environ.get(self.api_key_env, "").strip() if self.api_key_env else ""
        how: dict[str, Any] = {k: getattr(self, k) for k in ("retries", "timeout", "requests_per_minute", "backoff")}
        self._client = Client(self.base_url, key, **how)

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Ask about every session; failed ones get the documented fallback.

        InputError if the endpoint refuses the requests, or is down; answers so far are kept for the next attempt.
        """
        if self._client is None:
            raise RuntimeError("fit before simulate")
        self._before.clear()
        self._choices = self._kept()
        asked = [str(n) for n in range(max(1, self.samples))]
        wanted = [(s, one) for s in sessions for one in (*asked, *([ATTENTION] if self.attention == "stated" else []))]
        wanted = [(s, one) for s, one in wanted if (s.session_id, one) not in self._choices]
        self._ask(wanted, min(_OUTAGE, len(wanted)))
        found = [self._read([self._choices.get((s.session_id, one), {}) for one in asked], s) for s in sessions]
        offered = any(shares is not None for _, shares in found)
        predictions = [self._prediction(s, *read, offered) for s, read in zip(sessions, found, strict=True)]
        self._tell(len(sessions))
        return predictions

    def _follow(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return what comes after the visits so far, shape (K + 1,), by one call; uniform where that is not read."""
        asked = f"visit {len(visited)}"
        if (stimulus.session_id, asked) not in self._choices:
            self._ask([(stimulus, asked)], _OUTAGE, visited)
        found = self._shares(stimulus, asked)
        self._counts["unread_visits"] += found is None
        return found if found is not None else np.full(len(stimulus.slots) + 1, 1 / (len(stimulus.slots) + 1))

    def _shares(self, session: Stimulus, asked: str) -> Floats | None:
        """Return the shares that the model stated, None if they were not answered or cannot be read."""
        choice = self._choices.get((session.session_id, asked), {})
        return _read(choice, lambda text: answers.shares(text, _names(session, asked)))

    def _ask(self, wanted: Sequence[tuple[Stimulus, str]], outage: int, visited: Sequence[Visit] = ()) -> None:
        """Ask what is missing, several at a time, and keep what is answered.

        InputError if the endpoint refuses the requests, or after ``outage`` failures in a row.
        """
        assert self._client is not None, "the caller has looked"
        client, pool = self._client, ThreadPoolExecutor(self.concurrency)
        try:
            asked: dict[Future[dict[str, Any]], _Asked] = {
                pool.submit(lambda s, one: client.complete(self.request(s, one, visited)), s, one): (s.session_id, one)
                for s, one in wanted
            }
            for future in self._progress(as_completed(asked), len(asked)):
                try:
                    self._choices[asked[future]] = future.result()
                    self._counts["down"] = 0
                    self._keep(*asked[future], self._choices[asked[future]])
                except Unanswered as error:
                    self._counts.update(down=1, unanswered_sessions=1)
                    if self._counts["down"] >= outage:
                        raise InputError(f"{error}. Is it running? The same command goes on from here.") from error
        finally:
            client.closed = True
            pool.shutdown(cancel_futures=True)
            client.closed = False

    def request(self, session: Stimulus, asked: str = "0", visited: Sequence[Visit] = ()) -> dict[str, Any]:
        """Return the body of a request, ``asked`` as in ``_Asked``; InputError if the session has no image to show."""
        parts: list[dict[str, Any]] = []
        if self.image:
            if session.image is None:
                raise InputError(f"session {session.session_id} has no image; prepare the task with images.")
            data = base64.b64encode(_png(session)).decode("ascii")
            parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}})
        lines = [session.profile] if self.profile and session.profile else []
        if self.items:
            lines += [f"{slot.label}. {slot.text.strip() or '(no title)'}" for slot in session.slots]
        body: dict[str, Any] = {
            "model": self.model,
            "temperature": 0,
            "seed": self._seed,
            "max_tokens": self.max_tokens,
        }
        names = _names(session, asked)
        if not asked.isdecimal():
            question = _shares_question(session, names, visited)
            body |= {
                **_schema({name: {"type": "number"} for name in names}),
                "max_tokens": max(self.max_tokens, _TOKENS_PER_SHARE * (len(names) + 1)),
            }
        else:
            question = self.instruction or _question(session, self.form)
            if self.samples:
                body |= {"temperature": 1, "seed": self._seed * 1000 + int(asked)}
            elif self.logprobs == "auto":
                body |= {"logprobs": True, "top_logprobs": 20}
            if self.form == "json" and not self.instruction:
                body |= _schema({"answer": {"type": "string", "enum": names}})
        parts.append({"type": "text", "text": "\n".join([*lines, question])})
        return {**body, "messages": [{"role": "user", "content": parts}]}

    def cost(self) -> Mapping[str, float]:
        """Return what all attempts at the trial took, in requests, tokens and price, and what failed and why."""
        return {**self._spent(), **{name: float(self._counts[name]) for name in _COUNTED}}

    def _spent(self) -> dict[str, float]:
        spent = self._before + Counter({} if self._client is None else self._client.spent)
        prompt, completion = spent["tokens_prompt"], spent["tokens_completion"]
        price = (self.prompt_price * prompt + self.completion_price * completion) / 1e6
        priced = {"price": price} if price else {}
        return {**{k: float(v) for k, v in spent.items()}, "tokens": float(prompt + completion), **priced}

    def _read(self, choices: Sequence[Mapping[str, Any]], session: Stimulus) -> tuple[int | None, Floats | None]:
        """Return the slot that the answers name, and click probabilities where they show them."""
        found = [_read(choice, lambda text: answers.read(text, session.slots)) for choice in choices]
        named = [one.slot for one in found if one is not None]
        self._counts["unread_answers"] += sum(map(bool, choices)) - len(named)
        if not named:
            self._counts["unread_sessions"] += any(choices)
            return None, None
        if self.samples:
            counts = np.bincount(named, minlength=len(session.slots))
            return int(counts.argmax()), (counts + 1 / len(counts)) / (len(named) + 1)
        choice, reading = choices[0], found[0]
        assert reading is not None, "one was named"
        wanted = self.logprobs == "auto"
        return named[0], _read(choice, lambda _: probabilities(choice, reading, session.slots)) if wanted else None

    def _prediction(self, session: Stimulus, slot: int | None, shares: Floats | None, offered: bool) -> Prediction:
        """Return the prediction, or the fallback for what is missing."""
        k, attention = len(session.slots), None
        if self.attention == "stated":
            attention = self._shares(session, ATTENTION)
            self._counts["unread_attention"] += attention is None
        if slot is None:
            self._counts["failed_sessions"] += 1
            if not offered:
                words = f"{self._seed}\0{session.session_id}".encode()
                drawn = np.random.default_rng(int.from_bytes(hashlib.sha256(words).digest()[:8], "big"))
                return Prediction(session.session_id, attention, answer=int(drawn.integers(k)))
        if offered and shares is None:
            shares = np.full(k, 1 / k)
            self._counts["sessions_without_logprobs"] += slot is not None
        return Prediction(session.session_id, attention, shares, slot)

    def _tell(self, sessions: int) -> None:
        """Say how many sessions failed, and what the endpoint did not take."""
        if self._workspace is None or self._client is None:
            return
        failed = self._counts["failed_sessions"]
        if failed:
            unread = self._counts["unread_sessions"]
            self._workspace.report(
                f"chat failed in {failed} of {sessions} sessions ({unread} answers named no slot, "
                f"{failed - unread} got none); they count as uniform."
            )
        if self._counts["unread_attention"]:
            worst = "; they get the worst value" if self._counts["unread_attention"] < sessions else ""
            said = f"{self._counts['unread_attention']} of {sessions} sessions{worst}"
            self._workspace.report(f"chat stated no attention that can be read in {said}.")
        if self._client.dropped:
            self._workspace.report(f"{self.base_url} takes no {', '.join(sorted(self._client.dropped))}.")

    def _progress(self, items: Any, total: int) -> Any:
        """Yield the items; say now and then what was spent so far. Visits come one by one."""
        if self._workspace is not None and total > 1:
            items = self._workspace.progress(items, total=total, desc="requests")
        for item in items:
            yield item
            self._counts["asked"] += 1
            done, spent = self._counts["asked"], self._spent()
            if self._workspace is not None and done % (max(1, total // 10) if total > 1 else 50) == 0:
                price = f", {spent['price']:.4g} paid" if "price" in spent else ""
                self._workspace.report(f"chat: {done} requests, {spent['tokens']:,.0f} tokens{price} so far")

    def _kept(self) -> dict[_Asked, dict[str, Any]]:
        """Return the answers that an earlier attempt at this trial left."""
        found: dict[_Asked, dict[str, Any]] = {}
        kept = [path.read_text(encoding="utf-8") for path in self._answers()[:1] if path.is_file()]
        for line in "".join(kept).splitlines():
            try:
                record = json.loads(line)
                self._before.update({**record["choice"]["usage"], "requests": 1})
                found[record["session_id"], record["asked"]] = record["choice"]
            except (ValueError, KeyError, TypeError, RecursionError):
                continue  # the line at which the earlier attempt was stopped
        for path in self._answers():
            replace_text(path, "".join(_line(*asked, choice) for asked, choice in found.items()))
        self._counts["sessions_kept"] = len({session for session, _ in found})
        return found

    def _keep(self, session_id: str, asked: str, choice: dict[str, Any]) -> None:
        """Write an answer down at once, for the next attempt and for looking at."""
        for path in self._answers():
            with write_errors(path), path.open("a", encoding="utf-8") as file:
                file.write(_line(session_id, asked, choice))

    def _answers(self) -> list[Path]:
        """Return where answers are written to: for the next attempt, and with what is stored of the trial."""
        there = self._workspace
        return [] if there is None else [there.folder / ANSWERS, there.artifacts / ANSWERS]


def _line(session_id: str, asked: str, choice: Mapping[str, Any]) -> str:
    return json.dumps({"session_id": session_id, "asked": asked, "choice": choice}) + "\n"


def _question(session: Stimulus, form: str) -> str:
    """Return the suite's question, in the form that is asked for."""
    letters = all(slot.label.isalpha() for slot in session.slots)
    question = LETTERS if letters else SNACKS if session.slots[0].kind == "snack" else NUMBERS
    return question + FORMS[form].format(noun="letter" if letters else "number")


def _names(session: Stimulus, asked: str) -> list[str]:
    """Return what an answer may name: the labels and, after visits, ``stop``."""
    return [slot.label for slot in session.slots] + (["stop"] if asked.startswith("visit") else [])


def _shares_question(session: Stimulus, names: Sequence[str], visited: Sequence[Visit]) -> str:
    """Return the question for a share of each name; with ``stop``, after some visits."""
    path = ", ".join(f"{names[visit.slot]} ({visit.ms:.0f} ms)" for visit in visited)
    about = (NEXT if names[-1] == "stop" else LOOKING).format(
        noun="letter" if names[0].isalpha() else "number",
        path=f"So far you looked at {path}." if path else "You have not looked at anything yet.",
    )
    return SHARES.format(about=about, form="{" + ", ".join(f'"{name}": <number>' for name in names) + "}")


def _schema(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the request for structured output: an object with these properties and no other."""
    schema = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    form = {"name": "answer", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": form}}


def _read(choice: Mapping[str, Any], read: Callable[[str], _T]) -> _T | None:
    """Return what is read from what the model wrote; None if that raises: the answer is kept for looking at."""
    try:
        text = choice["message"]["content"]
        if isinstance(text, list):  # some endpoints answer in parts
            text = " ".join(str(part["text"]) for part in text if "text" in part)
        return read(text)
    except Exception:  # a model may write anything, and the next attempt would meet the same answer
        return None


def _png(session: Stimulus) -> bytes:
    assert session.image is not None, "the caller has looked"
    encoded = session.image.encoded()
    if encoded.startswith(b"\x89PNG\r\n\x1a\n"):
        return encoded
    data = io.BytesIO()
    session.image.open().save(data, format="PNG")
    return data.getvalue()
