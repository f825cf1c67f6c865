"""A client for OpenAI-compatible chat endpoints: retries, rate limit, deadlines, and an account of what was spent.

Several threads may ask through one client. Whatever comes from the endpoint is cleaned here, before anything else sees
it: the key is taken out and control characters become printable.

Source of the format: the chat completions interface that OpenAI published and that vLLM, llama.cpp, Ollama and others
offer. Nothing is needed beyond the standard library.
"""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException
from typing import IO, Any

from tasks.errors import InputError

_MOST_BYTES = 8 * 1024**2
_CHUNK = 64 * 1024
_LONGEST_WAIT = 120.0
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
"""Statuses after which the same request may succeed."""

_OPTIONAL = ("logprobs", "top_logprobs", "seed", "temperature", "response_format")
"""Parameters that some endpoints refuse; the request is repeated without the one that is named."""


class Unanswered(Exception):
    """A request got no usable answer although it was repeated; the message says why."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follow nothing: the key and the screen go to the address that was given and to no other."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Refuse the redirection."""
        return None


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
        default_factory=lambda: urllib.request.build_opener(_NoRedirects()), repr=False
    )

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                f"base_url is '{self.base_url}'; give the endpoint's address, such as http://localhost:8000/v1."
            )

    def complete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request until it is answered; return the first choice, with ``message`` and maybe ``logprobs``.

        Raises:
            Unanswered: The endpoint failed in every attempt, or its answer does not have the format.
            InputError: The endpoint refuses the request as such: the address, the key or the model is wrong.
        """
        reason = "it was not asked"
        wait = 0.0
        for attempt in range(self.retries + 1):
            if self.closed:
                break
            if attempt:
                self._count(retries=1)
                self._pause(min(max(wait, self.backoff * 2 ** (attempt - 1)), _LONGEST_WAIT))
            self._keep_rate()
            self._count(requests=1)
            wait = 0.0
            try:
                return self._choice(within(self.timeout, lambda: self._post(request)))
            except urllib.error.HTTPError as error:
                reason, wait = self._refused(error, request)
            except (urllib.error.URLError, HTTPException, OSError) as error:
                reason = str(self.cleaned(str(getattr(error, "reason", error)))) or type(error).__name__
            except ValueError as error:
                reason = str(error)
        raise Unanswered(f"{self.base_url} gave no answer in {self.retries + 1} attempts; the last: {reason}")

    def _post(self, request: Mapping[str, Any]) -> bytes:
        """Send one request; return the body of the answer."""
        body = {key: value for key, value in request.items() if key not in self.dropped}
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
        return bytes(data)

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
        """Return the first choice of an answer, and count its tokens."""
        try:
            answer = self.cleaned(json.loads(data))
        except (ValueError, RecursionError) as error:
            raise ValueError("the answer is not JSON") from error
        usage = answer.get("usage") if isinstance(answer, dict) else None
        if isinstance(usage, dict):
            for name in ("prompt", "completion"):
                count = usage.get(f"{name}_tokens")
                if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
                    self._count(**{f"tokens_{name}": count})
        choices = answer.get("choices") if isinstance(answer, dict) else None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise ValueError("the answer has no choices")
        return choices[0]

    def _refused(self, error: urllib.error.HTTPError, request: Mapping[str, Any]) -> tuple[str, float]:
        """Return why a request failed and how long the endpoint asks to wait; raise if repeating it would not help."""
        with error:
            text = str(self.cleaned(error.read(2000).decode("utf-8", "replace")))
        said = " ".join(text.split())[:200]
        reason = f"status {error.code}: {said}"
        if error.code in _AGAIN:
            return reason, _seconds(error.headers.get("Retry-After"))
        if error.code in (400, 422):
            named = [name for name in _OPTIONAL if name in text and name in request and name not in self.dropped]
            if named:
                with self._lock:  # top_logprobs means nothing without logprobs.
                    self.dropped |= {*named, *({"top_logprobs"} if "logprobs" in named else set())}
                return reason, 0.0
        advice = {
            400: "check model and settings",
            401: "check the key in the environment variable that api_key_env names",
            403: "check the key in the environment variable that api_key_env names",
            404: "check base_url and model",
        }.get(error.code, "check base_url and model")
        raise InputError(f"{self.base_url} refuses the request ({reason}); {advice}.")

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


def within(seconds: float, call: Callable[[], bytes]) -> bytes:
    """Return what ``call`` returns if it does so in time.

    A socket's own timeout starts again with every byte, also while a host name is looked up or headers trickle in.

    Raises:
        TimeoutError: It took longer; its thread ends with the connection.
    """
    done: list[bytes] = []
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
    """Check that an endpoint, or the proxy on the way to it, takes connections.

    Raises:
        InputError: It does not within ``timeout`` seconds.
    """
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
