"""What the tests of ohwait.dispatch share."""

import asyncio
import contextlib
import importlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

HOME = "MainThread"
POOL = "pool"


def _loops() -> list[Any]:
    parameters = [pytest.param(asyncio.new_event_loop, id="asyncio")]
    try:
        parameters.append(pytest.param(importlib.import_module("uvloop").new_event_loop, id="uvloop"))
    except ImportError as error:
        parameters.append(pytest.param(None, id="uvloop", marks=pytest.mark.skip(reason=str(error))))
    return parameters


asyncio_loops = pytest.mark.parametrize("factory", _loops())
"""Runs a test under asyncio's and uvloop's loops, made by the parameter `factory`."""


def run(factory: Callable[[], asyncio.AbstractEventLoop], main: Coroutine[Any, Any, Any], debug: bool = True) -> Any:
    """Run a coroutine as the main task of a loop; in debug mode loops find calls from the wrong thread."""
    with asyncio.Runner(loop_factory=factory, debug=debug) as runner:
        return runner.run(main)


def place() -> str:
    """Where this runs: "MainThread", or the name of the pool or of the thread."""
    return threading.current_thread().name.partition("_")[0]


@contextlib.contextmanager
def pool(threads: int = 2, name: str = POOL) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(threads, thread_name_prefix=name) as executor:
        yield executor


@contextlib.contextmanager
def loop_thread(
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop, name: str = "other"
) -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread of its own."""
    loop = factory()
    loop.set_debug(True)
    thread = threading.Thread(target=loop.run_forever, name=name)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
