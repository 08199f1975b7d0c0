"""Each weakness that the notes of the original experiment list, gone."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref

import pytest
from core_tools import Waiting, below, drive, host_of, pause, start

import ohwait as package
from ohwait import _core, iterate, ohwait


class Thing:
    """Can be weakly referenced."""


def test_reference_counts() -> None:
    """Arguments, locals, stack entries and the result have the counts that they would have without a suspension."""
    arguments, result = [Thing()], Thing()

    async def give() -> Thing:
        await pause()
        return result

    def plain(kept: Thing) -> Thing:
        pair = [kept, ohwait(give()), kept]
        return pair[1]

    baseline = sys.getrefcount(arguments[0]), sys.getrefcount(result)
    for depth in (0, 1, 7):
        host = start(host_of(lambda: below(depth, lambda: plain(arguments[0]))))
        assert drive(host) is result
        del host
        assert (sys.getrefcount(arguments[0]), sys.getrefcount(result)) == baseline
    dead = weakref.ref(arguments[0])
    host = start(host_of(lambda: plain(arguments[0])))
    arguments.clear()
    assert dead() is not None
    host.close()
    del host
    gc.collect()
    assert dead() is None


def test_several_ohwait_calls_in_a_chain() -> None:
    """A plain function waits for a coroutine that calls a plain function that waits, and both again and again."""

    def inner(n: int) -> int:
        return ohwait(pause(n)) + ohwait(pause(n + 1))

    async def middle(n: int) -> int:
        return inner(n) + inner(n)

    def outer() -> list[int]:
        return [ohwait(middle(n)) for n in range(3)] + [ohwait(middle(9))]

    host = host_of(outer)
    out = [host.send(None)]
    with pytest.raises(StopIteration) as stop:
        while True:
            out.append(host.send(1))
    assert stop.value.value == [4, 4, 4, 4]
    assert out == [n + i for n in (0, 1, 2, 9) for _ in range(2) for i in range(2)]


def test_code_objects_never_changed_for_good() -> None:
    """Neither the plain functions' code nor the host's is another one, or has other instructions, afterwards."""

    def plain() -> object:
        return ohwait(pause())

    async def host() -> object:
        return plain()

    codes = [plain.__code__, host.__code__]
    texts = [code.co_code for code in codes]
    coroutine = start(host())
    assert [plain.__code__, host.__code__] == codes and plain.__code__ is codes[0]
    drive(coroutine)
    assert plain.__code__ is codes[0] and host.__code__ is codes[1]
    assert [code.co_code for code in codes] == texts
    frames = []

    async def look() -> object:
        frames.append(sys._getframe())
        return host_code()

    def host_code() -> object:
        ohwait(pause())
        return sys._getframe(1).f_code

    assert drive(look()) is look.__code__
    assert frames[0].f_code is look.__code__


def test_generators_collected() -> None:
    """What is made for a suspension is freed when it is over, and by the collector if it never is."""
    deaths = []

    def plain(finish: bool) -> None:
        thing = Thing()
        weakref.finalize(thing, deaths.append, finish)
        myself = [thing]
        myself.append(myself)
        ohwait(pause())

    for finish in (True, False):
        host = start(host_of(lambda finish=finish: plain(finish)))
        if finish:
            drive(host)
        del host
        gc.collect()
    assert deaths == [True, False]
    assert _core.counters()["alive"] == 0


def only_line(awaitable: object) -> object:
    return ohwait(awaitable)


def test_return_ohwait_as_a_functions_only_line() -> None:
    """No room behind the call is needed: neither in the plain function nor in the host."""

    async def only_call(awaitable: object) -> object:
        return only_line(awaitable)

    async def only_ohwait(awaitable: object) -> object:
        return ohwait(awaitable)

    for host in (only_call, only_ohwait):
        assert drive(host(pause()), [5]) == 5
        assert drive(host(Waiting(1, 2, 3)), "abc") == list("abc")


def test_stack_size() -> None:
    """The host's value stack is used up to the last slot, and nothing grows it."""

    async def tight() -> object:
        return only_line_without_argument()

    def only_line_without_argument() -> object:
        return ohwait(pause())

    async def full() -> object:
        a = 1
        return [a, a, a, a, a, a, only_line(pause()), (a, a, (a, a, (a, only_line(pause()))))]

    assert tight.__code__.co_stacksize == 2
    assert drive(tight(), ["x"]) == "x"
    expected = [1] * 6 + ["x", (1, 1, (1, 1, (1, "y")))]
    assert drive(full(), ["x", "y"]) == expected


def test_a_call_site_of_functions_that_do_and_dont_ohwait_in_turn() -> None:
    def ohwait_func1() -> str:
        return ohwait(pause("1"))

    def ohwait_func2() -> str:
        return ohwait(pause("2"))

    def plain_func() -> str:
        return "plain"

    async def host() -> list[str]:
        results = []
        for _ in range(100):
            for func in (ohwait_func1, plain_func, ohwait_func2, plain_func):
                results.append(func())
        return results

    assert drive(host(), ["a", "b"] * 100) == ["a", "plain", "b", "plain"] * 100


def test_trio_and_curio() -> None:
    trio = pytest.importorskip("trio")

    def plain() -> float:
        began = trio.current_time()
        ohwait(trio.sleep(0.01))
        return trio.current_time() - began

    async def main() -> float:
        return below(3, plain)

    assert trio.run(main) >= 0.009


def test_curio() -> None:
    try:
        package.use_curio()
        import curio
    except (ImportError, package.OhwaitError) as error:
        pytest.skip(f"curio: {error}")
    finally:
        package.use_auto()

    def plain() -> str:
        ohwait(curio.sleep(0.001))
        return ohwait(two())

    async def two() -> str:
        await curio.sleep(0.001)
        return "done"

    async def main() -> str:
        return below(3, plain)

    assert curio.run(main) == "done"


class Numbers:
    """An asynchronous iterator that suspends each time."""

    def __init__(self, end: int) -> None:
        self.next, self.end = 0, end

    def __aiter__(self) -> Numbers:
        return self

    async def __anext__(self) -> int:
        await pause()
        if self.next == self.end:
            raise StopAsyncIteration
        self.next += 1
        return self.next


def test_async_for() -> None:
    """In the host around plain functions that wait, in what they wait for, and in the plain function itself."""

    def double(n: int) -> int:
        return ohwait(pause(n)) or 2 * n

    async def total() -> int:
        return sum([double(n) async for n in Numbers(4)])

    def by_hand() -> list[int]:
        iterator = iterate(Numbers(3))
        found = []
        while True:
            try:
                found.append(iterator.__next__())
            except StopIteration:
                return found

    async def host() -> object:
        found = []
        async for n in Numbers(3):
            found.append(double(n))
        return found, ohwait(total()), by_hand()

    assert drive(host()) == ([2, 4, 6], 20, [1, 2, 3])


def test_async_with() -> None:
    """Plain functions that wait are the manager's methods, its body, and users of it."""
    log = []

    def note(text: str) -> None:
        log.append(text)
        ohwait(pause())

    class Manager:
        async def __aenter__(self) -> str:
            note("enter")
            return "value"

        async def __aexit__(self, kind: object, value: BaseException, traceback: object) -> bool:
            note(f"exit {value!r}")
            return True

    async def within() -> None:
        async with Manager() as value:
            note(value)
            raise KeyError("lost")

    def plain() -> None:
        manager = package.enter(Manager())
        note(manager.__enter__())
        manager.__exit__(None, None, None)

    async def host() -> str:
        await within()
        ohwait(within())
        plain()
        return "end"

    assert drive(host()) == "end"
    assert log == ["enter", "value", "exit KeyError('lost')"] * 2 + ["enter", "value", "exit None"]


@pytest.mark.unrepeatable("asyncio.run() leaves blocks behind by itself")
def test_several_tasks_at_once() -> None:
    """The example of the original: plain functions in many tasks, each waiting on its own."""

    def plain(n: int) -> int:
        return ohwait(asyncio.sleep(0.001 * (5 - n), n)) + ohwait(asyncio.sleep(0, n))

    async def task(n: int) -> int:
        return below(n, lambda: plain(n))

    async def main() -> list[int]:
        return await asyncio.gather(*[task(n) for n in range(5)])

    assert asyncio.run(main()) == [0, 2, 4, 6, 8]
