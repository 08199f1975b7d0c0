"""Exceptions thrown in and out, cancellation, timeouts, close(), deallocation: with C frames in between."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import operator
import sys
import types
import weakref
from typing import Any

import pytest
from cframes_tools import (
    as_if_awaited_through_c,
    by_c,
    by_stack,
    event_loop,
    needs_c_frames,
    slices,
    suspended_by_c,
    waiting,
    waiting_by_c,
)
from core_tools import below, describe, failing, finish, host_of, outcome, passes, pause, step

from ohwait import _core, ohwait

pytestmark = needs_c_frames

call, reduce = operator.call, functools.reduce


# ---- exceptions ----


@as_if_awaited_through_c
def test_tracebacks_through_c() -> object:
    async def plain_inner() -> None:
        await failing(KeyError("inner"))

    async def plain_outer() -> None:
        try:
            await plain_inner()
        except KeyError as error:
            raise ValueError("outer") from error

    async def host() -> None:
        await plain_outer()

    return outcome(host()), outcome(host(), OSError("thrown in"))


@as_if_awaited_through_c
def test_exceptions_caught_at_each_level() -> object:
    log: list[object] = []

    async def plain_level(depth: int) -> int:
        try:
            if depth == 0:
                return await pause("deep")
            return await plain_level(depth - 1) + 1
        except ValueError as error:
            log.append((depth, str(error), sys.exc_info()[1] is error))
            await pause(depth)
            if depth < 2:
                raise
            return depth
        finally:
            log.append(("finally", depth, type(sys.exc_info()[1]).__name__))

    async def host() -> int:
        return await plain_level(4)

    return [outcome(host(), ValueError("thrown"), KeyError("into the handler")), outcome(host(), ValueError("again")), log]


@as_if_awaited_through_c
def test_groups_of_exceptions() -> object:
    async def plain_failing(n: int) -> None:
        await pause(n)
        raise ExceptionGroup("group", [ValueError(n), KeyError(n)])

    async def plain_handling() -> object:
        caught: list[object] = []
        try:
            await plain_failing(1)
        except* ValueError as group:
            await pause("handling")
            caught.append([str(error) for error in group.exceptions])
        except* KeyError as group:
            caught.append([str(error) for error in group.exceptions])
        return caught

    async def host() -> object:
        return await plain_handling()

    return outcome(host())


def test_what_is_thrown_in_is_the_same_object() -> None:
    error = KeyError("this one")
    coroutine = suspended_by_c()
    with pytest.raises(KeyError) as caught:
        coroutine.throw(error)
    assert caught.value is error
    assert error.__context__ is None
    names = [entry.name for entry in caught.traceback]
    assert names[-1] == "waiting" or "pause" in names
    assert names.count("<lambda>") >= 2
    error.__traceback__ = None


def test_an_exception_that_is_handled_below_a_c_function_while_it_waits() -> None:
    def inner() -> object:
        try:
            raise ValueError("inner")
        except ValueError as error:
            assert waiting_by_c(2) == 2
            assert sys.exc_info()[1] is error
            assert isinstance(error.__context__, KeyError)
        return sys.exc_info()[1]

    async def host() -> object:
        try:
            raise KeyError("outer")
        except KeyError as error:
            assert by_c(inner) is error
            assert sys.exc_info()[1] is error
        return sys.exc_info()[1]

    coroutines = [host() for _ in range(3)]
    for coroutine in coroutines:
        assert coroutine.send(None) == 2
        assert sys.exc_info() == (None, None, None)
    for coroutine in coroutines:
        assert finish(coroutine, [2]) is None
        assert sys.exc_info() == (None, None, None)


# ---- close() and deallocation ----


def test_close_runs_finally_blocks_on_both_sides_of_c() -> None:
    log: list[str] = []

    def level(depth: int) -> None:
        try:
            waiting_by_c() if depth == 0 else by_c(lambda: level(depth - 1))
        finally:
            log.append(f"level {depth}")

    coroutine = host_of(lambda: level(3))
    coroutine.send(None)
    coroutine.close()
    assert log == ["level 0", "level 1", "level 2", "level 3"]
    assert coroutine.cr_frame is None


def test_waiting_in_finally_while_it_is_closed() -> None:
    log: list[str] = []

    def plain() -> None:
        try:
            waiting_by_c()
        finally:
            log.append("finally")
            waiting_by_c()
            log.append("went on")

    coroutine = host_of(lambda: by_c(plain))
    coroutine.send(None)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        coroutine.close()
    assert log == ["finally"]
    assert step(coroutine.send, None)[1]["type"] == "GeneratorExit"
    assert log == ["finally", "went on"]


def test_close_at_every_wait_of_a_c_function_releases_what_it_held() -> None:
    class Item:
        pass

    for at in range(1, 5):
        items = [Item() for _ in range(4)]
        references = [weakref.ref(item) for item in items]

        def key(item: Item) -> int:
            waiting()
            return id(item)

        coroutine = host_of(lambda items=items: sorted(iter(items), key=key))
        for _ in range(at):
            coroutine.send(None)
        coroutine.close()
        del coroutine, items
        gc.collect()
        assert [reference() for reference in references] == [None] * 4


def test_dropped_coroutines_unwind_their_c_frames() -> None:
    log: list[int] = []

    def key(n: int) -> int:
        try:
            return waiting(n)
        except GeneratorExit:
            log.append(n)
            raise

    alive = slices()
    for depth in (0, 5, 100):
        coroutine = host_of(lambda depth=depth: below(depth, lambda: sorted([depth], key=key)))
        coroutine.send(None)
        assert slices()[0] == alive[0] + 1
        held = [coroutine]
        del coroutine
        below(60 if depth == 5 else 0, held.clear)
        gc.collect()
        assert slices() == alive
    assert log == [0, 5, 100]


def test_a_cycle_of_a_coroutine_and_its_c_frames_is_broken_by_close() -> None:
    class Node:
        def __init__(self) -> None:
            self.other: Any = None

    node = Node()
    node.other = host_of(lambda: next(map(lambda n: (waiting(), n), [node])))
    node.other.send(None)
    reference = weakref.ref(node)
    for _ in range(3):
        gc.collect()
    assert node.other.cr_frame is not None
    node.other.close()
    del node
    gc.collect()
    assert reference() is None


def test_an_error_raised_by_cleaning_up() -> None:
    def plain() -> None:
        try:
            waiting_by_c()
        finally:
            raise LookupError("in finally")

    coroutine = host_of(lambda: by_c(plain))
    coroutine.send(None)
    with pytest.raises(LookupError) as caught:
        coroutine.close()
    assert isinstance(caught.value.__context__, GeneratorExit)


@pytest.mark.parametrize("kind", ["coroutine", "async generator", "generator-based"])
def test_every_kind_of_host(kind: str) -> None:
    log: list[str] = []

    def plain(n: int) -> int:
        try:
            return sorted([n, n + 1], key=waiting)[0]
        finally:
            log.append(f"finally {n}")

    async def coroutine() -> list[int]:
        return [plain(1), plain(2)]

    async def generator() -> Any:
        yield plain(1)
        yield plain(2)

    async def through_generator() -> list[int]:
        return [n async for n in generator()]

    @types.coroutine
    def generator_based() -> Any:
        result = [plain(1)]
        yield 0
        return [*result, plain(2)]

    made = {"coroutine": coroutine, "async generator": through_generator, "generator-based": generator_based}
    seen = outcome(made[kind](), 1, 2, 2, 3, 0) if kind != "generator-based" else outcome(made[kind](), 1, 2, 0, 2, 3)
    assert seen[-1] == ("return", [1, 2])
    assert log == ["finally 1", "finally 2"]
    log.clear()
    coroutine_closed = made[kind]()
    coroutine_closed.send(None)
    coroutine_closed.close()
    assert log == ["finally 1"]


# ---- event loops ----


@event_loop
def test_cancellation_that_cleans_up_by_waiting() -> None:
    log: list[Any] = []

    def key(n: int) -> int:
        try:
            ohwait(asyncio.sleep(10))
        except asyncio.CancelledError as error:
            ohwait(asyncio.sleep(0.001))
            log.append((n, str(error)))
            raise
        return n

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(host_of(lambda n=n: sorted([n, 0], key=key))) for n in range(10)]
        await asyncio.sleep(0.001)
        for task in tasks:
            task.cancel(f"task {tasks.index(task)}")
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(main())
    assert [type(result) for result in results] == [asyncio.CancelledError] * 10
    assert sorted(log) == [(n, f"task {n}") for n in range(10)]


@event_loop
def test_cancellation_that_is_swallowed_below_c() -> None:
    def stubborn(n: int) -> str:
        try:
            ohwait(asyncio.sleep(10))
        except asyncio.CancelledError:
            return f"{n} went on"
        return "not cancelled"

    async def main() -> Any:
        task = asyncio.create_task(host_of(lambda: list(map(stubborn, [1, 2]))))
        for _ in range(2):
            await asyncio.sleep(0.001)
            task.cancel()
        return await task

    assert asyncio.run(main()) == ["1 went on", "2 went on"]


@event_loop
@pytest.mark.parametrize("how", ["timeout", "wait_for", "TaskGroup"])
def test_timeouts_and_groups(how: str) -> None:
    log: list[str] = []

    def key(n: int) -> int:
        try:
            ohwait(asyncio.sleep(10))
        finally:
            log.append("left")
        return n

    async def slow() -> Any:
        return sorted([2, 1], key=key)

    async def main() -> str:
        if how == "timeout":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.001):
                    sorted([2, 1], key=key)
        elif how == "wait_for":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(slow(), 0.001)
        else:
            with contextlib.suppress(ExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    group.create_task(slow())
                    group.create_task(failing_soon())
        return "ended"

    async def failing_soon() -> None:
        await asyncio.sleep(0.001)
        raise ValueError

    assert asyncio.run(main()) == "ended"
    assert log == ["left"]


@event_loop
def test_a_timeout_started_inside_a_c_function() -> None:
    async def within(seconds: float) -> str:
        try:
            async with asyncio.timeout(seconds):
                waited = [str(ohwait(asyncio.sleep(each, each))) for each in (0, 10)]
        except TimeoutError:
            return "too late"
        return waited[0]

    async def main() -> list[str]:
        return list(map(lambda seconds: ohwait(within(seconds)), [0.001, 0.002]))

    assert asyncio.run(main()) == ["too late", "too late"]


@event_loop
def test_tasks_left_when_the_loop_ends() -> None:
    log: list[str] = []

    def key(n: int) -> int:
        try:
            ohwait(asyncio.sleep(100))
        finally:
            log.append("unwound")
        return n

    async def main() -> None:
        main.tasks = [asyncio.create_task(host_of(lambda: sorted([1], key=key))) for _ in range(5)]  # type: ignore
        await asyncio.sleep(0)

    asyncio.run(main())
    del main.tasks  # type: ignore[attr-defined]
    assert log == ["unwound"] * 5


@pytest.mark.unrepeatable("a process of its own")
@pytest.mark.parametrize("kept", ["global", "cycle", "thread", "exit in C"])
def test_the_interpreter_ends_while_chains_are_suspended(kept: str) -> None:
    printed = passes(
        f"""
        import atexit, sys, threading, types
        from ohwait import ohwait

        @types.coroutine
        def pause(): yield 1

        def key(n):
            try:
                ohwait(pause())
            except BaseException as error:
                print("left by", type(error).__name__)
                raise
            return n

        async def host(): return sorted([1, 2], key=key)

        def suspended():
            made = host()
            made.send(None)
            return made

        kept = {kept!r}
        if kept == "global":
            forever = [suspended() for _ in range(3)]
        elif kept == "cycle":
            class Node: pass
            node = Node(); node.own = node; node.coroutine = suspended()
            sys.modules["node"] = node
            del node
        elif kept == "thread":
            held = []
            thread = threading.Thread(target=lambda: held.append(suspended()))
            thread.start(); thread.join()
        else:
            async def leaving(): return sorted([1], key=lambda n: (ohwait(pause()), sys.exit(0)))
            coroutine = leaving(); coroutine.send(None)
            forever = suspended()
            print("started")
            coroutine.send(None)
        print("started")
        """
    )
    assert printed.startswith("started\n")


def test_the_stack_path_was_taken_for_what_is_tested_here() -> None:
    before = by_stack()
    suspended_by_c().close()
    assert by_stack() == before + 1
    assert describe(None) is None and _core.counters()["alive"] == 0
