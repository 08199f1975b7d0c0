"""The exceptions that ohwait raises of its own accord, under one base class."""

from __future__ import annotations

__all__ = ["BackendError", "CFunctionError", "NoCoroutineError", "OhwaitError", "UnsupportedInterpreterError"]


class OhwaitError(RuntimeError):
    """The base of every exception that ohwait defines.

    What an awaited coroutine raises, and the ``TypeError`` or ``RuntimeError`` that `await` itself has for an object
    it refuses, are passed on as they are and are not of this class.
    """


class CannotSuspendError(OhwaitError):
    """``ohwait`` was called where it cannot suspend; the awaitable was closed before it started.

    Attributes:
        function: qualified name of the Python function at fault, or None where there is none.
        filename: the file of that function.
        lineno: the line that it was executing.
        callee: what stands between, by name, for example ``"sorted()"`` or ``"operator +"``.
    """

    function: str | None = None
    filename: str | None = None
    lineno: int | None = None
    callee: str | None = None


class NoCoroutineError(CannotSuspendError):
    """No coroutine runs below the call: a plain script, a callback of an event loop, another thread.

    ``function``, ``filename`` and ``lineno`` tell who called ``ohwait``.
    """


class CFunctionError(CannotSuspendError):
    """A C function stands between the call of ``ohwait`` and the coroutine, and its C frames cannot be set aside.

    The text says why: this processor or operating system is not supported, `configure` has forbidden it, or it is
    impossible at this very place (in a finalizer that the garbage collector runs, for example). ``callee`` names the
    C function; ``function``, ``filename`` and ``lineno`` tell which Python code called it.
    """


class BackendError(OhwaitError):
    """The selected backend cannot be used: not installed, not importable, or another event loop runs now."""


class UnsupportedInterpreterError(OhwaitError, ImportError):
    """Raised by ``import ohwait`` on an interpreter that it does not support; the text names what is supported."""


for _class in [OhwaitError, *OhwaitError.__subclasses__(), *CannotSuspendError.__subclasses__()]:
    _class.__module__ = "ohwait"  # In tracebacks and pickles: the name that users import.
del _class
