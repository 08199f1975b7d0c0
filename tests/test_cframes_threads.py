"""Threads, each with its loop, and greenlets around and inside; a slice belongs to the one it was made in."""

# ruff: noqa: C417 - what C functions call is the point
from __future__ import annotations

import asyncio
import itertools
import random
import sys
import threading
import types
from typing import Any

import pytest
from cframes_tools import (
    at_some_depth,
    by_c,
    event_loop,
    needs_c_frames,
    slices,
    suspended_by_c,
    waiting,
    waiting_by_c,
)
from core_tools import below, finish, host_of, passes, passes_or_skips

import ohwait as package
from ohwait import ohwait

pytestmark = needs_c_frames


def in_thread(function: Any) -> Any:
    """What it returns or raises when called in another thread."""
    results: list[Any] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return results[0]


def key(n: int) -> int:
    ohwait(asyncio.sleep(random.random() / 1000))
    return -n


@event_loop
def test_each_thread_has_its_loop() -> None:
    async def task(n: int) -> list[int]:
        return [*sorted([n, 1, 2], key=key), *map(key, [n])]

    async def main() -> list[list[int]]:
        return await asyncio.gather(*[task(n) for n in range(3, 23)])

    expected = [[n, 2, 1, -n] for n in range(3, 23)]
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(main()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


@event_loop
def test_worker_threads_of_a_loop() -> None:
    """to_thread() from below a C function, and run_coroutine_threadsafe() into a loop whose tasks wait below C."""

    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()

        async def slept(n: int) -> int:
            return next(map(key, [n]))

        def worker(n: int) -> int:
            return asyncio.run_coroutine_threadsafe(slept(n), loop).result()

        return list(map(lambda n: ohwait(asyncio.to_thread(worker, n)), range(5)))

    assert asyncio.run(main()) == [0, -1, -2, -3, -4]


@pytest.mark.parametrize("how", ["send", "throw"])
def test_resuming_on_another_thread_is_refused_and_loses_nothing(how: str) -> None:
    coroutine = suspended_by_c("kept")
    step = (lambda: coroutine.send(1)) if how == "send" else (lambda: coroutine.throw(KeyError("elsewhere")))
    for _ in range(3):
        error = in_thread(step)
        assert isinstance(error, package.OhwaitError), error
        assert "thread" in str(error)
        error.__traceback__ = error.__context__ = None
        del error
    assert coroutine.cr_frame is not None
    assert finish(coroutine, ["here"]) == "here"


async def _awaiting() -> Any:
    return waiting_by_c("inner")


async def _awaiting_while_handling() -> Any:
    try:
        raise KeyError
    except KeyError as error:
        result = await _awaiting()
        assert sys.exc_info()[1] is error
        return result


@types.coroutine
def _delegating() -> Any:
    return (yield from _awaiting_while_handling())


async def _three_deep() -> Any:
    return await _delegating()


@pytest.mark.parametrize("make", [_awaiting_while_handling, _three_deep], ids=["one", "three"])
@pytest.mark.parametrize("tool", [None, sys.settrace, sys.setprofile], ids=["", "traced", "profiled"])
def test_those_that_await_it_go_on_waiting_as_well(make: Any, tool: Any) -> None:
    def step() -> Any:
        if tool is not None:
            tool(callback)
        try:
            return coroutine.send("elsewhere")
        finally:
            if tool is not None:
                tool(None)

    def callback(*args: object) -> Any:
        return callback

    coroutine = make()
    assert coroutine.send(None) == "inner"
    for depth in (0, 1, 20):
        error = in_thread(lambda depth=depth: below(depth, step))
        assert isinstance(error, package.OhwaitError), error
        error.__traceback__ = error.__context__ = None
        del error
    assert finish(coroutine, ["here"]) == "here"


@event_loop
def test_a_task_of_another_thread_gets_the_error_and_ends_nothing() -> None:
    coroutine = _three_deep()
    assert coroutine.send(None) == "inner"

    async def main() -> str:
        with pytest.raises(package.OhwaitError, match="thread"):
            await asyncio.create_task(coroutine)
        return "refused"

    assert in_thread(lambda: asyncio.run(main())) == "refused"
    assert finish(coroutine, ["here"]) == "here"


def test_closing_on_another_thread_is_refused_and_loses_nothing() -> None:
    coroutine = suspended_by_c()
    error = in_thread(coroutine.close)
    assert isinstance(error, RuntimeError), error
    error.__traceback__ = error.__context__ = None
    del error
    assert finish(coroutine, ["here"]) == "here"


def test_started_here_suspended_there() -> None:
    """A coroutine that waits without C frames may change threads, and suspend below C on the new one."""
    coroutine = host_of(lambda: [below(3, waiting), waiting_by_c("c"), below(3, waiting)])
    coroutine.send(None)

    def go_on() -> Any:
        assert coroutine.send(1) == "c"
        return coroutine.send("c")

    assert in_thread(go_on) is None
    assert finish(coroutine, [3]) == [1, "c", 3]


def test_threads_that_end_while_their_slices_are_suspended() -> None:
    """Their stacks are gone: the C frames cannot be unwound any more. Nothing may crash, and errors say why."""
    printed = passes(
        """
        import gc, threading
        from cframes_tools import suspended_by_c
        import ohwait

        for _ in range(5):
            left = []
            thread = threading.Thread(target=lambda: left.extend(suspended_by_c() for _ in range(3)))
            thread.start(); thread.join()
            try:
                left[0].send(None)
            except ohwait.OhwaitError as error:
                assert "thread" in str(error), error
            else:
                raise AssertionError("resumed on a stack that is gone")
            try:
                left[1].close()
            except RuntimeError as error:
                print("close:", type(error).__name__)
            left.clear()
            gc.collect()
            other = threading.Thread(target=lambda: suspended_by_c().close())
            other.start(); other.join()
        print("alive")
        """
    )
    assert printed.endswith("alive\n")


def test_many_threads_begin_and_end_with_the_same_stacks() -> None:
    def work() -> list[int]:
        coroutines = [host_of(lambda: sorted([3, 1, 2], key=waiting)) for _ in range(5)]
        for coroutine in coroutines:
            coroutine.send(None)
        return [finish(coroutine, [3, 1, 2])[0] for coroutine in coroutines]

    alive = slices()
    for _ in range(20):
        assert in_thread(work) == [1] * 5
    assert slices() == alive


# ---- greenlets ----

GREENLET = """
import random, sys
try:
    import greenlet
except ImportError as error:
    from core_tools import skip
    skip(str(error))
from cframes_tools import at_some_depth, by_c, deeper, suspended_by_c, waiting, waiting_by_c
from core_tools import below, finish, host_of
import ohwait as package
"""


def test_chains_resumed_and_suspended_inside_greenlets() -> None:
    """Each coroutine is driven by one greenlet; those are switched at random, between steps and inside of slices."""
    passes_or_skips(
        GREENLET
        + """
rand = random.Random(3)
switches = 0

def key(n):
    global switches
    for _ in range(3):
        waiting()
        if rand.random() < 0.5:
            switches += 1
            greenlet.getcurrent().parent.switch("inside")
    return -n

def run():
    coroutine = host_of(lambda: at_some_depth(rand, lambda: sorted([1, 2, 3], key=key)))
    while True:
        try:
            at_some_depth(rand, lambda: coroutine.send(None))
        except StopIteration as stop:
            return stop.value
        if rand.random() < 0.5:
            greenlet.getcurrent().parent.switch("between")

for _ in range(40):
    alive = [greenlet.greenlet(lambda: at_some_depth(rand, run)) for _ in range(6)]
    while alive:
        chosen = rand.choice(alive)
        result = at_some_depth(rand, chosen.switch) if rand.random() < 0.5 else chosen.switch()
        if chosen.dead:
            assert result == [3, 2, 1], result
            alive.remove(chosen)
assert switches > 100
"""
    )


def test_greenlets_made_inside_a_slice() -> None:
    passes_or_skips(
        GREENLET
        + """
def child(n):
    for _ in range(n):
        greenlet.getcurrent().parent.switch(n)
    return "ended"

def key(n):
    made = greenlet.greenlet(child)
    came = [made.switch(n)]
    while not made.dead:
        came.append(made.switch())
    assert came == [n] * n + ["ended"]
    waiting(n)
    return -n

coroutines = [host_of(lambda: sorted([1, 2, 3], key=key)) for _ in range(5)]
for coroutine in coroutines:
    coroutine.send(None)
for coroutine in coroutines:
    assert below(9, lambda: finish(coroutine)) == [3, 2, 1]
"""
    )


def test_resuming_in_another_greenlet_is_refused_and_loses_nothing() -> None:
    passes_or_skips(
        GREENLET
        + """
for use in ("main first", "greenlet first"):
    kept = []
    def make():
        kept.append(suspended_by_c("kept"))
        greenlet.getcurrent().parent.switch()
        results.append(finish(kept[0], ["there"]))

    def attempt():
        try:
            results.append(finish(kept[0], ["here"]))
        except package.OhwaitError as error:
            assert "greenlet" in str(error), error
            results.append("refused")

    results = []
    if use == "main first":
        kept.append(suspended_by_c("kept"))
        greenlet.greenlet(attempt).switch()
        attempt()
        assert results in (["refused", "here"], ["here"]), results
    else:
        made = greenlet.greenlet(make)
        made.switch()
        attempt()
        if results == ["refused"]:
            made.switch()
            assert results == ["refused", "there"], results
    results.clear()
"""
    )


def test_greenlets_that_die_while_a_slice_of_theirs_is_suspended() -> None:
    passes_or_skips(
        GREENLET
        + """
import gc

def run(kept):
    kept.append(suspended_by_c())
    greenlet.getcurrent().parent.switch()

for end in ("dropped", "finished"):
    for _ in range(5):
        kept = []
        made = greenlet.greenlet(run)
        made.switch(kept)
        if end == "finished":
            made.switch()
        del made
        gc.collect()
        for attempt in (lambda: kept[0].send(None), kept[0].close):
            try:
                attempt()
            except (package.OhwaitError, RuntimeError, StopIteration) as error:
                pass
        kept.clear()
        gc.collect()
"""
    )


def test_one_after_the_other_on_threads_and_off(rand: Any) -> None:
    """Slices of several threads are alive at once, and end in random order, each on its own thread."""
    barrier = threading.Barrier(3)
    results: list[Any] = []

    def work(seed: int) -> None:
        own = random.Random(seed)
        alive = [host_of(lambda: sorted([2, 3, 1], key=waiting)) for _ in range(6)]
        for coroutine in alive:
            at_some_depth(own, lambda: coroutine.send(None))
        barrier.wait()
        own.shuffle(alive)
        for coroutine in alive:
            results.append(at_some_depth(own, lambda: finish(coroutine, [2, 3, 1])))
        by_c(barrier.wait)

    threads = [threading.Thread(target=work, args=(rand.randrange(1000),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(itertools.chain(results)) == [[1, 2, 3]] * 18
