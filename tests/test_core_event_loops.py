"""Cancellation, timeouts and task groups of asyncio, trio and curio, natively and through plain functions."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import itertools
import sys
import threading
import time

import pytest
from core_tools import as_if_awaited, below, describe

import ohwait as package
from ohwait import _core, ohwait

pytestmark = pytest.mark.unrepeatable("event loops leave blocks behind by themselves; see test_no_memory_in_one_loop")


async def quick(value: object = None) -> object:
    await asyncio.sleep(0)
    return value


@as_if_awaited
def test_cancel_in_every_position() -> object:
    async def plain_work(log: list[object]) -> str:
        for n in range(3):
            try:
                await asyncio.sleep(0)
                log.append(n)
            except asyncio.CancelledError as error:
                log.append(describe(error)["text"])
                if n == 1:
                    continue
                await asyncio.sleep(0)
                raise
            finally:
                log.append("finally")
                await asyncio.sleep(0)
        return "done"

    async def work(log: list[object]) -> str:
        return await plain_work(log)

    async def main(ticks: int, message: str) -> object:
        log: list[object] = []
        task = asyncio.create_task(work(log))
        for _ in range(ticks):
            await asyncio.sleep(0)
        accepted = task.cancel(message)
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        return accepted, repr(result), task.cancelled(), log

    return [asyncio.run(main(ticks, message)) for ticks in range(10) for message in ("", "why")]


@as_if_awaited
def test_cancelled_error_reads_the_same() -> object:
    async def plain_work() -> None:
        await asyncio.sleep(10)

    async def work() -> None:
        await plain_work()

    async def main() -> object:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel("text")
        try:
            await task
        except asyncio.CancelledError as error:
            return describe(error)

    return [asyncio.run(main())]


@as_if_awaited
def test_timeouts() -> object:
    async def plain_slow(log: list[object]) -> object:
        try:
            return await asyncio.sleep(10)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            await quick()
            log.append("cleaned up")

    async def plain_waits(log: list[object]) -> object:
        return await asyncio.wait_for(slow(log), 0.005)

    async def slow(log: list[object]) -> object:
        return await plain_slow(log)

    async def block(log: list[object]) -> object:
        async with asyncio.timeout(0.005):
            return await plain_slow(log)

    async def nested(log: list[object]) -> object:
        try:
            async with asyncio.timeout(0.005):
                await plain_slow(log)
        except TimeoutError as error:
            log.append(describe(error)["context"]["type"])
            async with asyncio.timeout(0.005):
                await plain_slow(log)

    async def waits(log: list[object]) -> object:
        return await plain_waits(log)

    async def main(function: object) -> object:
        log: list[object] = []
        try:
            await function(log)
        except TimeoutError as error:
            log.append([type(e).__name__ for e in (error, error.__cause__, error.__context__)])
        return log, asyncio.current_task().cancelling()

    return [asyncio.run(main(function)) for function in (block, waits, nested)]


@as_if_awaited
def test_task_groups() -> object:
    async def plain_child(n: int, log: list[object]) -> int:
        try:
            for _ in range(n):
                await asyncio.sleep(0)
            if n == 2:
                raise ValueError("two")
            return n
        except asyncio.CancelledError:
            log.append(("cancelled", n))
            raise

    async def child(n: int, log: list[object]) -> int:
        return await plain_child(n, log)

    async def plain_wait_for_all(tasks: list[object]) -> object:
        return [await task for task in tasks]

    async def main(numbers: list[int]) -> object:
        log: list[object] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(child(n, log)) for n in numbers]
                log.append(await plain_wait_for_all(tasks))
        except* ValueError as errors:
            log.append([str(error) for error in errors.exceptions])
        return sorted(log, key=repr)  # A group cancels in the order of a set.

    return asyncio.run(main([0, 1, 3])), asyncio.run(main([0, 1, 2, 80, 90]))


@as_if_awaited
def test_futures_tasks_events_and_queues() -> object:
    async def plain_use(
        queue: asyncio.Queue, event: asyncio.Event, future: asyncio.Future, lock: asyncio.Lock
    ) -> object:
        await queue.put(1)
        await lock.acquire()
        try:
            got = [await queue.get(), await future, await event.wait()]
        finally:
            lock.release()
        task = asyncio.create_task(quick("task"))
        got += [await task, await asyncio.gather(quick(1), quick(2)), await asyncio.shield(quick(3))]
        got.append(await asyncio.to_thread(lambda: "thread"))
        with contextlib.suppress(ZeroDivisionError):
            await asyncio.create_task(divide())
        return got

    async def divide() -> float:
        await asyncio.sleep(0)
        return 1 / 0

    async def main() -> object:
        queue, event, lock = asyncio.Queue(), asyncio.Event(), asyncio.Lock()
        future = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        loop.call_later(0.001, future.set_result, "future")
        loop.call_later(0.002, event.set)
        return await plain_use(queue, event, future, lock)

    return [asyncio.run(main())]


@as_if_awaited
def test_context_variables_of_tasks() -> object:
    variable = contextvars.ContextVar("variable", default=0)

    async def plain_work(n: int) -> object:
        before = variable.get()
        variable.set(n)
        await asyncio.sleep(0)
        return before, variable.get()

    async def work(n: int) -> object:
        return await plain_work(n), await plain_work(n + 10), variable.get()

    async def main() -> object:
        variable.set(100)
        return await asyncio.gather(*[work(n) for n in range(4)]), variable.get()

    return [asyncio.run(main())]


def test_debug_mode_and_slow_callbacks() -> None:
    async def main() -> object:
        return below(5, lambda: ohwait(quick("value")))

    assert asyncio.run(main(), debug=True) == "value"


def test_eager_tasks() -> None:
    if not hasattr(asyncio, "eager_task_factory"):
        pytest.skip("this CPython has no eager tasks")

    async def work(n: int) -> int:
        return below(n, lambda: ohwait(quick(n)))

    async def main() -> list[int]:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        return await asyncio.gather(*[work(n) for n in range(4)])

    assert asyncio.run(main()) == [0, 1, 2, 3]


def test_tasks_written_in_python() -> None:
    """asyncio's Task without its C part."""

    async def work() -> str:
        return below(3, lambda: ohwait(quick("python")))

    async def main() -> str:
        return await asyncio.tasks._PyTask(work(), loop=asyncio.get_running_loop())

    assert asyncio.run(main()) == "python"


def test_refused_in_a_loop_callback_and_in_another_thread() -> None:
    errors = []

    def refused() -> None:
        try:
            ohwait(quick())
        except package.NoCoroutineError as error:
            errors.append(error)
        except package.CFunctionError as error:
            errors.append(error)

    async def main() -> None:
        asyncio.get_running_loop().call_soon(refused)
        await asyncio.sleep(0)
        await asyncio.to_thread(refused)

    asyncio.run(main())
    assert len(errors) == 2 and all(isinstance(error, package.OhwaitError) for error in errors)


def test_no_memory_in_one_loop() -> None:
    """A thousand suspended and resumed chains cost no memory that stays, nor data stack."""

    def plain(n: int) -> int:
        return ohwait(asyncio.sleep(0, n))

    async def work(n: int) -> int:
        return below(n % 5, lambda: plain(n))

    async def rounds() -> list[int]:
        seen = [0] * 6
        for number in range(len(seen)):
            for _ in range(20):
                await asyncio.gather(*[work(n) for n in range(10)])
            gc.collect()
            _core.free_spares()
            seen[number] = sys.getallocatedblocks()
        return seen

    seen = asyncio.run(rounds())
    assert min(b - a for a, b in itertools.pairwise(seen[1:])) < 20, seen


def test_trio_cancel_scopes() -> None:
    trio = pytest.importorskip("trio")

    def build(wait: object) -> object:
        def slow(log: list[object]) -> None:
            try:
                wait(trio.sleep(10))
            except trio.Cancelled:
                log.append("cancelled")
                raise
            finally:
                log.append("finally")

        return slow

    async def through(function: object) -> object:
        log: list[object] = []
        with trio.move_on_after(0.005) as scope:
            await function(log)
        with pytest.raises(trio.TooSlowError):
            with trio.fail_after(0.005):
                await function(log)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(function, log)
            await trio.sleep(0.001)
            nursery.cancel_scope.cancel()
        with trio.CancelScope() as shielded:
            shielded.cancel()
            await function(log)
        return scope.cancelled_caught, log

    async def native(log: list[object]) -> None:
        try:
            await trio.sleep(10)
        except trio.Cancelled:
            log.append("cancelled")
            raise
        finally:
            log.append("finally")

    async def plainly(log: list[object]) -> None:
        below(4, lambda: build(ohwait)(log))

    assert trio.run(through, plainly) == trio.run(through, native)


def test_trio_nurseries_and_channels() -> None:
    trio = pytest.importorskip("trio")

    async def main() -> list[int]:
        send, receive = trio.open_memory_channel(0)

        def produce() -> None:
            for n in range(5):
                ohwait(send.send(n))
            ohwait(send.aclose())

        def consume() -> None:
            while True:
                try:
                    found.append(ohwait(receive.receive()))
                except trio.EndOfChannel:
                    return

        async def run(function: object) -> None:
            below(3, function)

        found: list[int] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, produce)
            nursery.start_soon(run, consume)
        return found

    assert trio.run(main) == [0, 1, 2, 3, 4]


def test_curio_cancellation_and_timeouts() -> None:
    try:
        package.use_curio()
        import curio
    except (ImportError, package.OhwaitError) as error:
        pytest.skip(f"curio: {error}")
    finally:
        package.use_auto()

    async def native(log: list[object]) -> None:
        try:
            await curio.sleep(10)
        except curio.CancelledError as error:
            log.append(type(error).__name__)
            raise

    def slow(log: list[object]) -> None:
        try:
            ohwait(curio.sleep(10))
        except curio.CancelledError as error:
            log.append(type(error).__name__)
            raise

    async def plainly(log: list[object]) -> None:
        below(3, lambda: slow(log))

    async def main(work: object) -> object:
        log: list[object] = []
        task = await curio.spawn(work, log)
        await curio.sleep(0)
        log.append(await task.cancel())
        with pytest.raises(curio.TaskTimeout):
            await curio.timeout_after(0.005, work, log)
        return log

    expected = curio.run(main, native)
    assert expected[0] == "TaskCancelled" and expected[2:] == ["TaskTimeout"]
    assert curio.run(main, plainly) == expected


def test_many_loops_in_many_threads() -> None:
    def plain(n: int) -> int:
        return ohwait(quick(n)) + ohwait(quick(n))

    async def work(n: int) -> int:
        return below(n % 7, lambda: plain(n))

    async def main() -> list[int]:
        return await asyncio.gather(*[work(n) for n in range(20)])

    def thread() -> None:
        results.append(asyncio.run(main()))

    results: list[list[int]] = []
    threads = [threading.Thread(target=thread) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    finally:
        sys.setswitchinterval(interval)
    assert results == [[2 * n for n in range(20)]] * 8


def test_waiting_takes_no_longer_than_natively() -> None:
    """Ten plain functions sleep side by side."""

    async def work() -> None:
        below(10, lambda: ohwait(asyncio.sleep(0.05)))

    async def main() -> None:
        await asyncio.gather(*[work() for _ in range(10)])

    began = time.perf_counter()
    asyncio.run(main())
    assert 0.05 <= time.perf_counter() - began < 0.4
