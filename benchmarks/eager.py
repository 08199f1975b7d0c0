"""ohwait.eager against asynkit's C extension and asyncio's own tasks, in one run: python benchmarks/eager.py

Needs asynkit (0.20) in the same environment; contenders that are not installed are left out. They take turns; each
figure is the median of the rounds in microseconds of processor time, and beside it ohwait's ratio to it: below 1 ohwait
takes less.
"""

from __future__ import annotations

import asyncio
import importlib
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ohwait import eager as ours

ROUNDS = 9
OPERATIONS = 10_000

try:
    asynkit: Any = importlib.import_module("asynkit")
except ImportError:
    asynkit = None


async def at_once() -> int:
    return 1


async def one_turn() -> int:
    await asyncio.sleep(0)
    return 1


async def wait(future: asyncio.Future[int]) -> int:
    return await future


Operation = Callable[[], Awaitable[object] | None]


def of_calls(start: Callable[[Any], Any]) -> dict[str, Operation]:
    """What is done with something that takes a coroutine and returns an awaitable."""

    async def for_a_future() -> None:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = start(wait(future))
        future.set_result(1)
        await task

    return {
        "no suspension": lambda: start(at_once()),
        "no suspension, awaited": lambda: start(at_once()),
        "one suspension": lambda: start(one_turn()),
        "a future": for_a_future,
    }


def contenders() -> dict[str, dict[str, dict[str, Operation]]]:
    """{title: {contender: {case: operation}}}, ohwait first."""

    def native(coro: Any) -> Any:
        return asyncio.create_task(coro)

    eager = {"ohwait": of_calls(ours.eager), "create_task": of_calls(native)}
    if hasattr(asyncio, "eager_task_factory"):
        make: Any = asyncio.Task
        eager["eager Task"] = of_calls(lambda coro: make(coro, loop=asyncio.get_running_loop(), eager_start=True))
    start = {"ohwait": of_calls(ours.CoroStart)}
    if asynkit is not None:
        eager["asynkit"] = of_calls(asynkit.eager)
        start["asynkit"] = of_calls(asynkit.CoroStart)
    return {"eager": eager, "CoroStart": start}


async def repeat(operation: Operation, awaited: bool) -> None:
    """An operation again and again; what it returns is awaited, or let go."""
    for _ in range(OPERATIONS):
        result = operation()
        if awaited and result is not None:
            await result


def measure(operation: Operation, awaited: bool) -> float:
    """Microseconds of processor time for one operation."""
    with asyncio.Runner() as runner:
        runner.run(repeat(operation, awaited))
        began = time.process_time()
        runner.run(repeat(operation, awaited))
        return (time.process_time() - began) / OPERATIONS * 1e6


def main() -> None:
    """Print the table."""
    print(f"CPython {sys.version.split()[0]}, asynkit {'is missing' if asynkit is None else asynkit.__name__}")
    for title, those in contenders().items():
        for case in next(iter(those.values())):
            awaited = case != "no suspension"
            seen: dict[str, list[float]] = {name: [] for name in those}
            for _ in range(ROUNDS):
                for name, operations in those.items():
                    seen[name].append(measure(operations[case], awaited))
            median = {name: statistics.median(times) for name, times in seen.items()}
            row = [f"{title:10} {case:24} ohwait {median.pop('ohwait'):6.2f}"]
            mine = statistics.median(seen["ohwait"])
            row += [f"{name} {time:6.2f} ({mine / time:4.2f})" for name, time in median.items()]
            print("   ".join(row), flush=True)


if __name__ == "__main__":
    main()
