"""What is known of a coroutine's state, running one without a loop, and __await__ methods."""

import asyncio
import types
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest
from loops import Loop, every_loop

from ohwait import OhwaitError, ohwait
from ohwait.eager import (
    CoroStart,
    SynchronousAbort,
    SynchronousError,
    await_sync,
    awaitmethod,
    coro_get_frame,
    coro_is_done,
    coro_is_finished,
    coro_is_new,
    coro_is_suspended,
    coro_iter,
)

pytestmark = pytest.mark.filterwarnings("error")


@types.coroutine
def suspend(value: object = None) -> Generator[object, Any, Any]:
    return (yield value)


def states(coro: Any) -> str:
    """Which of the four states it is in, of which there must be exactly one."""
    found = [coro_is_new(coro), coro_is_suspended(coro), coro_is_done(coro)]
    assert coro_is_finished is coro_is_done
    assert (coro_get_frame(coro) is None) == found[2]
    assert sum(found) <= 1
    return next((name for name, is_it in zip(["new", "suspended", "done"], found) if is_it), "running")


class TestState:
    def test_coroutine(self) -> None:
        seen: list[str] = []

        async def look() -> None:
            seen.append(states(coro))
            await suspend()
            seen.append(states(coro))

        coro = look()
        assert states(coro) == "new"
        coro.send(None)
        assert states(coro) == "suspended"
        with pytest.raises(StopIteration):
            coro.send(None)
        assert states(coro) == "done" and seen == ["running", "running"]

    def test_generator_based(self) -> None:
        coro: Any = suspend()
        assert states(coro) == "new"
        coro.send(None)
        assert states(coro) == "suspended"
        coro.close()
        assert states(coro) == "done"

    def test_async_generator(self) -> None:
        seen: list[str] = []

        async def numbers() -> AsyncGenerator[int, None]:
            seen.append(states(generator))
            await suspend()
            yield 1

        generator = numbers()
        assert states(generator) == "new"
        start = CoroStart(generator.__anext__())
        assert states(generator) == "suspended", "at an await"
        rest = start.__await__()
        rest.send(None)
        with pytest.raises(StopIteration):
            rest.send(None)
        assert states(generator) == "suspended", "at a yield"
        end = CoroStart(generator.aclose())
        assert end.done() and states(generator) == "done" and seen == ["running"]

    def test_closed_before_it_began(self) -> None:
        async def never() -> None:
            raise AssertionError

        coro = never()
        coro.close()
        assert states(coro) == "done"

    def test_under_plain_functions_that_wait(self) -> None:
        seen: list[str] = []

        def plain() -> None:
            seen.append(states(coro))
            ohwait(suspend())  # type: ignore[arg-type]
            seen.append(states(coro))
            ohwait(suspend())  # type: ignore[arg-type]

        async def host() -> None:
            plain()

        async def generating() -> AsyncGenerator[int, None]:
            plain()
            yield 1

        coro: Any = host()
        assert states(coro) == "new"
        for _ in range(2):
            coro.send(None)
            assert states(coro) == "suspended"
        with pytest.raises(StopIteration):
            coro.send(None)
        assert states(coro) == "done"
        coro = generating()
        step = CoroStart(coro.__anext__())
        assert states(coro) == "suspended" and step.pending()
        step.close()
        assert seen == ["running", "running", "running"]

    @pytest.mark.parametrize("ask", [coro_get_frame, coro_is_new, coro_is_suspended, coro_is_done])
    def test_anything_else(self, ask: Callable[[Any], object]) -> None:
        with pytest.raises(TypeError, match="an async generator is required, not 'text'"):
            ask("text")


class TestAwaitSync:
    def test_result_and_exception(self) -> None:
        async def inner() -> int:
            return 3

        async def outer(fail: bool) -> int:
            if fail:
                raise KeyError("mine")
            return await inner() + 1

        assert await_sync(outer(False)) == 4
        with pytest.raises(KeyError, match="mine"):
            await_sync(outer(True))

    def test_suspending_is_an_error_that_says_where(self) -> None:
        log: list[str] = []

        async def inner() -> None:
            try:
                await asyncio.sleep(0)
            finally:
                log.append("cleaned up")

        async def outer() -> None:
            await inner()

        with pytest.raises(SynchronousError) as caught:
            await_sync(outer())
        text = str(caught.value)
        assert "outer() failed to complete synchronously" in text and f"{__file__}:" in text and "sleep" in text
        assert log == ["cleaned up"]
        assert isinstance(caught.value, OhwaitError) and isinstance(caught.value.__cause__, SynchronousAbort)

    def test_plain_functions_in_between(self) -> None:
        def plain(*values: int) -> None:
            ohwait(asyncio.sleep(0))

        async def host() -> None:
            plain(1, 2, 3)  # On 3.15 a host's value stack must have room for it to be seen awaiting.

        with pytest.raises(SynchronousError, match=r"host\(\) failed .* in __sleep0\(\)"):
            await_sync(host())

    def test_one_that_comes_to_terms_with_it(self) -> None:
        async def tolerant() -> str:
            try:
                await suspend()
            except SynchronousAbort:
                return "did without"
            return "waited"

        assert await_sync(tolerant()) == "did without"

    def test_one_that_will_not_end(self) -> None:
        ended: list[str] = []

        async def stubborn() -> None:
            while True:
                try:
                    await suspend()
                except GeneratorExit:
                    ended.append("closed")
                    raise
                except BaseException:
                    pass

        with pytest.raises(SynchronousError):
            await_sync(stubborn())
        assert ended == ["closed"]

    def test_errors_of_its_own_while_it_ends(self) -> None:
        async def clumsy() -> None:
            try:
                await suspend()
            finally:
                raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine"):
            await_sync(clumsy())

    @every_loop
    def test_within_a_loop(self, loop: Loop) -> None:
        async def quick() -> str:
            return "quick"

        async def slow() -> None:
            await loop.sleep(0.001)

        async def main() -> None:
            assert await_sync(quick()) == "quick"
            with pytest.raises(SynchronousError):
                await_sync(slow())
            await loop.sleep(0.001)  # The task is as it was.

        loop.run_coroutine(main)


class TestAwaitMethods:
    def test_coro_iter(self) -> None:
        class Thing:
            def __init__(self, function: Callable[[], Any]) -> None:
                self.function = function

            def __await__(self) -> Generator[Any, Any, Any]:
                return coro_iter(self.function())

        async def main() -> None:
            async def work() -> int:
                await asyncio.sleep(0)
                return 5

            thing = Thing(work)
            assert await thing == 5 and await thing == 5

        asyncio.run(main())

    def test_awaitmethod(self) -> None:
        class Thing:
            count = 0

            @awaitmethod
            async def __await__(self) -> int:
                """Its documentation."""
                await asyncio.sleep(0)
                self.count += 1
                return self.count

        class Fixed:
            @staticmethod
            @awaitmethod
            async def __await__() -> str:
                return "fixed"

        async def main() -> None:
            thing: Any = Thing()
            assert await thing == 1 and ohwait(thing) == 2
            fixed: Any = Fixed()
            assert await fixed == "fixed"
            assert thing.__await__.__doc__ == "Its documentation."

        asyncio.run(main())
