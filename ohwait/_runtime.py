"""Which event loop plain code works with, and what it needs of it besides waiting: start it, sleep, its task."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, overload

from . import _backends, _core
from ._backends import register_backend
from ._backends._protocol import Backend
from ._core import ohwait
from ._errors import BackendError
from ._host import host

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__ = [
    "Backend",
    "current_backend",
    "current_task",
    "register_backend",
    "require_backend",
    "run",
    "sleep",
    "use_asyncio",
    "use_auto",
    "use_backend",
    "use_curio",
    "use_trio",
]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_pinned: Backend | None = None


def use_auto() -> None:
    """Work with whatever loop runs now, the default; `run` starts asyncio. For the whole process, as all ``use_``."""
    _pin(None)


def use_asyncio(*, loop_factory: Callable[[], AbstractEventLoop] | None = None) -> None:
    """Work with asyncio alone.

    Args:
        loop_factory: makes the loop that `run` starts, such as ``uvloop.new_event_loop``.
    """
    if loop_factory is None:
        _pin(_backends.backend_named("asyncio"))
    else:
        from ._backends.asyncio import AsyncioBackend

        _pin(AsyncioBackend(loop_factory))


def use_trio() -> None:
    """Work with trio alone.

    Raises:
        BackendError: trio is not installed.
    """
    _pin(_backends.backend_named("trio"))


def use_curio() -> None:
    """Work with curio alone; imports it, with the names that curio 1.6 misses in Python 3.12 and newer supplied.

    What curio runs in processes of its own (`curio.run_in_process`) imports curio there: call this at the top of
    your main module, which those processes import first.

    Raises:
        BackendError: curio is not installed, or does not import on this Python even so.
    """
    _pin(_backends.backend_named("curio"))


def use_backend(backend: Backend | str) -> None:
    """Work with this event loop alone: your own `Backend`, or the name of one that comes with ohwait or is registered.

    With a backend in use that is not the loop running now, `ohwait`, `sleep`, `scope` and `current_task` raise
    BackendError before anything is started.

    Raises:
        BackendError: the name is not known, or the object lacks a member of `Backend`.
    """
    _pin(_backends.backend_named(backend) if isinstance(backend, str) else _backends.check_backend(backend))


def _pin(backend: Backend | None) -> None:
    global _pinned
    _pinned = backend
    _core.set_guard(None if backend is None else require_backend)


def current_backend() -> Backend:
    """The backend in use; under `use_auto` the one whose loop runs now in this thread, or else asyncio's."""
    return _pinned or _backends.running_backend() or _backends.backend_named("asyncio")


def require_backend() -> Backend:
    """The backend in use, the loop of which runs now in this thread.

    Raises:
        BackendError: no loop runs here, or another one than that in use.
    """
    if _pinned is None:
        if (backend := _backends.running_backend()) is not None:
            return backend
        raise BackendError("no event loop runs in this thread; start your program with ohwait.run(fn)")
    if not _backends.runs_now(_pinned):
        running = _backends.running_backend()
        raise BackendError(
            f"{_pinned.name} is in use, but {running.name if running else 'no event loop'} runs in this thread; "
            f"start {_pinned.name} with ohwait.run(fn), or call ohwait.use_auto() to work with whatever runs"
        )
    return _pinned


@overload
def run(fn: Callable[[*Ts], Coroutine[Any, Any, T]], *args: *Ts) -> T: ...
@overload
def run(fn: Callable[[*Ts], T], *args: *Ts) -> T: ...
def run(fn: Callable[..., Any], *args: object) -> Any:
    """Start the event loop in use (under `use_auto` asyncio) with ``fn(*args)`` as its main task; return its result.

    `fn` is a plain function, which with everything that it calls can use `ohwait`; a coroutine function will do too.

    Raises:
        BackendError: an event loop runs in this thread already; call or await `fn` there.
    """
    if (running := _backends.running_backend()) is not None:
        raise BackendError(
            f"ohwait.run() was called while {running.name} runs in this thread, and would block it; "
            "call the function itself (below a coroutine it can ohwait), or give it to ohwait.scope().spawn"
        )
    return current_backend().run(partial(host, fn, args))


def sleep(seconds: float) -> None:
    """Suspend the task that runs now for so many seconds; 0 lets the other tasks run once.

    Raises:
        BackendError: no event loop runs in this thread, or not the one in use.
        OhwaitError: `ohwait` cannot suspend here (its subclasses say why).
    """
    ohwait(require_backend().sleep(seconds))


def current_task() -> Any:
    """The event loop's own object for the task that runs now: an `asyncio.Task`, `trio.lowlevel.Task` or `curio.Task`.

    Raises:
        BackendError: no event loop runs in this thread, or not the one in use, or it runs a callback and no task.
    """
    backend = require_backend()
    if (task := backend.current_task()) is None:
        raise BackendError(f"{backend.name} runs no task now, but a callback: only a task can wait")
    return task
