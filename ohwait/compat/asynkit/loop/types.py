"""asynkit.loop.types: names for annotations."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, Handle, Task
from collections import deque
from typing import Any, TypeAlias

__all__ = ["FutureAny", "LoopType", "QueueType", "TaskAny"]

FutureAny: TypeAlias = "Future[Any]"
TaskAny: TypeAlias = "Task[Any]"
QueueType: TypeAlias = "deque[Handle]"
LoopType: TypeAlias = AbstractEventLoop
