"""The service: `python server.py CONTENDER DATABASE CONNECTIONS PROCESSOR` prints its port, then serves until killed.

`/7` answers with author 7, `/0` with the processor time that this process has had.
"""

import asyncio
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # The installed contenders come first, not the ones that lie beside this folder.
    sys.path[:] = [*sys.path[1:], str(Path(__file__).resolve().parent.parent.parent)]

from benchmarks.service import ways
from benchmarks.worker import reason


def application(answer: ways.Answer) -> Any:
    """The ASGI handler."""

    async def handle(scope: dict[str, Any], receive: Any, send: Any) -> None:
        status = 200
        try:
            number = int(scope["path"][1:])
            body = json.dumps(await answer(number) if number else {"clock": time.process_time()}).encode()
        except Exception as error:
            status, body = 500, reason(error).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return handle


async def serve(contender: str, database: str, connections: int) -> None:
    """Serve by the way of `contender`."""
    import uvicorn

    try:
        answer = await getattr(ways, contender)(database, connections)
        await answer(1)
    except Exception as error:
        print(reason(error), file=sys.stderr, flush=True)
        os._exit(1)  # Connections are open that wait in threads.
    # asyncio sends at once (TCP_NODELAY) only where the protocol is named.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(1024)
    settings: dict[str, Any] = {"lifespan": "off", "http": "h11", "log_level": "warning", "access_log": False}
    server = uvicorn.Server(uvicorn.Config(application(answer), **settings))
    print(listening.getsockname()[1], flush=True)
    await server.serve(sockets=[listening])


if __name__ == "__main__":
    if sys.argv[4] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(sys.argv[4])})
    asyncio.run(serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    os._exit(0)  # Without the farewells of pooled connections, which wait where nothing can wait any more.
