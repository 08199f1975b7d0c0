"""Where the tasks of one scope live, and how their errors and the body's become one exception.

`Group` does with the `Backend` protocol alone; asyncio, trio and curio refine it. `ohwait._scope` keeps the count of
the children, so a group never has to wait before it can tell that all of them have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ._protocol import Backend, Event

__all__ = ["Group", "finish_now", "open_group"]

T = TypeVar("T")
_FATAL = (KeyboardInterrupt, SystemExit)


def open_group(backend: Backend) -> Group:
    """A group for a scope that the running task opens; backends that inherit no `group` get the general one."""
    make: Callable[[], Group] | None = getattr(backend, "group", None)
    group = make() if make is not None else Group(backend)
    group.open()
    return group


def finish_now(coro: Coroutine[Any, Any, T], answer: Callable[[], object] = lambda: None) -> T:
    """Run a coroutine that does no more than pass schedule points, without an event loop.

    Args:
        coro: the coroutine.
        answer: makes what the loop would send to resume it from a schedule point.
    """
    reply = None
    while True:
        try:
            coro.send(reply)
        except StopIteration as stop:
            value: T = stop.value
            return value
        reply = answer()


class Group:
    """The tasks of one scope on any loop. Its `body` is the task that opened the scope."""

    message = "unhandled errors in a scope"

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.body: Any = None

    def open(self) -> None:
        """Enter the scope in the running task. Does not suspend."""
        self.body = self.backend.current_task()

    def start(self, child: Coroutine[Any, Any, None], name: str, ended: Callable[[], None]) -> object:
        """Start a child. `ended` is for loops that may end a task without having started it: they call it then."""
        return self.backend.start_task(child, name)

    def cancel(self, task: Any) -> None:
        """Ask a child to end."""
        self.backend.cancel_task(task)

    def interrupt(self) -> None:
        """Wake the body, because a child has failed. Not every loop can: then the body learns of it at its end."""

    def divide(self, error: BaseException) -> tuple[BaseException | None, BaseException | None]:
        """What ended a child, as (what the scope reports, what the child's task raises to its loop)."""
        if isinstance(error, self.backend.cancelled) or isinstance(error, GeneratorExit):
            return None, error
        return error, error if isinstance(error, _FATAL) else None

    async def wait(self, event: Event) -> None:
        """Wait for `event`; may be cancelled."""
        await event.wait()

    async def wait_shielded(self, event: Event) -> None:
        """Wait for `event` in a body that has been cancelled already, and may be again."""
        await event.wait()

    async def close(self, errors: list[BaseException], error: BaseException | None) -> BaseException | None:
        """Leave the scope, all children having ended; return what it is to raise, or None.

        Args:
            errors: of the children, in the order in which they failed.
            error: of the body, or what was raised in it while it waited for the children.
        """
        return self.combine(errors, error)

    def close_now(self, errors: list[BaseException], error: BaseException | None) -> BaseException | None:
        """`close` where nothing can be waited for."""
        return finish_now(self.close(errors, error))

    def abandon(self) -> None:
        """Leave the scope although children still run: the loop looks after them. They have been cancelled."""

    def combine(self, errors: list[BaseException], error: BaseException | None) -> BaseException | None:
        """The one exception that the scope raises: as asyncio's TaskGroup decides, on every loop but trio."""
        for fatal in (error, *errors):
            if isinstance(fatal, _FATAL):
                return fatal
        cancelled = isinstance(error, self.backend.cancelled)
        if not errors and (error is None or cancelled or isinstance(error, GeneratorExit)):
            return error
        found = list(errors)
        if error is not None and not cancelled and all(error is not other for other in errors):
            found.append(error)
        return BaseExceptionGroup(self.message, found)
