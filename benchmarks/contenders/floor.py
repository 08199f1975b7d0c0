"""What two switches cost in any design like ohwait's, and nothing else: the floor of a repeated suspension.

For each suspension a call leaves the chain and another one comes back to it, by functions that do nothing here, and the
awaitable is driven from C, twice, as it must not run inside of the frames that are put aside: by what
`coroutine.__await__()` gives, which passes each step on. No frame is moved. It loops in the host, so it has no depth.
"""

from collections.abc import Generator
from dataclasses import replace
from types import coroutine
from typing import Any

from benchmarks.contenders import native
from benchmarks.shapes import MakeAwaitable


def _switch(value: object) -> object:
    return value


@coroutine
def _many_waits(make: MakeAwaitable, count: int) -> Generator[Any, Any, None]:
    for _ in range(count):
        _switch(None)
        yield from make().__await__()
        _switch(None)


async def many_waits(depth: int, make: MakeAwaitable, count: int) -> None:
    """See the module; `depth` makes no difference."""
    await _many_waits(make, count)


HOSTS = replace(native.HOSTS, many_waits=many_waits)
