"""Moves of plain functions, with everything between them and their task. Nothing has to be decorated."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from types import TracebackType
from typing import ParamSpec, TypeVar

from .. import _core
from .._core import ohwait
from .._diagnosis import refusal
from .._direct import direct_exit
from .._host import call_plainly
from ._journey import Request, current_journey, require_task
from ._targets import loop_for, loop_of
from ._trace import report_switch

__all__ = ["Switched", "call_in_executor", "in_executor", "switch_back", "switch_to_executor", "switch_to_loop"]

P = ParamSpec("P")
R = TypeVar("R")


def switch_to_executor(executor: Executor, /, *, debug: bool = False) -> None:
    """Go on in the executor: this plain function, those that called it, and the coroutines below.

    Until `switch_back`, another switch, or the end of the task, whose result is delivered in its own event loop; a
    function with `use_awaiter` on the way is a boundary: its caller goes on at home. The task stays
    `asyncio.current_task()`, and is cancelled, timed out and awaited as ever. What it awaits works: futures of its
    own and any other event loop, `asyncio.sleep`, timeouts, tasks started there. Locks, events and queues that belong
    to the event loop are refused by asyncio, since they are not made for threads. No thread is held while it waits;
    after each wait it may be another one of the executor's.

    Args:
        executor: runs threads of this process.
        debug: print to stderr where the call is, and the thread in which it goes on.

    Raises:
        TypeError: it is no executor.
        DispatchError: this is not in an asyncio task (trio's and curio's cannot leave their thread); or the executor
            takes no jobs, or is of another process or interpreter.
        OhwaitError: `ohwait` cannot suspend here (its subclasses say why).
    """
    _switch(loop_for(executor, "switch_to_executor()"))
    if debug:
        report_switch(sys._getframe(1))


def switch_to_loop(loop: asyncio.AbstractEventLoop, /, *, debug: bool = False) -> None:
    """As `switch_to_executor`, but go on in another thread's running event loop.

    Raises:
        TypeError: it is no event loop of asyncio's shape.
        DispatchError: this is not in an asyncio task, or the loop does not run.
        OhwaitError: `ohwait` cannot suspend here (its subclasses say why).
    """
    _switch(loop_of(loop, "switch_to_loop()"))
    if debug:
        report_switch(sys._getframe(1))


def switch_back() -> None:
    """Go on in the event loop of the running task, wherever it is now.

    Raises:
        DispatchError: this is not in an asyncio task.
        OhwaitError: `ohwait` cannot suspend here (its subclasses say why).
    """
    _switch(require_task("switch_back()").get_loop())


def in_executor(executor: Executor, /, *, debug: bool = False) -> Switched:
    """A block that runs in the executor: ``with in_executor(executor):``, in a plain function or a coroutine's.

    Moves as `switch_to_executor` does, already when it is called, since CPython cannot suspend a function in
    ``__enter__`` before 3.14; use it in a `with` statement only. At the end of the block the function comes back.
    CPython leaves a block that raises through C, where nothing can wait: then it comes back at the next `await` or
    `ohwait`, or by `switch_back`. `call_in_executor` comes back in every case, and so does a coroutine's
    ``async with in_executor(executor):``.

    Raises: as `switch_to_executor`.
    """
    target = loop_for(executor, "in_executor()")
    origin = asyncio.get_running_loop()
    _switch(target)
    if debug:
        report_switch(sys._getframe(1))
    return Switched(origin)


class Switched:
    """A block that ends where it began; made by `in_executor`."""

    def __init__(self, origin: asyncio.AbstractEventLoop) -> None:
        self._origin = origin

    def __enter__(self) -> None:
        pass

    @direct_exit
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        if kind is None:
            _switch(self._origin)
        elif (journey := current_journey()) is not None:
            journey.leave_for = self._origin

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        if self._origin is not asyncio.get_running_loop():
            await Request(self._origin)


def call_in_executor(executor: Executor, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a plain function in the executor, come back, and return its result or raise its exception.

    The function may `ohwait`, and what it waits for may be of this event loop.

    Raises: as `switch_to_executor`.
    """
    target = loop_for(executor, "call_in_executor()")
    origin = asyncio.get_running_loop()
    call, function, values = call_plainly(functools.partial(function, *args, **kwargs), ())
    _switch(target)
    try:
        result: R = call(function, values)
    finally:
        _switch(origin)
    return result


def _switch(target: asyncio.AbstractEventLoop) -> None:
    if target is asyncio.get_running_loop():
        return
    task = asyncio.current_task()
    caller = None if task is None else _core.c_caller(task.get_coro())
    if caller is not None:
        raise refusal("c-function", caller, "the C stack of a thread cannot move to another one")
    ohwait(Request(target))
