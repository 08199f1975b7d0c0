"""`enter`, `iterate`, `scope` and the context managers of others, where CPython calls them through C."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cframes_tools import event_loop, needs_c_frames
from core_tools import drive, host_of, outcome, pause
from loops import Loop, every_loop

import ohwait
from ohwait import can_wait, enter, iterate

pytestmark = needs_c_frames


@contextlib.asynccontextmanager
async def resource(log: list[str]) -> AsyncIterator[str]:
    await pause("opening")
    try:
        yield "handle"
    except KeyError as error:
        log.append(repr(error))
        await pause("handling")
    finally:
        await pause("closing")
        log.append("closed")


def test_with_statements_suspend_however_they_are_left() -> None:
    log: list[str] = []

    def plain(fail: bool) -> str:
        with enter(resource(log)) as handle:
            if fail:
                raise KeyError(handle)
        return "after"

    yields = [("yield", "opening"), ("yield", "closing")]
    assert outcome(host_of(lambda: plain(False))) == [*yields, ("return", "after")]
    assert outcome(host_of(lambda: plain(True))) == [
        yields[0], ("yield", "handling"), yields[1], ("return", "after"),
    ]  # fmt: skip
    assert log == ["closed", "KeyError('handle')", "closed"]


def test_exit_stacks_of_managers_that_wait() -> None:
    log: list[str] = []

    def plain() -> list[str]:
        with contextlib.ExitStack() as stack:
            handles = [stack.enter_context(enter(resource(log))) for _ in range(3)]
            stack.callback(lambda: log.append(str(ohwait.ohwait(pause("called back")))))
            raise KeyError("swallowed by the innermost")
        return handles

    assert drive(host_of(plain)) == ["handle"] * 3
    assert log == ["None", "KeyError('swallowed by the innermost')", "closed", "closed", "closed"]


def test_c_functions_iterate() -> None:
    async def numbers() -> AsyncIterator[int]:
        for n in range(3):
            await pause(n)
            yield n

    def plain() -> list[Any]:
        looped = []
        for n in iterate(numbers()):
            looped.append(n)
        a, b, c = iterate(numbers())
        return [list(iterate(numbers())), sum(iterate(numbers())), dict(zip("abc", iterate(numbers()))), looped, a, b, c]

    assert drive(host_of(plain)) == [[0, 1, 2], 3, {"a": 0, "b": 1, "c": 2}, [0, 1, 2], 0, 1, 2]


def test_can_wait_says_yes_below_c_functions_and_is_right() -> None:
    answers = []

    def key(n: int) -> int:
        answers.append(can_wait())
        return int(ohwait.ohwait(pause(n)) or n)

    assert drive(host_of(lambda: sorted([2, 1], key=key))) == [1, 2]
    assert [bool(answer) for answer in answers] == [True, True]
    assert [answer.kind for answer in answers] == ["possible"] * 2


def test_can_wait_says_no_where_there_is_no_coroutine() -> None:
    (answer,) = map(lambda _: can_wait(), "x")
    assert not answer and answer.kind == "no-coroutine"


@event_loop
@every_loop
def test_a_scope_that_an_exception_leaves_waits_for_its_children(loop: Loop) -> None:
    log: list[str] = []

    def child() -> None:
        try:
            ohwait.sleep(10)
        finally:
            log.append("ended")

    def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            with ohwait.scope() as scope:
                for _ in range(3):
                    scope.spawn(child)
                ohwait.sleep(0.001)
                raise LookupError("of the body")
        assert [str(error) for error in caught.value.exceptions] == ["of the body"]
        assert log == ["ended"] * 3

    loop.run(main)
    assert log == ["ended"] * 3


@event_loop
@every_loop
def test_sleeping_below_c_functions(loop: Loop) -> None:
    order: list[int] = []

    def key(n: int) -> int:
        ohwait.sleep(n / 200)
        order.append(n)
        return -n

    def main() -> list[list[int]]:
        with ohwait.scope() as scope:
            handles = [scope.spawn(lambda n=n: sorted([n, n + 3], key=key)) for n in range(1, 4)]
        return [handle.result() for handle in handles]

    assert loop.run(main) == [[4, 1], [5, 2], [6, 3]]
    assert order != sorted(order, reverse=True) and sorted(order) == [1, 2, 3, 4, 5, 6]


@event_loop
def test_locks_and_queues_below_c_functions() -> None:
    async def main() -> list[int]:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        lock = asyncio.Lock()

        def put(n: int) -> None:
            with enter(lock):
                ohwait.ohwait(queue.put(n))

        async def producer() -> None:
            list(map(put, range(5)))

        task = asyncio.create_task(producer())
        taken = list(map(lambda _: ohwait.ohwait(queue.get()), range(5)))
        await task
        return taken

    assert asyncio.run(main()) == [0, 1, 2, 3, 4]
