from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import submissions
import tasks
from submissions import json_schema, reading
from submissions.examples import FAULTY, FOLDER, GOOD
from tests.conftest import ROOT

spec = importlib.util.spec_from_file_location("example_submissions", ROOT / "docs" / "example_submissions.py")
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)
FAULTS = made.FAULTS


@pytest.fixture(scope="module")
def sample():
    return tasks.load("recgaze", "sample")


def test_the_good_one_is_good(sample):
    assert submissions.doctor(GOOD) == []
    found = submissions.read(GOOD)
    assert found.seeds == (42, 123) and [e.path.suffix for e in found.entries] == [".parquet", ".jsonl"]


def test_doctor_names_the_ten_faults_of_the_other_and_nothing_else():
    problems = submissions.doctor(FAULTY)
    assert len(FAULTS) == 10 and {p.kind for p in problems} == set(FAULTS)
    assert all(p.severity == "error" and p.what and p.remedy for p in problems)
    rows = {p.kind: p.row for p in problems}
    expected = {"twice": 83, "unknown": 2, "length": 3, "nan": 4, "negative": 5, "normalised": 6, "answer": 7}
    assert {kind: rows[kind] for kind in expected} == expected
    readme = (FAULTY / "README.md").read_text()
    assert all(f"- `{kind}`: {what}" in readme for kind, what in FAULTS.items())


def test_they_are_for_the_sample_as_it_is(sample):
    """If the sample has changed: python docs/example_submissions.py."""
    for folder in (GOOD, FAULTY):
        text = (folder / "submission.yaml").read_text()
        assert f"{sample.name}@{sample.version}/loo: {sample.digests['loo']}" in text


def test_they_are_what_their_generator_writes(sample, tmp_path):
    made.write(tmp_path)
    names = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    kept = sorted(p.relative_to(FOLDER).as_posix() for f in (GOOD, FAULTY) for p in f.rglob("*") if p.is_file())
    assert names == kept and len(names) == 8
    for name in names:
        new, old = tmp_path / name, FOLDER / name
        if name.endswith((".yaml", ".md")):
            assert new.read_text() == old.read_text()
            continue
        read = pd.read_parquet if name.endswith(".parquet") else lambda path: pd.read_json(path, lines=True)
        one, other = read(new), read(old)
        assert one.session_id.tolist() == other.session_id.tolist()
        for part in ("attention", "probabilities"):
            for a, b in zip(one[part], other[part], strict=True):
                np.testing.assert_allclose(np.array(a, float), np.array(b, float), atol=2e-6)


@pytest.mark.parametrize("folder", [GOOD, FAULTY])
def test_they_say_that_their_data_are_simulated(folder, sample):
    import pyarrow.parquet as pq

    assert (
        sample.notice in (folder / "README.md").read_text()
        and "no user here is real" in (folder / "README.md").read_text()
    )
    assert f"notice: {sample.notice}" in (folder / "submission.yaml").read_text()
    (parquet,) = folder.rglob("*.parquet")
    assert pq.read_schema(parquet).metadata[b"notice"].decode() == sample.notice


def test_the_schema_accepts_the_good_one_and_refuses_the_other():
    def faults(folder: Path) -> list[str]:
        values = reading.metadata_values(folder / "submission.yaml", submissions.DEFAULT)
        return [where for where, _, _ in json_schema.faults(values, json_schema.schema())]

    assert faults(GOOD) == [] and sorted(faults(FAULTY)) == ["licence", "licens"]


def test_the_page_about_submitting_lists_every_field():
    text = (FOLDER.parents[1] / "docs" / "submitting.md").read_text()
    rules = json_schema.schema()["properties"]
    nested = [f for field in ("simulator", "attention") for f in rules[field]["properties"]]
    for field in (*rules, *nested):
        assert re.search(rf"^\| `([a-z]+\.)?{field}` \|", text, re.M), field
