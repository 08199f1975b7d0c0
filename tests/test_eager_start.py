"""CoroStart: a coroutine started without a task, and continued elsewhere."""

import asyncio
import contextvars
import gc
import inspect
import types
import weakref
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import aclosing
from typing import Any

import pytest
from loops import Loop, every_loop

from ohwait import ohwait
from ohwait.eager import ContinuationError, CoroStart, coro_await

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

pytestmark = pytest.mark.filterwarnings("error")


@types.coroutine
def suspend(value: object) -> Generator[object, Any, Any]:
    """Hand `value` to whoever drives the coroutine; its answer is the result."""
    return (yield value)


async def at_once(value: object = "done") -> object:
    return value


async def fail() -> None:
    raise ValueError("raised at once")


async def twice(log: list[object]) -> str:
    log.append(1)
    log.append(await suspend("first"))
    log.append(await suspend("second"))
    return "end"


def drive(awaitable: Any, answers: list[Any]) -> tuple[list[Any], Any]:
    """Run an awaitable by hand: what it yielded, and what it returned."""
    iterator = awaitable.__await__()
    yielded = [iterator.send(None)]
    for answer in answers[:-1]:
        yielded.append(iterator.send(answer))
    with pytest.raises(StopIteration) as stop:
        iterator.send(answers[-1])
    return yielded, stop.value.value


class TestOutcome:
    def test_returned(self) -> None:
        start = CoroStart(at_once((1, 2)))
        assert start.done() and not start.pending() and not start.continued()
        assert start.result() == (1, 2)
        assert start.exception() is None
        iterator = start.__await__()
        with pytest.raises(StopIteration) as stop:
            next(iterator)
        assert stop.value.value == (1, 2)

    def test_raised(self) -> None:
        start = CoroStart(fail())
        assert start.done()
        assert isinstance(start.exception(), ValueError)
        with pytest.raises(ValueError, match="raised at once") as caught:
            start.result()
        assert caught.traceback[-1].name == "fail"
        with pytest.raises(ValueError):
            start.__await__().send(None)

    def test_suspended(self) -> None:
        log: list[object] = []
        start = CoroStart(twice(log))
        assert log == [1] and not start.done() and start.pending()
        for ask in (start.result, start.exception):
            with pytest.raises(asyncio.InvalidStateError, match="await the CoroStart"):
                ask()
        with pytest.raises(RuntimeError, match="not done"):
            start.as_future()
        assert drive(start, ["a", "b"]) == (["first", "second"], "end")
        assert log == [1, "a", "b"]
        assert start.continued() and not start.pending() and not start.done()

    @pytest.mark.parametrize("coroutine", [at_once, lambda: twice([])])
    def test_awaited_once(self, coroutine: Any) -> None:
        start = CoroStart(coroutine())
        first, second = start.__await__(), start.__await__()
        try:
            first.send(None)
        except StopIteration:
            pass
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            second.send(None)
        first.close()

    def test_started_later(self) -> None:
        log: list[object] = []
        start = CoroStart(twice(log), autostart=False)
        assert log == [] and not start.done()
        assert start.start() is False
        assert log == [1]
        with pytest.raises(RuntimeError, match="starts once"):
            start.start()
        start.close()
        log.clear()
        assert drive(CoroStart(twice(log), autostart=False), [1, 2])[1] == "end"

    def test_repr(self) -> None:
        assert "finished" in repr(CoroStart(at_once()))
        assert "failed" in repr(CoroStart(fail()))
        start = CoroStart(twice([]))
        assert "suspended: <coroutine object twice" in repr(start)
        assert "continuation of <coroutine" in repr(start.__await__())
        start.close()
        assert "continued" in repr(start)


class TestBadArguments:
    @pytest.mark.parametrize("thing", [None, 1, at_once, [], asyncio.Event])
    def test_no_coroutine(self, thing: Any) -> None:
        with pytest.raises(TypeError, match="takes a coroutine"):
            CoroStart(thing)

    def test_no_context(self) -> None:
        coroutine: Any = at_once()
        with pytest.raises(TypeError, match=r"must be a contextvars\.Context"):
            CoroStart(coroutine, context={})  # type: ignore[arg-type]
        coroutine.close()

    def test_context_that_is_entered_leaves_the_coroutine_unstarted(self) -> None:
        context = contextvars.copy_context()
        coroutine: Any = at_once()

        def start() -> None:
            CoroStart(coroutine, context)

        with pytest.raises(RuntimeError, match="already entered"):
            context.run(start)
        assert inspect.getcoroutinestate(coroutine) == "CORO_CREATED"
        assert CoroStart(coroutine).result() == "done"

    def test_coroutine_that_was_awaited(self) -> None:
        coroutine: Any = at_once()
        CoroStart(coroutine)
        again = CoroStart(coroutine)
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            again.result()

    def test_from_within(self) -> None:
        log: list[str] = []

        async def meddle() -> str:
            for meddling in (start.start, start.close, start.__await__().close, start.__await__().__next__):
                with pytest.raises(RuntimeError) as caught:
                    meddling()
                log.append(str(caught.value))
            with pytest.raises(RuntimeError):
                start.throw(KeyError)
            assert not start.done() and not start.pending() and "running" in repr(start)
            return "end"

        start = CoroStart(meddle(), autostart=False)
        assert start.start() and start.result() == "end"
        assert len(log) == 4

    def test_coroutine_that_runs(self) -> None:
        async def itself() -> BaseException | None:
            return CoroStart(coroutine).exception()

        coroutine: Any = itself()
        assert isinstance(CoroStart(coroutine).result(), ValueError)


class TestContext:
    async def remember(self, log: list[str]) -> None:
        log.append(variable.get())
        variable.set("first part")
        await suspend(None)
        log.append(variable.get())
        variable.set("second part")

    def test_given_one_is_kept(self) -> None:
        context = contextvars.copy_context()
        context.run(variable.set, "given")
        log: list[str] = []
        start = CoroStart(self.remember(log), context)
        assert start.context is context
        assert variable.get() == "unset" and context[variable] == "first part"
        drive(start, [None])
        assert log == ["given", "first part"]
        assert variable.get() == "unset" and context[variable] == "second part"

    def test_current_one_without(self) -> None:
        log: list[str] = []

        def both() -> None:
            drive(CoroStart(self.remember(log)), [None])
            log.append(variable.get())

        contextvars.copy_context().run(both)
        assert log == ["unset", "first part", "second part"]

    def test_one_for_each_part(self) -> None:
        one, other = contextvars.copy_context(), contextvars.copy_context()
        other.run(variable.set, "other")
        log: list[str] = []
        start = CoroStart(self.remember(log), autostart=False)
        start.start(context=one)
        drive(start.as_coroutine(other), [None])
        assert log == ["unset", "other"]
        assert one[variable] == "first part" and other[variable] == "second part"

    @pytest.mark.parametrize("end", ["close", "throw", "continuation"])
    def test_cleaning_up(self, end: str) -> None:
        log: list[str] = []

        async def clean() -> None:
            variable.set("mine")
            try:
                await suspend(None)
            finally:
                log.append(variable.get())

        start = CoroStart(clean(), contextvars.copy_context())
        if end == "close":
            start.close()
        elif end == "throw":
            with pytest.raises(KeyError):
                start.throw(KeyError)
        else:
            start.__await__().close()
        assert log == ["mine"] and variable.get() == "unset"

    def test_coro_await(self) -> None:
        context = contextvars.copy_context()
        log: list[str] = []
        assert drive(coro_await(self.remember(log), context=context), [None]) == ([None], None)
        assert context[variable] == "second part" and variable.get() == "unset"


class TestEnding:
    async def stubborn(self, times: int) -> str:
        for _ in range(times):
            try:
                await suspend("waits")
            except (ValueError, GeneratorExit):
                pass
        return "gave in"

    def test_throw(self) -> None:
        assert CoroStart(self.stubborn(1)).throw(ValueError) == "gave in"
        assert CoroStart(self.stubborn(2)).throw(ValueError("x"), tries=2) == "gave in"
        start = CoroStart(self.stubborn(2))
        with pytest.raises(RuntimeError, match="coroutine ignored ValueError"):
            start.throw(ValueError)
        assert start.pending()
        assert start.throw(ValueError) == "gave in"

    def test_throw_at_what_is_over(self) -> None:
        start = CoroStart(at_once())
        with pytest.raises(RuntimeError, match="cannot reuse"):
            start.throw(ValueError)
        assert start.result() == "done"

    def test_close(self) -> None:
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            CoroStart(self.stubborn(2)).close()
        start = CoroStart(twice([]))
        start.close()
        start.close()
        with pytest.raises(RuntimeError, match="cannot reuse"):
            start.__await__().send(None)

    def test_throw_into_the_rest(self) -> None:
        iterator = CoroStart(self.stubborn(2)).__await__()
        assert iterator.throw(ValueError()) == "waits"
        with pytest.raises(StopIteration):
            iterator.throw(ValueError)
        done = CoroStart(at_once()).__await__()
        with pytest.raises(KeyError):
            done.throw(KeyError("instead of the result"))
        with pytest.raises(TypeError, match="deriving from BaseException"):
            CoroStart(at_once()).__await__().throw("text")  # type: ignore[arg-type]

    @every_loop
    def test_aclose_and_athrow(self, loop: Loop) -> None:
        async def tidy(log: list[str]) -> str:
            try:
                await loop.sleep(0.001)
            except ValueError:
                return "handled"
            finally:
                log.append("cleaned up")
            return "slept"

        async def main() -> None:
            log: list[str] = []
            async with aclosing(CoroStart(tidy(log))) as start:
                assert start.pending()
            assert log == ["cleaned up"]
            async with aclosing(CoroStart(tidy(log))) as start:
                assert await start == "slept"
            assert await CoroStart(tidy(log)).athrow(ValueError()) == "handled"

        loop.run_coroutine(main)


class TestOtherCoroutines:
    def test_generator_based(self) -> None:
        assert drive(CoroStart(suspend("x")), ["answer"]) == (["x"], "answer")  # type: ignore[arg-type]

    def test_step_of_an_async_generator(self) -> None:
        async def numbers() -> AsyncGenerator[int, None]:
            await suspend("before")
            yield 1

        generator = numbers()
        start = CoroStart(generator.__anext__())
        assert start.pending()
        assert drive(start, [None]) == (["before"], 1)
        CoroStart(generator.aclose())

    def test_written_as_a_class(self) -> None:
        class Steps(Coroutine[Any, Any, str]):
            left = 2

            def send(self, value: object) -> Any:
                self.left -= 1
                if self.left < 0:
                    raise StopIteration("end")
                return self.left

            def throw(self, *args: Any) -> Any:
                raise args[0]

            def close(self) -> None:
                self.left = 0

            def __await__(self) -> Any:
                return self

        assert drive(CoroStart(Steps()), ["x", "y"]) == ([1, 0], "end")

    def test_started_ones_again(self) -> None:
        log: list[object] = []
        inner: Any = CoroStart(twice(log)).__await__()
        assert drive(CoroStart(inner), ["a", "b"]) == (["first", "second"], "end")

    def test_frames_and_state_are_those_of_the_coroutine(self) -> None:
        coroutine = twice([])
        rest = CoroStart(coroutine).__await__()
        assert rest.cr_frame is coroutine.cr_frame and rest.cr_code is coroutine.cr_code
        assert rest.cr_running is False and rest.__qualname__ == "twice" and rest.cr_await is coroutine.cr_await
        rest.close()
        generator: Any = suspend(1)
        rest = CoroStart(generator).__await__()
        assert rest.cr_frame is generator.gi_frame
        rest.close()


class TestOnLoops:
    @every_loop
    def test_awaited_in_the_same_task(self, loop: Loop) -> None:
        log: list[str] = []

        def plain(word: str) -> str:
            log.append(f"{word} before")
            ohwait(loop.sleep(0.001))
            log.append(f"{word} between")
            ohwait(loop.sleep(0.001))
            return word

        async def both() -> str:
            return plain("one") + plain("two")

        async def main() -> None:
            start = CoroStart(both())
            assert log == ["one before"]
            assert await start == "onetwo"
            assert await coro_await(both(), context=contextvars.copy_context()) == "onetwo"

        loop.run_coroutine(main)

    @pytest.mark.parametrize("loop", [Loop("asyncio"), Loop("curio")], ids=["asyncio", "curio"])
    def test_continued_in_another_task(self, loop: Loop) -> None:
        def plain() -> list[Any]:
            tasks = [ohwait(current())]
            ohwait(loop.sleep(0.001))
            return [*tasks, ohwait(current())]

        async def current() -> Any:
            return asyncio.current_task() if loop.name == "asyncio" else None

        async def host() -> list[Any]:
            return plain()

        async def main() -> None:
            start = CoroStart(host())
            assert start.pending()
            if loop.name == "asyncio":
                task = asyncio.create_task(start.as_coroutine())
                assert await task == [asyncio.current_task(), task]
            else:
                task = await loop.module.spawn(start.as_coroutine)
                assert await task.join() == [None, None]

        loop.run_coroutine(main)

    def test_trio_refuses_another_task(self) -> None:
        trio = pytest.importorskip("trio", reason="trio is not installed")

        async def wait(event: Any) -> str:
            await event.wait()
            return "set"

        async def main() -> None:
            event, refused = trio.Event(), trio.Event()
            start = CoroStart(wait(event))

            async def elsewhere() -> None:
                with pytest.raises(ContinuationError, match="primitives belong to a task"):
                    await start.as_coroutine()
                refused.set()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(elsewhere)
                await refused.wait()
            assert start.pending(), "it can still be continued where it belongs"
            start.close()
            event.set()  # Nobody is woken who does not wait.
            await trio.sleep(0.001)

        trio.run(main)

    def test_trio_takes_back_what_was_asked_for(self) -> None:
        trio = pytest.importorskip("trio", reason="trio is not installed")

        async def main() -> None:
            event = trio.Event()
            for end in (CoroStart.close, lambda start: start.__await__().close()):
                end(CoroStart(event.wait()))
            assert event.statistics().tasks_waiting == 0
            with pytest.raises(KeyError):
                CoroStart(event.wait()).throw(KeyError)
            event.set()
            await trio.sleep(0.001)

        trio.run(main)


class TestMemory:
    def test_cycles_are_collected(self) -> None:
        async def hold(box: list[Any]) -> None:
            await suspend(box)

        box: list[Any] = []
        start = CoroStart(hold(box))
        box.append(start)
        gone = weakref.ref(start)
        rest = start.__await__()
        rest_gone = weakref.ref(rest)
        box.append(rest)
        del start, rest, box
        gc.collect()
        assert gone() is None and rest_gone() is None

    def test_dropped_while_plain_functions_wait(self) -> None:
        log: list[str] = []

        def plain() -> None:
            try:
                ohwait(suspend(1))  # type: ignore[arg-type]
            finally:
                log.append("left")

        async def host() -> None:
            plain()

        start = CoroStart(host())
        assert start.pending()
        del start
        assert log == ["left"]
