"""The leaderboard as a static site: plain files that open from a disk and from any host, without a network."""

from leaderboard.site.build import build

__all__ = ["build"]
