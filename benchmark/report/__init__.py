"""A finished run as one self-contained page: ``write(run, file)``."""

from benchmark.report.page import write

__all__ = ["write"]
