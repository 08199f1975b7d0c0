"""asynkit.scheduling: `ohwait.scheduling` under asynkit's name."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Task
from typing import Any

from ...scheduling import (
    create_task_descend,
    create_task_start,
    runnable_tasks,
    sleep_insert,
    task_is_blocked,
    task_is_runnable,
    task_reinsert,
    task_switch,
)

__all__ = [
    "blocked_tasks",
    "create_task_descend",
    "create_task_start",
    "runnable_tasks",
    "sleep_insert",
    "task_is_blocked",
    "task_is_runnable",
    "task_reinsert",
    "task_switch",
]


def blocked_tasks(loop: AbstractEventLoop | None = None) -> set[Task[Any]]:
    """The tasks that wait for something."""
    current = asyncio.current_task() if loop is None else asyncio.current_task(loop)
    return {task for task in asyncio.all_tasks(loop) if task is not current and task_is_blocked(task)}
