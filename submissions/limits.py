"""How large a submission may be; every limit is checked before what it bounds is read or decoded."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.files.limits import TableLimits


@dataclass(frozen=True, slots=True)
class Limits(TableLimits):
    """The bounds of one submission, and of each of its predictions files.

    With the defaults, checking any folder stays far below 1 GiB of memory.

    Attributes:
        metadata_depth: How deep the values of ``submission.yaml`` may be nested.
        files: Files and folders in the submission.
        total_bytes: Size of all files together.
        shown: Problems of one kind in one file that are listed row by row; the rest is counted.
    """

    metadata_bytes: int = 64 * 1024
    metadata_depth: int = 8
    metadata_values: int = 5_000
    files: int = 500
    total_bytes: int = 256 * 1024**2
    shown: int = 3


DEFAULT = Limits()
"""The limits of format version 1."""
