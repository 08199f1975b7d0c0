"""Structured concurrency for plain functions: `scope`, the tasks of which end before it does.

A scope keeps count of its children itself and leaves to a `Group` (see ohwait._backends) what each loop does its own
way. The count is what makes the ``with`` statement work: CPython calls ``__exit__`` through C when an exception
leaves the body, and then nothing can be waited for. So when a child fails, its siblings are cancelled first, and the
body is interrupted when the last of them has ended: the exit finds nothing left to wait for. If children do still
run when an exception leaves the body, `Scope._leave_behind` is the way out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, TypeVarTuple, overload

from ._backends._group import open_group
from ._core import obstacle, ohwait
from ._diagnosis import refusal
from ._direct import direct_exit
from ._errors import BackendError, CFunctionError, OhwaitError
from ._handle import Handle, name_of
from ._host import call_plainly, host
from ._runtime import current_task, require_backend

if TYPE_CHECKING:
    from ._backends._group import Group
    from ._backends._protocol import Event

__all__ = ["Handle", "Scope", "scope"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_log = logging.getLogger("ohwait")
_left_behind: set[Scope] = set()
"""Scopes whose cancelled children still run although the body has left: kept alive until they have ended."""


def scope() -> Scope:
    """A scope for child tasks, to be entered once, in one of three ways:

    - ``with ohwait.scope() as s:`` in plain code. If an exception leaves the body while children run, CPython calls
      through C, and where C frames cannot be set aside there is no way to wait for them: they are cancelled, the
      event loop finishes them, and a CFunctionError says so.
    - ``ohwait.scope().run(body, *args)`` in plain code, without that limit.
    - ``async with ohwait.scope() as s:`` in coroutines.

    Each waits at its end until all children have ended. If a child or the body fails, the other children are
    cancelled, and all errors arrive in one ExceptionGroup. If the body is cancelled, so are the children.
    """
    return Scope()


class Scope:
    """A group of tasks that end before it does. Made by `scope`; to be used in the event loop where it was entered."""

    def __init__(self) -> None:
        self._group: Group | None = None
        self._running: set[Handle[Any]] = set()
        self._errors: list[BaseException] = []
        self._open = False  # New children are welcome.
        self._body_inside = False
        self._interrupt_last = False  # Let the siblings of a failed child end before the body learns of it.
        self._idle: Event | None = None  # Set when the last child has ended.

    def __repr__(self) -> str:
        ending = "ending" if self._running else "ended"
        state = "open" if self._open else "not entered" if self._group is None else ending
        return f"<ohwait.Scope {state}, {len(self._running)} running>"

    @overload
    def spawn(self, fn: Callable[[*Ts], Coroutine[Any, Any, T]], *args: *Ts) -> Handle[T]: ...
    @overload
    def spawn(self, fn: Callable[[*Ts], T], *args: *Ts) -> Handle[T]: ...
    def spawn(self, fn: Callable[..., Any], *args: object) -> Handle[Any]:
        """Start ``fn(*args)``, a plain or a coroutine function, as a child task; does not wait.

        The body and the children may spawn, until a child or the body has failed, or all have ended.

        Raises:
            OhwaitError: the scope has not been entered, is ending because of an error, or has ended.
            BackendError: called where the scope's event loop does not run.
        """
        group = self._open_group()
        handle: Handle[Any] = Handle(self, name_of(fn))
        child = self._child(handle, fn, args)
        self._running.add(handle)
        try:
            handle._task = group.start(child, handle._name, lambda: self._ended(handle))
        except BaseException:
            self._running.discard(handle)
            child.close()
            raise
        if handle._to_cancel:
            handle.cancel()
        return handle

    def run(self, body: Callable[[Scope, *Ts], T], *args: *Ts) -> T:
        """Call the plain function ``body(scope, *args)`` inside this scope, leave the scope, return what it returned.

        The same as a ``with`` statement around the body, but able to wait for the children after any exception.

        Raises:
            BaseExceptionGroup: the errors of the children and of the body.
            OhwaitError: `ohwait` cannot suspend here; nothing was started.
        """
        if (blocked := obstacle()) is not None:
            raise refusal(*blocked)
        self._enter()
        call, fn, values = call_plainly(body, (self, *args))
        value: Any = None
        error: BaseException | None = None
        try:
            value = call(fn, values)
        except BaseException as raised:
            error = raised
        final = ohwait(self._leave(error))
        try:
            if final is not None:
                raise final
            result: T = value
            return result
        finally:
            del error, final  # Their tracebacks refer to this frame.

    def __enter__(self) -> Self:
        self._interrupt_last = True
        self._enter()
        return self

    @direct_exit
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        if (blocked := obstacle()) is None:
            final = ohwait(self._leave(error))
        elif self._running:
            final = self._leave_behind(error, *blocked)
        else:
            final = self._leave_now(error)
        _conclude(final, error)

    async def __aenter__(self) -> Self:
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        _conclude(await self._leave(error), error)

    @property
    def group(self) -> Group:
        """Where the children run, once the scope has been entered. Not for users."""
        assert self._group is not None
        return self._group

    def holds_body(self) -> bool:
        """Whether the running task is the body, a child has failed, and its siblings must end first. Not for users."""
        if not (self._errors and self._running and self._body_inside and self._interrupt_last):
            return False
        return self.group.backend.current_task() is self.group.body

    async def wait_idle(self, *, shielded: bool = False) -> None:
        """Wait until no child runs. For the body alone. Not for users."""
        group = self.group
        while self._running:
            self._idle = group.backend.event()
            await (group.wait_shielded(self._idle) if shielded else group.wait(self._idle))

    def _enter(self) -> None:
        if self._group is not None:
            raise OhwaitError("a scope can be entered once; call ohwait.scope() for each")
        current_task()  # Raises where there is none.
        self._group = open_group(require_backend())
        self._open = self._body_inside = True

    def _open_group(self) -> Group:
        """The group, if a child can be started in it now."""
        if self._group is None:
            raise OhwaitError("spawn() on a scope that has not been entered; write `with ohwait.scope() as s:`")
        if not self._open:
            why = "is ending because of an error" if self._errors or self._running else "has ended"
            raise OhwaitError(f"spawn() on a scope that {why}: it takes no more children")
        backend = self._group.backend
        if not backend.running():
            raise BackendError(f"spawn() where {backend.name}, in which the scope was entered, does not run")
        return self._group

    async def _child(self, handle: Handle[Any], fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """What the task of a child runs. An error is reported to the scope; only cancellation goes to the loop."""
        handle._started = True
        if handle._to_cancel:
            self._ended(handle)
            return
        passed_on: BaseException | None = None
        try:
            handle._end(await host(fn, args))
        except BaseException as raised:
            error, passed_on = self.group.divide(raised)
            handle._end(error=error, cancelled=error is None)
        self._ended(handle)  # Not inside `except`: what is raised in the siblings now has nothing to do with it.
        try:
            if passed_on is not None:
                raise passed_on
        finally:
            del passed_on

    def _ended(self, handle: Handle[Any]) -> None:
        """Take note that a child has ended. Nothing of the user's runs in its task afterwards."""
        if handle not in self._running:
            return
        self._running.discard(handle)
        if not handle._done:
            handle._end(cancelled=True)  # It never started.
        if handle._error is not None:
            self._failed(handle, handle._error)
        if not self._running:
            if self._errors and self._interrupt_last:
                self._interrupt()
            if self._idle is not None:
                self._idle.set()
            _left_behind.discard(self)

    def _failed(self, handle: Handle[Any], error: BaseException) -> None:
        if self in _left_behind:
            _log.error("%s failed after the body had left its ohwait.scope()", handle._name, exc_info=error)
            return
        self._errors.append(error)
        self._cancel_children()
        if not self._interrupt_last:
            self._interrupt()

    def _interrupt(self) -> None:
        """Wake the body, once, if it is still inside."""
        if self._body_inside:
            self._body_inside = False
            self.group.interrupt()

    def _cancel_children(self) -> None:
        self._open = False
        for handle in tuple(self._running):
            handle.cancel()

    async def _leave(self, error: BaseException | None) -> BaseException | None:
        """Wait until all children have ended, then leave; return what the scope is to raise, or None.

        Args:
            error: what left the body.
        """
        self._body_inside = False
        if error is not None:
            self._cancel_children()
        while self._running:
            try:
                await self.wait_idle(shielded=error is not None)
            except GeneratorExit:  # The event loop is gone.
                raise
            except BaseException as raised:
                error = error or raised
                self._cancel_children()
        self._open = False
        return await self.group.close(self._errors, error)

    def _leave_now(self, error: BaseException | None) -> BaseException | None:
        """Leave where nothing can be waited for, when all children have ended."""
        self._open = self._body_inside = False
        return self.group.close_now(self._errors, error)

    def _leave_behind(
        self, error: BaseException | None, kind: str, frame: FrameType | None, reason: str | None = None
    ) -> BaseException:
        """Leave where nothing can be waited for, although children run: cancel them, let the loop finish them."""
        names = sorted(handle._name for handle in self._running)
        _left_behind.add(self)
        self._body_inside = False
        self._cancel_children()
        self.group.abandon()
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        code = frame.f_code if frame is not None else None
        where = f" ({code.co_qualname}, {code.co_filename}:{frame.f_lineno})" if code and frame else ""
        happened = "the body of ohwait.scope() ended" if error is None else f"{error!r} left the body of ohwait.scope()"
        final = CFunctionError(
            f"{happened}{where} while {len(names)} of its children ran: {shown}. __exit__ was called through C, as "
            "CPython does after an exception, so they could not be waited for; they were cancelled and end on their "
            "own. Use ohwait.scope().run(body) there, or catch the exception inside the body"
        )
        if code is not None and frame is not None:
            final.function, final.filename, final.lineno = code.co_qualname, code.co_filename, frame.f_lineno
            final.callee = "Scope.__exit__()"
        final.__cause__ = error
        return final


def _conclude(final: BaseException | None, error: BaseException | None) -> None:
    """Make the ``with`` statement raise `final`, given that `error` left its body and would be raised otherwise."""
    try:
        if final is not None and final is not error:
            raise final from final.__cause__
    finally:
        del final, error  # Their tracebacks refer to this frame.
