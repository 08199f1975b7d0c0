"""What asynkit documents as experimental, and what its own suite leaves out of its distribution."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ohwait import ohwait
from ohwait.compat import asynkit
from ohwait.compat.asynkit import compat
from ohwait.compat.asynkit.experimental import (
    InterruptException,
    create_pytask,
    task_interrupt,
    task_throw,
    task_timeout,
)
from ohwait.compat.asynkit.experimental.priority import (
    DefaultPriorityEventLoop,
    PosPriorityQueue,
    Priority,
    PriorityCondition,
    PriorityLock,
    PriorityTask,
    PriorityValue,
)
from ohwait.compat.asynkit.scheduling import task_is_blocked, task_is_runnable
from ohwait.compat.asynkit.tools import PriorityQueue

pytestmark = pytest.mark.filterwarnings("error")


class Stop(InterruptException):
    pass


kinds = pytest.mark.parametrize("make", [asyncio.create_task, create_pytask], ids=["C task", "Python task"])
Make = Callable[[Coroutine[Any, Any, Any]], Any]


async def catch(awaitable: Any, log: list[str]) -> None:
    try:
        await awaitable
        log.append("waited")
    except ZeroDivisionError:
        log.append("interrupted")


class TestInterrupts:
    @kinds
    def test_before_anything_else(self, make: Make) -> None:
        async def main() -> None:
            log: list[str] = []
            event = asyncio.Event()
            task = make(catch(event.wait(), log))
            await asyncio.sleep(0)
            assert task_is_blocked(task)

            async def other() -> None:
                log.append("other")

            another = asyncio.create_task(other())
            await task_interrupt(task, ZeroDivisionError())
            assert log[0] == "interrupted" and task.done()
            event.set()
            await another
            await task

        asyncio.run(main())

    @kinds
    def test_what_it_waits_for_goes_on(self, make: Make) -> None:
        async def main() -> None:
            log: list[str] = []
            inner = asyncio.create_task(asyncio.sleep(0.001, "inner"))
            task = make(catch(inner, log))
            await asyncio.sleep(0)
            await task_interrupt(task, ZeroDivisionError())
            assert log == ["interrupted"] and await inner == "inner"

        asyncio.run(main())

    @kinds
    def test_one_that_was_woken_already(self, make: Make) -> None:
        async def main() -> None:
            log: list[str] = []
            event = asyncio.Event()
            task = make(catch(event.wait(), log))
            await asyncio.sleep(0)
            event.set()
            assert task_is_runnable(task)
            await task_interrupt(task, ZeroDivisionError())
            assert log == ["interrupted"]
            await task

        asyncio.run(main())

    @kinds
    def test_the_last_one_thrown_counts(self, make: Make) -> None:
        async def main() -> None:
            log: list[str] = []
            task = make(catch(asyncio.Event().wait(), log))
            await asyncio.sleep(0)
            task_throw(task, KeyError())
            task_throw(task, ZeroDivisionError())
            await task
            assert log == ["interrupted"]

        asyncio.run(main())

    @kinds
    def test_plain_functions(self, make: Make) -> None:
        log: list[str] = []

        def plain() -> None:
            try:
                ohwait(asyncio.sleep(10))
            except Stop:
                log.append("stopped")

        async def host() -> None:
            plain()

        async def main() -> None:
            task = make(host())
            await asyncio.sleep(0)
            await task_interrupt(task, Stop())
            await task

        asyncio.run(main())
        assert log == ["stopped"]

    @kinds
    def test_refused(self, make: Make) -> None:
        async def main() -> None:
            task = make(asyncio.sleep(10))
            await asyncio.sleep(0)
            with pytest.raises(TypeError, match="deriving from BaseException"):
                task_throw(task, 1)  # type: ignore[arg-type]
            task.cancel()
            with pytest.raises(RuntimeError, match="cannot interrupt a cancelled task"):
                await task_interrupt(task, Stop())
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(RuntimeError, match="which is done"):
                task_throw(task, Stop())

            async def itself() -> None:
                me = asyncio.current_task()
                assert me is not None
                with pytest.raises(RuntimeError, match="cannot interrupt self"):
                    await task_interrupt(me, Stop())

            await make(itself())

        asyncio.run(main())

    def test_new_tasks(self) -> None:
        async def main() -> None:
            task = create_pytask(asyncio.sleep(0))
            await task_interrupt(task, ZeroDivisionError())
            with pytest.raises(ZeroDivisionError):
                await task
            other = asyncio.create_task(asyncio.sleep(0))
            with pytest.raises(RuntimeError, match="use a python task"):
                await task_interrupt(other, ZeroDivisionError())
            await other

        asyncio.run(main())

    def test_timeouts(self) -> None:
        async def inner() -> str:
            try:
                async with task_timeout(0.001):
                    await asyncio.sleep(10)
            except TimeoutError:
                return "timed out"
            return "slept"

        async def nested() -> str:
            try:
                async with task_timeout(0.001):
                    async with task_timeout(10):
                        await asyncio.sleep(10)
            except TimeoutError:
                return "the outer one"
            return "slept"

        async def never() -> str:
            async with task_timeout(None), task_timeout(10):
                await asyncio.sleep(0)
            return "slept"

        async def main() -> None:
            assert await create_pytask(inner()) == "timed out"
            assert await create_pytask(nested()) == "the outer one"
            assert await create_pytask(never()) == "slept"
            with pytest.raises(TypeError, match="python task"):
                async with task_timeout(1):
                    pass

        asyncio.run(main())

    def test_conditions_get_their_lock_back(self) -> None:
        async def main() -> None:
            condition = compat.InterruptCondition()
            log: list[bool] = []

            async def wait() -> None:
                async with condition:
                    try:
                        await condition.wait()
                    except asyncio.CancelledError:
                        log.append(condition.locked())

            task = create_pytask(wait())
            await asyncio.sleep(0)
            await task_interrupt(task, Stop())
            await task
            assert log == [True] and not condition.locked()

        asyncio.run(main())


class TestPriorities:
    @pytest.mark.parametrize("kind", [PriorityLock, PriorityCondition])
    def test_the_lowest_number_first(self, kind: type[PriorityLock] | type[PriorityCondition]) -> None:
        async def main() -> None:
            lock = kind()
            order: list[int] = []

            async def take(n: int) -> None:
                async with lock:
                    if isinstance(lock, PriorityCondition):
                        await lock.wait()
                        lock.notify()
                    order.append(n)

            numbers = random.sample(range(20), 20)
            async with lock:
                tasks = [PriorityTask(take(n), priority=n) for n in numbers]
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
            if isinstance(lock, PriorityCondition):
                await asyncio.sleep(0.001)
                async with lock:
                    lock.notify()
            await asyncio.gather(*tasks)
            assert order == list(range(20))

        asyncio.run(main())

    def test_cancelled_waiters(self) -> None:
        async def main() -> None:
            lock = PriorityLock()
            order: list[int] = []

            async def take(n: int) -> None:
                async with lock:
                    order.append(n)

            async with lock:
                tasks = [PriorityTask(take(n), priority=n) for n in range(5)]
                await asyncio.sleep(0)
                assert lock.effective_priority() == 0
                tasks[0].cancel()
                await asyncio.sleep(0)
                assert lock.effective_priority() == 1
                tasks[3].cancel()
            tasks[1].cancel()  # It has been woken: the next one gets the lock.
            await asyncio.gather(*tasks, return_exceptions=True)
            assert order == [2, 4] and not lock.locked()
            with pytest.raises(RuntimeError, match="not acquired"):
                lock.release()

        asyncio.run(main())

    def test_a_holder_inherits(self) -> None:
        async def main() -> None:
            lock = PriorityLock()

            async def hold() -> None:
                me = asyncio.current_task()
                assert isinstance(me, PriorityTask) and me.effective_priority() == 5
                async with lock:
                    await asyncio.sleep(0.001)
                    assert me.effective_priority() == -1
                assert me.effective_priority() == 5

            async def want() -> None:
                async with lock:
                    pass

            holder = PriorityTask(hold(), priority=5)
            await asyncio.sleep(0)
            await asyncio.gather(PriorityTask(want(), priority=-1), holder)

        asyncio.run(main())

    def test_loop(self) -> None:
        order: list[float] = []

        async def note(priority: float) -> None:
            order.append(priority)
            await asyncio.sleep(0)

        async def main() -> None:
            values = [p.value for p in Priority] * 3
            random.shuffle(values)
            await asyncio.gather(*(PriorityTask(note(value), priority=value) for value in values))

        with asyncio.Runner(loop_factory=DefaultPriorityEventLoop) as runner:
            runner.run(main())
        assert order == sorted(order) and len(order) == 9

    def test_loop_where_callbacks_are_taken_out(self) -> None:
        async def main() -> str:
            from ohwait.compat.asynkit.loop.extensions import ready_find, ready_insert

            task = asyncio.create_task(asyncio.sleep(0, "slept"))
            handle = ready_find(task, remove=True)
            assert handle is not None
            await asyncio.sleep(0.001)
            ready_insert(handle)
            return await task

        with asyncio.Runner(loop_factory=DefaultPriorityEventLoop) as runner:
            assert runner.run(main()) == "slept"

    def test_queue_moves_up_what_waits(self) -> None:
        queue: PosPriorityQueue[float] = PosPriorityQueue(lambda number: number)
        queue.append(100.0)
        popped = []
        queue.append(1.0)
        for _ in range(3000):
            queue.append(1.0)
            popped.append(queue.popleft())
            if 100.0 in popped:
                break
        assert 100.0 in popped

    def test_queue(self) -> None:
        queue: PosPriorityQueue[str] = PosPriorityQueue(lambda text: float(text[0]))
        for text in ("2a", "1a", "2b", "1b"):
            queue.append(text)
        queue.insert(1, "9")
        assert list(queue) == ["1a", "9", "1b", "2a", "2b"] and len(queue) == 5
        queue.insert(0, "8")
        assert queue.popleft() == "8" and queue.popleft() == "1a" and queue.popleft() == "9"
        assert queue.reschedule(lambda text: text == "2b", 0) == "2b" and list(queue) == ["2b", "1b", "2a"]
        queue.remove("1b")
        with pytest.raises(ValueError, match="not in the queue"):
            queue.remove("1b")
        assert queue.find(lambda text: text == "2a") == "2a"
        queue.clear()
        with pytest.raises(IndexError):
            queue.popleft()
        assert not queue and "boost" in repr(PriorityValue(1))


class TestNames:
    def test_all_of_them_are_there(self) -> None:
        assert [name for name in asynkit.__all__ if not hasattr(asynkit, name)] == []
        assert {"eager", "CoroStart", "Monitor", "GeneratorObject", "task_switch", "cancelling"} <= set(asynkit.__all__)
        assert isinstance(asynkit.get_implementation_info()["implementation"], str)
        with pytest.raises(NotImplementedError):
            asynkit.get_current_context()

    def test_plain_functions_take_part(self) -> None:
        def plain() -> str:
            ohwait(asyncio.sleep(0))
            return "plain"

        @asynkit.eager
        async def start() -> str:
            return plain()

        async def main() -> None:
            assert await start() == "plain"
            asyncio.get_running_loop().set_task_factory(asynkit.eager_task_factory)
            assert await asyncio.create_task(asynkit.coro_await(start.__wrapped__())) == "plain"  # type: ignore[attr-defined]

        asyncio.run(main())

        async def host() -> str:
            return plain()

        assert asynkit.await_sync(host()) == "plain"
        with pytest.raises(asynkit.SynchronousError):
            asynkit.await_sync(host(), ignore_nullsleep=False)

    def test_eager_tasks_for_asyncio(self) -> None:
        before = asyncio.create_task
        log: list[str] = []

        async def work(name: str) -> str:
            log.append(name)
            await asyncio.sleep(0)
            return name

        async def main() -> None:
            create: Any = asyncio.create_task
            task = create(work("eager"), eager_start=True, name="named")
            assert log == ["eager"] and task.get_name() == "named"
            other = create(work("lazy"), eager_start=False)
            assert log == ["eager"]
            assert [await task, await other] == ["eager", "lazy"]
            asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009
            assert create(work("by factory")).done() is False and log[-1] == "by factory"

        compat.enable_eager_tasks()
        compat.enable_eager_tasks()
        try:
            asyncio.run(main())
        finally:
            compat.disable_eager_tasks()
            compat.disable_eager_tasks()
        assert asyncio.create_task is before

    def test_priority_queue_of_tools(self) -> None:
        queue: PriorityQueue[int, str] = PriorityQueue()
        queue.extend([(2, "b"), (1, "a"), (1, "c")])
        assert queue.peekitem() == (1, "a") and list(queue.ordered()) == ["a", "c", "b"]
        assert queue.remove("c") == 1 and "c" not in queue and bool(queue)
        assert queue.popitem() == (1, "a") and queue.pop() == "b"
        with pytest.raises(ValueError, match="not in the queue"):
            queue.remove("a")
