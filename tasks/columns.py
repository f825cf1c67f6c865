"""The columns of a prepared data set, for the data itself, its card and its Croissant metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.splits import FOLDS

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

FIXATIONS, SCREEN_FOLDS, USER_FOLDS = "fixations", "split_screen_kfold", "split_user_kfold"
LATER = (FIXATIONS, SCREEN_FOLDS, USER_FOLDS)
"""The columns that folders prepared by earlier versions lack; slots once had no rating."""

Kind = str | list[str] | dict[str, "tuple[Kind, str]"]
"""``string``, ``int64``, ``float64`` or ``image``; a list of one of them; or a list of records."""

_SLOT: dict[str, tuple[Kind, str]] = {
    "label": ("string", "what is drawn next to the slot and what an answer names"),
    "kind": ("string", "film, snack, organic_result, native_ad, dd_top or dd_right"),
    "text": ("string", "the item in words"),
    "box": (["float64"], "x0, y0, x1, y1 in image pixels"),
    "rating": ("float64", "how the session's user rated the item, where the data hold ratings"),
}
_FIXATION: dict[str, tuple[Kind, str]] = {
    "slot": ("int64", "index of the slot, -1 for none"),
    "start_ms": ("float64", "start, ms from the beginning of the session's window"),
    "duration_ms": ("float64", "how much of it counts, ms"),
}
COLUMNS: dict[str, tuple[Kind, str]] = {
    "session_id": ("string", "unique id of the session"),
    "user": ("string", "id of the user as published"),
    "screen": ("string", "which screen it was, over users"),
    "image": ("image", "what the user saw at the click, slot labels drawn (empty if prepared without images)"),
    "profile": ("string", "what is known of the user or the need, in words"),
    "slots": (
        _SLOT,
        "the K slots: label, kind, text, box (x0, y0, x1, y1 in image pixels), rating by the user (empty if not known)",
    ),
    "gaze_ms": (["float64"], "human dwell time per slot, ms: the ground truth"),
    "cursor_ms": (["float64"], "cursor dwell time per slot, ms"),
    "click": ("int64", "index of the clicked slot, 0..K-1"),
    "flags": (["string"], "oddities of the recording"),
    FIXATIONS: (
        _FIXATION,
        "the fixations in time order: slot (-1 for none), start_ms from the beginning of the session, "
        "duration_ms that counts; their time on a slot adds up to gaze_ms, and runs of them on one slot are the visits "
        "that metrics of the order family ask for",
    ),
    "split_loo": ("string", "train or test"),
    "split_kfold": ("int64", f"the fold 0..{FOLDS - 1} in which the session is tested"),
    "split_unseen_screen": ("string", "train or test"),
    SCREEN_FOLDS: ("int64", f"the fold 0..{FOLDS - 1} in which the session's screen is tested"),
    USER_FOLDS: ("int64", f"the fold 0..{FOLDS - 1} in which the session's user is tested"),
}
"""Name -> type and meaning, in order."""


def features() -> Features:
    """Return the columns as features of a data set."""
    from datasets import Features

    return Features({name: _feature(kind) for name, (kind, _) in COLUMNS.items()})


def are_known(schema: pa.Schema) -> bool:
    """Say whether a file has the columns of a folder prepared in this or an earlier format."""
    from datasets import Features

    wanted = features().arrow_schema
    types = {name: [wanted.field(name).type] for name in wanted.names}
    earlier = Features(slots=_feature({name: kind for name, kind in _SLOT.items() if name != "rating"}))
    types["slots"].append(earlier.arrow_schema.field("slots").type)
    names = [name for name in wanted.names if name not in LATER or name in schema.names]
    return schema.names == names and all(schema.field(name).type in types[name] for name in names)


def _feature(kind: Kind) -> Any:
    from datasets import Image, List, Value

    if isinstance(kind, dict):
        return List({name: _feature(inner) for name, (inner, _) in kind.items()})
    if isinstance(kind, list):
        return List(_feature(kind[0]))
    return Image() if kind == "image" else Value(kind)
