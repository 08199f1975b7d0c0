"""The asyncio backend, for uvloop and any other loop of asyncio's shape as well."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ._group import Group

if TYPE_CHECKING:
    from ._protocol import Event

__all__ = ["AsyncioBackend"]

T = TypeVar("T")


class AsyncioBackend:
    """asyncio.

    Args:
        loop_factory: makes the loop that `run` starts, such as ``uvloop.new_event_loop``; None for asyncio's default.
    """

    name = "asyncio"
    cancelled = asyncio.CancelledError

    def __init__(self, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
        self._loop_factory = loop_factory

    def __repr__(self) -> str:
        return f"<ohwait backend {self.name}>"

    def running(self) -> bool:
        return asyncio._get_running_loop() is not None

    def run(self, main: Callable[[], Coroutine[Any, Any, T]], /) -> T:
        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            return runner.run(main())

    def sleep(self, seconds: float, /) -> Coroutine[Any, Any, None]:
        return asyncio.sleep(seconds)

    def current_task(self) -> asyncio.Task[Any] | None:
        return asyncio.current_task()

    def start_task(self, child: Coroutine[Any, Any, object], name: str, /) -> asyncio.Task[object]:
        return asyncio.get_running_loop().create_task(child, name=name)

    def cancel_task(self, task: asyncio.Task[object], /) -> None:
        task.cancel()

    def event(self) -> Event:
        return asyncio.Event()

    def group(self) -> Group:
        return AsyncioGroup(self)


class AsyncioGroup(Group):
    """The rules of asyncio.TaskGroup (as of 3.15: cancellation from outside is kept apart from the group's own).

    Not a TaskGroup itself, because that learns of a child's end in a callback, one turn of the loop later: too late
    for a ``with`` statement that is left by an exception and cannot wait.
    """

    message = "unhandled errors in a TaskGroup"
    body: asyncio.Task[Any]
    _interrupted = False

    def start(self, child: Coroutine[Any, Any, None], name: str, ended: Callable[[], None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(child, name=name)
        task.add_done_callback(lambda _: ended())  # A task cancelled before its first step never runs `child`.
        return task

    def interrupt(self) -> None:
        self._interrupted = True
        self.body.cancel()

    async def close(self, errors: list[BaseException], error: BaseException | None) -> BaseException | None:
        if self._interrupted:
            if error is None:
                try:
                    await asyncio.sleep(0)  # The body was about to be cancelled when it ended: here it is.
                except asyncio.CancelledError as cancelled:
                    error = cancelled
            if self.body.uncancel() == 0 and isinstance(error, asyncio.CancelledError):
                error = None
        final = self.combine(errors, error)
        if final is not error and self.body.cancelling() and _uncancel_withdraws():
            # The errors go first; the cancellation from outside comes again at the next await.
            self.body.uncancel()
            self.body.cancel()
        return final


@functools.cache
def _uncancel_withdraws() -> bool:
    """Whether `Task.uncancel` takes back a cancellation that has not been raised yet (as of 3.13).

    If not, a cancellation that is repeated here would outlive the timeout that it is for.
    """
    task = asyncio.Task(asyncio.sleep(0), loop=asyncio.get_running_loop())
    task.cancel()
    task.uncancel()
    withdrawn = not task._must_cancel  # type: ignore[attr-defined]
    task.cancel()
    return withdrawn
