"""Monitors, generator objects and what they hand out, used in every wrong order: errors, but no crash and no leak."""

from __future__ import annotations

import asyncio
import gc
import random
from typing import Any

import pytest
from core_tools import pause

from ohwait.monitor import GeneratorObject, Monitor, OOBData

ERRORS = (KeyError, GeneratorExit, StopAsyncIteration, ValueError("instance"), OOBData(1))
"""StopIteration is left out: debug builds of CPython abort when it is thrown into a coroutine that has not begun."""


class BadFuture:
    """Says that it is a future, and answers with anything."""

    _asyncio_future_blocking = True

    def __init__(self, rand: random.Random) -> None:
        self.rand = rand

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.answer

    def answer(self, *args: object, **keywords: object) -> object:
        if self.rand.random() < 0.3:
            raise KeyError("bad future")
        return self.rand.choice([None, True, False, 0, 3, self])

    def __await__(self) -> Any:
        yield self


class BadFlag:
    """Raises when asked whether it is a future."""

    @property
    def _asyncio_future_blocking(self) -> bool:
        raise KeyError("bad flag")

    def __await__(self) -> Any:
        yield self


class Misuse:
    """Does random things to random objects, which are all that earlier things gave."""

    def __init__(self, rand: random.Random) -> None:
        self.rand = rand
        self.pool: list[Any] = []
        self.monitor: Monitor[Any] = Monitor()
        self.generators = [GeneratorObject[Any, Any](), GeneratorObject[Any, Any]()]

    @property
    def any(self) -> Any:
        return self.rand.choice(self.pool) if self.pool else None

    @property
    def generator(self) -> GeneratorObject[Any, Any]:
        return self.rand.choice(self.generators)

    async def body(self, depth: int = 0) -> None:
        actions: list[Any] = [
            lambda: self.monitor.oob(1),
            lambda: self.generator.ayield(2),
            lambda: pause(self.any),
            lambda: BadFuture(self.rand),
            lambda: BadFlag(),
            lambda: self.any,
            lambda: self.monitor(self.body(depth + 1)),
            lambda: self.iterate(depth + 1),
        ]
        for _ in range(self.rand.randrange(5)):
            number = self.rand.randrange(len(actions) + 2)
            try:
                if number >= len(actions):
                    self.monitor.oob_now() if number % 2 else self.generator.yield_now(3)
                elif depth < 3 or number < 6:
                    await actions[number]()
            except (Exception, GeneratorExit):
                if self.rand.random() < 0.3:
                    raise

    async def iterate(self, depth: int) -> None:
        async for _ in self.generator(self.body(depth)):
            if self.rand.random() < 0.3:
                break

    def do_something(self) -> Any:
        made: list[Any] = [
            lambda: self.body(),
            lambda: self.generator(self.any),
            lambda: self.monitor.aawait(self.any, self.rand.choice([None, 1])),
            lambda: self.monitor.athrow(self.any, self.rand.choice(ERRORS)),
            lambda: self.monitor.oob(1),
            lambda: self.generator.ayield(1),
            lambda: self.any.__anext__(),
            lambda: self.any.asend(self.rand.choice([None, 1])),
            lambda: self.any.athrow(self.rand.choice(ERRORS)),
            lambda: self.any.aclose(),
            *[lambda: self.any.send(None)] * 5,
            lambda: self.any.throw(self.rand.choice(ERRORS)),
            lambda: self.any.close(),
            lambda: self.pool.remove(self.any),
            lambda: self.any.add_done_callback(lambda future: None, context=self.rand.choice([None, 3])),
            lambda: self.any.remove_done_callback(print),
            lambda: getattr(self.any, self.rand.choice(["result", "done", "get_loop", "cancel", "__next__"]))(),
            lambda: [getattr(self.any, name, None) for name in dir(self.any)] and repr(self.any),
            lambda: setattr(self.any, "_asyncio_future_blocking", self.rand.choice([True, False, 3, None])),
        ]
        return self.rand.choice(made)()

    def run(self) -> int:
        done = 0
        for _ in range(self.rand.randrange(3, 40)):
            try:
                self.pool.append(self.do_something())
                done += 1
            except (Exception, GeneratorExit):
                continue
        self.pool.clear()
        return done


@pytest.mark.filterwarnings("ignore")
def test_every_wrong_order(rand: Any) -> None:
    async def in_a_loop() -> int:
        return sum(Misuse(rand).run() for _ in range(20))

    done = 0
    for _ in range(10):
        done += sum(Misuse(rand).run() for _ in range(20))
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda loop, context: None)
        done += loop.run_until_complete(in_a_loop())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        gc.collect()
    assert done > 500
