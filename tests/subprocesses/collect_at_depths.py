"""While the collector is at work, suspended calls go on at other depths of the C stack, some in its own frames' place.

What goes meanwhile is on the collector's lists, which begin in those frames.
"""

# ruff: noqa: C417 - what C functions call is the point
from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Callable
from typing import Any

from core_tools import pause

from ohwait import ohwait

ended: list[int] = []


class Garbage:
    """The collector lists it; what it has is called when it is collected."""

    finalizer: Callable[[], object] = int

    def __del__(self) -> None:
        self.finalizer()


def through_c(depth: int, function: Callable[[], Any]) -> Any:
    return next(map(lambda _: through_c(depth - 1, function), "x")) if depth else function()


def plain(number: int) -> None:
    rest = [Garbage() for _ in range(3)]
    rest[0].itself = rest[0]
    try:
        next(map(lambda _: ohwait(pause()), "x"))
    finally:
        ended.append(number)
        del rest


def suspended(number: int, held: list[object]) -> Any:
    async def host() -> None:
        mine = [Garbage(), held, Garbage()]
        plain(number)
        del mine

    coroutine = host()
    coroutine.send(None)
    held.append(coroutine)
    return coroutine


def resume(coroutine: Any) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it was to end")


def closed_by_the_collector(number: int) -> None:
    suspended(number, [])


def resumed_by_a_finalizer(number: int) -> None:
    cycle = Garbage()
    cycle.itself = cycle
    cycle.finalizer = functools.partial(resume, suspended(number, [Garbage()]))


kept: list[object] = []


def resumed_by_a_weak_reference(number: int) -> None:
    cycle = Garbage()
    cycle.itself = cycle
    coroutine = suspended(number, [Garbage()])
    kept.append(weakref.ref(cycle, lambda _: resume(coroutine)))


def main() -> None:
    gc.disable()
    number = 0
    for make in (closed_by_the_collector, resumed_by_a_finalizer, resumed_by_a_weak_reference):
        for suspended_at in range(4):
            for collected_at in range(8):
                for count in (1, 2, 5):
                    for _ in range(count):
                        through_c(suspended_at, functools.partial(make, number))
                        number += 1
                    through_c(collected_at, gc.collect)
                    gc.collect()
                    kept.clear()
    assert sorted(ended) == list(range(number)), (len(ended), number)


main()
