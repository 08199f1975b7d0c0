"""Completions that come from another thread."""

import threading
from queue import SimpleQueue
from types import ModuleType
from typing import Any


async def completions(library: ModuleType, together: int, count: int) -> None:
    """Wait for `count` awaitables that another thread completes, `together` of which are on their way at a time."""
    kind = library.Completions()
    asked: SimpleQueue[list[Any] | None] = SimpleQueue()

    def complete_what_is_asked() -> None:
        while (batch := asked.get()) is not None:
            for each in batch:
                kind.complete(each)

    thread = threading.Thread(target=complete_what_is_asked)
    thread.start()
    try:
        for _ in range(count // together):
            batch = [kind.make() for _ in range(together)]
            asked.put(batch)
            for each in batch:
                await each
    finally:
        asked.put(None)
        thread.join()
