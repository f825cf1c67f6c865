"""The leaderboard as a static site: plain files that open from a disk and from any host, without a network."""

from leaderboard.site.build import build
from leaderboard.site.pictures import data_of

__all__ = ["build", "data_of"]
