"""Writes the files of a submission."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.parts import part_names
from submissions.format import METADATA_FILE, predictions_folder
from tasks.storage import write_errors

if TYPE_CHECKING:
    import pyarrow as pa

PLACEHOLDER_AUTHOR = "anonymous"
PLACEHOLDER_CONTACT = "nobody@example.invalid"
"""What ``submission.yaml`` says until somebody has entered their name; ``doctor`` asks for it."""


def write_metadata(folder: Path, values: Mapping[str, Any], comment: str = "") -> None:
    """Write ``submission.yaml`` into a folder that exists; the lines of the comment are put before the fields.

    Raises:
        InputError: The file cannot be written.
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            # The format allows no aliases, so a value that is used twice is written twice.
            return True

    text = yaml.dump(dict(values), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    lines = "".join(f"# {line}\n" for line in comment.splitlines())
    with write_errors(folder):
        (folder / METADATA_FILE).write_text(lines + text, encoding="utf-8")


def write_predictions(
    folder: Path,
    key: str,
    seed: int,
    predictions: pa.Table,
    about: Mapping[str, str] | None = None,
    condition: str = "",
) -> Path:
    """Write one predictions file as parquet and return it; a part that no prediction has gets no column.

    Args:
        folder: The submission's folder.
        key: ``task@version/split``.
        seed: The seed.
        predictions: Columns session_id and parts, a row per session.
        about: What the file itself says of its data (key-value metadata), such as the simulated-data notice.
        condition: The stress condition; empty for the sessions as they were seen.

    Raises:
        InputError: The file cannot be written.
    """
    from benchmark.scores.predictions import write_table

    parts = [name for name in part_names() if name in predictions.column_names]
    kept = [name for name in parts if predictions[name].null_count < len(predictions)]
    path = folder / predictions_folder(condition) / key / f"seed-{seed}.parquet"
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(predictions.select(["session_id", *kept]), path, about)
    return path
