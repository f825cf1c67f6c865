"""Finished trials on disk: a folder each, complete or absent, named by the trial's identity."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark import predictions
from benchmark.trials import Trial
from tasks.errors import InputError
from tasks.storage import staged, write_errors

if TYPE_CHECKING:
    import pandas as pd


class TrialStore:
    """The finished trials below one folder; what is in it has been run, whatever ran it.

    Args:
        root: The folder; made on first use.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, trial: Trial) -> Path:
        """Return where the finished trial is, or will be."""
        return self.root / trial.identity()

    def finished(self, trial: Trial) -> bool:
        """Return whether the trial has been run to its end."""
        return (self.folder(trial) / "trial.json").is_file()

    @contextlib.contextmanager
    def workspace(self, trial: Trial) -> Iterator[tuple[Path, Path]]:
        """Give a trial in progress its folder for checkpoints and its folder for artifacts.

        Both stay if the block is left by an exception, so that the next attempt at the trial finds what the last one
        kept; they go when it ends without one.
        """
        working = self.root / f".working-{trial.identity()}"
        folders = working / "state", working / "artifacts"
        with write_errors(working):
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
        yield folders
        shutil.rmtree(working, ignore_errors=True)

    def put(self, trial: Trial, frame: pd.DataFrame, cost: Mapping[str, object], artifacts: Path | None = None) -> None:
        """Store a finished trial in one step; a trial that is there already is replaced.

        Args:
            trial: What was run.
            frame: Its predictions (columns of ``predictions.schema``).
            cost: Seconds and whatever else was measured.
            artifacts: Folder whose files are kept with the trial.
        """
        with staged(self.folder(trial), replace=True) as folder, write_errors(folder):
            predictions.write(frame, folder / "predictions.parquet")
            if artifacts is not None and any(artifacts.iterdir()):
                shutil.copytree(artifacts, folder / "artifacts")
            record = {**trial.record(), "notice": trial.notice, "cost": dict(cost)}
            (folder / "trial.json").write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def get(self, trial: Trial) -> pd.DataFrame:
        """Return the predictions of a finished trial.

        Raises:
            InputError: The stored file is damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder(trial) / "predictions.parquet"
        try:
            frame: pd.DataFrame = pq.read_table(path, schema=predictions.schema()).to_pandas()
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"the stored trial {self.folder(trial)} is damaged ({str(error).splitlines()[0]}); "
                "delete that folder and run again."
            ) from error
        frame["answer"] = frame["answer"].astype("Int64")
        return frame
