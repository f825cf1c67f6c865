"""A statistic is one file and one line: a test and an interval are added to a copy and come out in every result."""

from __future__ import annotations

import json

import pytest

from benchmark.output.numbers import interval
from tests.documents.blocks import blocks
from tests.project_copy import ProjectCopy

pytestmark = pytest.mark.slow

[SIGN] = [block.text for block in blocks("CONTRIBUTING.md") if "STATISTIC = Statistic(" in block.text]

EXTREMES = '''"""From the lowest user to the highest."""

from __future__ import annotations

from benchmark.statistics.statistic import Sample, Statistic


def extremes(sample: Sample) -> tuple[float, float]:
    """Return the lowest and the highest value."""
    return float(sample.values.min()), float(sample.values.max())


STATISTIC = Statistic("extremes", "all users", "interval", "Lowest and highest user.", extremes)
'''

RUN = ("run", "--task", "recgaze", "--data", "sample", "--simulators", "uniform,position-prior", "--out", "run")


def test_a_test_and_an_interval_come_out_in_results_tables_and_pages(tmp_path):
    copy = ProjectCopy(tmp_path)
    copy.call(*RUN)
    before = json.loads((copy.work / "run" / "results.json").read_text(encoding="utf-8"))
    old = copy.call("table", "run", "--format", "markdown")
    for name, text in (("sign", SIGN), ("extremes", EXTREMES)):
        copy.add(f"benchmark/statistics/{name}.py", text)
    line = 'MODULES = ("t_interval", "paired_t", "two_way", "wilcoxon", "bootstrap")'
    path = copy.code / "benchmark/statistics/registry.py"
    assert line in path.read_text(encoding="utf-8")
    changed = line.replace(")", ', "sign", "extremes")')
    path.write_text(path.read_text(encoding="utf-8").replace(line, changed), encoding="utf-8")

    assert copy.call("table", "run", "--format", "markdown") != old  # a run made before is read, and lacks them
    copy.call(*RUN)
    after = json.loads((copy.work / "run" / "results.json").read_text(encoding="utf-8"))
    compared = after["comparisons"][0]
    assert 0 < compared["p_sign"] <= 1 and compared["p_t"] == before["comparisons"][0]["p_t"]
    low, high = compared["intervals"]["extremes"]
    assert low <= compared["low"] <= compared["high"] <= high
    mean = after["simulators"][0]["metrics"]["KL"]
    assert mean["intervals"]["extremes"][0] <= mean["mean"] <= mean["intervals"]["extremes"][1]

    table = (copy.work / "run" / "table.md").read_text(encoding="utf-8")
    shown = interval(low, high, sign="+").strip("[]")  # Markdown escapes brackets
    for words in ("sign test", "all users", shown):
        assert words in table
    copy.call("report", "run", "--html", "report.html")
    page = (copy.work / "report.html").read_text(encoding="utf-8")
    for words in ("sign test", "all users", shown):
        assert words in page
