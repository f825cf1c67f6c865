"""Apache Thrift's compact protocol, read into plain values with every length checked first.

Parquet footers and page headers are written in it. Only reading is needed, and no field names: a struct is a mapping
from field number to value. Source: the protocol's specification, thrift-compact-protocol.md.
"""

from __future__ import annotations

from typing import Any

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
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._unsigned())
        if kind in (_LIST, _SET):
            head = self._byte()
            count = head >> 4
            count = self._unsigned() if count == 15 else count
            self._fits(count)
            return [self._value(head & 0x0F, depth + 1) for _ in range(count)]
        if kind == _MAP:
            count = self._unsigned()
            self._fits(count)
            kinds = self._byte() if count else 0
            return [(self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1)) for _ in range(count)]
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise Damaged("it holds a value of an unknown kind")

    def _fits(self, count: int) -> None:
        """Refuse a list that cannot be there: each of its entries takes a byte or more."""
        if count > self.end - self.at:
            raise Damaged("a list is longer than what is left")

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
