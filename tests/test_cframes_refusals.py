"""A resumption that cannot be: the coroutine, and all that await it, wait on as if nobody had tried."""

# ruff: noqa: C417 - what C functions call is the point
from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest
from cframes_tools import by_c, event_loop, needs_c_frames, slices, suspended_by_c, waiting, waiting_by_c
from core_tools import below, finish, host_of, passes, passes_or_skips, pause

import ohwait as package
from ohwait import _core, ohwait

pytestmark = needs_c_frames
OLD = sys.version_info < (3, 12)
ENDS_OUTER = "a known gap (NOTES.md): on CPython 3.11 throw() and close() elsewhere end coroutines that await the host"
leaves_outer = pytest.mark.skipif(OLD, reason=ENDS_OUTER)


def elsewhere(function: Any, *args: Any) -> Any:
    """What it raises when called in another thread, without its traceback."""
    errors: list[BaseException] = []

    def call() -> None:
        try:
            function(*args)
        except BaseException as error:
            error.__traceback__ = error.__context__ = None
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return errors[0] if errors else None


WAYS = {
    "send": lambda coroutine: coroutine.send(1),
    "throw": lambda coroutine: coroutine.throw(KeyError("elsewhere")),
    "throw GeneratorExit": lambda coroutine: coroutine.throw(GeneratorExit),
    "close": lambda coroutine: coroutine.close(),
}


# ---- coroutines that await the host ----


async def outer(depth: int, seen: list[str], inner: Any) -> Any:
    try:
        return [depth, await (outer(depth - 1, seen, inner) if depth else inner)]
    except BaseException as error:
        seen.append(f"{depth} {type(error).__name__}")
        raise
    finally:
        seen.append(f"{depth} left")


async def roomy() -> Any:
    """Unlike host_of() it has room for SEND on its stack: it is seen awaiting on 3.15, too."""
    first, *others = map(waiting, ["kept"])
    return [first, *others][0]


@pytest.mark.parametrize("depth", [0, 1, 4])
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("make", [roomy, lambda: host_of(waiting_by_c)], ids=["roomy", "tight"])
def test_coroutines_that_await_each_other_all_wait_on(how: str, depth: int, make: Any) -> None:
    if OLD and how != "send":
        pytest.skip(ENDS_OUTER)
    seen: list[str] = []
    coroutine = outer(depth, seen, make())
    coroutine.send(None)
    awaited = coroutine.cr_await
    for _ in range(3):
        error = elsewhere(WAYS[how], coroutine)
        assert isinstance(error, package.OhwaitError), error
        assert "same thread" in str(error)
        assert seen == []
        assert coroutine.cr_await is awaited
        assert coroutine.cr_frame.f_code is outer.__code__
        assert not coroutine.cr_running
    result = finish(coroutine, ["here"])
    for level in range(depth, -1, -1):
        assert result[0] == level
        result = result[1]
    assert result == "here"
    assert seen == [f"{level} left" for level in range(depth + 1)]


@leaves_outer
def test_afterwards_an_exception_takes_its_course_at_home() -> None:
    seen: list[str] = []
    coroutine = outer(2, seen, host_of(waiting_by_c))
    coroutine.send(None)
    assert isinstance(elsewhere(coroutine.throw, KeyError("elsewhere")), package.OhwaitError)
    with pytest.raises(KeyError, match="here"):
        coroutine.throw(KeyError("here"))
    assert seen == ["0 KeyError", "0 left", "1 KeyError", "1 left", "2 KeyError", "2 left"]


@leaves_outer
def test_the_middle_of_an_expression_and_of_blocks() -> None:
    """What the outer coroutine has on its stack, and where its exceptions would be handled, is what it was."""

    async def busy(inner: Any) -> Any:
        found = []
        with contextlib.ExitStack() as stack:
            stack.callback(found.append, "left")
            for name in ("a", "b"):
                try:
                    found.append([name, {"key": (1, 2, f"{name}{await inner if name == 'a' else 0}", 3)}])
                except package.OhwaitError:
                    found.append("refused")
        return found

    coroutine = busy(host_of(waiting_by_c))
    coroutine.send(None)
    for how in ("throw", "close"):
        assert isinstance(elsewhere(WAYS[how], coroutine), package.OhwaitError)
        gc.collect()
    assert finish(coroutine, ["here"]) == [
        ["a", {"key": (1, 2, "ahere", 3)}],
        ["b", {"key": (1, 2, "b0", 3)}],
        "left",
    ]


@leaves_outer
def test_generators_and_generator_based_coroutines_in_between() -> None:
    @types.coroutine
    def based(inner: Any) -> Iterator[Any]:
        return (yield from inner)

    def plain(inner: Any) -> Iterator[Any]:
        result = yield from inner
        return ["plain", result]

    made = based(plain(based(host_of(waiting_by_c))))
    next(made)
    for how in ("throw", "close", "throw GeneratorExit"):
        assert isinstance(elsewhere(WAYS[how], made), package.OhwaitError)
    assert finish(made, ["here"]) == ["plain", "here"]


@leaves_outer
def test_in_another_greenlet_too() -> None:
    passes_or_skips(
        """
try:
    import greenlet
except ImportError as error:
    from core_tools import skip
    skip(str(error))
import ohwait
from cframes_tools import waiting_by_c
from core_tools import finish, host_of

async def outer(inner):
    return [await inner]

def attempt(function, *args):
    try:
        function(*args)
    except ohwait.OhwaitError as error:
        assert "greenlet" in str(error), error
        return "refused"

coroutine = outer(outer(host_of(waiting_by_c)))
coroutine.send(None)
for _ in range(3):
    for way in ((coroutine.send, 1), (coroutine.throw, KeyError("elsewhere")), (coroutine.close,)):
        assert greenlet.greenlet(attempt).switch(*way) == "refused"
assert finish(coroutine, ["here"]) == [["here"]]
"""
    )


@leaves_outer
def test_at_random(rand: Any) -> None:
    assert int(passes("refusals_at_random.py", str(rand.randrange(10**6)), "800")) > 100


def test_dropped_elsewhere_all_are_lost_and_nothing_crashes() -> None:
    """Natively nothing ends coroutines that nobody has but what they wait for; here their C functions cannot return."""
    printed = passes(
        """
        import gc, sys, threading
        from cframes_tools import waiting_by_c
        from core_tools import host_of
        import ohwait

        async def outer(depth, inner):
            return await (outer(depth - 1, inner) if depth else inner)

        unraisable = []
        sys.unraisablehook = lambda told: unraisable.append(told.exc_type)
        for depth in (0, 1, 3):
            kept = [outer(depth, host_of(waiting_by_c))]
            kept[0].send(None)
            thread = threading.Thread(target=kept.clear)
            thread.start(); thread.join()
            gc.collect()
        assert ohwait.stats().slices_lost == 3, ohwait.stats()
        assert set(unraisable) == {ohwait.OhwaitError}, unraisable
        print("alive")
        """
    )
    assert printed == "alive\n"


def test_an_asynchronous_generator_waits_on_but_its_asend_object_ends() -> None:
    """As CPython does with whatever exception asend() raises."""

    async def generator() -> Any:
        yield next(map(waiting, [1]))
        yield 2

    made = generator()
    step = made.asend(None)
    assert step.send(None) == 1
    assert isinstance(elsewhere(step.send, 3), package.OhwaitError)
    with pytest.raises(RuntimeError, match="cannot reuse"):
        step.send(4)
    assert finish(made.asend(None), [5]) == 5
    finish(made.aclose())


@event_loop
@pytest.mark.parametrize("task", [asyncio.tasks.Task, asyncio.tasks._PyTask])  # type: ignore[attr-defined]
def test_a_task_of_a_loop_in_another_thread(task: Any) -> None:
    coroutine = suspended_by_c("kept")

    async def main() -> Any:
        return await task(coroutine)

    assert isinstance(elsewhere(asyncio.run, main()), package.OhwaitError)
    assert finish(coroutine, ["here"]) == "here"


# ---- driven from C first, by a `for` statement later ----


@types.coroutine
def based(count: int) -> Iterator[Any]:
    """Waits `count` times below C, and yields by itself afterwards."""
    result = sorted(range(count, 0, -1), key=lambda n: [n, waiting(n)][0])
    yield "after"
    return result


@types.coroutine
def tight(count: int) -> Iterator[Any]:
    """The same with too little room on its stack for SEND (3.15)."""
    return in_order(count)
    yield


def in_order(count: int) -> list[int]:
    return sorted(range(count, 0, -1), key=lambda n: [n, waiting(n)][0])


@types.coroutine
def around(inner: Any) -> Iterator[Any]:
    result = yield from inner
    yield "around"
    return result


def looped(generator: Any) -> list[Any]:
    found = []
    for value in generator:
        found.append(value)
    return found


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("depth", [0, 1, 30])
@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_for_statement_goes_on_with_what_c_code_has_started(first: int, depth: int, wrapped: bool) -> None:
    for _ in range(20):  # until the loop is specialised
        generator = around(based(3)) if wrapped else based(3)
        came = [next(generator) for _ in range(first)]
        came += below(depth, lambda generator=generator: looped(generator)) if depth else looped(generator)
        assert came == [3, 2, 1, "after", *(["around"] if wrapped else [])]


def test_a_for_statement_that_ends_early_and_one_that_goes_on() -> None:
    for _ in range(20):
        generator = based(2)
        came = [next(generator)]
        for value in generator:
            came.append(value)
            if value == 1:
                break
        came += [*generator]
        assert came == [2, 1, "after"]


@pytest.mark.parametrize(
    "drive",
    [
        looped,
        lambda generator: [value for value in generator],  # noqa: C416
        lambda generator: [*(value for value in generator)],
        lambda generator: sum(([value] for value in generator), []),  # noqa: RUF017
    ],
    ids=["statement", "comprehension", "generator expression", "below C"],
)
def test_whatever_kind_of_loop_and_however_little_room(drive: Any) -> None:
    for _ in range(20):
        for make, rest in ((tight, [2, 1]), (based, [2, 1, "after"])):
            generator = make(3)
            assert next(generator) == 3
            assert drive(generator) == rest


def test_exceptions_reach_the_function_with_the_for_statement() -> None:
    @types.coroutine
    def failing() -> Iterator[Any]:
        yield next(map(lambda n: 1 // waiting(n), [0]))

    def drive() -> str:
        generator = failing()
        next(generator)
        try:
            looped(generator)
        except TypeError as error:
            return str(error)
        return "nothing raised"

    assert {drive() for _ in range(20)} == {"unsupported operand type(s) for //: 'int' and 'NoneType'"}


def test_a_for_statement_on_another_thread_leaves_it_suspended() -> None:
    for _ in range(10):
        for generator in (based(2), around(based(2))):
            next(generator)
            for _ in range(3):
                error = elsewhere(looped, generator)
                assert isinstance(error, package.OhwaitError)
                assert "same thread" in str(error)
            assert looped(generator)[:2] == [1, "after"]


@pytest.mark.skipif(OLD, reason="CPython 3.11 runs generators of a for loop through C")
def test_waiting_below_c_for_the_first_time_in_a_for_statement_is_refused_at_the_call() -> None:
    with pytest.raises(package.CFunctionError, match="driven by other means than await, in the same interpreter loop"):
        for _ in range(20):
            looped(based(2))


@pytest.mark.unrepeatable("tracing")
def test_a_for_statement_while_somebody_traces() -> None:
    events: list[str] = []

    def trace(frame: types.FrameType, event: str, argument: object) -> Any:
        events.append(f"{frame.f_code.co_name} {event}")
        return trace

    for _ in range(20):
        generator = based(2)
        next(generator)
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            came = looped(generator)
        finally:
            sys.settrace(before)
        assert came == [1, "after"]
    assert "looped call" in events
    assert not [event for event in events if event.startswith(("_resume", "ohwait"))]


# ---- no memory ----


@pytest.mark.skipif(OLD, reason="a known gap (NOTES.md): throw() without memory ends the host on 3.11")
@pytest.mark.unrepeatable("it runs in a process of its own")
@pytest.mark.skipif(importlib.util.find_spec("_testcapi") is None, reason="needs _testcapi.set_nomemory")
def test_without_memory_the_host_waits_on() -> None:
    printed = passes("nomemory_c_frames.py", "40").split()
    assert "('begun','raise')" in "".join(printed)
    for scenario in ("run", "thrown", "closed"):
        assert f"('{scenario}', 'refused')".replace(" ", "") in "".join(printed)


# ---- before anything is started ----


def test_too_many_suspended_calls_in_each_chunk_of_the_data_stack() -> None:
    """What has to be copied of each chunk is counted before the awaitable is started and any frame is touched."""

    def waits(kept: list[Any], levels: int) -> Any:
        if levels == 0:
            kept.append(pause(3))
            return by_c(lambda: ohwait(kept[-1]))
        kept.append(host_of(waiting_by_c))
        kept[-1].send(None)
        return below(150, lambda: waits(kept, levels - 1))

    heights = _core.data_stack(), _core.recursion_left()
    suspended, refused = 0, 0
    for levels in range(7):
        kept: list[Any] = []
        coroutine = host_of(lambda kept=kept, levels=levels: waits(kept, levels))
        try:
            coroutine.send(None)
        except package.CFunctionError as error:
            assert "too many suspended calls share its part of the data stack" in str(error)
            assert kept.pop().gi_frame is None
            refused += 1
        else:
            assert finish(coroutine, [5]) == 5
            kept.pop()
            suspended += 1
        for other in kept:
            other.close()
        assert heights == (_core.data_stack(), _core.recursion_left())
    assert suspended >= 4
    assert refused >= 1


# ---- the rehearsal ----


def test_the_exchange_of_stacks_is_rehearsed_and_nothing_is_lost() -> None:
    alive = slices()
    for depth in (0, 30):
        assert [*map(lambda _: below(depth, lambda: _core.rehearse(False)), "abc")] == [None] * 3
    assert slices() == alive


def test_a_rehearsal_that_fails_switches_the_path_off() -> None:
    printed = passes(
        """
        from cframes_tools import waiting_by_c
        from core_tools import finish, host_of
        import ohwait
        from ohwait import _core

        going = host_of(waiting_by_c)
        assert going.send(None) is None
        failed = _core.rehearse(True)
        assert failed.startswith("its self-test has failed: "), failed
        assert "registers" in failed
        assert _core.c_frames_status() == failed
        try:
            host_of(waiting_by_c).send(None)
        except ohwait.CFunctionError as error:
            assert f"Its C frames cannot be set aside: {failed}." in str(error), error
        else:
            raise AssertionError("suspended all the same")
        assert finish(going, ["what is suspended already goes on"])
        assert _core.rehearse(False) is None
        assert _core.c_frames_status() == failed
        print("alive")
        """
    )
    assert printed == "alive\n"


def test_in_a_thread_with_a_small_stack() -> None:
    size = threading.stack_size(256 * 1024)
    try:
        assert elsewhere(lambda: _core.rehearse(False)) is None
    finally:
        threading.stack_size(size)
    assert _core.c_frames_status() is None
