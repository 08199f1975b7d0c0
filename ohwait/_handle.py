"""A child of a scope, as plain code sees it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ._core import ohwait
from ._errors import OhwaitError

if TYPE_CHECKING:
    from ._backends._protocol import Event
    from ._scope import Scope

__all__ = ["Handle"]

T = TypeVar("T")


class Handle(Generic[T]):
    """What `Scope.spawn` returns: a child, its result, and the means to cancel it. Not to be made otherwise."""

    __slots__ = (
        "_cancelled",
        "_done",
        "_ended",
        "_error",
        "_name",
        "_scope",
        "_started",
        "_task",
        "_to_cancel",
        "_value",
    )

    def __init__(self, scope: Scope, name: str) -> None:
        self._scope = scope
        self._name = name
        self._task: Any = None
        self._started = self._to_cancel = False
        self._done = self._cancelled = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._ended: Event | None = None

    def __repr__(self) -> str:
        state = "cancelled" if self._cancelled else f"failed: {self._error!r}" if self._error else "done"
        return f"<ohwait.Handle {self._name} {state if self._done else 'running'}>"

    def done(self) -> bool:
        """Whether the child has ended: returned, raised or been cancelled."""
        return self._done

    def cancelled(self) -> bool:
        """Whether the child ended by being cancelled."""
        return self._cancelled

    def cancel(self) -> bool:
        """Ask the child to end; return False if it has ended already. Does not wait.

        The loop raises its cancellation where the child waits. A child that has not started yet will not.
        """
        if self._done:
            return False
        self._to_cancel = True
        if self._started and self._task is not None:
            self._scope.group.cancel(self._task)
        return True

    def result(self) -> T:
        """Wait until the child has ended; return its value or raise its exception. Works from plain code.

        Also in a coroutine, where ``await handle`` is the same. A child that fails interrupts the body of its scope,
        as in the loop's own groups: in the body this wait then ends by the loop's cancellation, and the exception
        arrives in the scope's ExceptionGroup.

        Raises:
            OhwaitError: the child was cancelled and has no result; or `ohwait` cannot suspend here.
        """
        if not self._done or self._scope.holds_body():
            ohwait(self._wait())
        return self._outcome()

    def __await__(self) -> Generator[Any, Any, T]:
        yield from self._wait().__await__()
        return self._outcome()

    async def _wait(self) -> None:
        if not self._done:
            if self._ended is None:
                self._ended = self._scope.group.backend.event()
            await self._ended.wait()
        if self._scope.holds_body():
            await self._scope.wait_idle()

    def _outcome(self) -> T:
        if self._cancelled:
            raise OhwaitError(f"{self._name}, a child of ohwait.scope(), was cancelled: it has no result")
        if self._error is not None:
            raise self._error
        return cast(T, self._value)

    def _end(self, value: T | None = None, error: BaseException | None = None, *, cancelled: bool = False) -> None:
        """Keep the outcome, and wake whoever waits for it."""
        self._value, self._error, self._cancelled = value, error, cancelled
        self._done = True
        if self._ended is not None:
            self._ended.set()


def name_of(fn: Callable[..., object]) -> str:
    """What to call the task of a function."""
    return getattr(fn, "__qualname__", None) or repr(fn)
