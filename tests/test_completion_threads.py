"""Completion between threads: stress with cancellations, loops in several threads, coalesced wake-ups, no leaks."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from loops import Loop, every_loop

import ohwait
from ohwait import _completion
from ohwait.completion import Completion, CompletionCancelled, CompletionStateError

RUNS = 150
"""Of a scenario, in a round: what it loses each time shows by then."""


@contextmanager
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def try_to_settle(completion: Completion[int], how: int) -> bool:
    """Whether this one was first."""
    try:
        if how == 0:
            return completion.cancel()
        if how == 1:
            completion.set_exception(LookupError(1))
        else:
            completion.set_result(how)
    except CompletionStateError:
        return False
    return True


@every_loop
def test_stress_with_cancellations(loop: Loop, rand: random.Random) -> None:
    """Every waiter is resumed exactly once, with the outcome or its own cancellation; every callback is called once."""
    rounds = 150
    called: list[object] = []

    async def main() -> None:
        resumed: list[object] = []

        def wait(completion: Completion[int], seconds: float) -> None:
            async def inner() -> None:
                try:
                    resumed.append(await completion)
                except (LookupError, CompletionCancelled) as error:
                    resumed.append(error)

            coroutine = inner()
            ohwait.ohwait(coroutine)

        for _ in range(rounds):
            completion: Completion[int] = Completion()
            hows = [rand.randrange(4) for _ in range(3)]
            with ohwait.scope() as scope:
                waiters = [scope.spawn(wait, completion, 0) for _ in range(rand.randrange(4))]
                if rand.random() < 0.7:
                    await loop.sleep(0)
                completion.add_done_callback(called.append)
                threads = [threading.Thread(target=try_to_settle, args=(completion, how)) for how in hows]
                for thread in threads:
                    thread.start()
                for waiter in waiters:
                    if rand.random() < 0.3:
                        waiter.cancel()
                for thread in threads:
                    thread.join()
                assert completion.done()
            assert completion.waiting == 0
            assert len(resumed) <= len(waiters)
            resumed.clear()
        await loop.sleep(0.02)

    with switching_often():
        loop.run_coroutine(main)
    assert len(called) == rounds
    called.clear()


def test_exactly_one_of_many_settles_it() -> None:
    with switching_often(), ThreadPoolExecutor(4) as pool:
        for _ in range(300):
            completion: Completion[int] = Completion()
            seen: list[object] = []
            completion.add_done_callback(seen.append)
            first = list(pool.map(try_to_settle, [completion] * 6, [0, 1, 2, 3, 4, 5]))
            assert sum(first) == 1 and seen == [completion]
            seen.clear()


def test_waiters_that_come_while_it_is_completed_are_not_lost() -> None:
    """Each of several loops in threads of their own waits for what any other completes."""
    completions: list[Completion[int]] = [Completion() for _ in range(600)]
    results: list[list[int]] = []

    async def work(number: int) -> None:
        order = list(range(len(completions)))
        random.Random(number).shuffle(order)

        async def one(index: int) -> int:
            return await completions[index]

        async def finish() -> None:
            for index in order[number::3]:
                try_to_settle(completions[index], index + 2)
                await asyncio.sleep(0)

        finishing = asyncio.create_task(finish())
        results.append(await asyncio.gather(*(one(index) for index in range(len(completions)))))
        await finishing
        for index, completion in enumerate(completions):
            try_to_settle(completion, index + 2)

    def run(number: int) -> None:
        asyncio.run(asyncio.wait_for(work(number), 60))

    with switching_often():
        threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            for completion_number, completion in enumerate(completions):
                try_to_settle(completion, completion_number + 2)
            threads[0].join(0.05)
    assert results == [list(range(2, 602))] * 3


def test_many_completions_wake_the_loop_once() -> None:
    async def main() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        calls: list[object] = []
        original = loop.call_soon_threadsafe

        def counting(*args: Any, **keywords: Any) -> Any:
            calls.append(args)
            return original(*args, **keywords)

        loop.call_soon_threadsafe = counting  # type: ignore[method-assign]
        completions: list[Completion[int]] = [Completion() for _ in range(500)]
        gathered = asyncio.gather(*completions)
        await asyncio.sleep(0)

        def complete() -> None:
            for number, completion in enumerate(completions):
                completion.set_result(number)

        thread = threading.Thread(target=complete)
        thread.start()
        thread.join()  # The loop has no turn meanwhile.
        results = await gathered
        del loop.call_soon_threadsafe
        return sum(results), len(calls)

    assert asyncio.run(main()) == (sum(range(500)), 1)


async def bare(completion: Completion[int]) -> int:
    return await completion


@every_loop
def test_a_loop_that_is_busy_while_thousands_are_completed(loop: Loop) -> None:
    async def main() -> list[int]:
        completions: list[Completion[int]] = [Completion() for _ in range(3000)]

        def complete() -> None:
            for number, completion in enumerate(completions):
                completion.set_result(number)

        async def bare(completion: Completion[int]) -> int:
            return await completion

        with ohwait.scope() as scope:
            handles = [scope.spawn(bare, completion) for completion in completions]
            while any(completion.waiting == 0 for completion in completions):
                await loop.sleep(0)
            thread = threading.Thread(target=complete)
            thread.start()
            thread.join()
        return [handle.result() for handle in handles]

    assert loop.run_coroutine(main) == list(range(3000))


def scenarios() -> list[Callable[[], Coroutine[Any, Any, None]]]:
    async def complete() -> None:
        completion: Completion[int] = Completion()
        thread = threading.Thread(target=completion.set_result, args=(1,))
        tasks = [asyncio.create_task(bare(completion)) for _ in range(3)]
        await asyncio.sleep(0)
        thread.start()
        await asyncio.gather(*tasks)
        thread.join()

    async def cancel() -> None:
        completion: Completion[int] = Completion()
        completion.add_done_callback(print)
        tasks = [asyncio.create_task(bare(completion)) for _ in range(3)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert completion.waiting == 1

    async def fail() -> None:
        completion: Completion[int] = Completion()
        tasks = [asyncio.create_task(bare(completion)) for _ in range(3)]
        await asyncio.sleep(0)
        completion.set_exception(ValueError())
        await asyncio.wait(tasks)
        for task in tasks:
            task.exception()

    async def plain() -> None:
        completion: Completion[int] = Completion()
        asyncio.get_running_loop().call_soon(completion.set_result, 1)
        assert ohwait.ohwait(completion) == 1

    return [complete, cancel, fail, plain]


@pytest.mark.parametrize("number", range(4), ids=["complete", "cancel", "fail", "plain"])
def test_nothing_leaks_in_asyncio(number: int) -> None:
    main = scenarios()[number]
    with asyncio.Runner() as runner:  # One loop: asyncio.run() leaves some blocks behind each time.
        loop = runner.get_loop()
        seen = []
        for _ in range(4):  # The first rounds fill free lists, those of asyncio's and of contextvars, too.
            for _ in range(RUNS):
                loop.run_until_complete(main())
            gc.collect()
            _completion.free_spares()
            seen.append([sys.getallocatedblocks(), getattr(sys, "gettotalrefcount", int)()])
    growth = [after - before for before, after in zip(seen[-2], seen[-1])]
    assert max(growth) < RUNS, f"blocks and references grow with each of {RUNS} runs: {seen}"


@every_loop
def test_nothing_leaks(loop: Loop) -> None:
    async def main() -> None:
        for _ in range(30):
            completion: Completion[int] = Completion()

            def wait(completion: Completion[int] = completion) -> int:
                return ohwait.ohwait(completion)

            await loop.within(0.0001, wait)
            completion.add_done_callback(str)
            completion.set_result(1)
            assert wait() == 1

    loop.run_coroutine(main)
    gc.collect()
    names = {type(found).__name__ for found in gc.get_objects() if type(found).__module__.startswith("ohwait.comp")}
    assert not names & {"Completion", "Waiter", "Mailbox"}
    alive = [found for found in gc.get_objects() if type(found).__name__ in ("Waiter", "Mailbox")]
    assert alive == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_starts_anew() -> None:
    """In the child nobody of the parent's loops is called; its own loops work."""
    script = """
        import asyncio, os, threading, warnings
        from ohwait.completion import Completion
        warnings.simplefilter("ignore")
        completion = Completion()

        async def child():
            mine = Completion()
            threading.Timer(0.01, mine.set_result, (2,)).start()
            return await mine

        async def main():
            waiting = asyncio.create_task(asyncio.wait_for(completion, 5))
            await asyncio.sleep(0)
            if (pid := os.fork()) == 0:
                completion.set_result("child's")
                result = []
                thread = threading.Thread(target=lambda: result.append(asyncio.run(child())))
                thread.start()
                thread.join()
                os._exit(0 if result == [2] and completion.result() == "child's" else 1)
            status = os.waitpid(pid, 0)[1]
            threading.Timer(0.01, completion.set_result, ("parent's",)).start()
            print(status, await waiting)

        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 parent's\n", "")
