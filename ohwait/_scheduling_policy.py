"""Event loop policies that make scheduling loops, for the versions of asyncio that go by policies."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from asyncio import AbstractEventLoop
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from ._scheduling_loops import scheduling_loop_factory

__all__ = ["SchedulingEventLoopPolicy", "event_loop_policy", "ignore_policy_deprecation"]

DEPRECATED = "DefaultEventLoopPolicy" not in vars(asyncio)
"""asyncio hands the class out with a warning then, by its __getattr__."""


@contextlib.contextmanager
def ignore_policy_deprecation() -> Generator[None]:
    """Within the block, asyncio's warnings that its event loop policies are deprecated are not shown."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*event_?loop_?policy.*deprecated", DeprecationWarning)
        yield


def _warn(name: str, stacklevel: int) -> None:
    if DEPRECATED:
        warnings.warn(
            f"{name} uses asyncio event loop policies, which are deprecated: "
            "give asyncio.run() or asyncio.Runner() loop_factory=ohwait.scheduling.scheduling_loop_factory",
            DeprecationWarning,
            stacklevel=stacklevel + 1,
        )


if TYPE_CHECKING:
    _DefaultEventLoopPolicy = asyncio.DefaultEventLoopPolicy
else:
    with ignore_policy_deprecation():
        _DefaultEventLoopPolicy = asyncio.DefaultEventLoopPolicy


class SchedulingEventLoopPolicy(_DefaultEventLoopPolicy):
    """asyncio's default policy, with loops from `scheduling_loop_factory`.

    Where asyncio deprecates policies (3.14), making one warns; where it has none any more, there is none here.
    """

    def __init__(self) -> None:
        _warn(type(self).__name__, 2)
        super().__init__()

    def new_event_loop(self) -> AbstractEventLoop:
        return scheduling_loop_factory()


@contextlib.contextmanager
def _policy(policy: Any) -> Generator[Any]:
    with ignore_policy_deprecation():
        before = asyncio.get_event_loop_policy()
        policy = SchedulingEventLoopPolicy() if policy is None else policy
        asyncio.set_event_loop_policy(policy)
    try:
        yield policy
    finally:
        with ignore_policy_deprecation():
            asyncio.set_event_loop_policy(before)


def event_loop_policy(policy: Any = None) -> contextlib.AbstractContextManager[Any]:
    """A context manager within which an event loop policy is in force: by default a `SchedulingEventLoopPolicy`."""
    _warn("event_loop_policy()", 2)
    return _policy(policy)
