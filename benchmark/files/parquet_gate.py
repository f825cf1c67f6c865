"""Decides from a parquet file's footer and page headers whether it may be decoded, and how much that takes.

A file of a few kilobytes can unpack to gigabytes: a page names the size of its own contents, a run-length code is short
for any number of values, and a dictionary repeats a long text for every row. The footer alone may lie about all of
this, so the page headers, which the decoder goes by, are walked through as well. Source: the parquet format's
specification, parquet.thrift.

Apache Thrift's compact protocol, read into plain values with every length checked first.

Parquet footers and page headers are written in it. Only reading is needed, and no field names: a struct is a mapping
from field number to value. Source: the protocol's specification, thrift-compact-protocol.md.
"""

import struct
from collections.abc import Mapping
from typing import Any

from benchmark.files.limits import TableLimits
from tasks.errors import InputError

_STOP, _TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(13)
_MAX_DEPTH = 12


class Damaged(Exception):
    """The bytes are not such a structure; the message says why."""


class Reader:
    """Reads structs from the bytes ``start`` to ``end`` of a buffer."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        if not 0 <= start <= end <= len(data):
            raise Damaged("it points outside the file")
        self.data = data
        self.at = start
        self.end = end

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return the next struct: field number -> integer, boolean, bytes, list or struct."""
        if depth > _MAX_DEPTH:
            raise Damaged("it is nested too deeply")
        found: dict[int, Any] = {}
        number = 0
        while True:
            head = self._byte()
            kind = head & 0x0F
            if kind == _STOP:
                return found
            step = head >> 4
            number = number + step if step else self._integer()
            if number in found:
                raise Damaged("a field appears twice")
            found[number] = (kind == _TRUE) if kind in (_TRUE, _FALSE) else self._value(kind, depth)

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE):  # inside a list a truth value takes a byte of its own
            return self._byte() == _TRUE
        if kind == _BYTE:
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return self._integer()
        if kind == _BINARY:
            return self._bytes(self._unsigned())
        if kind in (_LIST, _SET):
            head = self._byte()
            count = head >> 4
            count = self._unsigned() if count == 15 else count
            if count > self.end - self.at:  # each of its entries takes a byte or more
                raise Damaged("a list is longer than what is left")
            return [self._value(head & 0x0F, depth + 1) for _ in range(count)]
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise Damaged("it holds a value of an unknown kind")

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        if count > self.end - self.at:
            raise Damaged("it ends too early")
        value = self.data[self.at : self.at + count]
        self.at += count
        return value

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise Damaged("a number is too long")

    def _integer(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)


_MAGIC = b"PAR1"
_HEADER_BYTES = 64 * 1024
_CODECS = {0: "UNCOMPRESSED", 1: "SNAPPY", 2: "GZIP", 6: "ZSTD", 7: "LZ4_RAW"}
_DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = range(4)
_PLAIN, _PLAIN_DICTIONARY, _RLE_DICTIONARY, _BYTE_STREAM_SPLIT = 0, 2, 8, 9
_ENCODINGS = {_PLAIN, _PLAIN_DICTIONARY, _RLE_DICTIONARY, _BYTE_STREAM_SPLIT}
"""Encodings whose values take no more memory than their pages say; the delta encodings do not."""
_BYTE_ARRAY = 6
_REMEDY = "Write it again with pandas or pyarrow and their defaults."


def check(data: bytes, limits: TableLimits) -> set[bytes]:
    """Refuse a parquet file that is damaged or would unpack to more than the limits allow.

    Returns the names of its flat columns, those without lists; InputError says what is wrong and what to do.
    """
    try:
        return _check(data, limits)
    except (Damaged, KeyError, TypeError, AttributeError, IndexError) as error:
        # A footer that lacks a field, or has another kind of value in it, fails where the field is used.
        reason = str(error) if isinstance(error, Damaged) else "a field is missing or of another kind"
        raise InputError(f"it is not a sound parquet file: {reason}. {_REMEDY}") from error


def _check(data: bytes, limits: TableLimits) -> set[bytes]:
    footer = _footer(data, limits)
    rows, groups = footer[3], footer[4]
    if 8 in footer:
        raise InputError(f"it is encrypted. {_REMEDY}")
    if not 0 <= rows <= limits.rows:
        raise InputError(f"it has {rows:,} rows; {limits.rows:,} are allowed. Give one row per test session.")
    if len(groups) > limits.row_groups:
        raise InputError(f"it has {len(groups):,} row groups; {limits.row_groups:,} are allowed. {_REMEDY}")
    if sum(_count(group[3]) for group in groups) != rows:
        raise Damaged("its row groups do not have the rows that it claims")
    decoded = texts = 0
    numbers: dict[bytes, int] = {}
    flat: set[bytes] = set()
    for group in groups:
        for chunk in group[1]:
            if chunk.get(1):
                raise InputError(f"it refers to another file. {_REMEDY}")
            meta = chunk[3]
            column = meta[3][0]
            numbers[column] = numbers.get(column, 0) + _count(meta[5])
            if len(meta[3]) == 1:
                flat.add(column)
                if meta[5] != group[3]:
                    raise Damaged("a column has another number of values than there are rows")
            if numbers[column] > limits.numbers:
                raise InputError(f"a column holds more than {limits.numbers:,} numbers. Give one number per slot.")
            unpacked = _chunk(data, meta, limits, limits.decoded_bytes - decoded)
            decoded += unpacked
            texts += unpacked if meta[1] == _BYTE_ARRAY else 0
            if texts > limits.text_bytes:
                raise InputError(f"its texts unpack to more than {limits.text_bytes:,} bytes. {_REMEDY}")
    return flat


def _footer(data: bytes, limits: TableLimits) -> Mapping[int, Any]:
    if len(data) < 12 or data[:4] != _MAGIC or data[-4:] != _MAGIC:
        raise Damaged("it does not begin and end as one")
    (length,) = struct.unpack("<I", data[-8:-4])
    if length > limits.footer_bytes:
        raise InputError(f"its footer has {length:,} bytes; {limits.footer_bytes:,} are allowed. {_REMEDY}")
    if length > len(data) - 12:
        raise Damaged("its footer does not fit into it")
    return Reader(data, len(data) - 8 - length, len(data) - 8).struct()


def _chunk(data: bytes, meta: Mapping[int, Any], limits: TableLimits, left: int) -> int:
    """Walk through the pages of a ColumnMetaData's column chunk; return the bytes they unpack to, at most ``left``."""
    if meta[4] not in _CODECS:
        raise InputError(f"its compression is none of {', '.join(_CODECS.values())}. {_REMEDY}")
    start = meta[9]
    if 0 < meta.get(11, 0) < start:
        start = meta[11]
    end = start + _count(meta[7])
    if start < len(_MAGIC) or end > len(data) - 12:
        raise Damaged("a column points outside the file")
    values = unpacked = 0
    first = True
    while values < meta[5]:
        reader = Reader(data, start, min(end, start + _HEADER_BYTES))
        header = reader.struct()
        kind, size, stored = header[1], _count(header[2]), _count(header[3])
        start = reader.at + stored
        if start > end:
            raise Damaged("a page is longer than its column")
        unpacked += size
        if unpacked > left:
            raise InputError(
                f"it unpacks to more than {limits.decoded_bytes:,} bytes. Store one number per slot and nothing else."
            )
        if kind == _DICTIONARY_PAGE and first:
            # The smallest value, an empty text, takes four bytes: no dictionary has more entries than this.
            if _count(header[7][1]) > size // 4 or header[7][2] not in _ENCODINGS:
                raise Damaged("a dictionary does not fit into its page")
        elif kind in (_DATA_PAGE, _DATA_PAGE_V2):
            values += _data_page(header[5] if kind == _DATA_PAGE else header[8], kind, meta[1], size)
        else:
            raise Damaged("a page is of an unknown kind")
        first = False
    if values != meta[5]:
        raise Damaged("its pages do not hold the values that it claims")
    return unpacked


def _data_page(header: Mapping[int, Any], kind: int, physical: int, size: int) -> int:
    """Check a data page's own header; return how many values it holds, blank ones included."""
    encoding = header[2] if kind == _DATA_PAGE else header[4]
    if encoding not in _ENCODINGS or (physical == _BYTE_ARRAY and encoding == _BYTE_STREAM_SPLIT):
        raise InputError(f"its values are in an encoding that is not allowed here. {_REMEDY}")
    if kind == _DATA_PAGE_V2 and _count(header[5]) + _count(header[6]) > size:
        raise Damaged("a page's levels do not fit into it")
    return _count(header[1])


def _count(value: int) -> int:
    if isinstance(value, bool) or value < 0:
        raise Damaged("a count is negative")
    return value
