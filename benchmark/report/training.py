"""Training curves that the trials of a run kept: one row per epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.runs.kept import TrialRecord
from tasks.errors import InputError

FILE = "curves.parquet"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """The curve of one trial.

    Attributes:
        best: The epoch whose weights are used, None if the file does not say.
        columns: Column -> a value per epoch, NaN where there is none; ``epoch`` is one of them.
    """

    seed: str
    fold: str
    best: int | None
    columns: dict[str, Floats]


def curves(trials: tuple[TrialRecord, ...]) -> dict[str, list[Curve]]:
    """Return simulator -> curves of its trials; simulators without any are left out.

    Raises:
        InputError: A file is damaged.
    """
    found: dict[str, list[Curve]] = {}
    for record in trials:
        path = record.folder / "artifacts" / FILE
        if path.is_file():
            found.setdefault(record.text("simulator"), []).append(_read(record))
    return found


def _read(record: TrialRecord) -> Curve:
    """Read one file as numbers; columns of anything else are passed over."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = record.folder / "artifacts" / FILE
    try:
        table = pq.read_table(path)
        columns = {
            name: np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)
            for name in table.column_names
            if pa.types.is_floating(table.schema.field(name).type) or pa.types.is_integer(table.schema.field(name).type)
        }
        columns["epoch"]  # noqa: B018  # a curve has epochs
        best = (table.schema.metadata or {}).get(b"best_epoch", b"").decode()
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} is damaged ({str(error).splitlines()[0]}); run the trial again.") from error
    return Curve(record.text("seed"), record.text("fold"), int(best) if best.isdigit() else None, columns)
