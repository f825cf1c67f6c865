"""The template environment of every page that the suite writes."""

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

SHARED = Path(__file__).parent / "templates"
"""What several pages have in common."""


def style() -> str:
    """Return the style rules that all pages have in common."""
    return (SHARED / "page.css").read_text(encoding="utf-8")


def environment(templates: Path, finalize: Callable[[object], object] | None = None) -> Environment:
    """Return an environment of the templates in a folder and in ``SHARED`` that escapes and refuses undefined names."""
    return Environment(
        loader=FileSystemLoader([templates, SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
