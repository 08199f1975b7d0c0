"""Out-of-band talk with a coroutine, and generators that anything may yield from.

A `Monitor` awaits a coroutine in which somebody, at any depth, may call ``await monitor.oob(data)``: that suspends
the coroutine and raises `OOBData` for whoever awaits the monitor, who may answer by awaiting it again. No task, no
queue and no event loop takes part. A `GeneratorObject` makes an async generator of a coroutine in the same way.

Both have plain twins, `Monitor.oob_now` and `GeneratorObject.yield_now`: plain functions call them, and all plain
functions down to the coroutine are suspended. Thus a parser that somebody wrote for complete input can wait for more.

The idea and the names, the plain twins apart, are those of asynkit by Kristján Valur Jónsson.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Coroutine, Generator
from types import FrameType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _monitor
from ._core import ohwait
from ._errors import OhwaitError
from ._monitor import OOBData

__all__ = [
    "BoundMonitor",
    "GeneratorObject",
    "GeneratorObjectIterator",
    "Monitor",
    "MonitorAwaitable",
    "MonitorError",
    "OOBData",
]

T = TypeVar("T")
V = TypeVar("V")

if TYPE_CHECKING:
    GeneratorObjectIterator = AsyncGenerator
else:
    GeneratorObjectIterator = _monitor.GeneratorObjectIterator
    AsyncGenerator.register(GeneratorObjectIterator)


class MonitorError(OhwaitError):
    """A `Monitor` or `GeneratorObject` was used where it cannot work: nobody awaits it, or it is awaited already."""


class Monitor(_monitor.MonitorBase, Generic[T]):
    """Awaits a coroutine and listens to what it says meanwhile.

    One monitor can serve any number of coroutines, one at a time, and monitors may be nested: the coroutine that one
    awaits may await another, and what is sent to the outer one passes the inner one by.

    ``T`` is what the coroutine returns.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def aawait(self, coro: Coroutine[Any, Any, T], data: object = None) -> Coroutine[Any, Any, T]:
            """Await the coroutine; return what it returns.

            Args:
                data: what the `oob` that the coroutine waits in returns; None the first time.

            Raises:
                OOBData: the coroutine called `oob`. Await again to go on.
                MonitorError: the monitor is being awaited already.
                RuntimeError: the coroutine itself raised OOBData.
            """

        def athrow(
            self, coro: Coroutine[Any, Any, T], exc: BaseException | type[BaseException]
        ) -> Coroutine[Any, Any, T]:
            """Await the coroutine, raising the exception where it waits; otherwise as `aawait`."""

        def oob(self, data: object = None) -> Coroutine[Any, Any, Any]:
            """Suspend the coroutine, raising ``OOBData(data)`` for whoever awaits it with this monitor.

            Returns (when awaited):
                What is sent in answer, by default None.

            Raises:
                MonitorError: nobody awaits this monitor, or this is another task than theirs.
            """

    def oob_now(self, data: object = None) -> Any:
        """`oob` for plain functions: suspend them all, and the coroutine below, until the answer comes; return it.

        Raises:
            MonitorError: as `oob`.
            OhwaitError: `ohwait` cannot suspend here (its subclasses say why).
        """
        return ohwait(self.oob(data))

    def __call__(self, coro: Coroutine[Any, Any, T]) -> BoundMonitor[T]:
        """Monitor and coroutine as one awaitable."""
        return BoundMonitor(self, coro)

    awaitable = __call__

    async def aclose(self, coro: Coroutine[Any, Any, T]) -> None:
        """End the coroutine by raising GeneratorExit where it waits; nothing happens if it has ended already.

        Raises:
            RuntimeError: it calls `oob` all the same.
        """
        if _has_ended(coro):
            return
        try:
            await self.athrow(coro, GeneratorExit())
        except GeneratorExit:
            pass
        except OOBData:
            raise RuntimeError("Monitor coroutine ignored GeneratorExit") from None

    async def start(self, coro: Coroutine[Any, Any, T]) -> Any:
        """Await the coroutine until its first `oob`; return the data of that.

        Raises:
            MonitorError: it ended without any.
        """
        try:
            await self.aawait(coro)
        except OOBData as oob:
            return oob.data
        raise MonitorError(f"{coro!r} ended and did not await Monitor.oob()")

    async def try_await(
        self, coro: Coroutine[Any, Any, T], data: object = None, sentinel: V | None = None
    ) -> T | V | None:
        """As `aawait`, but return `sentinel` where that raises OOBData (the data of which is lost)."""
        try:
            return await self.aawait(coro, data)
        except OOBData:
            return sentinel


class BoundMonitor(Generic[T]):
    """A monitor with its coroutine: awaiting it is awaiting ``monitor.aawait(coro)``, as often as need be."""

    __slots__ = ("_coro", "_monitor")

    def __init__(self, monitor: Monitor[T], coro: Coroutine[Any, Any, T]) -> None:
        self._monitor = monitor
        self._coro = coro

    def __await__(self) -> Generator[Any, Any, T]:
        return self._monitor.aawait(self._coro).__await__()

    def aawait(self, data: object = None) -> Coroutine[Any, Any, T]:
        """See `Monitor.aawait`."""
        return self._monitor.aawait(self._coro, data)

    def athrow(self, exc: BaseException | type[BaseException]) -> Coroutine[Any, Any, T]:
        """See `Monitor.athrow`."""
        return self._monitor.athrow(self._coro, exc)

    def aclose(self) -> Coroutine[Any, Any, None]:
        """See `Monitor.aclose`."""
        return self._monitor.aclose(self._coro)

    def start(self) -> Coroutine[Any, Any, Any]:
        """See `Monitor.start`."""
        return self._monitor.start(self._coro)

    def try_await(self, data: object = None, sentinel: V | None = None) -> Coroutine[Any, Any, T | V | None]:
        """See `Monitor.try_await`."""
        return self._monitor.try_await(self._coro, data, sentinel)


MonitorAwaitable = BoundMonitor
"""The older name of `BoundMonitor`."""


class GeneratorObject(_monitor.GeneratorBase, Generic[T, V]):
    """Makes an async generator of a coroutine: ``generator(coro)``, where ``await generator.ayield(value)`` yields.

    Unlike the `yield` statement, `ayield` may be called anywhere: in functions that the coroutine calls, at any
    depth, and under asyncio (uvloop too) in other tasks, each of which waits until its value has been taken and the
    next one is asked for. The generator's `asend`, `athrow`, `aclose` and finalisation are those of a native one.

    ``T`` is what it yields and ``V`` what `asend` sends.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __call__(self, coro: Coroutine[Any, Any, Any]) -> AsyncGenerator[T, V]:
            """The async generator that runs this coroutine and yields what is given to `ayield`."""

        def ayield(self, value: T) -> Coroutine[Any, Any, V]:
            """Yield the value; return what `asend` sends, None in a loop.

            Raises:
                MonitorError: nobody iterates.
                GeneratorExit: the generator is closed.
                asyncio.CancelledError: it was closed, or has ended, while this waited in another task.
            """

    def yield_now(self, value: T) -> V:
        """`ayield` for plain functions: suspend them all, and the coroutine below, until the next item is wanted.

        Raises:
            MonitorError: as `ayield`.
            OhwaitError: `ohwait` cannot suspend here (its subclasses say why).
        """
        return ohwait(self.ayield(value))


def _has_ended(coro: Coroutine[Any, Any, Any]) -> bool:
    """Whether a coroutine, or a generator-based one, has returned or raised."""
    for prefix in ("cr", "gi"):
        if hasattr(coro, f"{prefix}_frame"):
            return getattr(coro, f"{prefix}_frame") is None
    return False


_TEXTS: dict[tuple[str, type], str] = {
    ("inactive", Monitor): "Monitor not active: oob() was called{place} while nobody awaits the coroutine by aawait()",
    ("inactive", GeneratorObject): (
        "GeneratorObject not active: ayield() was called{place}, but nobody has begun to iterate over it, "
        "or the iteration has ended"
    ),
    ("re-entered", Monitor): (
        "Monitor cannot be re-entered: aawait() was called{place} while another aawait() is under way; "
        "use a Monitor for each"
    ),
    ("other-task", Monitor): (
        "Monitor.oob() was called{place} outside of the coroutine that the monitor awaits, in another task; "
        "call it in the coroutine, or use a GeneratorObject"
    ),
    ("no-asyncio", GeneratorObject): (
        "ayield() was called{place} outside of the coroutine that is iterated over, in another task; that works with "
        "asyncio's loops only, where tasks wait for futures: call it in the coroutine, or use a channel"
    ),
    ("other-loop", GeneratorObject): "ayield() was called{place} in another event loop than the one that iterates",
    ("awaited-twice", GeneratorObject): "an ayield(){place} is awaited by two tasks",
    ("resumed-early", GeneratorObject): "an ayield() in another task was resumed{place} before it was answered",
}


def _refusal(kind: str, channel: object) -> MonitorError:
    owner = Monitor if isinstance(channel, Monitor) else GeneratorObject
    text = _TEXTS.get((kind, owner)) or "{name} cannot be used like that{place}: " + kind
    return MonitorError(text.format(place=_place(sys._getframe(1)), name=type(channel).__name__))


def _place(frame: FrameType | None) -> str:
    """Where the Python code is that called, this module's own apart."""
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    if frame is None:
        return ""
    code = frame.f_code
    return f" in {code.co_qualname}() (file {code.co_filename!r}, line {frame.f_lineno})"


_monitor.configure(refusal=_refusal)
