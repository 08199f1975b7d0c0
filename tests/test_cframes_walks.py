"""Whoever walks the stack, or collects garbage, at any moment: debuggers, profilers, faulthandler, other threads."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import inspect
import io
import itertools
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from cframes_tools import at_some_depth, by_c, event_loop, needs_c_frames, suspended_by_c, waiting, waiting_by_c
from core_tools import below, finish, function_names, host_of, passes, pause

from ohwait import ohwait

pytestmark = needs_c_frames


def walk(frame: FrameType | None) -> list[tuple[str, int | None, int]]:
    """Everything that a debugger reads of each frame."""
    found = []
    while frame is not None:
        assert frame.f_code.co_filename and isinstance(frame.f_globals, dict) and frame.f_builtins
        assert dict(frame.f_locals) is not None
        found.append((frame.f_code.co_name, frame.f_lineno, frame.f_lasti))
        frame = frame.f_back
    return found


def everything() -> list[str]:
    """The stack in all the ways to read it; the functions' names, innermost first, without this one."""
    names = function_names(sys._getframe(1), "")
    assert [entry.function for entry in inspect.stack(0)][1:] == names
    assert [entry.name for entry in traceback.extract_stack()][::-1][1:] == names
    assert [name for name, _, _ in walk(sys._getframe(1))] == names
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file, all_threads=False)
        file.seek(0)
        dumped = [line.split(" in ")[1].strip() for line in file if " in " in line]
    assert dumped[1 : 1 + len(names)] == names[:99][: len(dumped) - 1]
    traceback.print_stack(file=io.StringIO())
    frames = sys._current_frames()
    assert function_names(frames[threading.get_ident()], "")[1:] == names
    return names


def test_every_walk_inside_a_slice_at_each_moment(rand: Any) -> None:
    def key(n: int) -> int:
        before = everything()
        waiting(n)
        after = everything()
        own = before.index("host")
        assert after[: own + 1] == before[: own + 1]
        return -n

    async def host() -> list[int]:
        return sorted([1, 2, 3], key=lambda n: next(map(key, [n])))

    for _ in range(10):
        coroutine = host()
        with contextlib.suppress(StopIteration):
            while True:
                at_some_depth(rand, lambda: coroutine.send(None))
                everything()


def test_frames_of_a_suspended_slice_can_be_read() -> None:
    kept: list[FrameType] = []

    def key(n: int) -> int:
        kept.append(sys._getframe())
        local = [n]
        waiting(n)
        return local[0]

    async def host() -> list[int]:
        return sorted([7, 5], key=key)

    coroutine = host()
    coroutine.send(None)
    (frame,) = kept
    lineno = frame.f_lineno
    assert frame.f_locals["n"] == 7 and frame.f_locals["local"] == [7]
    assert frame.f_code.co_name == "key"
    names = [name for name, _, _ in walk(frame)]
    assert names[0] == "key" and set(names) <= {"key", "host"}
    with pytest.raises(RuntimeError, match=r"executing|suspended"):
        frame.clear()
    assert finish(coroutine) == [5, 7]
    assert frame.f_back is None or frame.f_back.f_code.co_name != "nobody"
    assert [each.f_locals["local"] for each in kept] == [[7], [5]]
    assert frame.f_lineno == lineno + 1
    frame.clear()


def test_frames_outlive_a_slice_that_is_closed() -> None:
    kept: list[FrameType] = []

    def deep(n: int) -> object:
        if n:
            return next(map(deep, [n - 1]))
        kept.extend(frame for frame, *_ in inspect.stack(0) if frame.f_code.co_name == "deep")
        return waiting()

    coroutine = host_of(lambda: deep(5))
    coroutine.send(None)
    coroutine.close()
    assert [frame.f_locals["n"] for frame in kept] == list(range(6))
    for frame in kept:
        walk(frame)
        frame.clear()


def test_generators_of_the_slice_are_shown_as_running() -> None:
    def numbers() -> Any:
        yield waiting(1)

    generator = numbers()
    coroutine = host_of(lambda: list(generator))
    coroutine.send(None)
    assert inspect.getgeneratorstate(generator) == inspect.GEN_RUNNING
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_SUSPENDED
    assert generator.gi_frame.f_code.co_name == "numbers"
    walk(generator.gi_frame)
    assert finish(coroutine, [1]) == [1]
    assert inspect.getgeneratorstate(generator) == inspect.GEN_CLOSED


def test_what_a_suspended_host_shows() -> None:
    async def host() -> object:
        return [0, 0, 0, waiting_by_c()][3]  # With room on its value stack; see "landing_slots".

    coroutine = host()
    coroutine.send(None)
    assert coroutine.cr_await is not None and not coroutine.cr_running
    assert coroutine.cr_frame.f_code.co_name == "host"
    assert coroutine.cr_frame.f_back is None
    repr(coroutine.cr_await), gc.get_referents(coroutine.cr_await), gc.get_referrers(coroutine.cr_await)
    coroutine.close()


@event_loop
def test_tasks_print_their_stacks() -> None:
    async def one() -> Any:
        return sorted([2, 1], key=lambda n: ohwait(asyncio.sleep(0.001, n)))

    async def main() -> None:
        tasks = [asyncio.create_task(one()) for _ in range(5)]
        for _ in range(5):
            await asyncio.sleep(0)
            for task in asyncio.all_tasks():
                task.print_stack(file=io.StringIO())
                walk(task.get_stack()[-1])
                graph = getattr(asyncio, "format_call_graph", None)
                if graph is not None:
                    assert "Task" in graph(task)
        assert await asyncio.gather(*tasks) == [[1, 2]] * 5

    asyncio.run(main())


@contextlib.contextmanager
def in_another_thread(work: Any) -> Iterator[list[int]]:
    """Does `work` over and over meanwhile, switching threads as often as can be; yields how often."""
    stop, count, errors = threading.Event(), [0], []

    def loop() -> None:
        try:
            while not stop.is_set():
                work()
                count[0] += 1
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=loop)
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        yield count
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert not errors, errors


def walk_all_threads() -> None:
    for frame in sys._current_frames().values():
        walk(frame)


def collect_garbage() -> None:
    gc.collect(1)


def dump_all_threads() -> None:
    with tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)


@pytest.mark.unrepeatable("threads")
@pytest.mark.parametrize("work", [walk_all_threads, collect_garbage, dump_all_threads])
def test_another_thread_looks_all_the_time(work: Any, rand: Any) -> None:
    def key(n: int) -> int:
        for _ in range(2):
            by_c(lambda: waiting_by_c(n))
        return -n

    with in_another_thread(work) as count:
        for _ in range(1000):
            coroutines = [host_of(lambda: sorted([1, 2, 3], key=key)) for _ in range(4)]
            for coroutine in coroutines:
                at_some_depth(rand, lambda: coroutine.send(None))
            for coroutine in coroutines:
                assert at_some_depth(rand, lambda: finish(coroutine)) == [3, 2, 1]
            if count[0] > 20:
                break
    assert count[0] > 0


@pytest.mark.unrepeatable("signals")
def test_signal_handlers_at_any_moment() -> None:
    """They run between two instructions, and look around; one may wait itself, where a coroutine is below it."""
    seen: list[int] = []

    busy: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        if not busy:  # Slow builds are interrupted in the handler again.
            busy.append(number)
            seen.append(len(walk(frame)))
            busy.clear()

    def key(n: int) -> int:
        return waiting_by_c(n)

    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        for _ in range(3000):
            assert finish(host_of(lambda: sorted([3, 1, 2], key=key)), [None, 3, 1, 2]) == [1, 2, 3]
            if len(seen) > 20:
                break
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert seen


@event_loop
@pytest.mark.parametrize("when", ["suspended", "inside"])
def test_interrupts_come_where_the_program_is(when: str) -> None:
    """KeyboardInterrupt raised while the loop runs reaches what runs then, and the slices are unwound."""
    log: list[str] = []

    def key(n: int) -> int:
        try:
            if when == "inside" and n == 2:
                signal.raise_signal(signal.SIGINT)
            ohwait(asyncio.sleep(10 if when == "suspended" else 0))
        except BaseException as error:
            log.append(type(error).__name__)
            raise
        return n

    async def main() -> Any:
        if when == "suspended":
            asyncio.get_running_loop().call_later(0.001, signal.raise_signal, signal.SIGINT)
        return sorted([1, 2], key=key)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert log in (["CancelledError"], ["KeyboardInterrupt"])


def test_objects_that_the_collector_shows_can_be_looked_at() -> None:
    """gc.get_objects() while slices are suspended, started and ended."""
    coroutines = [suspended_by_c(n) for n in range(5)]
    for coroutine in coroutines:
        for thing in gc.get_objects(generation=0):
            gc.get_referents(thing)
            if inspect.isframe(thing):
                walk(thing)
        below(30, coroutine.close)
        gc.collect()


def test_a_callback_of_the_collector_that_looks_around() -> None:
    depths: list[int] = []

    def callback(phase: str, information: object) -> None:
        depths.append(len(walk(sys._getframe())))

    gc.callbacks.append(callback)
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        coroutines = [host_of(lambda: list(map(waiting, range(5)))) for _ in range(5)]
        for coroutine in coroutines:
            assert coroutine.send(None) == 0
        for coroutine in coroutines:
            assert finish(coroutine, range(5)) == [0, 1, 2, 3, 4]
    finally:
        gc.callbacks.remove(callback)
        gc.set_threshold(*threshold)
    assert depths


def test_waiting_in_a_callback_of_the_collector() -> None:
    """A finalizer run by the collector: it may be refused, and must not do harm."""
    passes(
        """
        import gc
        from cframes_tools import waiting
        from core_tools import host_of
        import ohwait

        results = []

        class Node:
            def __init__(self): self.own = self
            def __del__(self):
                try: results.append(waiting("finalizer"))
                except ohwait.OhwaitError as error: results.append(type(error).__name__)

        def plain():
            Node()
            gc.collect()
            return "done"

        for _ in range(20):
            coroutine, came = host_of(plain), None
            try:
                while True:
                    came = coroutine.send(came)
                    gc.collect()
            except StopIteration as stop:
                assert stop.value == "done"
        assert set(results) <= {"finalizer", "CFunctionError"} and len(results) == 20, results
        """
    )


def test_frames_in_tracebacks_of_exceptions_kept_from_inside() -> None:
    kept: list[BaseException] = []

    def key(n: int) -> int:
        try:
            raise ValueError(n)
        except ValueError as error:
            kept.append(error)
            waiting()
        return n

    coroutine = host_of(lambda: sorted([2, 1], key=key))
    for _ in range(2):
        coroutine.send(None)
        for error in kept:
            assert "in key" in "".join(traceback.format_exception(error))
            assert traceback.TracebackException.from_exception(error, capture_locals=True).stack
    assert finish(coroutine) == [1, 2]
    for error in itertools.chain(kept):
        walk(error.__traceback__.tb_frame)  # type: ignore[union-attr]
        error.__traceback__ = None


def test_pausing_directly_and_below_c_in_turn() -> None:
    def plain(n: int) -> list[Any]:
        return [ohwait(pause(n)), waiting_by_c(n), below(3, lambda: waiting(n)), by_c(lambda: below(3, waiting_by_c))]

    coroutine = host_of(lambda: plain(1))
    names = function_names(sys._getframe(), "")
    for value in (None, "a", "b", "c"):
        coroutine.send(value)
        assert function_names(sys._getframe(), "") == names
    assert finish(coroutine, ["d"]) == ["a", "b", "c", "d"]
