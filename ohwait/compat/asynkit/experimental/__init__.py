"""asynkit.experimental: interrupts of tasks, priorities, and eager task groups for anyio."""

from . import interrupt as _interrupt
from .interrupt import *  # noqa: F403

__all__ = _interrupt.__all__
