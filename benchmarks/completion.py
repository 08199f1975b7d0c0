"""Completion against asyncio.Future with call_soon_threadsafe, in one run: python benchmarks/completion.py [LOOP...]

Contenders take turns. Compared is the processor time of all threads (the clock's time is longer on a busy machine, and
most of it is switching between threads), and the clock's time beside it, each the median of the rounds. Below 1:
Completion takes less.
"""

from __future__ import annotations

import asyncio
import importlib
import queue
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from ohwait.completion import Completion

ROUNDS = 9
"""How often each figure is measured, for both in turn."""


class Contender(NamedTuple):
    """How to make one in a running loop, and how another thread and the loop's own complete it."""

    name: str
    make: Callable[[], Any]
    complete_from_thread: Callable[[Any], object]


def _complete_future(future: asyncio.Future[int]) -> None:
    future.get_loop().call_soon_threadsafe(future.set_result, 1)


FUTURE = Contender("asyncio.Future", lambda: asyncio.get_running_loop().create_future(), _complete_future)
COMPLETION = Contender("Completion", Completion, lambda completion: completion.set_result(1))


async def wait(awaitable: Awaitable[int]) -> int:
    """What a task is made of."""
    return await awaitable


async def across_threads(contender: Contender, batch: int, operations: int) -> None:
    """One thread completes what tasks wait for, `batch` at a time."""
    jobs: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()

    def work() -> None:
        while (items := jobs.get()) is not None:
            for item in items:
                contender.complete_from_thread(item)

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(operations // batch):
        items = [contender.make() for _ in range(batch)]
        tasks = [asyncio.create_task(wait(item)) for item in items]
        await asyncio.sleep(0)
        jobs.put(items)
        for task in tasks:
            await task
    jobs.put(None)
    thread.join()


async def already_complete(contender: Contender, batch: int, operations: int) -> None:
    """Awaiting one that is complete."""
    item = contender.make()
    item.set_result(1)
    for _ in range(operations):
        await item


async def within_the_loop(contender: Contender, batch: int, operations: int) -> None:
    """The loop's own thread completes what tasks wait for."""
    for _ in range(operations // batch):
        items = [contender.make() for _ in range(batch)]
        tasks = [asyncio.create_task(wait(item)) for item in items]
        await asyncio.sleep(0)
        for item in items:
            item.set_result(1)
        for task in tasks:
            await task


CASES: list[tuple[str, Callable[[Contender, int, int], Any], int, int]] = [
    ("across threads, 1 at a time", across_threads, 1, 3000),
    ("across threads, 10 at a time", across_threads, 10, 10000),
    ("across threads, 100 at a time", across_threads, 100, 20000),
    ("across threads, 1000 at a time", across_threads, 1000, 20000),
    ("awaited when it is complete", already_complete, 1, 100000),
    ("completed by the loop's thread", within_the_loop, 100, 20000),
]


def measure(
    case: Callable[[Contender, int, int], Any], contender: Contender, batch: int, operations: int, factory: Any
) -> tuple[float, float]:
    """Seconds of processor time and of the clock for one operation."""
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(case(contender, batch, operations // 10))
        began, processor = time.perf_counter(), time.process_time()
        runner.run(case(contender, batch, operations))
        return (time.process_time() - processor) / operations, (time.perf_counter() - began) / operations


def main(loops: list[str]) -> None:
    """Print the table for these loops."""
    print(f"CPython {sys.version.split()[0]}; microseconds of {FUTURE.name}, of {COMPLETION.name}, ratio; by the clock")
    for loop in loops:
        factory = asyncio.new_event_loop if loop == "asyncio" else importlib.import_module(loop).new_event_loop
        for title, case, batch, operations in CASES:
            seen: dict[str, list[tuple[float, float]]] = {FUTURE.name: [], COMPLETION.name: []}
            for _ in range(ROUNDS):
                for contender in (FUTURE, COMPLETION):
                    seen[contender.name].append(measure(case, contender, batch, operations, factory))
            future, ours = ([statistics.median(times) * 1e6 for times in zip(*seen[name])] for name in seen)
            processor, clock = (b / a for a, b in zip(future, ours))
            print(
                f"{loop:8} {title:32} {future[0]:7.3f} {ours[0]:7.3f} {processor:5.2f}"
                f"   {future[1]:7.3f} {ours[1]:7.3f} {clock:5.2f}"
            )


if __name__ == "__main__":
    main(sys.argv[1:] or ["asyncio", "uvloop"])
