"""What ``debug=True`` prints: where a function was split, and where its rest went on."""

from __future__ import annotations

import linecache
import sys
import threading
from types import CodeType, FrameType
from typing import Any

from ._journey import Request

__all__ = ["Trace", "report_switch"]


class Trace:
    """Prints nothing; `_Printing` does."""

    @staticmethod
    def of(coroutine: Any, debug: bool) -> Trace:
        return _Printing() if debug and hasattr(coroutine, "cr_frame") else _SILENT

    def yielded(self, coroutine: Any, yielded: object) -> None:
        """The coroutine has suspended."""

    def resumed(self) -> None:
        """It is about to go on."""


class _Printing(Trace):
    def __init__(self) -> None:
        self._split = ""

    def yielded(self, coroutine: Any, yielded: object) -> None:
        awaiter = getattr(yielded, "awaiter", None)
        if awaiter is not None or isinstance(yielded, Request):
            self._split = _where(coroutine.cr_code, coroutine.cr_frame.f_lineno)

    def resumed(self) -> None:
        if self._split:
            _say(f"{self._split}\n  goes on in {_thread()}")
            self._split = ""


_SILENT = Trace()


def report_switch(frame: FrameType | None) -> None:
    """Print which plain function has just been moved here; `frame` is its own."""
    if frame is not None:
        _say(f"{_where(frame.f_code, frame.f_lineno)}\n  goes on in {_thread()}")


def _where(code: CodeType, lineno: int) -> str:
    line = linecache.getline(code.co_filename, lineno).strip()
    place = f"{code.co_qualname}() in {code.co_filename}, line {lineno}"
    return f"{place}:\n    {line}" if line else place


def _thread() -> str:
    from asyncio import _get_running_loop

    return f"thread {threading.current_thread().name!r}, {_get_running_loop()!r}"


def _say(text: str) -> None:
    print(f"ohwait.dispatch: {text}", file=sys.stderr)
