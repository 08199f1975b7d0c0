"""Frames that suspend again and again get a chunk of the data stack of their own, which is handed over with them."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from core_tools import as_if_awaited, below, describe, drive, finish, host_of, pause, start, step

from ohwait import _core, ohwait

MANY = 20
"""Suspensions after which frames have a chunk of their own."""
CHUNKS = 64
"""Chunks that suspended chains may hold."""


def waits(times: int = MANY) -> list[object]:
    return [ohwait(pause(n)) for n in range(times)]


def chunks() -> int:
    return _core.counters()["chunks"]


def in_chunk(depth: int, function: Callable[[], Any] = waits) -> Any:
    """A coroutine, suspended with `depth` plain frames and `function` in a chunk of their own."""
    coroutine = host_of(lambda: below(depth, function))
    before = chunks()
    for n in range(MANY):
        assert coroutine.send(None) == n
    assert chunks() == before + 1
    return coroutine


@pytest.mark.parametrize("depth", [0, 1, 5, 50, 400])
def test_frames_get_a_chunk_and_give_it_back(depth: int) -> None:
    before = _core.data_stack()
    coroutine = host_of(lambda: below(depth, lambda: (waits(), waits(2))))
    seen = []
    for n in range(MANY):
        assert coroutine.send(n or None) == n
        assert _core.data_stack() == before
        seen.append(chunks())
    assert seen[0] == 0 and seen[-1] == 1 and seen == sorted(seen)
    assert finish(coroutine, [MANY, "a", "b"]) == ([*range(1, MANY), MANY], ["a", "b"])
    assert chunks() == 0 and _core.data_stack() == before


def test_frames_that_are_called_anew_each_time_waste_few_chunks() -> None:
    """They lie at the same place as the ones before, and cannot be told from frames that go on suspending."""

    def once(n: int) -> object:
        return below(2, lambda: ohwait(pause(n)))

    async def host() -> list[object]:
        return [once(n) for n in range(2000)]

    _core.free_spares()  # which also forgets what earlier hosts at the same address have done
    before = _core.counters()["chunks_made"]
    assert drive(host(), range(2000)) == list(range(2000))
    assert 0 < _core.counters()["chunks_made"] - before <= 4


def test_more_chains_in_turn_than_there_may_be_chunks_for() -> None:
    """Those without one do not make one for each suspension, to find that it cannot be kept."""
    coroutines = [host_of(lambda: below(2, lambda: waits(40))) for _ in range(CHUNKS * 3)]
    _core.free_spares()
    before = _core.counters()["chunks_made"]
    for n in range(40):
        for coroutine in coroutines:
            assert coroutine.send(n or None) == n
    assert chunks() == CHUNKS
    assert _core.counters()["chunks_made"] - before == CHUNKS
    for coroutine in coroutines:
        coroutine.close()
    assert chunks() == 0


def test_calls_that_do_not_fit_into_the_chunk() -> None:
    def deep(n: int) -> int:
        return n if n == 0 else 1 + deep(n - 1)

    def function() -> list[object]:
        return [(ohwait(pause(n)), deep(n * 60 % 700)) for n in range(40)]

    coroutine = host_of(lambda: below(3, function))
    assert drive(coroutine, range(1, 41)) == [(n + 1, n * 60 % 700) for n in range(40)]


def test_a_suspension_far_above_the_frames_that_have_the_chunk() -> None:
    def climb(n: int) -> list[object]:
        return [ohwait(pause(n))] + (climb(n + 1) if n < 300 else [])

    assert drive(host_of(lambda: climb(0)), range(1, 302)) == list(range(1, 302))


def test_frames_that_return_one_after_the_other() -> None:
    def ladder(n: int) -> int:
        total = sum(map(bool, waits(3)))
        if n:
            total += ladder(n - 1)
        return total + sum(map(bool, waits(3)))

    assert drive(host_of(lambda: [ladder(40), ladder(2)]), [True] * 1000) == [41 * 6, 3 * 6]


def test_more_chains_than_chunks() -> None:
    coroutines = [host_of(lambda: below(2, waits)) for _ in range(2 * CHUNKS)]
    for n in range(MANY):
        for coroutine in coroutines:
            assert coroutine.send(None) == n
            assert chunks() <= CHUNKS
    assert chunks() == CHUNKS
    for coroutine in coroutines[::-1]:
        assert finish(coroutine) == [None] * MANY
    assert chunks() == 0


def test_exceptions_and_the_end_of_the_frames() -> None:
    def guarded() -> str:
        try:
            waits()
        except KeyError:
            return f"caught {ohwait(pause('handling'))}"
        return "not reached"

    coroutine = in_chunk(4, guarded)
    assert coroutine.throw(KeyError()) == "handling"
    assert step(coroutine.send, "it") == ("return", "caught it")
    coroutine = in_chunk(4)
    assert step(coroutine.throw, ZeroDivisionError("thrown"))[0] == "raise"
    assert chunks() == 0


@pytest.mark.parametrize("end", ["close", "del", "cycle"])
def test_frames_that_are_dropped_in_their_chunk(end: str) -> None:
    log = []

    def guarded() -> None:
        mine = box
        try:
            waits()
        finally:
            log.append(len(mine))

    box: list[object] = [1, 2, 3]
    coroutine = in_chunk(6, guarded)
    if end == "close":
        coroutine.close()
    elif end == "cycle":
        box.append(coroutine)
        box = []
    del coroutine
    gc.collect()
    assert log == [4 if end == "cycle" else 3]
    assert chunks() == 0


def test_frames_that_are_looked_at_in_their_chunk() -> None:
    def looks() -> list[object]:
        names = []
        for n in range(MANY):
            ohwait(pause(n))
            frame: Any = sys._getframe()
            while frame.f_code.co_name != "host":
                names.append(frame.f_code.co_name)
                frame = frame.f_back
        return names

    async def host() -> Any:
        return (below(3, looks), 1, 2)[0]  # 3.15: with room on its value stack for all that `await` needs

    coroutine = host()
    for n in range(MANY):
        assert coroutine.send(None) == n
    link, names = coroutine.cr_await, []
    while hasattr(link, "cr_frame") and hasattr(link, "cr_await"):
        names.append(link.cr_frame.f_code.co_name)
        link = link.cr_await
    assert names == ["below", "below", "below", "below", "looks"]
    assert chunks() == 1
    assert finish(coroutine) == (["looks", "below", "below", "below", "below"] * MANY)


def test_a_traceback_outlives_the_chunk() -> None:
    def fails() -> None:
        waits()
        local = "kept"
        raise ValueError(local)

    coroutine = in_chunk(2, fails)
    with pytest.raises(ValueError, match="kept") as caught:
        coroutine.send(None)
    traceback = caught.value.__traceback__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    assert traceback.tb_frame.f_locals == {"local": "kept"}
    assert [entry.name for entry in caught.traceback][-4:] == ["below", "below", "below", "fails"]
    assert describe(caught.value)


def test_a_chunk_changes_threads() -> None:
    results = []

    def elsewhere(coroutine: Any) -> None:
        for n in range(MANY):
            results.append((chunks(), coroutine.send(n)))

    coroutine = in_chunk(3, lambda: waits() + waits())
    thread = threading.Thread(target=elsewhere, args=[coroutine])
    thread.start()
    thread.join()
    assert [value for _, value in results] == [*range(MANY)]
    assert finish(coroutine)[MANY:] == [*range(1, MANY), None]
    assert chunks() == 0


def test_chains_in_chunks_within_each_other() -> None:
    async def inner() -> object:
        return below(2, waits)

    def outer() -> list[object]:
        return [ohwait(inner()) for _ in range(MANY)]

    assert drive(host_of(lambda: below(2, outer))) == [[None] * MANY] * MANY


@as_if_awaited
def test_what_is_sent_and_thrown_into_frames_in_a_chunk() -> object:
    async def plain_inner() -> list[object]:
        seen: list[object] = []
        for n in range(MANY):
            try:
                seen.append(await pause(n))
            except LookupError as error:
                seen.append((repr(error), sys.exc_info()[1] is error, await pause("handling")))
        return seen

    async def plain_outer() -> list[object]:
        return [await plain_inner(), sys.exc_info()[1], await plain_inner()]

    async def host() -> list[object]:
        return await plain_outer()

    coroutine = host()
    return [
        step(coroutine.throw, LookupError(n)) if n % 3 == 2 else step(coroutine.send, n or None)
        for n in range(4 * MANY)
    ]


def test_garbage_collected_while_frames_are_in_their_chunk() -> None:
    coroutines = [in_chunk(n % 5) for n in range(20)]
    gc.collect()
    assert all(finish(coroutine) == [None] * MANY for coroutine in coroutines)


def test_start_and_step_of_one_that_never_repeats() -> None:
    coroutine = start(host_of(lambda: below(3, lambda: waits(1))))
    assert chunks() == 0
    assert finish(coroutine) == [None]
