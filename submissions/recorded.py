"""Finds the recorded sessions that a submission predicts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.scores.tested import Tested, of_task
from submissions.format import METADATA_FILE
from submissions.problems import Findings
from tasks import registry
from tasks.definition import ReadOptions
from tasks.errors import InputError

if TYPE_CHECKING:
    from tasks.task import Task

Data = Mapping[str, "str | Path | Task"]
"""Task -> its folder, ``sample``, or the task itself where it is loaded already."""


def find(
    task: str, version: str, split: str, digest: str | None, place: str, data: Data | None, found: Findings
) -> Tested | None:
    """Return the test sessions that predictions say they were made for, or None after noting why they are not there.

    Data is looked for where ``data`` says; for a task that is not in it, in the configured folder and then the sample.
    Without a digest the first data found is taken. ``place`` is the predictions' folder, for the messages.
    """
    given = (data or {}).get(task)
    candidates: list[str | Path | Task | None] = [None, registry.SAMPLE] if given is None else [given]
    try:
        if given is None or isinstance(given, str | Path):
            task_of = registry.definition(task)
            known: dict[str, int | None] = {task_of.info.version: None}
            known.update((info.version, truth) for truth, info in task_of.truths.items())
            if version not in known:
                what = f"it is for version {version} of {task}; this is version {task_of.info.version}."
                found.error("digest", place, None, what, "Predict the sessions of this version.")
                return None
            options = ReadOptions(truth=known[version])
        digests = []
        for candidate in candidates:
            if candidate is None or isinstance(candidate, str | Path):
                loaded = registry.load(task, candidate, options=options)
            else:
                loaded = candidate
            loaded.split(split)
            if loaded.version == version and digest in (None, loaded.digests[split]):
                if digest is None:
                    what = f"'digests' has no good entry for {task}@{version}/{split}."
                    entry = f"{task}@{version}/{split}: {loaded.digests[split]}"
                    remedy = f"If you predicted the data that was found, add '{entry}'."
                    found.error("digest", METADATA_FILE, None, what, remedy)
                return of_task(loaded, split)
            digests.append(loaded.digests[split])
    except InputError as error:
        found.error("digest", place, None, str(error), "")
        return None
    said = "no digest" if digest is None else f"digest {digest[:12]}..."
    what = f"{task}@{version}/{split} has {said}; the data found has {digests[0][:12]}...."
    remedy = f"Predict these sessions, or give the data that was predicted: --data {task}=DIR."
    found.error("digest", METADATA_FILE, None, what, remedy)
    return None
