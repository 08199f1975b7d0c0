"""The contract of the C core (csrc/module.c)."""

from collections.abc import Awaitable, Callable
from types import FrameType, TracebackType
from typing import Any, Final, TypeVar, final

T = TypeVar("T")

def ohwait(awaitable: Awaitable[T], /) -> T: ...
def configure(*, refusal: Callable[[str, FrameType | None], BaseException]) -> None:
    """Set what makes the error for a place where no suspension is possible: refusal(kind, frame).

    kind is "no-coroutine" (frame None) or "c-function" (frame: the Python frame that called the C function).
    """

def set_guard(guard: Callable[[], object] | None, /) -> None:
    """Have `guard` called at each ohwait() before anything is started; what it raises, ohwait() raises."""

def obstacle() -> tuple[str, FrameType | None] | None:
    """None if an ohwait() called by the caller of this builtin could suspend; otherwise (kind, frame) as above."""

def inline_next_loop() -> bool:
    """For an ``__iter__`` written in Python: the calling ``for`` loop runs the generator that is returned inline."""

def counters() -> dict[str, int]:
    """Chains ``lifted``, ``spliced`` and ``cleared`` since import, Chain objects ``alive`` now, and
    ``chunks`` of the data stack that suspended chains hold now."""

def data_stack() -> tuple[int, int]:
    """(chunks, words in use) of this thread's interpreter data stack."""

def recursion_left() -> int:
    """Python calls that are still possible on this thread before RecursionError."""

def free_spares() -> None:
    """Give the memory of spare Chain objects back to the allocator."""

BUILD: Final[dict[str, Any]]
"""``cpython`` (compiled for), ``version``, ``checked``, ``interpreter_debug``, ``with_calls_methods_inline``,
``landing_slots`` (entries on its value stack that a coroutine needs to be seen awaiting, cr_await, while suspended)."""

@final
class Link:
    """One plain frame of a suspended chain, as debuggers walk it: outermost first."""

    @property
    def cr_frame(self) -> FrameType | None: ...
    @property
    def cr_await(self) -> object: ...

@final
class Chain:
    """What a coroutine awaits (cr_await) while plain functions above it are suspended in ohwait()."""

    @property
    def cr_frame(self) -> FrameType | None:
        """Frame of the plain function that the coroutine called; None if it called ohwait() itself."""

    @property
    def cr_await(self) -> object:
        """A Link for the next plain frame, and so on; in the end the awaitable's iterator."""

    @property
    def cr_running(self) -> bool: ...
    def send(self, value: object, /) -> object: ...
    def throw(
        self,
        typ: type[BaseException] | BaseException,
        val: object = None,
        tb: TracebackType | None = None,
        /,
    ) -> object: ...
    def close(self) -> None: ...
