"""Chains across the borders of data-stack chunks, deep recursion, the recursion limit, many chains at once."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable

import pytest
from core_tools import below, drive, finish, host_of, outcome, pause, start, step

from ohwait import _core, ohwait

CHUNK = 16 * 1024 // 8
"""Words of CPython's usual chunk."""


def sized_function(words: int) -> Callable[[Callable[[], object]], object]:
    """A plain function whose frame has about that many words, and which checks its variables after the call."""
    count = max(words - 14, 1)
    names = ", ".join(f"a{n}" for n in range(count))
    values = ", ".join(str(n) for n in range(count))
    source = (
        f"def sized(call):\n {names}, = {values},\n r = call()\n assert [{names}] == list(range({count}))\n return r\n"
    )
    scope: dict[str, Callable[[Callable[[], object]], object]] = {}
    exec(source, scope)
    return scope["sized"]


SIZES = [sized_function(words) for words in (16, 17, 20, 25, 33, 64, 200)]
BIG = sized_function(3 * CHUNK)


def at_height(words: int, function: Callable[[], object]) -> object:
    """Call at (about) this many words below the end of a chunk, and not by C."""
    if words <= 0:
        return function()
    return at_height(words - 18, function)


def in_thread(function: Callable[[], object]) -> object:
    """On a thread of its own the data stack begins anew; what was raised is raised here."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append((function(), None))
        except BaseException as error:
            results.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    value, error = results[0]
    if error is not None:
        raise error
    return value


def waits(n: int) -> object:
    return ohwait(pause(n))


def heights() -> tuple[int, int]:
    return _core.data_stack()


@pytest.mark.parametrize("frames", [0, 1, 2, 5])
@pytest.mark.parametrize("size", range(len(SIZES)))
def test_each_frame_meets_the_border_of_a_chunk(frames: int, size: int) -> None:
    """Host, F1..Fn and the door in all positions around the border: suspended, resumed there and elsewhere, thrown."""
    sized = SIZES[size]

    def chain(n: int) -> object:
        return sized(lambda: chain(n - 1)) if n else waits(0)

    def round_trip(words: int) -> None:
        before = heights()
        coroutine = host_of(lambda: chain(frames))
        assert step(coroutine.send, None) == ("yield", 0)
        assert heights() == before
        assert step(coroutine.send, words) == ("return", words)
        assert heights() == before

    def everywhere(recursion: int) -> None:
        round_trip(recursion)
        elsewhere = start(host_of(lambda: chain(frames)))
        suspended.append(elsewhere)
        if recursion:
            everywhere(recursion - 1)
        assert step(suspended.pop(0).send, recursion) == ("return", recursion)

    def run() -> tuple[int, int]:
        everywhere(150)
        return heights()

    suspended: list[object] = []
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(5000)
    try:
        chunks, words = in_thread(run)
    finally:
        sys.setrecursionlimit(limit)
    assert chunks == 1 and words < CHUNK
    assert not suspended


def test_the_door_and_the_first_frame_lie_first_in_a_chunk() -> None:
    """Every height by single words: which frame comes first in the next chunk changes from one to the next."""
    fillers = {words: sized_function(words) for words in range(15, 40)}
    kinds = set()

    def inner() -> object:
        kinds.add(heights()[0])
        return waits(1)

    def outer() -> object:
        return inner()

    def run() -> None:
        def down(n: int) -> object:
            if n == 0:
                return try_all()
            return down(n - 1)

        def try_all() -> None:
            before = heights()
            for filler in fillers.values():
                for function in (waiting, inner, outer):
                    coroutine = host_of(lambda f=function: f())
                    assert filler(lambda c=coroutine: step(c.send, None)) == ("yield", 1)
                    assert heights() == before
                    assert filler(lambda c=coroutine: step(c.send, "v")) == ("return", "v")
                    assert heights() == before

        def waiting() -> object:
            return waits(1)

        for n in range(60, 130):
            down(n)

    in_thread(run)
    assert len(kinds) > 1, "no chain met the border"


def test_frames_larger_than_a_chunk() -> None:
    def run() -> object:
        before = heights()
        coroutine = start(host_of(lambda: BIG(lambda: BIG(lambda: waits(0)))))
        between = heights()
        small = start(host_of(lambda: waits(1)))
        result = finish(coroutine, ["big"]), finish(small, ["small"])
        assert before == between == heights()
        return result

    assert in_thread(run) == ("big", "small")


def test_a_chain_larger_than_all_chunks_so_far_is_resumed_at_another_height() -> None:
    def suspend() -> object:
        return step(coroutine.send, None)

    def resume() -> object:
        return step(coroutine.send, "end")

    for down, up in ((0, 100), (100, 0), (90, 91), (110, 3)):
        coroutine = host_of(lambda: below(300, lambda: waits(0)))
        assert in_thread(lambda d=down: below(d, suspend)) == ("yield", 0)
        assert in_thread(lambda u=up: below(u, resume)) == ("return", "end")


def test_suspended_within_the_resumption_of_another() -> None:
    """Room is reserved and given back around what the awaitable itself calls, suspends and resumes."""

    def other(n: int) -> object:
        return finish(start(host_of(lambda: below(n, lambda: waits(n)))), [n])

    async def busy(n: int) -> list[object]:
        found = []
        for _ in range(3):
            found.append(below(n, lambda: other(n)))
            found.append(await pause(n))
        return found

    for n in (0, 5, 100, 150):
        out = outcome(host_of(lambda n=n: below(n, lambda: ohwait(busy(n)))), "a", "b", "c")
        assert out[-1] == ("return", [n, "a", n, "b", n, "c"])


@pytest.mark.slow
@pytest.mark.unrepeatable("too deep to be repeated often")
def test_ten_thousand_frames_of_recursion() -> None:
    def deep(n: int) -> int:
        return 1 + deep(n - 1) if n else ohwait(pause(n))

    def run() -> None:
        before = heights(), _core.recursion_left()
        for _ in range(3):
            coroutine = start(host_of(lambda: deep(10_000)))
            assert (heights(), _core.recursion_left()) == before
            assert finish(coroutine, [5]) == 10_005
        thrown = start(host_of(lambda: deep(10_000)))
        kind, error = step(thrown.throw, KeyError("deep"))
        assert kind == "raise" and error["type"] == "KeyError" and len(error["frames"]) > 10_000
        closed = start(host_of(lambda: deep(10_000)))
        closed.close()
        assert (heights(), _core.recursion_left()) == before

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(12_000)
    try:
        run()
    finally:
        sys.setrecursionlimit(limit)


def test_the_recursion_limit_is_exact_afterwards() -> None:
    def count(n: int = 0) -> int:
        try:
            return count(n + 1)
        except RecursionError:
            return n

    def plain() -> int:
        first = count()
        ohwait(pause())
        second = count()
        assert first == second
        return second

    count()
    outside = count()
    within = drive(host_of(lambda: below(10, plain)))
    assert drive(host_of(lambda: below(10, plain))) == within
    assert count() == outside
    assert outside - within in range(12, 40)


def test_a_chain_is_resumed_at_the_recursion_limit() -> None:
    """Putting the frames back never fails; resuming what they wait for does, as natively, and can be handled."""
    resumed = [0]

    def plain() -> str:
        try:
            ohwait(pause())
        except RecursionError:
            return "not the awaitable"
        resumed[0] += 1
        return called()

    def called() -> str:
        return "called"

    def with_left(calls: int, function: Callable[[], object]) -> object:
        return function() if _core.recursion_left() <= calls else with_left(calls, function)

    def resume() -> object:
        try:
            return coroutine.send(None)
        except StopIteration as stop:
            return stop.value
        except RecursionError:
            return "not even the coroutine"

    before = _core.recursion_left()
    grades = ["not even the coroutine", "not the awaitable", "called"]
    for depth in (0, 40, 300):
        results = []
        for calls in range(2, 60):
            coroutine = start(host_of(lambda depth=depth: below(depth, plain)))
            results.append(with_left(calls, resume))
            assert _core.recursion_left() == before
        assert results == sorted(results, key=grades.index)
        assert results[-1] == ("called" if depth < 50 else "not the awaitable")
        assert "not the awaitable" in results
        assert resumed[0] == results.count("called")
        resumed[0] = 0


def test_suspending_at_the_recursion_limit() -> None:
    results = set()

    def plain(n: int) -> object:
        try:
            return ohwait(pause(n))
        except RecursionError:
            return "too deep"

    def deep(n: int) -> object:
        try:
            return deep(n + 1)
        except RecursionError:
            return plain(n)

    before = _core.recursion_left()
    for _ in range(3):
        out = outcome(host_of(lambda: deep(0)), "sent")
        results.add(out[-1][0] if out[-1][0] == "raise" else out[-1][1])
        assert _core.recursion_left() == before
    assert results <= {"sent", "too deep", "raise"} and len(results) == 1


@pytest.mark.slow
@pytest.mark.unrepeatable("a hundred thousand chains")
def test_a_hundred_thousand_chains_in_flight() -> None:
    def plain(n: int) -> int:
        return ohwait(pause(n)) + n

    coroutines = []
    gc.disable()  # Collections over and over, while nothing is garbage, would take most of the time.
    try:
        for n in range(100_000):
            coroutines.append(start(host_of(lambda n=n: below(n & 3, lambda: plain(n)))))
    finally:
        gc.enable()
    assert _core.counters()["alive"] >= 100_000
    order = list(range(0, 100_000, 3)) + list(range(1, 100_000, 3))
    for n in order:
        assert step(coroutines[n].send, 1) == ("return", n + 1)
    for n in range(2, 50_000, 3):
        coroutines[n].close()
    coroutines.clear()
