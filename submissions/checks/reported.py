"""Whether the numbers that a submission reports without predictions can be true: the checks of ``benchmark.audit``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from benchmark.audit import Setting, audit, from_values
from submissions.at_hand import AtHand
from submissions.format import METADATA_FILE, Submission
from submissions.problems import Findings, shown
from tasks.errors import InputError

MOST = 200
"""Numbers of one source that are looked at."""


def check(submission: Submission, at_hand: Mapping[tuple[str, str], AtHand], found: Findings) -> None:
    """Audit the reported numbers: what is impossible is an error, what is unlikely a warning.

    Args:
        submission: Its ``reported`` numbers, taken together by task, split and source.
        at_hand: (task, split) -> its test sessions, where the data are at hand: then n and the LogLoss of chance are
            known, and granularity can be checked.
        found: Takes the findings.
    """
    groups: dict[tuple[str, str, str], list[tuple[str, float]]] = defaultdict(list)
    for number in submission.reported:
        groups[number.task, number.split, number.source].append((number.metric, number.value))
    for (task, split, _), values in groups.items():
        try:
            told = from_values(
                values[:MOST], task=shown(task), setting=_setting(submission, at_hand.get((task, split)))
            )
            findings = audit(told)
        except InputError as error:
            mend = "Name a metric of 'list metrics' and give a number."
            found.warning("reported", METADATA_FILE, None, f"a reported number was not checked: {shown(error)}.", mend)
            continue
        for finding in findings:
            words = f"reported {shown(finding.metric)}: {shown(finding.what, 300)} [{shown(finding.arithmetic, 300)}]"
            mend = "Look the numbers up at their source, or leave them out."
            if finding.severity == "impossible":
                found.error("reported", METADATA_FILE, None, words, mend)
            elif finding.severity == "unlikely":
                found.warning("reported", METADATA_FILE, None, words, mend)


def _setting(submission: Submission, at_hand: AtHand | None) -> Setting:
    """Return what is known of how the numbers came about; averages and ties are theirs, and not known.

    They are taken to be of as many seeds as were submitted, which is why a granularity that does not fit is a warning.
    """
    if at_hand is None or not len(at_hand.slots):
        return Setting()
    return Setting(
        n_sessions=len(at_hand.ids),
        n_seeds=len(submission.seeds) or None,
        uniform_logloss=float(np.log(at_hand.slots).mean()),
    )
