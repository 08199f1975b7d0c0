"""Event loops with a ready queue that can be rearranged: a mixin, asyncio's loops with it, and how to start them."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Handle
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

from ._ready import DequeScheduling, rotate

__all__ = [
    "DefaultSchedulingEventLoop",
    "SchedulingMixin",
    "SchedulingProactorEventLoop",
    "SchedulingSelectorEventLoop",
    "scheduling_loop_factory",
]


class SchedulingMixin(DequeScheduling):
    """Adds access to the ready queue to one of asyncio's event loops, or one derived from them.

    The elements of the queue are `asyncio.Handle` objects. All methods must be called in the thread of the loop.
    Those that begin with ``ready_`` treat it as a list; those with ``queue_`` are what `ohwait.scheduling` uses.
    """

    def get_ready_queue(self) -> deque[Handle]:
        queue: deque[Handle] = self._ready  # type: ignore[attr-defined]
        return queue

    def _ready_loop(self) -> AbstractEventLoop:
        assert isinstance(self, AbstractEventLoop), "SchedulingMixin is for event loops"
        return self

    def ready_len(self) -> int:
        """How many callbacks are ready."""
        return self.queue_len()

    def ready_pop(self, pos: int = -1) -> Handle:
        """Take out the callback at this position, as ``list.pop`` does: by default the last.

        Raises:
            IndexError: there is none.
        """
        handle = list(self.queue_items())[pos]
        self.queue_remove(handle)
        return handle

    def ready_insert(self, pos: int, element: Handle) -> None:
        """Put in a callback that was taken out, as ``list.insert`` does: negative positions count from the end.

        Raises:
            TypeError: the element is no `asyncio.Handle`.
        """
        self.queue_insert_pos(element, pos if pos >= 0 else max(0, self.queue_len() + pos))

    def ready_rotate(self, n: int = 1) -> None:
        """Move the last `n` callbacks to the front, or for a negative `n` the first ones to the end."""
        rotate(self.get_ready_queue(), n)

    def call_insert(self, pos: int, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Handle:
        """As ``call_soon(callback, *args, context=context)``, but at this position of the ready queue."""
        return self.call_pos(pos if pos >= 0 else max(0, self.queue_len() + pos), callback, *args, context=context)


class SchedulingSelectorEventLoop(asyncio.SelectorEventLoop, SchedulingMixin):
    """asyncio's `SelectorEventLoop`, with the methods of `SchedulingMixin`."""


DefaultSchedulingEventLoop: type[SchedulingSelectorEventLoop] = SchedulingSelectorEventLoop
"""What `scheduling_loop_factory` makes: the counterpart of asyncio's own default."""

if hasattr(asyncio, "ProactorEventLoop"):

    class SchedulingProactorEventLoop(asyncio.ProactorEventLoop, SchedulingMixin):  # type: ignore[name-defined,misc]
        """asyncio's `ProactorEventLoop` (Windows), with the methods of `SchedulingMixin`."""

    DefaultSchedulingEventLoop = SchedulingProactorEventLoop
else:
    __all__.remove("SchedulingProactorEventLoop")


def scheduling_loop_factory() -> AbstractEventLoop:
    """Make a new event loop with the methods of `SchedulingMixin`.

    For ``asyncio.Runner(loop_factory=scheduling_loop_factory)``, and `asyncio.run` where that takes one.
    """
    return DefaultSchedulingEventLoop()
