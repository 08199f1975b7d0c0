"""The contract of the C core (csrc/module.c)."""

from collections.abc import Awaitable, Callable
from types import FrameType, TracebackType
from typing import Any, Final, TypeVar, final

T = TypeVar("T")

def ohwait(awaitable: Awaitable[T], /) -> T: ...
def configure(*, refusal: Callable[..., BaseException]) -> None:
    """Set what makes the error for a place where no suspension is possible: refusal(kind, frame[, reason]).

    kind is "no-coroutine" (frame None) or "c-function" (frame: the Python frame that called the C function; reason:
    why its C frames cannot be set aside). With any other kind, reason says why a suspended call cannot go on here.
    """

def set_guard(guard: Callable[[], object] | None, /) -> None:
    """Have `guard` called at each ohwait() before anything is started; what it raises, ohwait() raises."""

def obstacle() -> tuple[str, FrameType | None] | tuple[str, FrameType | None, str] | None:
    """None if an ohwait() called by the caller of this builtin could suspend; otherwise refusal's arguments."""

def c_caller(coroutine: object, /) -> FrameType | None:
    """The innermost frame above the coroutine's that called a C function which called back; None: there is none."""

def inline_next_loop() -> bool:
    """For an ``__iter__`` written in Python: the calling ``for`` loop runs the generator that is returned inline."""

def counters() -> dict[str, int]:
    """Chains ``lifted``, ``spliced`` and ``cleared`` since import, Chain objects ``alive`` now, and
    ``chunks`` of the data stack that suspended chains hold now, ``chunks_made`` since import."""

def data_stack() -> tuple[int, int]:
    """(chunks, words in use) of this thread's interpreter data stack."""

def recursion_left() -> int:
    """Python calls that are still possible on this thread before RecursionError."""

def free_spares() -> None:
    """Give the memory of spare Chain objects back to the allocator, and forget which frames have suspended often."""

def stats() -> dict[str, int]:
    """``suspensions_by_frames`` and ``suspensions_by_stack`` since import; ``slices_alive``, ``slice_bytes`` now;
    ``slices_lost``: whose stack is gone."""

def allow_c_frames(allowed: bool, /) -> None:
    """Whether C frames may be set aside in this process; True at first."""

def share_thread(begins: bool, /) -> None:
    """True: this thread begins to run what others may go on with, so it suspends no C function; False: it ends."""

def c_frames_status() -> str | None:
    """None where C frames can be set aside, otherwise why not. Reads this process's C stack when first called."""

def compare_unwinders() -> tuple[int, int, str | None]:
    """Walk the C stack with our unwinder and with libgcc's: (frames, differences, what the first one is about).

    Only where the core knows the processor (x86-64 and AArch64 Linux).
    """

def rehearse(falsify: bool, /) -> str | None:
    """Set C functions of the core's own aside and put them back, with known values in all callee-saved registers.

    None if all were kept; otherwise what went wrong, and then no C frame is set aside in this process any more. It is
    done once before the first one is, anyway. `falsify`: change a register meanwhile, which must be noticed.
    Only where the core knows the processor.
    """

def unwind_counts() -> tuple[int, int]:
    """Return addresses looked up in the unwind tables since import, and known now (where the above is)."""

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
