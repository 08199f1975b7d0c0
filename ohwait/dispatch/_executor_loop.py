"""An asyncio event loop whose callbacks run, one at a time, in an executor.

Code that has moved to an executor may await: `asyncio.sleep`, timeouts, tasks, queues and locks need a loop to belong
to, all of whose callbacks come one after the other. This is that loop. It holds no thread while it waits: a job is in
the executor only while a callback is ready. Clocks, name look-up and raw sockets are left to the event loop from which
the code came (its `home`); transports, subprocesses and signals are refused, for their protocols belong to its thread.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Executor, Future
from contextvars import Context
from types import coroutine
from typing import Any, NoReturn

from .. import _core
from ._errors import DispatchError

__all__ = ["ExecutorLoop", "executor_loop"]

_SERVED_AT_HOME = (
    "getaddrinfo",
    "getnameinfo",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_recvfrom",
    "sock_recvfrom_into",
    "sock_sendall",
    "sock_sendfile",
    "sock_sendto",
)
"""Methods of event loops that wait, and touch nothing of the caller's meanwhile."""


class _Timer(asyncio.TimerHandle):
    """A callback whose time the home loop waits for.

    It runs in the executor while the code that moved there is still there. Afterwards, in the home loop's thread: it
    may cancel the task that has gone back there (an `asyncio.timeout` block may begin here and end at home).
    """

    __slots__ = ("_armed",)
    _loop: ExecutorLoop

    def arm(self) -> None:
        """In the home loop's thread: start the clock."""
        if not self.cancelled():
            self._armed = self._loop.home.call_at(self.when(), self._fire)

    def cancel(self) -> None:
        if not self.cancelled():
            super().cancel()
            if not self._loop.home.is_closed():
                self._loop.home.call_soon_threadsafe(self._disarm)

    def _fire(self) -> None:
        if self._loop.visitors:
            self._loop.enqueue(self)
        else:
            self.run_at_home()

    def run_at_home(self) -> None:
        """In the home loop's thread."""
        if not self.cancelled():
            self._run()

    def _disarm(self) -> None:
        if (armed := getattr(self, "_armed", None)) is not None:
            armed.cancel()


class ExecutorLoop(asyncio.AbstractEventLoop):
    """The running loop of code that has moved to an executor.

    Args:
        executor: runs threads of this process.
        home: the event loop from which the code came.

    Attributes:
        lost: what the executor raised when it took no more jobs, or None. From then on the home loop's thread runs
            the callbacks that are left.
        visitors: how many tasks of other loops are here.
    """

    def __init__(self, executor: Executor, home: asyncio.AbstractEventLoop) -> None:
        self.executor = executor
        self.home = home
        self.lost: BaseException | None = None
        self.visitors = 0
        self._ready: deque[asyncio.Handle] = deque()
        self._turn = [None]
        """Whoever takes the element out submits a job, which puts it back when nothing is ready. Both in one step, so
        that no lock is needed, which the collector or a signal handler might find taken in their own thread."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self.executor!r} for {self.home!r}>"

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback after those that are ready; from any thread."""
        handle = asyncio.Handle(callback, args, self, context)
        self.enqueue(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback after so many seconds; from any thread."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback at a time of the home loop's clock; from any thread."""
        timer = _Timer(when, callback, args, self, context)
        self.home.call_soon_threadsafe(timer.arm)
        return timer

    def enqueue(self, handle: asyncio.Handle) -> None:
        """Have the executor run a handle."""
        self._ready.append(handle)
        if self._take_turn():
            self._submit()

    def _take_turn(self) -> bool:
        try:
            self._turn.pop()
        except IndexError:
            return False
        return True

    def _submit(self) -> None:
        if self.lost is None:
            try:
                self.executor.submit(self._pump).add_done_callback(self._submitted)
                return
            except Exception as error:  # Whatever the executor says when it is shut down or broken.
                self.lost = error
        self.home.call_soon_threadsafe(self._pump)

    def _submitted(self, job: Future[None]) -> None:
        """The job has ended: as it should, or without having been run."""
        error = DispatchError("the executor cancelled the job") if job.cancelled() else job.exception()
        if error is not None:
            self.lost = error
            self.home.call_soon_threadsafe(self._pump)

    def _pump(self) -> None:
        """Run what is ready, as the thread's running loop."""
        outside, hooks = asyncio._get_running_loop(), sys.get_asyncgen_hooks()
        asyncio._set_running_loop(self)
        sys.set_asyncgen_hooks(firstiter=None, finalizer=self._finalize)
        _core.share_thread(True)
        try:
            while (handle := self._next()) is not None:
                try:
                    if isinstance(handle, _Timer) and not self.visitors:
                        self.home.call_soon_threadsafe(handle.run_at_home)
                    elif not handle.cancelled():
                        handle._run()
                except (SystemExit, KeyboardInterrupt) as error:
                    self.home.call_soon_threadsafe(_raise, error)
        finally:
            _core.share_thread(False)
            sys.set_asyncgen_hooks(*hooks)
            asyncio._set_running_loop(outside)

    def _next(self) -> asyncio.Handle | None:
        while True:
            try:
                return self._ready.popleft()
            except IndexError:
                self._turn.append(None)
            if not self._ready or not self._take_turn():
                return None

    def _finalize(self, generator: AsyncGenerator[Any, Any]) -> None:
        self.call_soon(lambda: self.create_task(_aclose(generator)))

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Coroutine[Any, Any, Any] | Generator[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        """Start a task in the executor, which may also await futures of other event loops."""
        served = _served(coro, self)
        for name in ("__name__", "__qualname__"):
            setattr(served, name, getattr(coro, name, type(coro).__qualname__))
        return asyncio.Task(served, loop=self, **options)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., Any], *args: object
    ) -> asyncio.Future[Any]:
        """Call a function in another executor; None is the default executor of the home loop."""
        if executor is None:
            return self._at_home(lambda: self.home.run_in_executor(None, func, *args))
        return asyncio.wrap_future(executor.submit(func, *args), loop=self)

    def _at_home(self, make: Callable[[], Awaitable[Any]]) -> asyncio.Future[Any]:
        async def wait() -> Any:
            return await make()

        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(wait(), self.home), loop=self)

    def time(self) -> float:
        return self.home.time()

    def is_running(self) -> bool:
        return not self.home.is_closed()

    def is_closed(self) -> bool:
        return self.home.is_closed()

    def get_debug(self) -> bool:
        return self.home.get_debug()

    def get_task_factory(self) -> None:
        return None

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.home.is_closed():
            self.home.call_exception_handler(context)
        else:
            self.home.call_soon_threadsafe(self.home.call_exception_handler, context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.home.default_exception_handler(context)

    def get_exception_handler(self) -> Any:
        return self.home.get_exception_handler()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Called by asyncio's handles; nothing is kept here."""


def executor_loop(executor: Executor, home: asyncio.AbstractEventLoop) -> ExecutorLoop:
    """The loop of an executor for code that comes from `home`."""
    return ExecutorLoop(executor, home)  # type: ignore[abstract]  # Its other methods are made below.


async def _served(coro: Any, loop: ExecutorLoop) -> Any:
    return await _serve(coro, loop)


@coroutine
def _serve(coro: Any, loop: ExecutorLoop) -> Generator[Any, Any, Any]:
    """Drive a coroutine for a task of `loop`, and wait in its stead for the futures of other loops."""
    error: BaseException | None = None
    try:
        while True:
            try:
                yielded = coro.send(None) if error is None else coro.throw(error)
            except StopIteration as stop:
                return stop.value
            error = None
            owner = yielded.get_loop() if getattr(yielded, "_asyncio_future_blocking", None) else loop
            try:
                if owner is loop:
                    yield yielded
                else:
                    yielded._asyncio_future_blocking = False
                    yield from asyncio.wrap_future(_watched(yielded, owner), loop=loop)
            except GeneratorExit:
                coro.close()
                raise
            except BaseException as thrown:
                error = thrown
    finally:
        del error


def _watched(foreign: asyncio.Future[Any], owner: asyncio.AbstractEventLoop) -> Future[None]:
    """Done when `foreign` is, a future of another loop; cancelling it cancels that."""

    async def wait() -> None:
        await asyncio.wait([foreign])
        foreign.cancelled() or foreign.exception()

    def forward(watched: Future[None]) -> None:
        if watched.cancelled():
            owner.call_soon_threadsafe(foreign.cancel)

    watched = asyncio.run_coroutine_threadsafe(wait(), owner)
    watched.add_done_callback(forward)
    return watched


async def _aclose(generator: AsyncGenerator[Any, Any]) -> None:
    await generator.aclose()


def _raise(error: BaseException) -> NoReturn:
    raise error


def _served_at_home(name: str) -> Callable[..., Awaitable[Any]]:
    async def method(self: ExecutorLoop, *args: Any, **kwargs: Any) -> Any:
        return await self._at_home(lambda: getattr(self.home, name)(*args, **kwargs))

    method.__name__ = name
    method.__qualname__ = f"{ExecutorLoop.__name__}.{name}"
    return method


def _refused(name: str) -> Callable[..., NoReturn]:
    def method(self: ExecutorLoop, *args: Any, **kwargs: Any) -> NoReturn:
        raise DispatchError(
            f"loop.{name}() was called in code that runs in {self.executor!r}: what it makes belongs to the thread of "
            "the event loop. Go back first: ohwait.dispatch.switch_back(), or the end of the in_executor() block"
        )

    method.__name__ = name
    method.__qualname__ = f"{ExecutorLoop.__name__}.{name}"
    return method


for _name in _SERVED_AT_HOME:
    setattr(ExecutorLoop, _name, _served_at_home(_name))
for _name in set(dir(asyncio.AbstractEventLoop)) - set(vars(ExecutorLoop)) - set(dir(object)):
    if not _name.startswith("_"):
        setattr(ExecutorLoop, _name, _refused(_name))
del _name
