"""Timing networks that exist: each pruned depth is built and run, never estimated."""

from nestbench.speed.networks import Timing, measure

__all__ = ["Timing", "measure"]
