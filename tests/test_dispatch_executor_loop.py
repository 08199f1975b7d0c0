"""The event loop of code that has moved to an executor."""

import asyncio
import contextlib
import gc
import inspect
import socket
import threading

import pytest
from dispatching import HOME, asyncio_loops, place, pool, run

import ohwait
from ohwait.dispatch import DispatchError
from ohwait.dispatch._executor_loop import ExecutorLoop


@asyncio_loops
def test_callbacks_come_one_at_a_time_and_in_order(factory) -> None:
    """Also from several threads at once."""
    log: list[object] = []
    inside = 0

    def callback(number: int) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1 and place() == "pool"
        log.append(number)
        inside -= 1

    def add(loop, first: int) -> None:
        for number in range(first, first + 1000):
            loop.call_soon_threadsafe(callback, number)

    async def main() -> None:
        with pool(4) as executor:
            async with ohwait.in_executor(executor):
                loop = asyncio.get_running_loop()
                threads = [threading.Thread(target=add, args=(loop, first)) for first in (0, 1000, 2000)]
                for thread in threads:
                    thread.start()
                while any(thread.is_alive() for thread in threads) or len(log) < 3000:
                    await asyncio.sleep(0.001)
        assert sorted(log) == [*range(3000)]
        for first in (0, 1000, 2000):
            own = [number for number in log if first <= number < first + 1000]
            assert own == sorted(own)

    run(factory, main(), debug=False)


@asyncio_loops
def test_timers(factory) -> None:
    log: list[object] = []

    async def main() -> None:
        with pool() as executor:
            async with ohwait.in_executor(executor):
                loop = asyncio.get_running_loop()
                kept = loop.call_later(0.2, lambda: log.append(("kept", place())))
                dropped = loop.call_later(0.2, log.append, "dropped")
                loop.call_at(loop.time() + 0.005, log.append, "first")
                dropped.cancel()
                dropped.cancel()
                assert dropped.cancelled() and not kept.cancelled() and "ExecutorLoop" in repr(loop)
                await asyncio.sleep(0.4)
                assert log == ["first", ("kept", "pool")]
                loop.call_later(0.01, lambda: log.append(place()))
            await asyncio.sleep(0.2)
            assert log[2:] == [HOME], "what is left of them runs where the task is"

    run(factory, main())


@asyncio_loops
def test_what_the_home_loop_does_for_it(factory) -> None:
    async def main() -> None:
        with pool() as executor, pool(1, "other") as other:
            one, two = socket.socketpair()
            with contextlib.closing(one), contextlib.closing(two):
                one.setblocking(False)
                two.setblocking(False)
                async with ohwait.in_executor(executor):
                    loop = asyncio.get_running_loop()
                    received = loop.create_task(loop.sock_recv(two, 10))
                    await loop.sock_sendall(one, b"bytes")
                    assert await received == b"bytes" and place() == "pool"
                    addresses = await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
                    assert addresses[0][4] == ("127.0.0.1", 80)
                    assert await loop.run_in_executor(other, place) == "other"
                    assert await loop.run_in_executor(None, place) not in (HOME, "pool", "other")
                    assert await asyncio.to_thread(place) not in (HOME, "pool")
                    waiting = loop.create_task(loop.sock_recv(two, 10))
                    await asyncio.sleep(0.01)
                    waiting.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await waiting
                    assert loop.is_running() and not loop.is_closed() and loop.get_debug()

    run(factory, main())


@asyncio_loops
def test_errors_in_callbacks_reach_the_home_loops_handler(factory) -> None:
    seen = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context["exception"]))
        with pool() as executor:
            async with ohwait.in_executor(executor):
                asyncio.get_running_loop().call_soon(lambda: 1 / 0)
                task = asyncio.create_task(fail())
                await asyncio.sleep(0.01)
                del task
                gc.collect()
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        assert [type(error) for error in seen] == [ZeroDivisionError, KeyError]

    async def fail() -> None:
        raise KeyError

    run(factory, main())


@asyncio_loops
def test_tasks_there_wait_for_futures_of_home(factory) -> None:
    async def wait_for(future) -> tuple[object, str]:
        return await future, place()

    async def main() -> None:
        home = asyncio.get_running_loop()
        futures = [home.create_future() for _ in range(3)]
        with pool() as executor:
            async with ohwait.in_executor(executor):
                tasks = [asyncio.create_task(wait_for(future), name="named") for future in futures]
                await asyncio.sleep(0.01)
                home.call_soon_threadsafe(futures[0].set_result, "result")
                home.call_soon_threadsafe(futures[1].set_exception, KeyError("error"))
                assert await tasks[0] == ("result", "pool")
                with pytest.raises(KeyError, match="error"):
                    await tasks[1]
                tasks[2].cancel()
                with pytest.raises(asyncio.CancelledError):
                    await tasks[2]
                assert tasks[0].get_name() == "named" and "wait_for" in repr(tasks[0])
            await asyncio.sleep(0.01)
        assert futures[2].cancelled()

    run(factory, main())


@asyncio_loops
def test_async_generators_that_are_dropped_there_are_closed_there(factory) -> None:
    log = []

    async def items():
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            log.append(place())

    async def main() -> None:
        with pool() as executor:
            async with ohwait.in_executor(executor):
                async for _ in items():
                    break
                gc.collect()
                while not log:
                    await asyncio.sleep(0.001)
        assert log == ["pool"]

    run(factory, main())


def test_system_exit_in_a_task_there() -> None:
    async def leave() -> None:
        raise SystemExit(4)

    async def main() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            ohwait.switch_to_executor(executor)
            await asyncio.create_task(leave())

    with pool() as executor, pytest.raises(SystemExit) as caught:
        run(asyncio.new_event_loop, main())
    assert caught.value.code == 4


def test_every_method_of_event_loops_is_there_or_refused() -> None:
    refused = []
    with pool() as executor, contextlib.closing(asyncio.new_event_loop()) as home:
        loop = ExecutorLoop(executor, home)
        for name, _ in inspect.getmembers(asyncio.AbstractEventLoop, callable):
            if name.startswith("_") or getattr(ExecutorLoop, name) is not getattr(asyncio.AbstractEventLoop, name):
                continue
            refused.append(name)
        assert refused == []
        for name in ("run_forever", "close", "create_connection", "subprocess_exec", "add_signal_handler"):
            with pytest.raises(DispatchError, match=rf"loop\.{name}\(\) was called in code that runs in"):
                getattr(loop, name)()
