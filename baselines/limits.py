"""Settings that declare their own range, by msgspec's ``Meta`` on the field of a simulator's dataclass."""

import dataclasses
import math
import typing
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from benchmark.naming import OTHERWISE
from tasks.errors import InputError

AtLeastZero = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
PartOf = Annotated[float, Meta(ge=0, lt=1)]
WholeAtLeastOne = Annotated[int, Meta(ge=1)]
WholeAtLeastZero = Annotated[int, Meta(ge=0)]

_WORDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def departure(value: Any) -> Any:
    """Return a field whose default is the suite's choice; published code departs from it, or a user may.

    At its default it is not part of a trial's identity, which older trials thus keep.
    """
    return dataclasses.field(default=value, metadata={"later": True})


def departing(simulator: Any) -> str:
    """Return what every output must say of a simulator with settings that depart from the suite's choice, or ''."""
    fields = [(f, getattr(simulator, f.name)) for f in dataclasses.fields(simulator) if f.metadata.get("later")]
    moved = ", ".join(f"{field.name}={value}" for field, value in fields if value != field.default)
    return f"{OTHERWISE} ({moved})" if moved else ""


def check_settings(simulator: object) -> None:
    """Refuse a setting outside the range that its field declares; no number may be infinite.

    InputError names the setting, its value and the range.
    """
    for name, hint in typing.get_type_hints(type(simulator), include_extras=True).items():
        ranges = [meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, Meta)]
        value = getattr(simulator, name, None)
        if not ranges:
            continue
        try:
            if not math.isfinite(msgspec.convert(value, hint)):
                raise msgspec.ValidationError
        except msgspec.ValidationError as error:
            bounds = [
                f"{word} {getattr(ranges[0], key)}"
                for key, word in _WORDS.items()
                if getattr(ranges[0], key) is not None
            ]
            raise InputError(
                f"the setting {name} is {value}; it must be a finite number {' and '.join(bounds)}."
            ) from error
