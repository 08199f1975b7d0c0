"""What does a service gain or lose: an ASGI handler that calls plain SQLAlchemy ORM code, over HTTP on loopback?

Two queries a request, uvicorn in a process of its own, as many keep-alive connections as said, each asking again as
soon as it has its answer. Compared with SQLAlchemy's own way, a greenlet for each request; native await has no ORM in
it at all, which no way of waiting can make up for: it shows what the rest costs. Times are elapsed ones but for the
last, which is the server's processor time.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import service

TITLE = "a real service"
AXIS = "connections"
POINTS = (1, 10, 50)
QUICK = ()
CONTENDERS = ("native", "ohwait", "sqlalchemy", "anyio")
BASELINE = "sqlalchemy"
UNITS = ("second of a request", "second at p50", "second at p99", "second of processor time")
PACKAGES = ("uvicorn", "aiosqlite", "SQLAlchemy", "greenlet")
WARM_UP, SECONDS = 0.3, 1.2


def subject(name: str) -> str:
    """What `gauge` is given: the name alone, as the server imports what it needs."""
    return name


def processors() -> tuple[set[int], str]:
    """Where the client runs, and where the server does: on different processors if there are two."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), ""
    allowed = sorted(os.sched_getaffinity(0))
    return {allowed[0]}, str(allowed[-1])


def gauge(name: str, connections: int) -> dict[str, float]:
    """Seconds of a request, how long answers take, and the server's processor time for one."""
    from benchmarks.service.client import load
    from benchmarks.service.models import fill

    mine, its = processors()
    if mine:
        os.sched_setaffinity(0, mine)
    server = Path(service.__file__).with_name("server.py")
    with tempfile.TemporaryDirectory() as folder:
        database = str(Path(folder) / "books.sqlite")
        fill(database)
        command = [sys.executable, str(server), name, database, str(connections), its]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None and process.stderr is not None
                port = process.stdout.readline().strip()
                if not port:
                    raise RuntimeError((process.stderr.read().strip().splitlines() or ["the service ended"])[-1])
                return asyncio.run(load(int(port), connections, WARM_UP, SECONDS)).figures()
            finally:
                process.kill()
