"""The layout is the explanation: imports point one way, and start-up stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "tasks": set(),
    "benchmark": {"tasks"},
    "baselines": {"benchmark", "tasks"},
    "leaderboard": {"benchmark", "submissions", "tasks"},
    "submissions": {"benchmark", "tasks"},
}
EDGE = ROOT / "benchmark" / "cli"
"""The command line wires the parts together and may import all of them."""


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.slow
@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_point_one_way(package):
    for path in sorted((ROOT / package).rglob("*.py")):
        if path.is_relative_to(EDGE):
            continue
        others = (imported(path) & set(ALLOWED)) - {package}
        assert others <= ALLOWED[package], f"{path.relative_to(ROOT)} imports {others - ALLOWED[package]}"


@pytest.mark.slow
@pytest.mark.parametrize("command", [["-c", "import benchmark, tasks"], ["-m", "benchmark", "--help"]])
def test_start_up_imports_nothing_heavy(command):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    heavy = {"torch", "ray", "transformers", "datasets", "pandas", "scipy", "PIL"}
    assert not loaded & heavy and "benchmark" in loaded
