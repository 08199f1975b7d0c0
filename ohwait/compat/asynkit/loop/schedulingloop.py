"""asynkit.loop.schedulingloop: what a loop must do for its callbacks to be rearranged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from asyncio import Handle
from collections.abc import Callable, Iterable
from contextvars import Context
from typing import Any

from .types import TaskAny

__all__ = ["AbstractSchedulingLoop"]


class AbstractSchedulingLoop(ABC):
    """Callbacks that are ready to run, in an order that is the loop's own business but for the first places: what is
    inserted at position 0 runs next, at position 1 after that one, and so on."""

    @abstractmethod
    def queue_len(self) -> int:
        """How many callbacks are ready."""

    @abstractmethod
    def queue_items(self) -> Iterable[Handle]:
        """The callbacks, in the order in which they will run."""

    @abstractmethod
    def queue_find(self, key: Callable[[Handle], bool], remove: bool = False) -> Handle | None:
        """The first callback for which key(handle) is true, removed if asked; None without one."""

    @abstractmethod
    def queue_remove(self, handle: Handle) -> None:
        """Remove a callback; ValueError if it is not there."""

    @abstractmethod
    def queue_insert(self, handle: Handle) -> None:
        """Insert a callback in its ordinary place."""

    @abstractmethod
    def queue_insert_pos(self, handle: Handle, position: int) -> None:
        """Insert a callback at a position."""

    @abstractmethod
    def call_pos(
        self, position: int, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        """`call_soon`, at a position."""

    @abstractmethod
    def task_from_handle(self, handle: Handle) -> TaskAny | None:
        """The task that the callback runs or wakes, or None if it is for something else."""
