"""asynkit.loop.schedulingloop: what a loop must do for its callbacks to be rearranged."""

from ...._ready import AbstractSchedulingLoop

__all__ = ["AbstractSchedulingLoop"]
