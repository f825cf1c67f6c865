"""One fuzz case: a damaged submission is refused in clear lines, or accepted and scored for what it says."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import submissions
from benchmark.metrics import names
from benchmark.scores import scoring
from benchmark.scores.predictions import schema
from submissions.problems import Problem
from tasks.task import Task
from tests.submissions import mutations

METRICS = names()


def run_case(base: mutations.Files, task: Task, number: int, folder: Path) -> tuple[str, list[Problem], list[str]]:
    """Damage a submission, look at what ``doctor`` makes of it, and check that.

    Args:
        base: Files of a good submission.
        task: The task that it is for.
        number: Of the case; it decides the damage.
        folder: Where it is written; removed again.

    Returns:
        ``accepted`` or ``refused``, the problems, and what was done to the submission.

    Raises:
        AssertionError: The outcome is not as it must be.
    """
    files, done = mutations.mutated(base, np.random.default_rng([20, number]))
    mutations.store(files, folder)
    try:
        problems = submissions.doctor(folder, {task.name: task})
        check_lines(problems)
        if submissions.errors(problems):
            return "refused", problems, done
        check_scores(folder, task)
        return "accepted", problems, done
    finally:
        shutil.rmtree(folder)


class BoardCase:
    """The same damage, thrown at ``submit``: the board takes it with the scores of its files, or stays as it is.

    Args:
        base: Files of a good submission.
        task: The task that it is for.
        board: A folder for the board, which this starts with the good submission.
        call: The command line, ``benchmark.cli.main``.
    """

    def __init__(
        self,
        base: mutations.Files,
        task: Task,
        board: Path,
        call: Callable[[list[str]], int],
    ) -> None:
        self.base, self.task, self.board, self.call = base, task, board, call
        good = board.parent / "good"
        mutations.store(base, good)
        # Under another name: a case that is accepted then always adds something to the board.
        record = good / "submission.yaml"
        record.write_text(re.sub(r"(?m)^name: .*$", "name: the-first", record.read_text(encoding="utf-8"), count=1))
        status, said = self._submit(good)
        assert status == 0, said
        shutil.rmtree(good)
        self.start = board.parent / "start"
        shutil.copytree(board, self.start)
        self.before = _tree(board)

    def run(self, number: int, folder: Path) -> tuple[str, list[Problem], list[str]]:
        """Run one case; as ``run_case``, but the problems are those of ``submit``, which prints them."""
        files, done = mutations.mutated(self.base, np.random.default_rng([20, number]))
        mutations.store(files, folder)
        try:
            status, said = self._submit(folder)
            assert "Traceback" not in said and status in (0, 2), (status, said[-2000:])
            if status == 2:
                assert said.splitlines()[-1].startswith("error: "), said[-2000:]
                assert _tree(self.board) == self.before, "a refused submission changed the board"
                return "refused", [], done
            check_scores(folder, self.task)
            self._check_board(folder)
            return "accepted", [], done
        finally:
            shutil.rmtree(folder)
            if _tree(self.board) != self.before:
                shutil.rmtree(self.board)
                shutil.copytree(self.start, self.board)

    def _submit(self, folder: Path) -> tuple[int, str]:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = self.call(
                [
                    *("submit", str(folder), "--board", str(self.board), "--data", f"{self.task.name}=sample"),
                ]
            )
        return status, said.getvalue()

    def _check_board(self, folder: Path) -> None:
        """What was added to the board are the scores of the submission's files, and nothing was taken away."""
        after = _tree(self.board)
        assert self.before.items() <= after.items()
        added = [name for name in sorted(set(after) - set(self.before)) if name.startswith("scores/")]
        assert added, "an accepted submission added no scores"
        submission = submissions.read(folder)
        expected = {}
        for entry in (*submission.entries, *submission.stress):
            scores = scoring.score(self.task, entry.split, submissions.prediction_table(submission, [entry]))
            expected[entry.condition or "own", entry.split, entry.seed] = scores
        for path in added:
            for (condition, seed), rows in pq.read_table(self.board / path).to_pandas().groupby(["condition", "seed"]):
                name = {"swapped": "swap-users"}.get(str(condition), str(condition))
                shown_metrics = [name for name in METRICS if name in rows]
                ours = rows.set_index("session_id").sort_index()[shown_metrics].to_numpy(float)
                wanted = [
                    scores.set_index("session_id").sort_index()[shown_metrics].to_numpy(float)
                    for (shown, _, number), scores in expected.items()
                    if (shown, number) == (name, seed) and set(scores["session_id"]) == set(rows["session_id"])
                ]
                assert any(np.array_equal(ours, theirs, equal_nan=True) for theirs in wanted), path


def _tree(board: Path) -> dict[str, bytes]:
    """Return the files of a board by name."""
    return {p.relative_to(board).as_posix(): p.read_bytes() for p in sorted(board.rglob("*")) if p.is_file()}


def check_lines(problems: list[Problem]) -> None:
    """Every problem is one printable line of bounded length that says what is wrong."""
    assert len(problems) < 500
    per_kind = Counter((p.severity, p.kind, p.file) for p in problems)
    assert max(per_kind.values(), default=0) <= submissions.DEFAULT.shown + 1
    for problem in problems:
        line = str(problem)
        assert line.isprintable() and line.isascii() and 20 < len(line) < 1000, line
        assert problem.what and problem.severity in ("error", "warning")


def check_scores(folder: Path, task: Task) -> None:
    """The scores of an accepted submission are those of its files, read here in the plainest way."""
    submission = submissions.read(folder)
    groups: dict[str, list[submissions.Entry]] = {}
    for entry in submission.entries:
        groups.setdefault(entry.split, []).append(entry)
    for split, entries in groups.items():
        found = scoring.score(task, split, submissions.prediction_table(submission, entries))
        plain = pa.concat_tables(_plain(submission, entry) for entry in entries)
        expected = scoring.score(task, split, plain)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
        metrics = found.drop(columns=list(scoring.KEYS)).to_numpy(dtype=np.float64)
        assert not np.isinf(metrics).any()


def _plain(submission: submissions.Submission, entry: submissions.Entry) -> pa.Table:
    if entry.path.suffix == ".parquet":
        table: list[dict[str, Any]] = pq.read_table(entry.path).to_pylist()
    else:
        table = [json.loads(line) for line in entry.path.read_text(encoding="utf-8").split("\n") if line.strip()]
    rows = []
    for row in table:
        answer = row.get("answer")
        attention = row.get("attention")
        rows.append(
            {
                "simulator": submission.name,
                "seed": entry.seed,
                "session_id": row["session_id"],
                "attention": None if attention is None or not any(attention) else attention,
                "probabilities": row.get("probabilities"),
                "answer": None if answer is None or math.isnan(answer) else int(answer),
                "target": submission.target,
            }
        )
    return pa.Table.from_pylist(rows, schema=schema())
