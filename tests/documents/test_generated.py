"""The generated pages are what the generator gives now, and it reads the registries."""

from __future__ import annotations

import importlib.util
import re

import pytest

from tests.documents.blocks import ROOT


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("generate_documents", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(generator, own_cache):
    return generator.pages()


@pytest.mark.slow
def test_no_page_is_stale(generator, pages):
    assert not generator.stale(pages), "run: python docs/generate.py"


@pytest.mark.slow
def test_a_page_that_differs_is_missing_or_is_left_over_is_stale(generator, pages, tmp_path, monkeypatch):
    monkeypatch.setattr(generator, "DOCS", tmp_path)
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "kl.md").write_text(pages["metrics/kl.md"].replace("lower", "higher"))
    (tmp_path / "metrics" / "js.md").write_text(pages["metrics/js.md"])
    (tmp_path / "metrics" / "gone.md").write_text("# gone")
    wrong = generator.stale(pages)
    assert {"metrics/kl.md", "metrics/gone.md", "README.md"} <= set(wrong) and "metrics/js.md" not in wrong


@pytest.mark.slow
def test_every_task_metric_and_operator_has_its_page(pages):
    from baselines.probing import registry as probing
    from benchmark.metrics import names
    from tasks import registry

    assert {f"tasks/{name}.md" for name in registry.names()} <= set(pages)
    assert {f"operators/{name}.md" for name in probing.names()} <= set(pages)
    for name in names():
        assert re.search(rf"^\| \[{name}\]\((metrics/\w+\.md)\)", pages["README.md"], re.M), name
        page = pages[re.search(rf"\[{name}\]\((metrics/\w+\.md)\)", pages["README.md"])[1]]
        assert re.search(rf"^\| {name} \| (higher|lower) \|", page, re.M), name


def test_the_page_of_a_metric_holds_numbers_that_were_worked_out_by_hand(generator):
    # attention (.4, .2, .2, .2), the second slot clicked: two of the three tied slots are among the first three
    assert "| the example | 0.000 | 0.667 (0.000) | 1.000 |" in generator.metric_page("csh")
    assert "| the example | 1.386 |" in generator.metric_page("logloss")  # -ln 0.25
    assert "| uniform | 0.500 |" in generator.metric_page("auc")


def test_the_page_of_an_operator_takes_its_settings_and_its_cost_from_where_they_stand(generator):
    page = generator.operator_page("attnlrp-stable")
    assert "| `damping` | `0.25` |" in page and "| `attnlrp-stable` | 1.09 | 1.05 | 232 | 1.10 |" in page
    assert "PROTOCOL" not in page and "``" not in page.replace("```", "")
