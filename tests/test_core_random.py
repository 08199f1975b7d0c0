"""Random programs of calls, waits, handlers and loops, stepped in random order: plain functions against await."""

from __future__ import annotations

import gc
import random
import sys
import threading
from typing import Any

import pytest
from core_tools import as_if_awaited, below, pause, start

from ohwait import _core, ohwait

ERRORS = (ValueError, KeyError, OSError)


def program(rand: random.Random, depth: int, budget: list[int]) -> list[Any]:
    """What one function does: a list of instructions, some with further functions' lists."""
    made: list[Any] = []
    for _ in range(rand.randrange(1, 4)):
        budget[0] -= 1
        kinds = ["pause", "pause", "ready", "local", "gc"]
        if depth and budget[0] > 0:
            kinds += ["call", "call", "call", "coroutine", "try", "loop", "finally", "iterate"]
        kind = rand.choice(kinds)
        parts = [program(rand, depth - 1, budget) for _ in range(PARTS.get(kind, 0))]
        made.append((kind, rand.randrange(1000), *parts))
        if rand.random() < 0.1:
            made.append(("raise", rand.randrange(3)))
    return made


PARTS = {"call": 1, "coroutine": 1, "try": 2, "loop": 1, "finally": 2, "iterate": 1}


def closing() -> bool:
    return isinstance(sys.exc_info()[1], GeneratorExit)


def schedule(rand: random.Random, coroutines: list[Any], log: list[Any], step: Any, drop: bool) -> None:
    """Step whichever is next until all have ended, throwing, closing and (with `drop`) dropping now and then."""
    alive = dict(enumerate(coroutines))
    coroutines.clear()
    values = 0
    started: set[int] = set()
    while alive:
        number = rand.choice(list(alive))
        coroutine = alive[number]
        values += 1
        action = rand.random()
        if number not in started or action < 0.8:
            result = step(coroutine.send, values if number in started else None)
        elif action < 0.93:
            result = step(coroutine.throw, rand.choice(ERRORS)(values))
        elif action < 0.97 or not drop:
            result = step(coroutine.close)
            result = ("closed", result)
        else:
            result = ("dropped", None)
        started.add(number)
        log.append(("step", number, result))
        if result[0] != "yield":
            del coroutine
            del alive[number]
            gc.collect()  # Whether it is in a cycle depends on where it waits.


def one_step(function: Any, *args: Any) -> tuple[str, Any]:
    try:
        return "yield", function(*args)
    except StopIteration as stop:
        return "return", stop.value
    except Exception as error:
        return "raise", (type(error).__name__, str(error), sorted(getattr(error, "__notes__", [])))


def on_threads(workers: list[Any]) -> Any:
    """Steps are run by one of the threads in turn."""

    def step(function: Any, *args: Any) -> tuple[str, Any]:
        results: list[Any] = []
        calls = [(function, *args)]
        del function, args  # The last reference to a coroutine that has ended is the scheduler's.
        worker = workers.pop(0)
        workers.append(worker)
        todo, done = worker
        todo.append(lambda: results.append(one_step(*calls.pop())))
        done[0].release()
        done[1].acquire()
        return results[0]

    return step


def worker(todo: list[Any], semaphores: tuple[threading.Semaphore, threading.Semaphore]) -> None:
    while True:
        semaphores[0].acquire()
        work = todo.pop(0)
        if work is None:
            return
        work()
        del work
        semaphores[1].release()


@as_if_awaited
def run_programs(seed: int, size: int, step: Any, drop: bool = True) -> Any:
    async def plain_run(code: list[Any], log: list[Any]) -> int:
        total = 0
        for kind, value, *parts in code:
            if kind == "pause":
                if not closing():
                    total += (await pause(value)) or 1
            elif kind == "ready":
                total += await immediate(value)
            elif kind == "local":
                kept = [value, total]
                total += sum(kept)
            elif kind == "gc":
                gc.collect(0)
            elif kind == "call":
                total += await plain_run(parts[0], log)
            elif kind == "coroutine":
                total += await run(parts[0], log)
            elif kind == "iterate":
                total += await run_iterating(parts[0], log)
            elif kind == "loop":
                for n in range(value % 3 + 1):
                    log.append(("loop", value, n))
                    total += await plain_run(parts[0], log)
            elif kind == "raise":
                raise ERRORS[value](total)
            elif kind == "try":
                try:
                    total += await plain_run(parts[0], log)
                except (ValueError, KeyError) as error:
                    error.add_note(str(value))
                    log.append(("handler", type(error).__name__, str(error)))
                    total += await plain_run(parts[1], log)
                    log.append(("handled", repr(sys.exc_info()[1])))
                    if value % 5 == 0:
                        raise
            elif kind == "finally":
                ended = False
                try:
                    total += await plain_run(parts[0], log)
                    ended = True
                finally:  # What sys.exc_info() has here from outside is lost natively when throw() resumes.
                    log.append(("finally", value, ended))
                    if not closing():
                        total += await plain_run(parts[1], log)
        log.append(("end", total))
        return total

    async def immediate(value: int) -> int:
        return value

    async def run(code: list[Any], log: list[Any]) -> int:
        return await plain_run(code, log)

    async def items(code: list[Any], log: list[Any]):
        yield await plain_run(code, log)
        yield await plain_run(code, log)

    async def run_iterating(code: list[Any], log: list[Any]) -> int:
        return sum([item async for item in items(code, log)])

    rand = random.Random(seed)
    log: list[Any] = []
    programs = [program(rand, 5, [size]) for _ in range(6)]
    coroutines = [run(code, log) for code in programs]
    schedule(rand, coroutines, log, step, drop)
    if not any(entry[0] == "step" and entry[2][0] == "yield" for entry in log):
        start(run([("pause", 0)], [])).close()  # For the comparison to be one.
    return log


@pytest.mark.unrepeatable("async generators are finalised by the collector, whenever")
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_random_programs(rand: Any) -> None:
    for _ in range(60):
        run_programs(rand.randrange(2**32), 30, one_step)


@pytest.mark.unrepeatable("async generators are finalised by the collector, whenever")
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_random_programs_with_the_collector_at_every_moment(rand: Any) -> None:
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(5):
            run_programs(rand.randrange(2**32), 20, one_step)
    finally:
        gc.set_threshold(*threshold)


@pytest.mark.unrepeatable("async generators are finalised by the collector, whenever")
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_random_programs_on_changing_threads(rand: Any) -> None:
    workers = [([], (threading.Semaphore(0), threading.Semaphore(0))) for _ in range(3)]
    threads = [threading.Thread(target=worker, args=each) for each in workers]
    for thread in threads:
        thread.start()
    try:
        for _ in range(15):
            run_programs(rand.randrange(2**32), 25, on_threads(workers))
    finally:
        for todo, (go, _) in workers:
            todo.append(None)
            go.release()
        for thread in threads:
            thread.join()


@pytest.mark.slow
@pytest.mark.unrepeatable("long")
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_many_large_random_programs(rand: Any) -> None:
    for _ in range(100):
        run_programs(rand.randrange(2**32), 120, one_step)
    assert _core.counters()["alive"] == 0 or gc.collect() >= 0


@pytest.mark.unrepeatable("long")
def test_chains_of_random_depth_in_random_order(rand: Any) -> None:
    """A thousand chains spawned, stepped and closed at random heights of the stack."""

    def plain(n: int, steps: int) -> int:
        return sum([ohwait(pause(n)) for _ in range(steps)])

    async def host(n: int, depth: int, steps: int) -> int:
        return below(depth, lambda: plain(n, steps))

    heights = _core.data_stack()
    waiting: list[tuple[Any, int, int]] = []
    ended = 0
    for n in range(1000):
        steps = rand.randrange(1, 5)
        made = host(n, rand.choice([0, 1, 2, 5, 40, 200]), steps)
        below(rand.choice([0, 3, 90, 150]), lambda made=made: start(made))
        waiting.append((made, n, steps))
        while waiting and rand.random() < 0.55:
            position = rand.randrange(len(waiting))
            coroutine, number, left = waiting[position]
            if rand.random() < 0.05:
                coroutine.close()
                del waiting[position]
                continue
            kind, result = below(rand.choice([0, 2, 80, 151]), lambda c=coroutine: one_step(c.send, 1))
            if left == 1:
                assert kind == "return" and result >= 1
                ended += 1
                del waiting[position]
            else:
                assert (kind, result) == ("yield", number)
                waiting[position] = (coroutine, number, left - 1)
        assert _core.data_stack() == heights
    assert ended > 100
    waiting.clear()
