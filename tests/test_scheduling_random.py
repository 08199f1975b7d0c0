"""Random programs of tasks that rearrange the ready queue: what must hold whatever they do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from ohwait import ohwait
from ohwait.scheduling import (
    SchedulingMixin,
    blocked_tasks,
    call_pos,
    create_task_descend,
    create_task_start,
    get_scheduling_loop,
    ready_find,
    ready_insert,
    ready_len,
    ready_tasks,
    runnable_tasks,
    scheduling_loop_factory,
    sleep_insert,
    task_is_blocked,
    task_is_runnable,
    task_reinsert,
    task_switch,
)


def uvloop() -> asyncio.AbstractEventLoop:
    module = pytest.importorskip("uvloop", reason="uvloop is not installed")
    loop: asyncio.AbstractEventLoop = module.new_event_loop()
    return loop


def eager() -> asyncio.AbstractEventLoop:
    if not hasattr(asyncio, "eager_task_factory"):
        pytest.skip("asyncio has no eager tasks here")
    loop = scheduling_loop_factory()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


class Program:
    """Tasks that do random things, with all that is checked at each step."""

    def __init__(self, rand: random.Random, budget: int) -> None:
        self.rand = rand
        self.budget = budget
        self.checks = 0
        self.ended = 0
        self.started = 0
        self.futures: list[asyncio.Future[Any]] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.has_queue = hasattr(asyncio.get_running_loop(), "_ready")

    def check(self) -> None:
        loop = asyncio.get_running_loop()
        everything, current = asyncio.all_tasks(loop), asyncio.current_task()
        runnable, blocked = runnable_tasks(), blocked_tasks(loop)
        assert everything == runnable | blocked | {current}
        assert not runnable & blocked and current not in runnable | blocked
        assert all(task_is_blocked(task) and not task_is_runnable(task) for task in blocked)
        assert all(task_is_runnable(task) and not task_is_blocked(task) for task in runnable)
        if self.has_queue:
            ready = ready_tasks()
            assert len(ready) == len(set(ready)) <= ready_len() == len(list(get_scheduling_loop().queue_items()))
            assert set(ready) <= runnable
            assert loop.get_task_factory() is not None or set(ready) == runnable
        self.checks += 1

    async def task(self) -> None:
        self.started += 1
        try:
            for _ in range(self.rand.randrange(1, 6)):
                self.check()
                action = self.rand.choice(self.actions() if self.budget > 0 else [self.sleep])
                self.budget -= 1
                if self.rand.random() < 0.3:
                    ohwait(action())
                else:
                    await action()
                self.check()
        except asyncio.CancelledError:
            if self.rand.random() < 0.5:
                self.check()
                raise
        finally:
            self.ended += 1
            while self.futures and self.rand.random() < 0.7:
                self.settle(self.futures.pop())

    def actions(self) -> list[Callable[[], Any]]:
        common = [
            self.sleep,
            self.sleep,
            self.wait,
            self.wait,
            self.wake,
            self.cancel,
            self.spawn,
            self.spawn,
            self.start,
        ]
        if not self.has_queue:
            return common
        return [*common, self.insert, self.insert, self.switch, self.switch, self.reinsert, self.descend, self.call]

    def settle(self, future: asyncio.Future[Any]) -> None:
        if not future.done():
            how = self.rand.choice([lambda: future.set_result(1), lambda: future.cancel()])
            how()

    async def sleep(self) -> None:
        await asyncio.sleep(self.rand.choice([0, 0, 0.0005]))

    async def wait(self) -> None:
        if self.rand.random() < 0.3 and self.tasks:
            await asyncio.wait([self.rand.choice(self.tasks)], timeout=0.001)
        else:
            self.futures.append(asyncio.get_running_loop().create_future())
            await asyncio.wait([self.futures[-1]], timeout=0.002)

    async def wake(self) -> None:
        if self.futures:
            self.settle(self.futures.pop(self.rand.randrange(len(self.futures))))

    async def cancel(self) -> None:
        if self.tasks:
            self.rand.choice(self.tasks).cancel()

    async def spawn(self) -> None:
        self.tasks.append(asyncio.create_task(self.task()))

    async def start(self) -> None:
        self.tasks.append(await create_task_start(self.task()))

    async def descend(self) -> None:
        self.tasks.append(await create_task_descend(self.task()))

    async def insert(self) -> None:
        await sleep_insert(self.rand.randrange(5))

    async def call(self) -> None:
        call_pos(self.rand.randrange(3), self.callback)

    def callback(self) -> None:
        queue = get_scheduling_loop()
        handles = [handle for handle in queue.queue_items() if queue.task_from_handle(handle) is not None]
        if handles and self.rand.random() < 0.5:
            queue.queue_remove(taken := self.rand.choice(handles))
            asyncio.get_running_loop().call_soon(ready_insert, taken)
            self.has_queue = False  # What was taken out is runnable and not in the queue: not compared from here on.
        loop = asyncio.get_running_loop()
        if isinstance(loop, SchedulingMixin):
            loop.ready_rotate(self.rand.randrange(-3, 4))

    async def switch(self) -> None:
        if ready := ready_tasks():
            await task_switch(self.rand.choice(ready), insert_pos=self.rand.choice([None, 0, 1, 3]))

    async def reinsert(self) -> None:
        if ready := ready_tasks():
            task = self.rand.choice(ready)
            task_reinsert(task, position := self.rand.randrange(len(ready)))
            assert ready_find(task) in list(get_scheduling_loop().queue_items())[position : position + 1]


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, scheduling_loop_factory, eager, uvloop])
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_random_programs(rand: Any, factory: Any) -> None:
    problems: list[Any] = []

    async def main(seed: int) -> tuple[int, int]:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
        program = Program(random.Random(seed), 60)
        others = asyncio.all_tasks()
        program.tasks += [asyncio.create_task(program.task()) for _ in range(4)]
        while asyncio.all_tasks() - others:
            program.check()
            await asyncio.sleep(0.001)
        assert program.started == program.ended
        for task in program.tasks:
            assert task.cancelled() or task.exception() is None
        return program.checks, len(program.tasks)

    checks = tasks = 0
    for _ in range(25):
        with asyncio.Runner(loop_factory=factory, debug=False) as runner:
            more = runner.run(asyncio.wait_for(main(rand.randrange(2**32)), 20))
        checks, tasks = checks + more[0], tasks + more[1]
    assert not problems
    assert checks > 500 and tasks > 150
