"""Ask the service over some connections at once and note how long each answer takes."""

import asyncio
import itertools
import json
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.service.models import AUTHORS


@dataclass
class Load:
    """What came back in `elapsed` seconds: how long each answer took. The server had `processor` seconds for them."""

    elapsed: float = 0.0
    processor: float = 0.0
    latencies: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """The figures of the case."""
        cuts = statistics.quantiles(self.latencies, n=100)
        return {
            "second of a request": self.elapsed / len(self.latencies),
            "second at p50": cuts[49],
            "second at p99": cuts[98],
            "second of processor time": self.processor / len(self.latencies),
        }


class Connection:
    """A connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, number: int) -> Any:
        """What the service answers for `number`. Raises RuntimeError where it fails."""
        self.writer.write(f"GET /{number} HTTP/1.1\r\nHost: service\r\n\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        (length,) = (line.partition(b":")[2] for line in head.splitlines() if line.startswith(b"content-length"))
        body = await self.reader.readexactly(int(length))
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(f"the service answered: {body.decode()}")
        return json.loads(body)


async def load(port: int, connections: int, warm_up: float, seconds: float) -> Load:
    """Ask over `connections` connections, each again as soon as it has its answer, for so many seconds."""
    made = Load()
    numbers = itertools.cycle(range(1, AUTHORS + 1))
    opened = [Connection(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(connections)]

    async def keep_asking(connection: Connection, last: float) -> None:
        while (start := time.perf_counter()) < last:
            number = next(numbers)
            found = await connection.ask(number)
            made.latencies.append(time.perf_counter() - start)
            if found["name"] != f"Author {number}":
                raise RuntimeError(f"the service answered {found} for author {number}")

    async def all_ask(for_seconds: float) -> None:
        last = time.perf_counter() + for_seconds
        await asyncio.gather(*(keep_asking(connection, last) for connection in opened))

    await all_ask(warm_up)
    made.latencies.clear()
    began, clock = time.perf_counter(), (await opened[0].ask(0))["clock"]
    await all_ask(seconds)
    made.elapsed, made.processor = time.perf_counter() - began, (await opened[0].ask(0))["clock"] - clock
    for connection in opened:
        connection.writer.close()
    return made
