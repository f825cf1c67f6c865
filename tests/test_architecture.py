"""The layout is the explanation: imports point one way, without a circle, and start-up stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "tasks": set(),
    "benchmark": {"tasks"},
    "baselines": {"benchmark", "tasks"},
    "submissions": {"benchmark", "tasks"},
    "leaderboard": {"submissions", "benchmark", "tasks"},
}
FLOORS = (
    ("files",),
    ("naming", "simulator", "parts", "statistics"),
    ("metrics", "output"),
    ("scores",),
    ("trials",),
    ("engines",),
    ("runs",),
    ("stress", "audit"),
    ("published",),
    ("report", "reproduction"),
    ("api",),
    ("cli",),
)
"""The rooms of ``benchmark``, from the ground up: a room imports rooms of lower floors."""
EDGES = ("benchmark.api", "benchmark.cli")
"""The Python interface and the command line connect the packages and may import all of them."""


@cache
def modules() -> dict[str, Path]:
    """Return every module of the sources: dotted name -> file."""
    found = {}
    for package in ALLOWED:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield a module's imports, those inside functions too and those for type checking alone left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        else:
            yield from statements(node)


@cache
def imports() -> dict[str, frozenset[str]]:
    """Return module -> modules of the sources that it imports."""
    known = modules()
    found = {}
    for name, path in known.items():
        names = set()
        for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif node.level == 0 and node.module:
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                names.update(inside & set(known) or {node.module})
        found[name] = frozenset(names & set(known)) - {name}
    return found


def circle(arrows: dict[str, frozenset[str]]) -> list[str]:
    """Return a closed way along the arrows, empty if there is none."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return way[way.index(name) :] + [name]
        if name in done:
            return []
        for other in sorted(arrows[name]):
            if closed := walk(other, [*way, name]):
                return closed
        done.add(name)
        return []

    return next((closed for name in sorted(arrows) if (closed := walk(name, []))), [])


def room(name: str) -> str:
    return name.split(".")[1] if name.count(".") else ""


def test_packages_import_one_way():
    for name, others in imports().items():
        package = name.split(".")[0]
        if not name.startswith(EDGES):
            wrong = {other for other in others if other.split(".")[0] not in ALLOWED[package] | {package}}
            assert not wrong, f"{name} imports {sorted(wrong)}"


def test_rooms_of_benchmark_import_downwards():
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    arrows = {(name, other) for name, others in imports().items() for other in others}
    arrows = {(a, b) for a, b in arrows if a.startswith("benchmark.") and b.startswith("benchmark.")}
    assert {room(name) for arrow in arrows for name in arrow} == {*floor, "__main__"}
    wrong = sorted(f"{a} imports {b}" for a, b in arrows if room(a) in floor and floor[room(a)] < floor[room(b)])
    assert not wrong


def test_no_module_is_part_of_a_circle():
    assert circle(imports()) == []


def test_a_circle_is_found():
    assert circle({"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"b"})}) == ["b", "c", "b"]


@pytest.mark.slow
@pytest.mark.parametrize("command", [["-c", "import benchmark, tasks"], ["-m", "benchmark", "--help"]])
def test_start_up_imports_nothing_heavy(command):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    heavy = {"torch", "ray", "transformers", "datasets", "pandas", "scipy", "PIL"}
    assert not loaded & heavy and "benchmark" in loaded
