"""Completions: awaitables that are completed from outside, by any thread, in any language.

A `Completion` belongs to no event loop. Any number of tasks await it, of asyncio, uvloop, trio and curio, in any number
of threads, and so does plain code by ``ohwait(completion)``; each is woken in its own loop when some thread completes
it. Who cancels a wait cancels that wait alone::

    completion = Completion()
    threading.Thread(target=lambda: completion.set_result(compute())).start()
    value = await completion

Threads that do not hold the GIL complete them through the C API: `get_include` says where ohwait.h is, whose head has
the rules. docs/completion.md tells when to use what.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from . import _completion
from ._completion import Completion
from ._errors import OhwaitError

__all__ = [
    "Completion",
    "CompletionAbandoned",
    "CompletionCancelled",
    "CompletionError",
    "CompletionLoopError",
    "CompletionStateError",
    "get_include",
]


class CompletionError(OhwaitError):
    """The base of the errors that completions have of their own."""


class CompletionStateError(CompletionError, asyncio.InvalidStateError):
    """It is complete already and cannot be completed again, or it is not complete and was asked for its result."""


class CompletionCancelled(CompletionError, asyncio.CancelledError):
    """The Completion was cancelled, by its `cancel`: what each one gets who awaits it, under every loop.

    An ordinary exception, under trio and curio too. To asyncio it is a CancelledError, so that a task that lets it pass
    counts as cancelled, as with a Future.
    """


class CompletionLoopError(CompletionError):
    """It cannot be awaited here, as no event loop runs; or a loop in which it is awaited cannot be reached any more."""


class CompletionAbandoned(CompletionError):
    """The code outside Python that had promised to complete it gave up its last handle without doing so."""


def get_include() -> str:
    """The directory of ohwait.h, for a compiler's -I."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")


def _park(waiter: _completion.Waiter) -> Coroutine[Any, Any, object] | None:
    """What waits for `waiter` in the task that runs now, if it is one of trio's or curio's."""
    if (token := _trio_token()) is not None:
        return _park_in_trio(waiter, token)
    curio = sys.modules.get("curio")
    if curio is not None and curio.meta.curio_running():
        return _park_in_curio(waiter, curio)
    return None


def _trio_token() -> object:
    """That of the trio run whose task runs now, or None."""
    trio = sys.modules.get("trio")
    if trio is None:
        return None
    try:
        trio.lowlevel.current_task()
    except (RuntimeError, AttributeError):  # AttributeError: it is being imported.
        return None
    token: object = trio.lowlevel.current_trio_token()
    return token


async def _park_in_trio(waiter: _completion.Waiter, token: object) -> None:
    trio: Any = sys.modules["trio"]
    task = trio.lowlevel.current_task()

    def abort(_: object) -> object:
        waiter.cancel()
        return trio.lowlevel.Abort.SUCCEEDED

    waiter.park(token, lambda _: trio.lowlevel.reschedule(task))
    await trio.lowlevel.wait_task_rescheduled(abort)


async def _park_in_curio(waiter: _completion.Waiter, curio: Any) -> None:
    await curio.traps._future_wait(_CurioFuture(waiter))


class _CurioFuture:
    """What curio's trap for Futures wants of one: to be told from any thread, and to be cancelled."""

    def __init__(self, waiter: _completion.Waiter) -> None:
        self._waiter = waiter

    def add_done_callback(self, wake: Callable[[_CurioFuture], object]) -> None:
        def tell(_: object) -> None:
            # curio has noted the task when its socket to itself is full, and will find it.
            with suppress(BlockingIOError):
                wake(self)

        self._waiter.add_done_callback(tell)

    def cancel(self) -> bool:
        return self._waiter.cancel()


for _class in [CompletionError, *CompletionError.__subclasses__()]:
    _class.__module__ = "ohwait.completion"
del _class

_completion.configure(
    get_running_loop=asyncio._get_running_loop,
    park=_park,
    token=_trio_token,
    cancelled=CompletionCancelled,
    task_cancelled=asyncio.CancelledError,
    state_error=CompletionStateError,
    loop_error=CompletionLoopError,
    abandoned=CompletionAbandoned,
)
