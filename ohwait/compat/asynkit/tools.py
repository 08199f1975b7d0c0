"""asynkit.tools: a priority queue, and what helps with futures and deques."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from ...eager import cancelling

__all__ = ["Cancellable", "PriorityQueue", "cancelling", "create_task", "deque_pop"]

T = TypeVar("T")


class Cancellable(Protocol):
    """What can be cancelled."""

    def cancel(self, msg: str | None = None) -> Any: ...
    def cancelled(self) -> bool: ...


class Sortable(Protocol):
    """What can be compared."""

    def __lt__(self, other: Any, /) -> bool: ...


K = TypeVar("K", bound=Sortable)

create_task = asyncio.create_task


def deque_pop(d: deque[T], pos: int = -1) -> T:
    """``list.pop(pos)`` for a deque."""
    if not -len(d) <= pos < len(d):
        raise IndexError("pop index out of range" if d else "pop from an empty deque")
    item = d[pos]
    del d[pos]
    return item


class PriEntry(Generic[K, T]):
    """One item of a `PriorityQueue`: ordered by priority, then by when it came."""

    __slots__ = ("obj", "priority", "sequence")

    def __init__(self, priority: K, sequence: int, obj: T) -> None:
        self.priority = priority
        self.sequence = sequence
        self.obj = obj

    def __lt__(self, other: PriEntry[K, T]) -> bool:
        if self.priority < other.priority:
            return True
        return not other.priority < self.priority and self.sequence < other.sequence

    def __repr__(self) -> str:
        return f"PriEntry({self.priority!r}, {self.sequence}, {self.obj!r})"


class PriorityQueue(Generic[K, T]):
    """Objects with priorities: the lowest comes first, and among equals the one that was added first."""

    def __init__(self) -> None:
        self._pq: list[PriEntry[K, T]] = []
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._pq)

    def __bool__(self) -> bool:
        return bool(self._pq)

    def __iter__(self) -> Iterator[T]:
        """The objects, in the order of the heap: sorted only after `sort`."""
        return (entry.obj for entry in self._pq)

    def items(self) -> Iterator[tuple[K, T]]:
        """(priority, object) pairs, in the order of the heap."""
        return ((entry.priority, entry.obj) for entry in self._pq)

    def refresh(self) -> None:
        """Restore the order after priorities, which may be mutable, have changed."""
        heapq.heapify(self._pq)

    def sort(self) -> None:
        """Put the items in order, for iterations."""
        self._pq.sort()

    def sorted(self) -> PriorityQueue[K, T]:
        """A copy in order."""
        other = self.copy()
        other.sort()
        return other

    def ordered(self) -> Generator[T, None, None]:
        """The objects in the order in which they would be popped. To be exhausted or closed."""
        for _, obj in self.ordereditems():
            yield obj

    def ordereditems(self) -> Generator[tuple[K, T], None, None]:
        """(priority, object) pairs in the order in which they would be popped. To be exhausted or closed."""
        heap = list(self._pq)
        while heap:
            entry = heapq.heappop(heap)
            yield entry.priority, entry.obj

    def clear(self) -> None:
        """Remove everything."""
        self._pq.clear()

    def add(self, pri: K, obj: T) -> None:
        """Add an object."""
        self._sequence += 1
        heapq.heappush(self._pq, PriEntry(pri, self._sequence, obj))

    def extend(self, entries: Iterable[tuple[K, T]]) -> None:
        """Add (priority, object) pairs."""
        for pri, obj in entries:
            self.add(pri, obj)

    def pop(self) -> T:
        """Remove and return the first object; IndexError if there is none."""
        return heapq.heappop(self._pq).obj

    def popitem(self) -> tuple[K, T]:
        """Remove and return the first (priority, object) pair; IndexError if there is none."""
        entry = heapq.heappop(self._pq)
        return entry.priority, entry.obj

    def peek(self) -> T:
        """The first object; IndexError if there is none."""
        return self._pq[0].obj

    def peekitem(self) -> tuple[K, T]:
        """The first (priority, object) pair; IndexError if there is none."""
        return self._pq[0].priority, self._pq[0].obj

    def copy(self) -> PriorityQueue[K, T]:
        """Another queue of the same objects."""
        other: PriorityQueue[K, T] = PriorityQueue()
        other._pq = list(self._pq)
        other._sequence = self._sequence
        return other

    def remove(self, obj: T) -> K:
        """Remove an object, found by ``==``, and return its priority; ValueError if it is not there."""
        found = self.find(lambda other: other is obj or bool(other == obj), remove=True)
        if found is None:
            raise ValueError(f"PriorityQueue.remove(): {obj!r} is not in the queue")
        return found[0]

    def find(self, key: Callable[[T], bool], remove: bool = False) -> tuple[K, T] | None:
        """The (priority, object) pair of the first object in the heap for which key(object) is true, or None."""
        index = self._index(key)
        if index is None:
            return None
        entry = self._pq[index]
        if remove:
            self._drop(index)
        return entry.priority, entry.obj

    def reschedule(self, key: Callable[[T], bool], new_priority: K) -> T | None:
        """Change the priority of the first object for which key(object) is true, and return it; None without one."""
        index = self._index(key)
        if index is None:
            return None
        obj = self._pq[index].obj
        self._drop(index)
        self.add(new_priority, obj)
        return obj

    def _index(self, key: Callable[[T], bool]) -> int | None:
        return next((index for index, entry in enumerate(self._pq) if key(entry.obj)), None)

    def _drop(self, index: int) -> None:
        last = self._pq.pop()
        if index < len(self._pq):
            self._pq[index] = last
            heapq.heapify(self._pq)
