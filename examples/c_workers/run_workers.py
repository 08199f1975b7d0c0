"""Awaits tens of thousands of results that C threads compute, and drops some of them half way.

python examples/c_workers/build_workers.py && python examples/c_workers/run_workers.py [JOBS]
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from ohwait import ohwait

sys.path.append(str(Path(__file__).resolve().parent / "build"))
import workers


def longest(numbers: range) -> tuple[int, int]:
    """Plain code: starts all, then waits for one after the other; (steps, number)."""
    jobs = [(workers.steps(number), number) for number in numbers]
    results = [(ohwait(job), number) for job, number in jobs]
    return max(results)


async def main(jobs: int) -> None:
    began = time.perf_counter()
    steps, number = longest(range(1, jobs + 1))
    seconds = time.perf_counter() - began
    print(f"{jobs} jobs in {seconds:.3f} s, {jobs / seconds:,.0f} Completions a second: {number} takes {steps} steps")

    before = workers.counters()[1]
    unwanted = [workers.steps(2**62 + i) for i in range(10_000)]
    for job in unwanted:
        job.cancel()
    await workers.steps(1)
    print(f"{workers.counters()[1] - before} jobs of 10000 were cancelled before a thread came to them")


if __name__ == "__main__":
    workers.start(2)
    try:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000))
    finally:
        workers.stop()
