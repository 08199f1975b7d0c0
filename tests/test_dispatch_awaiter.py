"""@use_awaiter: the rest of an async function handed to what it awaits."""

import asyncio
import contextlib
import contextvars
import functools
import gc
import inspect
import sys
import threading
import weakref
from types import SimpleNamespace

import pytest
from dispatching import HOME, asyncio_loops, loop_thread, place, pool, run
from loops import every_loop

import ohwait
from ohwait.dispatch import (
    Awaiter,
    AwaiterMixin,
    DispatchError,
    detach,
    dispatch_to_executor,
    dispatch_to_loop,
    switch_back,
    switch_to_executor,
    use_awaiter,
)


class Here:
    """Runs the rest where it is; cannot be awaited in any other way."""

    def __init__(self, value: object = None, error: BaseException | None = None) -> None:
        self.value, self.error = value, error
        self.log: list[object] = []

    async def __awaiter__(self, continuation):
        self.log.append("before")
        try:
            result = await (continuation(self.value) if self.error is None else continuation.throw(self.error))
            self.log.append(result)
        finally:
            self.log.append("after")
        return result


class Raising(Here):
    """As the class in awaiter's documentation."""

    def __await__(self):
        raise RuntimeError("not to be awaited without the decorator")


@every_loop
def test_the_rest_of_the_function_is_handed_over(loop) -> None:
    @use_awaiter
    async def function(awaiter, *, more: int = 1) -> list[object]:
        await loop.sleep(0)
        got = await awaiter
        await loop.sleep(0)
        return [got, more]

    async def main() -> None:
        for kind in (Here, Raising):
            awaiter = kind("value")
            assert isinstance(awaiter, Awaiter) and not isinstance(3, Awaiter)
            assert await function(awaiter, more=2) == ["value", 2]
            assert awaiter.log == ["before", ["value", 2], "after"]

    loop.run_coroutine(main)


@every_loop
def test_at_any_await(loop) -> None:
    """In loops, try/finally, with, comprehensions, nested functions, methods, generics; any number of times."""
    log: list[object] = []

    class Generic(list[int]):
        @use_awaiter
        async def method(self, awaiter) -> int:
            return len(self) + await awaiter

        @classmethod
        @use_awaiter
        async def of_class(cls, awaiter) -> object:
            return cls, await awaiter

        @staticmethod
        @use_awaiter
        async def static(awaiter) -> object:
            return await awaiter

    @contextlib.asynccontextmanager
    async def manager():
        log.append("enter")
        await loop.sleep(0)
        try:
            yield
        finally:
            log.append("exit")

    @use_awaiter
    async def everywhere(n: int) -> list[object]:
        seen = []
        for k in range(n):
            try:
                with contextlib.suppress(KeyError):
                    async with manager():
                        seen.append(await Here(k))
                        if k == 1:
                            await Here(error=KeyError("suppressed"))
                        seen.append(await Here() or (await Here([await Here(k)])))
            finally:
                seen.append(await Here("finally"))
        seen += [await Here(k) for k in range(2)]
        seen.append({await Here("key"): await Here("value")})
        return seen

    async def main() -> None:
        assert await everywhere(2) == [0, [0], "finally", 1, "finally", 0, 1, {"key": "value"}]
        assert log == ["enter", "exit"] * 2
        assert await Generic([1, 2]).method(Here(5)) == 7
        assert await Generic.of_class(Here(5)) == (Generic, 5)
        assert await Generic.static(Here(5)) == 5
        outer = 3

        @use_awaiter
        async def closure(default=4, *, keyword=5):
            nonlocal outer
            outer += await Here(10)
            return [outer, default, keyword, await nested()]

        @use_awaiter
        async def nested():
            return await Here("nested") + str(outer)

        assert await closure(keyword=6) == [13, 4, 6, "nested13"] and outer == 13

    loop.run_coroutine(main)


def test_functions_with_type_parameters() -> None:
    source = "async def function[T](awaiter, x: T) -> list[T]:\n    return [await awaiter, x, function]"
    namespace = {}
    try:
        exec(source, namespace)
    except SyntaxError:
        pytest.skip("this CPython has no type parameters")
    decorated = use_awaiter(namespace["function"])
    assert asyncio.run(decorated(Here(1), 2)) == [1, 2, namespace["function"]]
    assert [str(name) for name in decorated.__type_params__] == ["T"]


@every_loop
def test_exceptions_cross(loop) -> None:
    class Failing(Here):
        async def __awaiter__(self, continuation):
            self.kept = continuation
            raise KeyError("the awaiter")

    class Catching(Here):
        async def __awaiter__(self, continuation):
            try:
                return await continuation()
            except ValueError as error:
                return f"caught {error}"

    @use_awaiter
    async def function(awaiter, log) -> str:
        try:
            await awaiter
        except KeyError as error:
            log.append(str(error))
            raise ValueError("the rest") from None
        finally:
            log.append("finally")

    async def main() -> None:
        log: list[str] = []
        with pytest.raises(ValueError, match="the rest"):
            await function(Here(error=KeyError("thrown")), log)
        assert log == ["'thrown'", "finally"]
        with pytest.raises(ValueError, match="the rest"):
            await function(Failing(), log)
        assert log[2:] == ["'the awaiter'", "finally"], "what took nothing fails where it is awaited"

        @use_awaiter
        async def rest(awaiter) -> None:
            await awaiter
            raise ValueError("of the rest")

        assert await rest(Catching()) == "caught of the rest"

    loop.run_coroutine(main)


@every_loop
def test_a_rest_runs_once_or_ends_where_it_is(loop) -> None:
    class Keeping(Here):
        async def __awaiter__(self, continuation):
            self.kept = continuation
            return "kept"

    @use_awaiter
    async def function(awaiter, log) -> str:
        try:
            log.append(await awaiter)
        finally:
            log.append("finally")
        return "result"

    async def main() -> None:
        log: list[object] = []
        keeping = Keeping()
        assert await function(keeping, log) == "kept" and log == []
        assert await keeping.kept("later") == "result" and log == ["later", "finally"]
        with pytest.raises(DispatchError, match="the rest of a function runs once"):
            keeping.kept()
        log.clear()
        assert await function(keeping, log) == "kept"
        keeping.kept = None
        gc.collect()
        assert log == ["finally"], "dropped, it is closed"

    loop.run_coroutine(main)


@every_loop
def test_other_awaits_are_what_they_are(loop) -> None:
    class Own:
        def __await__(self):
            yield from loop.sleep(0).__await__()
            return "own"

    @use_awaiter
    async def function(value: object) -> object:
        return await value

    async def coroutine() -> str:
        await loop.sleep(0)
        return "coroutine"

    async def main() -> None:
        assert await function(coroutine()) == "coroutine"
        assert await function(Own()) == "own"
        for wrong in (3, None, [Here()]):
            with pytest.raises(TypeError, match=f"{type(wrong).__name__}.* can't be"):
                await function(wrong)
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await function(done := coroutine()), await function(done)

    loop.run_coroutine(main)


def test_the_decorated_function_keeps_its_face() -> None:
    async def function(a: int, b: str = "x") -> float:
        """Documentation."""
        await asyncio.sleep(a)

    decorated = use_awaiter(function)
    assert inspect.iscoroutinefunction(decorated) and inspect.signature(decorated) == inspect.signature(function)
    assert (decorated.__name__, decorated.__doc__, decorated.__wrapped__) == ("function", "Documentation.", function)
    coroutine = decorated(1)
    assert inspect.iscoroutine(coroutine) and coroutine.__name__ == "function"
    coroutine.close()
    debugging = use_awaiter(debug=True)(function)
    assert inspect.iscoroutinefunction(debugging)


@pytest.mark.parametrize(
    "wrong", [print, len, lambda: 1, 3, classmethod(asyncio.sleep), functools.partial(print)], ids=repr
)
def test_what_is_no_async_function(wrong) -> None:
    with pytest.raises(TypeError, match=r"use_awaiter\(\) takes an async function"):
        use_awaiter(wrong)


def test_async_generator_functions_are_refused() -> None:
    async def generator():
        yield 1

    with pytest.raises(TypeError, match=r"takes an async function, which .*generator is not"):
        use_awaiter(generator)


@asyncio_loops
def test_dispatch_to_executor(factory) -> None:
    @use_awaiter
    async def function(n: int) -> tuple[object, ...]:
        places = [place()]
        await asyncio.sleep(0.001)
        places.append(place())
        await dispatch_to_executor(executor)
        places.append(place())
        await asyncio.sleep(0.001)
        places.append(place())
        await dispatch_to_executor(executor)
        async with asyncio.timeout(1):
            await asyncio.to_thread(threading.get_ident)
        results = await asyncio.gather(asyncio.sleep(0.001, n), undecorated(), future_of_home())
        return *places, *results, place()

    async def undecorated() -> str:
        return place()

    async def future_of_home() -> str:
        future = home.create_future()
        home.call_soon_threadsafe(future.set_result, "home's")
        return await future

    async def main() -> None:
        nonlocal home
        home = asyncio.get_running_loop()
        for n in range(3):
            expected = (HOME, HOME, "pool", "pool", n, "pool", "home's", "pool")
            assert await function(n) == expected and place() == HOME

    home = None
    with pool() as executor:
        run(factory, main())


@asyncio_loops
def test_dispatch_to_loop_and_back(factory) -> None:
    @use_awaiter
    async def function() -> list[str]:
        home = asyncio.get_running_loop()
        places = []
        for _ in range(30):
            for loop in (other, home):
                await dispatch_to_loop(loop)
                assert asyncio.get_running_loop() is loop
                await asyncio.sleep(0)
                places.append(place())
        await dispatch_to_executor(executor)
        await dispatch_to_loop(other)
        return [*places, place()]

    async def main() -> None:
        assert await function() == ["other", HOME] * 30 + ["other"]
        assert place() == HOME

    with loop_thread(factory) as other, pool() as executor:
        run(factory, main())


@asyncio_loops
def test_functions_that_move_await_functions_that_move(factory) -> None:
    @use_awaiter
    async def outer() -> list[str]:
        await dispatch_to_executor(one)
        places = [place()]
        places.append(await inner())
        places.append(place())
        await asyncio.sleep(0)
        places.append(place())
        await dispatch_to_loop(home)
        return [*places, await inner(), place()]

    @use_awaiter
    async def inner() -> str:
        await dispatch_to_executor(two)
        await asyncio.sleep(0)
        return place()

    async def main() -> None:
        nonlocal home
        home = asyncio.get_running_loop()
        assert await outer() == ["one", "two", "one", "one", "two", HOME]

    home = None
    with pool(1, "one") as one, pool(1, "two") as two:
        run(factory, main())


@asyncio_loops
def test_the_decorator_bounds_what_plain_code_switches(factory) -> None:
    def plain() -> str:
        switch_to_executor(executor)
        return place()

    @use_awaiter
    async def bounded() -> tuple[str, str]:
        return plain(), place()

    async def unbounded() -> tuple[str, str]:
        return plain(), place()

    async def main() -> None:
        assert await bounded() == ("pool", "pool") and place() == HOME
        assert await unbounded() == ("pool", "pool") and place() == "pool"
        switch_back()

    with pool() as executor:
        run(factory, main())


@asyncio_loops
def test_context_variables_and_results_cross(factory) -> None:
    variable = contextvars.ContextVar("variable")

    @use_awaiter
    async def function(n: int) -> int:
        variable.set(n)
        await dispatch_to_executor(executor)
        assert variable.get() == n
        await asyncio.sleep(0)
        variable.set(n + 1)
        return n

    async def task(n: int) -> int:
        result = await function(n)
        assert variable.get() == n + 1
        return result

    async def main() -> None:
        assert await asyncio.gather(*map(task, range(50))) == [*range(50)]

    with pool() as executor:
        run(factory, main())


@asyncio_loops
def test_exceptions_come_home(factory) -> None:
    log = []

    @use_awaiter
    async def function(wrong: type[BaseException]) -> None:
        try:
            await dispatch_to_executor(executor)
            raise wrong("there")
        finally:
            log.append(place())
            await asyncio.sleep(0)
            log.append(place())

    async def main() -> None:
        for wrong in (KeyError, asyncio.CancelledError, GeneratorExit):
            with pytest.raises(wrong, match="there"):
                await function(wrong)
            assert place() == HOME

    with pool() as executor:
        run(factory, main())
    assert log == ["pool", "pool"] * 3


@asyncio_loops
def test_detach(factory) -> None:
    @use_awaiter
    async def function(detached, log) -> str:
        log.append("before")
        await detached
        log.append("detached")
        await asyncio.sleep(0.01)
        log.append("rest")
        return "result"

    async def main() -> None:
        detached, log = detach(), []
        assert detached.task is None
        assert await function(detached, log) is None
        assert log == ["before"] and not detached.task.done()
        log.append("caller")
        assert await detached.task == "result"
        assert log == ["before", "caller", "detached", "rest"]
        with pytest.raises(DispatchError, match="awaited before"):
            await function(detached, log)
        assert log[4:] == ["before"]

    run(factory, main())


@asyncio_loops
def test_detached_in_an_executor(factory) -> None:
    @use_awaiter
    async def function(detached) -> list[str]:
        await dispatch_to_executor(executor)
        places = [place()]
        await detached
        places.append(place())
        await asyncio.sleep(0.01)
        places.append(place())
        await dispatch_to_loop(home)
        done.set()
        return places

    async def main() -> None:
        nonlocal home, done
        home, done = asyncio.get_running_loop(), asyncio.Event()
        detached = detach()
        assert await function(detached) is None and place() == HOME
        await done.wait()
        while not detached.task.done():
            await asyncio.sleep(0.001)
        assert detached.task.result() == ["pool"] * 3

    home = done = None
    with pool() as executor:
        run(factory, main())


def test_debug_shows_each_split(capsys) -> None:
    @use_awaiter(debug=True)
    async def function(executor) -> None:
        await asyncio.sleep(0)
        await dispatch_to_executor(executor)
        await asyncio.sleep(0)
        await Here()

    async def main() -> None:
        with pool() as executor:
            await function(executor)

    run(asyncio.new_event_loop, main())
    lines = capsys.readouterr().err.splitlines()
    code = function.__wrapped__.__code__
    begins = f"ohwait.dispatch: {code.co_qualname}() in {code.co_filename}, line {code.co_firstlineno + 3}:"
    assert lines[:2] == [begins, "    await dispatch_to_executor(executor)"]
    assert lines[2].startswith("  goes on in thread 'pool_0', <ExecutorLoop in ")
    assert lines[4] == "    await Here()" and "goes on in thread 'pool_0'" in lines[5] and len(lines) == 6


@every_loop
def test_without_the_decorator(loop) -> None:
    class Mixed(AwaiterMixin):
        async def __awaiter__(self, continuation):
            return await continuation("mixed")

    async def undecorated(awaitable) -> object:
        return await awaitable

    @use_awaiter
    async def decorated(awaitable) -> object:
        return await undecorated(awaitable)

    async def main() -> None:
        with pytest.raises(TypeError, match=r"can't be (used in 'await' expression|awaited)"):
            await undecorated(Here())
        with pool() as executor:
            pattern = r"@ohwait.dispatch.use_awaiter" if loop.backend == "asyncio" else "cannot leave its thread"
            with pytest.raises(DispatchError, match=pattern):
                await undecorated(dispatch_to_executor(executor))
        if loop.backend == "asyncio":
            with pytest.raises(DispatchError, match=r"@ohwait.dispatch.use_awaiter"):
                await undecorated(detach())
            await loop.sleep(0)
        assert await decorated(Mixed()) == "mixed"

    loop.run_coroutine(main)


@every_loop
def test_ready_made_ones_say_where_they_work(loop) -> None:
    @use_awaiter
    async def function(awaitable, log) -> None:
        try:
            await awaitable
        except (DispatchError, TypeError) as error:
            log.append(str(error))
        finally:
            log.append(place())

    async def main() -> None:
        log: list[str] = []
        await function(dispatch_to_executor(None), log)
        await function(dispatch_to_loop(None), log)
        if loop.backend == "asyncio":
            await function(dispatch_to_loop(stopped), log)
            assert "not running" in log.pop(-2)
        else:
            detached = detach()
            await function(detached, log)
            assert "cannot leave its thread" in log.pop(-2) and detached.task is None
        assert [text.partition(",")[0] for text in log] == [
            "dispatch_to_executor() takes an executor",
            HOME,
            "dispatch_to_loop() takes an asyncio event loop",
            HOME,
            HOME,
        ]

    stopped = asyncio.new_event_loop()
    loop.run_coroutine(main)
    stopped.close()


@asyncio_loops
def test_the_protocol_by_hand(factory) -> None:
    """dispatch_to_...().__awaiter__(continuation), as awaiter's own decorator would call it."""

    async def rest() -> str:
        await asyncio.sleep(0)
        return place()

    async def main() -> None:
        with pool() as executor, loop_thread(factory) as other:
            assert await dispatch_to_executor(executor).__awaiter__(rest) == "pool"
            assert await dispatch_to_loop(other).__awaiter__(rest) == "other"
            assert await dispatch_to_loop(asyncio.get_running_loop()).__awaiter__(rest) == HOME == place()

    run(factory, main())


def test_a_foreign_awaiter_may_run_the_rest_anywhere() -> None:
    """As in awaiter's documentation: an event loop of its own in a thread."""

    class InThread:
        async def __awaiter__(self, continuation):
            return await asyncio.to_thread(lambda: asyncio.run(continuation()))

    @use_awaiter
    async def function() -> list[object]:
        home = asyncio.get_running_loop()
        await InThread()
        assert asyncio.get_running_loop() is not home
        await asyncio.sleep(0.01)
        await dispatch_to_executor(executor)
        return [place()]

    with pool() as executor:
        assert run(asyncio.new_event_loop, function()) == ["pool"]


@every_loop
def test_plain_functions_wait_below_a_decorated_one(loop) -> None:
    def plain(awaitable) -> object:
        return ohwait.ohwait(awaitable)

    class Mixed(AwaiterMixin):
        async def __awaiter__(self, continuation):
            return [await continuation("mixed")]

    @use_awaiter
    async def function() -> object:
        plain(loop.sleep(0))
        value = plain(Mixed())
        plain(loop.sleep(0))
        return value

    async def main() -> None:
        assert await function() == ["mixed"]

    loop.run_coroutine(main)


def test_closing_and_dropping() -> None:
    log = []

    @use_awaiter
    async def function(awaiter) -> None:
        try:
            await awaiter
        finally:
            log.append("finally")

    class Waiting:
        def __await__(self):
            yield

        async def __awaiter__(self, continuation):
            try:
                await continuation()
            finally:
                log.append("awaiter")

    for awaited in (asyncio.sleep(0), SimpleNamespace()):
        if type(awaited) is SimpleNamespace:
            awaited = Waiting()
            del Waiting.__awaiter__
        coroutine = function(awaited)
        coroutine.send(None)
        coroutine.close()
    assert log == ["finally"] * 2


def test_nothing_is_kept() -> None:
    class Thing:
        pass

    @use_awaiter
    async def function(thing, fail: bool) -> Thing:
        await Here()
        await dispatch_to_executor(executor)
        await asyncio.sleep(0)
        if fail:
            raise KeyError
        return thing

    async def main(fail: bool) -> weakref.ref:
        thing = Thing()
        with contextlib.suppress(KeyError):
            assert await asyncio.create_task(function(thing, fail)) is thing
        return weakref.ref(thing)

    for fail in (False, True):
        with pool() as executor:
            thing = run(asyncio.new_event_loop, main(fail), debug=False)
        gc.collect()
        assert thing() is None


def test_speed_of_other_awaits_is_not_lost() -> None:
    """Instructions that begin an await are a jump, a lookup and a jump: a bounded price, no recompilation."""

    @use_awaiter
    async def function() -> int:
        total = 0
        for _ in range(1000):
            total += await ready()
        return total

    async def ready() -> int:
        return 1

    calls = 0

    def count(frame, event, arg) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        with pytest.raises(StopIteration) as stop:
            function().send(None)
    finally:
        sys.setprofile(None)
    assert stop.value.value == 1000 and calls < 2 * 1000 + 50
