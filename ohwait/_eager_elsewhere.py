"""Eager starts where asyncio does not run, and what trio's primitives need: they belong to a task.

A trio primitive notes the current task before it suspends, and whoever wakes it reschedules that task. So nothing else
may run in the task until the primitive's request has reached trio, and no other task can take the request there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar

from . import _eager
from ._errors import OhwaitError

__all__ = ["ContinuationError", "Finished", "elsewhere", "foreign", "owner", "withdraw"]

T_co = TypeVar("T_co", covariant=True)


class ContinuationError(OhwaitError):
    """A started coroutine cannot be continued here: its loop wants it in the task in which it suspended."""


ContinuationError.__module__ = "ohwait.eager"


class Finished(Generic[T_co]):
    """The outcome of a coroutine that finished at once where asyncio does not run: awaitable, any number of times."""

    def __init__(self, start: _eager.CoroStart[T_co]) -> None:
        self._start = start

    def done(self) -> bool:
        """True: the coroutine has finished."""
        return True

    def result(self) -> T_co:
        """What the coroutine returned, or raise what it raised."""
        return self._start.result()

    def exception(self) -> BaseException | None:
        """What the coroutine raised, or None."""
        return self._start.exception()

    def cancelled(self) -> bool:
        """False."""
        return False

    def cancel(self, msg: object = None) -> bool:
        """False: there is nothing left to cancel."""
        return False

    def __await__(self) -> Generator[Any, Any, T_co]:
        return self.result()
        yield


def owner() -> object:
    """The trio task that runs now, or None. Called when trio is imported."""
    try:
        return sys.modules["trio"].lowlevel.current_task()
    except RuntimeError:
        return None
    except AttributeError:  # trio is being imported.
        return None


def withdraw(yielded: object) -> None:
    """Take back what a trio primitive asked for, as trio does to cancel a task that waits.

    Raises:
        ContinuationError: if the primitive does not let itself be taken back now.
    """
    abort = getattr(yielded, "abort_func", None)
    if abort is None:
        return  # Not waiting for anybody: cancel_shielded_checkpoint().

    def raise_cancel() -> None:
        raise ContinuationError("the coroutine was taken back before trio knew that it waits")

    if getattr(abort(raise_cancel), "name", "SUCCEEDED") != "SUCCEEDED":
        raise ContinuationError(
            f"the coroutine waits for something in trio that cannot be taken back ({abort!r}): "
            "await the CoroStart in the task that started it"
        )


def foreign(task: object) -> ContinuationError:
    """The error for a coroutine that is continued outside the trio task in which it suspended."""
    return ContinuationError(
        f"the coroutine suspended in trio's {task!r}, and trio's primitives belong to a task: "
        "await the CoroStart there, or start the coroutine in a nursery instead (nursery.start_soon)"
    )


def elsewhere(
    coro: Coroutine[Any, Any, T_co] | _eager.CoroStart[T_co],
    context: Context,
    task_factory: Callable[[Coroutine[Any, Any, T_co]], Any] | None,
) -> Any:
    """`coro_eager` where asyncio does not run, or where trio runs as its guest (given what has suspended already)."""
    start = coro if isinstance(coro, _eager.CoroStart) else _eager.CoroStart(coro, context)
    if start.done():
        if isinstance(start.exception(), (KeyboardInterrupt, SystemExit)):
            start.result()
        return Finished(start)
    here = owner() if "trio" in sys.modules else None
    if task_factory is not None and here is None:
        return task_factory(_rest(start))
    name = getattr(start.coro, "__qualname__", repr(start.coro))
    if here is not None:
        error = ContinuationError(
            f"eager(): {name}() suspended in trio's {here!r}, and no other trio task can continue it, since trio's "
            "primitives belong to a task. It was ended. Start it in a nursery (nursery.start_soon), or use "
            "CoroStart and await it before the task waits for anything else"
        )
    else:
        error = ContinuationError(
            f"eager(): {name}() suspended, and no asyncio loop runs that would make a Task of the rest. It was ended. "
            "Pass task_factory, which is called with the rest of the coroutine"
        )
    try:
        start.close()
    finally:
        raise error


async def _rest(start: _eager.CoroStart[T_co]) -> T_co:
    return await start._continuation(None)
