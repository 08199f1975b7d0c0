"""Suspended on one thread and resumed on another; cycles through suspended chains; chains that are dropped."""

from __future__ import annotations

import gc
import sys
import threading
import weakref

import pytest
from core_tools import below, finish, host_of, outcome, pause, start, step

from ohwait import _core, ohwait


class Thing:
    """Can be weakly referenced and makes cycles."""


def in_thread(function: object) -> object:
    """Call in a new thread; its result."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def identity() -> int:
    return threading.get_ident()


def test_each_step_on_another_thread() -> None:
    def plain() -> list[object]:
        seen = []
        try:
            raise KeyError("handled meanwhile")
        except KeyError as error:
            for n in range(4):
                local = (ohwait(pause(n)), identity())
                seen.append(local)
            seen.append(repr(error))
        return seen

    coroutine = host_of(lambda: below(20, plain))
    assert in_thread(lambda: step(coroutine.send, None)) == ("yield", 0)
    for n in range(3):
        assert in_thread(lambda n=n: step(coroutine.send, n)) == ("yield", n + 1)
    kind, result = step(coroutine.send, "last")
    assert kind == "return"
    assert [sent for sent, _ in result[:4]] == [0, 1, 2, "last"]
    assert result[3][1] == identity() and identity() not in [thread for _, thread in result[:3]]
    assert result[4] == "KeyError('handled meanwhile')"


def test_the_suspending_thread_may_have_ended() -> None:
    """Its data stack is freed with it; the chain was not on it."""

    def deep(n: int) -> int:
        return ohwait(pause(n)) if n == 0 else 1 + deep(n - 1)

    coroutine = host_of(lambda: deep(400))
    assert in_thread(lambda: step(coroutine.send, None)) == ("yield", 0)
    gc.collect()
    assert step(coroutine.send, 5) == ("return", 405)


def test_thrown_and_closed_on_another_thread() -> None:
    log = []

    def plain() -> None:
        try:
            ohwait(pause())
        finally:
            log.append(identity())

    for finish_it in (lambda c: step(c.throw, ValueError("x")), lambda c: c.close()):
        coroutine = start(host_of(lambda: below(3, plain)))
        in_thread(lambda: finish_it(coroutine))
    assert len(log) == 2 and identity() not in log


def test_many_threads_pass_chains_around() -> None:
    """Steps of a hundred chains on whatever thread takes them next."""
    import queue

    def plain(n: int) -> int:
        return ohwait(pause(n)) + ohwait(pause(n + 1))

    waiting: queue.Queue[object] = queue.Queue()
    results = []
    for n in range(100):
        waiting.put((host_of(lambda n=n: below(n % 9, lambda: plain(n))), None))

    def worker() -> None:
        while True:
            try:
                coroutine, value = waiting.get_nowait()
            except queue.Empty:
                return
            kind, out = step(coroutine.send, value)
            if kind == "yield":
                waiting.put((coroutine, out))
            else:
                results.append(out)

    threads = [threading.Thread(target=worker) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [2 * n + 1 for n in range(100)]


def suspended_in_a_cycle(deaths: list[str], depth: int = 3) -> None:
    """A suspended coroutine whose only references are those of its own plain function's variables."""

    def plain(thing: Thing) -> None:
        thing.coroutine = holder.pop()
        weakref.finalize(thing, deaths.append, "thing")
        try:
            ohwait(pause())
        finally:
            deaths.append("finally")

    holder: list[object] = []
    holder.append(host_of(lambda: below(depth, lambda: plain(Thing()))))
    coroutine = holder[0]
    coroutine.send(None)


def test_a_cycle_through_a_suspended_chain_is_collected() -> None:
    for depth in (0, 1, 10):
        deaths: list[str] = []
        suspended_in_a_cycle(deaths, depth)
        gc.collect()
        assert sorted(deaths) == ["finally", "thing"]


def test_a_cycle_through_the_chain_and_its_awaitable() -> None:
    deaths = []

    async def awaited(thing: Thing) -> None:
        await pause()

    def plain() -> None:
        thing = Thing()
        weakref.finalize(thing, deaths.append, 1)
        thing.awaitable = awaited(thing)
        ohwait(thing.awaitable)

    coroutine = start(host_of(plain))
    coroutine.cr_frame.f_locals
    del coroutine
    gc.collect()
    assert deaths == [1]


def test_the_collector_visits_everything_once() -> None:
    """gc.get_referents of a chain: each lifted frame's variables, the awaitable; a collection finds nothing to free."""
    thing, awaited = Thing(), pause()

    def plain(kept: Thing) -> None:
        return [kept, ohwait(awaited)]

    async def roomy() -> object:
        return [0, 0, 0, plain(thing)]

    before = sys.getrefcount(thing)
    coroutine = start(roomy())
    chain = coroutine.cr_await
    owned = sys.getrefcount(thing) - before
    referents = gc.get_referents(chain)
    assert sum(object_ is thing for object_ in referents) == owned >= 1, "each reference that is counted, once"
    assert sum(object_ is awaited for object_ in referents) == 1
    assert gc.is_tracked(chain)
    gc.collect()
    del chain, referents
    assert finish(coroutine, ["sent"]) == [0, 0, 0, [thing, "sent"]]


@pytest.mark.parametrize("depth", [0, 1, 2, 30])
def test_close_runs_all_finally_blocks_innermost_first(depth: int) -> None:
    log = []

    def plain(n: int) -> None:
        try:
            plain(n - 1) if n else ohwait(awaited())
        except GeneratorExit:
            log.append(("exit", n))
            raise
        finally:
            log.append(("finally", n))

    async def awaited() -> None:
        try:
            await pause()
        finally:
            log.append("awaited")

    async def host() -> None:
        try:
            plain(depth)
        finally:
            log.append("host")

    expected = ["awaited", *[(word, n) for n in range(depth + 1) for word in ("exit", "finally")], "host"]
    coroutine = start(host())
    coroutine.close()
    assert log == expected
    log.clear()
    coroutine = start(host())
    del coroutine
    assert log == expected, "dropping the last reference closes"


def test_closing_while_waiting_in_finally() -> None:
    """close() of a coroutine that waits again while it is closed: RuntimeError; it can be closed again."""
    log = []

    def plain() -> None:
        try:
            ohwait(pause("body"))
        finally:
            log.append(ohwait(pause("finally")))
            log.append("not reached")

    coroutine = start(host_of(plain))
    with pytest.raises(RuntimeError, match="coroutine ignored GeneratorExit"):
        coroutine.close()
    coroutine.close()
    assert log == [] and coroutine.cr_frame is None


def test_close_before_the_start_and_after_the_end() -> None:
    coroutine = host_of(lambda: ohwait(pause()))
    coroutine.close()
    with pytest.raises(RuntimeError, match="cannot reuse"):
        coroutine.send(None)
    done = host_of(lambda: ohwait(pause()))
    assert outcome(done)[-1] == ("return", None)
    done.close()


def test_an_awaitable_that_fails_to_close() -> None:
    class Stubborn:
        def __await__(self):
            return self

        def __iter__(self):
            return self

        def __next__(self) -> str:
            return "step"

        def close(self) -> None:
            raise OSError("cannot close")

    log = []

    def plain() -> None:
        try:
            ohwait(Stubborn())
        except BaseException as error:
            log.append(repr(error))
            raise

    coroutine = start(host_of(plain))
    with pytest.raises(OSError, match="cannot close"):
        coroutine.close()
    assert log == ["OSError('cannot close')"]


def test_an_awaitable_that_cannot_close_or_throw() -> None:
    class Bare:
        def __await__(self):
            return self

        def __next__(self) -> str:
            return "step"

        def __iter__(self):
            return self

    for action, name in ((lambda c: c.close(), "GeneratorExit"), (lambda c: c.throw(KeyError("k")), "KeyError")):
        log: list[str] = []

        def plain(log: list[str] = log) -> None:
            try:
                ohwait(Bare())
            except BaseException as error:
                log.append(type(error).__name__)
                raise

        coroutine = start(host_of(plain))
        step(action, coroutine)
        assert log == [name] and coroutine.cr_frame is None


def test_chains_of_one_host_after_another_use_spare_memory() -> None:
    for depth in (0, 3, 50, 200, 3, 0):
        for _ in range(40):
            assert finish(start(host_of(lambda depth=depth: below(depth, lambda: ohwait(pause())))), [depth]) == depth
    assert _core.counters()["alive"] == 0
