"""asynkit.loop.eventloop: asyncio's loops with the scheduling methods, and policies that make them."""

from __future__ import annotations

import asyncio
import warnings
from asyncio import AbstractEventLoop, Handle
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

from .default import DequeMethods, call_pos, queue_of

__all__ = [
    "DefaultSchedulingEventLoop",
    "SchedulingEventLoopPolicy",
    "SchedulingMixin",
    "SchedulingSelectorEventLoop",
    "event_loop_policy",
    "scheduling_loop_factory",
]

_DEPRECATED = r".*\b(asyncio\.\w*[Pp]olicy|DefaultEventLoopPolicy|[gs]et_event_loop_policy)\b.* is deprecated"


class SchedulingMixin(DequeMethods):
    """The scheduling methods, for loops with a ready queue such as asyncio's own."""

    def get_ready_queue(self) -> deque[Handle]:
        return queue_of(self)  # type: ignore[arg-type]

    def call_pos(
        self, position: int, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        return call_pos(self, position, callback, *args, context=context)  # type: ignore[arg-type]


class SchedulingSelectorEventLoop(asyncio.SelectorEventLoop, SchedulingMixin):
    """asyncio's selector loop with the scheduling methods."""


DefaultSchedulingEventLoop: Any = SchedulingSelectorEventLoop

if hasattr(asyncio, "ProactorEventLoop"):

    class SchedulingProactorEventLoop(asyncio.ProactorEventLoop, SchedulingMixin):
        """asyncio's proactor loop (Windows) with the scheduling methods."""

    DefaultSchedulingEventLoop = SchedulingProactorEventLoop
    __all__ += ["SchedulingProactorEventLoop"]


def scheduling_loop_factory() -> AbstractEventLoop:
    """A new loop with the scheduling methods, for ``asyncio.run(loop_factory=)`` and `asyncio.Runner`."""
    loop: AbstractEventLoop = DefaultSchedulingEventLoop()
    return loop


# ---- policies, which asyncio has deprecated since CPython 3.14 ----


@contextmanager
def _ignore_asyncio_policy_deprecation() -> Generator[None, Any, None]:
    """Within the block asyncio does not warn that policies are deprecated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_DEPRECATED, category=DeprecationWarning)
        yield


def _policies_are_deprecated() -> bool:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        getattr(asyncio, "DefaultEventLoopPolicy", None)
    return bool(caught)


def _warn_policy_deprecated(name: str, stacklevel: int = 3) -> None:
    """Warn whoever called the caller, where asyncio would warn."""
    if _POLICIES_ARE_DEPRECATED:
        warnings.warn(
            f"{name} uses asyncio event loop policies, which are deprecated; use a loop factory instead",
            DeprecationWarning,
            stacklevel=stacklevel,
        )


_POLICIES_ARE_DEPRECATED = _policies_are_deprecated()
with _ignore_asyncio_policy_deprecation():
    DefaultEventLoopPolicy: Any = getattr(asyncio, "DefaultEventLoopPolicy", object)


class SchedulingEventLoopPolicy(DefaultEventLoopPolicy):  # type: ignore[misc]
    """Makes loops with the scheduling methods."""

    def __init__(self) -> None:
        _warn_policy_deprecated("SchedulingEventLoopPolicy")
        super().__init__()

    def new_event_loop(self) -> AbstractEventLoop:
        return scheduling_loop_factory()


@contextmanager
def _policy_for_block(policy: Any) -> Generator[Any, Any, None]:
    with _ignore_asyncio_policy_deprecation():
        previous = asyncio.get_event_loop_policy()
        asyncio.set_event_loop_policy(policy)
    try:
        yield policy
    finally:
        with _ignore_asyncio_policy_deprecation():
            asyncio.set_event_loop_policy(previous)


def event_loop_policy(policy: Any = None) -> Any:
    """A context manager: within its block asyncio uses the policy, a `SchedulingEventLoopPolicy` by default."""
    _warn_policy_deprecated("event_loop_policy()")
    if policy is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            policy = SchedulingEventLoopPolicy()
    return _policy_for_block(policy)
