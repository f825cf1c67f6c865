"""Install every dependency at its lower bound in pyproject.toml, in an environment of its own; import and test there.

    python tests/lower_bounds.py FOLDER
    python tests/lower_bounds.py FOLDER --python python3.10 --tests tests/tasks tests/baselines/probing

CI runs it; a bound that does not hold fails to install or fails the tests. What the direct dependencies need
themselves is left to pip. ``--newest`` installs the newest releases instead, for new Pythons. It needs Python 3.11 and
packaging; the environment's own Python may be older.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import tomllib
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("vlm",)
RUNNERS = ("pytest", "pytest-xdist", "hypothesis", "mlcroissant")
"""Of the extra ``dev``, what the tests need; linters and peers of other tests are left out."""
TESTS = (
    *(f"tests/tasks/test_{name}.py" for name in ("describe", "prepare", "splits", "storage")),
    "tests/benchmark/metrics",
    "tests/baselines/backbones",
    "tests/baselines/probing",
)
EVERYTHING = """
import importlib, pkgutil
for root in ("tasks", "benchmark", "baselines", "submissions", "leaderboard"):
    for module in pkgutil.walk_packages([root], f"{root}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def lower_bounds(project: dict) -> dict[str, str]:
    """Return requirement, extras included -> its lower bound."""
    optional = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in EXTRAS for line in optional[extra])]
    lines += [line for line in optional["dev"] if Requirement(line).name in RUNNERS]
    found = {}
    for requirement in map(Requirement, lines):
        bounds = [bound.version for bound in requirement.specifier if bound.operator == ">="]
        if len(bounds) != 1:
            raise SystemExit(f"{requirement} has no lower bound to be tested.")
        found[requirement.name] = bounds[0]
    return found


def main() -> None:
    """Build the environment and run the tests; the exit status is theirs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the environment is made, or is from an earlier call")
    parser.add_argument("--python", default=sys.executable, help="its interpreter")
    parser.add_argument("--newest", action="store_true", help="the newest releases instead of the lower bounds")
    parser.add_argument("--tests", nargs="+", default=TESTS)
    chosen = parser.parse_args()
    bounds = lower_bounds(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])
    wanted = [name if chosen.newest else f"{name}=={version}" for name, version in bounds.items()]
    own = chosen.folder / "bin" / "python"
    if not own.exists():
        subprocess.run([chosen.python, "-m", "venv", chosen.folder], check=True)
    subprocess.run([own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted], check=True)
    subprocess.run([own, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", ROOT], check=True)
    subprocess.run([own, "-c", EVERYTHING], cwd=ROOT, check=True)
    tests = ["-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", *chosen.tests]
    patient = {**os.environ, "CI": "true"}  # hypothesis then sets no deadlines
    raise SystemExit(subprocess.run([own, "-m", "pytest", *tests], cwd=ROOT, env=patient).returncode)


if __name__ == "__main__":
    main()
