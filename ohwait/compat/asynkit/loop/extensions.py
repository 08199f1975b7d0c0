"""asynkit.loop.extensions: the scheduling methods of any loop, as functions of `ohwait.scheduling`."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Handle
from collections.abc import Iterable

from ....scheduling import (
    AbstractSchedulingLoop,
    call_pos,
    get_scheduling_loop,
    ready_find,
    ready_insert,
    ready_len,
    ready_remove,
    ready_tasks,
    task_from_handle,
)

__all__ = [
    "AbstractSchedulingLoop",
    "call_pos",
    "get_ready_queue",
    "get_scheduling_loop",
    "ready_find",
    "ready_insert",
    "ready_len",
    "ready_remove",
    "ready_tasks",
    "task_from_handle",
]


def get_ready_queue(loop: AbstractEventLoop | None = None) -> Iterable[Handle]:
    """The callbacks that are ready, in order."""
    return get_scheduling_loop(loop).queue_items()
