"""What `asyncio.current_task()` is while an eager coroutine runs that has no task yet."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, InvalidStateError
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from types import FrameType
from typing import Any, TextIO

from . import _eager

__all__ = ["StartingTask"]


class _Asked:
    """What was asked of a task before there was one."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.cancelled = 0
        self.message: Any = None
        self.callbacks: list[tuple[Callable[[Any], object], Context]] = []


class StartingTask(_eager.StandIn):
    """Stands for the task that a coroutine becomes if it suspends, with a Task's methods.

    Whoever remembers the current task in the first part of a coroutine (`asyncio.timeout`, `asyncio.TaskGroup`) and
    cancels it later reaches the Task through it. It is not that Task: ``current_task()`` is another object after
    the first suspension.
    """

    __slots__ = ()

    def _note(self) -> _Asked:
        if self._asked is None:
            self._asked = _Asked()
        asked: _Asked = self._asked
        return asked

    def _made(self) -> None:
        """There is a Task now, or a Future if the coroutine finished: pass on what was asked."""
        asked, task = self._note(), self._task
        assert task is not None
        if asked.name is not None and hasattr(task, "set_name"):
            task.set_name(asked.name)
        for callback, context in asked.callbacks:
            task.add_done_callback(callback, context=context)
        for _ in range(asked.cancelled):
            task.cancel(asked.message)

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the task: if it does not exist yet, at the coroutine's first suspension, or at its end."""
        if self._task is not None:
            return self._task.cancel(msg)
        asked = self._note()
        asked.cancelled += 1
        asked.message = msg
        return True

    def uncancel(self) -> int:
        """Take back one request to cancel; how many are left."""
        if self._task is not None:
            left: int = self._task.uncancel() if hasattr(self._task, "uncancel") else 0
            return left
        asked = self._note()
        asked.cancelled = max(0, asked.cancelled - 1)
        return asked.cancelled

    def cancelling(self) -> int:
        """How many requests to cancel there are."""
        if self._task is not None:
            count: int = self._task.cancelling() if hasattr(self._task, "cancelling") else 0
            return count
        return 0 if self._asked is None else self._note().cancelled

    def cancelled(self) -> bool:
        """Whether the task was cancelled."""
        return self._task is not None and self._task.cancelled()

    def done(self) -> bool:
        """Whether the task is done."""
        return self._task is not None and self._task.done()

    def result(self) -> Any:
        """What the coroutine returned; InvalidStateError before its end."""
        return self._existing().result()

    def exception(self) -> BaseException | None:
        """What the coroutine raised; InvalidStateError before its end."""
        return self._existing().exception()

    def _existing(self) -> Future[Any]:
        if self._task is None:
            raise InvalidStateError("Result is not set: the coroutine is still running its first part")
        return self._task

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context | None = None) -> None:
        """Have `callback(task)` called at the end, with the Task, or with the Future if there is none."""
        if self._task is not None:
            self._task.add_done_callback(callback, context=context)
        else:
            self._note().callbacks.append((callback, copy_context() if context is None else context))

    def remove_done_callback(self, callback: Callable[[Any], object]) -> int:
        """Take callbacks back; how many there were."""
        if self._task is not None:
            return self._task.remove_done_callback(callback)
        asked = self._note()
        kept = [entry for entry in asked.callbacks if entry[0] != callback]
        removed = len(asked.callbacks) - len(kept)
        asked.callbacks = kept
        return removed

    def get_name(self) -> str:
        """The task's name."""
        if self._task is not None and hasattr(self._task, "get_name"):
            return str(self._task.get_name())
        name = None if self._asked is None else self._note().name
        return name if name is not None else f"Starting-{id(self):x}"

    def set_name(self, value: object) -> None:
        """Name the task, or the one to come."""
        if self._task is not None and hasattr(self._task, "set_name"):
            self._task.set_name(value)
        else:
            self._note().name = str(value)

    def get_coro(self) -> Coroutine[Any, Any, Any]:
        """The coroutine."""
        return self._coro

    def get_context(self) -> Context:
        """The context that the coroutine runs in."""
        return self._context

    def get_loop(self) -> AbstractEventLoop:
        """The event loop."""
        return self._loop

    def get_stack(self, *, limit: int | None = None) -> list[FrameType]:
        """The task's stack, as `asyncio.Task.get_stack`: the coroutine's frame while it runs its first part."""
        if self._task is not None and hasattr(self._task, "get_stack"):
            stack: list[FrameType] = self._task.get_stack(limit=limit)
            return stack
        frame = getattr(self._coro, "cr_frame", None)
        return [] if frame is None else [frame]

    def print_stack(self, *, limit: int | None = None, file: TextIO | None = None) -> None:
        """Print the task's stack, as `asyncio.Task.print_stack`; nothing during the first part."""
        if self._task is not None and hasattr(self._task, "print_stack"):
            self._task.print_stack(limit=limit, file=file)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._existing().__await__()

    def __repr__(self) -> str:
        became = "" if self._task is None else f" became {self._task!r}"
        return f"<StartingTask {self.get_name()!r} coro={self._coro!r}{became}>"
