"""Whether the numbers that a submission reports without predictions can be true: the checks of ``benchmark.audit``."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from benchmark.audit import Finding, Setting, audit, from_values
from benchmark.files.printable import shown
from benchmark.scores.tested import Tested
from submissions.format import METADATA_FILE, Submission
from submissions.problems import Findings
from tasks.errors import InputError

MOST = 200
"""Numbers of one source that are looked at."""

_WARNED_NOTES = ("uniform",)
"""Checks whose notes are warnings here: a number that is worse than knowing nothing is more likely a slip."""

_OF_COUNTS = ("grim", "grimmer", "one-run")
"""Checks that depend on the number of test sessions and seeds."""


def check(submission: Submission, tested: Mapping[tuple[str, str], Tested], found: Findings) -> None:
    """Audit the reported numbers: what is impossible is an error, what is unlikely or worse than chance a warning.

    Numbers of one task, split and source are taken together. Where the test sessions are known, so is the LogLoss of
    chance and, unless they are a sample, n, so that granularity can be checked.
    """
    groups: dict[tuple[str, str, str], list[tuple[str, float]]] = defaultdict(list)
    for number in submission.reported:
        groups[number.task, number.split, number.source].append((number.metric, number.value))
    for (task, split, _), values in groups.items():
        setting = _setting(submission, tested.get((task, split)))
        try:
            findings = audit(from_values(values[:MOST], task=shown(task), setting=setting))
        except InputError as error:
            remedy = "Name a metric of 'list metrics' and give a number."
            found.warning(
                "reported", METADATA_FILE, None, f"a reported number was not checked: {shown(error)}.", remedy
            )
            continue
        for finding in findings:
            words, remedy = _words(finding, setting)
            if finding.severity == "impossible":
                found.error("reported", METADATA_FILE, None, words, remedy)
            elif finding.severity == "unlikely" or finding.check in _WARNED_NOTES:
                found.warning("reported", METADATA_FILE, None, words, remedy)


def _words(finding: Finding, setting: Setting) -> tuple[str, str]:
    """Return what is wrong, with what was assumed of the number, and what to do."""
    assumed, remedy = "", "Look the numbers up at their source, or leave them out."
    if finding.check in _OF_COUNTS:
        seeds = (
            f" and the {setting.n_seeds} seeds that are submitted" if (setting.n_seeds or 1) > 1 else " and one seed"
        )
        assumed = f" It was taken to be over the {setting.n_sessions} test sessions of the data given{seeds}."
        remedy = "If it is of other sessions or seeds, it may be right; else look it up at its source."
    elif finding.check in _WARNED_NOTES:
        assumed = " Uniform probabilities are those over the test sessions of the data given."
        remedy = "Look the number up at its source; natural logarithms are meant."
    what = f"{shown(finding.what, 300)}{assumed}"
    return f"reported {shown(finding.metric)}: {what} [{shown(finding.arithmetic, 300)}]", remedy


def _setting(submission: Submission, tested: Tested | None) -> Setting:
    """Return what is known of how the numbers were computed; how they average and break ties is not known.

    They are taken to be over the sessions of the data given and of as many seeds as were submitted, so a granularity
    that does not fit is a warning. Nobody else has a sample's sessions: there the granularity is not known at all.
    """
    if tested is None or not len(tested.slots):
        return Setting()
    uniform = float(np.log(tested.slots).mean())
    if tested.notice:
        return Setting(uniform_logloss=uniform)
    return Setting(n_sessions=len(tested.ids), n_seeds=len(submission.seeds) or None, uniform_logloss=uniform)
