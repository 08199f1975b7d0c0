"""The ready queue of asyncio's loops: what will be called next, in which order, and how to change that.

asyncio's own loops keep their `asyncio.Handle` objects in a deque, and in each turn call as many as there were when
the turn began. So what is taken out of the queue leaves a hole, a cancelled handle at its end: otherwise the loop
would run out of handles in the middle of its turn, which ends it with an IndexError.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop, Handle, Task
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any, cast

from ._errors import OhwaitError

__all__ = [
    "AbstractSchedulingLoop",
    "DequeScheduling",
    "SchedulingError",
    "StockLoop",
    "UnsupportedLoopError",
    "rotate",
]


_TASKS = (asyncio.Task, getattr(asyncio.tasks, "_PyTask", asyncio.Task))
"""In C, and in Python."""


class SchedulingError(OhwaitError):
    """A task or a loop cannot be scheduled as asked for."""


class UnsupportedLoopError(SchedulingError, NotImplementedError):
    """The event loop keeps its ready queue to itself, as uvloop's do."""


class AbstractSchedulingLoop(ABC):
    """What the functions of `ohwait.scheduling` need from an event loop.

    A loop of one's own that derives from it works with all of them. It need not be fair, nor keep a queue, as long
    as it heeds the first few positions: what is put at position 0 is called next.
    """

    @abstractmethod
    def queue_len(self) -> int:
        """How many callbacks are ready."""

    @abstractmethod
    def queue_items(self) -> Iterator[Handle]:
        """The ready callbacks, in the order in which they will be called."""

    @abstractmethod
    def queue_find(self, key: Callable[[Handle], bool], remove: bool = False) -> Handle | None:
        """The last ready callback for which `key` is true; None if there is none. Taken out if `remove` is set."""

    @abstractmethod
    def queue_remove(self, handle: Handle) -> None:
        """Take out a callback. Raises ValueError if it is not in the queue."""

    @abstractmethod
    def queue_insert(self, handle: Handle) -> None:
        """Put in a callback that was taken out, where the loop puts what gets ready: by default at the end."""

    @abstractmethod
    def queue_insert_pos(self, handle: Handle, position: int) -> None:
        """Put in a callback that was taken out so that `position` others are called before it."""

    @abstractmethod
    def call_pos(
        self, position: int, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        """As ``call_soon(callback, *args, context=context)``, but with `position` others called before it."""

    def queue_move(self, handle: Handle, position: int) -> None:
        """Put a callback of the queue at another place in it. Raises ValueError if it is not there."""
        self.queue_remove(handle)
        self.queue_insert_pos(handle, position)

    def task_from_handle(self, handle: Handle) -> Task[Any] | None:
        """The task that the callback resumes; None for callbacks that resume none."""
        callback = getattr(handle, "_callback", None)
        task = getattr(callback, "__self__", None)
        if not isinstance(task, _TASKS):
            return None
        # Tasks are resumed by methods that nobody else can name; task.cancel, say, is another callback.
        name = getattr(callback, "__name__", "")
        return None if name and hasattr(task, name) else cast("Task[Any]", task)

    def task_key(self, task: Task[Any]) -> Callable[[Handle], bool]:
        """What finds a task, for `queue_find`."""
        return lambda handle: self.task_from_handle(handle) is task

    def queue_tasks(self) -> list[Task[Any]]:
        """The tasks that are ready, in the order in which they will go on."""
        return [task for handle in self.queue_items() if (task := self.task_from_handle(handle)) is not None]


class _NoLoop:
    def get_debug(self) -> bool:
        return False


_HOLE: Handle = Handle(int, (), _NoLoop())  # type: ignore[arg-type]
_HOLE.cancel()


class DequeScheduling(AbstractSchedulingLoop):
    """The operations on a loop whose queue is a deque of handles.

    Other threads may append to the deque at any time (``call_soon_threadsafe``), so it is not iterated over in Python.
    """

    @abstractmethod
    def get_ready_queue(self) -> deque[Handle]:
        """The deque itself. What is taken out of it by hand while the loop runs must be put back in the same call."""

    @abstractmethod
    def _ready_loop(self) -> AbstractEventLoop: ...

    def queue_len(self) -> int:
        return len(_entries(self.get_ready_queue()))

    def queue_items(self) -> Iterator[Handle]:
        return iter(_entries(self.get_ready_queue()))

    def queue_find(self, key: Callable[[Handle], bool], remove: bool = False) -> Handle | None:
        # What was made ready last is looked for most often.
        found = next((handle for handle in reversed(_entries(self.get_ready_queue())) if key(handle)), None)
        if remove and found is not None:
            self.queue_remove(found)
        return found

    def queue_remove(self, handle: Handle) -> None:
        self._take_out(handle)
        if self._ready_loop().is_running():
            _make_hole(self.get_ready_queue())

    def queue_insert(self, handle: Handle) -> None:
        _check_handle(handle)
        queue = self.get_ready_queue()
        _fill_hole(queue)
        queue.append(handle)

    def queue_insert_pos(self, handle: Handle, position: int) -> None:
        _check_handle(handle)
        _check_position(position)
        queue = self.get_ready_queue()
        _fill_hole(queue)
        queue.insert(_index(queue, position), handle)

    def queue_move(self, handle: Handle, position: int) -> None:
        _check_position(position)
        self._take_out(handle)
        queue = self.get_ready_queue()
        queue.insert(_index(queue, position), handle)

    def call_pos(
        self, position: int, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        _check_position(position)
        handle = self._ready_loop().call_soon(callback, *args, context=context)
        self.queue_move(handle, position)
        return handle

    def _take_out(self, handle: Handle) -> None:
        queue = self.get_ready_queue()
        for index in range(len(queue) - 1, -1, -1):
            if queue[index] is handle:
                del queue[index]
                return
        raise ValueError(f"{handle!r} is not in the ready queue of {self._ready_loop()!r}")


_holes_made = False
"""Most programs never make one, and then nobody needs to look for them."""


def _make_hole(queue: deque[Handle]) -> None:
    global _holes_made
    _holes_made = True
    queue.append(_HOLE)


def _fill_hole(queue: deque[Handle]) -> None:
    if _holes_made:
        for index in range(len(queue) - 1, -1, -1):
            if queue[index] is _HOLE:
                del queue[index]
                return


def _entries(queue: deque[Handle]) -> list[Handle]:
    handles = list(queue)
    return [handle for handle in handles if handle is not _HOLE] if _holes_made else handles


def _index(queue: deque[Handle], position: int) -> int:
    """Where in the deque an entry with so many others before it goes: holes do not count."""
    if _holes_made:
        before = 0
        for index, handle in enumerate(list(queue)):
            if before == position:
                return index
            before += handle is not _HOLE
    return position


def _check_position(position: int) -> None:
    if position < 0:
        raise ValueError(f"a position in the ready queue counts from its head, from 0 on: {position}")


def _check_handle(handle: Handle) -> None:
    if not isinstance(handle, Handle):
        raise TypeError(f"a ready queue holds asyncio.Handle objects, such as were taken out of one, not {handle!r}")


def rotate(queue: deque[Handle], n: int) -> None:
    """Rotate the deque; holes stay at its end."""
    holes = len(queue) - len(_entries(queue))
    for _ in range(holes):
        _fill_hole(queue)
    queue.rotate(n)
    queue.extend([_HOLE] * holes)


class StockLoop(DequeScheduling):
    """The same operations on a loop that comes without them.

    Raises:
        UnsupportedLoopError: its ready queue cannot be reached.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        queue = getattr(loop, "_ready", None)
        if not isinstance(queue, deque):
            kind = type(loop)
            raise UnsupportedLoopError(
                f"the ready queue of {kind.__module__}.{kind.__qualname__} cannot be reached: "
                "run asyncio.run(main(), loop_factory=ohwait.scheduling.scheduling_loop_factory), or asyncio's own loop"
            )
        self._loop = loop
        self._queue: deque[Handle] = queue

    def get_ready_queue(self) -> deque[Handle]:
        return self._queue

    def _ready_loop(self) -> AbstractEventLoop:
        return self._loop
