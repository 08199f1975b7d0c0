"""`ohwait.monitor.Monitor`: data and answers past the event loop, from coroutines and from plain functions."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import weakref
from typing import Any

import pytest
from core_tools import below, drive, host_of, pause, start, step
from loops import Loop, every_loop

import ohwait
from ohwait import _core
from ohwait.monitor import BoundMonitor, GeneratorObject, Monitor, MonitorAwaitable, MonitorError, OOBData


async def talk(monitor: Monitor[Any], *data: object) -> list[object]:
    return [await monitor.oob(value) for value in data]


async def listen(monitor: Monitor[Any], coroutine: Any) -> tuple[list[object], Any]:
    """All that it sends, each answered by ten times as much, and what it returns."""
    heard: list[Any] = []
    answer = None
    while True:
        try:
            return heard, await monitor.aawait(coroutine, answer)
        except OOBData as oob:
            heard.append(oob.data)
            answer = oob.data * 10


@every_loop
def test_answers_reach_a_coroutine_and_its_sleeps_reach_the_loop(loop: Loop) -> None:
    async def speaker(monitor: Monitor[Any]) -> list[object]:
        answers = []
        for n in range(3):
            await loop.sleep(0)
            answers.append(await monitor.oob(n))
            await loop.sleep(0.001)
        return answers

    async def main() -> None:
        monitor: Monitor[Any] = Monitor()
        assert await listen(monitor, speaker(monitor)) == ([0, 1, 2], [0, 10, 20])

    loop.run_coroutine(main)


@every_loop
def test_answers_reach_plain_functions(loop: Loop) -> None:
    def speaker(monitor: Monitor[Any], depth: int) -> list[object]:
        if depth:
            return speaker(monitor, depth - 1)
        answers = []
        for n in range(3):
            ohwait.sleep(0)
            answers.append(monitor.oob_now(n))
            ohwait.sleep(0.001)
        return answers

    async def main() -> None:
        monitor: Monitor[Any] = Monitor()

        async def run() -> list[object]:
            return speaker(monitor, 5)

        assert await listen(monitor, run()) == ([0, 1, 2], [0, 10, 20])

    loop.run_coroutine(main)


@every_loop
def test_a_plain_function_awaits_a_monitor(loop: Loop) -> None:
    def listener() -> tuple[list[object], object]:
        monitor: Monitor[Any] = Monitor()
        coroutine = talk(monitor, 1, 2)
        heard = []
        while True:
            try:
                return heard, ohwait.ohwait(monitor.aawait(coroutine, len(heard) or None))
            except OOBData as oob:
                heard.append(oob.data)
                ohwait.sleep(0)

    async def main() -> None:
        assert listener() == ([1, 2], [1, 2])

    loop.run_coroutine(main)


def test_the_first_value_has_nowhere_to_go() -> None:
    async def main() -> None:
        monitor: Monitor[Any] = Monitor()
        coroutine = talk(monitor, 1)
        with pytest.raises(TypeError, match="just-started"):
            await monitor.aawait(coroutine, "value")
        assert await listen(monitor, coroutine) == ([1], [10])

    drive(main())


def test_without_an_event_loop() -> None:
    monitor: Monitor[Any] = Monitor()
    assert drive(listen(monitor, talk(monitor, 1, "a"))) == ([1, "a"], [10, "a" * 10])


def test_an_exception_is_raised_where_the_coroutine_waits() -> None:
    async def speaker(monitor: Monitor[Any]) -> str:
        try:
            await monitor.oob(1)
        except KeyError as error:
            assert monitor.oob_now(2) == "answer"
            return f"had {error}"
        return "nothing"

    async def main() -> str:
        monitor: Monitor[Any] = Monitor()
        coroutine = speaker(monitor)
        with pytest.raises(OOBData):
            await monitor.aawait(coroutine)
        with pytest.raises(OOBData) as oob:
            await monitor.athrow(coroutine, KeyError("key"))
        assert oob.value.data == 2 and oob.value.args == (2,)
        result: str = await monitor.aawait(coroutine, "answer")
        return result

    assert drive(main()) == "had 'key'"


def test_an_exception_is_raised_in_the_plain_function_that_waits() -> None:
    monitor: Monitor[Any] = Monitor()
    seen = []

    def speaker() -> int:
        try:
            below(4, monitor.oob_now)
        except KeyError:
            seen.append([place.function for place in inspect.trace()])
            return 1
        finally:
            seen.append("finally")
        return 0

    async def main() -> int:
        coroutine = host_of(speaker)
        with pytest.raises(OOBData):
            await monitor.aawait(coroutine)
        result: int = await monitor.athrow(coroutine, KeyError)
        return result

    assert drive(main()) == 1
    assert seen == [["speaker", "below", "below", "below", "below", "below", "oob_now"], "finally"]


def test_monitors_nest() -> None:
    outer: Monitor[Any] = Monitor()
    inner: Monitor[Any] = Monitor()

    def speaker() -> list[object]:
        return [outer.oob_now("to outer"), inner.oob_now("to inner"), outer.oob_now("again")]

    async def middle() -> tuple[list[object], object]:
        return await listen(inner, host_of(speaker))

    heard, (heard_inside, answers) = drive(listen(outer, middle()))
    assert heard == ["to outer", "again"]
    assert heard_inside == ["to inner"]
    assert answers == [text * 10 for text in ("to outer", "to inner", "again")]


def test_one_monitor_for_several_coroutines() -> None:
    monitor: Monitor[Any] = Monitor()

    async def main() -> None:
        first, second = talk(monitor, 1, 2), talk(monitor, 3)
        for coroutine, data in [(first, 1), (second, 3), (first, 2)]:
            with pytest.raises(OOBData) as oob:
                await monitor.aawait(coroutine)
            assert oob.value.data == data
        assert await monitor.aawait(second, "b") == ["b"]
        assert await monitor.aawait(first, "a") == [None, "a"]

    drive(main())


def test_bound() -> None:
    assert MonitorAwaitable is BoundMonitor
    monitor: Monitor[Any] = Monitor()

    async def main() -> None:
        bound = monitor.awaitable(talk(monitor, 1, 2))
        with pytest.raises(OOBData):
            await bound
        assert await bound.try_await("x", "more") == "more"
        assert await bound.try_await("y", "more") == ["x", "y"]
        bound = monitor(talk(monitor, "first", 2))
        assert await bound.start() == "first"
        await bound.aclose()
        await bound.aclose()
        bound = MonitorAwaitable(monitor, talk(monitor))
        with pytest.raises(MonitorError, match="did not await"):
            await bound.start()
        bound = monitor(talk(monitor, 1))
        with pytest.raises(EOFError):
            await bound.athrow(EOFError)

    drive(main())


def test_aclose() -> None:
    monitor: Monitor[Any] = Monitor()
    log = []

    def speaker(stubborn: bool) -> None:
        try:
            monitor.oob_now()
        finally:
            log.append(type(sys.exc_info()[1]))
            if stubborn:
                monitor.oob_now()

    async def main() -> None:
        for stubborn in (False, True):
            coroutine = host_of(lambda stubborn=stubborn: speaker(stubborn))
            with pytest.raises(OOBData):
                await monitor.aawait(coroutine)
            if stubborn:
                with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
                    await monitor.aclose(coroutine)
                with pytest.raises(GeneratorExit):
                    await monitor.aawait(coroutine)
            else:
                await monitor.aclose(coroutine)
            await monitor.aclose(coroutine)
        unstarted = talk(monitor, 1)
        await monitor.aclose(unstarted)
        assert inspect.getcoroutinestate(unstarted) == "CORO_CLOSED"

    drive(main())
    assert log == [GeneratorExit, GeneratorExit]


# What is refused


def test_nobody_listens() -> None:
    monitor: Monitor[Any] = Monitor()
    with pytest.raises(MonitorError, match=r"not active.* in talk.*\(\) \(file .*test_monitor.py', line \d+\)"):
        drive(talk(monitor, 1))
    with pytest.raises(MonitorError, match=r"not active.* in below\(\) "):
        drive(host_of(lambda: below(2, monitor.oob_now)))
    with pytest.raises(ohwait.NoCoroutineError):
        monitor.oob_now(1)


def test_re_entered() -> None:
    monitor: Monitor[Any] = Monitor()
    log = []

    async def speaker() -> str:
        other = talk(monitor)
        with pytest.raises(MonitorError, match=r"re-entered.* in .*speaker\(\)"):
            await monitor.aawait(other)
        log.append(await other)
        return await monitor.oob("still works")  # type: ignore[no-any-return]

    assert drive(listen(monitor, speaker())) == (["still works"], "still works" * 10)
    assert log == [[]]


def test_the_coroutine_raises_oobdata_itself() -> None:
    async def speaker() -> None:
        raise OOBData("mine")

    async def main() -> None:
        with pytest.raises(RuntimeError, match="raised OOBData") as caught:
            await Monitor[Any]().aawait(speaker())
        assert isinstance(caught.value.__cause__, OOBData)

    drive(main())


@pytest.mark.parametrize("thing", [None, 3, talk, [], print])
def test_not_a_coroutine(thing: Any) -> None:
    with pytest.raises(TypeError, match=r"Monitor.aawait\(\) takes a coroutine"):
        Monitor[Any]().aawait(thing)
    with pytest.raises(TypeError, match=r"GeneratorObject\(\) takes a coroutine"):
        GeneratorObject[Any, Any]()(thing)


def test_used_twice() -> None:
    monitor: Monitor[Any] = Monitor()
    coroutine = talk(monitor, 1)
    wait = monitor.aawait(coroutine)
    with pytest.raises(OOBData):
        wait.send(None)
    for again in (lambda: wait.send(None), lambda: wait.throw(KeyError)):
        with pytest.raises(RuntimeError, match="cannot reuse"):
            again()
    wait.close()
    coroutine.close()

    async def twice() -> None:
        message = monitor.oob(1)
        await message
        await message

    with pytest.raises(RuntimeError, match="cannot reuse"):
        drive(listen(monitor, twice()))


def test_another_task_cannot_speak() -> None:
    async def main() -> None:
        monitor: Monitor[Any] = Monitor()

        async def speaker() -> None:
            await asyncio.create_task(talk(monitor, 1))

        with pytest.raises(MonitorError, match=r"outside of the coroutine .* in another task"):
            await monitor.aawait(speaker())

    asyncio.run(main())


def test_never_awaited() -> None:
    coroutine = talk(Monitor())
    with pytest.warns(RuntimeWarning, match=r"Monitor.aawait of <coroutine object talk.*never awaited"):
        Monitor[Any]().aawait(coroutine)
    coroutine.close()
    Monitor[Any]().aawait(coroutine).close()


def test_steps_by_hand() -> None:
    monitor: Monitor[Any] = Monitor()

    async def speaker() -> object:
        try:
            return await pause("out")
        except EOFError:
            return await pause("handled")

    wait = monitor.aawait(speaker())
    assert wait.send(None) == "out"
    assert wait.throw(EOFError) == "handled"
    assert step(wait.send, 5) == ("return", 5)
    wait = monitor.aawait(speaker())
    wait.send(None)
    wait.close()
    coroutine = speaker()
    wait = monitor.aawait(coroutine)
    with pytest.raises(KeyError):
        wait.throw(KeyError())  # As with a coroutine that has not begun.
    coroutine.close()
    with pytest.raises(TypeError, match="exceptions must be"):
        start(monitor.aawait(speaker())).throw(3)


def test_driven_by_itself() -> None:
    monitor: Monitor[Any] = Monitor()

    async def speaker() -> None:
        for method in (wait.send, wait.throw):
            with pytest.raises(ValueError, match="already executing"):
                method(None if method == wait.send else KeyError)
        with pytest.raises(ValueError, match="already executing"):
            wait.close()
        await monitor.oob(1)

    wait = monitor.aawait(speaker())
    with pytest.raises(OOBData):
        wait.send(None)


def test_what_is_awaited_shows_the_coroutine() -> None:
    monitor: Monitor[Any] = Monitor()

    async def speaker() -> None:
        await pause()

    coroutine = speaker()
    wait = start(monitor.aawait(coroutine))
    assert wait.cr_frame is coroutine.cr_frame and wait.cr_code is speaker.__code__
    assert wait.cr_await is coroutine.cr_await is not None
    assert wait.__qualname__ == "Monitor.aawait" and "speaker" in repr(wait)
    wait.close()


def test_nothing_is_kept() -> None:
    class Data:
        pass

    async def speaker(monitor: Monitor[Any], data: Data) -> None:
        await monitor.oob(data)

    monitor: Monitor[Any] = Monitor()
    data = Data()
    alive = [weakref.ref(monitor), weakref.ref(data)]
    coroutine = speaker(monitor, data)
    with pytest.raises(OOBData):
        start(monitor.aawait(coroutine))
    data.cycle = [coroutine, monitor, data]  # type: ignore[attr-defined]
    del monitor, data, coroutine
    gc.collect()
    assert [ref() for ref in alive] == [None, None]


def test_a_chain_that_waits_for_an_answer_is_dropped() -> None:
    monitor: Monitor[Any] = Monitor()
    log = []

    def speaker() -> None:
        try:
            monitor.oob_now()
        finally:
            log.append("finally")

    coroutine = host_of(speaker)
    with pytest.raises(OOBData):
        start(monitor.aawait(coroutine))
    del coroutine
    gc.collect()
    assert log == ["finally"]
    assert _core.counters()["alive"] == 0


def test_oobdata() -> None:
    assert OOBData().data is None and OOBData(1).data == OOBData(data=1).data == 1
    assert str(OOBData("text")) == "text"
    with pytest.raises(TypeError):
        OOBData(1, 2)  # type: ignore[call-arg]
    error = OOBData([])
    error.data.append(error)
    ref = weakref.ref(error) if hasattr(error, "__weakref__") else None
    del error
    gc.collect()
    assert ref is None or ref() is None
