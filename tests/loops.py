"""The event loops that tests run under, each by its own means and by `ohwait.run`."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest

import ohwait

T = TypeVar("T")


class Loop:
    """One event loop: how to select it, to start it and to cancel what runs in it, and its own names for things."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.backend = "asyncio" if name == "uvloop" else name
        if self.backend != "asyncio":
            with_names_supplied = ohwait.use_curio if name == "curio" else ohwait.use_trio
            with_names_supplied()
            ohwait.use_auto()
            self.module = importlib.import_module(name)
        else:
            self.module = asyncio
            self.factory = importlib.import_module("uvloop").new_event_loop if name == "uvloop" else None

    def use(self) -> None:
        if self.backend == "asyncio":
            ohwait.use_asyncio(loop_factory=self.factory)
        else:
            ohwait.use_backend(self.backend)

    def run(self, main: Callable[[], T]) -> T:
        """Start the loop by its own means, and call a plain function in its main task."""

        async def host() -> T:
            return main()

        return self.run_coroutine(host)

    def run_coroutine(self, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self.backend == "asyncio":
            with asyncio.Runner(loop_factory=self.factory) as runner:
                return runner.run(main())
        result: T = self.module.run(main)
        return result

    def sleep(self, seconds: float) -> Awaitable[object]:
        awaitable: Awaitable[object] = self.module.sleep(seconds)
        return awaitable

    async def within(self, seconds: float, function: Callable[[], T]) -> T | None:
        """Call a plain function, cancelled after so many seconds as the loop does it; None then."""
        if self.backend == "asyncio":
            try:
                async with asyncio.timeout(seconds):
                    return function()
            except TimeoutError:
                return None
        if self.backend == "trio":
            with self.module.move_on_after(seconds):
                return function()
            return None

        async def call() -> T:
            return function()

        result: T | None = await self.module.ignore_after(seconds, call)
        return result

    def tasks(self) -> int:
        """How many tasks there are in the running loop, those of the loop itself included."""
        if self.backend == "asyncio":
            return len(asyncio.all_tasks())
        if self.backend == "trio":
            tasks: int = self.module.lowlevel.current_statistics().tasks_living
            return tasks
        return len(self.module.meta._locals.kernel._tasks)


def _parameter(name: str) -> Any:
    try:
        return pytest.param(Loop(name), id=name)
    except (ImportError, ohwait.BackendError) as error:
        return pytest.param(None, id=name, marks=pytest.mark.skip(reason=str(error)))


every_loop = pytest.mark.parametrize("loop", [_parameter(name) for name in ("asyncio", "uvloop", "trio", "curio")])
"""Runs a test under each loop as the parameter `loop`; one that is not installed is skipped with the reason."""
