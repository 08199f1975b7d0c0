"""What ohwait asks of an event loop: the typed `Backend` protocol.

A backend gives plain code what it needs besides waiting. Waiting itself needs none: what an awaitable yields
reaches whatever loop drives the coroutine below, unchanged.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from ._group import Group

__all__ = ["Backend", "Event"]

T = TypeVar("T")


class Event(Protocol):
    """A flag that tasks can wait for. `asyncio.Event` and `trio.Event` are of this shape."""

    def set(self) -> object:
        """Wake all that wait, now and later. Does not suspend; called from a task of the same loop."""

    def wait(self) -> Awaitable[object]:
        """Return when the flag is set, at once if it is set already."""


class Backend(Protocol):
    """An event loop. One subclass with these members is all that `use_backend` and `register_backend` need.

    Only `sleep` and `Event.wait` return awaitables; everything else must do its work without suspending.

    `name` and `cancelled` are best written as plain attributes of the class.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """How `register_backend` and messages call it."""

    @property
    @abstractmethod
    def cancelled(self) -> type[BaseException] | tuple[type[BaseException], ...]:
        """What the loop raises in a task that it cancels."""

    @abstractmethod
    def running(self) -> bool:
        """Whether this loop runs now, in this thread, with no other loop nested in it. Called often: keep it quick."""

    @abstractmethod
    def run(self, main: Callable[[], Coroutine[Any, Any, T]], /) -> T:
        """Start the loop, run ``main()`` as its main task, stop the loop; return or raise what the task did."""

    @abstractmethod
    def sleep(self, seconds: float, /) -> Awaitable[object]:
        """An awaitable that takes this long; 0 lets the other tasks run once."""

    @abstractmethod
    def current_task(self) -> object:
        """The loop's own object for the task that runs now, or None in a callback of the loop."""

    @abstractmethod
    def start_task(self, child: Coroutine[Any, Any, object], name: str, /) -> object:
        """Schedule `child` as a task of its own, always to be given its first step, and return the task."""

    @abstractmethod
    def cancel_task(self, task: Any, /) -> None:
        """Ask a task that `start_task` returned to end, by raising `cancelled` where it waits."""

    @abstractmethod
    def event(self) -> Event:
        """A new `Event`, not set."""

    def group(self) -> Group:
        """A new, unopened group for the tasks of one scope; override where the loop has more to offer."""
        from ._group import Group

        return Group(self)
