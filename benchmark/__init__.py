"""Runs gaze-aligned user simulators and measures them."""

__version__ = "0.1.0"
