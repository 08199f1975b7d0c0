"""Nothing is left behind by what ohwait.eager does: each thing done again and again, memory compared."""

import asyncio
import contextvars
import gc
import sys
import types
from collections.abc import Callable, Coroutine, Generator
from itertools import pairwise
from typing import Any

import pytest
from loops import Loop

from ohwait import ohwait
from ohwait.eager import CoroStart, SynchronousError, await_sync, create_task, eager, eager_call, eager_ctx

WARM_UPS, ROUNDS, TIMES = 10, 4, 20


@types.coroutine
def suspend(value: object = None) -> Generator[object, Any, Any]:
    return (yield value)


async def fail(suspending: bool) -> None:
    if suspending:
        await asyncio.sleep(0)
    raise ValueError


def plain(turns: int) -> int:
    for _ in range(turns):
        ohwait(asyncio.sleep(0))
    return turns


def grows(run: Callable[[], object]) -> bool:
    """Whether each time it is done takes at least one object more, and the last times no less than the first.

    CPython's own free lists and caches take some hundred runs to fill, in ever smaller steps.
    """
    seen = []
    for _ in range(WARM_UPS + ROUNDS + 1):
        for _ in range(TIMES):
            run()
        gc.collect()
        gc.collect()
        seen.append(sys.getallocatedblocks())
    steps = [after - before for before, after in pairwise(seen[WARM_UPS:])]
    return min(steps) >= TIMES and steps[-1] >= 0.8 * steps[0]


def in_asyncio(main: Callable[[], Coroutine[Any, Any, object]]) -> Callable[[], object]:
    def run() -> None:
        asyncio.run(repeated())

    async def repeated() -> None:
        for _ in range(3):
            await main()

    return run


async def outcomes() -> None:
    await eager(asyncio.sleep(0, "done"))
    await eager_call(plain, 0)
    await eager_call(plain, 2)
    for suspending in (False, True):
        with pytest.raises(ValueError):
            await eager(fail(suspending))
        with pytest.raises(ValueError):
            await create_task(fail(suspending), eager_start=True, name="x")
    with pytest.raises(RuntimeError):
        await eager(suspend(42))  # type: ignore[arg-type]


async def cancelled() -> None:
    for future in (eager_call(plain, 3), eager(asyncio.sleep(10))):
        future.cancel("message")
        with pytest.raises(asyncio.CancelledError):
            await future
    with eager_ctx(asyncio.sleep(10)):
        pass
    await asyncio.sleep(0)


async def remembered() -> None:
    kept: list[Any] = []

    async def remember(suspending: bool) -> None:
        kept.append(asyncio.current_task())
        kept[-1].set_name("kept")
        if suspending:
            await asyncio.sleep(0)

    await asyncio.gather(eager(remember(False)), eager(remember(True)))
    kept.append(kept)


async def refused() -> None:
    context = contextvars.copy_context()
    waiting: Any = asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        context.run(lambda: eager(waiting, context=context))
    waiting.close()
    with pytest.raises(TypeError):
        eager(3)  # type: ignore[call-overload]
    with pytest.raises(KeyboardInterrupt):
        eager(stop())

    def factory(rest: object) -> Any:
        raise ValueError("no task")

    with pytest.raises(ValueError):
        eager(asyncio.sleep(0), task_factory=factory)


async def stop() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("main", [outcomes, cancelled, remembered, refused])
def test_eager(main: Callable[[], Coroutine[Any, Any, object]]) -> None:
    assert not grows(in_asyncio(main))


def test_corostart() -> None:
    async def stubborn() -> str:
        for _ in range(2):
            try:
                await suspend(object())
            except (ValueError, GeneratorExit):
                pass
        return "end"

    def run() -> None:
        CoroStart(suspend())  # type: ignore[arg-type]
        CoroStart(stubborn(), contextvars.copy_context()).throw(ValueError, tries=2)
        start = CoroStart(stubborn(), autostart=False)
        start.start(contextvars.copy_context())
        with pytest.raises(RuntimeError):
            start.close()
        rest = CoroStart(stubborn()).__await__()
        rest.throw(ValueError())
        with pytest.raises(StopIteration):
            rest.send(None)
        with pytest.raises(RuntimeError):
            rest.send(None)
        cycle: list[Any] = []
        cycle.append(CoroStart(suspend(cycle)))  # type: ignore[arg-type]
        cycle.append(cycle[0].__await__())

    assert not grows(run)


def test_await_sync() -> None:
    async def host(turns: int) -> int:
        return plain(turns)

    def run() -> None:
        await_sync(host(0))
        with pytest.raises(SynchronousError):
            await_sync(host(1))

    assert not grows(run)


def test_elsewhere() -> None:
    pytest.importorskip("trio", reason="trio is not installed")
    loop = Loop("trio")

    async def main() -> None:
        await eager(done())
        with pytest.raises(RuntimeError):
            eager(loop.module.sleep(1))
        CoroStart(loop.module.sleep(1)).close()

    async def done() -> int:
        return 1

    assert not grows(lambda: loop.run_coroutine(main))
