"""asynkit.experimental.priority: tasks, locks, conditions and loops that know priorities. A lower number goes first.

A task that waits for a `PriorityLock` lends its priority to the `PriorityTask` that holds it.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop, Future, Lock, Task
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from enum import Enum
from typing import Any, Literal

from ...._scheduling_policy import SchedulingEventLoopPolicy
from ._priority_loop import PosPriorityQueue, PrioritySchedulingMixin, priority_of
from ._priority_loop import PriorityValue as PriorityValue

__all__ = [
    "BasePriorityObject",
    "DefaultPriorityEventLoop",
    "PosPriorityQueue",
    "Priority",
    "PriorityCondition",
    "PriorityEventLoopPolicy",
    "PriorityLock",
    "PrioritySchedulingMixin",
    "PrioritySelectorEventLoop",
    "PriorityTask",
]


class Priority(Enum):
    """Priorities to use."""

    HIGH = -10.0
    NORMAL = 0.0
    LOW = 10.0


class BasePriorityObject(ABC):
    """What has a priority that others may raise."""

    @abstractmethod
    def effective_priority(self) -> float | None:
        """The priority, that of whoever waits for it included; None if there is none."""

    @abstractmethod
    def propagate_priority(self, from_obj: Any) -> None:
        """Something began to wait for it, or waits with another priority now."""


@contextmanager
def _waiting_on(task: Task[Any] | None, target: Any) -> Generator[None, None, None]:
    if not isinstance(task, PriorityTask):
        yield
        return
    task.set_waiting_on(target)
    try:
        yield
    finally:
        task.set_waiting_on(None)


class PriorityLock(Lock, BasePriorityObject):
    """A Lock that the waiting task of the lowest number gets; the first one among equals."""

    def __init__(self) -> None:
        super().__init__()
        self._queue: list[tuple[Future[bool], Task[Any]]] = []
        self._holder: Task[Any] | None = None

    async def acquire(self) -> Literal[True]:
        """Wait until the lock is free and hold it."""
        task = asyncio.current_task()
        assert task is not None
        if not self._locked and not self._queue:
            self._take(task)
            return True
        entry = asyncio.get_running_loop().create_future(), task
        self._queue.append(entry)
        try:
            with _waiting_on(task, self):
                self.propagate_priority(task)
                await entry[0]
        except BaseException:
            self._queue.remove(entry)
            if not self._locked:
                self._wake_up_first()  # It may have been this one's turn.
            raise
        self._queue.remove(entry)
        self._take(task)
        return True

    def _take(self, task: Task[Any]) -> None:
        self._locked = True
        self._holder = task
        if isinstance(task, PriorityTask):
            task.add_owned_lock(self)

    def release(self) -> None:
        """Let another task have the lock; RuntimeError if nobody holds it."""
        if not self._locked:
            raise RuntimeError("Lock is not acquired.")
        self._locked = False
        if isinstance(self._holder, PriorityTask):
            self._holder.remove_owned_lock(self)
        self._holder = None
        self._wake_up_first()

    def _wake_up_first(self) -> None:
        if any(waiter.done() and not waiter.cancelled() for waiter, _ in self._queue):
            return  # Somebody has been woken and has not run yet.
        waiting = [entry for entry in self._queue if not entry[0].done()]
        if waiting:
            min(waiting, key=lambda entry: priority_of(entry[1]))[0].set_result(True)

    def effective_priority(self) -> float | None:
        """The lowest number of the tasks that wait; None if none does."""
        return min((priority_of(task) for waiter, task in self._queue if not waiter.done()), default=None)

    def propagate_priority(self, from_obj: Any) -> None:
        """Have the task that holds the lock take over the priority of one that waits."""
        if isinstance(self._holder, BasePriorityObject):
            self._holder.propagate_priority(self)

    _locked: bool


@asynccontextmanager
async def _released(lock: Lock) -> AsyncGenerator[None, None]:
    lock.release()
    try:
        yield
    finally:
        interrupted: asyncio.CancelledError | None = None
        while True:
            try:
                await lock.acquire()
                break
            except asyncio.CancelledError as error:
                interrupted = error
        if interrupted is not None:
            try:
                raise interrupted
            finally:
                interrupted = None


class PriorityCondition(asyncio.Condition):
    """A Condition that wakes the waiting tasks of the lowest numbers; its lock is a `PriorityLock` unless given."""

    def __init__(self, lock: Lock | None = None) -> None:
        super().__init__(PriorityLock() if lock is None else lock)
        self._queue: list[tuple[Future[bool], Task[Any]]] = []

    async def wait(self) -> Literal[True]:
        """Release the lock, wait to be notified, and get the lock back."""
        if not self.locked():
            raise RuntimeError("cannot wait on un-acquired lock")
        task = asyncio.current_task()
        assert task is not None
        entry = asyncio.get_running_loop().create_future(), task
        notified = False
        try:
            async with _released(self._lock):
                self._queue.append(entry)
                try:
                    with _waiting_on(task, self):
                        await entry[0]
                        notified = True
                finally:
                    notified = notified or (entry[0].done() and not entry[0].cancelled())
                    self._queue.remove(entry)
        except BaseException:
            if notified:
                self._notify(1)  # It cannot make use of it: somebody else may.
            raise
        return True

    def notify(self, n: int = 1) -> None:
        """Wake `n` tasks; RuntimeError unless the lock is held."""
        if not self.locked():
            raise RuntimeError("cannot notify on un-acquired lock")
        self._notify(n)

    def notify_all(self) -> None:
        """Wake all tasks."""
        self.notify(len(self._queue))

    def _notify(self, n: int) -> None:
        waiting = [entry for entry in self._queue if not entry[0].done()]
        for waiter, _ in sorted(waiting, key=lambda entry: priority_of(entry[1]))[:n]:
            waiter.set_result(True)

    def propagate_priority(self, from_obj: Any) -> None:
        """Nobody holds a condition."""

    _lock: Lock


class PriorityTask(Task[Any], BasePriorityObject):
    """A Task with a priority; change `priority_value` at any time.

    Args:
        coro: the coroutine.
        loop: the loop, by default the running one.
        name: the name.
        priority: the priority.
        kwargs: more for `asyncio.Task`.
    """

    def __init__(
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        loop: AbstractEventLoop | None = None,
        name: str | None = None,
        priority: float = 0,
        **kwargs: Any,
    ) -> None:
        self._owned: set[PriorityLock] = set()
        self._waiting_for: Any = None
        self.priority_value: float = priority
        super().__init__(coro, loop=loop, name=name, **kwargs)

    def add_owned_lock(self, lock: PriorityLock) -> None:
        """It holds the lock."""
        self._owned.add(lock)

    def remove_owned_lock(self, lock: PriorityLock) -> None:
        """It no longer holds the lock."""
        self._owned.discard(lock)

    def set_waiting_on(self, obj: Any) -> None:
        """It waits for the object; None: for nothing."""
        self._waiting_for = obj

    def priority(self) -> float:
        """Its own priority."""
        return self.priority_value

    def effective_priority(self) -> float:
        """Its own priority, or that of a task that waits for a lock which it holds, whichever is lower."""
        waiting = (lock.effective_priority() for lock in self._owned)
        return min(
            (value for value in waiting if value is not None and value < self.priority_value),
            default=self.priority_value,
        )

    def reschedule(self) -> None:
        """Find its new place in the ready queue, if its loop knows priorities and it is there."""
        loop = self.get_loop()
        if isinstance(loop, PrioritySchedulingMixin):
            loop.task_reschedule(self)

    def propagate_priority(self, from_obj: Any) -> None:
        """Somebody waits for a lock that it holds: pass that on to what it waits for itself, or move up."""
        if self._waiting_for is not None:
            self._waiting_for.propagate_priority(self)
        else:
            self.reschedule()


# ---- loops ----


class PrioritySelectorEventLoop(asyncio.SelectorEventLoop, PrioritySchedulingMixin):
    """asyncio's selector loop, which runs what is ready in the order of priorities."""

    def __init__(self, arg: Any = None) -> None:
        super().__init__(arg)
        self.init()


DefaultPriorityEventLoop: Any = PrioritySelectorEventLoop

if hasattr(asyncio, "ProactorEventLoop"):

    class PriorityProactorEventLoop(
        asyncio.ProactorEventLoop,  # type: ignore[name-defined,misc]
        PrioritySchedulingMixin,
    ):
        """asyncio's proactor loop (Windows), which runs what is ready in the order of priorities."""

        def __init__(self, arg: Any = None) -> None:
            super().__init__(arg)
            self.init()

    DefaultPriorityEventLoop = PriorityProactorEventLoop
    __all__ += ["PriorityProactorEventLoop"]


class PriorityEventLoopPolicy(SchedulingEventLoopPolicy):
    """Makes loops that know priorities."""

    def new_event_loop(self) -> AbstractEventLoop:
        loop: AbstractEventLoop = DefaultPriorityEventLoop()
        return loop
