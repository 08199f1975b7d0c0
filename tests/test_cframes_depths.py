"""Slices of every size, resumed at every depth of the stack, in every order, and thousands of them at once."""

# ruff: noqa: C417 - what C functions call is the point
from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import json
import random
import sys
from typing import Any

import pytest
from cframes_tools import (
    at_some_depth,
    by_c,
    by_stack,
    deeper,
    event_loop,
    needs_c_frames,
    slices,
    waiting,
    waiting_by_c,
)
from core_tools import below, finish, function_names, host_of, passes, pause, start

from ohwait import _core, ohwait

pytestmark = needs_c_frames


def nested(depth: int, function: Any) -> Any:
    """Call it below so many C functions, one in the other."""
    return function() if depth == 0 else sorted([0], key=lambda _: found.append(nested(depth - 1, function)))[0]


found: list[Any] = []


def in_c(depth: int, function: Any) -> Any:
    return function() if depth == 0 else next(map(lambda _: in_c(depth - 1, function), "x"))


@pytest.mark.parametrize("c_functions", [1, 2, 10, 60])
@pytest.mark.parametrize("frames", [0, 1, 30, 300])
def test_slices_of_every_size(c_functions: int, frames: int) -> None:
    def plain() -> list[Any]:
        return [waiting(n) for n in range(4)]

    def build() -> Any:
        return host_of(lambda: below(frames // 2, lambda: in_c(c_functions, lambda: below(frames, plain))))

    coroutines = [build() for _ in range(3)]
    for coroutine in coroutines:
        assert coroutine.send(None) == 0
    for step in range(1, 4):
        for coroutine in coroutines:
            assert coroutine.send(step - 1) == step
    for coroutine in reversed(coroutines):
        assert finish(coroutine, [3]) == [0, 1, 2, 3]
    build().close()
    start(build()).close()


@pytest.mark.parametrize("made_at", [0, 3, 40, 200])
@pytest.mark.parametrize("resumed_at", [0, 3, 40, 200])
def test_resumed_deeper_or_shallower(made_at: int, resumed_at: int) -> None:
    for make, resume in itertools.product((below, in_c), repeat=2):
        names: list[list[str]] = []

        def key(n: int) -> int:
            names.append(function_names(sys._getframe(), "host_of"))
            waiting(n)
            assert function_names(sys._getframe(), "host_of") == names[-1]
            return -n

        coroutine = host_of(lambda: sorted([1, 2], key=lambda n: next(map(key, [n]))))
        make(made_at % 60, lambda: coroutine.send(None))
        before = function_names(sys._getframe(), "")
        resume(resumed_at % 60, lambda: coroutine.send(None))
        assert function_names(sys._getframe(), "") == before
        assert make(made_at, lambda: finish(coroutine)) == [2, 1] if make is below else finish(coroutine) == [2, 1]


def test_one_slice_resumed_inside_another() -> None:
    """The inner one is driven by a plain function inside the outer one's C function; both are suspended at times."""

    def driving(inner: Any) -> list[Any]:
        came = []
        try:
            for n in itertools.count():
                came.append(inner.send(n if n else None))
                waiting(("outer", n))
        except StopIteration as stop:
            return [*came, stop.value]

    def build(depth: int) -> Any:
        if depth == 0:
            return host_of(lambda: list(map(waiting, "ab")))
        return host_of(lambda: by_c(lambda: driving(build(depth - 1))))

    results = []
    for depth in range(4):
        first, second = build(depth), build(depth)
        came = [first.send(None), second.send(None)]
        assert came[0] == came[1]
        results.append((finish(first, "xyz"), finish(second, "xyz")))
    for first_result, second_result in results:
        assert first_result == second_result


def test_frames_that_straddle_the_chunks_of_the_data_stack() -> None:
    """Suspended at every height of the data stack around the end of a chunk, resumed at others."""

    def plain() -> Any:
        return below(7, lambda: sorted([3, 1, 2], key=lambda n: below(n, lambda: waiting(n))))

    height = _core.data_stack()
    for depth in range(0, 330, 7):
        first, second = host_of(plain), host_of(plain)
        below(depth, lambda: first.send(None))
        below(330 - depth, lambda: second.send(None))
        below(depth, lambda: second.send(3))
        below(depth // 2, lambda: first.send(3))
        assert below(depth, lambda: finish(second, [1, 2])) == [1, 2, 3]
        assert finish(first, [1, 2]) == [1, 2, 3]
    assert _core.data_stack() == height


def test_large_frames() -> None:
    names = ", ".join(f"x{n}" for n in range(1500))
    scope: dict[str, Any] = {"waiting": waiting}
    exec(f"def large(values):\n    {names}, = values\n    came = waiting(x7)\n    return came + x0 + x1499", scope)
    values = list(range(1500))
    coroutines = [host_of(lambda: list(map(scope["large"], [values, values]))) for _ in range(5)]
    for coroutine in coroutines:
        assert coroutine.send(None) == 7
    for coroutine in reversed(coroutines):
        assert below(5, lambda: finish(coroutine, [1, 2])) == [1500, 1501]


def test_large_pieces_of_the_c_stack() -> None:
    """Recursion within C: one slice holds hundreds of C frames and no Python frame between them."""
    depth = 60 if hasattr(sys, "gettotalrefcount") else 200  # 3.13's debug builds allow 500 calls of C, in all.
    thing: Any = object()
    for _ in range(depth):
        thing = [thing]
    before = _core.stats()["slice_bytes"]
    coroutines = [host_of(lambda: json.dumps(thing, default=lambda _: waiting("x"))) for _ in range(4)]
    for coroutine in coroutines:
        coroutine.send(None)
    assert _core.stats()["slice_bytes"] > before + 50 * depth  # They may share what is the same in all.
    for n, coroutine in enumerate(coroutines):
        assert below(10 * n, lambda: finish(coroutine, ["x"])) == "[" * depth + '"x"' + "]" * depth
    assert _core.stats()["slice_bytes"] == before


def test_many_share_what_is_the_same_in_all() -> None:
    number = 500
    before = slices()[1]
    coroutines = [host_of(lambda n=n: sorted([n, -n], key=waiting)) for n in range(number)]
    coroutines[0].send(None)
    first = slices()[1] - before
    for coroutine in coroutines[1:]:
        coroutine.send(None)
    assert (slices()[1] - before) / number < 0.8 * first
    for n, coroutine in enumerate(coroutines):
        assert below(n % 7, lambda: finish(coroutine, [n, -n])) == [-n, n]
    assert slices()[1] == before


def test_thousands_suspended_at_once() -> None:
    number = 3000
    alive, before = slices(), by_stack()
    left = _core.recursion_left()
    coroutines = [host_of(lambda n=n: sorted([n, -n], key=waiting)) for n in range(number)]
    for n, coroutine in enumerate(coroutines):
        assert coroutine.send(None) == n
    assert slices()[0] == alive[0] + number
    assert slices()[1] > alive[1]
    assert by_stack() >= before + number
    assert _core.recursion_left() == left
    order = list(range(number))
    random.Random(1).shuffle(order)
    for n in order:
        assert coroutines[n].send(n) == -n
    gc.collect()
    for n in order[: number // 2]:
        assert finish(coroutines[n], [-n]) == [-n, n]
    for n in order[number // 2 :]:
        coroutines[n].close()
    assert slices() == alive


@event_loop
def test_thousands_of_tasks() -> None:
    async def main() -> None:
        event = asyncio.Event()

        async def one(n: int) -> list[int]:
            return sorted([n], key=lambda n: ohwait(event.wait()))

        tasks = [asyncio.create_task(one(n)) for n in range(3000)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        event.set()
        assert await asyncio.gather(*tasks) == [[n] for n in range(3000)]

    asyncio.run(main())


@pytest.mark.unrepeatable("long")
def test_chains_of_random_depth_in_random_order(rand: Any) -> None:
    """A thousand chains through C spawned, stepped, thrown into and closed at random heights of the stack."""

    def plain(n: int, steps: int) -> int:
        return sum(map(lambda _: ohwait(pause(n)), range(steps)))

    async def host(n: int, frames: int, c_functions: int, steps: int) -> int:
        return below(frames, lambda: in_c(c_functions, lambda: plain(n, steps)))

    alive, heights = slices(), _core.data_stack()
    waiting_ones: list[list[Any]] = []
    ended = 0
    for n in range(1000):
        steps = rand.randrange(1, 5)
        made = host(n, rand.choice([0, 1, 5, 40, 150]), rand.choice([0, 0, 1, 3, 12]), steps)
        at_some_depth(rand, lambda: below(rand.choice([0, 3, 90]), lambda: start(made)))
        waiting_ones.append([made, n, steps])
        while waiting_ones and rand.random() < 0.55:
            chosen = rand.choice(waiting_ones)
            coroutine, number, left = chosen
            action = rand.random()
            if action < 0.1:
                waiting_ones.remove(chosen)
                if action < 0.05:
                    coroutine.close()
                else:
                    with pytest.raises(KeyError):
                        at_some_depth(rand, lambda: coroutine.throw(KeyError(number)))
                continue
            try:
                came = at_some_depth(rand, lambda: coroutine.send(1))
                assert came == number and left > 1
                chosen[2] -= 1
            except StopIteration as stop:
                assert left == 1 and stop.value >= 1
                waiting_ones.remove(chosen)
                ended += 1
        assert _core.data_stack() == heights
    assert ended > 100
    for coroutine, _, _ in waiting_ones:
        coroutine.close()
    assert slices() == alive


def test_repeated_in_one_c_function_at_changing_depths(rand: Any) -> None:
    coroutine = host_of(lambda: functools.reduce(lambda a, b: a + waiting(b), range(500), 0))
    total = came = coroutine.send(None)
    try:
        while True:
            came = deeper(rand, lambda: coroutine.send(came))()
            total += came
    except StopIteration as stop:
        assert stop.value == total == sum(range(500))


def test_a_c_function_below_a_coroutine_below_a_c_function() -> None:
    """Coroutines awaited by coroutines, on the frame path and on the stack path in turn."""

    async def inner(depth: int) -> list[Any]:
        if depth == 0:
            return [waiting_by_c("bottom")]
        before = by_c(lambda: waiting(depth))
        inside = await inner(depth - 1)
        after = in_c(2, lambda: ohwait(inner(0)))
        return [before, *inside, *after, below(4, waiting)]

    coroutines = [inner(3) for _ in range(4)]
    came: list[list[Any]] = [[coroutine.send(None)] for coroutine in coroutines]
    results = []
    for turn in range(100):
        for n, coroutine in enumerate(coroutines):
            if coroutine.cr_frame is not None:
                try:
                    came[n].append(below(turn % 7, lambda: coroutine.send(turn)))
                except StopIteration as stop:
                    results.append(stop.value)
    assert len(results) == 4 and results == [results[0]] * 4
    assert len(results[0]) == 10 and came == [came[0]] * 4


@pytest.mark.unrepeatable("a subprocess")
def test_what_the_collector_closes_at_other_depths_of_the_stack() -> None:
    passes("collect_at_depths.py")


def test_more_nested_calls_than_are_noted_at_first() -> None:
    """Hosts of calls that run are noted (csrc/frames/lift.c), all of these at once."""

    async def nested_coroutine(depth: int) -> int:
        return 1 + by_c(lambda: ohwait(nested_coroutine(depth - 1))) if depth else await pause(0)

    coroutine = nested_coroutine(90)
    assert coroutine.send(None) == 0
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(10)
    assert stopped.value.value == 100
