"""The paper's figures from our own runs: layouts, the runs behind them, pictures and the data they show."""

from benchmark.output.figure_style import Picture, encode
from benchmark.reproduction.figures.base import Figure, FigureLayout, figure_document, write_figure
from benchmark.reproduction.figures.reading import figure_layouts, read_figure_layout

__all__ = [
    "Figure",
    "FigureLayout",
    "Picture",
    "encode",
    "figure_document",
    "figure_layouts",
    "read_figure_layout",
    "write_figure",
]
