"""The templates and what they may call. Everything is escaped unless this project wrote it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from benchmark.output import pages
from benchmark.output.numbers import number
from benchmark.output.text import plain
from benchmark.output.units import counted
from leaderboard.safe_text import web_link
from leaderboard.site.figures import estimate

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
ASSETS = Path(__file__).parent / "assets"


def environment() -> Environment:
    """Return the template environment: escaping always on, undefined names refused."""
    made = pages.environment(TEMPLATES)
    made.globals["estimate"] = estimate
    made.filters.update(plain=plain, link=link, number=shown_number, counted=counted)
    return made


def link(text: str) -> Markup:
    """Return a link if ``text`` is an http or https address, else the text itself, escaped."""
    address = web_link(text)
    shown = escape(plain(text, 120))
    if address is None:
        return Markup(shown)
    return Markup('<a href="{}" rel="noopener noreferrer nofollow">{}</a>').format(address, shown)


def shown_number(value: float) -> str:
    """Return three decimals, nothing for a missing number."""
    return number(value) if math.isfinite(value) else ""


def embedded(value: Any) -> Markup:
    """Return JSON for a script element: no character in it ends the element or is markup."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
