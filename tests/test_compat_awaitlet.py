"""ohwait.compat.awaitlet: what awaitlet documents, without what it cannot do."""

import asyncio
import contextvars
import functools

import pytest
from dispatching import asyncio_loops, run
from loops import every_loop

import ohwait
from ohwait.compat import awaitlet as module
from ohwait.compat.awaitlet import NoAwaitletContext, NoAwaitOccurred, async_def, awaitlet


def test_names() -> None:
    assert sorted(module.__all__) == ["NoAwaitOccurred", "NoAwaitletContext", "async_def", "awaitlet"]
    assert issubclass(NoAwaitletContext, ohwait.OhwaitError) and issubclass(NoAwaitOccurred, ohwait.OhwaitError)


@every_loop
def test_plain_functions_await(loop) -> None:
    async def double(n: int) -> int:
        await loop.sleep(0)
        return 2 * n

    def plain(a: int, b: int, *, c: int = 0) -> list[int]:
        return [awaitlet(double(n)) for n in (a, b, c)]

    class Callable:
        def __call__(self, n: int) -> int:
            return awaitlet(double(n))

        def method(self, n: int) -> int:
            return self.__call__(n)

    async def main() -> None:
        assert await async_def(plain, 1, b=2, c=3) == [2, 4, 6]
        assert await async_def(Callable(), 4) == await async_def(Callable().method, 4) == 8
        assert await async_def(functools.partial(plain, 1, c=5), 2) == [2, 4, 10]
        assert await async_def(awaitlet, double(5)) == 10
        assert await async_def(max, 3, 4) == 4

    loop.run_coroutine(main)


@every_loop
def test_calls_nest(loop) -> None:
    """awaitlet in a plain function, called by a coroutine, awaited by awaitlet, in async_def, in awaitlet, ..."""

    async def deepest(n: int) -> int:
        await loop.sleep(0)
        return n

    def plain(n: int) -> int:
        return awaitlet(deepest(0)) if n == 0 else 1 + awaitlet(host(n - 1))

    async def host(n: int) -> int:
        return plain(n) if n % 2 else await async_def(plain, n, assert_await_occurs=True)

    async def main() -> None:
        assert await async_def(plain, 9) == 9

    loop.run_coroutine(main)


@every_loop
def test_errors_cross_both_ways(loop) -> None:
    async def failing() -> None:
        await loop.sleep(0)
        raise KeyError("awaited")

    def plain(log: list[str]) -> None:
        try:
            awaitlet(failing())
        except KeyError as error:
            log.append(repr(error))
        finally:
            log.append("finally")
        raise ValueError("plain")

    async def main() -> None:
        log: list[str] = []
        with pytest.raises(ValueError, match="plain"):
            await async_def(plain, log)
        assert log == ["KeyError('awaited')", "finally"]

    loop.run_coroutine(main)


@every_loop
def test_outside_of_async_def(loop) -> None:
    async def awaited() -> int:
        return 1

    async def main() -> None:
        for when in ("before", "after"):
            coroutine = awaited()
            with pytest.raises(NoAwaitletContext, match="outside of async_def"):
                awaitlet(coroutine)
            with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
                await coroutine
            assert await async_def(awaitlet, awaited()) == 1, when

    loop.run_coroutine(main)
    with pytest.raises(NoAwaitletContext):
        awaitlet(awaited())
    with pytest.raises(NoAwaitletContext):
        awaitlet(object())


@every_loop
def test_whether_it_awaited(loop) -> None:
    async def ready() -> int:
        return 1

    def add(a: int, b: int) -> int:
        return a + b

    def outer() -> int:
        return awaitlet(async_def(add, 1, 2))

    async def main() -> None:
        assert await async_def(add, 1, 2) == 3
        with pytest.raises(NoAwaitOccurred, match=r"async_def\(.*add, assert_await_occurs=True\)"):
            await async_def(add, 1, 2, assert_await_occurs=True)
        assert await async_def(awaitlet, ready(), assert_await_occurs=True) == 1
        assert await async_def(outer, assert_await_occurs=True) == 3

    loop.run_coroutine(main)


def test_calls_that_end_in_any_order_within_one_context() -> None:
    """Coroutines driven by hand, and curio's tasks, share their context."""

    class Once:
        def __await__(self):
            yield

    def plain(times: int) -> None:
        for _ in range(times):
            awaitlet(Once())

    def step(coroutine) -> bool:
        try:
            coroutine.send(None)
        except StopIteration:
            return False
        return True

    context = contextvars.copy_context()
    one, two, three = (async_def(plain, times, assert_await_occurs=True) for times in (4, 1, 2))
    for coroutine, goes_on in (
        (one, True),
        (two, True),
        (three, True),
        (two, False),
        (three, True),
        (three, False),
        (one, True),
        (one, True),
        (one, True),
        (one, False),
    ):
        assert context.run(step, coroutine) is goes_on
    coroutine = async_def(plain, 1)
    with pytest.raises(NoAwaitletContext):
        context.run(awaitlet, coroutine)


@asyncio_loops
def test_cancellation_and_context(factory) -> None:
    variable = contextvars.ContextVar("variable", default=0)

    def plain(n: int) -> int:
        variable.set(n)
        try:
            awaitlet(asyncio.sleep(0.001 if n else 10))
        except asyncio.CancelledError:
            variable.set(-1)
            raise
        assert variable.get() == n
        return n

    async def main() -> None:
        assert await asyncio.gather(*(async_def(plain, n) for n in range(1, 50))) == [*range(1, 50)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await async_def(plain, 0)
        assert variable.get() == -1

    run(factory, main())


@every_loop
@pytest.mark.usefixtures("without_c_frames")
def test_a_c_function_in_between(loop) -> None:
    """It is no matter to what does not suspend; or else it is named."""

    async def ready(n: int) -> int:
        return -n

    async def suspends(n: int) -> int:
        try:
            await loop.sleep(0)
            return -n
        finally:
            log.append("closed")

    def plain(key) -> list[int]:
        return sorted([1, 2, 3], key=lambda n: awaitlet(key(n)))

    async def main() -> None:
        assert await async_def(plain, ready) == [3, 2, 1]
        with pytest.raises(ohwait.CFunctionError, match="sorted"):
            await async_def(plain, suspends)
        assert log == ["closed"]

    log: list[str] = []
    loop.run_coroutine(main)
