"""Suspending through C functions: count it, allow it, forbid it."""

from __future__ import annotations

from dataclasses import dataclass

from . import _core

__all__ = ["Stats", "configure", "stats"]


@dataclass(frozen=True, slots=True)
class Stats:
    """What `stats` returns: counts of this process since `ohwait` was imported, in all threads."""

    suspensions_by_frames: int
    """How often only Python frames were set aside."""
    suspensions_by_stack: int
    """How often a slice of the C stack was, because C functions stood in between."""
    slices_alive: int
    """Slices that are set aside now."""
    slice_bytes: int
    """Bytes that they take, their Python frames included."""
    slices_lost: int
    """Slices whose C functions will never return, because their thread or greenlet has ended; what they hold stays."""


def stats() -> Stats:
    """Tell how often `ohwait` has suspended by which path, and what is set aside now."""
    counts = _core.stats()
    return Stats(**{name: counts[name] for name in Stats.__slots__})


def configure(*, c_frames: bool | None = None) -> None:
    """Change how `ohwait` works in this process. What is suspended already can be resumed all the same.

    Args:
        c_frames: whether `ohwait` may suspend through C functions (``sorted(key=f)``, ``__init__``, ...), as it does
            by default where it can. If not, it raises `CFunctionError` there. None leaves it as it is. The
            environment variable OHWAIT_C_FRAMES=0 forbids it from the start.

    Raises:
        TypeError: for anything else.
    """
    if c_frames is None:
        return
    if not isinstance(c_frames, bool):
        raise TypeError(f"configure(): c_frames must be True, False or None, not {type(c_frames).__name__}")
    _core.allow_c_frames(c_frames)
