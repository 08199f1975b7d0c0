"""eager, eager_call and tasks that start eagerly: what happens when, and asyncio's semantics of all of it."""

import asyncio
import contextvars
import functools
import gc
import inspect
import logging
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any

import pytest
from loops import Loop, every_loop

from ohwait import ohwait
from ohwait.eager import (
    ContinuationError,
    TaskLikeFuture,
    cancelling,
    coro_eager,
    create_eager_task_factory,
    create_task,
    eager,
    eager_call,
    eager_ctx,
    eager_task_factory,
    func_eager,
)

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]:
    """Runs an async function under asyncio and under uvloop."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is not installed")
    return Loop(request.param).run_coroutine


Run = Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]


async def at_once(value: object = "done") -> object:
    return value


async def later(value: object = "done") -> object:
    await asyncio.sleep(0)
    return value


class Worse(Exception):
    pass


async def fail(suspend: bool = False) -> None:
    if suspend:
        await asyncio.sleep(0)
    raise Worse("failed")


class TestOrder:
    def events(self, run: Run, convert: Callable[[Any], Any]) -> list[object]:
        log: list[object] = []

        async def started() -> None:
            log.append(1)
            await asyncio.sleep(0.03)
            log.append(2)

        async def caller() -> None:
            log.append("a")
            future = convert(started())
            log.append("b")
            await asyncio.sleep(0.01)
            log.append("c")
            await future

        run(caller)
        return log

    def test_documented(self, run: Run) -> None:
        assert self.events(run, lambda coro: coro) == ["a", "b", "c", 1, 2]
        assert self.events(run, asyncio.create_task) == ["a", "b", 1, "c", 2]
        assert self.events(run, eager) == ["a", 1, "b", "c", 2]
        assert self.events(run, func_eager(lambda coro: coro)) == ["a", 1, "b", "c", 2]
        assert self.events(run, functools.partial(create_task, eager_start=True)) == ["a", 1, "b", "c", 2]
        assert self.events(run, functools.partial(create_task, eager_start=False)) == ["a", "b", 1, "c", 2]

    def test_plain_functions(self, run: Run) -> None:
        log: list[object] = []

        def started(word: str, *, end: str) -> str:
            log.append(1)
            ohwait(asyncio.sleep(0.03))
            log.append(2)
            ohwait(asyncio.sleep(0))
            return word + end

        async def caller() -> None:
            log.append("a")
            task = eager_call(started, "word", end=".")
            assert isinstance(task, asyncio.Task)
            log.append("b")
            await asyncio.sleep(0.01)
            log.append("c")
            assert await task == "word."

        run(caller)
        assert log == ["a", 1, "b", "c", 2]

    @pytest.mark.parametrize("turns", [1, 2, 3])
    def test_a_bare_yield_takes_one_turn_of_the_loop(self, run: Run, turns: int) -> None:
        async def yields() -> int:
            for _ in range(turns):
                await asyncio.sleep(0)
            return passed

        passed = 0
        counting = True

        def count() -> None:
            nonlocal passed
            passed += 1
            if counting:
                asyncio.get_running_loop().call_soon(count)

        async def main() -> None:
            nonlocal counting
            asyncio.get_running_loop().call_soon(count)
            assert await eager(yields()) == turns
            counting = False

        run(main)


class TestOutcome:
    def test_finished_at_once_is_a_future(self, run: Run) -> None:
        async def main() -> None:
            future = eager(at_once(7))
            assert isinstance(future, asyncio.Future) and not isinstance(future, asyncio.Task)
            assert future.done() and future.result() == 7
            assert await future == 7 and await future == 7
            assert await asyncio.gather(eager(at_once(1)), eager(later(2)), eager_call(lambda: 3)) == [1, 2, 3]

        run(main)

    def test_suspended_is_a_task(self, run: Run) -> None:
        async def main() -> None:
            task = eager(later(7))
            assert isinstance(task, asyncio.Task) and not task.done()
            assert task in asyncio.all_tasks()
            assert "later" in repr(task)
            assert task.get_stack()[0].f_code is later.__code__
            assert await task == 7

        run(main)

    @pytest.mark.parametrize("suspend", [False, True])
    def test_exception(self, run: Run, suspend: bool) -> None:
        async def main() -> None:
            with pytest.raises(Worse, match="failed"):
                await eager(fail(suspend))

        run(main)

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
    def test_exits_leave_at_once(self, kind: type[BaseException]) -> None:
        async def leave() -> None:
            raise kind("now")

        async def main() -> None:
            before = asyncio.current_task()
            with pytest.raises(kind, match="now"):
                eager(leave())
            assert asyncio.current_task() is before

        asyncio.run(main())

    @pytest.mark.parametrize("suspend", [False, True])
    def test_exception_that_nobody_retrieves_is_logged(self, caplog: pytest.LogCaptureFixture, suspend: bool) -> None:
        async def main() -> None:
            eager(fail(suspend))
            await asyncio.sleep(0.001)
            gc.collect()

        with caplog.at_level(logging.ERROR):
            asyncio.run(main())
        assert f"{'Task' if suspend else 'Future'} exception was never retrieved" in caplog.text

    def test_nothing_is_logged_of_what_is_retrieved(self, caplog: pytest.LogCaptureFixture) -> None:
        async def main() -> None:
            for suspend in (False, True):
                with pytest.raises(Worse):
                    await eager(fail(suspend))
            eager(at_once())
            await eager(later())
            gc.collect()

        asyncio.run(main())
        assert caplog.text == ""

    def test_async_functions_and_methods(self, run: Run) -> None:
        class Thing:
            @eager
            async def method(self, value: int) -> int:
                """Its documentation."""
                await asyncio.sleep(0)
                return value

        async def main() -> None:
            assert await Thing().method(3) == 3
            assert Thing.method.__doc__ == "Its documentation."
            assert not inspect.iscoroutinefunction(Thing.method)

        run(main)


class TestBadArguments:
    def test_types(self) -> None:
        for call in (eager, coro_eager, func_eager, eager_call):
            with pytest.raises(TypeError, match=r"takes an? (coroutine|async function|function)"):
                call(3)  # type: ignore[operator]
        with pytest.raises(TypeError, match="not list_iterator"):
            coro_eager(iter([]))  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="task_factory must be callable"):
            eager(at_once, task_factory=3)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match=r"must be a contextvars\.Context"):
            eager(at_once, context=3)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="unexpected keyword argument 'name'"):
            eager(at_once, name="x")  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="one positional argument, not 2"):
            eager(at_once, at_once)  # type: ignore[call-overload]

    def test_generators_that_are_no_coroutines(self) -> None:
        def generator() -> Generator[None, None, None]:
            yield

        with pytest.raises(TypeError, match="not generator"):
            coro_eager(generator())  # type: ignore[call-overload]

    def test_awaited_before(self, run: Run) -> None:
        async def main() -> None:
            awaited = at_once()
            await awaited
            with pytest.raises(RuntimeError, match="cannot reuse already awaited"):
                await eager(awaited)

        run(main)

    def test_what_it_yields_is_no_future(self, run: Run) -> None:
        @coroutine
        def odd() -> Generator[int, None, None]:
            yield 42

        async def main() -> None:
            with pytest.raises(RuntimeError, match="Task got bad yield: 42"):
                await eager(odd())  # type: ignore[arg-type]

        run(main)


class TestContext:
    def test_runs_in_a_copy_all_along(self, run: Run) -> None:
        log: list[str] = []

        async def remember() -> None:
            log.append(variable.get())
            variable.set("first")
            await asyncio.sleep(0)
            log.append(variable.get())
            variable.set("second")
            await asyncio.sleep(0.001)
            log.append(variable.get())

        async def main() -> None:
            variable.set("caller's")
            task = eager(remember())
            assert variable.get() == "caller's"
            variable.set("changed")
            await task
            assert log == ["caller's", "first", "second"] and variable.get() == "changed"
            log.clear()
            context = contextvars.Context()
            await coro_eager(remember(), context=context)
            assert log == ["unset", "first", "second"] and context[variable] == "second"

        run(main)

    def test_callbacks_of_futures_run_in_it(self, run: Run) -> None:
        seen: list[str] = []

        async def register(future: asyncio.Future[None]) -> None:
            variable.set("mine")
            await asyncio.sleep(0)
            future.add_done_callback(lambda _: seen.append(variable.get()))
            await future

        async def main() -> None:
            future = asyncio.get_running_loop().create_future()
            task = eager(register(future))
            await asyncio.sleep(0.001)
            future.set_result(None)
            await task
            assert seen == ["mine"]

        run(main)

    def test_context_that_is_entered(self, run: Run) -> None:
        async def main() -> None:
            context = contextvars.copy_context()
            waiting: Any = at_once()
            before = asyncio.current_task()
            with pytest.raises(RuntimeError, match="already entered"):
                context.run(functools.partial(coro_eager, waiting, context=context))
            assert asyncio.current_task() is before
            assert await waiting == "done", "it was not started"

        run(main)


class TestCancellation:
    async def wait_for(self, future: asyncio.Future[Any], log: list[str]) -> object:
        try:
            return await future
        except asyncio.CancelledError as error:
            log.append(f"cancelled {error.args}")
            raise
        finally:
            log.append("cleaned up")

    def test_before_the_task_ran(self, run: Run) -> None:
        async def main() -> None:
            log: list[str] = []
            inner = asyncio.create_task(asyncio.sleep(10))
            task = eager(self.wait_for(inner, log))
            task.cancel("enough")
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()
            assert inner.cancelled(), "what it waited for is cancelled too, as it is by any task"
            assert log[-1] == "cleaned up" and log[0].startswith("cancelled")

        run(main)

    def test_when_what_it_waits_for_is_done(self, run: Run) -> None:
        async def main() -> None:
            log: list[str] = []
            future = asyncio.get_running_loop().create_future()
            task = eager(self.wait_for(future, log))
            future.set_result(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert log == ["cancelled ()", "cleaned up"]

        run(main)

    def test_a_result_in_the_same_turn(self, run: Run) -> None:
        async def main() -> None:
            log: list[str] = []
            future = asyncio.get_running_loop().create_future()
            task = eager(self.wait_for(future, log))
            future.set_result("in time")
            assert await task == "in time"

        run(main)

    @pytest.mark.parametrize("suspend", [False, True])
    def test_raised_by_the_coroutine(self, run: Run, suspend: bool) -> None:
        async def give_up() -> None:
            if suspend:
                await asyncio.sleep(0)
            raise asyncio.CancelledError("message")

        async def main() -> None:
            future = eager(give_up())
            with pytest.raises(asyncio.CancelledError):
                await future
            assert future.cancelled()

        run(main)

    def test_plain_functions_are_unwound(self, run: Run) -> None:
        log: list[str] = []

        def plain() -> None:
            try:
                ohwait(asyncio.sleep(10))
            finally:
                log.append("left")

        async def main() -> None:
            task = eager_call(plain)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        run(main)
        assert log == ["left"]

    def test_cancelling(self, run: Run) -> None:
        async def main() -> None:
            with cancelling(eager(later()), "message") as task:
                pass
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(Worse), eager_ctx(asyncio.sleep(10)) as other:
                raise Worse
            assert isinstance(other, asyncio.Task) and (other.cancelling() or other.cancelled())
            with eager_ctx(later(5)) as awaited:
                assert await awaited == 5
            with cancelling(eager(at_once(6))) as done:
                pass
            assert done.result() == 6

        run(main)


class TestCurrentTask:
    def test_during_the_first_part(self, run: Run) -> None:
        seen: list[Any] = []

        async def look() -> None:
            seen.append(asyncio.current_task())
            await asyncio.sleep(0)
            seen.append(asyncio.current_task())

        async def main() -> None:
            me = asyncio.current_task()
            task = eager(look())
            assert asyncio.current_task() is me
            await task
            starting, afterwards = seen
            assert afterwards is task
            assert starting not in (None, me, task)
            assert starting.get_coro().__name__ == "look" and starting.done() and starting.result() is None
            assert starting.get_loop() is asyncio.get_running_loop()
            assert "became <Task" in repr(starting)

        run(main)

    def test_timeouts_and_groups_entered_in_the_first_part(self, run: Run) -> None:
        async def slow() -> str:
            try:
                async with asyncio.timeout(0.001):
                    await asyncio.sleep(10)
            except TimeoutError:
                return "timed out"
            return "slept"

        async def group() -> str:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(fail())
                    await asyncio.sleep(10)
            except* Worse:
                pass
            return "group failed"

        async def main() -> None:
            me = asyncio.current_task()
            assert me is not None
            first, second = eager(slow()), eager(group())
            assert await first == "timed out"
            assert await second == "group failed"
            assert me.cancelling() == 0

        run(main)

    def test_cancelled_by_itself(self, run: Run) -> None:
        async def itself(suspend: bool) -> None:
            task = asyncio.current_task()
            assert task is not None and task.cancelling() == 0
            task.cancel("by itself")
            assert task.cancelling() == 1
            if suspend:
                await asyncio.sleep(10)

        async def main() -> None:
            for suspend in (False, True):
                future = eager(itself(suspend))
                with pytest.raises(asyncio.CancelledError):
                    await future
                assert future.cancelled()

        run(main)

    @pytest.mark.parametrize("suspend", [False, True])
    def test_names_and_callbacks_are_passed_on(self, run: Run, suspend: bool) -> None:
        called: list[Any] = []

        async def arrange() -> int:
            task = asyncio.current_task()
            assert task is not None
            task.set_name("mine")
            assert task.get_name() == "mine"
            task.add_done_callback(called.append)
            task.add_done_callback(print)
            assert task.remove_done_callback(print) == 1
            with pytest.raises(asyncio.InvalidStateError):
                task.result()
            if suspend:
                await asyncio.sleep(0)
            return 3

        async def main() -> None:
            future = eager(arrange())
            assert await future == 3
            await asyncio.sleep(0)
            assert called == [future]
            if isinstance(future, asyncio.Task):
                assert future.get_name() == "mine"

        run(main)

    def test_without_a_task(self, run: Run) -> None:
        seen: list[Any] = []

        async def look() -> None:
            seen.append(asyncio.current_task())
            await asyncio.sleep(0)

        async def main() -> None:
            done = asyncio.get_running_loop().create_future()

            def callback() -> None:
                assert asyncio.current_task() is None
                eager(look()).add_done_callback(done.set_result)
                assert asyncio.current_task() is None

            asyncio.get_running_loop().call_soon(callback)
            await done
            assert seen[0] is not None

        run(main)

    def test_nested(self, run: Run) -> None:
        log: list[object] = []

        async def inner() -> None:
            log.append("inner")
            await asyncio.sleep(0)

        async def outer() -> None:
            before = asyncio.current_task()
            task = eager(inner())
            log.append(asyncio.current_task() is before)
            await task

        async def main() -> None:
            await eager(outer())

        run(main)
        assert log == ["inner", True]


class TestTaskFactories:
    def test_given_one_is_called_for_what_suspends(self, run: Run) -> None:
        calls: list[Any] = []

        def make(rest: Any) -> Any:
            calls.append(rest)
            return asyncio.get_running_loop().create_task(rest, name="made")

        async def check() -> str:
            variable.set("mine")
            await asyncio.sleep(0)
            return variable.get()

        async def main() -> None:
            assert await eager(at_once(), task_factory=make) == "done" and calls == []
            task: Any = eager(check(), task_factory=make)
            assert task.get_name() == "made" and len(calls) == 1
            assert await task == "mine" and variable.get() == "unset"
            assert await eager(check, task_factory=make)() == "mine"

        run(main)

    def test_that_of_the_loop(self, run: Run) -> None:
        made: list[Any] = []

        def factory(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> Any:
            task = asyncio.Task(coro, loop=loop, name="the loop's", **kwargs)
            made.append(task)
            return task

        async def check() -> str:
            variable.set("mine")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return variable.get()

        async def main() -> None:
            asyncio.get_running_loop().set_task_factory(factory)
            task = eager(check())
            assert made == [task] and await task == "mine"

        run(main)

    @pytest.mark.parametrize("own", [False, True])
    def test_eager_task_factory(self, run: Run, own: bool) -> None:
        log: list[object] = []

        def plain() -> str:
            log.append(1)
            ohwait(asyncio.sleep(0))
            log.append(2)
            ohwait(asyncio.sleep(0.001))
            return variable.get()

        async def host() -> str:
            variable.set("mine")
            return plain()

        async def main() -> None:
            factory: Any = create_eager_task_factory(asyncio.Task) if own else eager_task_factory
            asyncio.get_running_loop().set_task_factory(factory)
            task = asyncio.create_task(host(), name="named")
            log.append("b")
            assert await task == "mine" and task.get_name() == "named"
            assert log == [1, "b", 2] and variable.get() == "unset"
            assert await asyncio.create_task(at_once(3)) == 3
            assert await eager(host()) == "mine"
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(later(n)) for n in range(3)] + [group.create_task(at_once(3))]
            assert [task.result() for task in tasks] == [0, 1, 2, 3]

        run(main)

    def test_create_task(self, run: Run) -> None:
        async def main() -> None:
            context = contextvars.copy_context()
            for coro in (at_once(1), later(1)):
                task: Any = create_task(coro, eager_start=True, name="named", context=context)
                assert task.get_name() == "named"
                if hasattr(task, "get_context"):
                    assert task.get_context() is context
                assert await task == 1
            lazy = create_task(at_once(2), name="lazy")
            assert not lazy.done() and await lazy == 2

        run(main)

    def test_task_like_future(self, run: Run) -> None:
        async def main() -> None:
            future = TaskLikeFuture(eager(at_once(1)), name="one")
            assert future.get_name() == "one" and future.result() == 1
            future.set_name("two")
            assert future.get_name() == "two" and future.get_coro() is None and future.get_stack() == []
            assert future.cancelling() == future.uncancel() == 0
            assert TaskLikeFuture().get_name() != TaskLikeFuture().get_name()
            with pytest.raises(Worse):
                TaskLikeFuture(eager(fail())).result()

        run(main)


class TestWithoutAsyncio:
    @pytest.mark.parametrize("loop", [Loop("trio"), Loop("curio")], ids=["trio", "curio"])
    def test_what_finishes_at_once(self, loop: Loop) -> None:
        async def main() -> None:
            future: Any = eager(at_once(5))
            assert future.done() and future.result() == 5 and await future == 5 and await future == 5
            assert not future.cancel() and not future.cancelled() and future.exception() is None
            with pytest.raises(Worse):
                await eager(fail())
            assert await eager_call(lambda: 6) == 6
            with cancelling(future):
                pass

        loop.run_coroutine(main)

    @pytest.mark.parametrize("loop", [Loop("trio"), Loop("curio")], ids=["trio", "curio"])
    def test_what_suspends_is_refused(self, loop: Loop) -> None:
        log: list[str] = []

        async def wait() -> None:
            try:
                await loop.sleep(10)
            finally:
                log.append("cleaned up")

        async def main() -> None:
            with pytest.raises(ContinuationError, match=r"wait\(\) suspended"):
                eager(wait())
            assert log == ["cleaned up"]
            await loop.sleep(0.001)  # The task is as it was.

        loop.run_coroutine(main)

    def test_curio_task_factory(self) -> None:
        loop = Loop("curio")
        log: list[str] = []

        def plain() -> str:
            log.append("started")
            ohwait(loop.sleep(0.001))
            return "end"

        async def host() -> str:
            return plain()

        async def main() -> None:
            spawning: Any = eager(host(), task_factory=lambda rest: loop.module.spawn(rest))
            assert log == ["started"]
            task = await spawning
            assert await task.join() == "end"

        loop.run_coroutine(main)

    def test_trio_as_a_guest_of_asyncio(self) -> None:
        trio = pytest.importorskip("trio", reason="trio is not installed")
        log: list[str] = []

        async def guest() -> None:
            with pytest.raises(ContinuationError, match="primitives"):
                eager(trio.sleep(10))
            assert await eager(at_once("quick")) == "quick"
            log.append("guest")
            await trio.sleep(0.001)

        async def main() -> None:
            loop = asyncio.get_running_loop()
            done = loop.create_future()
            trio.lowlevel.start_guest_run(
                guest,
                run_sync_soon_threadsafe=loop.call_soon_threadsafe,
                done_callback=lambda outcome: done.set_result(outcome.unwrap()),
            )
            assert await eager(later("host")) == "host"
            await done

        asyncio.run(main())
        assert log == ["guest"]

    def test_no_loop_at_all(self) -> None:
        assert eager(at_once(4)).result() == 4

        async def wait() -> None:
            await asyncio.sleep(0)

        with pytest.raises(ContinuationError, match="no asyncio loop runs"):
            eager(wait())


@every_loop
def test_many_at_once_in_plain_functions(loop: Loop) -> None:
    """Started and continued in any order, and thrown away."""
    if loop.backend != "asyncio":
        pytest.skip("eager tasks need asyncio")

    def plain(n: int) -> int:
        total = 0
        for _ in range(n % 4):
            total += ohwait(later(1))  # type: ignore[assignment]
        return total

    async def main() -> None:
        assert await asyncio.gather(*(eager_call(plain, n) for n in range(50))) == [n % 4 for n in range(50)]
        for n in range(50):
            eager_call(plain, n).cancel()
        await asyncio.sleep(0)

    loop.run_coroutine(main)
