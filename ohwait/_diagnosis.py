"""Why ``ohwait`` cannot suspend here, as an exception (`refusal`) or, asked beforehand, as an object (`can_wait`).

The core knows two obstacles: ``"no-coroutine"``, and ``"c-function"`` with the frame that called the C function and
the reason why its C frames cannot be set aside.
This module turns them into words: what happened, in which function, file and line, and what to do instead.
"""

from __future__ import annotations

import sys

from . import _core
from ._errors import BackendError, CFunctionError, NoCoroutineError, OhwaitError

TYPE_CHECKING = False
if TYPE_CHECKING:  # `import ohwait` does not import typing.
    from types import CodeType, FrameType
    from typing import NoReturn

__all__ = ["WaitCheck", "can_wait", "refusal"]

_PACKAGE = __name__.partition(".")[0]
_SWITCH = "configure(c_frames"
"""What a reason mentions if the user has forbidden to set C frames aside."""


class WaitCheck:
    """The answer of `can_wait`: true where ``ohwait`` could suspend, and in any case a readable ``str()``. Immutable.

    Attributes:
        kind: ``"possible"``, ``"no-coroutine"``, ``"c-function"``, or ``"backend"`` where ``use_...()`` has selected a
            backend and another event loop runs.
        reason: the same in words, with what to do; it is the text of the exception that ``ohwait`` would raise.
        function: qualified name of the Python function that called the C function (``"c-function"``), or that
            asked (``"no-coroutine"``).
        filename: the file of that function.
        lineno: the line that it was executing.
        callee: the C function by name, for example ``"sorted()"`` or ``"operator +"``.
    """

    __slots__ = ("callee", "filename", "function", "kind", "lineno", "reason")

    kind: str
    reason: str
    function: str | None
    filename: str | None
    lineno: int | None
    callee: str | None

    def __init__(
        self,
        kind: str,
        reason: str,
        function: str | None = None,
        filename: str | None = None,
        lineno: int | None = None,
        callee: str | None = None,
    ) -> None:
        values = (callee, filename, function, kind, lineno, reason)
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a WaitCheck cannot be changed (attribute {name!r})")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a WaitCheck cannot be changed (attribute {name!r})")

    def __bool__(self) -> bool:
        return self.kind == "possible"

    def __str__(self) -> str:
        return self.reason

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in ("callee", "function", "filename", "lineno")]
        known = [text for text in shown if not text.endswith("=None")]
        return f"<{type(self).__name__} {' '.join([self.kind, *known])}>"


POSSIBLE = WaitCheck("possible", "ohwait() can suspend here")


def can_wait() -> WaitCheck:
    """Tell whether ``ohwait`` could suspend if the caller called it now, and if not, why.

    Nothing is started and nothing is changed. The answer holds for this call of this function: the same function
    reached another way may get another one.
    """
    obstacle = _core.obstacle()
    if obstacle is not None:
        return _check(*obstacle)
    reason = _wrong_backend()
    return POSSIBLE if reason is None else WaitCheck("backend", reason)


def refusal(kind: str, frame: FrameType | None, reason: str | None = None) -> OhwaitError:
    """The exception for an obstacle as `_core.obstacle` gives it; its text is that of the `WaitCheck`.

    Of any other kind are suspended calls that cannot go on in the thread or greenlet that resumes them: `reason` is
    the whole text then.
    """
    if kind not in ("no-coroutine", "c-function"):
        return OhwaitError(reason)
    check = _check(kind, frame, reason)
    error = (CFunctionError if check.kind == "c-function" else NoCoroutineError)(check.reason)
    for name in ("function", "filename", "lineno", "callee"):
        setattr(error, name, getattr(check, name))
    return error


def _wrong_backend() -> str | None:
    """What ``ohwait`` would say of the selected backend; only ``_runtime`` selects one, once it has been imported."""
    runtime = sys.modules.get(f"{_PACKAGE}._runtime")
    if runtime is None or runtime._pinned is None:
        return None
    try:
        runtime.require_backend()
    except BackendError as error:
        return str(error)
    return None


def _check(kind: str, frame: FrameType | None, reason: str | None = None) -> WaitCheck:
    if frame is None or _is_loop_callback(frame):
        return _no_coroutine()
    return _c_function(kind, frame, reason or _core.c_frames_status())


def _c_function(kind: str, frame: FrameType, reason: str | None) -> WaitCheck:
    entered = _entered_from(frame)
    name, noun, advice = _describe(frame, entered)
    lines = [
        f"ohwait() cannot suspend here: {noun} stands between this call and the coroutine that runs it.",
        f"  This was in {_where(frame)}{_source(frame)}",
    ]
    if entered is not None and entered.co_qualname not in noun:
        lines.append(f"  It called {_place(entered, entered.co_firstlineno)}.")
    if reason is not None:
        lines.append(f"  Its C frames cannot be set aside: {reason}.")
        if _SWITCH in reason:
            advice = f"allow it with ohwait.{_SWITCH}=True), or {advice}"
    lines.append(f"  What to do: {advice}")
    code = frame.f_code
    return WaitCheck(kind, "\n".join(lines), code.co_qualname, code.co_filename, frame.f_lineno, name)


def _describe(frame: FrameType, entered: CodeType | None) -> tuple[str, str, str]:
    try:
        from ._instruction import describe

        return describe(frame, entered)
    except Exception:  # Out of memory or stack, or at shutdown, when nothing can be imported: say what is known.
        return "a C function", "a C function", "wait outside of it, in Python code."


def _no_coroutine() -> WaitCheck:
    caller = _caller()
    situation, advice = _surroundings()
    reason = (
        f"ohwait() cannot suspend here: no coroutine runs below this call, {situation}.\n"
        f"  It was called by {_where(caller)}{_source(caller)}\n"
        f"  What to do: {advice}"
    )
    code = caller.f_code
    return WaitCheck("no-coroutine", reason, code.co_qualname, code.co_filename, caller.f_lineno)


def _surroundings() -> tuple[str, str]:
    """What runs in this thread, and how to get a coroutine below the call there."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        return (
            "which comes from a callback of the running event loop (call_soon, add_done_callback, a protocol)",
            "let the callback start a task, loop.create_task(function()), with an async function that calls this one.",
        )
    threading = sys.modules.get("threading")
    if threading is not None and threading.current_thread() is not threading.main_thread():
        name = threading.current_thread().name
        return (
            f"which comes from the thread {name!r} and not from its event loop",
            "hand the awaitable to the loop's thread (asyncio.run_coroutine_threadsafe(...).result(), trio.from_thread."
            "run()), or give this thread an event loop of its own with ohwait.run(function, *args).",
        )
    return (
        "and no event loop either",
        "start the program with ohwait.run(function, *args), or call the function from an async function.",
    )


def _is_loop_callback(frame: FrameType) -> bool:
    """asyncio calls callbacks as `Handle._run`; a coroutine further below has nothing to do with them."""
    return frame.f_globals.get("__name__") == "asyncio.events" and frame.f_code.co_qualname == "Handle._run"


def _entered_from(frame: FrameType) -> CodeType | None:
    """The Python function that was called by the C function that `frame` called."""
    above: FrameType | None = sys._getframe()
    while above is not None and above.f_back is not frame:
        above = above.f_back
    return None if above is None or above.f_globals is globals() else above.f_code


def _caller() -> FrameType:
    """The innermost frame that is not ohwait's own."""
    frame = sys._getframe()
    while _is_ours(frame) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE


def _where(frame: FrameType) -> str:
    return _place(frame.f_code, frame.f_lineno)


def _place(code: CodeType, lineno: int | None) -> str:
    name = code.co_qualname if code.co_name.startswith("<") else f"{code.co_qualname}()"
    return f"{name} in {code.co_filename}, line {lineno}"


def _source(frame: FrameType) -> str:
    """The source line that `frame` executes, on a line of its own; nothing where it is not to be had."""
    import linecache

    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno or 0, frame.f_globals).strip()
    return f":\n      {line}" if line else ""
