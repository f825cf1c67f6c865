"""A client for OpenAI-compatible chat endpoints: retries, rate limit, deadlines, and an account of what was spent.

Several threads may ask through one client. Whatever comes from the endpoint, answers and errors alike, passes
``Client.cleaned`` before anything else sees it: the key is taken out and control characters become printable.

Source of the format: the chat completions interface that OpenAI published and that vLLM, llama.cpp, Ollama and others
offer. Nothing is needed beyond the standard library.
"""

import json
import socket
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException, HTTPMessage
from typing import Any, NamedTuple

from baselines.simulators.chat.token_probabilities import spelled
from tasks.errors import InputError

_MOST_BYTES = 8 * 1024**2
_MOST_TOKENS = 10**9
_CHUNK = 64 * 1024
_LONGEST_WAIT = 120.0
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
"""Statuses after which the same request may succeed."""

_CHECK_KEY = "check the key in the environment variable that api_key_env names"
_OPTIONAL = ("logprobs", "top_logprobs", "seed", "temperature", "response_format", "max_tokens")
"""Parameters that some endpoints refuse; it is repeated without the one that is named, or with its new name."""


class Unanswered(Exception):
    """A request got no usable answer although it was repeated; the message says why."""


class _AsItIs(urllib.request.HTTPErrorProcessor):
    """Return every response as it is: the key and the screen go to the address that was given and to no other."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response

    https_response = http_response


class _Reply(NamedTuple):
    status: int
    headers: HTTPMessage
    body: bytes


@dataclass(slots=True)
class Client:
    """Sends questions to one endpoint.

    Attributes:
        base_url: Address in front of ``/chat/completions``.
        key: Sent as a bearer token; empty sends none.
        timeout: Seconds for one request with its whole answer, however slowly that comes.
        requests_per_minute: At most so many, repeated ones included; 0 for no limit.
        backoff: Seconds before the first repetition; doubled for each further one.
        spent: Name -> count: ``requests``, ``retries``, ``tokens_prompt``, ``tokens_completion``,
            ``seconds_waiting``.
        dropped: Parameters that the endpoint refused.
        closed: Set to end what other threads ask before its next attempt.
    """

    base_url: str
    key: str = field(default="", repr=False)
    retries: int = 4
    timeout: float = 60.0
    requests_per_minute: float = 0.0
    backoff: float = 1.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    spent: Counter[str] = field(default_factory=Counter)
    dropped: set[str] = field(default_factory=set)
    closed: bool = False
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _opener: urllib.request.OpenerDirector = field(
        default_factory=lambda: urllib.request.build_opener(_AsItIs()), repr=False
    )

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                f"base_url is '{self.base_url}'; give the endpoint's address, such as http://localhost:8000/v1."
            )
        if parts.username or parts.password:
            raise InputError("base_url holds a password, which would be stored; name a variable with api_key_env.")
        if not (self.key.isascii() and self.key.isprintable()):
            raise InputError("the key holds characters that a header cannot have; correct the environment variable.")

    def complete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request until it is answered; return the first choice, with ``message`` and maybe ``logprobs``.

        Unanswered if the endpoint failed in every attempt, or its answer does not have the format; InputError if it
        refuses the request as such: the address, the key or the model is wrong.
        """
        reason = "it was not asked"
        wait = 0.0
        for attempt in range(self.retries + 1):
            if self.closed:
                break
            if attempt:
                self._count(retries=1)
                self._pause(min(max(wait, self.backoff * 2 ** (attempt - 1)), _LONGEST_WAIT))
            wait = 0.0
            try:
                reply = self._taken(request)
                if 200 <= reply.status < 300:
                    return self._choice(reply.body)
                reason, wait = self._refused(reply)
            except InputError:
                raise
            except (HTTPException, OSError, ValueError) as error:
                reason = str(self.cleaned(str(getattr(error, "reason", error)))) or type(error).__name__
        raise Unanswered(f"{self.base_url} gave no answer in {self.retries + 1} attempts; the last: {reason}")

    def _taken(self, request: Mapping[str, Any]) -> _Reply:
        """Send a request, again without what the endpoint refuses by name; return what comes back."""
        while True:
            body = {key: value for key, value in request.items() if key not in self.dropped}
            if "max_tokens" in self.dropped and "max_tokens" in request:
                body["max_completion_tokens"] = request["max_tokens"]
            self._keep_rate()
            self._count(requests=1)
            reply = within(self.timeout, partial(self._post, body))
            named = [name for name in _OPTIONAL if name in body and name.encode() in reply.body]
            if reply.status not in (400, 422) or not named:
                return reply
            with self._lock:  # top_logprobs means nothing without logprobs.
                self.dropped |= {*named, *({"top_logprobs"} if "logprobs" in named else set())}

    def _post(self, body: Mapping[str, Any]) -> _Reply:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "gazebench"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        url = f"{self.base_url.rstrip('/')}/chat/completions"
        post = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        data = bytearray()
        end = time.monotonic() + self.timeout
        with self._opener.open(post, timeout=self.timeout) as answer:
            while chunk := answer.read1(_CHUNK):
                data += chunk
                if len(data) > _MOST_BYTES:
                    raise ValueError(f"the answer is longer than {_MOST_BYTES} bytes")
                if time.monotonic() > end:
                    raise TimeoutError(f"no whole answer within {self.timeout:g} s")
            if answer.length:  # fewer bytes than were announced
                raise ValueError("the answer breaks off")
            return _Reply(answer.status, answer.headers, bytes(data))

    def cleaned(self, value: Any) -> Any:
        """Return a value from the endpoint without the key, and with control characters as escapes."""
        if isinstance(value, str):
            text = value.replace(self.key, "[key]") if self.key else value
            return "".join(c if c.isprintable() or c in "\n\t" else f"\\u{ord(c):04x}" for c in text)
        if isinstance(value, list):
            return [self.cleaned(one) for one in value]
        if isinstance(value, dict):
            return {self.cleaned(name): self.cleaned(one) for name, one in value.items()}
        return value

    def _choice(self, data: bytes) -> dict[str, Any]:
        """Return the first choice of an answer, with what it took as ``usage``, and count its tokens."""
        try:
            answer = json.loads(data)
            choices = answer.get("choices") if isinstance(answer, dict) else None
            if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
                raise ValueError("the answer has no choices")
            usage = answer.get("usage") if isinstance(answer.get("usage"), dict) else {}
            used = {f"tokens_{name}": usage.get(f"{name}_tokens") for name in ("prompt", "completion")}
            used = {name: n for name, n in used.items() if type(n) is int and 0 <= n <= _MOST_TOKENS}
            choice = self.cleaned({**choices[0], "usage": used})
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError("the answer is not JSON") from error
        self._count(**choice["usage"])
        if self.key and self.key in spelled(choices[0]):  # token by token it would pass
            del choice["logprobs"]
        return dict(choice)

    def _refused(self, reply: _Reply) -> tuple[str, float]:
        """Return why a request failed and how long the endpoint asks to wait; raise if repeating it would not help."""
        text = str(self.cleaned(reply.body.decode("utf-8", "replace")))
        reason = f"status {reply.status}: {' '.join(text.split())[:200]}"
        if reply.status in _AGAIN:
            return reason, _seconds(reply.headers.get("Retry-After"))
        advice = {400: "check model and settings", 401: _CHECK_KEY, 403: _CHECK_KEY}
        said = advice.get(reply.status, "check base_url and model")
        raise InputError(f"{self.base_url} refuses the request ({reason}); {said}.")

    def _keep_rate(self) -> None:
        """Wait until the next request may be sent."""
        if self.requests_per_minute > 0:
            with self._lock:
                now = self.clock()
                wait = max(0.0, self._next - now)
                self._next = max(now, self._next) + 60 / self.requests_per_minute
            if wait:
                self._pause(wait)

    def _pause(self, seconds: float) -> None:
        self._count(seconds_waiting=seconds)
        self.sleep(seconds)

    def _count(self, **counts: float) -> None:
        with self._lock:
            for name, count in counts.items():
                self.spent[name] += count  # type: ignore[assignment]  # a Counter adds up floats as well


def within(seconds: float, call: Callable[[], _Reply]) -> _Reply:
    """Return what ``call`` returns; TimeoutError if it takes longer, and its thread ends with the connection.

    A socket's own timeout starts again with every byte, also while a host name is looked up or headers trickle in.
    """
    done: list[_Reply] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            done.append(call())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds + 1.0)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError(f"no whole answer within {seconds:g} s")
    return done[0]


def reach(base_url: str, timeout: float) -> None:
    """InputError if an endpoint, or the proxy on the way to it, takes no connection within ``timeout`` seconds."""
    parts = urllib.parse.urlsplit(base_url)
    proxy = None if urllib.request.proxy_bypass(parts.netloc) else urllib.request.getproxies().get(parts.scheme)
    asked = urllib.parse.urlsplit(proxy) if proxy else parts
    try:
        port = asked.port or {"https": 443}.get(asked.scheme, 80)
        socket.create_connection((asked.hostname or "", port), timeout=timeout).close()
    except (OSError, ValueError) as error:
        raise InputError(f"{base_url} cannot be reached ({error}). Is it running? Correct base_url.") from error


def _seconds(header: str | None) -> float:
    """Return the seconds of a Retry-After header; a date, which is rare, counts as none."""
    try:
        return max(0.0, float(header)) if header else 0.0
    except ValueError:
        return 0.0
