"""Where a coroutine can go, and the three awaitables that take it there."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar

from ._awaiter import AwaiterMixin, Mover
from ._errors import DispatchError
from ._executor_loop import ExecutorLoop, executor_loop
from ._journey import Request, refusal_of, require_task

__all__ = ["Detached", "detach", "dispatch_to_executor", "dispatch_to_loop", "loop_for", "loop_of"]

R = TypeVar("R")

_detached: set[asyncio.Task[Any]] = set()
"""Event loops hold their tasks by weak references only."""


def loop_for(executor: Executor, by: str) -> asyncio.AbstractEventLoop:
    """The loop in which the running task goes on in `executor`; the running one if it is there already.

    Raises:
        TypeError: it is no executor.
        DispatchError: it runs no threads of this process; or no asyncio task runs here.
    """
    if not callable(getattr(executor, "submit", None)):
        raise TypeError(f"{by} takes an executor, not {type(executor).__name__}")
    require_task(by)
    for module, name in (("process", "ProcessPoolExecutor"), ("interpreter", "InterpreterPoolExecutor")):
        kind = getattr(sys.modules.get(f"concurrent.futures.{module}"), name, None)
        if kind is not None and isinstance(executor, kind):
            raise DispatchError(f"{by}: frames cannot leave this interpreter, but {name} would run them in another one")
    here = asyncio.get_running_loop()
    if isinstance(here, ExecutorLoop):
        return here if here.executor is executor else executor_loop(executor, here.home)
    return executor_loop(executor, here)


def loop_of(loop: asyncio.AbstractEventLoop, by: str) -> asyncio.AbstractEventLoop:
    """`loop`, if the running task can go on in it.

    Raises:
        TypeError: it is no event loop of asyncio's shape.
        DispatchError: it does not run; or no asyncio task runs here.
    """
    if not callable(getattr(loop, "call_soon_threadsafe", None)):
        raise TypeError(f"{by} takes an asyncio event loop, not {type(loop).__name__}")
    require_task(by)
    refusal = refusal_of(loop)
    if refusal is not None:
        raise refusal
    return loop


class _Dispatch(Mover):
    def __init__(self, by: str, find: Callable[[str], asyncio.AbstractEventLoop]) -> None:
        self._by = by
        self._find = find

    def __repr__(self) -> str:
        return self._by

    def request(self) -> Request | None:
        target = self._find(self._by)
        return None if target is asyncio.get_running_loop() else Request(target, by=self._by)


def dispatch_to_executor(executor: Executor) -> Mover:
    """Await it in a function with `use_awaiter`: from there on the function runs in the executor.

    So does what it awaits. No thread of the executor is held meanwhile, so it may be another one after each `await`.
    Whoever awaits the function goes on where he was.

    Raises (the `await`):
        TypeError: it is no executor.
        DispatchError: without `use_awaiter`; not in an asyncio task; or the executor takes no jobs, is of another
            process or interpreter.
    """
    return _Dispatch("dispatch_to_executor()", lambda by: loop_for(executor, by))


def dispatch_to_loop(loop: asyncio.AbstractEventLoop) -> Mover:
    """Await it in a function with `use_awaiter`: from there on the function runs in that loop, another thread's.

    Raises (the `await`):
        TypeError: it is no event loop of asyncio's shape.
        DispatchError: without `use_awaiter`; not in an asyncio task; or the loop does not run.
    """
    return _Dispatch("dispatch_to_loop()", lambda by: loop_of(loop, by))


class Detached(AwaiterMixin, Generic[R]):
    """Made by `detach`.

    Attributes:
        task: runs the rest of the function; None until it has been awaited.
    """

    def __init__(self) -> None:
        self.task: asyncio.Task[R] | None = None

    def __repr__(self) -> str:
        return "detach()"

    async def __awaiter__(self, continuation: Callable[[], Coroutine[Any, Any, R]]) -> None:
        if self.task is not None:
            raise DispatchError("this detach() was awaited before: make one for each function that is to be detached")
        require_task("await detach()")
        self.task = asyncio.get_running_loop().create_task(continuation())
        _detached.add(self.task)
        self.task.add_done_callback(_detached.discard)


def detach() -> Detached[Any]:
    """Await it in a function with `use_awaiter`: its caller gets None now, and the rest runs in a task of its own.

    Raises (the `await`):
        DispatchError: without `use_awaiter`; not in an asyncio task; awaited a second time.
    """
    return Detached()
