"""The numbered invariants of NOTES.md, a test or more for each; OHWAIT_DEBUG builds (csrc/check.c) assert them too."""

from __future__ import annotations

import gc
import importlib.util
import sys
import threading
import types
import warnings
import weakref

import pytest
from core_tools import (
    as_if_awaited,
    below,
    drive,
    finish,
    function_names,
    host_of,
    outcome,
    passes,
    pause,
    ready,
    start,
    step,
)

from ohwait import CFunctionError, NoCoroutineError, _core, ohwait


class Thing:
    """Can be weakly referenced."""


@pytest.mark.unrepeatable("a process of its own")
@pytest.mark.skipif(importlib.util.find_spec("_testcapi") is None, reason="this CPython has no _testcapi module")
def test_i1_all_or_nothing_when_memory_runs_out() -> None:
    """Each allocation fails in turn: MemoryError, nothing lost, all `finally` blocks run."""
    assert int(passes("nomemory.py", "80")) > 10


def test_i1_a_chain_is_lifted_and_spliced_as_a_whole() -> None:
    def count() -> tuple[int, int, int]:
        counters = _core.counters()
        return counters["lifted"], counters["spliced"], counters["cleared"]

    lifted, spliced, cleared = count()
    host = start(host_of(lambda: below(9, lambda: ohwait(pause()) or ohwait(pause()))))
    assert count() == (lifted + 1, spliced, cleared)
    host.send(None)
    assert count() == (lifted + 2, spliced + 1, cleared)
    host.close()
    assert count() == (lifted + 2, spliced + 2, cleared)


def test_i2_no_python_code_sees_the_hidden_functions() -> None:
    """Collector callbacks, finalisers, weakref callbacks: called at each moment where one can be, none finds `ohwait`
    or `_resume` among its callers."""
    seen: set[str] = set()
    calls = [0]

    def look(*args: object) -> None:
        calls[0] += 1
        seen.update(function_names(sys._getframe(1), until="drive"))

    class Dying:
        def __del__(self) -> None:
            look()

    class Awaitable(Dying):
        def __await__(self):
            weakref.finalize(Dying(), look)
            yield Dying()
            return Dying()

    def plain() -> None:
        for _ in range(3):
            kept = [Dying()]
            kept.append(kept)
            ohwait(Awaitable())
            ohwait(ready(Dying()))

    gc.callbacks.append(look)
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        drive(host_of(lambda: below(3, plain)), [Dying(), Dying()])
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(look)
    gc.collect()
    assert calls[0] > 20
    assert not seen & {"ohwait", "_resume"}
    assert {"plain", "below", "host_of"} <= seen


def test_i3_the_data_stack_is_last_in_first_out() -> None:
    """A loop written in C: each step leaves the height as it was, before and after the lifted frames come back."""
    heights = _core.data_stack()
    hosts = [host_of(lambda n=n: below(n, lambda: [ohwait(pause()) for _ in range(3)])) for n in range(0, 300, 30)]
    for _ in range(3):
        assert list(map(types.CoroutineType.send, hosts, [None] * len(hosts))) == [None] * len(hosts)
        assert _core.data_stack() == heights
    for host in hosts:
        with pytest.raises(StopIteration):
            host.send(None)
    assert _core.data_stack() == heights


def test_i4_lifted_frames_own_what_they_hold() -> None:
    thing = Thing()
    before = sys.getrefcount(thing)

    def plain(kept: Thing, again: Thing) -> object:
        return [kept, again, ohwait(pause())]

    async def roomy() -> object:
        return [0, 0, 0, plain(thing, thing)]

    host = start(roomy())
    suspended = sys.getrefcount(thing)
    chain = host.cr_await
    held = sum(object_ is thing for object_ in gc.get_referents(chain))
    assert held == suspended - before >= 2
    del chain
    host.close()
    assert sys.getrefcount(thing) == before


def test_i4_a_dropped_chain_drops_its_frames_innermost_first() -> None:
    order: list[int] = []

    class Noting:
        def __init__(self, number: int) -> None:
            self.number = number

        def __del__(self) -> None:
            order.append(self.number)

    def stubborn(number: int) -> None:
        kept = Noting(number)
        if number < 3:
            return stubborn(number + 1)
        while True:
            try:
                ohwait(pause())
            except GeneratorExit:
                continue
        del kept

    host = start(host_of(lambda: stubborn(0)))
    cleared = _core.counters()["cleared"]
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda unraisable: None)
        del host
        gc.collect()
    assert order == [3, 2, 1, 0]
    assert _core.counters()["cleared"] == cleared + 1


@as_if_awaited
def test_i5_the_exception_state() -> object:
    async def plain_wait(seen: list[object]) -> None:
        try:
            raise KeyError("plain")
        except KeyError:
            await pause()
            seen.append(repr(sys.exc_info()[1]))
        seen.append(repr(sys.exc_info()[1]))

    async def host(seen: list[object]) -> None:
        try:
            raise OSError("host")
        except OSError:
            await plain_wait(seen)
            seen.append(repr(sys.exc_info()[1]))
        seen.append(repr(sys.exc_info()[1]))

    seen: list[object] = []
    coroutine = start(host(seen))
    try:
        raise ValueError("driver")
    except ValueError:
        seen.append(step(coroutine.send, None))
        seen.append(repr(sys.exc_info()[1]))
    seen.append(repr(sys.exc_info()[1]))
    return seen


def test_i6_recursion_units_are_given_back_and_taken_again() -> None:
    left: list[int] = []

    def plain() -> None:
        left.append(_core.recursion_left())
        ohwait(pause())
        left.append(_core.recursion_left())

    before = _core.recursion_left()
    host = start(host_of(lambda: below(50, plain)))
    assert _core.recursion_left() == before
    below(20, lambda: finish(host))
    assert _core.recursion_left() == before
    assert left[0] - left[1] in range(20, 30)


def test_i7_nothing_in_a_chain_belongs_to_a_thread() -> None:
    host = host_of(lambda: below(100, lambda: [ohwait(pause()), threading.get_ident()]))
    thread = threading.Thread(target=host.send, args=(None,))
    thread.start()
    thread.join()
    assert finish(host, [1]) == [1, threading.get_ident()]


@pytest.mark.usefixtures("without_c_frames")
def test_i8_whether_it_is_possible_is_checked_before_the_start() -> None:
    started = []

    async def awaitable() -> None:
        started.append(1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NoCoroutineError):
            ohwait(awaitable())
        with pytest.raises(CFunctionError):
            drive(host_of(lambda: sorted([1, 2], key=lambda n: ohwait(awaitable()))))
        _core.set_guard(lambda: 1 / 0)
        try:
            with pytest.raises(ZeroDivisionError):
                drive(host_of(lambda: ohwait(awaitable())))
        finally:
            _core.set_guard(None)
        gc.collect()
    assert not started


@pytest.mark.unrepeatable("a process of its own")
def test_i9_where_a_jit_runs_calls_of_the_hidden_functions_are_never_specialised() -> None:
    """So that no trace is compiled across their return, which may lead elsewhere."""
    jit = getattr(sys, "_jit", None)
    if jit is None or not jit.is_available():
        pytest.skip("this CPython has no JIT: specialised calls are harmless")
    printed = passes(
        """
        import dis
        from core_tools import drive, host_of, ready
        from ohwait import ohwait

        def hot():
            coroutine = ready
            for _ in range(8000):
                ohwait(
                    coroutine())

        drive(host_of(hot))
        line = hot.__code__.co_firstlineno + 3
        for instruction in dis.get_instructions(hot, adaptive=True):
            if instruction.opname.startswith("CALL") and instruction.positions.lineno == line:
                print(instruction.opname)
        """,
        PYTHON_JIT="1",
    )
    assert set(printed.split()) <= {"CALL", "CALL_NON_PY_GENERAL"} and printed


def events_of(function: object, switch: object) -> list[tuple[object, ...]]:
    """What a tracing or profiling function is told of our own functions."""
    names = ("plain_inner", "plain_outer", "inner", "outer", "host", "ohwait", "_resume", "native_inner", "native_host")
    seen: list[tuple[object, ...]] = []

    def listen(frame: types.FrameType, event: str, arg: object) -> object:
        stop = event == "exception" and arg[0] is StopIteration  # Told of awaits only: a plain call returns.
        if frame.f_code.co_name in names and not stop:
            frame.f_trace_opcodes = False
            result = arg if isinstance(arg, (int, str)) else type(arg).__name__
            seen.append((event, frame.f_code.co_name, frame.f_lineno, result))
        return listen

    switch(listen)
    try:
        function()
    finally:
        switch(None)
    return seen


def traced(body: object) -> object:
    before = sys.gettrace(), sys.getprofile()
    try:
        return [events_of(body, sys.setprofile), events_of(body, sys.settrace)]
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])


@as_if_awaited
def test_i10_landings_are_silent() -> object:
    """Tracing and profiling tell of each suspension and resumption what they tell of coroutines, and no more."""

    async def plain_inner() -> object:
        first = await pause(1)
        return first, await pause(2)

    async def plain_outer() -> object:
        return await plain_inner()

    async def host() -> object:
        result = await plain_outer()
        return result

    def body() -> None:
        outcome(host(), "a", "b")

    return traced(body)


def balanced(events: list[tuple[object, ...]], begins: set[str], ends: set[str]) -> bool:
    """Whether what begins or goes on also ends or waits, last in first out."""
    stack = []
    for event, name, *_ in events:
        if event in begins:
            stack.append(name)
        elif event in ends and (not stack or stack.pop() != name):
            return False
    return not stack


async def native_inner() -> object:
    try:
        await pause(1)
    except ValueError:
        await pause(2)


async def native_host() -> object:
    return await native_inner()


def inner() -> object:
    first = ohwait(pause(1))
    try:
        ohwait(pause(2))
    except ValueError:
        ohwait(pause(3))
    raise KeyError(first)


def outer() -> object:
    return inner()


async def host() -> object:
    return outer()


def test_i10_calls_and_returns_are_balanced_when_exceptions_are_thrown() -> None:
    """Natively each coroutine is told of a throw on its own; plain functions are told as of calls: outermost first."""
    before = sys.gettrace(), sys.getprofile()
    try:
        for switch in (sys.setprofile, sys.settrace):
            native = events_of(lambda: outcome(native_host(), ValueError("v"), "b"), switch)
            events = events_of(lambda: outcome(host(), "a", ValueError("v"), "b"), switch)
            assert {name for _, name, *_ in events} == {"inner", "outer", "host"}
            if not balanced(native, {"call"}, {"return"}):
                continue  # CPython 3.11 does not tell of throw(), but of what returns or suspends after it.
            assert balanced(events, {"call"}, {"return"}), events
            assert [name for event, name, *_ in events if event == "call"] == ["host", "outer", "inner"] * 4
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="this CPython has no sys.monitoring")
def test_i10_sys_monitoring() -> None:
    """Starts, suspensions, resumptions, throws and returns of the plain functions and the host, and of nothing else."""
    monitoring = sys.monitoring
    seen: list[tuple[object, ...]] = []

    def note(name: str) -> object:
        def callback(code: types.CodeType, offset: int, *rest: object) -> None:
            if code.co_name in ("inner", "outer", "host", "ohwait", "_resume"):
                values = [value if isinstance(value, (int, str)) else type(value).__name__ for value in rest]
                seen.append((name, code.co_name, *values))

        return callback

    names = ["PY_START", "PY_RESUME", "PY_RETURN", "PY_YIELD", "PY_UNWIND", "PY_THROW"]
    assert [monitoring.get_tool(number) for number in range(6)].count("ohwait") <= 1
    monitoring.use_tool_id(3, "ohwait tests")
    try:
        for name in names:
            monitoring.register_callback(3, getattr(monitoring.events, name), note(name))
        monitoring.set_events(3, sum(getattr(monitoring.events, name) for name in names))
        outcome(host(), "a", ValueError("v"), "b")
    finally:
        monitoring.set_events(3, 0)
        for name in names:
            monitoring.register_callback(3, getattr(monitoring.events, name), None)
        monitoring.free_tool_id(3)
    chain = ("inner", "outer", "host")
    assert seen[:6] == [("PY_START", "host"), ("PY_START", "outer"), ("PY_START", "inner")] + [
        ("PY_YIELD", name, 1) for name in chain
    ]
    assert seen[6:12] == [("PY_RESUME", name) for name in reversed(chain)] + [("PY_YIELD", name, 2) for name in chain]
    assert seen[12][:2] == ("PY_THROW", "host")  # With a StopIteration on CPython 3.12, as natively.
    assert seen[13:18] == [("PY_THROW", name, "ValueError") for name in ("outer", "inner")] + [
        ("PY_YIELD", name, 3) for name in chain
    ]
    assert seen[-3:] == [("PY_UNWIND", name, "KeyError") for name in chain]
    assert balanced(seen, {"PY_START", "PY_RESUME", "PY_THROW"}, {"PY_RETURN", "PY_YIELD", "PY_UNWIND"})
