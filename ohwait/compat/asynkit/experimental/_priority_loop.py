"""The ready queue of a loop that knows priorities."""

from __future__ import annotations

import asyncio
import random
from asyncio import Handle, Task
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from typing import Any, Generic, TypeVar

from ...._ready import AbstractSchedulingLoop
from ..loop.default import task_from_handle
from ..tools import PriorityQueue

__all__ = ["PosPriorityQueue", "PrioritySchedulingMixin", "PriorityValue", "priority_of"]

T = TypeVar("T")


def priority_of(task: object) -> float:
    """A task's effective priority; 0 if it knows of none."""
    method = getattr(task, "effective_priority", None)
    value = None if method is None else method()
    return 0.0 if value is None else float(value)


class PriorityValue:
    """A priority, with what waiting has added to it. Those of class 0 go before all of class 1."""

    __slots__ = ("base", "boost", "inserted", "rank")

    def __init__(self, base: float, *, rank: int = 1, inserted: int = 0) -> None:
        self.base = base
        self.boost = 0.0
        self.rank = rank
        self.inserted = inserted

    def priority(self) -> float:
        """The number that counts."""
        return self.base + self.boost

    def __lt__(self, other: PriorityValue) -> bool:
        return (self.rank, self.priority()) < (other.rank, other.priority())

    def __repr__(self) -> str:
        return f"PriorityValue({self.base}, boost={self.boost}, rank={self.rank})"


class PosPriorityQueue(Generic[T]):
    """A queue in the order of priorities whose first places can be given out: it may stand where a loop has a deque.

    What has waited while many others went by is moved up, by a random part of the way to the front, now and then.

    Args:
        get_priority: the priority of an object.
    """

    PATIENCE = 10
    """How many times the queue's length may go by before an object is moved up."""

    def __init__(self, get_priority: Callable[[T], float]) -> None:
        self._get_priority = get_priority
        self._pq: PriorityQueue[PriorityValue, T] = PriorityQueue()
        self._popped = 0
        self._until_maintenance = self.PATIENCE

    def __iter__(self) -> Iterator[T]:
        """The objects, in the order in which they would be popped."""
        return self._pq.ordered()

    def __len__(self) -> int:
        return len(self._pq)

    def __bool__(self) -> bool:
        return bool(self._pq)

    def clear(self) -> None:
        """Remove everything."""
        self._pq.clear()

    def append(self, obj: T) -> None:
        """Add an object in its place."""
        self.append_pri(obj, self._get_priority(obj))

    def append_pri(self, obj: T, priority: float) -> None:
        """Add an object with a priority of its own."""
        self._pq.add(PriorityValue(priority, inserted=self._popped), obj)

    def extend(self, objects: Iterable[T]) -> None:
        """Add objects in their places."""
        for obj in objects:
            self.append(obj)

    def insert(self, position: int, obj: T) -> None:
        """Add an object at a position, usually 0 or 1; it and those before it keep their places from then on."""
        items = list(self._pq.ordereditems())
        items.insert(position, (PriorityValue(0.0, rank=0, inserted=self._popped), obj))
        for value, _ in items[:position]:
            value.rank, value.base, value.boost = 0, 0.0, 0.0
        self._pq.clear()
        self._pq.extend(items)

    def popleft(self) -> T:
        """Remove and return the first object; IndexError if there is none."""
        obj = self._pq.pop()
        self._popped += 1
        self._until_maintenance -= 1
        if self._until_maintenance <= 0:
            self.do_maintenance()
        return obj

    def remove(self, obj: T) -> None:
        """Remove an object; ValueError if it is not there."""
        self._pq.remove(obj)

    def find(self, key: Callable[[T], bool], remove: bool = False) -> T | None:
        """The first object for which key(object) is true, removed if asked; None without one."""
        found = next((obj for obj in self if key(obj)), None)
        if remove and found is not None:
            self._pq.find(lambda other: other is found, remove=True)
        return found

    def reschedule(self, key: Callable[[T], bool], new_priority: float) -> T | None:
        """Change an object's priority; return it, or None if there is none for which key(object) is true."""
        return self._pq.reschedule(key, PriorityValue(new_priority, inserted=self._popped))

    def reschedule_all(self) -> None:
        """Ask for all priorities anew; what has a fixed place keeps it."""
        for value, obj in self._pq.items():
            if value.rank != 0:
                value.base = self._get_priority(obj)
        self._pq.refresh()

    def do_maintenance(self) -> None:
        """Move up what has waited for long."""
        self._until_maintenance = self.PATIENCE * max(1, len(self._pq))
        values = [value for value, _ in self._pq.items() if value.rank != 0]
        if not values:
            return
        first = min(value.priority() for value in values)
        for value in values:
            if self._popped - value.inserted >= self._until_maintenance and value.priority() > first:
                value.boost -= random.random() * (value.priority() - first) * 1.1
        self._pq.refresh()


class _ReadyQueue(PosPriorityQueue[Handle]):
    """The queue of a loop. A loop calls as many callbacks in a turn as there were when it began, whatever was removed
    meanwhile: so it gets a callback that does nothing where there is none."""

    def popleft(self) -> Handle:
        if not self:
            nothing = Handle(int, (), asyncio.get_running_loop())
            nothing.cancel()
            return nothing
        return super().popleft()


class PrioritySchedulingMixin(AbstractSchedulingLoop):
    """Makes an asyncio loop run what is ready in the order of priorities. `init` comes after the loop's own."""

    _ready: Any

    def init(self) -> None:
        """Put the queue in its place."""
        queue = _ReadyQueue(self.get_priority)
        queue.extend(self._ready)
        self._ready = queue

    def get_ready_queue(self) -> PosPriorityQueue[Handle]:
        """The queue."""
        queue: PosPriorityQueue[Handle] = self._ready
        return queue

    def get_priority(self, handle: Handle) -> float:
        """The priority of a callback: that of the task that it runs, or 0."""
        return priority_of(task_from_handle(handle))

    def queue_len(self) -> int:
        return len(self._ready)

    def queue_items(self) -> Iterator[Handle]:
        return iter(self.get_ready_queue())

    def queue_find(self, key: Callable[[Handle], bool], remove: bool = False) -> Handle | None:
        return self.get_ready_queue().find(key, remove)

    def queue_remove(self, handle: Handle) -> None:
        self.get_ready_queue().remove(handle)

    def queue_insert(self, handle: Handle) -> None:
        self.get_ready_queue().append(handle)

    def queue_insert_pos(self, handle: Handle, position: int) -> None:
        self.get_ready_queue().insert(position, handle)

    def call_pos(
        self, position: int, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        handle: Handle = self.call_soon(callback, *args, context=context)  # type: ignore[attr-defined]
        self.queue_remove(handle)
        self.queue_insert_pos(handle, position)
        return handle

    def task_reschedule(self, task: Task[Any]) -> None:
        """Find a task's place anew, if it is ready."""
        self.get_ready_queue().reschedule(lambda handle: task_from_handle(handle) is task, priority_of(task))
