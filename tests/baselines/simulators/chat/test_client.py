from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from baselines.simulators.chat.client import Client, Unanswered
from tasks.errors import InputError
from tests.baselines.simulators.chat.stub import says

REQUEST = {"model": "m", "messages": [], "temperature": 0, "seed": 1, "logprobs": True, "top_logprobs": 20}


def client(url, **settings):
    """A client that waits by noting it."""
    waited = []
    return Client(url, sleep=waited.append, **{"backoff": 1.0, **settings}), waited


def test_an_answer_and_its_tokens(endpoint):
    stub = endpoint(lambda body, n: says("C", usage=(30, 2)))
    asked, waited = client(stub.url + "/", key="secret")
    assert asked.complete(REQUEST)["message"]["content"] == "C"
    assert asked.spent == {"requests": 1, "tokens_prompt": 30, "tokens_completion": 2} and waited == []
    assert stub.paths == ["/v1/chat/completions"] and stub.requests == [REQUEST]
    assert stub.headers[0]["Authorization"] == "Bearer secret" and "secret" not in repr(asked)


def test_no_key_sends_no_key(endpoint):
    stub = endpoint(lambda body, n: says("C"))
    client(stub.url)[0].complete(REQUEST)
    assert "Authorization" not in stub.headers[0]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_endpoint_is_asked_again_later_and_later(endpoint, status):
    stub = endpoint(lambda body, n: says("C") if n == 3 else (status, b"busy", {}))
    asked, waited = client(stub.url)
    assert asked.complete(REQUEST)["message"]["content"] == "C"
    assert waited == [1.0, 2.0, 4.0] and asked.spent["retries"] == 3 and asked.spent["seconds_waiting"] == 7


def test_the_endpoints_own_waiting_time_counts_within_bounds(endpoint):
    after = ["7", "100000", "Wed, 21 Oct 2026 07:28:00 GMT"]
    stub = endpoint(lambda body, n: says("C") if n == 3 else (429, b"", {"Retry-After": after[n]}))
    asked, waited = client(stub.url)
    asked.complete(REQUEST)
    assert waited == [7.0, 120.0, 4.0]


@pytest.mark.parametrize("body", [b"<html>", b"[]", {"choices": []}, {"choices": ["C"]}, b"[" * 100_000, b"\xff"])
def test_an_answer_of_another_format_is_asked_for_again_and_then_given_up(endpoint, body):
    stub = endpoint(lambda request, n: (200, body, {}))
    asked, waited = client(stub.url, retries=2)
    with pytest.raises(Unanswered, match="no answer in 3 attempts"):
        asked.complete(REQUEST)
    assert len(stub.requests) == 3 and len(waited) == 2


def test_an_endpoint_that_is_not_there_is_given_up():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asked, _ = client(f"http://127.0.0.1:{port}", retries=1)
    with pytest.raises(Unanswered, match="refused"):
        asked.complete(REQUEST)


@pytest.mark.parametrize(
    ("status", "advice"),
    [(400, "check model"), (401, "api_key_env"), (403, "api_key_env"), (404, "base_url and model")],
)
def test_a_refusal_ends_it_at_once_without_the_key_in_the_message(endpoint, status, advice):
    stub = endpoint(lambda body, n: (status, b"no such model", {}))
    asked, _ = client(stub.url, key="secret")
    with pytest.raises(InputError, match=advice) as caught:
        asked.complete(REQUEST)
    assert len(stub.requests) == 1 and "secret" not in str(caught.value) and "no such model" in str(caught.value)


def test_parameters_that_the_endpoint_refuses_are_left_out_from_then_on(endpoint):
    def reply(body, n):
        return (400, b'{"error": "logprobs is not supported"}', {}) if "logprobs" in body else says("C")

    stub = endpoint(reply)
    asked, _ = client(stub.url)
    asked.complete(REQUEST)
    asked.complete(REQUEST)
    assert asked.dropped == {"logprobs", "top_logprobs"} and len(stub.requests) == 3
    assert set(stub.requests[-1]) == {"model", "messages", "temperature", "seed"}


def test_a_parameter_that_several_requests_are_refused_for_is_no_attempt_of_any(endpoint):
    together = threading.Barrier(4, timeout=10)

    def reply(body, n):
        if "logprobs" in body:
            together.wait()  # all four are under way before the first is refused
            return 422, b'{"detail": "logprobs, seed"}', {}
        return says("C")

    stub = endpoint(reply)
    asked, waited = client(stub.url, retries=0)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: asked.complete(REQUEST), range(4)))
    assert len(found) == 4 and len(stub.requests) == 8 and waited == []
    assert asked.spent["requests"] == 8 and asked.spent["retries"] == 0


def test_newer_endpoints_get_the_longest_answer_under_its_new_name(endpoint):
    def reply(body, n):
        said = b"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return (400, said, {}) if "max_tokens" in body else says("C")

    stub = endpoint(reply)
    client(stub.url)[0].complete({"model": "m", "messages": [], "max_tokens": 64})
    assert stub.requests[-1] == {"model": "m", "messages": [], "max_completion_tokens": 64}


@pytest.mark.parametrize("status", [200, 400, 401, 503])
def test_no_error_shows_the_key_or_a_control_character(endpoint, status):
    body = b"x" * 190 + b"sk-secret \x1b[31m \xff" if status != 200 else b'"sk-secret \x1b'
    stub = endpoint(lambda request, n: (status, body, {"Retry-After": "0"}))
    with pytest.raises((InputError, Unanswered)) as caught:
        client(stub.url, key="sk-secret", retries=0)[0].complete(REQUEST)
    assert "sk-s" not in str(caught.value) and "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "key"), [("http://me:word@x/v1", ""), ("http://x/v1", "sk-…"), ("http://x/v1", "a\nb")]
)
def test_a_key_that_would_be_stored_or_cannot_be_sent_is_refused_unseen(url, key):
    with pytest.raises(InputError) as caught:
        Client(url, key)
    assert "word" not in str(caught.value).replace("password", "") and "sk-" not in str(caught.value)


def test_a_redirection_is_not_followed(endpoint):
    other = endpoint(lambda body, n: says("C"))
    stub = endpoint(lambda body, n: (307, b"", {"Location": other.url}))
    with pytest.raises(InputError, match="307"):
        client(stub.url, key="secret")[0].complete(REQUEST)
    assert other.requests == []


def test_requests_keep_their_distance(endpoint):
    stub = endpoint(lambda body, n: says("C"))
    now = [100.0]
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        now[0] += seconds

    asked = Client(stub.url, requests_per_minute=30, sleep=sleep, clock=lambda: now[0])
    for _ in range(3):
        asked.complete(REQUEST)
    assert waited == pytest.approx([2.0, 2.0])
    now[0] += 10
    asked.complete(REQUEST)
    assert len(waited) == 2


@pytest.mark.parametrize("url", ["", "localhost:8000", "file:///etc/passwd", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(InputError, match="give the endpoint's address"):
        Client(url)


@pytest.mark.parametrize("status", [200, 500])
def test_a_body_that_trickles_ends_at_the_deadline(status):
    """Each byte comes in time, the whole does not; that of an error too."""
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def trickle():
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 %d OK\r\nContent-Length: 1000\r\n\r\n" % status)
            while not stop.wait(0.05):
                connection.sendall(b" ")

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    asked, _ = client(f"http://127.0.0.1:{server.getsockname()[1]}", retries=0, timeout=0.3)
    with pytest.raises(Unanswered, match="no whole answer within 0.3 s"):
        asked.complete(REQUEST)
    stop.set()
    server.close()


def test_a_body_that_breaks_off_is_asked_for_again():
    server = socket.create_server(("127.0.0.1", 0))

    def break_off():
        for _ in range(2):
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"choices"')

    threading.Thread(target=break_off, daemon=True).start()
    asked, waited = client(f"http://127.0.0.1:{server.getsockname()[1]}", retries=1)
    with pytest.raises(Unanswered, match="in 2 attempts"):
        asked.complete(REQUEST)
    assert len(waited) == 1
    server.close()
