"""asynkit.experimental.anyio: task groups of anyio, on asyncio, whose tasks start at once."""

from ...._eager_group import EagerTaskGroup, create_eager_task_group
from ...._eager_group import TaskStatusForwarder as TaskStatusForwarder

__all__ = ["EagerTaskGroup", "create_eager_task_group"]
