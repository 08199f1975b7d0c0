"""Two parsers of the standard library, written for complete input, parse a page while it still arrives.

`http.client.HTTPResponse` reads a response by calling `readline` and `read` on a file, many calls deep where the body
is chunked; `html.parser` calls a method for each tag. Both are plain functions that know nothing of event loops. Here
the file suspends them all (`Monitor.oob_now`) whenever it has run dry, until whoever owns the socket has filled it,
and the method for tags yields them (`GeneratorObject.yield_now`): the whole is an async generator.

        python examples/pull_parser.py
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from html.parser import HTMLParser
from http.client import HTTPResponse
from typing import Any

from ohwait.monitor import GeneratorObject, Monitor, OOBData

PAGE = "<html><h1>Pull</h1><ul>{}</ul></html>".format("".join(f"<li id=n{n}>item {n}</li>" for n in range(5)))


class Buffer:
    """A file to read from, that asks for more when it is empty; also the socket that it belongs to."""

    def __init__(self, monitor: Monitor[Any]) -> None:
        self._monitor = monitor
        self._data = b""
        self._ended = False

    def fill(self, data: bytes) -> None:
        """More has arrived; nothing at all means that it was the last."""
        self._data += data
        self._ended = not data

    def _take(self, size: int) -> bytes:
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def _wait(self) -> bool:
        if not self._ended:
            self._monitor.oob_now()
        return not self._ended

    def readline(self, limit: int) -> bytes:
        while b"\n" not in self._data[:limit] and len(self._data) < limit and self._wait():
            pass
        return self._take(min(limit, self._data.find(b"\n") + 1 or limit))

    def read(self, size: int) -> bytes:
        while len(self._data) < size and self._wait():
            pass
        return self._take(size)

    def read1(self, size: int) -> bytes:
        while not self._data and self._wait():
            pass
        return self._take(size)

    def makefile(self, mode: str) -> Buffer:
        return self

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Tags(HTMLParser):
    """Yields (tag, attributes), and the text between tags, from a generator."""

    def __init__(self, generator: GeneratorObject[Any, None]) -> None:
        super().__init__()
        self._generator = generator

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._generator.yield_now((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self._generator.yield_now(data)


def parse(buffer: Buffer, generator: GeneratorObject[Any, None]) -> None:
    """What a program would do with a blocking socket."""
    response = HTTPResponse(buffer)  # type: ignore[arg-type]
    response.begin()
    generator.yield_now((response.status, response.headers["Content-Type"]))
    tags = Tags(generator)
    while data := response.read1(16):
        tags.feed(data.decode())
    tags.close()


def parsed(reader: asyncio.StreamReader, piece: int) -> AsyncGenerator[Any, None]:
    """Everything in the page that comes from this stream, which is read in pieces of so many bytes."""
    generator: GeneratorObject[Any, None] = GeneratorObject()
    monitor: Monitor[None] = Monitor()
    buffer = Buffer(monitor)

    async def parsing() -> None:
        parse(buffer, generator)

    async def filling() -> None:
        parser = monitor(parsing())
        while True:
            try:
                return await parser
            except OOBData:
                buffer.fill(await reader.read(piece))

    return generator(filling())


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that sends its page in small chunks, now and then."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in range(0, len(PAGE), 30):
        chunk = PAGE[start : start + 30].encode()
        writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await writer.drain()
        await asyncio.sleep(0.002)
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    writer.close()


async def main(piece: int = 11) -> list[Any]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    found = []
    async for item in parsed(reader, piece):
        print(item)
        found.append(item)
    writer.close()
    server.close()
    return found


if __name__ == "__main__":
    asyncio.run(main())
