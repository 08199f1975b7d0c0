"""A coroutine goes on in another event loop's thread, driven by hand, while its task waits.

A `Request` is yielded where the coroutine wants to move. To its task it is a future: the task waits for it, and its
step ends. Then a `Journey` drives the coroutine in the callbacks of the other loop, as a task would: it is the current
task there, in its own context, waits for futures of any loop, and takes its cancellation. The journey ends in one of
two ways: the coroutine comes home, and its task resumes it; or it finishes, and the result is the task's. (It may also
go on in the home loop without ending, where the coroutine still needs futures of other loops.)
"""

from __future__ import annotations

import asyncio
import threading
from asyncio.tasks import _enter_task, _leave_task  # Documented for authors of event loops.
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar, cast

from .. import _backends
from ._errors import DispatchError
from ._executor_loop import ExecutorLoop

__all__ = ["Journey", "Outcome", "Request", "current_journey", "require_task"]

T = TypeVar("T")
Loop = asyncio.AbstractEventLoop
_local = threading.local()


class Outcome(Generic[T]):
    """How a coroutine ended."""

    __slots__ = ("error", "value")

    def __init__(self, value: T | None, error: BaseException | None) -> None:
        self.value = value
        self.error = error


class Request:
    """Asks the task that drives this coroutine to let it go on in `target`. Await it where the move is to be.

    Args:
        target: the event loop to move to, not the one running.
        by: how the caller asked; given for what takes a function with `use_awaiter` to claim it.

    Attributes:
        coroutine: what is to move, set by who claims the request; None stands for all that the task runs.
        outcome: how that ended; None if it came back.
    """

    def __init__(self, target: Loop, *, by: str | None = None) -> None:
        self.target = target
        self.by = by
        self.here: Loop = asyncio.get_running_loop()
        self.coroutine: Any = None
        self.outcome: Outcome[Any] | None = None
        self._asyncio_future_blocking = True
        self._wake: tuple[Callable[..., Any], Context | None] | None = None
        self._journey: Journey | None = None
        self.lock = threading.RLock()
        """Held by whoever cancels, and by whoever takes the cancellation or ends the wait."""
        self._cancel: tuple[Any, ...] | None = None
        self._error: BaseException | None = None
        self._done = False

    def __repr__(self) -> str:
        return f"<ohwait.dispatch: on the way to {self.target!r}>"

    def __await__(self) -> Generator[Any, Any, None]:
        yield self

    # What asyncio's tasks ask of a future.

    def get_loop(self) -> Loop:
        return self.here

    def add_done_callback(self, callback: Callable[..., Any], *, context: Context | None = None) -> None:
        """The task waits now: set out when its step has ended."""
        self._wake = callback, context
        self.here.call_soon(self._depart)

    def cancel(self, msg: Any = None) -> bool:
        """The task is cancelled: so is what its coroutine waits for, wherever it is.

        Not before the callback that cancels has ended, as in a task at home: what `asyncio.timeout` notes after
        having cancelled a task must be there when the task looks for it.
        """
        with self.lock:
            if self._done:
                return False
            self._cancel = () if msg is None else (msg,)
        running = asyncio._get_running_loop()
        if running is None:
            self._pass_on()
        else:
            running.call_soon(self._pass_on)
        return True

    def _pass_on(self) -> None:
        with self.lock:
            if self._journey is not None and (pending := self.take_cancellation()) is not None:
                self._journey.cancel(pending)

    def take_cancellation(self) -> asyncio.CancelledError | None:
        """The cancellation that has not been passed on yet."""
        pending, self._cancel = self._cancel, None
        return None if pending is None else asyncio.CancelledError(*pending)

    def result(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error

    def done(self) -> bool:
        return self._done

    def cancelled(self) -> bool:
        return False

    def _depart(self) -> None:
        assert self._wake is not None
        callback, context = self._wake
        waiting: Any = getattr(callback, "__self__", None)
        if (cancelled := self.take_cancellation()) is not None:
            self.arrive(cancelled)
        elif self.coroutine is None and self.by is not None:
            self.arrive(undecorated(self.by))
        elif isinstance(waiting, Journey):
            self._journey = Journey(self, waiting.task, waiting.context)
        elif context is not None and asyncio.isfuture(waiting) and hasattr(waiting, "get_coro"):
            self._journey = Journey(self, cast("asyncio.Task[Any]", waiting), context)
        else:
            self.arrive(DispatchError(f"the coroutine is not driven by an asyncio task but by {callback!r}"))
        if self._journey is not None:
            self._journey.depart(self.target)

    def arrive(self, error: BaseException | None = None) -> None:
        """Wake the task, from any thread; with an error it is raised where the coroutine waits."""
        assert self._wake is not None
        callback, context = self._wake
        self._error = error
        self.here.call_soon_threadsafe(self._arrived, callback, context=context)

    def _arrived(self, callback: Callable[..., Any]) -> None:
        cancelled = self.finish()
        if self._error is None:
            self._error = cancelled
        callback(self)

    def finish(self) -> asyncio.CancelledError | None:
        """The task does not wait any more. Return the cancellation that was not raised before it came to that."""
        with self.lock:
            cancelled = self.take_cancellation()
            if self._journey is not None:
                cancelled = self._journey.take_cancellation() or cancelled
            self._done, self._wake, self._journey = True, None, None
        return cancelled


class Journey:
    """Drives a coroutine in other event loops' threads for a task that waits at home."""

    def __init__(self, request: Request, task: asyncio.Task[Any], context: Context) -> None:
        self.request = request
        self.task = task
        self.context = context
        self.home = request.here
        self.loop = request.here
        self.leave_for: Loop | None = None
        """Where to go on after the next await: a block was left by an exception, which cannot wait for the move."""
        self._coroutine: Any = request.coroutine or task.get_coro()
        self._lock = request.lock
        self._waiting: Any = None
        self._cancelled: asyncio.CancelledError | None = None

    def depart(self, target: Loop) -> None:
        """Leave home. Called in its thread, in no task's step."""
        self._move(target, None)

    def cancel(self, error: asyncio.CancelledError) -> None:
        """Raise this error where the coroutine waits, or as soon as it does. From any thread."""
        with self._lock:
            self._cancelled = error
            waiting = self._waiting
        if waiting is None:
            return
        loop = waiting.get_loop()
        if loop is asyncio._get_running_loop():
            self._interrupt(waiting, error)
        elif _raised_by(loop.call_soon_threadsafe, self._interrupt, waiting, error) is not None:
            self._cancelled = None
            self._come_home(error)  # Its loop is closed: nothing will ever wake the coroutine there.

    def _interrupt(self, waiting: Any, error: asyncio.CancelledError) -> None:
        """In the thread of the loop of what the coroutine waited for."""
        with self._lock:
            if self._cancelled is not error:
                return
            current = self._waiting
        if current is waiting:
            if waiting.cancel(msg=error.args[0] if error.args else None):
                self._cancelled = None
        elif current is not None:
            self.cancel(error)

    def take_cancellation(self) -> asyncio.CancelledError | None:
        """The cancellation that has not been raised yet."""
        with self._lock:
            pending, self._cancelled = self._cancelled, None
        return pending

    def _move(self, target: Loop, error: BaseException | None) -> None:
        """Go on in `target`, where `error` is raised."""
        self.leave_for = None
        came_from = self.loop
        refusal: BaseException | None = refusal_of(target)
        if refusal is None:
            self._enter(target)
            refusal = _raised_by(self._schedule, error)
        if refusal is None:
            return
        self._enter(came_from)
        if came_from is self.home:
            self._come_home(error or refusal)
        else:
            self._step(error or refusal)

    def _enter(self, loop: Loop) -> None:
        for place, change in ((self.loop, -1), (loop, 1)):
            if isinstance(place, ExecutorLoop):
                place.visitors += change
        self.loop = loop

    def _schedule(self, error: BaseException | None) -> None:
        self.loop.call_soon_threadsafe(self._step, error)

    def _come_home(self, error: BaseException | None) -> None:
        self._enter(self.home)
        self._waiting = None
        closed = _raised_by(self.request.arrive, error)
        if closed is not None:
            self._strand(closed)

    def _step(self, error: BaseException | None = None) -> None:
        """Drive the coroutine up to its next await. Its context is left before anybody else may enter it."""
        if isinstance(self.loop, ExecutorLoop) and self.loop.lost is not None:
            self._come_home(error or _lost(self.loop, self.loop.lost))
            return
        cancelled = self.take_cancellation()
        if cancelled is not None and not isinstance(error, asyncio.CancelledError):
            error = cancelled
        del cancelled
        try:
            yielded = self.context.run(self._drive, error)
        except StopIteration as stop:
            self._finish(Outcome(stop.value, None))
        except BaseException as raised:
            self._finish(Outcome(None, raised))
        else:
            self._serve(yielded)
        finally:
            del error

    def _drive(self, error: BaseException | None) -> Any:
        outside = getattr(_local, "journey", None)
        _local.journey = self
        _enter_task(self.loop, self.task)
        try:
            return self._coroutine.send(None) if error is None else self._coroutine.throw(error)
        finally:
            _leave_task(self.loop, self.task)
            _local.journey = outside
            del error

    def _serve(self, yielded: Any) -> None:
        """Do what the coroutine has yielded, as asyncio's tasks would."""
        if isinstance(yielded, Request) and yielded.coroutine is None:
            self._grant(yielded)
        elif yielded is None:
            self._resume(None)
        elif getattr(yielded, "_asyncio_future_blocking", None):
            yielded._asyncio_future_blocking = False
            self._wait_for(yielded)
        else:
            self._step(RuntimeError(f"Task got bad yield: {yielded!r}"))

    def _grant(self, request: Request) -> None:
        if request.by is not None and self.request.coroutine is None:
            self._step(undecorated(request.by))
        elif request.target is self.home:
            self._come_home(None)
        else:
            self._move(request.target, None)

    def _wait_for(self, future: Any) -> None:
        with self._lock:
            self._waiting = future
            pending = self._cancelled
        owner = future.get_loop()
        if owner is self.loop:
            future.add_done_callback(self.wakeup)
        else:
            closed = _raised_by(owner.call_soon_threadsafe, future.add_done_callback, self._wakeup_elsewhere)
            if closed is not None:
                self._waiting = None
                self._step(closed)
                return
        if pending is not None:
            self.cancel(pending)

    def _wakeup_elsewhere(self, future: Any) -> None:
        """In the thread of the future's loop."""
        closed = _raised_by(self.loop.call_soon_threadsafe, self.wakeup, future)
        if closed is not None:
            self._come_home(closed)

    def wakeup(self, future: Any) -> None:
        """What the coroutine waited for is done."""
        with self._lock:
            self._waiting = None
        self._resume(_raised_by(future.result), at_once=True)

    def _resume(self, error: BaseException | None, at_once: bool = False) -> None:
        if self.leave_for is not None and self.leave_for is not self.loop:
            self._move(self.leave_for, error)
        elif at_once:
            self._step(error)
        else:
            self._schedule(error)

    def _finish(self, outcome: Outcome[Any]) -> None:
        request = self.request
        self._enter(self.home)
        if request.coroutine is not None:
            request.outcome = outcome
            closed = _raised_by(request.arrive)
        else:
            closed = _raised_by(self.home.call_soon_threadsafe, self._end_task, outcome)
        if closed is not None:
            self._strand(closed)

    def _end_task(self, outcome: Outcome[Any]) -> None:
        """Give the task the outcome of its coroutine, which was driven to its end here.

        Tasks refuse `set_result`; the futures that they are do not.
        """
        task, value, error = self.task, outcome.value, outcome.error
        future: Any = next(kind for kind in type(task).__mro__ if kind.__name__ == "Future")
        cancelled = self.request.finish()
        if task.done():
            return
        error = error or cancelled
        if error is None:
            future.set_result(task, value)
        elif isinstance(error, asyncio.CancelledError):
            future.cancel(task, *error.args[:1])
        else:
            future.set_exception(task, error)
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise error

    def _strand(self, closed: BaseException) -> None:
        """There is no home any more."""
        self.home.call_exception_handler(
            {
                "message": "ohwait.dispatch: a task ran elsewhere when its own event loop was closed",
                "exception": closed,
                "task": self.task,
            }
        )
        self._coroutine.close()


def current_journey() -> Journey | None:
    """The journey that drives the code running now in this thread."""
    return getattr(_local, "journey", None)


def require_task(what: str) -> asyncio.Task[Any]:
    """The asyncio task that runs here.

    Raises:
        DispatchError: another kind of event loop runs here, or none, or a callback and no task.
    """
    backend = _backends.running_backend()
    if backend is None:
        raise DispatchError(f"{what}: no event loop runs in this thread, so there is nothing to come back to")
    if backend.name != "asyncio":
        cure = {"trio": "trio.to_thread.run_sync()", "curio": "curio.run_in_thread()"}.get(backend.name)
        raise DispatchError(
            f"{what}: a {backend.name} task cannot leave its thread, because {backend.name}'s primitives belong to it"
            + (f"; call a plain function with {cure} instead" if cure else "")
        )
    task = asyncio.current_task()
    if task is None:
        raise DispatchError(f"{what}: the event loop runs a callback here and no task; only a task can move")
    return task


def refusal_of(loop: Loop) -> DispatchError | None:
    """Why this loop cannot take a coroutine; None if it can."""
    if loop.is_running() and not loop.is_closed():
        return None
    return DispatchError(f"cannot go on in {loop!r}: it is {'closed' if loop.is_closed() else 'not running'}")


def _raised_by(function: Callable[..., object], *args: object) -> BaseException | None:
    """Call; return what it raises. Coroutines are not resumed within an `except` block: they would see it."""
    try:
        function(*args)
    except BaseException as error:
        return error
    return None


def undecorated(by: str) -> DispatchError:
    """The error for what takes `use_awaiter`, without it."""
    return DispatchError(
        f"await {by} works below a function with @ohwait.dispatch.use_awaiter, and there is none in this task; "
        "decorate the async function, or call ohwait.switch_to_executor() or switch_to_loop(), which need nothing"
    )


def _lost(loop: ExecutorLoop, error: BaseException) -> DispatchError:
    problem = DispatchError(f"cannot go on in {loop.executor!r}: {error}; from here on the task runs in its own loop")
    problem.__cause__ = error
    return problem
