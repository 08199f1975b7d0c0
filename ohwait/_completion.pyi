"""The contract of the C part of ohwait.completion (csrc/modules/completion/module.c)."""

from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from types import GenericAlias, TracebackType
from typing import Any, Generic, TypeVar, final

T = TypeVar("T")

class Completion(Generic[T]):
    """An awaitable that is completed once, from any thread, and awaited by any number of tasks of any event loops.

    All methods may be called in any thread. Awaiting it returns the result or raises the exception; one who awaits it
    after completion never waits. Cancelling a task that awaits it ends that wait only.
    """

    def __await__(self) -> Generator[Any, Any, T]: ...
    def set_result(self, result: T, /) -> None:
        """Complete it, and wake whoever waits.

        Raises CompletionStateError if it is complete already; CompletionLoopError if a loop in which somebody waits
        is closed: it is complete all the same, and the others were woken.
        """

    def set_exception(self, exception: BaseException | type[BaseException], /) -> None:
        """Fail it: whoever awaits it gets the exception. Raises as `set_result`; TypeError for a StopIteration."""

    def cancel(self, msg: object = None) -> bool:
        """Cancel it for all who wait: they get CompletionCancelled. False if it is complete already."""

    def done(self) -> bool: ...
    def cancelled(self) -> bool: ...
    def result(self) -> T:
        """The result; raises what awaiting it would, and CompletionStateError while it is pending."""

    def exception(self) -> BaseException | None:
        """The exception or None; raises CompletionCancelled if cancelled, CompletionStateError while it is pending."""

    def add_done_callback(
        self, callback: Callable[[Completion[T]], object], /, *, context: Context | None = None
    ) -> None:
        """Have ``callback(completion)`` called once, when it is complete: soon, if it is already.

        Added in a running asyncio loop or a trio task, it is called by that loop, as by call_soon(); elsewhere (also in
        curio) by the thread that completes, or right now. `context`: to call it in; None is a copy of the current one.
        """

    def remove_done_callback(self, callback: Callable[[Completion[T]], object], /) -> int:
        """Remove all that are equal; how many that were. Those that a loop is about to call are not removed."""

    @property
    def waiting(self) -> int:
        """How many tasks wait for it, plus callbacks."""

    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...

@final
class Waiter:
    """One wait for a Completion: the iterator of its ``__await__``, and what asyncio's Tasks take for a Future."""

    _asyncio_future_blocking: bool
    def __iter__(self) -> Waiter: ...
    def __next__(self) -> Any: ...
    def send(self, value: object, /) -> Any: ...
    def throw(
        self,
        typ: type[BaseException] | BaseException,
        val: object = None,
        tb: TracebackType | None = None,
        /,
    ) -> Any: ...
    def close(self) -> None: ...
    def add_done_callback(self, callback: Callable[[Waiter], object], /, *, context: Context | None = None) -> None: ...
    def remove_done_callback(self, callback: Callable[[Waiter], object], /) -> int: ...
    def park(self, token: object, callback: Callable[[Waiter], object], /) -> None:
        """Wait in a trio run: it will call ``callback(self)``."""

    def cancel(self, msg: object = None) -> bool:
        """End this wait, and not the Completion."""

    def done(self) -> bool: ...
    def cancelled(self) -> bool: ...
    def result(self) -> None: ...
    def get_loop(self) -> Any: ...

def configure(
    *,
    get_running_loop: Callable[[], object],
    park: Callable[[Waiter], Coroutine[Any, Any, object] | None],
    token: Callable[[], object],
    cancelled: type[BaseException],
    task_cancelled: type[BaseException],
    state_error: type[BaseException],
    loop_error: type[BaseException],
    abandoned: type[BaseException],
) -> None:
    """Give what this module needs from Python.

    park(waiter): the coroutine that waits in the task that runs now, None if it is not trio's or curio's. token(): that
    of the trio run whose task runs now, or None. The classes: what a cancelled Completion raises, what a cancelled wait
    raises under asyncio, and the errors CompletionStateError, CompletionLoopError, CompletionAbandoned.
    """

def end() -> None:
    """Settle what threads have completed, and end the helper thread; from now on nothing is accepted from threads."""

def after_fork() -> None:
    """In a forked child: the loops of the parent are not called, and there is a helper thread again."""

def free_spares() -> None:
    """Give spare memory back to the allocator."""

_C_API: object
"""The capsule with the C API (include/ohwait.h)."""
