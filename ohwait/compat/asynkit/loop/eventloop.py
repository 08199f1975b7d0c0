"""asynkit.loop.eventloop: asyncio's loops with the scheduling methods, and policies that make them."""

from __future__ import annotations

from .... import _scheduling_loops
from ...._scheduling_loops import (
    DefaultSchedulingEventLoop,
    SchedulingMixin,
    SchedulingSelectorEventLoop,
    scheduling_loop_factory,
)
from ...._scheduling_policy import SchedulingEventLoopPolicy, event_loop_policy
from ...._scheduling_policy import ignore_policy_deprecation as _ignore_asyncio_policy_deprecation  # noqa: F401

__all__ = [
    "DefaultSchedulingEventLoop",
    "SchedulingEventLoopPolicy",
    "SchedulingMixin",
    "SchedulingSelectorEventLoop",
    "event_loop_policy",
    "scheduling_loop_factory",
]

if hasattr(_scheduling_loops, "SchedulingProactorEventLoop"):
    SchedulingProactorEventLoop = _scheduling_loops.SchedulingProactorEventLoop
    __all__ += ["SchedulingProactorEventLoop"]
