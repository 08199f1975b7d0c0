"""What does a task pay for being able to wait in plain functions, when they never do?

A task for each operation: it goes where plain functions can wait, calls one that does not, and then awaits as often as
said (each time once round asyncio's loop), as the rest of a task would.
"""

from collections.abc import Callable
from typing import Any

from benchmarks.contenders import IN_A_TASK
from benchmarks.driver import PROCESS_CLOCK, seconds_on, suspending
from benchmarks.shapes import Hosts

TITLE = "entering at all"
AXIS = "the task's own awaits"
POINTS = (0, 10, 100)
QUICK = (10,)
CONTENDERS = IN_A_TASK
CLOCK = PROCESS_CLOCK


async def _in_tasks(contender: Hosts, awaits: int, count: int) -> None:
    import asyncio

    for _ in range(count):
        await asyncio.create_task(contender.visit(suspending, awaits))


def _in_greenlets(contender: Any, awaits: int, count: int) -> Callable[[], None]:
    def host() -> None:
        for _ in range(count):
            contender.run(contender.visit(suspending, awaits))

    return host


def measure(contender: Hosts, awaits: int, loops: int) -> float:
    """Seconds for `loops` tasks."""
    host: Any = (_in_greenlets if hasattr(contender, "run") else _in_tasks)(contender, awaits, loops)
    return seconds_on("asyncio", host, contender)
