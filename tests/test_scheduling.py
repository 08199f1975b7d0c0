"""`ohwait.scheduling`: the ready queue of asyncio's loops, and tasks in it."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import subprocess
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ohwait import ohwait, scheduling
from ohwait.scheduling import (
    AbstractSchedulingLoop,
    SchedulingError,
    SchedulingMixin,
    SchedulingSelectorEventLoop,
    UnsupportedLoopError,
    blocked_tasks,
    call_pos,
    create_task_descend,
    create_task_start,
    get_scheduling_loop,
    ready_find,
    ready_insert,
    ready_len,
    ready_remove,
    ready_tasks,
    runnable_tasks,
    scheduling_loop_factory,
    sleep_insert,
    task_from_handle,
    task_is_blocked,
    task_is_runnable,
    task_reinsert,
    task_switch,
)

Main = Callable[[], Coroutine[Any, Any, None]]


def under(*factories: Any) -> Any:
    """Runs an async test under loops made by these factories."""

    def decorate(test: Callable[..., Coroutine[Any, Any, None]]) -> Any:
        @pytest.mark.parametrize("factory", factories, ids=lambda factory: factory.__name__)
        @functools.wraps(test)
        def sync(factory: Any, **arguments: Any) -> None:
            with asyncio.Runner(loop_factory=factory, debug=False) as runner:
                runner.run(test(**arguments))

        del sync.__wrapped__  # type: ignore[attr-defined]  # pytest looks for parameters there.
        return sync

    return decorate


def python_tasks() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    make: Any = asyncio.tasks._PyTask  # type: ignore[attr-defined]
    loop.set_task_factory(lambda loop, coro, **options: make(coro, loop=loop, **options))
    return loop


def uvloop() -> asyncio.AbstractEventLoop:
    module = pytest.importorskip("uvloop", reason="uvloop is not installed")
    loop: asyncio.AbstractEventLoop = module.new_event_loop()
    return loop


asyncios = under(asyncio.new_event_loop, scheduling_loop_factory)
"""asyncio's own loop, and the one with methods for its queue."""


def labels(log: list[Any], *names: object) -> list[asyncio.Task[None]]:
    async def note(name: object) -> None:
        log.append(name)

    return [asyncio.create_task(note(name)) for name in names]


# The loop's methods


def test_loops_by_factory() -> None:
    loop = scheduling_loop_factory()
    try:
        assert isinstance(loop, SchedulingMixin) and isinstance(loop, AbstractSchedulingLoop)
        assert isinstance(loop, SchedulingSelectorEventLoop) or sys.platform == "win32"
        assert get_scheduling_loop(loop) is loop
    finally:
        loop.close()


def by_label(loop: SchedulingMixin) -> list[Any]:
    return [handle._args[0] for handle in loop.queue_items()]  # type: ignore[attr-defined]


@contextmanager
def queue_of(*names: str) -> Iterator[Any]:
    loop = SchedulingSelectorEventLoop()
    try:
        for name in names:
            loop.call_soon(print, name)
        yield loop
    finally:
        loop.close()


def test_ready_queue_as_a_list() -> None:
    with queue_of(*"abcde") as loop:
        assert loop.ready_len() == 5
        assert loop.ready_pop()._args == ("e",)
        c = loop.ready_pop(2)
        assert by_label(loop) == ["a", "b", "d"]
        loop.ready_insert(0, c)
        assert by_label(loop) == ["c", "a", "b", "d"]
        loop.ready_rotate(1)
        assert by_label(loop) == ["d", "c", "a", "b"]
        loop.ready_rotate(-2)
        assert by_label(loop) == ["a", "b", "d", "c"]
        loop.ready_insert(-1, loop.ready_pop(0))
        assert by_label(loop) == ["b", "d", "a", "c"]
        loop.call_insert(1, print, "inserted", context=contextvars.copy_context())
        loop.call_insert(-100, print, "first")
        loop.call_insert(100, print, "last")
        assert by_label(loop) == ["first", "b", "inserted", "d", "a", "c", "last"]


def test_bad_use_of_the_queue() -> None:
    with queue_of("a") as loop:
        handle = loop.ready_pop()
        with pytest.raises(IndexError):
            loop.ready_pop()
        with pytest.raises(ValueError, match="not in the ready queue"):
            loop.queue_remove(handle)
        for insert in (lambda: loop.ready_insert(0, "a"), lambda: loop.queue_insert(print)):
            with pytest.raises(TypeError, match=r"asyncio\.Handle"):
                insert()
        for negative in (lambda: loop.queue_insert_pos(handle, -1), lambda: loop.call_pos(-1, print)):
            with pytest.raises(ValueError, match="from 0 on"):
                negative()
        assert loop.ready_len() == 0


@asyncios
async def test_call_pos_is_list_insert() -> None:
    for positions in ([0, 1, 2], [2, 1, 0], [0, 0, 0], [1, 0, 1, 2], [5, 5, 0]):
        log: list[int] = []
        expected: list[int] = []
        for number, position in enumerate(positions):
            call_pos(position, log.append, number)
            expected.insert(position, number)
        await asyncio.sleep(0)
        assert log == expected


@asyncios
async def test_what_is_taken_out_is_not_missed_by_the_loop() -> None:
    """asyncio counts the handles of a turn beforehand; the deque must not get empty before."""
    log: list[Any] = []
    loop = asyncio.get_running_loop()
    taken: list[asyncio.Handle] = []

    def take_all_out() -> None:
        for handle in list(get_scheduling_loop().queue_items()):
            ready_remove(handle)
            taken.append(handle)
        assert ready_len() == 0

    loop.call_soon(take_all_out)
    for name in "abc":
        loop.call_soon(log.append, name)
    waiter = loop.create_future()
    loop.call_later(0.01, waiter.set_result, None)
    await waiter
    assert log == [] and len(taken) == 3
    for handle in reversed(taken):
        ready_insert(handle)
    assert ready_len() == 3
    loop.call_soon(log.append, "d")
    assert ready_len() == 4
    get_scheduling_loop().queue_move(taken[0], 0)
    await asyncio.sleep(0)
    assert log == ["a", "c", "b", "d"]
    with pytest.raises(ValueError, match="not in the ready queue"):
        ready_remove(taken[0])


@under(scheduling_loop_factory)
async def test_holes_do_not_count() -> None:
    loop: Any = asyncio.get_running_loop()
    log: list[Any] = []
    for name in "abcde":
        loop.call_soon(log.append, name)
    kept = [loop.ready_pop(0), loop.ready_pop(1)]
    assert loop.ready_len() == 3
    loop.call_soon(log.append, "f")
    loop.ready_rotate(1)
    assert [handle._args[0] for handle in loop.queue_items()] == ["f", "b", "d", "e"]
    loop.queue_insert_pos(kept[0], 4)
    loop.call_insert(5, log.append, "g")
    loop.queue_insert_pos(kept[1], 1)
    await asyncio.sleep(0)
    assert log == ["f", "c", "b", "d", "e", "a", "g"]


@asyncios
async def test_other_threads_append_meanwhile() -> None:
    loop = asyncio.get_running_loop()
    called = [0]
    end = threading.Event()

    def count() -> None:
        called[0] += 1

    def append() -> int:
        number = 0
        while not end.is_set():
            loop.call_soon_threadsafe(count)
            number += 1
        return number

    thread = asyncio.ensure_future(asyncio.to_thread(append))
    for turn in range(300):
        call_pos(0, count)
        get_scheduling_loop().queue_items()
        if isinstance(loop, SchedulingMixin):
            loop.ready_rotate(turn % 3)
        await sleep_insert(0)
    end.set()
    assert await thread + 300 == called[0]


@under(asyncio.new_event_loop, scheduling_loop_factory, python_tasks)
async def test_tasks_in_the_queue() -> None:
    loop = asyncio.get_running_loop()
    log: list[Any] = []
    tasks = labels(log, 0, 1)
    future = loop.create_future()

    async def wait() -> None:
        await future

    woken = asyncio.create_task(wait())
    await asyncio.sleep(0)
    tasks += labels(log, 2)
    future.set_result(None)
    loop.call_soon(tasks[2].cancel)
    loop.call_soon(log.append, "callback").cancel()
    loop.call_soon(functools.partial(print))
    assert ready_tasks() == [tasks[2], woken]
    handle = ready_find(woken, remove=True)
    assert handle is not None and task_from_handle(handle) is woken
    assert ready_find(woken) is None and task_is_runnable(woken)
    assert isinstance(scheduling.get_ready_queue(), deque)
    ready_insert(handle)
    await asyncio.sleep(0)
    await asyncio.gather(woken, tasks[2], return_exceptions=True)
    assert log == [0, 1, 2]


# Tasks


@asyncios
async def test_sleep_insert() -> None:
    for position in range(6):
        log: list[Any] = []
        labels(log, *range(4))
        await sleep_insert(position)
        log.append("me")
        await asyncio.sleep(0)
        expected: list[Any] = list(range(4))
        expected.insert(position, "me")
        assert log == expected


@asyncios
async def test_plain_functions_wait_in_the_queue() -> None:
    """`ohwait(sleep_insert(0))` and its relatives just work."""

    def plainly(depth: int) -> list[Any]:
        if depth:
            return plainly(depth - 1)
        log: list[Any] = []
        tasks = labels(log, *range(4))
        ohwait(sleep_insert(1))
        log.append("me")
        ohwait(task_switch(tasks[3], insert_pos=1))
        log.append("me again")
        task = ohwait(create_task_descend(deeper(log)))
        log.append("after descending")
        ohwait(task)
        return log

    async def deeper(log: list[Any]) -> None:
        log.append("deeper")
        await asyncio.sleep(0)
        log.append("deeper again")

    assert plainly(3) == [0, "me", 3, "me again", "deeper", "after descending", 1, 2, "deeper again"]


@asyncios
async def test_task_reinsert() -> None:
    for position in range(6):
        log: list[Any] = []
        tasks = labels(log, *range(4))
        task_reinsert(tasks[2], position)
        await asyncio.sleep(0)
        expected = [0, 1, 3]
        expected.insert(position, 2)
        assert log == expected


@asyncios
async def test_task_switch() -> None:
    for target in range(4):
        for insert_pos in (None, 0, 1, 2):
            log: list[Any] = []
            tasks = labels(log, *range(4))
            await task_switch(tasks[target], insert_pos=insert_pos)
            log.append("me")
            await asyncio.sleep(0)
            expected: list[Any] = [target, *(n for n in range(4) if n != target)]
            expected.insert(4 if insert_pos is None else insert_pos, "me")
            assert log == expected


@asyncios
async def test_what_is_not_in_the_queue() -> None:
    blocked = asyncio.create_task(asyncio.sleep(10))
    [taken] = labels([], "taken")
    done = asyncio.create_task(asyncio.sleep(0))
    handle = ready_find(taken, remove=True)
    assert handle is not None
    while not done.done():
        await asyncio.sleep(0)
    current = asyncio.current_task()
    assert current is not None
    for task, why in [
        (blocked, "it is blocked"),
        (done, "it is done"),
        (current, "the current task"),
        (taken, "taken out"),
    ]:
        with pytest.raises(ValueError, match=f"not in the ready queue: .*{why}"):
            task_reinsert(task, 0)
        with pytest.raises(ValueError, match="not in the ready queue"):
            await task_switch(task)
    ready_insert(handle)
    for negative in (lambda: sleep_insert(-1), lambda: task_switch(taken, insert_pos=-1)):
        with pytest.raises(ValueError, match="from 0 on"):
            await negative()
    with pytest.raises(ValueError, match="from 0 on"):
        task_reinsert(taken, -2)
    await taken
    blocked.cancel()


def test_outside_of_tasks_and_loops() -> None:
    for call in (ready_len, get_scheduling_loop, runnable_tasks, blocked_tasks):
        with pytest.raises(RuntimeError):
            call()
    coroutine = sleep_insert(0)
    loop = asyncio.new_event_loop()
    errors: list[BaseException] = []

    def callback() -> None:
        try:
            coroutine.send(None)
        except Exception as error:
            errors.append(error)
        loop.stop()

    loop.call_soon(callback)
    loop.run_forever()
    loop.close()
    assert isinstance(errors[0], SchedulingError) and "outside of a task" in str(errors[0])


@asyncios
async def test_a_cancelled_sleeper_leaves_the_queue_alone() -> None:
    log: list[Any] = []

    async def sleeper() -> None:
        try:
            await sleep_insert(3)
        finally:
            log.append("sleeper")

    task = asyncio.create_task(sleeper())
    await asyncio.sleep(0)
    labels(log, *range(3))
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() and sorted(map(str, log)) == ["0", "1", "2", "sleeper"]


@asyncios
async def test_create_task_descend_and_start() -> None:
    log: list[Any] = []
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)

    async def child(name: str) -> int:
        log.append(f"{name} begins")
        await asyncio.sleep(0)
        log.append(f"{name} ends")
        return variable.get()

    labels(log, "before")
    context = contextvars.copy_context()
    context.run(variable.set, 5)
    descended = await create_task_descend(child("d"), name="the name", context=context)
    assert log == ["d begins"] and descended.get_name() == "the name"
    started = await create_task_start(child("s"), name="other")
    assert log == ["d begins", "before", "d ends", "s begins"] and started.get_name() == "other"
    assert (await descended, await started) == (5, 0)

    async def immediate() -> str:
        return "done"

    task = await create_task_descend(immediate())
    assert task.done() and task.result() == "done"


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="asyncio has no eager tasks here")
@asyncios
async def test_descending_with_eager_tasks() -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[arg-type]
    task = await create_task_descend(asyncio.sleep(0.001, "result"))
    assert task_is_blocked(task)
    assert await task == "result"


@under(asyncio.new_event_loop, scheduling_loop_factory, uvloop)
async def test_blocked_and_runnable() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        await future

    task = asyncio.create_task(wait())
    outer = asyncio.create_task(asyncio.wait([task]))
    current = asyncio.current_task()
    assert current is not None and task_is_runnable(current) and not task_is_blocked(current)
    assert task_is_runnable(task) and not task_is_blocked(task)
    assert runnable_tasks() == {task, outer} and blocked_tasks() == set()
    await asyncio.sleep(0)
    assert task_is_blocked(task) and not task_is_runnable(task)
    assert runnable_tasks() == set() and blocked_tasks(asyncio.get_running_loop()) == {task, outer}
    future.set_result(None)
    assert runnable_tasks() == {task} and blocked_tasks() == {outer}
    await outer
    assert not task_is_blocked(task) and not task_is_runnable(task)


@under(uvloop)
async def test_uvloop_keeps_its_queue_to_itself() -> None:
    coroutine = asyncio.sleep(0)
    for call in (ready_len, lambda: sleep_insert(0).send(None), lambda: create_task_descend(coroutine).send(None)):
        with pytest.raises(UnsupportedLoopError, match=r"ready queue of uvloop.Loop cannot be reached.*loop_factory"):
            call()
    assert issubclass(UnsupportedLoopError, NotImplementedError)
    coroutine.close()
    assert (await create_task_start(asyncio.sleep(0))).done() is False


class Reversed(AbstractSchedulingLoop, asyncio.SelectorEventLoop):  # type: ignore[misc]
    """Somebody's own loop: the queue is a deque that it keeps to itself."""

    def queue_len(self) -> int:
        return len(self._ready)

    def queue_items(self) -> Iterator[asyncio.Handle]:
        return iter(list(self._ready))

    def queue_find(self, key: Any, remove: bool = False) -> asyncio.Handle | None:
        return next(filter(key, self._ready), None)

    def queue_remove(self, handle: asyncio.Handle) -> None:
        self._ready.remove(handle)

    def queue_insert(self, handle: asyncio.Handle) -> None:
        self._ready.append(handle)

    def queue_insert_pos(self, handle: asyncio.Handle, position: int) -> None:
        self._ready.insert(position, handle)

    def call_pos(self, position: int, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = self.call_soon(callback, *args, context=context)
        self._ready.insert(position, self._ready.pop())
        return handle


@under(Reversed)
async def test_a_loop_of_ones_own() -> None:
    log: list[Any] = []
    tasks = labels(log, *range(3))
    await task_switch(tasks[2], insert_pos=1)
    log.append("me")
    await sleep_insert(1)
    assert log == [2, "me", 0]
    assert ready_tasks() == [tasks[1]]
    with pytest.raises(UnsupportedLoopError, match="keeps no ready queue"):
        scheduling.get_ready_queue()


# Policies


def test_policies_where_they_are_not_deprecated() -> None:
    deprecated = "DefaultEventLoopPolicy" not in vars(asyncio)
    assert ("event_loop_policy" in scheduling.__all__) is not deprecated

    async def kind() -> type:
        return type(asyncio.get_running_loop())

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with scheduling.event_loop_policy() as policy:
            assert isinstance(policy, scheduling.SchedulingEventLoopPolicy)
            made = asyncio.run(kind())
        with scheduling.event_loop_policy(policy) as same:
            assert same is policy
        scheduling.SchedulingEventLoopPolicy()
    assert issubclass(made, SchedulingMixin)
    assert asyncio.run(kind()) is not made
    assert len(caught) == (3 if deprecated else 0)
    assert all(warning.filename == __file__ and "loop_factory" in str(warning.message) for warning in caught)


def test_import_is_cheap_and_silent() -> None:
    source = (
        "import sys, ohwait.scheduling, ohwait.monitor; "
        "assert not {'anyio', 'trio', 'curio', 'uvloop'} & set(sys.modules); dir(ohwait.scheduling)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", source], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        scheduling.nonsense
