"""The curio backend.

curio offers everything as a coroutine that traps into its kernel; but a trap that does not put the task to sleep is
an ordinary function of the kernel, which `_trap` calls directly. So plain code can start and cancel tasks on curio
even where nothing can be waited for. (curio is complete at 1.6: the names used here will not move.)
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ._group import Group, finish_now
from ._import_curio import import_curio

if TYPE_CHECKING:
    from ._protocol import Event

__all__ = ["CurioBackend"]

T = TypeVar("T")
curio: Any = import_curio()


class CurioBackend:
    """curio."""

    name = "curio"
    cancelled = curio.TaskCancelled, curio.TaskTimeout, curio.TimeoutCancellationError

    def __repr__(self) -> str:
        return f"<ohwait backend {self.name}>"

    def running(self) -> bool:
        return bool(curio.meta.curio_running())

    def run(self, main: Callable[[], Coroutine[Any, Any, T]], /) -> T:
        value: T = curio.run(main)
        return value

    def sleep(self, seconds: float, /) -> Coroutine[Any, Any, float]:
        sleeping: Coroutine[Any, Any, float] = curio.sleep(seconds)
        return sleeping

    def current_task(self) -> Any:
        # The kernel keeps the running task in a variable of its own, of which its traps are closures.
        trap = _traps()["trap_get_current"]
        return dict(zip(trap.__code__.co_freevars, trap.__closure__))["current"].cell_contents

    def start_task(self, child: Coroutine[Any, Any, object], name: str, /) -> Any:
        task = _trap(self.current_task(), "trap_spawn", child)
        task.name = name
        return task

    def cancel_task(self, task: Any, /) -> None:
        _trap(self.current_task(), "trap_cancel_task", task)

    def event(self) -> Event:
        return CurioEvent(self)

    def group(self) -> Group:
        return CurioGroup(self)


def _traps() -> dict[str, Any]:
    traps: dict[str, Any] = curio.meta._locals.kernel._traps
    return traps


def _trap(task: Any, name: str, *args: object) -> Any:
    """Call a trap that does not suspend, in the running task, and return its result."""
    before = task._trap_result
    _traps()[name](*args)
    result, task._trap_result = task._trap_result, before
    return result


class CurioEvent:
    """`curio.Event` whose `set` is a plain function."""

    def __init__(self, backend: CurioBackend) -> None:
        self._backend = backend
        self._is_set = False
        self._waiting = curio.sched.SchedBarrier()

    def set(self) -> None:
        self._is_set = True
        _trap(self._backend.current_task(), "trap_sched_wake", self._waiting, len(self._waiting))

    async def wait(self) -> None:
        if not self._is_set:
            await self._waiting.suspend("EVENT_WAIT")


class _Interrupt(curio.TaskCancelled):  # type: ignore[misc]
    """Raised in the body of a scope, a child of which has failed."""


class _Sleeper(curio.sched.SchedBase):  # type: ignore[misc]
    """Reschedules one given task: what a kernel does for a lock or queue that hands a task back to it."""

    def __init__(self, task: Any) -> None:
        self._task = task

    def __len__(self) -> int:
        return 1

    def _kernel_suspend(self, task: Any) -> Callable[[], None]:
        raise RuntimeError("tasks are woken here, none is put to sleep")

    def _kernel_wake(self, ntasks: int = 1) -> list[Any]:
        return [self._task]


class CurioGroup(Group):
    """A `curio.TaskGroup`. Children do not raise to it, as it would report the first error alone."""

    backend: CurioBackend

    def open(self) -> None:
        super().open()
        self._interrupt: _Interrupt | None = None
        self._tasks = curio.TaskGroup()

    def start(self, child: Coroutine[Any, Any, None], name: str, ended: Callable[[], None]) -> Any:
        task = self.backend.start_task(child, name)
        finish_now(self._tasks.add_task(task))
        return task

    def interrupt(self) -> None:
        """Raise in the body. Not by a cancellation: a task of curio's can be cancelled once in its life."""
        body = self.body
        self._interrupt = _Interrupt("a child of the scope failed")
        if not body.allow_cancel or body.cancel_func is None:
            body.cancel_pending = body.cancel_pending or self._interrupt
            return
        body.cancel_func()
        body._trap_result = self._interrupt
        _trap(self.backend.current_task(), "trap_sched_wake", _Sleeper(body), 1)

    def divide(self, error: BaseException) -> tuple[BaseException | None, BaseException | None]:
        if isinstance(error, (curio.TaskTimeout, curio.TimeoutCancellationError)):
            return error, None  # A timeout of its own, that the child did not catch.
        return super().divide(error)

    async def wait_shielded(self, event: Event) -> None:
        async with curio.disable_cancellation():
            await event.wait()

    async def close(self, errors: list[BaseException], error: BaseException | None) -> BaseException | None:
        await self._tasks.join()
        if self._interrupt is not None:
            if self.body.cancel_pending is self._interrupt:
                self.body.cancel_pending = None
            if error is self._interrupt:
                error = None
        final = self.combine(errors, error)
        if isinstance(error, self.backend.cancelled) and final is not error:
            self.body.cancel_pending = error  # The errors go first; the cancellation comes again at the next await.
        return final
