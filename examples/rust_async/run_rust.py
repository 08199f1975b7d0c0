"""Rust's async functions awaited by Python, and Python's by Rust, in coroutines, in plain code, under any event loop.

python examples/rust_async/build_rust.py && python examples/rust_async/run_rust.py [asyncio | uvloop | trio | curio]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import ohwait

sys.path.append(str(Path(__file__).resolve().parent / "build"))
import rust_async


@ohwait.as_sync
async def price_of(thing: str) -> int:
    """Python's, asked by Rust; waits by means of whatever loop runs."""
    ohwait.sleep(0.01)
    return len(thing)


async def ask(thing: str) -> int:
    return price_of(thing)


def main() -> None:
    """A plain function: nothing in it is async, and everything it calls is."""
    began = time.perf_counter()
    print("threads of Rust's:      ", ohwait.ohwait(rust_async.total(range(1000), seconds=0.05)))
    print("Rust awaits Python:     ", ohwait.ohwait(rust_async.ask_twice(ask, "bread", "butter")))
    with ohwait.scope() as scope:
        sums = [scope.spawn(total, n) for n in range(5)]
    print("five at once:           ", [handle.result() for handle in sums])
    counting = rust_async.count(2**62)
    ohwait.sleep(0.02)
    print("cancelled, Rust stops:  ", counting.cancel(), counting)
    print(f"all of that took         {time.perf_counter() - began:.2f} s")


async def total(n: int) -> int:
    result: int = await rust_async.total([n] * n, seconds=0.05)
    return result


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "asyncio"
    if name == "uvloop":
        import uvloop

        ohwait.use_asyncio(loop_factory=uvloop.new_event_loop)
    else:
        ohwait.use_backend(name)
    ohwait.run(main)
