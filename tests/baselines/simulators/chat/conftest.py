from __future__ import annotations

import pytest

from tests.baselines.simulators.chat.stub import Stub


@pytest.fixture
def endpoint(monkeypatch):
    """Return a function that starts an endpoint; all are closed at the end. No proxy is used."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    running = []

    def start(reply) -> Stub:
        running.append(Stub(reply))
        return running[-1]

    yield start
    for stub in running:
        stub.close()
