"""The YAML of a submission, within its limits."""

from __future__ import annotations

from benchmark.files import plain_yaml
from submissions.limits import Limits
from tasks.errors import InputError


def load(data: bytes, limits: Limits) -> object:
    """Return the plain values of a YAML document.

    Args:
        data: The file's bytes, of bounded size.
        limits: ``metadata_depth`` and ``metadata_values`` hold.

    Raises:
        InputError: It is not YAML of this kind; the line is named.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"byte {error.start} is not UTF-8. Save the file as UTF-8.") from error
    return plain_yaml.load(text, depth=limits.metadata_depth, values=limits.metadata_values)
