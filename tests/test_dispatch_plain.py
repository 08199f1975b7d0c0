"""Plain functions that move to an executor or another loop, with all that is below them, and come back."""

import asyncio
import contextvars
import gc
import sys
import threading
import weakref
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from dispatching import HOME, asyncio_loops, loop_thread, place, pool, run
from loops import every_loop

import ohwait
from ohwait import _core, dispatch
from ohwait import ohwait as wait


@asyncio_loops
def test_a_block_runs_in_the_executor_and_comes_back(factory) -> None:
    def inner(executor, seen) -> int:
        with ohwait.in_executor(executor):
            seen.append(place())
            wait(asyncio.sleep(0.01))
            seen.append(place())
        seen.append(place())
        return 7

    def outer(executor, seen) -> int:
        result = inner(executor, seen)
        seen.append(place())
        wait(asyncio.sleep(0))
        return result + 1

    async def main() -> None:
        seen: list[str] = []
        with pool() as executor:
            assert outer(executor, seen) == 8
        assert seen == ["pool", "pool", HOME, HOME] and place() == HOME

    run(factory, main())


@asyncio_loops
def test_a_switch_lasts_to_the_end_of_the_task(factory) -> None:
    """Its coroutines below go on there too, and whoever awaits the task gets the result where he is."""

    def plain(executor) -> str:
        ohwait.switch_to_executor(executor)
        return place()

    async def middle(executor) -> tuple[str, str]:
        first = plain(executor)
        await asyncio.sleep(0.01)
        return first, place()

    async def task(executor) -> tuple[str, ...]:
        return *await middle(executor), place()

    async def main() -> None:
        with pool() as executor:
            child = asyncio.create_task(task(executor))
            assert await child == ("pool", "pool", "pool")
            assert place() == HOME and child.done() and child not in asyncio.all_tasks()
            result = await asyncio.gather(task(executor), task(executor))
        assert result == [("pool",) * 3] * 2

    run(factory, main())


@asyncio_loops
def test_the_main_task_may_end_elsewhere(factory) -> None:
    async def main(executor) -> str:
        ohwait.switch_to_executor(executor)
        await asyncio.sleep(0.01)
        return place()

    with pool() as executor:
        assert run(factory, main(executor)) == "pool"


@asyncio_loops
def test_exceptions_end_the_task_elsewhere(factory) -> None:
    async def task(executor) -> None:
        ohwait.switch_to_executor(executor)
        raise KeyError("there")

    async def main() -> None:
        with pool() as executor:
            child = asyncio.create_task(task(executor))
            with pytest.raises(KeyError, match="there") as caught:
                await child
        assert [entry.name for entry in caught.traceback][-1] == "task"

    run(factory, main())


def test_system_exit_elsewhere_leaves_the_loop() -> None:
    async def task(executor) -> None:
        ohwait.switch_to_executor(executor)
        sys.exit(3)

    with pool() as executor, pytest.raises(SystemExit) as caught:
        run(asyncio.new_event_loop, task(executor))
    assert caught.value.code == 3


@asyncio_loops
def test_another_threads_loop_and_back(factory) -> None:
    async def main() -> None:
        def plain() -> list[str]:
            ohwait.switch_to_loop(other)
            seen = [place()]
            assert asyncio.get_running_loop() is other
            wait(asyncio.sleep(0.01))
            seen.append(place())
            ohwait.switch_to_loop(home)
            return [*seen, place()]

        home, task = asyncio.get_running_loop(), asyncio.current_task()
        with loop_thread(factory) as other:
            for _ in range(3):
                assert plain() == ["other", "other", HOME]
                assert asyncio.get_running_loop() is home and asyncio.current_task() is task

    run(factory, main())


@asyncio_loops
def test_futures_of_any_loop_are_awaited(factory) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def plain(future) -> tuple[object, str]:
            with ohwait.in_executor(executor):
                loop.call_soon_threadsafe(loop.call_later, 0.01, future.set_result, "value")
                value = wait(future), wait(future), place()
            return value

        def failing(future) -> None:
            with ohwait.in_executor(executor):
                loop.call_soon_threadsafe(future.set_exception, KeyError("error"))
                try:
                    wait(future)
                except KeyError as error:
                    return str(error), place()

        with pool() as executor, loop_thread() as other:
            assert plain(loop.create_future()) == ("value", "value", "pool")
            assert failing(loop.create_future()) == ("'error'", "pool")
            foreign = asyncio.run_coroutine_threadsafe(_future(), other).result()
            other.call_soon_threadsafe(foreign.set_result, "foreign")
            ohwait.switch_to_executor(executor)
            assert await foreign == "foreign"
            dispatch.switch_back()

    async def _future():
        return asyncio.get_running_loop().create_future()

    run(factory, main())


@asyncio_loops
def test_context_variables_cross(factory) -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    def plain(executor) -> list[str]:
        variable.set("before")
        with ohwait.in_executor(executor):
            seen = [variable.get()]
            variable.set("there")
            wait(asyncio.sleep(0))
            seen.append(variable.get())
        return [*seen, variable.get()]

    async def main() -> None:
        with pool() as executor:
            assert plain(executor) == ["before", "there", "there"]
            assert variable.get() == "there"
            assert await asyncio.gather(*(asyncio.create_task(child(n, executor)) for n in range(20))) == [*range(20)]

    async def child(n: int, executor) -> int:
        variable.set(n)
        for _ in range(5):
            with ohwait.in_executor(executor):
                assert variable.get() == n
                wait(asyncio.sleep(0))
        return variable.get()

    run(factory, main())


@asyncio_loops
def test_the_task_stays_the_current_one(factory) -> None:
    async def main() -> None:
        task = asyncio.current_task()
        with pool() as executor, loop_thread() as other:
            with ohwait.in_executor(executor):
                assert asyncio.current_task() is task is ohwait.current_task()
                await asyncio.sleep(0)
                assert asyncio.current_task() is task
            ohwait.switch_to_loop(other)
            assert asyncio.current_task() is task
            dispatch.switch_back()
            assert asyncio.current_task() is task

    run(factory, main())


@asyncio_loops
def test_blocks_nest_and_exceptions_are_handled_meanwhile(factory) -> None:
    def plain(one, two) -> list[object]:
        seen: list[object] = []
        try:
            raise KeyError("handled")
        except KeyError:
            with ohwait.in_executor(one):
                with ohwait.in_executor(two):
                    with ohwait.in_executor(two):
                        seen.append(place())
                    seen.append((place(), repr(sys.exc_info()[1])))
                seen.append(place())
                wait(asyncio.sleep(0))
                seen.append(place())
            seen.append((place(), repr(sys.exc_info()[1])))
        return [*seen, sys.exc_info()[1]]

    async def main() -> None:
        with pool(1, "one") as one, pool(1, "two") as two:
            handled = "KeyError('handled')"
            assert plain(one, two) == ["two", ("two", handled), "one", "one", (HOME, handled), None]

    run(factory, main())


@asyncio_loops
def test_a_block_left_by_an_exception_comes_back_at_the_next_await(factory) -> None:
    def plain(executor) -> list[str]:
        seen = []
        try:
            with ohwait.in_executor(executor):
                raise KeyError
        except KeyError:
            seen.append(place())
        wait(asyncio.sleep(0.01))
        return [*seen, place()]

    def failing_await(executor) -> list[str]:
        seen = []
        try:
            with ohwait.in_executor(executor):
                raise KeyError
        except KeyError:
            seen.append(place())
        try:
            wait(asyncio.wait_for(asyncio.sleep(1), 0.01))
        except TimeoutError:
            seen.append(place())
        return seen

    def explicitly(executor) -> str:
        try:
            with ohwait.in_executor(executor):
                raise KeyError
        except KeyError:
            dispatch.switch_back()
        return place()

    async def main() -> None:
        with pool() as executor:
            assert plain(executor) == ["pool", HOME]
            assert failing_await(executor) == ["pool", HOME]
            assert explicitly(executor) == HOME
            await asyncio.sleep(0)
            with pytest.raises(KeyError):
                await asyncio.create_task(ending(executor))
            assert place() == HOME

    async def ending(executor) -> None:
        with ohwait.in_executor(executor):
            raise KeyError

    run(factory, main())


@asyncio_loops
def test_async_with_always_comes_back(factory) -> None:
    async def main() -> None:
        with pool() as executor:
            async with ohwait.in_executor(executor):
                assert place() == "pool"
                await asyncio.sleep(0)
                assert place() == "pool"
            assert place() == HOME
            for _ in range(2):
                with pytest.raises(KeyError):
                    async with ohwait.in_executor(executor):
                        raise KeyError
                assert place() == HOME

    run(factory, main())


@asyncio_loops
def test_call_in_executor_always_comes_back(factory) -> None:
    def work(number: int, *, fail: bool = False) -> tuple[int, str]:
        wait(asyncio.sleep(0))
        if fail:
            raise KeyError(place())
        return number, place()

    def plain(executor) -> list[object]:
        seen = [dispatch.call_in_executor(executor, work, 5), place()]
        try:
            dispatch.call_in_executor(executor, work, 5, fail=True)
        except KeyError as error:
            seen += [error.args[0], place()]
        return seen

    async def main() -> None:
        with pool() as executor:
            assert plain(executor) == [(5, "pool"), HOME, "pool", HOME]
            assert dispatch.call_in_executor(executor, max, 3, 4) == 4

    run(factory, main())


@asyncio_loops
def test_async_generators_and_by_hand_drivers_move_with_their_task(factory) -> None:
    class ByHand:
        def __await__(self):
            coroutine = inner()
            while True:
                try:
                    yielded = coroutine.send(None)
                except StopIteration as stop:
                    return stop.value
                yield yielded

    async def inner() -> str:
        ohwait.switch_to_executor(executor)
        return place()

    async def items():
        for _ in range(2):
            with ohwait.in_executor(executor):
                yield place()
            yield place()

    async def main() -> None:
        assert [item async for item in items()] == ["pool", HOME, "pool", HOME]
        assert await ByHand() == place() == "pool"
        dispatch.switch_back()
        assert place() == HOME

    with pool() as executor:
        run(factory, main())


@asyncio_loops
def test_many_at_once(factory, rand) -> None:
    """Hundreds of tasks that wander between two pools, another loop and home."""

    def wander(n: int, moves: list[int]) -> int:
        for move in moves:
            if move == 0:
                ohwait.switch_to_executor(one)
            elif move == 1:
                with ohwait.in_executor(two):
                    assert place() == "two"
                    wait(asyncio.sleep(0))
                    assert place() == "two"
            elif move == 2:
                ohwait.switch_to_loop(other)
                assert asyncio.get_running_loop() is other
            elif move == 3:
                dispatch.switch_back()
                assert place() == HOME
            else:
                wait(asyncio.sleep(0.001))
        return n

    async def task(n: int) -> int:
        return wander(n, [rand.randrange(5) for _ in range(12)])

    async def main() -> list[int]:
        return await asyncio.gather(*(task(n) for n in range(200)))

    with pool(3, "one") as one, pool(2, "two") as two, loop_thread(factory) as other:
        assert run(factory, main()) == [*range(200)]


@asyncio_loops
def test_every_kind_of_task(factory) -> None:
    """asyncio's own in Python, a class of one's own, and tasks that begin at once (where there are such)."""

    class OwnTask(asyncio.Task):
        pass

    def plain(executor) -> list[str]:
        seen = []
        for _ in range(2):
            with ohwait.in_executor(executor):
                seen.append(place())
                assert asyncio.current_task().get_name() == "child"
            seen.append(place())
        ohwait.switch_to_executor(executor)
        return seen

    async def child(executor) -> list[str]:
        return [*plain(executor), place()]

    def factories():
        yield lambda loop, coro, **options: OwnTask(coro, loop=loop, **options)
        if not hasattr(asyncio.tasks, "_py_all_tasks"):  # With it, current_task() in C does not know these.
            yield lambda loop, coro, **options: asyncio.tasks._PyTask(coro, loop=loop, **options)
        if hasattr(asyncio, "eager_task_factory"):
            yield lambda loop, coro, **options: asyncio.Task(coro, loop=loop, **{**options, "eager_start": True})

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pool() as executor:
            for make in factories():
                loop.set_task_factory(make)
                tasks = [loop.create_task(child(executor), name="child") for _ in range(3)]
                assert await asyncio.gather(*tasks) == [["pool", HOME, "pool", HOME, "pool"]] * 3
                cancelled = loop.create_task(child(executor), name="child")
                cancelled.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await cancelled
                loop.set_task_factory(None)

    run(factory, main())


@asyncio_loops
def test_scopes_and_sleep_in_an_executor(factory) -> None:
    def double(n: int) -> tuple[int, str]:
        ohwait.sleep(0.001)
        return 2 * n, place()

    def plain(executor) -> list[object]:
        with ohwait.in_executor(executor):
            with ohwait.scope() as scope:
                children = [scope.spawn(double, n) for n in range(3)]
            results = [child.result() for child in children]
            return [*results, place()]

    def failing(executor) -> str:
        with ohwait.in_executor(executor):
            try:
                with ohwait.scope() as scope:
                    scope.spawn(fail)
                    ohwait.sleep(10)
            except* KeyError:
                seen = place()
            return seen

    def fail() -> None:
        raise KeyError

    async def main() -> None:
        with pool() as executor:
            assert plain(executor) == [(0, "pool"), (2, "pool"), (4, "pool"), "pool"]
            assert failing(executor) == "pool"
            assert place() == HOME and asyncio.current_task().cancelling() == 0

    run(factory, main())


def test_nothing_is_kept_of_a_task_that_has_ended() -> None:
    class Thing:
        pass

    async def task(executor, things) -> Thing:
        ohwait.switch_to_executor(executor)
        await asyncio.sleep(0)
        things.append(weakref.ref(kept := Thing()))
        dispatch.switch_back()
        things.append(weakref.ref(asyncio.current_task()))
        return kept

    async def main() -> list[object]:
        things: list[object] = []
        with pool() as executor:
            assert type(await asyncio.create_task(task(executor, things))) is Thing
            await asyncio.sleep(0)
        return things

    things = run(asyncio.new_event_loop, main())
    gc.collect()
    assert [thing() for thing in things] == [None, None]


def test_other_executors() -> None:
    """Anything with submit(): also one that calls at once, in the thread of the loop."""

    class AtOnce(ThreadPoolExecutor):
        def submit(self, function, /, *args):
            from concurrent.futures import Future

            future = Future()
            future.set_result(function(*args))
            return future

    def plain() -> tuple[str, str]:
        with ohwait.in_executor(AtOnce()):
            seen = type(asyncio.get_running_loop()).__name__
            wait(asyncio.sleep(0.01))
        return seen, type(asyncio.get_running_loop()).__name__

    async def main() -> None:
        here = type(asyncio.get_running_loop()).__name__
        assert plain() == ("ExecutorLoop", here)

    run(asyncio.new_event_loop, main())


def test_debug_says_where_it_goes_on(capsys) -> None:
    async def main() -> None:
        with pool() as executor:
            ohwait.switch_to_executor(executor, debug=True)
            dispatch.switch_back()
            with ohwait.in_executor(executor, debug=True):
                pass

    run(asyncio.new_event_loop, main())
    err = capsys.readouterr().err
    assert "ohwait.switch_to_executor(executor, debug=True)\n  goes on in thread 'pool_0'" in err
    assert "with ohwait.in_executor(executor, debug=True):\n  goes on in thread 'pool_" in err


# ---- Refusals: said where the call is, and everything goes on there. ----


@every_loop
def test_only_asyncio_tasks_move(loop) -> None:
    def plain() -> str:
        try:
            ohwait.switch_to_executor(executor)
        except dispatch.DispatchError as error:
            return str(error)
        return "moved"

    async def main() -> str:
        await loop.sleep(0)
        return plain()

    with pool() as executor:
        text = loop.run_coroutine(main)
    if loop.backend == "asyncio":
        assert text == "moved"
    else:
        cure = {"trio": "trio.to_thread.run_sync()", "curio": "curio.run_in_thread()"}[loop.name]
        assert f"a {loop.name} task cannot leave its thread" in text and cure in text


def test_no_loop_and_no_task() -> None:
    with pool() as executor:
        for move in (ohwait.switch_to_executor, ohwait.in_executor):
            with pytest.raises(dispatch.DispatchError, match="no event loop runs in this thread"):
                move(executor)

        async def main() -> None:
            done = asyncio.get_running_loop().create_future()

            def callback() -> None:
                with pytest.raises(dispatch.DispatchError, match="runs a callback here and no task"):
                    ohwait.switch_to_executor(executor)
                done.set_result(None)

            asyncio.get_running_loop().call_soon(callback)
            await done

        run(asyncio.new_event_loop, main())


@asyncio_loops
def test_what_is_no_executor_and_no_loop(factory) -> None:
    async def main() -> None:
        for wrong in (None, 3, threading.Thread()):
            with pytest.raises(TypeError, match="takes an executor, not"):
                ohwait.switch_to_executor(wrong)
            with pytest.raises(TypeError, match="takes an asyncio event loop, not"):
                ohwait.switch_to_loop(wrong)
        with ProcessPoolExecutor() as processes, pytest.raises(dispatch.DispatchError, match="in another one"):
            ohwait.switch_to_executor(processes)
        stopped = factory()
        with pytest.raises(dispatch.DispatchError, match="not running"):
            ohwait.switch_to_loop(stopped)
        stopped.close()
        with pytest.raises(dispatch.DispatchError, match="closed"):
            ohwait.switch_to_loop(stopped)
        ohwait.switch_to_loop(asyncio.get_running_loop())
        assert place() == HOME

    run(factory, main())


@asyncio_loops
def test_an_executor_that_takes_no_more_jobs(factory) -> None:
    """Before the move, in the middle of it, and with the job thrown away."""

    async def main() -> None:
        executor = ThreadPoolExecutor(1, thread_name_prefix="pool")
        executor.shutdown()
        with pytest.raises(dispatch.DispatchError, match="cannot schedule new futures after shutdown"):
            ohwait.switch_to_executor(executor)
        assert place() == HOME
        with pool() as executor:
            ohwait.switch_to_executor(executor)
            executor.shutdown(wait=False)
            with pytest.raises(dispatch.DispatchError, match="from here on the task runs in its own loop"):
                await asyncio.sleep(0.01)
            assert place() == HOME
        await asyncio.sleep(0)
        with pool(1) as executor:
            release = threading.Event()
            executor.submit(release.wait)
            asyncio.get_running_loop().call_later(0.01, lambda: executor.shutdown(wait=False, cancel_futures=True))
            with pytest.raises(dispatch.DispatchError, match="cancelled the job"):
                ohwait.switch_to_executor(executor)
            assert place() == HOME
            release.set()

    run(factory, main())


@asyncio_loops
def test_a_c_function_in_between(factory) -> None:
    def switch(_: object) -> int:
        ohwait.switch_to_executor(executor)
        return 0

    async def main() -> None:
        with pytest.raises(ohwait.CFunctionError, match="sorted"):
            sorted([1], key=switch)
        assert place() == HOME

    with pool() as executor:
        run(factory, main())


@pytest.mark.skipif(_core.c_frames_status() is not None, reason=f"no C frames here: {_core.c_frames_status()}")
@asyncio_loops
def test_c_functions_below_another_wait(factory) -> None:
    """The whole task would move, and with it the C stack of a call further down."""

    def switch() -> None:
        ohwait.switch_to_executor(executor)

    async def inner() -> int:
        with pytest.raises(ohwait.CFunctionError, match="sorted"):
            switch()
        return 0

    async def main() -> None:
        assert sorted([1], key=lambda _: wait(inner())) == [1]
        assert place() == HOME

    with pool() as executor:
        run(factory, main())


@asyncio_loops
def test_c_functions_in_an_executor(factory) -> None:
    """Other threads of the executor may go on with what waits there: not with a C stack."""

    async def zero(_: object) -> int:
        await asyncio.sleep(0)
        return 0

    async def main() -> None:
        with pool() as executor:
            ohwait.switch_to_executor(executor)
            with pytest.raises(ohwait.CFunctionError, match="sorted"):
                sorted([1], key=lambda n: wait(zero(n)))
            dispatch.switch_back()
            assert place() == HOME

    run(factory, main())


@asyncio_loops
def test_what_belongs_to_the_thread_of_the_loop(factory) -> None:
    async def main() -> None:
        event = asyncio.Event()
        waiting = asyncio.create_task(event.wait())
        await asyncio.sleep(0)
        with pool() as executor:
            with ohwait.in_executor(executor):
                with pytest.raises(RuntimeError, match="different event loop"):
                    await event.wait()
                with pytest.raises(dispatch.DispatchError, match="belongs to the thread of the event loop"):
                    await asyncio.open_connection("localhost", 1)
                with pytest.raises(dispatch.DispatchError, match="switch_back"):
                    asyncio.get_running_loop().add_reader(0, print)
        event.set()
        await waiting

    run(factory, main())
