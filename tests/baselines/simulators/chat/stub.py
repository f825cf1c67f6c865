"""A chat endpoint in a thread, which answers what a test asks it to."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, Any, dict[str, str]]
"""Status, body (bytes, or a value that is sent as JSON), headers."""


class Stub:
    """The endpoint.

    Attributes:
        requests: The bodies it was sent.
        headers: Their headers.
        reply: Request, its number from 0 -> what to answer.
    """

    def __init__(self, reply: Callable[[dict[str, Any], int], Reply]) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.reply = reply
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                number = len(stub.requests)
                stub.requests.append(body)
                stub.headers.append(dict(self.headers))
                stub.paths.append(self.path)
                status, answer, headers = stub.reply(body, number)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                raise AssertionError("nothing may be fetched")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def says(text: str | None, tops: list[dict[str, float]] | None = None, usage: tuple[int, int] = (100, 1)) -> Reply:
    """Return a good answer; ``tops`` are the candidates of each token, the one that was written first."""
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": text}}
    if tops is not None:
        content = []
        for candidates in tops:
            shown = [{"token": token, "logprob": math.log(p)} for token, p in candidates.items()]
            content.append({**shown[0], "top_logprobs": shown})
        choice["logprobs"] = {"content": content}
    body = {"choices": [choice], "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1]}}
    return 200, body, {}
