from __future__ import annotations

import dataclasses
import json

import pytest

from leaderboard import entries
from leaderboard.entries import Event, Metadata, ReportedRecord, ResultRecord, identity
from tasks.decoding import read_json
from tasks.errors import InputError

SHA = "ab" * 32
RESULT = ResultRecord(
    "submission", Metadata("n", "1", ("A", "B\ud800")), "recgaze", "1.0", "loo", SHA, (1, 2), ("own",), SHA
)
EVENT = Event("supersede", SHA, "2026-01-31T12:00:00Z", "cd" * 32, "better")
REPORTED = ReportedRecord("n", "table 1", "", "recgaze", "loo", 76, {"KL": 1.25}, "")


@pytest.fixture
def read(tmp_path):
    """Read a text as a record of a kind."""

    def reader(kind, text):
        (tmp_path / "x.json").write_text(text)
        return read_json(kind, tmp_path / "x.json", version=entries.VERSION)

    return reader


@pytest.mark.parametrize("record", [RESULT, EVENT, REPORTED])
def test_a_record_reads_back_as_it_was_and_keeps_its_identity(record, read):
    again = read(type(record), entries.to_json(record))
    assert again == record and identity(again) == identity(record)
    assert entries.to_json(record).isascii()


def test_any_change_changes_the_identity():
    changed = [
        dataclasses.replace(RESULT, seeds=(1,)),
        dataclasses.replace(RESULT, metadata=dataclasses.replace(RESULT.metadata, link="x")),
        dataclasses.replace(RESULT, digest="cd" * 32),
    ]
    assert len({identity(r) for r in [RESULT, *changed]}) == 4


@pytest.mark.parametrize(
    ("record", "key", "value", "message"),
    [
        (RESULT, "format", 2, "of format 2"),
        (RESULT, "kind", "winner", "'kind' must be one of submission, baseline, reference, not 'winner'"),
        (RESULT, "metadata", [], "'metadata' must be a mapping"),
        (RESULT, "task", 3, "'task' must be text, not 3"),
        (RESULT, "task", "x" * 5000, "'task' must be text of length <= 4000, not a text of 5000"),
        (RESULT, "digest", "../../etc", "'digest' must be a SHA-256 in hexadecimal"),
        (RESULT, "seeds", [True], "'seeds.0.' must be a whole number, not true"),
        (RESULT, "seeds", list(range(200)), "list of length <= 100"),
        (RESULT, "conditions", ["own", "best"], "'conditions.1.' must be one of own, shared, .*, not 'best'"),
        (EVENT, "at", "yesterday", "'at' must be a time such as"),
        (EVENT, "by", "", "'by' must name a result"),
        (REPORTED, "metrics", {"KL": "low"}, "'metrics.KL' must be a number, not 'low'"),
        (REPORTED, "metrics", {"KL": float("nan")}, "'metrics.KL' must be a finite number"),
    ],
)
def test_a_damaged_record_is_refused_in_one_line(record, read, key, value, message):
    raw = {**json.loads(entries.to_json(record)), key: value}
    with pytest.raises(InputError, match=message) as refused:
        read(type(record), json.dumps(raw))
    assert "x.json" in str(refused.value)


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000])
def test_what_is_not_a_json_object_is_refused(text, read):
    with pytest.raises(InputError, match=r"x\.json.*(is not JSON|must be a mapping)"):
        read(ResultRecord, text)


def test_drawn_paths_are_part_of_the_identity_of_records_that_have_some(read):
    drew = dataclasses.replace(RESULT, paths=SHA)
    assert read(ResultRecord, entries.to_json(drew)) == drew and identity(drew) != identity(RESULT)
    assert "paths" not in entries.to_json(RESULT)


def test_transfers_of_an_older_record_are_part_of_its_identity(read):
    older = dataclasses.replace(RESULT, conditions=("own", "transfer-adserp@1"), transfers={"transfer-adserp@1": SHA})
    assert read(ResultRecord, entries.to_json(older)) == older and identity(older) != identity(RESULT)
    assert '"transfers"' in entries.to_json(older) and "transfers" not in entries.to_json(RESULT)
    for wrong in ({"transfers": {}}, {"conditions": ("own", "transfer-../x@1"), "transfers": {"transfer-../x@1": SHA}}):
        with pytest.raises(InputError, match="transfer"):
            read(ResultRecord, entries.to_json(dataclasses.replace(older, **wrong)))
