"""The submission format, its checks and its examples: what a simulator's makers send in.

``read`` reads a submission's metadata, ``load_predictions`` one of its files, ``doctor`` lists everything
that is wrong. All three treat a submission as hostile: nothing in it is run, and every limit is checked before what
it bounds is read.
"""

from submissions.checkup import doctor
from submissions.format import FORMAT, Entry, Submission
from submissions.problems import DEFAULT, Limits, Problem, errors, verdict
from submissions.reading import load_predictions, prediction_table, read

__all__ = [
    "DEFAULT",
    "FORMAT",
    "Entry",
    "Limits",
    "Problem",
    "Submission",
    "doctor",
    "errors",
    "load_predictions",
    "prediction_table",
    "read",
    "verdict",
]
