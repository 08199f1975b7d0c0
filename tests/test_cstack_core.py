"""The stack path from inside: what the core does with C stacks, data-stack chunks, threads and greenlets."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ohwait import _core, ohwait

pytestmark = pytest.mark.skipif(_core.c_frames_status() is not None, reason=f"no stack path: {_core.c_frames_status()}")

KEEPS_WAITING = _core.BUILD["cpython"] == "3.11" or not _core.BUILD["interpreter_debug"]
"""Whether a coroutine can go on waiting when its send() has raised an error (gen_send_ex2, Objects/genobject.c)."""


class Pause:
    def __await__(self) -> Any:
        return (yield "paused")


def key(number: int) -> int:
    ohwait(Pause())
    return -number


async def by_sorted() -> list[int]:
    return sorted([1, 2, 3], key=key)


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    while True:
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value


def in_thread(function: Callable[..., object], *args: object) -> object:
    came: list[object] = []

    def run() -> None:
        try:
            came.append(function(*args))
        except BaseException as error:
            came.append(error.with_traceback(None))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return came[0]


def test_both_unwinders_agree() -> None:
    frames, differences, first = sorted([1], key=lambda _: 0) and _core.compare_unwinders()
    assert frames > 5
    assert (differences, first) == (0, None)


def test_the_counters_are_where_they_were() -> None:
    before, left, height = _core.stats(), _core.recursion_left(), _core.data_stack()
    assert finish(by_sorted()) == [3, 2, 1]
    after = _core.stats()
    assert after["suspensions_by_stack"] == before["suspensions_by_stack"] + 3
    assert (after["slices_alive"], after["slice_bytes"]) == (before["slices_alive"], before["slice_bytes"])
    assert _core.recursion_left() == left
    assert _core.data_stack() == height


def test_forbidden_and_allowed_again() -> None:
    _core.allow_c_frames(False)
    try:
        status = _core.c_frames_status()
        assert status is not None
        with pytest.raises(RuntimeError, match="sorted"):
            finish(by_sorted())
    finally:
        _core.allow_c_frames(True)
    assert _core.c_frames_status() is None
    assert finish(by_sorted()) == [3, 2, 1]


def test_what_is_suspended_goes_on_although_it_has_been_forbidden_meanwhile() -> None:
    coroutine = by_sorted()
    coroutine.send(None)
    _core.allow_c_frames(False)
    try:
        with pytest.raises(RuntimeError):
            finish(coroutine)  # The second call of key() is a new suspension.
    finally:
        _core.allow_c_frames(True)
    assert _core.stats()["slices_alive"] == 0


@pytest.mark.skipif(not KEEPS_WAITING, reason="this CPython ends a coroutine whose send() raises")
def test_another_thread_cannot_resume_it_and_does_no_harm() -> None:
    async def outer() -> list[int]:
        return await by_sorted()

    for make in (by_sorted, outer):
        coroutine = make()
        assert coroutine.send(None) == "paused"
        for attempt in range(3):
            error = in_thread(coroutine.send, object() if attempt else "x" * attempt)
            assert isinstance(error, RuntimeError)
            assert "thread" in str(error)
        assert finish(coroutine) == [3, 2, 1]
    coroutine = by_sorted()
    coroutine.send(None)
    assert isinstance(in_thread(coroutine.throw, ValueError()), RuntimeError)
    assert isinstance(in_thread(coroutine.close), RuntimeError)
    assert finish(coroutine) == [3, 2, 1]
    assert _core.stats()["slices_alive"] == 0


@pytest.mark.skipif(not KEEPS_WAITING, reason="this CPython ends a coroutine whose send() raises")
def test_another_greenlet_cannot_resume_it_and_does_no_harm() -> None:
    greenlet = pytest.importorskip("greenlet").greenlet
    coroutine = by_sorted()
    coroutine.send(None)

    def resume() -> str:
        try:
            coroutine.send(None)
        except RuntimeError as error:
            return str(error)
        return "resumed"

    assert "greenlet" in greenlet(resume).switch()
    assert finish(coroutine) == [3, 2, 1]


def test_calls_whose_frames_share_chunks_of_the_data_stack() -> None:
    """Frames of the outer call lie in the chunk in which the inner one has its own."""

    def deep(depth: int, function: Callable[[], Any]) -> Any:
        return deep(depth - 1, function) if depth else function()

    async def level(depth: int) -> int:
        def wait() -> int:
            below = ohwait(level(depth - 1)) if depth else 0
            ohwait(Pause())
            return below + 1

        return next(map(lambda _: deep(60, wait), "x"))  # noqa: C417

    async def pair() -> list[int]:
        return [await level(6), await level(3)]

    assert finish(level(8)) == 9
    assert finish(pair()) == [7, 4]


def test_an_awaitable_whose_first_step_waits_itself_is_refused() -> None:
    """It runs on top of a call that has been looked at already: the host cannot leave in between."""

    class Twice:
        def __await__(self) -> Twice:
            return self

        def __iter__(self) -> Twice:
            return self

        def __next__(self) -> str:
            ohwait(Pause())
            return "mine"

    async def host() -> list[int]:
        return sorted([1, 2], key=lambda _: -ohwait(Twice()))

    coroutine = host()
    with pytest.raises(RuntimeError, match="give its value itself"):
        coroutine.send(None)


def test_a_cycle_through_the_frames_of_a_slice_is_collected() -> None:
    """What C code holds is unknown to the collector; the variables of Python frames in between are not."""
    handed: list[list[object]] = []
    ended: list[str] = []

    def keeps(number: int) -> int:
        cycle = handed.pop()
        try:
            ohwait(Pause())
        finally:
            ended.append(type(cycle).__name__)
        return number

    async def host(function: Callable[[int], int]) -> list[int]:
        return sorted([1], key=function)

    coroutine = host(keeps)
    handed.append([coroutine])
    coroutine.send(None)
    assert _core.stats()["slices_alive"] == 1
    del coroutine
    gc.collect()
    assert ended == ["list"]
    assert _core.stats()["slices_alive"] == 0


STACKS = """
import contextvars, gc
from ohwait import _core, ohwait

class Pause:
    def __await__(self):
        return (yield 1)

def nested(depth):
    list(map(lambda _: ohwait(Pause()), [0]))
    return (contextvars.copy_context().run(nested, depth - 1) if depth else 0) + 1

async def host():
    return contextvars.Context().run(nested, 3)

def step(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value

for turn in range(6):
    waiting = [host() for _ in range(3)]
    for turn in range(1000):
        coroutine = waiting[turn % len(waiting)]
        driver = contextvars.Context()
        run = driver.run if turn % 2 else lambda *args: driver.run(driver.copy().run, *args)
        if run(step, coroutine) == 4:
            waiting.remove(coroutine)
            if not waiting:
                break
    gc.collect()
    _core.free_spares()
print("done")
"""


def test_wherever_the_stack_begins(tmp_path: Any) -> None:
    """Copies that were one frame too short spoiled the heap, at some positions of the stack only."""
    program = tmp_path / "stacks.py"
    program.write_text(textwrap.dedent(STACKS))
    for words in range(0, 64, 5):
        path = os.pathsep.join(sys.path)
        environment = {**os.environ, "PADDING": "x" * 16 * words, "PYTHONHASHSEED": str(words), "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, str(program)], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
