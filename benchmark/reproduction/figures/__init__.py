"""The paper's figures from our own runs: layouts, one file in ``configs/figures`` each, and what they show."""

from pathlib import Path

from benchmark.reproduction.figures.base import FigureLayout
from benchmark.reproduction.figures.examples import Examples
from benchmark.reproduction.figures.heatmaps import Heatmaps
from benchmark.reproduction.figures.paths import Paths
from benchmark.reproduction.figures.ranks import Ranks
from benchmark.reproduction.figures.sensitivity import Sensitivity
from benchmark.reproduction.section import read_section
from benchmark.trials.configuration import CONFIGS, LAYOUT
from tasks.decoding import decode
from tasks.errors import require_known

FIGURES = CONFIGS / "figures"

KINDS: dict[str, type[FigureLayout]] = {kind.KIND: kind for kind in (Heatmaps, Ranks, Sensitivity, Examples, Paths)}


def figure_layouts(folder: Path = FIGURES) -> list[FigureLayout]:
    """Return the layouts of a folder, in the order of the paper's figures; InputError if a file is not a layout."""
    found = [read_figure_layout(path) for path in sorted(folder.glob("*.yaml"))]
    return sorted(found, key=lambda layout: (not layout.published, layout.published, layout.name))


def read_figure_layout(path: Path) -> FigureLayout:
    """Read one layout.

    InputError if the file is not a run configuration, or its ``layout`` section lacks or misnames something.
    """
    values = read_section(path)
    kind = str(values.pop("kind", ""))
    require_known(f"kind of figure in 'layout' of {path}:", [kind[:40]], KINDS)
    values = {**values, "published": str(values.get("published", ""))}
    return decode(KINDS[kind], values, path, "correct it", at=(LAYOUT,))
