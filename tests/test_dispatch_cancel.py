"""Cancellation, timeouts and the end of things for tasks that are elsewhere."""

import asyncio
import gc
import logging
import threading
import time

import pytest
from dispatching import HOME, asyncio_loops, loop_thread, place, pool, run

import ohwait
from ohwait import dispatch
from ohwait import ohwait as wait
from ohwait.dispatch import dispatch_to_executor, dispatch_to_loop, use_awaiter


@asyncio_loops
def test_a_task_is_cancelled_where_it_waits(factory) -> None:
    log = []

    def plain(move) -> None:
        move()
        try:
            wait(asyncio.sleep(10))
        except asyncio.CancelledError as error:
            log.append((place(), error.args))
            raise
        finally:
            wait(asyncio.sleep(0))
            log.append(place())

    async def task(move) -> None:
        plain(move)

    async def main() -> None:
        with pool() as executor, loop_thread(factory) as other:
            for move in (lambda: ohwait.switch_to_executor(executor), lambda: ohwait.switch_to_loop(other)):
                child = asyncio.create_task(task(move))
                await asyncio.sleep(0.02)
                assert child.cancel("message")
                with pytest.raises(asyncio.CancelledError):
                    await child
                assert child.cancelled() and child.cancelling() == 1 and not child.cancel()
        assert log == [("pool", ("message",)), "pool", ("other", ("message",)), "other"]

    run(factory, main())


@asyncio_loops
def test_cancelled_while_it_runs_there(factory) -> None:
    """As in a task of its own: at the next await, and when it comes home if there is none."""
    log = []

    def plain(executor, home, how: str) -> None:
        with ohwait.in_executor(executor):
            home.call_soon_threadsafe(release.set)
            cancelled.wait()
            if how == "await":
                wait(asyncio.sleep(10))
            if how == "ignore":
                try:
                    wait(asyncio.sleep(10))
                except asyncio.CancelledError:
                    log.append("ignored")
        log.append((how, place()))

    async def task(executor, home, how: str) -> str:
        try:
            plain(executor, home, how)
        finally:
            log.append(place())
        return "result"

    async def main() -> None:
        nonlocal release
        with pool() as executor:
            for how in ("await", "home", "ignore"):
                release = asyncio.Event()
                child = asyncio.create_task(task(executor, asyncio.get_running_loop(), how))
                await release.wait()
                assert child.cancel()
                cancelled.set()
                if how == "ignore":
                    assert await child == "result"
                else:
                    with pytest.raises(asyncio.CancelledError):
                        await child
                cancelled.clear()
        assert log == ["pool", HOME, "ignored", ("ignore", HOME), HOME]

    release, cancelled = None, threading.Event()
    run(factory, main())


@asyncio_loops
def test_cancelled_on_the_way(factory) -> None:
    """The pool has no free thread: the cancellation is raised when there is one."""

    async def task(executor) -> None:
        try:
            ohwait.switch_to_executor(executor)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    async def main() -> None:
        busy = threading.Event()
        with pool(1) as executor:
            executor.submit(busy.wait)
            child = asyncio.create_task(task(executor))
            await asyncio.sleep(0.01)
            child.cancel()
            await asyncio.sleep(0)
            busy.set()
            with pytest.raises(asyncio.CancelledError):
                await child
            early = asyncio.create_task(task(executor))
            await asyncio.sleep(0)
            early.cancel()
            with pytest.raises(asyncio.CancelledError):
                await early
        assert log == ["cancelled"] * 2

    log = []
    run(factory, main())


@asyncio_loops
def test_timeouts_across_the_border(factory) -> None:
    """Begun here and expiring there, begun there and expiring here, and both on one side."""

    async def main() -> None:
        with pool() as executor, loop_thread(factory) as other:
            for switch in (lambda: ohwait.switch_to_executor(executor), lambda: ohwait.switch_to_loop(other)):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        switch()
                        await asyncio.sleep(10)
                assert place() != HOME
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await asyncio.sleep(10)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(asyncio.sleep(10), 0.01)
                assert await asyncio.wait_for(asyncio.sleep(0, 5), 10) == 5
                dispatch.switch_back()
                assert asyncio.current_task().cancelling() == 0
            ohwait.switch_to_executor(executor)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    dispatch.switch_back()
                    await asyncio.sleep(10)
            assert place() == HOME and asyncio.current_task().cancelling() == 0

    run(factory, main())


@asyncio_loops
def test_groups_in_an_executor(factory) -> None:
    async def child(n: int) -> int:
        await asyncio.sleep(0.001 * n)
        if n == 7:
            raise KeyError(n)
        return n

    async def main() -> None:
        with pool(3) as executor:
            ohwait.switch_to_executor(executor)
            for _ in range(10):
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(child(n)) for n in range(5)]
                assert [task.result() for task in tasks] == [*range(5)]
            with pytest.raises(ExceptionGroup) as caught:
                async with asyncio.TaskGroup() as group:
                    group.create_task(child(7))
                    await asyncio.sleep(10)
            assert [type(error) for error in caught.value.exceptions] == [KeyError]
            assert asyncio.current_task().cancelling() == 0
            queue: asyncio.Queue[int] = asyncio.Queue(1)
            lock = asyncio.Lock()

            async def produce() -> None:
                for n in range(50):
                    async with lock:
                        await queue.put(n)

            producer = asyncio.create_task(produce())
            assert [await queue.get() for _ in range(50)] == [*range(50)]
            await producer
            dispatch.switch_back()

    run(factory, main())


@asyncio_loops
def test_decorated_functions_are_cancelled_too(factory) -> None:
    log = []

    @use_awaiter
    async def function(there) -> None:
        try:
            await there
            await asyncio.sleep(10)
        finally:
            log.append(place())

    async def outer(there) -> None:
        try:
            await function(there)
        finally:
            log.append(place())

    async def main() -> None:
        with pool() as executor, loop_thread(factory) as other:
            for there in (dispatch_to_executor(executor), dispatch_to_loop(other)):
                task = asyncio.create_task(outer(there))
                await asyncio.sleep(0.02)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await outer(there)
        assert log == ["pool", HOME] * 2 + ["other", HOME] * 2

    run(factory, main())


@asyncio_loops
def test_shutting_down_with_tasks_elsewhere(factory) -> None:
    """asyncio.run cancels what is left, also what is in another thread, and waits for it."""
    log = []

    async def task(executor) -> None:
        try:
            ohwait.switch_to_executor(executor)
            await asyncio.sleep(10)
        finally:
            log.append(place())

    async def main(executor) -> asyncio.Task[None]:
        child = asyncio.create_task(task(executor))
        await asyncio.sleep(0.02)
        return child

    with pool() as executor:
        assert run(factory, main(executor)).cancelled()
    assert log == ["pool"]


def test_a_loop_that_is_closed_meanwhile(caplog) -> None:
    """There is nowhere to come home to: it is reported, and the coroutine is closed."""
    log = []
    release = threading.Event()

    async def task(executor) -> None:
        try:
            with ohwait.in_executor(executor):
                release.wait()
        finally:
            log.append(place())

    async def main(executor) -> None:
        nonlocal child
        child = asyncio.create_task(task(executor))
        await asyncio.sleep(0.02)

    child = None
    with pool() as executor:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main(executor))
        loop.close()
        with caplog.at_level(logging.ERROR):
            release.set()
            while not log:
                time.sleep(0.001)
    assert log == ["pool"] and "its own event loop was closed" in caplog.text
    del child
    gc.collect()


@asyncio_loops
def test_the_other_loop_is_closed_meanwhile(factory) -> None:
    """What waits for a future of that loop can still be cancelled, at home; what waits for one of home's comes home."""

    async def visit(other, future=None) -> None:
        try:
            ohwait.switch_to_loop(other)
            await (asyncio.sleep(10) if future is None else future)
        finally:
            log.append(place())

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with loop_thread(factory) as other:
            tasks = [asyncio.create_task(visit(other)), asyncio.create_task(visit(other, future))]
            await asyncio.sleep(0.02)
        future.set_result(None)
        with pytest.raises(RuntimeError, match="closed"):
            await tasks[1]
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        assert log == [HOME, HOME]

    log = []
    run(factory, main())


@asyncio_loops
def test_a_cancellation_is_never_late(factory, rand) -> None:
    """What was waited for is done at the same time; then the next wait, however long, ends at once, here or there."""

    async def wait_twice(executor, future, back: bool) -> None:
        ohwait.switch_to_executor(executor)
        await future
        if back:
            dispatch.switch_back()
        await asyncio.sleep(1000)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pool(3) as executor:
            for _ in range(150):
                future = loop.create_future()
                child = asyncio.create_task(wait_twice(executor, future, rand.random() < 0.5))
                await asyncio.sleep(rand.choice((0, 0.0005, 0.001)))
                actions = [lambda future=future: future.set_result(None), child.cancel]
                rand.shuffle(actions)
                actions[0]()
                if rand.random() < 0.5:
                    await asyncio.sleep(rand.choice((0, 0.0002)))
                if not (actions[1] is not child.cancel and future.cancelled()):
                    actions[1]()
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.wait_for(child, 10)

    run(factory, main())


@asyncio_loops
def test_cancelled_between_two_waits(factory) -> None:
    """The cancellation is on its way to one future when the coroutine goes on to wait for the next."""

    async def wait_twice(executor) -> None:
        nonlocal loop, future
        ohwait.switch_to_executor(executor)
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        await future
        await loop.create_future()

    async def main() -> None:
        release = threading.Event()
        with pool(1) as executor:
            child = asyncio.create_task(wait_twice(executor))
            while future is None:
                await asyncio.sleep(0.001)
            loop.call_soon(release.wait)
            future.set_result(None)
            child.cancel()
            await asyncio.sleep(0.01)
            release.set()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(child, 5)

    loop = future = None
    run(factory, main())


def test_cancelling_at_any_moment(rand) -> None:
    """Thousands of cancellations at random times; each task ends one way or the other, none is lost or stuck."""

    async def task(executor, n: int) -> int:
        for _ in range(n % 4 + 1):
            with ohwait.in_executor(executor):
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        return n

    async def main() -> None:
        with pool(3) as executor:
            for _ in range(20):
                tasks = [asyncio.create_task(task(executor, n)) for n in range(40)]
                for child in rand.sample(tasks, 30):
                    await asyncio.sleep(rand.choice((0, 0, 0.0005)))
                    child.cancel()
                results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
                for n, result in enumerate(results):
                    assert result == n or isinstance(result, asyncio.CancelledError), result

    run(asyncio.new_event_loop, main())
