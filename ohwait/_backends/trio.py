"""The trio backend."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import outcome
import trio

from ._group import Group, finish_now

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from ._protocol import Event

__all__ = ["TrioBackend"]

T = TypeVar("T")


class TrioBackend:
    """trio."""

    name = "trio"
    cancelled = trio.Cancelled

    def __repr__(self) -> str:
        return f"<ohwait backend {self.name}>"

    def running(self) -> bool:
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            return False
        return True

    def run(self, main: Callable[[], Coroutine[Any, Any, T]], /) -> T:
        return trio.run(main)

    def sleep(self, seconds: float, /) -> Awaitable[None]:
        return trio.sleep(seconds)

    def current_task(self) -> trio.lowlevel.Task:
        return trio.lowlevel.current_task()

    def start_task(self, child: Coroutine[Any, Any, object], name: str, /) -> trio.CancelScope:
        """Start a system task; only `TrioGroup` starts children of a scope. Return what cancels it."""
        scope = trio.CancelScope()
        trio.lowlevel.spawn_system_task(_within, scope, child, name=name)
        return scope

    def cancel_task(self, task: trio.CancelScope, /) -> None:
        task.cancel()

    def event(self) -> Event:
        return trio.Event()

    def group(self) -> Group:
        return TrioGroup(self)


async def _within(scope: trio.CancelScope, child: Coroutine[Any, Any, object]) -> None:
    with scope:
        await child


class TrioGroup(Group):
    """A nursery that the body's own task opens, so that cancel scopes, deadlines and shields nest as always in trio.

    A cancel scope around the nursery interrupts the body when a child has failed.
    """

    message = "Exceptions from Trio nursery"
    _manager: AbstractAsyncContextManager[trio.Nursery]

    def open(self) -> None:
        self.body = trio.lowlevel.current_task()
        self._scope = trio.CancelScope()
        self._scope.__enter__()
        self._manager = trio.open_nursery(strict_exception_groups=True)
        self._nursery: trio.Nursery = finish_now(self._manager.__aenter__())

    def start(self, child: Coroutine[Any, Any, None], name: str, ended: Callable[[], None]) -> trio.CancelScope:
        scope = trio.CancelScope()
        self._nursery.start_soon(_within, scope, child, name=name)
        return scope

    def interrupt(self) -> None:
        self._scope.cancel()

    def divide(self, error: BaseException) -> tuple[BaseException | None, BaseException | None]:
        if isinstance(error, BaseExceptionGroup):
            cancelled, others = error.split(trio.Cancelled)
            return others, cancelled
        return (None, error) if isinstance(error, (trio.Cancelled, GeneratorExit)) else (error, None)

    async def wait_shielded(self, event: Event) -> None:
        with trio.CancelScope(shield=True):
            await event.wait()

    async def close(self, errors: list[BaseException], error: BaseException | None) -> BaseException | None:
        found = list(errors)
        try:
            await self._manager.__aexit__(None, None, None)
        except BaseExceptionGroup as group:  # Cancelled ones: children raise nothing else to the nursery.
            found.extend(group.exceptions)
        return self._filter(self.combine(found, error))

    def close_now(self, errors: list[BaseException], error: BaseException | None) -> BaseException | None:
        return finish_now(self.close(errors, error), lambda: outcome.Value(None))

    def combine(self, errors: list[BaseException], error: BaseException | None) -> BaseException | None:
        """As a nursery does: everything that happened, in one group; but a bare `error` of cancellation stays bare."""
        if not errors and (error is None or isinstance(error, (trio.Cancelled, GeneratorExit))):
            return error
        found = list(errors)
        if error is not None and all(error is not other for other in errors):
            found.insert(0, error)
        return BaseExceptionGroup(self.message, found)

    def _filter(self, error: BaseException | None) -> BaseException | None:
        """Leave the cancel scope, which keeps back what it has cancelled itself."""
        try:
            kept = self._scope.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
        except BaseException as rest:
            return rest
        return None if kept else error

    def abandon(self) -> None:
        """Give the nursery to a system task, which exits it as soon as the children have ended.

        trio has no public way to do so. What is set here is what the system task would have if it had opened the
        nursery itself, and what the body would have if it had exited it (trio/_core/_run.py: Nursery.__init__,
        NurseryManager.__aexit__, CancelStatus).
        """
        nursery: Any = self._nursery
        nursery.cancel_scope.cancel()
        heir: Any = trio.lowlevel.spawn_system_task(_exit, self._manager, name="ohwait: children left behind")
        status = nursery._cancel_status
        self.body._child_nurseries.remove(nursery)
        self.body._activate_cancel_status(status.parent)
        status.parent = heir._cancel_status
        nursery._parent_task = heir
        heir._child_nurseries.append(nursery)
        heir._activate_cancel_status(status)
        self._filter(None)


async def _exit(manager: AbstractAsyncContextManager[trio.Nursery]) -> None:
    await manager.__aexit__(None, None, None)
