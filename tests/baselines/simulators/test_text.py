import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers

from baselines import registry
from baselines.backbones import answers, templates
from baselines.backbones.templates import Prompt
from baselines.simulators import language_model, loaded
from baselines.simulators.text import Text, TextPosition, grid, item_list, recency
from benchmark.simulator import Workspace
from tasks.definition import quiet
from tasks.errors import InputError
from tasks.types import Slot, Stimulus
from tests.baselines.backbones import tiny
from tests.baselines.tuning.people import sessions

TAG = re.compile(r"\(row \d+, column \d+\) ")


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    """A random causal language model, without a chat template of its own."""
    folder = tmp_path_factory.mktemp("causal")
    config = transformers.Qwen3Config(**tiny.TEXT)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        transformers.Qwen3ForCausalLM(config).eval().save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return str(folder)


def shown(labels="ABCDEF", texts=None):
    slots = tiny.session(labels).slots
    texts = texts or [f"Film {label} (2001). Drama" for label in labels]
    slots = tuple(Slot(s.label, s.kind, text, s.box) for s, text in zip(slots, texts, strict=True))
    return Stimulus("u-1", "u", "1", None, "Top_genre: Drama", slots)


def test_the_two_prompts_differ_in_the_position_tags_alone():
    for seed in range(5):
        plain, placed = item_list(shown(), seed, False), item_list(shown(), seed, True)
        assert plain.order == placed.order and plain.text != placed.text
        assert TAG.sub("", placed.text) == plain.text and len(TAG.findall(placed.text)) == 6
        assert not TAG.search(plain.text)


@pytest.mark.parametrize(
    ("kind", "said"), [("snack", "snack you would choose"), ("native_ad", "result you would click")]
)
def test_items_are_called_by_their_kind(kind, said):
    session = shown()
    session = replace(session, slots=tuple(replace(slot, kind=kind) for slot in session.slots))
    assert item_list(session, 0, False).text.endswith(f"that of the {said}.")


def test_tags_tell_the_place_of_the_entrys_item():
    listed = item_list(shown(), 0, True)
    places = grid(shown().slots)
    assert places == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    entries = [line for line in listed.text.splitlines() if TAG.search(line)]
    for place, (line, slot) in enumerate(zip(entries, listed.order, strict=True)):
        row, column = places[slot]
        assert line == f"{'ABCDEF'[place]}. (row {row}, column {column}) Film {'ABCDEF'[slot]} (2001). Drama"


def test_the_grid_of_a_result_page():
    boxes = [(0, 0, 300, 50), (0, 60, 280, 140), (320, 65, 420, 120), (0, 150, 300, 190)]
    slots = [Slot(str(i + 1), "organic_result", "t", box) for i, box in enumerate(boxes)]
    assert grid(slots) == [(1, 1), (2, 1), (2, 2), (3, 1)]


def test_the_order_is_shuffled_per_session_with_the_seed():
    import dataclasses

    orders = {item_list(shown(), seed, False).order for seed in range(8)}
    assert len(orders) > 4 and all(sorted(order) == list(range(6)) for order in orders)
    other = dataclasses.replace(shown(), session_id="u-2")
    assert [item_list(shown(), s, False).order for s in range(8)] != [
        item_list(other, s, False).order for s in range(8)
    ]
    assert item_list(shown(), 3, False) == item_list(shown(), 3, False)


def test_probabilities_are_those_of_the_labels_after_the_plain_model_call(folder):
    model = language_model.of_backbone(folder, "auto")
    session = shown()
    listed = item_list(session, 1, False)
    ids = torch.tensor([model.ids(listed.text)])
    with torch.no_grad():
        logits = model.model(input_ids=ids).logits[0, -1]
    labels = [tokens[0] for tokens in model.answer_tokens(session, listed.text)]
    expected = np.zeros(6)
    expected[list(listed.order)] = logits[labels].softmax(0).numpy()
    simulator = Text(backbone=folder)
    simulator.fit([], 1)
    found = simulator.simulate([session])[0]
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-4)
    assert found.answer == int(expected.argmax()) and found.attention is None and found.target == "none"


def test_a_batch_of_lists_of_differing_length_equals_each_alone(folder):
    simulator = TextPosition(backbone=folder)
    simulator.fit([], 1)
    found = [shown(), shown("ABCD"), shown("ABCDEFGH")]
    together = simulator.simulate(found)
    for session, prediction in zip(found, together, strict=True):
        alone = simulator.simulate([session])[0]
        np.testing.assert_allclose(prediction.probabilities, alone.probabilities, rtol=1e-4)


def test_a_causal_language_model_does_as_well(causal):
    simulator = registry.build("text", {"language_model": causal})
    simulator.fit([], 2)
    found = simulator.simulate([shown(), shown("ABCD")])
    assert found[1].probabilities.shape == (4,) and found[1].probabilities.sum() == pytest.approx(1)
    model = language_model.causal(causal, "auto")
    listed = item_list(shown("ABCD"), 2, False)
    with torch.no_grad():
        logits = model.model(input_ids=torch.tensor([model.ids(listed.text)])).logits[0, -1]
    labels = [tokens[0] for tokens in model.answer_tokens(shown("ABCD"), "film")]
    np.testing.assert_allclose(found[1].probabilities[list(listed.order)], logits[labels].softmax(0).numpy(), rtol=1e-4)
    assert set(simulator.material()) == {"language_model", "dtype"}


def test_control_tokens_in_a_title_end_no_turn(folder):
    model = language_model.of_backbone(folder, "auto")
    ids = model.ids("<|im_end|> A <|im_end|>")
    end = model.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert ids.count(end) == model.ids("A").count(end) == 1


def test_both_see_the_same_model_and_differ(folder):
    found = []
    for name in ("text", "text-position"):
        simulator = registry.build(name, {"backbone": folder})
        simulator.fit(sessions(), 1)
        found.append(simulator.simulate([shown()])[0].probabilities)
    assert not np.allclose(*found, rtol=1e-2)


def test_recency_bias_is_measured_in_units_of_chance():
    even = recency([np.full(6, 1 / 6), np.full(4, 0.25)])
    assert even["first_third"] == even["last_third"] == pytest.approx(1) and even["slope"] == pytest.approx(0)
    late = recency([np.array([0, 0, 0, 0, 0, 1.0])])
    assert late["first_third"] == 0 and late["last_third"] == pytest.approx(3) and late["answered_last_third"] == 1
    assert late["chance_last_third"] == pytest.approx(1 / 3) and late["slope"] == pytest.approx(1)


def test_recency_is_kept_with_the_trial(folder, tmp_path):
    simulator = Text(backbone=folder)
    simulator.attach(Workspace(tmp_path, tmp_path, lambda line: None, quiet))
    simulator.fit([], 0)
    simulator.simulate([shown(), shown("ABCD")])
    assert json.loads((tmp_path / "recency.json").read_text())["sessions"] == 2


def test_slots_without_texts_are_one_line(folder):
    simulator = Text(backbone=folder)
    simulator.fit([], 0)
    with pytest.raises(InputError, match="session u-1: its slots have no texts"):
        simulator.simulate([shown(texts=[""] * 6)])


def test_what_is_no_language_model_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no weights"):
        Text(language_model=str(tmp_path)).fit([], 0)
    with pytest.raises(InputError):
        loaded.number_format("half")


def test_the_tokens_of_the_questions_are_counted(causal):
    simulator = Text(language_model=causal)
    assert simulator.cost() == {}
    simulator.fit([], 1)
    simulator.simulate([shown(), shown()])
    model = language_model.causal(causal, "float32")
    tokens = 2 * len(model.ids(item_list(shown(), 1, False).text))
    size = sum(p.numel() for p in model.model.get_decoder().parameters())
    assert simulator.cost() == {"tokens_simulated": tokens, "flops_estimated": 2.0 * size * tokens}


@pytest.mark.parametrize("name", ["text", "text-position"])
def test_labels_are_those_of_the_list_not_of_the_screen(name, causal):
    simulator = registry.build(name, {"language_model": causal})
    simulator.fit([], 5)
    session = shown()
    listed = item_list(session, 5, name == "text-position").text.splitlines()
    for slot, label in zip(session.slots, simulator.labels(session), strict=True):
        (entry,) = [line for line in listed if slot.text in line]
        assert entry.startswith(f"{label}. ")
    assert simulator.labels(session) != tuple(slot.label for slot in session.slots)


def causal_with(tmp_path, causal, template):
    """A copy of the causal model whose tokenizer has a chat template."""
    folder = tmp_path / "templated"
    shutil.copytree(causal, folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return language_model.causal(str(folder), "float32")


def test_thinking_is_switched_off_where_the_template_knows_it_and_the_clock_stands_still(tmp_path, causal):
    template = (
        "{{ strftime_now('%Y') }} {{ messages[0].content }}"
        "{% if enable_thinking is not defined or enable_thinking %} thinking{% endif %}\nAnswer:"
    )
    shown_text = causal_with(tmp_path, causal, template).prompt("film").text
    assert shown_text == "2025 filmAnswer:"  # Jinja drops the line break after a block


def test_a_template_that_opens_a_thought_has_it_closed_and_says_so(tmp_path, causal):
    model = causal_with(tmp_path, causal, "{{ messages[0].content }}\n<think>\n")
    assert model.prompt("film") == Prompt("film\n<think>\n\n</think>\n\n", "", True)


def test_labels_are_encoded_as_they_follow_the_prompt(causal):
    """After a trailing blank a byte-pair tokenizer writes blank and letter as one token, not as two."""

    class Joining:
        """Encodes a blank and the word after it as one token."""

        all_special_tokens, unk_token_id = (), None

        def encode(self, text, add_special_tokens=False):
            return [hash(word) % 1000 for word in re.findall(r" ?\S+|\s", text)]

    session = shown("AB")
    bare = templates.prompt("Answer: ")
    assert (bare.text, bare.lead) == ("Answer:", " ")
    found = answers.answer_tokens(Joining(), session, bare.text, bare.lead)
    assert found == [[hash(" A") % 1000], [hash(" B") % 1000]]
    with pytest.raises(InputError, match="joins the end of the prompt"):
        answers.answer_tokens(Joining(), session, "Answer")


@pytest.mark.parametrize("kind", ["missing", "mismatched"])
def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path, causal, kind):
    folder = tmp_path / "damaged"
    shutil.copytree(causal, folder)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    name = next(name for name in weights if "q_proj" in name)
    if kind == "missing":
        del weights[name]
    else:
        weights[name] = weights[name][:-1].clone()
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="do not fit its config.json|does not load"):
        language_model.causal(str(folder), "float32")
