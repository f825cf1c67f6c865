"""``doctor``: every problem of a submission at once, without a model and without running anything of it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.files.printable import shown
from benchmark.naming import PROOF, STATED_SOURCE
from benchmark.parts import PARTS, part_names
from benchmark.parts.checking import Fault, claimed, missing
from benchmark.scores import checking, paths
from benchmark.scores.checking import Checked
from benchmark.scores.raw import RawPredictions
from benchmark.scores.tested import Tested, of_task
from submissions.checks import foresight, reported, suspicion
from submissions.format import METADATA_FILE, PREDICTIONS_FOLDER, STRESS_FOLDER, Entry, Submission, paths_file
from submissions.problems import DEFAULT, Findings, Limits, Problem
from submissions.reading import inspect, read_rows
from tasks import registry
from tasks.definition import ReadOptions
from tasks.errors import InputError
from tasks.task import Task

Data = Mapping[str, "str | Path | Task"]
"""Task -> its folder, ``sample``, or the task itself where it is loaded already."""


def find(
    task: str, version: str, split: str, digest: str | None, place: str, data: Data | None, found: Findings
) -> Task | None:
    """Return the data that predictions say they were made for, or None after noting why they are not there.

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
                return loaded
            digests.append(loaded.digests[split])
    except InputError as error:
        found.error("digest", place, None, str(error), "")
        return None
    said = "no digest" if digest is None else f"digest {digest[:12]}..."
    what = f"{task}@{version}/{split} has {said}; the data found has {digests[0][:12]}...."
    remedy = f"Predict these sessions, or give the data that was predicted: --data {task}=DIR."
    found.error("digest", METADATA_FILE, None, what, remedy)
    return None


def doctor(folder: str | Path, data: Data | None = None, limits: Limits = DEFAULT) -> list[Problem]:
    """Return everything that is wrong, or looks wrong, with a submission: errors first, by file and kind.

    ``data`` holds for some tasks a prepared or raw folder, ``sample``, or the loaded task; for the others the
    configured data is taken, and the built-in sample if the submission was made for that.
    """
    found = Findings(limits)
    submission = inspect(Path(folder), found)
    if submission is not None:
        groups: dict[str, list[Entry]] = defaultdict(list)
        for entry in submission.entries:
            groups[entry.key].append(entry)
        known: dict[tuple[str, str], Tested] = {}
        files: list[_File] = []
        for key, entries in groups.items():
            files += _check_group(submission, key, entries, data, known, found)
        _check_stress(submission, known, found)
        _check_paths(submission, known, found)
        claims = {part for file in files for part in file.claims}
        _check_attention(submission, claims, found, complete=len(files) == len(submission.entries))
        _check_failures(submission, [file for file in files if file.blank], found)
        reported.check(submission, known, found)
    return found.listed()


@dataclass(frozen=True, slots=True)
class _File:
    """One predictions file that could be read: what it claims, and the numbers of the rows that lack some of it."""

    entry: Entry
    raw: RawPredictions
    checked: Checked
    claims: tuple[str, ...]
    blank: list[int]


def _check_group(
    submission: Submission,
    key: str,
    entries: list[Entry],
    data: Data | None,
    known: dict[tuple[str, str], Tested],
    found: Findings,
) -> list[_File]:
    """Check the seeds of one task and split; return the files that could be read."""
    first = entries[0]
    digest = submission.digests.get(key)
    place = f"{PREDICTIONS_FOLDER}/{key}"
    task = find(first.task, first.version, first.split, digest, place, data, found)
    tested = None if task is None else of_task(task, first.split)
    if tested is not None:
        known[first.task, first.split] = tested
        if tested.notice and not submission.notice:
            what = f"{key} is simulated data, but 'notice' is blank."
            found.warning("notice", METADATA_FILE, None, what, f"Set it: notice: {tested.notice}")
    seeds: dict[str, Entry] = {}
    files = []
    for entry in entries:
        file = _check_file(submission, entry, tested, found)
        if file is not None:
            files.append(file)
            twin = seeds.setdefault(suspicion.content_key(file.raw), entry)
            if twin is not entry:
                what = f"it says the same as seed {twin.seed}."
                remedy = "Seeds must be runs of their own. If the simulator is deterministic, submit one seed."
                found.error("seeds", entry.name, None, what, remedy)
    _check_alike(files, f"of {key}", found)
    if task is not None and submission.kind != "oracle":
        labelled = submission.target == "label"
        for clue in foresight.clues(task, first.split, [file.checked for file in files], labelled=labelled):
            if clue.number >= PROOF:
                found.error("leak", place, None, str(clue), suspicion.LEAK_REMEDY)
            elif clue.number >= 1:
                found.warning("suspicious", place, None, str(clue), "The board shows this number next to it.")
    return files


def _check_stress(submission: Submission, known: dict[tuple[str, str], Tested], found: Findings) -> None:
    """Check the files under stress conditions: the right sessions, and numbers that can be compared.

    A part that is missing under a condition only leaves its test out, so nothing has to be there. What is there must be
    there for all seeds and rows: a blank counts with the worst value, and makes the condition look harder than it is.
    """
    groups: dict[tuple[str, str], list[_File]] = defaultdict(list)
    for entry in submission.stress:
        file = _check_file(submission, entry, known.get((entry.task, entry.split)), found)
        if file is not None:
            groups[entry.condition, entry.key].append(file)
            if file.blank:
                what = f"a part is blank here and in {len(file.blank) - 1} other rows that the file has elsewhere."
                remedy = f"Fill it in every row, or remove {STRESS_FOLDER}/{entry.condition}."
                found.error("blank", entry.name, file.blank[0], what, remedy)
    for files in groups.values():
        _check_alike(files, f"under {files[0].entry.condition}", found)


def _check_paths(submission: Submission, known: dict[tuple[str, str], Tested], found: Findings) -> None:
    """Check the paths that are only shown: bounded lists of slots that the test sessions have."""
    predicted = {entry.key for entry in submission.entries}
    for key, path in submission.paths.items():
        name, remedy = paths_file(key), "Correct it, or remove the file."
        if key not in predicted:
            found.error("coverage", name, None, "there are no predictions for these sessions.", remedy)
        try:
            given = paths.read_given(path)
        except InputError as error:
            what = str(error).replace(f"{path}: ", "").replace(str(path), "it")
            found.error("path", name, None, shown(what, 300), "")
            continue
        tested = known.get((key.partition("@")[0], key.rpartition("/")[2]))
        if tested is not None:
            slots = dict(zip(tested.ids, tested.slots.tolist(), strict=True))
            for what in paths.faults(given, slots):
                found.error("path", name, None, f"{what}.", remedy)


def _check_alike(files: list[_File], where: str, found: Findings) -> None:
    parts = [part for part in part_names() if any(part in file.claims for file in files)]
    for file in files:
        lacking = [part for part in parts if part not in file.claims]
        if lacking and file.claims:
            what = f"it has no {lacking[0]}, which another seed {where} has."
            found.error("missing", file.entry.name, None, what, "Give every seed the same columns.")


def _check_file(submission: Submission, entry: Entry, tested: Tested | None, found: Findings) -> _File | None:
    """Check one file; return it, or None if it cannot be read."""
    raw, name = read_rows(entry, found), entry.name
    if raw is None:
        return None
    if not len(raw):
        found.error("missing", name, None, "it has no rows.", "Add a row per test session.")
        return None
    checked = checking.checked(raw, tested, found.limits)
    for fault in checked.faults:
        _note(fault, raw, name, found)
    if tested is not None:
        _check_complete(checked, tested, name, found)
    if not entry.condition:
        suspicion.check(raw, checked, tested, name, found, oracle=submission.kind == "oracle")
    claims = claimed(raw.cells)
    if not claims:
        what = f"it holds neither {' nor '.join(part.title for part in PARTS)}."
        found.error("missing", name, None, what, "Fill at least one of these columns.")
    there = raw.keys["session_id"].is_valid().to_numpy(zero_copy_only=False) & ~raw.broken
    blank = raw.numbers[np.flatnonzero(missing(checked.cells, claims) & there)]
    return _File(entry, raw, checked, claims, blank.tolist())


def _note(fault: Fault, raw: RawPredictions, name: str, found: Findings) -> None:
    """Note a fault, row by row."""
    numbers = [int(raw.numbers[row]) for row in fault.rows]
    found.rows("error", fault.kind, name, numbers, lambda place: fault.words(int(fault.rows[place])))


def _check_complete(checked: Checked, tested: Tested, name: str, found: Findings) -> None:
    """Note test sessions that have no row."""
    lacking = [tested.ids[place] for place in sorted(set(range(len(tested.ids))) - set(checked.places.tolist()))]
    if lacking:
        named = ", ".join(f"'{shown(s)}'" for s in lacking[:5]) + (", ..." if len(lacking) > 5 else "")
        what = f"{len(lacking)} of {len(tested.ids)} test sessions are missing: {named}."
        remedy = "Add a row for each; where the simulator failed, leave its cells blank."
        found.error("missing", name, None, what, remedy)


def _check_attention(submission: Submission, claims: set[str], found: Findings, *, complete: bool) -> None:
    """Compare the attention that is there with what ``submission.yaml`` says of it."""
    part = next(part.name for part in PARTS if part.targeted)
    described = {one.name for one in PARTS if one.targeted or (one.stated and submission.target == "none")}
    source = submission.attention.source if submission.attention is not None else STATED_SOURCE
    if part in claims and submission.attention is None:
        what = f"there is {part}, but '{part}' does not say where it comes from."
        remedy = f"Give '{part}' a source and a target: free (without the click) or label."
        found.error("schema", METADATA_FILE, None, what, remedy)
    elif submission.attention is not None and claims and complete and not described & claims:
        what = f"'{part}' is described, but no file has any."
        found.error("schema", METADATA_FILE, None, what, f"Add the column, or set '{part}' to null.")
    elif (submission.target == "none") != (source.casefold() == STATED_SOURCE):
        what = f"'{part}' has the target 'none' or the source '{STATED_SOURCE}', but not both."
        remedy = "They belong together: what the model said of itself, in numbers, is ranked apart."
        found.error("schema", METADATA_FILE, None, what, remedy)
    elif submission.target == "label":
        what = f"{part} was computed for the true click: it is shown apart and never ranked."
        found.warning("label", METADATA_FILE, None, what, "Compute it for the simulator's own answer to be ranked.")


def _check_failures(submission: Submission, files: list[_File], found: Findings) -> None:
    """Compare the blank cells with the failures that ``submission.yaml`` declares."""
    count = sum(len(file.blank) for file in files)
    if count == submission.failures:
        for file in files:
            what = f"a submitted part is blank here and in {len(file.blank) - 1} other rows, as 'failures' says."
            found.warning("blank", file.entry.name, file.blank[0], what, "They count with the worst value.")
        return
    what = "a part is blank that the file has in other rows."
    remedy = f"Fill it; if the simulator failed there, set 'failures: {count}' in {METADATA_FILE}."
    for file in files:
        found.rows("error", "blank", file.entry.name, file.blank, lambda place: (what, remedy))
    if not files:
        what = f"'failures' is {submission.failures}, but no submitted part is blank."
        found.error("blank", METADATA_FILE, None, what, "Set it to 0, or leave blank what failed.")
