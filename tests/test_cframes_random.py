"""Random programs of calls through C, waits, handlers and loops, stepped in random order, against native await.

No coroutine is dropped here: what is in a cycle with references held by C frames is not found by the collector.
"""

# ruff: noqa: C400, C417, RUF015 - what C functions call is the point
from __future__ import annotations

import functools
import gc
import operator
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import test_core_random
from cframes_tools import at_some_depth, by_stack, needs_c_frames, slices
from core_tools import difference, version
from test_core_random import one_step

pytestmark = needs_c_frames

Call = Callable[[], Any]


def by_map(call: Call) -> Any:
    return next(map(lambda _: call(), "x"))


def by_sorted(call: Call) -> Any:
    results: list[Any] = []
    sorted([0], key=lambda _: results.append(call()) or 0)
    return results[0]


def by_generator(call: Call) -> Any:
    return list(call() for _ in "x")[0]


def by_partial(call: Call) -> Any:
    return functools.partial(call)()


def by_cache(call: Call) -> Any:
    return functools.lru_cache(call)()


def by_exec(call: Call) -> Any:
    scope = {"call": call}
    exec("result = call()", scope)
    return scope["result"]


class Through:
    def __init__(self, call: Call) -> None:
        self.call = call

    @property
    def by_property(self) -> Any:
        return self.call()

    def __getattr__(self, name: str) -> Any:
        return self.call()

    def __add__(self, other: object) -> Any:
        return self.call()

    def __enter__(self) -> Any:
        return self.call()

    def __exit__(self, *error: object) -> None:
        pass

    def __contains__(self, results: Any) -> bool:
        results.append(self.call())
        return True


class Made:
    def __init__(self, call: Call) -> None:
        self.result = call()


def by_property(call: Call) -> Any:
    return Through(call).by_property


def by_missing_attribute(call: Call) -> Any:
    return Through(call).no_such_attribute


def by_operator(call: Call) -> Any:
    return Through(call) + 1


def by_with(call: Call) -> Any:
    with Through(call) as result:
        return result


def by_contains(call: Call) -> Any:
    results: list[Any] = []
    assert results in Through(call)
    return results[0]


def by_class(call: Call) -> Any:
    return Made(call).result


def by_class_body(call: Call) -> Any:
    class Body:
        result = call()

    return Body.result


def directly(call: Call) -> Any:
    return call()


WAYS = [by_map, by_sorted, by_generator, by_partial, by_cache, by_exec, by_property, by_missing_attribute, by_operator]
WAYS += [by_with, by_contains, by_class, by_class_body, operator.call, directly, directly]

turn = 0


def deeper_steps(seed: int) -> Any:
    """`one_step` below some more frames of Python and C."""
    rand = random.Random(seed)
    return lambda function, *args: at_some_depth(rand, lambda: one_step(function, *args))


def by_any(function: Callable[..., Any], *args: Any) -> Any:
    """Call it through one of the ways after the other, sometimes through two."""
    global turn
    turn += 1
    first, second = WAYS[turn % len(WAYS)], WAYS[turn // len(WAYS) % len(WAYS)]
    if turn % 3:
        return first(lambda: function(*args))
    return first(lambda: second(lambda: function(*args)))


natively = version(test_core_random.run_programs.__wrapped__, False)
through_c = version(test_core_random.run_programs.__wrapped__, True, by_any)


def run_programs(*arguments: Any) -> None:
    expected, result = natively(*arguments, drop=False), through_c(*arguments, drop=False)
    assert result == expected, f"(natively, through C) differ at {difference(expected, result)}"


@pytest.fixture(autouse=True)
def _some_are_suspended_through_c() -> Iterator[None]:
    """Not every single program need be: some ways lead through C on some CPythons only."""
    before = by_stack()
    yield
    assert by_stack() > before


@pytest.mark.unrepeatable("async generators are finalised by the collector, whenever")
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_random_programs(rand: Any) -> None:
    alive = slices()
    for _ in range(60):
        run_programs(rand.randrange(2**32), 30, one_step)
    gc.collect()
    assert slices() == alive


@pytest.mark.unrepeatable("async generators are finalised by the collector, whenever")
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_random_programs_at_random_depths_of_the_stack(rand: Any) -> None:
    alive = slices()
    for _ in range(40):
        start = rand.randrange(2**32)
        run_programs(start, 30, deeper_steps(start))
    gc.collect()
    assert slices() == alive


@pytest.mark.unrepeatable("async generators are finalised by the collector, whenever")
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_random_programs_with_the_collector_at_every_moment(rand: Any) -> None:
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(5):
            run_programs(rand.randrange(2**32), 20, one_step)
    finally:
        gc.set_threshold(*threshold)


@pytest.mark.slow
@pytest.mark.unrepeatable("long")
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_many_large_random_programs(rand: Any) -> None:
    for _ in range(100):
        start = rand.randrange(2**32)
        run_programs(start, 120, deeper_steps(start))
    assert slices()[0] == 0 or gc.collect() >= 0
