from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import socket

import numpy as np
import pytest
from PIL import Image

import submissions
import tasks
from baselines import registry
from baselines.simulators.chat.simulator import FORMS, LETTERS, NUMBERS, SNACKS, Chat, _question
from benchmark.cli import main
from benchmark.engines.asking import ask
from benchmark.engines.needs import models
from benchmark.runs.preflight import limited
from benchmark.runs.runner import run
from benchmark.simulator import FollowsPath, ReportsCost, Simulator, UsesWorkspace, Workspace
from benchmark.trials.catalogue import full_settings
from benchmark.trials.configuration import RunConfig
from benchmark.trials.trial import expand
from submissions.facts import Facts
from submissions.packing import pack
from tasks.definition import quiet
from tasks.errors import InputError
from tasks.types import ScreenImage, Slot, Stimulus, Visit, visits
from tests import mini as mini_task
from tests.baselines.simulators.chat.stub import says


@pytest.fixture
def stimuli(mini):
    return [session.stimulus() for session in mini.sessions_at(range(6))]


@pytest.mark.parametrize(
    ("label", "kind", "question"), [("A", "film", LETTERS), ("1", "organic_result", NUMBERS), ("1", "snack", SNACKS)]
)
def test_the_question_is_about_what_the_slots_are(stimuli, label, kind, question):
    slots = (Slot(label, kind, "x", (0, 0, 1, 1)),)
    assert _question(dataclasses.replace(stimuli[0], slots=slots), "json").startswith(question)


def built(stub, seed=42, **settings):
    chat = registry.build(
        "chat", {"base_url": stub.url, "model": "m", "retries": 0, "backoff": 0, "concurrency": 1, **settings}
    )
    chat.fit([], seed)
    return chat


def workspace(tmp_path, said):
    for name in ("state", "artifacts"):
        (tmp_path / name).mkdir(exist_ok=True)
    return Workspace(tmp_path / "state", tmp_path / "artifacts", said.append, quiet)


def test_it_keeps_the_contract_and_does_not_store_the_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    chat = registry.build("chat", {})
    assert isinstance(chat, Simulator) and isinstance(chat, UsesWorkspace) and isinstance(chat, ReportsCost)
    assert "secret" not in json.dumps(full_settings(chat, registry.entry("chat").factory)) + repr(chat)


def test_the_screen_the_profile_and_the_question_are_sent(endpoint, stimuli, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    stub = endpoint(lambda body, n: says("B"))
    built(stub, seed=7, api_key_env="MY_KEY").simulate(stimuli[:1])
    body = stub.requests[0]
    image, text = body["messages"][0]["content"]
    kind, _, data = image["image_url"]["url"].partition(",")
    assert kind == "data:image/png;base64" and base64.b64decode(data) == stimuli[0].image.encoded()
    assert text["text"] == f"{stimuli[0].profile}\n{LETTERS}" + ', as JSON and nothing else: {"answer": "<letter>"}'
    answer = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]
    assert answer == {"type": "string", "enum": ["A", "B", "C", "D"]}
    assert (body["model"], body["temperature"], body["seed"]) == ("m", 0, 7)
    assert body["logprobs"] is True and body["top_logprobs"] == 20
    assert stub.headers[0]["Authorization"] == "Bearer secret"


def test_a_jpeg_screen_is_sent_as_png(endpoint):
    data = io.BytesIO()
    Image.new("RGB", (8, 8), (10, 200, 30)).save(data, format="JPEG")
    slots = tuple(Slot(str(n), "organic_result", f"Result {n}", (0, 0, 1, 1)) for n in (1, 2))
    stimulus = Stimulus("s", "u", "q", ScreenImage(data=data.getvalue()), "Search query: x", slots)
    stub = endpoint(lambda body, n: says("2"))
    assert built(stub).simulate([stimulus])[0].answer == 1
    image, text = stub.requests[0]["messages"][0]["content"]
    sent = Image.open(io.BytesIO(base64.b64decode(image["image_url"]["url"].partition(",")[2])))
    assert sent.format == "PNG" and sent.size == (8, 8) and NUMBERS in text["text"]


def test_what_is_shown_can_be_chosen(endpoint, stimuli):
    stub = endpoint(lambda body, n: says("B"))
    settings = {"image": False, "items": True, "profile": False, "instruction": "Which?", "logprobs": "never"}
    built(stub, **settings).simulate(stimuli[:1])
    (part,) = stub.requests[0]["messages"][0]["content"]
    assert part["text"] == "A. Film 0\nB. Film 1\nC. Film 2\nD. Film 3\nWhich?" and "logprobs" not in stub.requests[0]


def test_log_probabilities_become_click_probabilities(endpoint, stimuli):
    stub = endpoint(lambda body, n: says("B", [{"B": 0.6, "A": 0.2, "C": 0.1, "D": 0.1}]))
    chat = built(stub)
    for prediction in chat.simulate(stimuli):
        np.testing.assert_allclose(prediction.probabilities, [0.2, 0.6, 0.1, 0.1])
        assert prediction.answer == 1 and prediction.attention is None and prediction.target == "none"
    cost = chat.cost()
    assert cost["requests"] == 6 and cost["tokens"] == 606 and cost["failed_sessions"] == 0


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_question_is_answered(endpoint, stimuli, form):
    written = {"json": '{"answer": "C"}', "line": "Answer: C", "free": "C"}[form]
    stub = endpoint(lambda body, n: says(written))
    assert built(stub, form=form).simulate(stimuli[:1])[0].answer == 2
    assert ("response_format" in stub.requests[0]) == (form == "json")


def test_concurrency_changes_nothing(endpoint, mini, tmp_path):
    stimuli = [session.stimulus() for session in mini.sessions_at(range(21))]

    def reply(body, n):
        text = body["messages"][0]["content"][1]["text"]
        return says("ABCD"[len(text) % 4], [{"ABCD"[len(text) % 4]: 0.6, "Z": 0.4}]) if n != 5 else says("?")

    one = built(endpoint(lambda body, n: reply(body, 0))).simulate(stimuli)
    several = built(endpoint(lambda body, n: reply(body, 0)), concurrency=8).simulate(stimuli)
    assert [(p.session_id, p.answer, p.probabilities.tolist()) for p in one] == [
        (p.session_id, p.answer, p.probabilities.tolist()) for p in several
    ]


def test_samples_at_temperature_1_become_smoothed_shares(endpoint, stimuli, tmp_path):
    written = iter("BBC?" * 2)
    stub = endpoint(lambda body, n: says(next(written)))
    chat = built(stub, samples=4)
    chat.attach(workspace(tmp_path, []))
    found = chat.simulate(stimuli[:2])
    for prediction in found:
        np.testing.assert_allclose(prediction.probabilities, np.array([0.25, 2.25, 1.25, 0.25]) / 4)
        assert prediction.answer == 1
    assert {body["temperature"] for body in stub.requests} == {1} and "logprobs" not in stub.requests[0]
    assert [body["seed"] for body in stub.requests] == [42000, 42001, 42002, 42003] * 2
    again = built(stub, samples=4)  # everything is kept
    again.attach(workspace(tmp_path, []))
    assert [p.answer for p in again.simulate(stimuli[:2])] == [1, 1] and len(stub.requests) == 8


def test_several_samples_that_name_no_slot_are_one_failed_session(endpoint, stimuli, tmp_path):
    said = []
    chat = built(endpoint(lambda body, n: says("?")), samples=3, attention="stated")
    chat.attach(workspace(tmp_path, said))
    assert all(p.attention is None for p in chat.simulate(stimuli[:2])) and chat.cost()["unread_answers"] == 6
    assert "chat failed in 2 of 2 sessions (2 answers named no slot, 0 got none); they count as uniform." in said
    assert "chat stated no attention that can be read in 2 of 2 sessions." in said


def looked(body):
    """What a stub answers where shares are asked for: twice as much for each further name."""
    names = re.findall(r'"(\w+)": <number>', body["messages"][0]["content"][-1]["text"])
    return says(json.dumps({name: 2**i for i, name in enumerate(names)}), usage=(50, 20))


def test_stated_attention_is_asked_for_in_a_call_of_its_own_that_does_not_show_the_answer(endpoint, stimuli, tmp_path):
    def reply(body, n):
        return {1: says("mostly A"), 3: (500, b"", {})}.get(n, looked(body)) if n % 2 else says('{"answer": "D"}')

    stub, said = endpoint(reply), []
    chat = built(stub, attention="stated", max_tokens=10)
    chat.attach(workspace(tmp_path, said))
    found = chat.simulate(stimuli)
    first, second = (request["messages"] for request in stub.requests[:2])
    assert len(stub.requests) == 12 and [len(m) for m in (first, second)] == [1, 1]  # no message holds an answer
    assert second[0]["content"][:-1] == first[0]["content"][:-1] and "looking time" in second[0]["content"][-1]["text"]
    schema = stub.requests[1]["response_format"]["json_schema"]["schema"]
    assert schema["required"] == list("ABCD") and "logprobs" not in stub.requests[1]
    assert (stub.requests[0]["max_tokens"], stub.requests[1]["max_tokens"]) == (10, 60)
    assert [p.attention is None for p in found] == [True, True, False, False, False, False]
    np.testing.assert_allclose(found[2].attention, np.array([1, 2, 4, 8]) / 15)
    assert {(p.answer, p.target) for p in found} == {(3, "none")}
    assert "stated by the model" in chat.notice() and chat.cost()["unread_attention"] == 2
    assert any("no attention that can be read in 2 of 6 sessions" in line for line in said)


def test_next_visits_are_asked_for_one_by_one_and_only_where_asked_for(endpoint, stimuli, tmp_path):
    def reply(body, n):
        return says("B") if n == 0 else says("?") if n == 3 else looked(body)

    stub = endpoint(reply)
    chat = built(stub, next_visit="stated")
    assert isinstance(chat, FollowsPath) and not isinstance(built(stub), FollowsPath) and not chat.draws_paths
    chat.attach(workspace(tmp_path, []))
    path = [Visit(2, 0.0, 310.4), Visit(0, 400.0, 90.0)]
    (found,) = ask(chat, stimuli[:1], [path], "chat")
    texts = [request["messages"][0]["content"][-1]["text"] for request in stub.requests]
    assert len(texts) == 4 and "not looked at anything yet" in texts[1] and "at C (310 ms)." in texts[2]
    assert "at C (310 ms), A (90 ms)." in texts[3]
    np.testing.assert_allclose(found.next_visit, [np.array([1, 2, 4, 8, 16]) / 31] * 2 + [np.full(5, 0.2)])
    assert chat.cost()["unread_visits"] == 1 and found.answer == 1
    again = built(
        endpoint(lambda body, n: (500, b"", {})), next_visit="stated"
    )  # what was answered is not paid for twice
    again.attach(workspace(tmp_path, []))
    np.testing.assert_array_equal(ask(again, stimuli[:1], [path], "chat")[0].next_visit, found.next_visit)
    kept = [(tmp_path / where / "answers.jsonl").read_text() for where in ("state", "artifacts")]
    assert kept[0] == kept[1] and len(kept[0].splitlines()) == 4 and again.cost()["tokens"] == chat.cost()["tokens"]


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"content": '{"answer": ' + "[" * 9000 + "]" * 9000 + "}"}},
        {"message": {"content": {"A": 1}}},
        {"message": None},
        {"message": {"content": "B"}, "logprobs": {"content": [{"token": "B", "logprob": -(10**400)}]}},
    ],
)
def test_what_raises_while_it_is_read_is_unread_and_never_poisons_the_store(endpoint, stimuli, tmp_path, choice):
    stub = endpoint(lambda body, n: (200, {"choices": [choice]}, {}))
    for _ in range(2):  # the next attempt meets the same answer
        chat = built(stub, attention="stated")
        chat.attach(workspace(tmp_path, []))
        found = chat.simulate(stimuli[:1])[0]
        assert found.attention is None and found.probabilities is None and found.answer is not None
    assert len((tmp_path / "artifacts" / "answers.jsonl").read_text().splitlines()) == 2 and len(stub.requests) == 2


def test_prices_and_numbers_of_requests_change_no_trial(mini):
    def identity(**settings):
        config = RunConfig("mini", simulators=("chat",), settings={"base_url": "http://x/v1", "model": "m", **settings})
        trial = expand(config, mini, registry)[0]
        assert models(trial) == ()  # they are no model that it rests on
        return trial.identity()

    assert identity() == identity(prompt_price=1.0, completion_price=2.0, concurrency=1, requests_per_minute=9.0)
    assert len({identity(), identity(attention="stated"), identity(next_visit="stated"), identity(samples=2)}) == 4


def test_a_key_that_comes_back_is_not_kept(endpoint, stimuli, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    said = []
    echoed = [{"Answer": 1.0}, {": B": 1.0}, {" sk-very": 1.0}, {"-secret\x1b[2J": 1.0}]
    chat = built(endpoint(lambda body, n: says("sk-very-secret\x1b[2J\nAnswer: B", echoed)))
    chat.attach(workspace(tmp_path, said))
    assert chat.simulate(stimuli[:1])[0].answer == 1
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or not any(word in path.read_bytes() for word in (b"very", b"secret", b"\x1b"))


def test_without_log_probabilities_there_are_answers_alone(endpoint, stimuli):
    stub = endpoint(lambda body, n: says("D"))
    found = built(stub).simulate(stimuli)
    assert {p.answer for p in found} == {3} and all(p.probabilities is None for p in found)


def test_a_failed_session_is_uniform_counted_and_told(endpoint, stimuli, tmp_path):
    def reply(body, n):
        good = says("B", [{"B": 0.7, "A": 0.3}])
        return {1: (500, b"", {}), 2: says("none of these"), 3: says("B")}.get(n, good)

    said = []
    chat = built(endpoint(reply))
    chat.attach(workspace(tmp_path, said))
    found = chat.simulate(stimuli)
    assert [p.session_id for p in found] == [s.session_id for s in stimuli]
    for failed in (found[1], found[2]):
        np.testing.assert_allclose(failed.probabilities, 0.25)
        assert failed.answer is None
    np.testing.assert_allclose(found[3].probabilities, 0.25)  # an answer without log-probabilities
    assert found[3].answer == 1 and found[0].answer == 1
    cost = chat.cost()
    assert (cost["failed_sessions"], cost["unread_answers"], cost["unanswered_sessions"]) == (2, 1, 1)
    assert cost["sessions_without_logprobs"] == 1
    assert said[-1:] == ["chat failed in 2 of 6 sessions (1 answers named no slot, 1 got none); they count as uniform."]


def test_without_log_probabilities_a_failed_session_gets_a_slot_drawn_with_the_seed(endpoint, mini):
    stimuli = [session.stimulus() for session in mini.sessions_at(range(21))]

    def answers(seed):
        stub = endpoint(lambda body, n: says("B") if n == 0 else says("?"))
        return [p.answer for p in built(stub, seed=seed).simulate(stimuli)]

    first = answers(1)
    assert first == answers(1) and first != answers(2)
    assert set(first) == {0, 1, 2, 3}


def test_an_endpoint_that_is_down_ends_the_trial_and_the_next_attempt_pays_for_nothing_twice(endpoint, mini, tmp_path):
    stimuli = [s.stimulus() for s in mini.sessions_at(range(21))]
    up = endpoint(lambda body, n: says("B") if n < 4 else (503, b"", {}))
    chat = built(up)
    chat.attach(workspace(tmp_path, []))
    with pytest.raises(InputError, match="Is it running?"):
        chat.simulate(stimuli)
    assert 14 <= len(up.requests) <= 16  # one or two more may be on their way when the tenth failure is seen
    with (tmp_path / "state" / "answers.jsonl").open("a") as file:
        file.write('{"session_id": "u1-')  # stopped in the middle of a line
    again = endpoint(lambda body, n: says("C"))
    chat = built(again)
    chat.attach(workspace(tmp_path, []))
    found = chat.simulate(stimuli)
    assert [p.answer for p in found] == [1] * 4 + [2] * 17
    assert len(again.requests) == 17 and chat.cost()["sessions_kept"] == 4
    assert (tmp_path / "artifacts" / "answers.jsonl").is_file()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image": False}, "neither image nor items"),
        ({"retries": -1}, "retries is -1"),
        ({"timeout": 0}, "above 0"),
        ({"logprobs": "always"}, "one of auto, never"),
    ],
)
def test_a_wrong_setting_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        registry.build("chat", settings)


def test_an_endpoint_and_a_model_must_be_named():
    with pytest.raises(InputError, match="--set base_url=.* model=NAME"):
        Chat().check_ahead()


def test_a_session_without_a_screen_is_refused(endpoint, stimuli):
    bare = Stimulus("s", "u", "q", None, "", stimuli[0].slots)
    with pytest.raises(InputError, match="has no image; prepare the task with images"):
        built(endpoint(lambda body, n: says("A"))).simulate([bare])


def test_the_command_line_runs_it(endpoint, capsys, tmp_path, monkeypatch):
    """Both settings in one --set, as the help says."""
    from tasks import registry as tasks_registry

    mini = mini_task.build(tmp_path)
    monkeypatch.setitem(tasks_registry.TASKS, "mini", "tests.mini:DEFINITION")
    click = says("A", [{"A": 0.4, "B": 0.3, "C": 0.2, "D": 0.1}])
    stub = endpoint(lambda body, n: looked(body) if "looking time" in str(body) else click)
    argv = ["run", "--task", "mini", "--data", str(tmp_path / "out"), "--simulators", "chat,uniform"]
    argv += ["--reference", "uniform", "--seeds", "1,2", "--set", f"base_url={stub.url}", "model=m", "prompt_price=10"]
    argv += ["attention=stated"]
    assert main([*argv, "--out", str(tmp_path / "run"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    chat = next(row for row in found["simulators"] if row["name"] == "chat")
    stated = next(row for row in found["simulators"] if row["name"] == "chat [stated]")
    assert len(stub.requests) == 28 and {r["seed"] for r in stub.requests} == {1, 2}
    assert "KL" not in chat["metrics"] and chat["metrics"]["AUC"]["mean"] > 0 and chat["failed"] == 0
    assert set(stated["metrics"]) >= {"KL", "CSH@1"} and "AUC" not in stated["metrics"] and not stated["ranked"]
    assert all(c["p_holm"] is None for c in found["comparisons"] if c["simulator"] == "chat [stated]")
    assert "stated by the model" in found["notice"]
    assert main(["score", str(tmp_path / "run/predictions.parquet"), *argv[1:5], "--json"]) == 0
    again = json.loads(capsys.readouterr().out)["simulators"]
    assert {row["name"]: row["metrics"] for row in again}["chat [stated]"] == stated["metrics"]
    pack(tmp_path / "run", "chat", tmp_path / "packed", Facts("a chat model", ("image",)))
    packed = submissions.read(tmp_path / "packed")
    assert packed.attention == submissions.format.Attention("stated by the model", "none")
    assert packed.seeds == (1,)  # the stub knows no seed, so that both say the same
    assert not submissions.errors(submissions.doctor(tmp_path / "packed", {"mini": mini}))
    assert main([*argv, "--limit", "2", "--out", str(tmp_path / "some")]) == 0
    said = "chat: all 7 test sessions would take about 28 requests with 2,100 tokens, and 294 of answers"
    assert f"{said}, for 0.021 at the prices given, by these 2." in capsys.readouterr().err


def test_an_endpoint_that_nobody_listens_at_is_told_before_any_trial(mini, tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    settings = {"base_url": url, "model": "m"}
    asked = RunConfig("mini", simulators=("uniform", "chat"), reference="uniform", settings=settings)
    with pytest.raises(InputError, match=f"{url} cannot be reached .*Is it running"):
        run(asked, mini, registry, tmp_path / "run")
    assert not list((tmp_path / "run").rglob("trial.json"))


@pytest.mark.slow
def test_next_visits_are_stated_apart_too(endpoint, tmp_path):
    task = limited(tasks.load("recgaze", "sample"), "loo", 10)
    stub = endpoint(lambda body, n: looked(body) if "look at next" in str(body) else says("A"))
    settings = {"base_url": stub.url, "model": "m", "next_visit": "stated"}
    asked = RunConfig("recgaze", simulators=("chat", "uniform"), reference="uniform", seeds=(1,), settings=settings)
    found = {row.name: row for row in run(asked, task, registry, tmp_path / "run").simulators}
    assert len(stub.requests) == sum(len(visits(task.session(i))) + 2 for i in task.split("loo").folds[0][1])
    assert "NextSlot" in found["chat [stated]"].metrics and not found["chat [stated]"].ranked
    assert "NextSlot" not in found["chat"].metrics and "NextSlot" in found["uniform"].metrics
