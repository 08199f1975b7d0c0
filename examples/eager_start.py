"""Requests that are on their way before anybody waits for them: started by coroutines and by plain functions.

Run: python examples/eager_start.py
"""

import asyncio
import time

from ohwait import ohwait
from ohwait.eager import cancelling, eager, eager_call

SECONDS = 0.1
sent: list[str] = []


async def request(name: str) -> str:
    """Something that takes a while once it has been sent."""
    sent.append(name)
    await asyncio.sleep(SECONDS)
    return name.upper()


def report(names: list[str]) -> str:
    """A plain function: it sends all its requests and waits for each."""
    answers = [eager(request(name)) for name in names]
    return ", ".join([ohwait(answer) for answer in answers])


async def main() -> None:
    began = time.perf_counter()
    first = eager(request("first"))
    second = eager_call(report, ["second", "third"])
    print("sent before anything was awaited:", ", ".join(sent))

    with cancelling(eager(request("unneeded"))):
        print("answers:", await first, "and", await second)
    print(f"together: {time.perf_counter() - began:.2f} s, each request: {SECONDS} s")


if __name__ == "__main__":
    asyncio.run(main())
