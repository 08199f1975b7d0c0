"""ohwait.compat.awaiter: the documented names of awaiter, doing what its documentation says."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from dispatching import asyncio_loops, loop_thread, place, run

from ohwait import dispatch
from ohwait.compat import awaiter
from ohwait.compat.awaiter import Awaiter, detach, dispatch_to_executor, dispatch_to_loop, use_awaiter


def test_names() -> None:
    assert sorted(awaiter.__all__) == ["Awaiter", "detach", "dispatch_to_executor", "dispatch_to_loop", "use_awaiter"]
    assert awaiter.detach is dispatch.detach and isinstance(detach(), Awaiter)
    assert isinstance(dispatch_to_executor(ThreadPoolExecutor()), Awaiter)


@asyncio_loops
def test_the_documented_example(factory) -> None:
    @use_awaiter
    async def method() -> int:
        value: int = 10
        original_ident: int = threading.get_ident()
        await asyncio.sleep(0.01)
        await dispatch_to_executor(executor)
        assert original_ident != threading.get_ident()
        value += 5
        await asyncio.sleep(0.01)
        return value

    with ThreadPoolExecutor() as executor:
        assert run(factory, method()) == 15


def test_the_documented_class() -> None:
    class ExecutorAwaitable:
        def __init__(self, executor: Executor) -> None:
            self._executor = executor

        def __await__(self) -> Generator[None, None, Any]:
            raise RuntimeError

        async def __awaiter__(self, continuation: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
            future = self._executor.submit(lambda: asyncio.run(continuation()))
            return await asyncio.wrap_future(future)

    @use_awaiter(deco_name="use_awaiter", debug=False)
    async def function() -> str:
        await ExecutorAwaitable(executor)
        await asyncio.sleep(0.001)
        return place()

    with ThreadPoolExecutor(thread_name_prefix="pool") as executor:
        assert run(asyncio.new_event_loop, function()) == "pool"


@asyncio_loops
def test_loops_and_detaching(factory) -> None:
    @use_awaiter()
    async def elsewhere() -> str:
        await dispatch_to_loop(other)
        await asyncio.sleep(0.001)
        return place()

    @use_awaiter
    async def detached(by) -> str:
        await by
        await asyncio.sleep(0.001)
        return "rest"

    async def main() -> None:
        assert await elsewhere() == "other"
        by = detach()
        assert await detached(by) is None
        assert await by.task == "rest"

    with loop_thread(factory) as other:
        run(factory, main())
