"""An HTTP server and client written as plain functions, over asyncio's streams.

Not one `await` below: the protocol code is ordinary code that reads and writes, and could be tested with any object
that has `readline` and `write`. All connections are nevertheless served at once, by one thread.

        python examples/http_plain.py
"""

from __future__ import annotations

import asyncio
import json
from time import perf_counter
from typing import NamedTuple

import ohwait
from ohwait import ohwait as wait


class Message(NamedTuple):
    """A request or a response: its first line, its headers in lower case, its body."""

    start: str
    headers: dict[str, str]
    body: bytes


class Stream:
    """Blocking reads and writes, as a socket's file would have, over a pair of asyncio's streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    def connect(cls, host: str, port: int) -> Stream:
        return cls(*wait(asyncio.open_connection(host, port)))

    def readline(self) -> str:
        return wait(self._reader.readline()).decode("latin-1").rstrip("\r\n")

    def read(self, size: int) -> bytes:
        return wait(self._reader.readexactly(size))

    def write(self, data: bytes) -> None:
        self._writer.write(data)
        wait(self._writer.drain())

    def close(self) -> None:
        self._writer.close()
        wait(self._writer.wait_closed())


def receive(stream: Stream) -> Message:
    start = stream.readline()
    headers = {}
    while line := stream.readline():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Message(start, headers, stream.read(int(headers.get("content-length", 0))))


def send(stream: Stream, start: str, body: bytes = b"") -> None:
    head = f"{start}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    stream.write(head.encode("latin-1") + body)


# The server: a handler is a plain function from a path to something that JSON can hold.


def square(path: str) -> object:
    number = int(path.rpartition("/")[2])
    ohwait.sleep(0.1)  # A slow database.
    return {"number": number, "square": number * number}


def serve(stream: Stream) -> None:
    request = receive(stream)
    method, path, _ = request.start.split(" ", 2)
    if method != "GET" or not path.startswith("/square/"):
        send(stream, "HTTP/1.1 404 Not Found", b'"nothing here"')
        return
    try:
        answer = square(path)
    except ValueError:
        send(stream, "HTTP/1.1 400 Bad Request", b'"not a number"')
    else:
        send(stream, "HTTP/1.1 200 OK", json.dumps(answer).encode())


async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The only coroutine: asyncio starts it for each connection."""
    stream = Stream(reader, writer)
    try:
        serve(stream)
    finally:
        stream.close()


# The client.


def get(port: int, path: str) -> tuple[int, object]:
    stream = Stream.connect("127.0.0.1", port)
    try:
        send(stream, f"GET {path} HTTP/1.1\r\nHost: localhost")
        response = receive(stream)
    finally:
        stream.close()
    return int(response.start.split(" ")[1]), json.loads(response.body)


def main() -> None:
    server = wait(asyncio.start_server(on_connection, "127.0.0.1", 0))
    port = server.sockets[0].getsockname()[1]
    paths = [*(f"/square/{number}" for number in range(10)), "/square/ten", "/circle/1"]
    start = perf_counter()
    with ohwait.scope() as scope:
        handles = [scope.spawn(get, port, path) for path in paths]
    seconds = perf_counter() - start
    server.close()
    wait(server.wait_closed())
    for path, handle in zip(paths, handles, strict=True):
        status, answer = handle.result()
        print(f"{path:<12} {status} {answer}")
    print(f"{len(paths)} requests of which 10 take 0.1 s each: {seconds:.1f} s")


if __name__ == "__main__":
    ohwait.use_asyncio()
    ohwait.run(main)
