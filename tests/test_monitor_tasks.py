"""A generator object that other tasks yield from, which asyncio's protocol for futures makes possible."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from core_tools import below
from loops import Loop, every_loop

import ohwait
from ohwait.monitor import GeneratorObject, MonitorError

Generator = GeneratorObject[Any, Any]
Main = Callable[[], Coroutine[Any, Any, None]]


def uvloop() -> asyncio.AbstractEventLoop:
    module = pytest.importorskip("uvloop", reason="uvloop is not installed")
    loop: asyncio.AbstractEventLoop = module.new_event_loop()
    return loop


def eager_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[arg-type]
    return loop


def python_tasks_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    make: Any = asyncio.tasks._PyTask  # type: ignore[attr-defined]
    loop.set_task_factory(lambda loop, coro, **options: make(coro, loop=loop, **options))
    return loop


async def is_known() -> bool:
    return asyncio.current_task() is not None


with asyncio.Runner(loop_factory=python_tasks_loop) as runner:
    PYTHON_TASKS_ARE_KNOWN = runner.run(is_known())

factories = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(uvloop, id="uvloop"),
    pytest.param(
        python_tasks_loop,
        id="python-tasks",
        marks=pytest.mark.skipif(
            not PYTHON_TASKS_ARE_KNOWN, reason="asyncio's own functions do not know its Python tasks"
        ),
    ),
    pytest.param(
        eager_loop,
        id="eager-tasks",
        marks=pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="asyncio has no eager tasks here"),
    ),
]


@pytest.fixture(params=factories)
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    def run(main: Main) -> None:
        problems: list[Any] = []
        with asyncio.Runner(loop_factory=request.param, debug=False) as runner:
            runner.get_loop().set_exception_handler(lambda loop, context: problems.append(context))
            runner.run(asyncio.wait_for(main(), 10))
            gc.collect()
        gc.collect()
        assert not problems

    return run


def test_a_helper_yields(run: Any) -> None:
    async def coroutine(generator: Generator) -> None:
        await generator.ayield(1)

        async def helper() -> None:
            await generator.ayield(2)

        await asyncio.create_task(helper())
        await generator.ayield(3)

    async def main() -> None:
        generator = Generator()
        assert [value async for value in generator(coroutine(generator))] == [1, 2, 3]

    run(main)


def test_plain_functions_in_a_helper_yield(run: Any) -> None:
    async def main() -> None:
        generator = Generator()

        async def helper() -> object:
            return below(3, lambda: generator.yield_now(below(2, lambda: generator.yield_now("a"))))

        async def coroutine() -> None:
            generator.yield_now(await asyncio.create_task(helper()))

        iterator = generator(coroutine())
        assert await iterator.asend(None) == "a"
        assert await iterator.asend("b") == "b"
        assert await iterator.asend("c") == "c"
        with pytest.raises(StopAsyncIteration):
            await iterator.asend(None)

    run(main)


def test_each_helper_gets_the_answer_to_what_it_yielded(run: Any) -> None:
    async def main() -> None:
        generator = Generator()
        log = []

        async def helper(name: int) -> None:
            for n in range(5):
                log.append((await generator.ayield((name, n))) == (name, n))
                await asyncio.sleep(0.001 * (name % 3))

        async def coroutine() -> None:
            helpers = [asyncio.create_task(helper(name)) for name in range(1, 6)]
            for n in range(5):
                log.append(await generator.ayield((0, n)) == (0, n))
                await asyncio.sleep(0)
            for task in helpers:
                await task

        iterator, value, seen = generator(coroutine()), None, []
        while True:
            try:
                value = await iterator.asend(value)
            except StopAsyncIteration:
                break
            seen.append(value)
            if len(seen) % 4 == 0:
                await asyncio.sleep(0)
        assert sorted(seen) == [(name, n) for name in range(6) for n in range(5)]
        assert log == [True] * 30

    run(main)


def test_first_come_first_served(run: Any) -> None:
    """What the coroutine itself yields waits behind what came before."""

    async def main() -> None:
        generator = Generator()

        async def helper(name: str) -> None:
            for _ in range(3):
                await generator.ayield(name)

        async def coroutine() -> None:
            for n in range(6):
                await generator.ayield(n)

        iterator = generator(coroutine())
        seen = [await iterator.__anext__()]
        helpers = [asyncio.create_task(helper(name)) for name in ("a", "b")]
        async for item in iterator:
            seen.append(item)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert [n for n in seen if isinstance(n, int)] == list(range(6))
        assert seen.count("a") == seen.count("b") == 3
        assert seen.index("b") < seen.index(3)
        await asyncio.gather(*helpers)

    run(main)


def test_the_coroutine_goes_on_when_its_future_is_done(run: Any) -> None:
    async def main() -> None:
        generator = Generator()
        future = asyncio.get_running_loop().create_future()

        async def helper() -> None:
            await generator.ayield("helper")
            future.set_result("future")
            await generator.ayield("helper again")

        async def coroutine() -> None:
            task = asyncio.create_task(helper())
            await generator.ayield(await future)
            await task

        seen = [item async for item in generator(coroutine())]
        assert seen[0] == "helper" and sorted(seen[1:]) == ["future", "helper again"]

    run(main)


def test_an_exception_is_thrown_into_the_helper_that_yielded(run: Any) -> None:
    async def main() -> None:
        generator = Generator()

        async def helper() -> str:
            try:
                await generator.ayield(1)
            except KeyError:
                generator.yield_now(2)
            return "helper's result"

        async def coroutine() -> None:
            await generator.ayield(await asyncio.create_task(helper()))

        iterator = generator(coroutine())
        assert await iterator.__anext__() == 1
        assert await iterator.athrow(KeyError) == 2
        assert await iterator.__anext__() == "helper's result"
        await iterator.aclose()

    run(main)


def test_a_helper_that_is_cancelled_while_it_waits(run: Any) -> None:
    async def main() -> None:
        generator = Generator()
        tasks: list[asyncio.Task[None]] = []

        async def helper(name: str) -> None:
            await generator.ayield(name)

        async def coroutine() -> None:
            tasks.extend(asyncio.create_task(helper(name)) for name in "abc")
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            await generator.ayield([type(outcome).__name__ for outcome in outcomes])

        iterator = generator(coroutine())
        assert await iterator.__anext__() == "a"
        await asyncio.sleep(0)
        tasks[0].cancel("its item was taken")
        tasks[1].cancel("its item is in the queue")
        assert await iterator.__anext__() == "c"
        assert await iterator.__anext__() == ["CancelledError", "CancelledError", "NoneType"]
        await iterator.aclose()

    run(main)


def test_the_task_that_iterates_is_cancelled_while_the_coroutine_waits(run: Any) -> None:
    async def main() -> None:
        generator = Generator()
        waits = asyncio.get_running_loop().create_future()
        log = []

        async def coroutine() -> None:
            try:
                await waits
            except asyncio.CancelledError as error:
                log.append(error.args)
                raise

        task = asyncio.ensure_future(generator(coroutine()).__anext__())
        await asyncio.sleep(0)
        assert "a generator object waits for" in repr(task)
        task.cancel("why")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == [("why",)] and waits.cancelled()

    run(main)


def test_cancelled_and_given_an_item_in_the_same_turn(run: Any) -> None:
    async def main() -> None:
        generator = Generator()

        async def coroutine() -> None:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                await generator.ayield("was cancelled")

        async def helper() -> None:
            begun.append(True)
            await generator.ayield("helper's")

        begun: list[bool] = []
        iterator = generator(coroutine())
        step = asyncio.ensure_future(iterator.__anext__())
        await asyncio.sleep(0)
        task = asyncio.create_task(helper())
        while not begun:
            await asyncio.sleep(0)
        assert step.cancel()
        assert {await step, await iterator.__anext__()} == {"helper's", "was cancelled"}
        await iterator.aclose()
        await asyncio.wait([task])

    run(main)


@pytest.mark.parametrize("ends", ["aclose", "return", "raise", "dropped"])
def test_helpers_that_wait_when_it_ends_are_cancelled(run: Any, ends: str) -> None:
    async def main() -> None:
        generator = Generator()

        async def helper() -> None:
            await generator.ayield("helper")

        async def coroutine() -> None:
            await generator.ayield("first")
            await asyncio.sleep(0)
            if ends == "return":
                return
            if ends == "raise":
                raise KeyError(ends)
            await asyncio.sleep(10)

        iterator = generator(coroutine())
        assert await iterator.__anext__() == "first"
        tasks = [asyncio.create_task(helper()) for _ in range(3)]
        await asyncio.sleep(0)
        assert await iterator.__anext__() == "helper"
        if ends == "aclose":
            await iterator.aclose()
        elif ends == "dropped":
            del iterator
            gc.collect()
        else:
            tasks[1].cancel()
            tasks[2].cancel()
            await asyncio.wait(tasks[1:])
            if ends == "raise":
                with pytest.raises(KeyError):
                    await iterator.__anext__()
            else:
                with pytest.raises(StopAsyncIteration):
                    await iterator.__anext__()
        await asyncio.wait(tasks)
        assert [task.cancelled() for task in tasks] == [ends in ("aclose", "dropped"), True, True]

    run(main)


def test_context_variables_are_each_tasks_own(run: Any) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def main() -> None:
        generator = Generator()
        seen = []

        async def helper() -> None:
            variable.set("helper's")
            await generator.ayield(1)
            seen.append(variable.get())

        async def coroutine() -> None:
            await asyncio.create_task(helper())
            seen.append(variable.get())

        variable.set("main's")
        async for _ in generator(coroutine()):
            seen.append(variable.get())
        assert seen == ["main's", "helper's", "main's"]

    run(main)


def test_nested_generators_and_helpers(run: Any) -> None:
    async def main() -> None:
        outer, inner = Generator(), Generator()

        async def helper(generator: Generator, items: list[int]) -> None:
            for item in items:
                await generator.ayield(item)
                await asyncio.sleep(0.001)

        async def inside() -> None:
            await asyncio.gather(helper(inner, [1, 2]), helper(outer, [10, 20]))

        async def between() -> None:
            async for item in inner(inside()):
                await outer.ayield(item)

        assert sorted([item async for item in outer(between())]) == [1, 2, 10, 20]

    run(main)


def test_a_message_that_an_eager_start_finds(run: Any) -> None:
    """The coroutine starts a helper at once, by hand, as eager starts do; the message comes out at a task later."""
    from ohwait.eager import coro_eager

    async def main() -> None:
        generator = Generator()

        async def helper() -> object:
            return await generator.ayield("helper's")

        async def coroutine() -> None:
            started = coro_eager(helper())
            await generator.ayield("coroutine's")
            await generator.ayield(await started)

        iterator = generator(coroutine())
        items = [await iterator.asend(None)]
        items.append(await iterator.asend(f"answer to {items[0]}"))
        items.append(await iterator.asend(f"answer to {items[1]}"))
        assert set(items) == {"coroutine's", "helper's", "answer to helper's"}
        await iterator.aclose()

    run(main)


OF_NOBODY = "the coroutine gets what is thrown when whose item was taken has been cancelled"


def test_random_helpers(run: Any, rand: Any) -> None:
    """Whatever happens, each item arrives once, and each helper gets its own answer or an exception."""

    async def one(rand: random.Random) -> None:
        generator = Generator()
        sent, answered, failed = [], [], []
        tasks: list[asyncio.Task[None]] = []

        async def yields(name: int, count: int) -> None:
            for n in range(count):
                try:
                    await asyncio.sleep(rand.choice([0, 0, 0.001]))
                except KeyError:
                    failed.append(OF_NOBODY)
                sent.append((name, n))
                try:
                    answer = await generator.ayield((name, n)) if n % 2 else generator.yield_now((name, n))
                    answered.append((name, n))
                    assert answer == ("answer to", name, n)
                except KeyError:
                    failed.append((name, n))

        async def coroutine() -> None:
            tasks.extend(asyncio.create_task(yields(name, rand.randrange(5))) for name in range(1, 4))
            await yields(0, rand.randrange(5))
            while not all(task.done() for task in tasks):
                try:
                    await asyncio.wait(tasks)
                except KeyError:
                    failed.append(OF_NOBODY)

        iterator, value, seen = generator(coroutine()), None, []
        while True:
            try:
                throws = seen and rand.random() < 0.1
                value = await (iterator.athrow(KeyError()) if throws else iterator.asend(value))
            except StopAsyncIteration:
                break
            seen.append(value)
            value = ("answer to", *value)
            if rand.random() < 0.5:
                await asyncio.sleep(0)
            if rand.random() < 0.1 and tasks:
                rand.choice(tasks).cancel()
        assert len(seen) == len(set(seen)) and set(seen) <= set(sent)
        # What is thrown for nobody may find the coroutine while its own item waits to be taken.
        of_helpers = {item for item in failed if item != OF_NOBODY and item[0] != 0}
        assert set(answered) | of_helpers <= set(seen)
        for task in tasks:
            assert task.cancelled() or task.exception() is None

    async def main() -> None:
        for _ in range(40):
            await one(random.Random(rand.randrange(2**32)))

    run(main)


# What is refused


@every_loop
def test_other_loops_say_so(loop: Loop) -> None:
    if loop.backend == "asyncio":
        pytest.skip("works there")

    async def main() -> None:
        generator = Generator()
        errors = []

        async def helper() -> None:
            try:
                await generator.ayield(1)
            except MonitorError as error:
                errors.append(str(error))

        async def coroutine() -> None:
            if loop.name == "trio":
                async with loop.module.open_nursery() as nursery:
                    nursery.start_soon(helper)
            else:
                await (await loop.module.spawn(helper)).join()
            await generator.ayield(2)

        iterator = generator(coroutine())
        assert await iterator.__anext__() == 2
        await iterator.aclose()
        [text] = errors
        assert "works with asyncio's loops only" in text and "helper()" in text

    loop.run_coroutine(main)


def test_a_message_from_another_thread_is_refused() -> None:
    async def main() -> None:
        generator = Generator()
        errors: list[BaseException] = []

        async def helper() -> None:
            try:
                await generator.ayield(1)
            except BaseException as error:
                errors.append(error)

        async def coroutine() -> None:
            await asyncio.to_thread(asyncio.run, helper())

        with pytest.raises(StopAsyncIteration):
            await generator(coroutine()).__anext__()
        [error] = errors
        assert isinstance(error, ohwait.OhwaitError) and "another event loop" in str(error)
        assert threading.active_count() >= 1

    asyncio.run(main())
