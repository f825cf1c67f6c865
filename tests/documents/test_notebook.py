"""The notebook runs from top to bottom, and what it shows can be shown."""

from __future__ import annotations

import ast
import json

import pytest

from tests.documents.blocks import ROOT


@pytest.mark.slow
def test_every_cell_runs_and_shows_something(own_cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict[str, object] = {"__name__": "notebook"}
    shown = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == []
        *first, last = ast.parse(cell["source"]).body
        assert isinstance(last, ast.Expr), cell["source"]
        exec(compile(ast.Module(first, []), "cell", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        kinds = [kind for kind in ("_repr_png_", "_repr_html_") if hasattr(value, kind)]
        shown += [(kind, getattr(value, kind)()) for kind in kinds[:1]]
    assert [kind for kind, _ in shown].count("_repr_png_") == 5 and all(content for _, content in shown)
    notice = names["task"].notice
    assert any(notice in content for kind, content in shown if kind == "_repr_html_")
    assert list(tmp_path.iterdir()) == []
