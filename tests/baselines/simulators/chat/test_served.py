"""The simulator against a server that others maintain: ``transformers serve``, with a tiny random model."""

from __future__ import annotations

import socket
import time
import urllib.request
from importlib.util import find_spec

import numpy as np
import pytest

from tests.baselines.backbones import tiny
from tests.baselines.simulators.chat.test_simulator import built

LACKING = [name for name in ("fastapi", "uvicorn", "openai") if find_spec(name) is None]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Start ``transformers serve`` on a free port; return its address and the model's name."""
    import torch
    import transformers
    from transformers.cli.serve import Serve

    folder = tmp_path_factory.mktemp("served")
    torch.manual_seed(0)
    config = transformers.Qwen3Config(**tiny.TEXT)
    transformers.Qwen3ForCausalLM(config).eval().save_pretrained(folder)
    tiny.tokenizer(TEMPLATE).save_pretrained(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = Serve(host="127.0.0.1", port=port, device="cpu", log_level="error", non_blocking=True)
    served._model_manager.device = None  # a device map, be it of the CPU alone, would need accelerate
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        served.kill_server()


class Address:
    def __init__(self, url: str) -> None:
        self.url = url


@pytest.mark.slow
@pytest.mark.skipif(bool(LACKING), reason=f"transformers serve needs {', '.join(LACKING)}")
@pytest.mark.filterwarnings("ignore")
def test_a_served_model_is_asked_and_its_tokens_are_counted(server, mini, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    url, model = server
    stimuli = [session.stimulus() for session in mini.sessions_at(range(4))]
    settings = {"model": model, "image": False, "items": True, "max_tokens": 6, "attention": "stated", "concurrency": 2}
    chat, again = (built(Address(url), **settings) for _ in range(2))
    chat.check_ahead()
    found, twice = chat.simulate(stimuli), again.simulate(stimuli)
    assert [p.session_id for p in found] == [s.session_id for s in stimuli]
    assert [p.answer for p in found] == [p.answer for p in twice]  # greedy, whatever the order of requests
    cost = chat.cost()
    assert cost["requests"] == 8 and cost["unanswered_sessions"] == 0
    assert cost["tokens_prompt"] > 8 * 20 and 8 <= cost["tokens_completion"] <= 4 * 6 + 4 * 60
    assert cost["unread_attention"] == sum(p.attention is None for p in found)
    assert all(p.attention is None or np.isclose(p.attention.sum(), 1) for p in found)
