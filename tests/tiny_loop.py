"""An event loop of 60 lines, and the one class that makes ohwait work with it: what a third party would write."""

import heapq
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from itertools import count
from types import coroutine
from typing import Any, TypeVar

import ohwait

T = TypeVar("T")


class Stopped(BaseException):
    """The loop cancelled this task."""


class TinyTask:
    def __init__(self, coro: Coroutine[Any, Any, Any], name: str) -> None:
        self.coro, self.name = coro, name
        self.turn = 0  # Of several things that would wake the task, the first counts.
        self.stop = False
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None


class TinyEvent:
    def __init__(self, loop: "TinyLoop") -> None:
        self.loop, self.is_set = loop, False
        self.waiting: list[tuple[TinyTask, int]] = []

    def set(self) -> None:
        self.is_set = True
        for task, turn in self.waiting:
            self.loop.wake(task, turn)

    @coroutine
    def wait(self) -> Generator[Any, None, None]:
        if not self.is_set:
            yield self.waiting.append


class TinyLoop:
    running: "TinyLoop | None" = None

    def __init__(self) -> None:
        self.ready: deque[tuple[TinyTask, int]] = deque()
        self.timers: list[tuple[float, int, TinyTask, int]] = []
        self.order = count()
        self.current: TinyTask | None = None

    def start(self, coro: Coroutine[Any, Any, Any], name: str) -> TinyTask:
        task = TinyTask(coro, name)
        self.ready.append((task, task.turn))
        return task

    def wake(self, task: TinyTask, turn: int) -> None:
        if turn == task.turn and not task.done:
            self.ready.append((task, turn))

    def cancel(self, task: TinyTask) -> None:
        task.stop = True
        self.wake(task, task.turn)

    @coroutine
    def sleep(self, seconds: float) -> Generator[Any, None, None]:
        def register(waiter: tuple[TinyTask, int]) -> None:
            heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), *waiter))

        yield register

    def step(self, task: TinyTask) -> None:
        self.current = task
        task.turn += 1
        stop, task.stop = task.stop and task.turn > 1, task.stop and task.turn == 1
        try:
            register = task.coro.throw(Stopped()) if stop else task.coro.send(None)
        except StopIteration as result:
            task.done, task.value = True, result.value
        except BaseException as error:
            task.done, task.error = True, error
        else:
            register((task, task.turn))
            if task.stop:
                self.wake(task, task.turn)
        self.current = None

    def run(self, coro: Coroutine[Any, Any, T]) -> T:
        TinyLoop.running = self
        main = self.start(coro, "main")
        try:
            while not main.done:
                while self.timers and self.timers[0][0] <= time.monotonic():
                    self.wake(*heapq.heappop(self.timers)[2:])
                if self.ready:
                    task, turn = self.ready.popleft()
                    if turn == task.turn and not task.done:
                        self.step(task)
                else:
                    time.sleep(max(0, self.timers[0][0] - time.monotonic()))
        finally:
            TinyLoop.running = None
        if main.error is not None:
            raise main.error
        value: T = main.value
        return value


class TinyBackend(ohwait.Backend):
    name = "tiny"
    cancelled = Stopped

    def running(self) -> bool:
        return TinyLoop.running is not None

    def run(self, main: Callable[[], Coroutine[Any, Any, T]], /) -> T:
        return TinyLoop().run(main())

    @property
    def loop(self) -> TinyLoop:
        assert TinyLoop.running is not None
        return TinyLoop.running

    def sleep(self, seconds: float, /) -> Generator[Any, None, None]:  # type: ignore[override]
        return self.loop.sleep(seconds)

    def current_task(self) -> TinyTask | None:
        return self.loop.current

    def start_task(self, child: Coroutine[Any, Any, object], name: str, /) -> TinyTask:
        return self.loop.start(child, name)

    def cancel_task(self, task: TinyTask, /) -> None:
        self.loop.cancel(task)

    def event(self) -> TinyEvent:
        return TinyEvent(self.loop)
