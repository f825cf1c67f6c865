"""Stimuli altered for stress tests: other labels on the same screen, and columns mirrored.

What is done to a session is a function of the data's digest, the session's id and a seed, so that anybody who has the
data makes the same altered stimuli. :data:`SEED` is the published one.
"""

from tasks.altered.screens import mirrored, relabelled
from tasks.altered.types import SEED, Altered, derangement, generator

__all__ = ["SEED", "Altered", "derangement", "generator", "mirrored", "relabelled"]
