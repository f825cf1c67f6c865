from __future__ import annotations

import sys

import pytest

from baselines import registry
from benchmark.runs.runner import run
from benchmark.trials.catalogue import setting_names, simulator_class
from benchmark.trials.configuration import RunConfig
from benchmark.trials.extended import file_entry, with_files
from benchmark.trials.own_files import factory_in, is_file
from tasks.errors import InputError
from tests.benchmark.toys import Toys

GOOD = """
from dataclasses import dataclass
import numpy as np
from benchmark.simulator import Prediction

@dataclass
class FirstSlot:
    '''Clicks the first slot.

    More of it.
    '''
    weight: float = 0.5

    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        return [Prediction(s.session_id, answer=0) for s in sessions]
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Return a function that writes a file; the search path is as before in the end."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text=GOOD, name="mine.py"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.py:B", True),
        ("/x/y z/a.py:B_2", True),
        ("a:B", False),
        ("uniform", False),
        ("a.py", False),
        ("a.py:2", False),
    ],
)
def test_what_names_a_file(name, expected):
    assert is_file(name) is expected


def test_an_entry_says_what_the_class_says(file):
    entry = file_entry(f"{file()}:FirstSlot")
    assert (entry.name, entry.summary, entry.sees, entry.oracle, entry.stochastic) == (
        "first-slot",
        "Clicks the first slot",
        (),
        False,
        True,
    )
    assert setting_names(entry.factory) == ("weight",) and simulator_class(entry.factory)().weight == 0.5


def test_the_file_and_what_lies_beside_it_are_part_of_the_identity(file):
    first = f"{file()}:FirstSlot"
    before = file_entry(first).behaviour
    assert file_entry(first).behaviour == before and before.startswith("mine.py:FirstSlot ")
    file(GOOD + "\n# changed\n")
    assert file_entry(first).behaviour != before
    file("RATE = 1\n", "helper_of_this_test.py")
    using = f"{file('import helper_of_this_test' + GOOD, 'using.py')}:FirstSlot"
    before = file_entry(using).behaviour
    file("RATE = 2\n", "helper_of_this_test.py")
    changed = file_entry(using).behaviour
    assert changed != before
    file("unused = 1\n", "other.py")
    assert file_entry(using).behaviour == changed


@pytest.mark.parametrize(
    ("text", "attribute", "message"),
    [
        (GOOD, "FirstSlit", "Did you mean 'FirstSlot'?"),
        ("def broken(:", "FirstSlot", "mine.py cannot be run: SyntaxError"),
        ("import no_such_module", "FirstSlot", "cannot be run: ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise RuntimeError('no\\nway')", "FirstSlot", "cannot be run: RuntimeError: no way"),
        ("class FirstSlot:\n    def fit(self, train, seed): ...", "FirstSlot", "has no method simulate"),
        (GOOD + "    sees = 'image'\n", "FirstSlot", "sees must be a tuple of texts"),
    ],
)
def test_a_file_that_is_no_simulator_gets_one_line(file, text, attribute, message):
    with pytest.raises(InputError, match=message) as caught:
        file_entry(f"{file(text)}:{attribute}")
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="cannot read .*nowhere.py"):
        with_files(registry, registry.construct, ["nowhere.py:X"], [tmp_path])


def test_a_catalogue_with_files(file, tmp_path):
    file()
    catalogue, names = with_files(
        registry, registry.construct, ["uniform", "mine.py:FirstSlot"], [tmp_path / "x", tmp_path]
    )
    assert names == ("uniform", "first-slot") and list(catalogue.names())[-1] == "first-slot"
    assert catalogue.entry("uniform") is registry.entry("uniform")
    assert catalogue.build("first-slot", {"weight": 1}).weight == 1.0
    assert type(catalogue.build("uniform", {})).__name__ == "Uniform"
    with pytest.raises(InputError, match="Did you mean 'first-slot'?"):
        catalogue.entry("first-slt")
    with pytest.raises(InputError, match="unknown setting of first-slot: 'wieght'. Did you mean 'weight'?"):
        catalogue.build("first-slot", {"wieght": 1})


def test_without_files_the_catalogue_is_as_it_was():
    assert with_files(registry, registry.construct, ["uniform"], []) == (registry, ("uniform",))


def test_a_name_of_the_suite_is_not_taken_over(file):
    path = file(GOOD.replace("FirstSlot", "Uniform"))
    with pytest.raises(InputError, match="would be called 'uniform'.*rename the class"):
        with_files(registry, registry.construct, [f"{path}:Uniform"], [path.parent])


def test_it_runs_and_the_run_knows_the_file(file, mini, tmp_path):
    path = file()
    catalogue, names = with_files(Toys(), registry.construct, ["sharp", f"{path}:FirstSlot"], [tmp_path])
    config = RunConfig("mini", simulators=names, seeds=(1, 2), reference="sharp")
    found = run(config, mini, catalogue, tmp_path / "run")
    row = next(r for r in found.simulators if r.name == "first-slot")
    assert row.ranked and set(row.metrics) == {"Accuracy"} and row.settings == {"weight": 0.5}
    assert factory_in(tmp_path / "run", "first-slot") == f"{path}:FirstSlot"
    assert factory_in(tmp_path / "run", "sharp") is None
