"""`as_sync`, `iterate` and `enter`: plain functions over async ones, as `await`, `async for` and `async with` do it."""

import asyncio
import contextlib
import functools
import inspect
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from types import TracebackType, coroutine
from typing import Any, TypeVar

import pytest

import ohwait
from ohwait import _core, as_sync, enter, iterate

T = TypeVar("T")

C_FRAMES = _core.c_frames_status() is None
FOR_CAN_SUSPEND = sys.version_info >= (3, 12)
WITH_CAN_SUSPEND_ENTERING = sys.version_info >= (3, 14)

for_suspends = pytest.mark.skipif(
    not (FOR_CAN_SUSPEND or C_FRAMES), reason="CPython 3.11 runs generators of a for loop through C"
)
for_goes_through_c = pytest.mark.skipif(FOR_CAN_SUSPEND, reason="CPython 3.12+ runs generators in the caller's loop")


@coroutine
def pause(value: object = None) -> Generator[object, Any, Any]:
    return (yield value)


def drive(function: Callable[[], T], resumptions: list[object] | None = None) -> T:
    """Run a plain function in a coroutine by hand; what it yields is appended to `resumptions`."""

    async def host() -> T:
        return function()

    coro = host()
    while True:
        try:
            yielded = coro.send(None)
        except StopIteration as stop:
            result: T = stop.value
            return result
        if resumptions is not None:
            resumptions.append(yielded)


# as_sync


async def double(number: int, *, plus: int = 0) -> int:
    """Twice the number."""
    await pause()
    return 2 * number + plus


def test_as_sync_waits_and_returns() -> None:
    yielded: list[object] = []
    assert drive(lambda: as_sync(double)(3, plus=1), yielded) == 7
    assert yielded == [None]


def test_as_sync_raises_what_the_function_raises() -> None:
    @as_sync
    async def fails() -> None:
        await pause()
        raise KeyError("it")

    with pytest.raises(KeyError, match="it"):
        drive(fails)


def test_as_sync_decorates_methods() -> None:
    class Client:
        factor = 3

        @as_sync
        async def times(self, number: int) -> int:
            await pause()
            return self.factor * number

        @classmethod
        @as_sync
        async def make(cls) -> "Client":
            await pause()
            return cls()

        @staticmethod
        @as_sync
        async def six() -> int:
            return await double(3)

    assert drive(lambda: Client().times(2)) == 6
    assert isinstance(drive(lambda: Client.make()), Client)
    assert drive(lambda: Client.six()) == 6


def test_as_sync_looks_like_the_function_but_is_plain() -> None:
    plain = as_sync(double)
    assert plain.__name__ == "double"
    assert plain.__doc__ == "Twice the number."
    assert inspect.signature(plain) == inspect.signature(double)
    assert not inspect.iscoroutinefunction(plain)


@pytest.mark.skipif(not hasattr(inspect, "markcoroutinefunction"), reason="new in CPython 3.12")
def test_as_sync_takes_the_mark_of_coroutine_functions_away() -> None:
    marked = inspect.markcoroutinefunction(lambda: double(1))
    plain = as_sync(marked)
    assert not inspect.iscoroutinefunction(plain)
    assert inspect.iscoroutinefunction(marked)
    assert drive(plain) == 2


def test_as_sync_takes_any_callable_that_returns_an_awaitable() -> None:
    async def main() -> str:
        def plain() -> str:
            return as_sync(functools.partial(asyncio.sleep, 0, "slept"))()

        return plain()

    assert asyncio.run(main()) == "slept"


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (3, "as_sync() takes an async function, not int"),
        (double, None),
        (classmethod(double), "as_sync() takes an async function, not classmethod (put @as_sync below @classmethod)"),
    ],
)
def test_as_sync_refuses_what_is_no_function(what: Any, text: str | None) -> None:
    if text is None:
        assert callable(as_sync(what))
        return
    with pytest.raises(TypeError) as caught:
        as_sync(what)
    assert str(caught.value) == text


async def numbers(log: list[object] | None = None, stop: int = 3) -> AsyncGenerator[int, object]:
    try:
        for number in range(stop):
            await pause()
            sent = yield number
            if log is not None:
                log.append(sent)
    except KeyError as error:
        yield -1
        if log is not None:
            log.append(error)
    finally:
        await pause()
        if log is not None:
            log.append("finally")


def test_as_sync_refuses_async_generator_functions() -> None:
    with pytest.raises(TypeError, match=r"cannot wait for numbers\(\), an async generator function: .*iterate"):
        as_sync(numbers)  # type: ignore[arg-type]


def test_as_sync_without_an_event_loop_says_so() -> None:
    with pytest.raises(ohwait.NoCoroutineError) as caught:
        as_sync(double)(3)
    assert caught.value.function == "test_as_sync_without_an_event_loop_says_so"


# iterate


@for_suspends
def test_for_loop() -> None:
    yielded: list[object] = []

    def plain() -> list[int]:
        result = []
        for number in iterate(numbers()):
            result.append(number)
        return result

    assert drive(plain, yielded) == [0, 1, 2]
    assert yielded == [None] * 4


@for_suspends
def test_for_loop_in_a_comprehension() -> None:
    assert drive(lambda: [2 * number for number in iterate(numbers())]) == [0, 2, 4]


@for_suspends
def test_for_loops_one_in_another() -> None:
    def plain() -> list[tuple[int, int]]:
        result = []
        for one in iterate(numbers(stop=2)):
            for other in iterate(numbers(stop=2)):
                result.append((one, other))
        return result

    assert drive(plain) == [(0, 0), (0, 1), (1, 0), (1, 1)]


@for_suspends
def test_for_loop_over_the_same_place_over_and_over() -> None:
    """The loop may have been specialised for lists before, and must serve them after."""

    def plain(items: Any) -> list[int]:
        result = []
        for item in items:
            result.append(item)
        return result

    for _ in range(50):
        assert plain([1, 2]) == [1, 2]
        assert drive(lambda: plain(iterate(numbers()))) == [0, 1, 2]
        assert plain(range(3)) == [0, 1, 2]


@for_suspends
def test_for_loop_whose_body_waits_too() -> None:
    def plain() -> list[int]:
        result = []
        for number in iterate(numbers()):
            result.append(ohwait.ohwait(double(number)))
        return result

    yielded: list[object] = []
    assert drive(plain, yielded) == [0, 2, 4]
    assert len(yielded) == 7


@for_suspends
def test_leaving_the_loop_early_closes_nothing() -> None:
    log: list[object] = []
    generator = numbers(log)

    def plain() -> list[int]:
        seen = []
        for number in iterate(generator):
            seen.append(number)
            break
        for number in iterate(generator):
            seen.append(number)
        return seen

    assert drive(plain) == [0, 1, 2]
    assert log == [None, None, None, "finally"]


@for_suspends
def test_an_exception_of_the_iterator_arrives_in_the_loop() -> None:
    class Failing:
        def __aiter__(self) -> "Failing":
            return self

        async def __anext__(self) -> int:
            await pause()
            raise LookupError("gone")

    def plain() -> str:
        try:
            for _ in iterate(Failing()):
                pass
        except LookupError as error:
            return str(error)
        return "not raised"

    assert drive(plain) == "gone"


@for_suspends
def test_for_loop_under_asyncio() -> None:
    async def ticks() -> AsyncIterator[int]:
        for tick in range(3):
            await asyncio.sleep(0.001)
            yield tick

    def plain() -> list[int]:
        return [tick for tick in iterate(ticks())]  # noqa: C416

    async def main() -> tuple[list[int], list[int]]:
        async def task() -> list[int]:
            return plain()

        one, other = await asyncio.gather(task(), task())
        return one, other

    assert asyncio.run(main()) == ([0, 1, 2], [0, 1, 2])


@pytest.mark.usefixtures("without_c_frames")
@for_goes_through_c
def test_for_loop_is_refused_clearly_where_it_goes_through_c() -> None:
    def plain() -> str:
        with pytest.raises(ohwait.CFunctionError) as caught:
            for _ in iterate(numbers()):
                pass
        assert caught.value.callee == "for loop"
        assert caught.value.filename == __file__
        return str(caught.value)

    assert "call the iterator's __next__() in a while loop" in drive(plain)


@pytest.mark.usefixtures("without_c_frames")
def test_list_is_refused_clearly() -> None:
    def plain() -> str:
        with pytest.raises(ohwait.CFunctionError) as caught:
            list(iterate(numbers()))
        return str(caught.value.callee)

    assert drive(plain) == "list()"


def test_next_works_by_hand() -> None:
    def plain() -> list[int]:
        iteration = iterate(numbers())
        result = []
        while True:
            try:
                result.append(iteration.__next__())
            except StopIteration:
                return result

    assert drive(plain) == [0, 1, 2]


def test_send_throw_and_close_reach_the_async_generator() -> None:
    log: list[object] = []

    def plain() -> list[int]:
        iteration = iterate(numbers(log))
        results = [iteration.send(None), iteration.send("one")]
        error = KeyError("it")
        results.append(iteration.throw(error))
        iteration.close()
        return results

    assert drive(plain) == [0, 1, -1]
    assert log == ["one", "finally"]


def test_throw_takes_a_class_and_ends_the_generator() -> None:
    def plain() -> None:
        iteration = iterate(numbers())
        iteration.__next__()
        with pytest.raises(ZeroDivisionError):
            iteration.throw(ZeroDivisionError)
        with pytest.raises(StopIteration):
            iteration.send(None)

    drive(plain)


@pytest.mark.filterwarnings("ignore:the .* signature of .*throw:DeprecationWarning")
def test_throw_takes_three_arguments() -> None:
    def plain() -> None:
        iteration = iterate(numbers())
        iteration.__next__()
        with pytest.raises(ZeroDivisionError, match="text"):
            iteration.throw(ZeroDivisionError, "text", None)

    drive(plain)


class CountDown:
    """An async iterator that is not a generator."""

    def __init__(self, start: int) -> None:
        self.left = start

    def __aiter__(self) -> "CountDown":
        return self

    async def __anext__(self) -> int:
        await pause()
        self.left -= 1
        if self.left < 0:
            raise StopAsyncIteration
        return self.left


def test_other_iterators_cannot_be_sent_values_and_are_not_closed() -> None:
    def plain() -> list[int]:
        iteration = iterate(CountDown(2))
        values = [iteration.__next__()]
        for method in (iteration.send, iteration.throw):
            with pytest.raises(TypeError, match=r"'CountDown' object has no a(send|throw)"):
                method(None)  # type: ignore[arg-type]
        iteration.close()
        values.append(iteration.__next__())
        return values

    assert drive(plain) == [1, 0]


def test_iterate_refuses_what_is_not_iterable() -> None:
    with pytest.raises(TypeError, match="'int' object is not an async iterable"):
        iterate(3)  # type: ignore[call-overload]


# enter


class Manager:
    """An async context manager that keeps a log, and suspends where it is told to."""

    def __init__(self, *, suspend: tuple[str, ...] = (), swallow: bool = False) -> None:
        self.log: list[object] = []
        self._suspend = suspend
        self._swallow = swallow

    async def _wait(self, where: str) -> None:
        if where in self._suspend:
            try:
                await pause(where)
            except GeneratorExit:
                self.log.append(f"{where} closed")
                raise

    async def __aenter__(self) -> str:
        self.log.append("enter")
        await self._wait("enter")
        return "value"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self.log.append(error)
        await self._wait("exit")
        self.log.append("left")
        return self._swallow


def test_with_statement_that_need_not_suspend_works_everywhere() -> None:
    manager = Manager()

    def plain() -> None:
        with enter(manager) as value:
            manager.log.append(value)

    drive(plain)
    assert manager.log == ["enter", "value", None, "left"]


def test_with_statement_that_need_not_suspend_works_without_an_event_loop() -> None:
    manager = Manager()
    with enter(manager) as value:
        manager.log.append(value)
    assert manager.log == ["enter", "value", None, "left"]


def test_with_statement_suspends_when_it_is_left() -> None:
    manager = Manager(suspend=("exit",))
    yielded: list[object] = []

    def plain() -> None:
        with enter(manager):
            pass

    drive(plain, yielded)
    assert yielded == ["exit"]
    assert manager.log == ["enter", None, "left"]


@pytest.mark.skipif(not (WITH_CAN_SUSPEND_ENTERING or C_FRAMES), reason="CPython before 3.14 calls __enter__ through C")
def test_with_statement_suspends_when_it_is_entered() -> None:
    manager = Manager(suspend=("enter", "exit"))
    yielded: list[object] = []

    def plain() -> str:
        with enter(manager) as value:
            return value

    assert drive(plain, yielded) == "value"
    assert yielded == ["enter", "exit"]


@pytest.mark.usefixtures("without_c_frames")
@pytest.mark.skipif(WITH_CAN_SUSPEND_ENTERING, reason="CPython 3.14+ calls __enter__ in the caller's loop")
def test_entering_that_would_suspend_is_refused_and_closed() -> None:
    manager = Manager(suspend=("enter",))

    def plain() -> ohwait.CFunctionError:
        with pytest.raises(ohwait.CFunctionError) as caught:
            with enter(manager):
                manager.log.append("body")
        return caught.value

    error = drive(plain)
    assert manager.log == ["enter", "enter closed"]
    assert error.callee == "with statement"
    assert error.filename == __file__
    assert "call Entering.__enter__() by its name, in a try statement" in str(error)


def test_an_exception_leaves_a_with_statement_that_need_not_suspend() -> None:
    manager = Manager()
    error = KeyError("it")

    def plain() -> None:
        with enter(manager):
            raise error

    with pytest.raises(KeyError) as caught:
        drive(plain)
    assert caught.value is error
    assert manager.log == ["enter", error, "left"]
    error.__traceback__ = None


def test_an_exception_is_swallowed_if_the_manager_says_so() -> None:
    manager = Manager(swallow=True)

    def plain() -> str:
        with enter(manager):
            raise KeyError("it")
        return "went on"

    assert drive(plain) == "went on"


@pytest.mark.usefixtures("without_c_frames")
def test_leaving_with_an_exception_that_would_suspend_is_refused_and_closed() -> None:
    manager = Manager(suspend=("exit",))

    def plain() -> ohwait.CFunctionError:
        with pytest.raises(ohwait.CFunctionError) as caught:
            with enter(manager):
                raise KeyError("it")
        return caught.value

    error = drive(plain)
    assert isinstance(error.__context__, KeyError)
    assert error.callee == "with statement (leaving it with an exception)"
    assert manager.log[-1] == "exit closed"
    manager.log.clear()


def test_by_name_both_methods_suspend_everywhere() -> None:
    manager = Manager(suspend=("enter", "exit"), swallow=True)
    yielded: list[object] = []

    def plain() -> bool | None:
        entering = enter(manager)
        assert entering.__enter__() == "value"
        try:
            raise KeyError("it")
        except KeyError as error:
            return entering.__exit__(type(error), error, error.__traceback__)

    assert drive(plain, yielded)
    assert yielded == ["enter", "exit"]
    manager.log.clear()


@pytest.mark.usefixtures("without_c_frames")
def test_an_awaitable_that_will_not_close_does_not_hide_the_refusal() -> None:
    class Stubborn(Manager):
        async def __aexit__(self, *exc: object) -> bool:
            try:
                await pause()
            finally:
                raise LookupError("while it was closed")

    def plain() -> ohwait.CFunctionError:
        with pytest.raises(ohwait.CFunctionError) as caught:
            with enter(Stubborn()):
                raise KeyError("it")
        return caught.value

    error = drive(plain)
    assert isinstance(error.__context__, LookupError)


def test_enter_works_with_contextlib() -> None:
    log = []

    @contextlib.asynccontextmanager
    async def resource() -> AsyncIterator[str]:
        log.append("open")
        yield "handle"
        await pause()
        log.append("closed")

    def plain() -> None:
        with enter(resource()) as handle:
            log.append(handle)

    drive(plain)
    assert log == ["open", "handle", "closed"]


def test_enter_works_with_asyncio_locks() -> None:
    async def main() -> tuple[bool, bool]:
        lock = asyncio.Lock()

        def plain() -> bool:
            with enter(lock):
                return lock.locked()

        return plain(), lock.locked()

    assert asyncio.run(main()) == (True, False)


@pytest.mark.parametrize("what", [3, contextlib.nullcontext, contextlib.closing])
def test_enter_refuses_what_is_no_async_context_manager(what: Any) -> None:
    with pytest.raises(TypeError, match="object is not an async context manager: it has no __aenter__"):
        enter(what)


def test_awaitables_that_are_no_coroutines_work_too() -> None:
    class Ready:
        def __await__(self) -> Generator[None, None, str]:
            yield
            return "ready"

    class Odd:
        def __aenter__(self) -> Awaitable[str]:
            return Ready()

        def __aexit__(self, *exc: object) -> Awaitable[str]:
            return Ready()

    def plain() -> str:
        entering = enter(Odd())  # type: ignore[arg-type]
        value: str = entering.__enter__()
        entering.__exit__(None, None, None)
        return value

    assert drive(plain) == "ready"
