"""What belongs to the thread and must come out right: contexts, recursion limits, tracing, generators, rounding."""

# ruff: noqa: C417 - what C functions call is the point
from __future__ import annotations

import asyncio
import contextvars
import ctypes
import decimal
import functools
import gc
import itertools
import sys
from typing import Any

import pytest
from cframes_tools import (
    at_some_depth,
    by_c,
    deeper,
    event_loop,
    needs_c_frames,
    suspended_by_c,
    waiting,
    waiting_by_c,
)
from core_tools import below, drive, finish, host_of, outcome, passes, pause

from ohwait import _core, ohwait

pytestmark = needs_c_frames

variable: contextvars.ContextVar[object] = contextvars.ContextVar("variable", default="unset")


# ---- contexts ----


def test_a_context_entered_inside_the_slice_is_left_while_it_waits() -> None:
    def inside(name: str) -> object:
        variable.set(name)
        came = waiting_by_c(name)
        assert variable.get() == name
        return came

    def plain(name: str) -> object:
        return contextvars.Context().run(inside, name)

    coroutines = [host_of(lambda name=name: by_c(lambda: plain(name))) for name in "abc"]
    for coroutine, name in zip(coroutines, "abc"):
        assert coroutine.send(None) == name
        assert variable.get() == "unset"
    for coroutine, name in reversed(list(zip(coroutines, "abc"))):
        assert finish(coroutine, [name]) == name
        assert variable.get() == "unset"


def test_contexts_nested_in_each_other_and_in_the_drivers() -> None:
    def nested(depth: int) -> list[object]:
        variable.set(depth)
        waiting()
        found = contextvars.copy_context().run(nested, depth - 1) if depth else []
        waiting_by_c()
        return [*found, variable.get()]

    def steps(coroutine: Any) -> object:
        variable.set("driver's")
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value
        assert variable.get() == "driver's"
        return None

    coroutines = [host_of(lambda: contextvars.Context().run(nested, 3)) for _ in range(3)]
    results: list[object] = []
    for turn in itertools.count():
        if not coroutines:
            break
        coroutine = coroutines[turn % len(coroutines)]
        driver = contextvars.Context()
        result = driver.run(steps, coroutine) if turn % 2 else driver.run(driver.copy().run, steps, coroutine)
        if result is not None:
            results.append(result)
            coroutines.remove(coroutine)
    assert results == [[0, 1, 2, 3]] * 3
    assert variable.get() == "unset"


def test_a_context_stays_entered_until_its_run_returns() -> None:
    context = contextvars.Context()
    coroutine = host_of(lambda: context.run(waiting))
    coroutine.send(None)
    with pytest.raises(RuntimeError, match="already entered"):
        context.run(print)
    drive_on = finish(coroutine)
    assert drive_on is None
    assert context.run(lambda: "free again") == "free again"


def test_a_context_is_left_when_the_slice_is_closed_or_dropped() -> None:
    context = contextvars.Context()
    for close in (True, False):
        coroutine = host_of(lambda: context.run(waiting))
        coroutine.send(None)
        if close:
            coroutine.close()
        del coroutine
        assert context.run(lambda: "free") == "free"


@event_loop
def test_variables_set_in_tasks_through_context_run() -> None:
    def inside(n: int) -> object:
        variable.set(n)
        seen = []
        for _ in range(3):
            ohwait(asyncio.sleep(0))
            seen.append(variable.get() == n)
        return all(seen)

    async def task(n: int) -> object:
        variable.set(f"task {n}")
        inner = list(map(lambda _: contextvars.copy_context().run(inside, n), "ab"))
        return inner, variable.get()

    async def main() -> list[object]:
        return await asyncio.gather(*[task(n) for n in range(20)])

    assert asyncio.run(main()) == [([True, True], f"task {n}") for n in range(20)]


@event_loop
def test_decimal_contexts() -> None:
    def plain(precision: int) -> list[str]:
        with decimal.localcontext() as context:
            context.prec = precision
            return list(map(lambda n: str(decimal.Decimal(1) / ohwait(echo(n))), [3, 7]))

    async def echo(n: int) -> int:
        await asyncio.sleep(0)
        return n

    async def task(precision: int) -> list[str]:
        return plain(precision)

    async def main() -> list[list[str]]:
        return await asyncio.gather(*[task(n) for n in (3, 5)])

    assert asyncio.run(main()) == [["0.333", "0.143"], ["0.33333", "0.14286"]]


# ---- recursion ----


def c_calls_left() -> int:
    """How deep C functions that call back can be nested from here."""

    def deep(n: int) -> int:
        try:
            return next(map(deep, [n + 1]))
        except RecursionError:
            return n

    return deep(0)


def test_limits_are_the_same_after_many_suspensions() -> None:
    c_calls_left()  # 3.11 counts calls of C functions until the caller's code has been specialised for them.
    before = _core.recursion_left(), c_calls_left()

    def key(n: int) -> int:
        return sorted([waiting(n)], key=waiting)[0]

    for _ in range(3):
        waits = 0
        coroutine = host_of(lambda: sorted(range(200), key=key))
        coroutine.send(None)
        value, waits = 0, 1
        while True:
            try:
                coroutine.send(waits // 2)
                waits += 1
            except StopIteration:
                break
        assert (waits, value) == (400, 0)
        for _ in range(50):
            suspended_by_c().close()
    assert _core.recursion_left() == before[0]
    assert abs(c_calls_left() - before[1]) <= 1  # 3.12 counts calls of C functions: the first ones differ by one.


def test_limits_are_the_same_while_many_are_suspended() -> None:
    before = _core.recursion_left(), c_calls_left()
    suspended = [host_of(lambda: below(5, lambda: waiting_by_c(1))) for _ in range(300)]
    for coroutine in suspended:
        coroutine.send(None)
    assert _core.recursion_left() == before[0]
    assert c_calls_left() > before[1] // 2  # What C functions themselves have counted cannot be told exactly.
    for coroutine in suspended:
        coroutine.close()
    assert (_core.recursion_left(), c_calls_left()) == before


def test_what_is_left_inside_counts_from_where_it_was_resumed() -> None:
    driver: list[int] = []
    inside: list[int] = []

    def plain() -> None:
        inside.append(_core.recursion_left())
        for _ in range(5):
            waiting()
            inside.append(_core.recursion_left())

    coroutine = host_of(lambda: by_c(lambda: below(3, plain)))

    def resume() -> None:
        driver.append(_core.recursion_left())
        next(coroutines).send(None)

    coroutines = itertools.repeat(coroutine)
    for depth in (0, 40, 0, 7, 90):
        below(depth, resume)
    with pytest.raises(StopIteration):
        resume()
    assert len({outside - within for outside, within in zip(driver, inside, strict=True)}) == 1


def test_a_recursion_error_inside_the_slice() -> None:
    def endless(n: int) -> int:
        return endless(n + 1)

    def plain(n: int) -> str:
        waiting(n)
        try:
            endless(0)
        except RecursionError as error:
            waiting(n)
            return type(error).__name__
        return "none"

    for _ in range(3):
        coroutine = host_of(lambda: list(map(plain, [1, 2])))
        assert drive(coroutine, [1] * 4) == ["RecursionError"] * 2


def test_resuming_where_too_little_recursion_is_left() -> None:
    """As it is natively: the RecursionError is that of whatever calls next."""
    limit = sys.getrecursionlimit()
    coroutine = host_of(lambda: below(100, lambda: by_c(lambda: below(1, waiting_by_c))))
    coroutine.send(None)
    left = _core.recursion_left()
    try:
        kind, result = below(left - 60, lambda: try_step(coroutine))
    finally:
        sys.setrecursionlimit(limit)
    assert (kind, result) in [("return", None), ("raise", "RecursionError")]
    assert _core.recursion_left() == left


def try_step(coroutine: Any) -> tuple[str, Any]:
    try:
        return "yield", coroutine.send(None)
    except StopIteration as stop:
        return "return", stop.value
    except RecursionError:
        return "raise", "RecursionError"


# ---- tracing ----


def events_of(switch: Any, function: Any) -> list[tuple[str, str]]:
    events: list[tuple[str, str]] = []

    def tool(frame: Any, event: str, argument: object) -> Any:
        if frame.f_code.co_filename == __file__:
            events.append((frame.f_code.co_name, event))
        return tool

    switch(tool)
    try:
        function()
    finally:
        switch(None)
    return events


@pytest.mark.parametrize("switch", [sys.settrace, sys.setprofile])
def test_events_of_a_function_that_waits_below_c(switch: Any) -> None:
    """But for how the functions are left and entered when they wait, the events are those without waiting."""

    def key(n: int) -> int:
        total = n + 1
        ohwait(pause(n))
        return -total

    def still(n: int) -> int:
        total = n + 1
        (lambda n: n)(n)
        return -total

    async def host(function: Any) -> list[int]:
        return sorted([1, 2], key=function)

    waited = events_of(switch, lambda: drive(host(key)))
    quiet = events_of(switch, lambda: drive(host(still)))
    lines = [(name, event) for name, event in waited if event in ("line", "c_call", "exception") and name == "key"]
    expected = [("key", event) for name, event in quiet if event == "line" and name == "still"]
    assert [each for each in lines if each[1] == "line"] == expected
    assert sum(each == ("host", "c_call") for each in waited) == sum(each == ("host", "c_call") for each in quiet)
    calls = sum(event == "call" for name, event in waited if name == "key")
    returns = sum(event == "return" for name, event in waited if name == "key")
    assert calls == returns >= 2


@pytest.mark.parametrize("switch", [sys.settrace, sys.setprofile])
def test_tools_switched_on_and_off_while_a_slice_is_suspended(switch: Any) -> None:
    events: list[Any] = []

    def tool(frame: Any, event: str, argument: object) -> Any:
        events.append(event)
        return tool

    for on_at in range(4):
        coroutine = host_of(lambda: sorted([3, 1, 2], key=waiting))
        coroutine.send(None)
        try:
            for step in itertools.count():
                switch(tool if step == on_at else None)
                coroutine.send(step)
        except StopIteration as stop:
            assert stop.value == [3, 1, 2]
        finally:
            switch(None)
    assert events


def test_tracing_switched_inside_the_slice() -> None:
    events: list[Any] = []

    def tool(frame: Any, event: str, argument: object) -> Any:
        events.append((frame.f_code.co_name, event))
        return tool

    def key(n: int) -> int:
        sys.settrace(tool)
        waiting(n)
        sys.settrace(None)
        return n

    coroutine = host_of(lambda: sorted([2, 1], key=key))
    try:
        assert drive(coroutine, [1, 1]) == [1, 2]
    finally:
        sys.settrace(None)
    assert ("waiting", "call") in events


def test_waiting_inside_a_tracing_function_is_refused_or_works() -> None:
    """In a tool CPython has tracing suspended by a counter of the thread: what waits there would leave it so."""
    seen: list[Any] = []

    def tool(frame: Any, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_name == "traced":
            try:
                seen.append(ohwait(pause("out")))
            except RuntimeError as error:
                seen.append(type(error).__name__)

    def traced() -> int:
        return 1

    def plain() -> int:
        sys.setprofile(tool)
        try:
            return traced()
        finally:
            sys.setprofile(None)

    came = outcome(host_of(plain), "in")
    assert came[-1] == ("return", 1)
    assert seen in (["in"], ["CFunctionError"])


# ---- generators, floating point, memory ----


def test_generators_that_are_running_inside_the_slice() -> None:
    def numbers(n: int) -> Any:
        for each in range(n):
            yield waiting(each)

    def delegating(n: int) -> Any:
        yield from numbers(n)
        return waiting("returned")

    generator = delegating(2)
    coroutine = host_of(lambda: list(map(lambda n: n + 1, generator)))
    assert coroutine.send(None) == 0
    assert generator.gi_running
    with pytest.raises(ValueError, match="already executing"):
        next(generator)
    with pytest.raises(ValueError, match="already executing"):
        generator.close()
    assert finish(coroutine, [0, 1, "returned"]) == [1, 2]
    assert not generator.gi_running


def test_one_generator_shared_by_two_tasks() -> None:
    def numbers() -> Any:
        for each in itertools.count():
            yield waiting(each)

    shared = numbers()
    first, second = (host_of(lambda: [next(shared) for _ in range(2)]) for _ in range(2))
    assert by_c(lambda: first.send(None)) == 0
    with pytest.raises(ValueError, match="already executing"):
        second.send(None)
    assert finish(first, [0, 1]) == [0, 1]
    shared.close()


UPWARD, NEAREST = {"x86_64": (0x800, 0), "aarch64": (0x400000, 0)}.get(__import__("platform").machine(), (0, 0))


@pytest.mark.skipif(not UPWARD, reason="the rounding modes of this processor are not known here")
@pytest.mark.unrepeatable("ctypes keeps blocks for each library that it opens")
def test_the_rounding_mode_set_inside_the_slice_comes_back_with_it() -> None:
    mathematics = ctypes.CDLL("libm.so.6")

    def plain() -> list[int]:
        modes = [mathematics.fegetround()]
        mathematics.fesetround(UPWARD)
        try:
            for _ in range(2):
                waiting_by_c()
                modes.append(mathematics.fegetround())
        finally:
            mathematics.fesetround(NEAREST)
        return modes

    coroutine = host_of(lambda: by_c(plain))
    for _ in range(2):
        coroutine.send(None)
        mathematics.fesetround(NEAREST)
    assert finish(coroutine) == [NEAREST, UPWARD, UPWARD]
    assert mathematics.fegetround() == NEAREST


def test_vector_and_floating_point_values_survive() -> None:
    def plain(n: int) -> float:
        numbers = [n + 0.25 * k for k in range(12)]
        a, b, c, d = (float(each) for each in numbers[:4])
        total = sum(map(lambda x: x * waiting(1.5), numbers))
        return total + a * b - c * d

    products = [n * (n + 0.25) - (n + 0.5) * (n + 0.75) for n in range(4)]
    expected = [sum(1.5 * (n + 0.25 * k) for k in range(12)) + products[n] for n in range(4)]
    coroutines = [host_of(lambda n=n: plain(n)) for n in range(4)]
    for coroutine in coroutines:
        coroutine.send(None)
    assert [finish(coroutine, [1.5] * 12) for coroutine in coroutines] == expected


def test_collections_at_random_moments(rand: Any) -> None:
    threshold = gc.get_threshold()
    gc.set_threshold(3)
    try:
        for _ in range(5):
            coroutine = host_of(lambda: [functools.reduce(lambda a, b: [a, waiting(b)], range(6)), {}, []])
            at_some_depth(rand, lambda: coroutine.send(None))
            for value in range(1, 5):
                deeper(rand, lambda: coroutine.send(value))()
            assert finish(coroutine, [5])[0] == [[[[[0, 1], 2], 3], 4], 5]
    finally:
        gc.set_threshold(*threshold)


def test_the_trace_functions_of_malloc() -> None:
    passes(
        """
        import tracemalloc
        from cframes_tools import waiting
        from core_tools import finish, host_of

        tracemalloc.start(40)
        for _ in range(20):
            coroutines = [host_of(lambda: sorted([3, 1, 2], key=lambda n: [waiting(n), object()][0])) for _ in range(5)]
            for coroutine in coroutines:
                coroutine.send(None)
            for coroutine in coroutines:
                tracemalloc.take_snapshot()
                assert finish(coroutine, [3, 1, 2]) == [1, 2, 3]
        """
    )
