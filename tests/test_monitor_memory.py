"""Monitors and generator objects lose no memory, whatever way a talk ends."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from conftest import COMPILES, MANY, grows, growth
from core_tools import drive, host_of, pause, step

from ohwait.monitor import GeneratorObject, Monitor, MonitorError, OOBData

pytestmark = pytest.mark.skipif(COMPILES, reason="CPython's JIT makes traces meanwhile: memory is not steady")


async def talk(monitor: Monitor[Any], count: int) -> None:
    for n in range(count):
        await pause(await monitor.oob([n]))


def answered() -> None:
    async def main() -> None:
        monitor: Monitor[Any] = Monitor()
        bound = monitor(talk(monitor, 3))
        while True:
            try:
                return await bound
            except OOBData:
                pass

    drive(main())


def thrown() -> None:
    monitor: Monitor[Any] = Monitor()
    coroutine = talk(monitor, 3)
    step(monitor.aawait(coroutine).send, None)
    step(monitor.athrow(coroutine, KeyError("x")).send, None)
    step(monitor.aawait(coroutine).send, None)


def dropped() -> None:
    monitor: Monitor[Any] = Monitor()
    coroutine = host_of(lambda: monitor.oob_now([]))
    step(monitor.aawait(coroutine).send, None)
    wait = monitor.aawait(talk(monitor, 2))
    step(wait.send, None)
    wait.close()


def refused() -> None:
    monitor: Monitor[Any] = Monitor()
    with pytest.raises(MonitorError):
        drive(talk(monitor, 1))
    with pytest.raises(TypeError):
        monitor.aawait(3)  # type: ignore[arg-type]


def iterated() -> None:
    generator = GeneratorObject[Any, Any]()

    async def main() -> None:
        assert len([n async for n in generator(coroutine())]) == 4

    async def coroutine() -> None:
        for _ in range(2):
            generator.yield_now([])
            await generator.ayield([])

    drive(main())


def left_early() -> None:
    generator = GeneratorObject[Any, Any]()
    iterator = generator(host_of(lambda: generator.yield_now(iterator)))
    step(iterator.__anext__().send, None)
    step(iterator.athrow(KeyError).send, None)
    other = generator(host_of(lambda: generator.yield_now([other])))
    step(other.__anext__().send, None)


def in_tasks() -> None:
    async def main() -> None:
        generator = GeneratorObject[Any, Any]()

        async def helper() -> None:
            for _ in range(3):
                await generator.ayield([])

        async def coroutine() -> None:
            tasks = [asyncio.create_task(helper()) for _ in range(3)]
            await tasks[0]
            await generator.ayield([])
            await asyncio.sleep(0)

        items = 0
        async for _ in generator(coroutine()):
            items += 1
            if items == 8:
                break

    asyncio.run(main())


@pytest.mark.parametrize("talk", [answered, thrown, dropped, refused, iterated, left_early, in_tasks])
def test_memory_is_steady(talk: Callable[[], None]) -> None:
    def run() -> None:
        talk()
        gc.collect()

    # Some caches of asyncio and of pytest need longer than others to be full.
    assert not (grows(growth(run, MANY), MANY) and grows(growth(run, 200), 200))
