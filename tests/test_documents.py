"""The examples of the contributing guide are registered and used, and the table of the README is what is printed."""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
import types

import numpy as np
import pytest

import benchmark
from baselines import registry as catalogue
from benchmark.metrics import evaluate_sessions
from benchmark.metrics import registry as metrics
from benchmark.runs.runner import run
from benchmark.trials.configuration import RunConfig
from tests.benchmark.toys import ToyEntry, Toys
from tests.documents.blocks import ROOT, blocks

GUIDE = "CONTRIBUTING.md"


@pytest.fixture
def example(tmp_path, monkeypatch):
    """Return a function that imports the guide's code block with some words in it as a module of a given name."""

    def load(name: str, words: str) -> types.ModuleType:
        [block] = [b.text for b in blocks(GUIDE) if b.language == "python" and words in b.text]
        (tmp_path / f"{name}.py").write_text(block, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


def test_every_example_of_the_guide_is_used_here():
    text = (ROOT / "tests" / "test_documents.py").read_text(encoding="utf-8")
    words = re.findall(r'example\("\w+", "(.+?)"\)', text)
    found = [b.text for b in blocks(GUIDE) if b.language == "python"]
    elsewhere = {
        "PART = Part(",
        "STATISTIC = Statistic(",
        "COLUMN = BoardColumn(",
    }  # tests of their own
    assert len(found) == 8 and all(any(w in b for w in (*words, *elsewhere)) for b in found)


@pytest.mark.slow
def test_the_metric_shows_up_in_a_table(example, monkeypatch, mini, tmp_path):
    from benchmark.output.rendering import render
    from benchmark.scores import table

    monkeypatch.setitem(sys.modules, "benchmark.metrics.sim", example("example_metric", "SIM"))
    monkeypatch.setattr(metrics, "MODULES", (*metrics.MODULES, "sim"))
    metrics.all_metrics.cache_clear()
    try:
        gaze, attention = [[600, 300, 100, 0], [0, 1, 1, 0]], [[0.4, 0.2, 0.2, 0.2], [1, 0, 0, 1]]
        values = evaluate_sessions(gaze, [0, 1], attention)
        assert values["SIM"].tolist() == pytest.approx([0.4 + 0.2 + 0.1, 0.0])
        config = RunConfig("mini", simulators=("uniform", "gaze-oracle"), reference="uniform")
        found = run(config, mini, catalogue, tmp_path / "run")
        assert found.simulators[1].metrics["SIM"].mean == pytest.approx(1.0)
        assert "SIM↑" in render(table.document(found), "terminal", 300)
    finally:
        monkeypatch.undo()
        metrics.all_metrics.cache_clear()


@pytest.mark.slow
def test_the_simulator_runs(example, mini, tmp_path):
    example("example_simulator", "class TopLeft")
    toys = Toys()
    toys.entries = {"top-left": ToyEntry("top-left", "example_simulator:TopLeft")}
    found = run(RunConfig("mini", simulators=("top-left",), reference="top-left"), mini, toys, tmp_path / "run")
    assert found.simulators[0].settings == {"rate": 0.5} and found.simulators[0].metrics["KL"].mean > 0


@pytest.mark.slow
def test_the_operator_probes_a_backbone(example, monkeypatch):
    from baselines.backbones.loading import load_backbone
    from baselines.probing import registry
    from baselines.probing.relevance import overlap_matrix
    from baselines.tuning.reading import read_sessions
    from tests.baselines.backbones import tiny

    entry = example("example_operator", "class LastLayer").ENTRY
    entry = dataclasses.replace(entry, factory="example_operator:LastLayer")
    monkeypatch.setitem(registry._BY_NAME, entry.name, entry)
    assert registry.names()[-1] == "last-layer"
    backbone = load_backbone("pocket-qwen3vl", device="cpu", features=None)
    session = tiny.session(width=480, height=288)
    [(attention, _)] = read_sessions(backbone, [session], registry.create("last-layer"))
    # The same from the whole model with eager attention.
    inputs = backbone.build(session)
    decoder = backbone.model.get_decoder()
    decoder.set_attn_implementation("eager")
    weights = decoder(**inputs.arguments(), use_cache=False, output_attentions=True).attentions[-1]
    row = weights[0, :, -1].mean(0)[inputs.image_index[0]].detach().numpy()
    sums = row @ overlap_matrix(inputs.patch_boxes[0], session.slots)
    np.testing.assert_allclose(attention, sums / sums.sum(), atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_backbone_is_loaded_and_read(example, monkeypatch, tmp_path):
    import torch
    import transformers

    from baselines.backbones import registry
    from baselines.backbones.loading import load_backbone
    from baselines.probing.registry import create
    from baselines.tuning.reading import read_sessions
    from tests.baselines.backbones import tiny

    example("example_backbone", "class Qwen25VL")
    monkeypatch.setitem(registry.ARCHITECTURES, "qwen2_5_vl", registry.Architecture("example_backbone:Qwen25VL"))
    ids = {f"{name}_token_id": tiny.VOCABULARY[f"<|{name}|>"] for name in ("vision_start", "vision_end")}
    ids |= {f"{name}_token_id": tiny.VOCABULARY[f"<|{name}_pad|>"] for name in ("image", "video")}
    text = {key: value for key, value in tiny.TEXT.items() if key != "head_dim"}
    rope = dict(rope_type="default", rope_theta=10000.0, mrope_section=[2, 1, 1])
    vision = dict(depth=2, hidden_size=16, intermediate_size=24, num_heads=2, out_hidden_size=32, patch_size=4)
    vision |= dict(window_size=16, fullatt_block_indexes=[1])
    config = transformers.Qwen2_5_VLConfig(
        text_config=dict(text, rope_parameters=rope, bos_token_id=2, eos_token_id=3), vision_config=vision, **ids
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = transformers.Qwen2_5_VLForConditionalGeneration(config).eval()
    folder = tmp_path / "tiny"
    model.save_pretrained(folder)
    tiny.qwen3_vl()[1].save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)

    backbone, session = load_backbone(folder, device="cpu", features=None), tiny.session()
    inputs = backbone.build(session)
    words = backbone.processor.conversation.tokens(session)
    picture = [ids["image_token_id"]] * len(inputs.image_index[0])
    whole = torch.tensor([[*words.before, *picture, *words.closing, *words.after]])
    marked = (whole == ids["image_token_id"]).long()
    pixels = backbone.pixels(session.image.open()).arguments
    with torch.no_grad():
        expected = model(input_ids=whole, mm_token_type_ids=marked, **pixels).logits[:, -1]
        torch.testing.assert_close(backbone.logits(inputs), expected, atol=1e-5, rtol=1e-5)
    [(attention, _)] = read_sessions(backbone, [session], create("glimpse"))
    assert attention.shape == (len(session.slots),) and attention.sum() == pytest.approx(1)


@pytest.mark.slow
def test_the_task_loads_and_runs(example, tmp_path, monkeypatch):
    from tasks import registry

    example("example_task", "PAIRS")
    monkeypatch.setitem(registry.TASKS, "pairs", "example_task:PAIRS")
    task = registry.load("pairs", "sample")
    assert len(task) == 23 and task.notice == "simulated sample, not recorded"  # u0 on screen 0 looks nowhere
    config = RunConfig("pairs", split="kfold", simulators=("uniform", "position-prior"), reference="uniform")
    found = run(config, task, catalogue, tmp_path / "run")
    assert found.simulators[0].metrics["Accuracy"].mean == pytest.approx(0.5)


def test_the_readme_cites_this_version():
    [cited] = [b.text for b in blocks("README.md") if b.language == "bibtex"]
    assert f"version = {{{benchmark.__version__}}}" in cited


@pytest.mark.slow
def test_the_priors_of_the_readmes_table_are_what_is_printed(tmp_path):
    import tasks
    from benchmark.output.rendering import render
    from benchmark.scores import table

    [printed] = [b.text for b in blocks("README.md") if b.language == "text" and "conditional-logit" in b.text]
    names = ("uniform", "position-prior", "kind-position-prior", "user-prior", "conditional-logit", "gaze-oracle")
    found = run(RunConfig("recgaze", simulators=names), tasks.load("recgaze", "sample"), catalogue, tmp_path / "run")

    def numbers(text: str) -> dict[str, list[str]]:
        """Return name -> the numbers of its rows, block after block; those of the verdict have none."""
        rows: dict[str, list[str]] = {}
        for name, *cells in map(str.split, filter(str.strip, text.splitlines())):
            found = [cell.strip("*▲▼") for cell in cells]
            rows.setdefault(name, []).extend(cell for cell in found if re.fullmatch(r"\d+\.\d{3}", cell))
        return rows

    expected, shown = numbers(render(table.document(found), "terminal")), numbers(printed)
    for name in (*names[:-1], "(gaze-oracle)"):
        assert shown[name] == expected[name], name
