"""The preset parity against what the published code does, written out: whole matrices, loops over tokens and slots."""

import dataclasses

import numpy as np
import pytest
import torch

from baselines import registry
from baselines.simulators import loaded
from benchmark.trials.configuration import read_preset
from tasks.types import Session
from tests.baselines.backbones import tiny

EPS = 1e-4
LAYERS = 1  # of two


@pytest.fixture(scope="module", params=tiny.KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory):
    return str(tiny.save(kind, tmp_path_factory.mktemp(kind)))


def sessions():
    """Screens twice as wide as high, so that InternVL takes two tiles; slots leave gaps between them."""
    for number in range(3):
        shown = tiny.session("ABCDEF", width=96, height=48, seed=number)
        slots = [
            dataclasses.replace(slot, box=(slot.box[0] + 3, slot.box[1] + 2, slot.box[2] - 4, slot.box[3]))
            for slot in shown.slots
        ]
        gaze = np.arange(1.0, 7.0)
        yield Session(f"s{number}", "u", "0", shown.image, shown.profile, tuple(slots), gaze, gaze, 2 * number)


def relevance(operator, attentions, gradients):
    """Row src of R from matrices and gradients of the layers that count, shape (S,)."""
    size = attentions[0].shape[-1]
    total, parts, masses = torch.eye(size), [], []
    if operator == "rollout":
        for weights in attentions:
            step = 0.5 * weights.mean(0) + 0.5 * torch.eye(size)
            total = step / step.sum(-1, keepdim=True) @ total
        return total[-1]
    for weights, gradient in zip(attentions, gradients, strict=True):
        product = weights * gradient
        if operator == "attnlrp":
            sums = product.sum(-1, keepdim=True)
            parts.append((product / (sums + EPS * sums.sign())).nan_to_num().mean(0))
            continue
        product = product.relu()
        score = product.sum((1, 2)) / (gradient.relu().sum((1, 2)) + EPS)
        mixed = (torch.softmax(score / 0.5, 0)[:, None, None] * product).sum(0)
        parts.append(mixed / (mixed.sum(-1, keepdim=True) + EPS))
        masses.append(gradient.sum(0).abs().sum())
    numbers = torch.arange(1.0, len(parts) + 1)
    if operator == "attnlrp":
        return (total + sum(weight * part for weight, part in zip(numbers / numbers.sum(), parts, strict=True)))[-1]
    alpha = torch.stack(masses) * torch.softmax(0.2 * numbers, 0)
    for weight, part in zip(alpha / (alpha.sum() + EPS), parts, strict=True):
        total = total + weight * part @ total
    return total[-1]


def literally(backbone, session, operator):
    """Attention over slots for the true click, as the published code reads it."""
    inputs = backbone.build(session)
    arguments = {key: value for key, value in inputs.arguments().items() if key != "position_ids"}
    arguments["inputs_embeds"] = arguments["inputs_embeds"].detach().requires_grad_()
    decoder = backbone.model.get_decoder()
    decoder.config._attn_implementation = "eager"
    output = decoder(**arguments, use_cache=False, output_attentions=True)
    decoder.config._attn_implementation = "sdpa"
    logits = backbone.model.get_output_embeddings()(output.last_hidden_state[0, -1])
    [token] = backbone.answer_tokens(session)[session.click]
    chosen = list(output.attentions)[-LAYERS:]
    gradients = [g[0] for g in torch.autograd.grad(logits[token], chosen)] if operator != "rollout" else []
    row = relevance(operator, [weights[0].detach() for weights in chosen], gradients)
    values = row[inputs.image_index[0]].abs()
    screen = backbone.encode_screen(session.image)
    _, rows, columns = screen.grid
    if backbone.model.config.model_type == "internvl":
        across, down = 2, 1
        rows, columns = rows * across, columns * down  # as it is there, the other way round
    sums = torch.zeros(len(session.slots))
    width, height = screen.size
    for index, value in enumerate(values[: rows * columns]):  # what comes after the tiles is the view of the whole
        x, y = (index % columns + 0.5) * width / columns, (index // columns + 0.5) * height / rows
        for k, slot in enumerate(session.slots):
            if slot.box[0] <= x < slot.box[2] and slot.box[1] <= y < slot.box[3]:
                sums[k] += value
                break
    return sums / sums.sum()


@pytest.mark.parametrize("operator", ["attnlrp", "glimpse", "rollout"])
def test_attention_is_that_of_the_published_rules(kind, folder, operator):
    chosen = read_preset("parity", folder, "recgaze", lambda backbone: kind)["defaults"]
    settings = {"patches": chosen["patches"], "positions": chosen["positions"], "thumbnail": chosen["thumbnail"]}
    settings |= {"glimpse_sums": chosen["glimpse_sums"], "last_layers": LAYERS, "operator": operator}
    simulator = registry.build("backbone", {"backbone": folder, "dtype": "float32", **settings})
    plain = registry.build("backbone", {"backbone": folder, "dtype": "float32", "operator": operator})
    shown = list(sessions())
    for one in (simulator, plain):
        one.fit([], 0)
    found = simulator.attend_to_label(shown)
    for session, prediction, other in zip(shown, found, plain.attend_to_label(shown), strict=True):
        expected = literally(loaded.load(folder, "float32"), session, operator)
        np.testing.assert_allclose(prediction.attention, expected, atol=1e-5)
        assert np.abs(prediction.attention - other.attention).sum() > 1e-2
    assert "patches=grid" in simulator.notice() and plain.notice() == ""


def test_the_preset_depends_on_backbone_and_task_as_the_published_settings_do():
    found = {
        (kind, task): read_preset("parity", "some/model", task, lambda backbone, kind=kind: kind)
        for kind in ("qwen3_vl", "internvl")
        for task in ("recgaze", "adserp")
    }
    layers = {key: values["defaults"]["last_layers"] for key, values in found.items()}
    assert list(layers.values()) == [6, 6, 5, 3]
    assert {key[1]: values.get("truth") for key, values in found.items()} == {"recgaze": None, "adserp": 1}
    assert found["internvl", "adserp"]["seeds"][-1] == 101112 and found["internvl", "recgaze"]["seeds"][-1] == 2024
    for (_, task), values in found.items():
        assert values["defaults"]["clicks" if task == "adserp" else "score"] in ("attention", "composite")
        registry.build("fixate", values["defaults"])


def test_one_picture_with_bars_is_where_it_is(tmp_path):
    found = {}
    folder = str(tiny.save("internvl", tmp_path, fit="letterbox"))
    for patches in ("centre", "grid"):
        simulator = registry.build("backbone", {"backbone": folder, "patches": patches, "thumbnail": False})
        simulator.fit([], 0)
        found[patches] = [one.attention for one in simulator.simulate([s.stimulus() for s in sessions()])]
    np.testing.assert_array_equal(found["centre"], found["grid"])


def test_clicks_from_attention_are_the_attention_and_its_largest(folder):
    simulator = registry.build("backbone", {"backbone": folder, "dtype": "float32", "clicks": "attention"})
    simulator.fit([], 0)
    shown = list(sessions())
    for found in (simulator.simulate([s.stimulus() for s in shown]), simulator.attend_to_label(shown)):
        for prediction in found:
            np.testing.assert_array_equal(prediction.probabilities, prediction.attention)
            assert prediction.answer == int(prediction.attention.argmax())
