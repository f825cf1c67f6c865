"""A finished run as one self-contained page: ``write(run, file)``."""

from benchmark.report.page import write
from benchmark.report.paper import write_paper

__all__ = ["write", "write_paper"]
