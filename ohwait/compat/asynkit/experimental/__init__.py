"""asynkit.experimental: interrupts of tasks, priorities, and eager task groups for anyio."""

from .interrupt import *
from .interrupt import __all__
