"""Ask the service over some connections at once and note how long each answer takes."""

import asyncio
import itertools
import statistics
import time
from dataclasses import dataclass, field

from benchmarks.service.models import AUTHORS


@dataclass
class Load:
    """What came back: the number of answers in `elapsed` seconds, and how long each took."""

    elapsed: float = 0.0
    latencies: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """The figures of the case."""
        cuts = statistics.quantiles(self.latencies, n=100)
        return {
            "second of a request": self.elapsed / len(self.latencies),
            "second at p50": cuts[49],
            "second at p99": cuts[98],
        }


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    writer.write(f"GET /{number} HTTP/1.1\r\nHost: service\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the service answered {head.splitlines()[0]!r}")
    (length,) = (line.partition(b":")[2] for line in head.lower().splitlines() if line.startswith(b"content-length"))
    body = await reader.readexactly(int(length))
    if f'"Author {number}"'.encode() not in body:
        raise RuntimeError(f"the service answered {body!r} for author {number}")


async def load(port: int, connections: int, warm_up: float, seconds: float) -> Load:
    """Ask over `connections` connections, each again as soon as it has its answer, for so many seconds."""
    made = Load()
    numbers = itertools.cycle(range(1, AUTHORS + 1))
    began = time.perf_counter()
    first, last = began + warm_up, began + warm_up + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (start := time.perf_counter()) < last:
            await _ask(reader, writer, next(numbers))
            if start >= first:
                made.latencies.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    made.elapsed = time.perf_counter() - first
    return made
