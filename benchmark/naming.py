"""The words that runs, submissions and boards share: conditions, label attention, what a simulator sees, notices.

Imports nothing. Files that were written with other words are read through :func:`input_word` and ``ON_BOARDS``.
"""

from collections.abc import Iterable

OWN, SHARED = "own", "shared"
"""Predictions on the sessions as they were seen, under the user's own prompt and under one prompt for all users."""

RELABEL, SWAP_USERS, LAYOUT = "relabel", "swap-users", "layout"
"""Labels shuffled, another user's prompt, columns mirrored."""

STEER, STEER_RANDOM = "steer", "steer-random"
"""Attention of a simulator's own heads, or of random ones, pushed to a slot."""

TRUE_LABEL, WRONG_LABEL = "true-label", "wrong-label"
"""Attention computed for the true click, and for a wrong one."""

ON_BOARDS = {SWAP_USERS: "swapped"}
"""Condition -> how a board spells it, where that differs: the spelling is part of the identity of its records."""

TRANSFER = "transfer-"
"""Begins the folder of predictions on another task's test sessions: ``transfer-adserp``."""

FORESIGHT, PROOF = "foresight-2", 2
"""What boards call how clearly a submission knows the recordings, and where that is certain; 1 is suspicious.

The name changes with the rules: boards of other rules keep their column, and ``rescore`` adds this one.
"""

LABEL = " [label]"
"""Ends the name of a row whose attention was computed for the true click."""

OTHERWISE = "not the suite's choice"
"""Begins what is said of a simulator with settings that depart from the suite's, and is in its name on boards."""

STATED, STATED_SOURCE = " [stated]", "stated by the model"
"""Ends the name of a row of attention that the model stated itself, in numbers; and its source. It has no target."""

TEST_INPUTS = ("gaze-test", "cursor-test")
"""Inputs that only an oracle sees."""

INPUTS = ("text", "image", "profile", "gaze-train", "clicks-train", "cursor", *TEST_INPUTS)
"""What a simulator may see; ``text`` may also be given as ``item texts`` and ``item places``."""


def input_word(said: str) -> str:
    """Return the word of ``INPUTS`` for what older catalogues and files call an input, such as ``train gaze``."""
    turned = "-".join(reversed(said.split()))
    return turned if turned in INPUTS else said


def labelled(name: str, target: str) -> str:
    """Return the name of a simulator's row, given what its attention was computed for."""
    return name + LABEL if target == "label" else name


def base_name(row: str) -> str:
    """Return the name of a row's simulator."""
    return row.removesuffix(LABEL).removesuffix(STATED)


def transfer_test(task: str) -> str:
    """Return what the stress test is called."""
    return f"transfer {task}"


def joined(notices: Iterable[str]) -> str:
    """Return notices as one, each part said once; parts are joined by a semicolon."""
    parts = [part for notice in notices for part in notice.split("; ")]
    return "; ".join(dict.fromkeys(part for part in parts if part))
