"""Files that are small and unpack to very much are refused before anything is decoded."""

from __future__ import annotations

import io
import resource
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import submissions
from benchmark.files import parquet_gate
from benchmark.files.parquet_gate import Damaged, Reader
from submissions.problems import DEFAULT, Limits
from tasks.errors import InputError
from tests.submissions import builder

NAME = "predictions/mini@1/kfold/seed-1.parquet"


def written(columns, **settings) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **settings)
    return out.getvalue()


def lists(rows: int, width: int, value: float = 0.5) -> pa.Array:
    offsets = np.arange(rows + 1, dtype=np.int32) * width
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.full(rows * width, value)))


def refused(data: bytes, limits: Limits = DEFAULT) -> str:
    with pytest.raises(InputError) as caught:
        parquet_gate.check(data, limits)
    return str(caught.value)


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_what_common_tools_write_passes(compression, version, dictionary):
    columns = {"session_id": ["a", "b", None] * 50, "attention": lists(150, 4), "answer": pa.array([1, None, 2] * 50)}
    settings = {"compression": compression, "data_page_version": version, "use_dictionary": dictionary}
    data = written(columns, row_group_size=40, data_page_size=100, **settings)
    assert parquet_gate.check(data, DEFAULT) == {b"session_id", b"answer"}


def test_more_rows_than_allowed():
    assert "it has 50,001 rows; 50,000 are allowed" in refused(written({"answer": np.zeros(50_001)}))


def test_rows_by_the_million_in_a_few_kilobytes():
    data = written(
        {"session_id": pa.array(["a"]).take(pa.array(np.zeros(20_000_000, dtype=np.int8)))}, compression="zstd"
    )
    assert len(data) < 200_000 and "it has 20,000,000 rows" in refused(data)


def test_a_column_of_too_many_numbers():
    data = written({"attention": lists(50, 200_000)})
    assert len(data) < 500_000 and "more than 4,000,000 numbers" in refused(data)


def test_texts_that_unpack_to_too_much():
    data = written({"x": pa.array(["a" * 9_000_000, "b" * 9_000_000])}, compression="zstd")
    assert len(data) < 100_000 and "its texts unpack to more than 16,777,216 bytes" in refused(data)


def test_pages_that_unpack_to_too_much():
    data = written({f"x{i}": np.zeros(50_000) for i in range(400)}, compression="zstd", use_dictionary=False)
    assert len(data) < 2_000_000 and "unpacks to more than 134,217,728 bytes" in refused(data)


def test_too_many_row_groups():
    assert "row groups; 10 are allowed" in refused(
        written({"answer": np.zeros(20)}, row_group_size=1), Limits(row_groups=10)
    )


def test_a_long_footer():
    data = written({"answer": [1]}, write_statistics=False)
    (length,) = struct.unpack("<I", data[-8:-4])
    padded = pq.read_table(io.BytesIO(data)).replace_schema_metadata({"x": "y" * 2_000_000})
    out = io.BytesIO()
    pq.write_table(padded, out)
    assert length < 1000 and "its footer has" in refused(out.getvalue())


def test_encodings_that_repeat_a_text_without_saying_so():
    """Each row of this encoding names how much of the row before it is repeated."""
    texts = pa.array(["a" * 1000] * 10)
    data = written({"session_id": texts}, use_dictionary=False, column_encoding={"session_id": "DELTA_BYTE_ARRAY"})
    assert "an encoding that is not allowed here" in refused(data)


def test_other_compressions():
    assert "its compression is none of UNCOMPRESSED" in refused(written({"answer": [1]}, compression="brotli"))


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace bytes of the footer, which keeps its length."""
    (length,) = struct.unpack("<I", data[-8:-4])
    start = len(data) - 8 - length
    footer = data[start:-8]
    assert footer.count(old) >= 1 and len(old) == len(new)
    return data[:start] + footer.replace(old, new) + data[-8:]


def number(value: int) -> bytes:
    """A number as the compact protocol writes it."""
    value = value << 1
    found = b""
    while value >= 0x80:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def test_a_footer_that_names_fewer_values_than_the_pages_hold():
    data = written({"attention": lists(10, 1000)}, write_statistics=False)
    assert "sound parquet file" in refused(patched(data, number(10_000), number(9_000)))


def test_a_page_header_that_claims_more_than_the_footer():
    data = written({"answer": np.arange(2500.0)}, compression="none", use_dictionary=False, write_statistics=False)
    size = Reader(data, 4, len(data)).struct()[2]
    claimed = data.replace(number(size), number(2**20 - 1), 1)
    assert size > 20_000 and len(claimed) == len(data) and claimed != data
    parquet_gate.check(claimed, DEFAULT)
    assert "unpacks to more than 500,000 bytes" in refused(claimed, Limits(decoded_bytes=500_000))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1PAR1", b"x" * 100, b"PAR1" + b"\xff" * 50 + b"PAR1"])
def test_bytes_that_are_no_parquet(data):
    assert "not a sound parquet file" in refused(data) or "its footer has" in refused(data)


@pytest.mark.parametrize("cut", [4, 50, 300])
def test_a_file_that_was_cut_off(cut):
    data = written({"answer": np.arange(1000.0)})
    refused(data[:-cut])
    refused(data[cut:])


def test_the_compact_protocol_is_read_as_written():
    # Field 1 an i32 of -3; field 2 a binary; field 5 (long form) a list of two i16; field 6 true; stop.
    data = bytes([0x15, 0x05, 0x18, 0x02]) + b"hi" + bytes([0x09, 0x0A, 0x24, 0x02, 0x04, 0x11, 0x00])
    assert Reader(data, 0, len(data)).struct() == {1: -3, 2: b"hi", 5: [1, 2], 6: True}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes([0x15]), "ends too early"),
        (bytes([0x18, 0xFF, 0xFF, 0xFF, 0x7F]), "ends too early"),
        (bytes([0x19, 0xF5, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]), "longer than what is left"),
        (bytes([0x1B, 0xFF, 0xFF, 0xFF, 0x0F]), "unknown kind"),
        (bytes([0x15, 0x02, 0x05, 0x02, 0x02, 0x00]), "a field appears twice"),
        (bytes([0x1C] * 40), "nested too deeply"),
        (bytes([0x15] + [0xFF] * 12), "a number is too long"),
        (bytes([0x1D, 0x00]), "unknown kind"),
    ],
)
def test_structures_that_are_none(data, message):
    with pytest.raises(Damaged, match=message):
        Reader(data, 0, len(data)).struct()
    with pytest.raises(Damaged, match="outside the file"):
        Reader(data, 0, len(data) + 1)


BOMBS = {
    "rows": lambda: {"session_id": pa.array(["a"]).take(pa.array(np.zeros(5_000_000, dtype=np.int8)))},
    "numbers": lambda: {"session_id": [f"u{i}" for i in range(50)], "attention": lists(50, 200_000)},
    "texts": lambda: {
        "session_id": pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(40_000, dtype=np.int8)), pa.array(["a" * 16_000_000])
        )
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
def test_doctor_and_loading_refuse_bombs_without_growing(bomb, tmp_path, mini):
    data = written(BOMBS[bomb](), compression="zstd")
    assert len(data) < 2_000_000
    folder = builder.write(tmp_path, mini)
    (folder / NAME).write_bytes(data)
    submissions.read(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = submissions.doctor(folder, {"mini": mini})
    entry = submissions.read(folder).entries[0]
    with pytest.raises(InputError):
        submissions.load_predictions(entry)
    assert submissions.errors(found) and {p.file for p in submissions.errors(found)} == {NAME}
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 300e6


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"answer": [1] * 21}, "there is no column 'session_id'."),
        ({"session_id": ["a"] * 21, "attention": ["x"] * 21}, "the column 'attention' is of type string."),
        ({"session_id": ["a"] * 21, "attention": [1.0] * 21}, "the column 'attention' is of type double."),
        ({"session_id": ["a"] * 21, "answer": ["B"] * 21}, "the column 'answer' is of type string."),
        ({"session_id": [3] * 21}, "the column 'session_id' is of type int64."),
        ({"session_id": [["a"]] * 21}, "the column 'session_id' is of type list<"),
        ({"session_id": ["a"] * 21, "attention": [[[1.0]]] * 21}, "the column 'attention' is of type list<"),
        ({"session_id": ["a"] * 21, "seed": [1] * 21}, "the column 'seed' is not of the format."),
        (
            {"session_id": ["a"] * 21, "\u0430ttention": [[1.0]] * 21},
            "the column '\\u0430ttention' is not of the format.",
        ),
    ],
)
def test_columns_of_another_kind(tmp_path, mini, columns, what):
    folder = builder.write(tmp_path, mini)
    (folder / NAME).write_bytes(written(columns))
    (found,) = submissions.doctor(folder, {"mini": mini})
    assert found.severity == "error" and found.what.startswith(what) and found.remedy


def test_ids_that_are_no_text(tmp_path, mini):
    table = builder.rows(mini)
    ids = pa.array([row["session_id"].encode() for row in table[:-2]] + [b"\xff\xfe", b"x" * 1000], pa.binary())
    folder = builder.write(tmp_path, mini)
    columns = {"session_id": ids.cast(pa.string(), safe=False), "answer": [row["answer"] for row in table]}
    (folder / NAME).write_bytes(written(columns))
    found = [p for p in submissions.doctor(folder, {"mini": mini}) if p.row is not None]
    assert [(p.kind, p.row) for p in found] == [("coverage", 20), ("coverage", 21)]


def test_a_table_that_pandas_cut_rows_from_is_good(tmp_path, mini):
    """It has a column with the rows' old numbers, which says nothing."""
    import pandas as pd

    frame = pd.DataFrame([*builder.rows(mini), {"session_id": "x"}])
    frame["answer"] = frame["answer"].astype("Int64")
    folder = builder.write(tmp_path, mini)
    frame[frame.session_id != "x"].iloc[::-1].to_parquet(folder / NAME)
    assert submissions.doctor(folder, {"mini": mini}) == []
