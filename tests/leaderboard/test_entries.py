from __future__ import annotations

import dataclasses
import json

import pytest

from leaderboard import entries
from leaderboard.entries import Event, Metadata, ReportedRecord, ResultRecord, identity
from tasks.errors import InputError

SHA = "ab" * 32
RESULT = ResultRecord(
    "submission", Metadata("n", "1", ("A", "B\ud800")), "recgaze", "1.0", "loo", SHA, (1, 2), ("own",), SHA
)
EVENT = Event("supersede", SHA, "2026-01-31T12:00:00Z", "cd" * 32, "better")
REPORTED = ReportedRecord("n", "table 1", "", "recgaze", "loo", 76, {"KL": 1.25}, "")
READERS = (
    (RESULT, entries.result_from_json),
    (EVENT, entries.event_from_json),
    (REPORTED, entries.reported_from_json),
)


@pytest.mark.parametrize(("record", "read"), READERS)
def test_a_record_reads_back_as_it_was_and_keeps_its_identity(record, read):
    again = read(entries.to_json(record), "file")
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
    ("record", "read", "key", "value", "message"),
    [
        (RESULT, entries.result_from_json, "format", 2, "of format 2"),
        (RESULT, entries.result_from_json, "kind", "winner", "'winner' is none of submission"),
        (RESULT, entries.result_from_json, "metadata", [], "'metadata' is not an object"),
        (RESULT, entries.result_from_json, "task", 3, "'task' is not a text"),
        (RESULT, entries.result_from_json, "task", "x" * 5000, "'task' is not a text of at most 4000"),
        (RESULT, entries.result_from_json, "digest", "../../etc", "is not a SHA-256"),
        (RESULT, entries.result_from_json, "seeds", [True], "whole number"),
        (RESULT, entries.result_from_json, "seeds", list(range(200)), "at most 100"),
        (RESULT, entries.result_from_json, "conditions", ["own", "best"], "'best' is not one of own"),
        (EVENT, entries.event_from_json, "at", "yesterday", "'at' is not a time"),
        (EVENT, entries.event_from_json, "by", "", "is not a SHA-256"),
        (REPORTED, entries.reported_from_json, "metrics", {"KL": "low"}, "finite numbers"),
        (REPORTED, entries.reported_from_json, "metrics", {"KL": float("nan")}, "finite numbers"),
    ],
)
def test_a_damaged_record_is_refused_in_one_line(record, read, key, value, message):
    raw = {**json.loads(entries.to_json(record)), key: value}
    with pytest.raises(InputError, match=message) as refused:
        read(json.dumps(raw), "events/x.json")
    assert "events/x.json" in str(refused.value)


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(InputError, match="is not"):
        entries.result_from_json(text, "results/x.json")


def test_transfers_of_an_older_record_are_part_of_its_identity():
    older = dataclasses.replace(RESULT, conditions=("own", "transfer-adserp@1"), transfers={"transfer-adserp@1": SHA})
    assert entries.result_from_json(entries.to_json(older), "file") == older and identity(older) != identity(RESULT)
    assert '"transfers"' in entries.to_json(older) and "transfers" not in entries.to_json(RESULT)
    for wrong in ({"transfers": {}}, {"conditions": ("own", "transfer-../x@1"), "transfers": {"transfer-../x@1": SHA}}):
        with pytest.raises(InputError, match="transfer"):
            entries.result_from_json(entries.to_json(dataclasses.replace(older, **wrong)), "file")
