"""KeyboardInterrupt pending, without Python code in between, at each point of suspending and resuming.

Awaitables iterated by C trip the signal: nothing but the interpreter's own checks can deliver it.  Whatever happens,
what entered a `try` block must leave it by its `finally`, and the data stack must be as before.
"""

import _thread
import functools
import gc
import itertools
import operator
import sys

from ohwait import _core, ohwait

trip = _thread.interrupt_main
HEIGHTS = _core.data_stack()


class Returns:
    def __init__(self, iterator):
        self.iterator = iterator

    def __await__(self):
        return self.iterator


def awaitables():
    """(name, iterator of C): the signal comes before the first yield, a later one, the end, an error (TypeError)."""
    yield "first step", map(operator.call, [trip])
    yield "later step", itertools.chain([1], map(operator.call, [trip]), [2])
    yield "at the end", itertools.chain([1], iter(trip, None))
    yield "at once", iter(trip, None)
    yield "twice", itertools.chain(map(operator.call, [trip, trip]), iter(trip, None))
    yield "failing", map(operator.truediv, [1, 1], itertools.chain([1], map(operator.call, [trip])))


def plain(depth, counts, awaitable):
    try:
        counts[0] += 1
        if depth:
            return plain(depth - 1, counts, awaitable)
        return ohwait(awaitable)
    finally:
        counts[1] += 1


async def host(depth, counts, awaitable):
    try:
        counts[0] += 1
        return plain(depth, counts, awaitable)
    finally:
        counts[1] += 1


async def outer(depth, counts, awaitable):
    try:
        counts[0] += 1
        return await host(depth, counts, awaitable)
    finally:
        counts[1] += 1


def run(make, depth, counts, iterator, pending_at):
    """Drive to the end; `pending_at`: the step before which the signal is tripped by C, and the step run by C."""
    interrupts = 0
    coroutine = None
    step = 0
    try:
        coroutine = make(depth, counts, Returns(iterator))
        while True:
            if step == pending_at:
                step += 1
                for _ in map(operator.call, [trip, functools.partial(coroutine.send, None)]):
                    pass
            elif pending_at == -2 - step:
                step += 1
                for _ in map(operator.call, [trip, functools.partial(coroutine.throw, ValueError())]):
                    pass
            elif pending_at == -100 - step:
                step += 1
                for _ in map(operator.call, [trip, coroutine.close]):
                    pass
                break
            else:
                step += 1
                coroutine.send(None)
    except (StopIteration, TypeError, ValueError):
        pass
    except KeyboardInterrupt:
        interrupts += 1
    except RuntimeError as error:  # "generator raised StopIteration": map() passes it on
        if "StopIteration" not in str(error) and "reuse" not in str(error):
            raise
    try:
        while coroutine is not None and coroutine.cr_frame is not None:
            coroutine.close()
    except KeyboardInterrupt:
        interrupts += 1
    return interrupts


def main():
    interrupts = runs = 0
    names = [name for name, _ in awaitables()]
    for number, name in enumerate(names):
        for make in (host, outer):
            for depth in (0, 1, 2, 7):
                for pending_at in [-1, *range(4), *range(-5, -1), *range(-104, -100)]:
                    counts = [0, 0]
                    iterator = list(awaitables())[number][1]
                    try:
                        interrupts += run(make, depth, counts, iterator, pending_at)
                    except KeyboardInterrupt:
                        interrupts += 1
                    try:
                        del iterator
                        gc.collect(0)
                    except KeyboardInterrupt:
                        interrupts += 1
                    runs += 1
                    assert counts[0] == counts[1], (name, make.__name__, depth, pending_at, counts)
    counters = _core.counters()
    assert counters["lifted"] == counters["spliced"] + counters["cleared"], counters
    assert counters["cleared"] == 0 and counters["alive"] == 0, counters
    assert interrupts > runs / 3, (interrupts, runs)
    print("interrupts", interrupts, "of", runs)


main()
assert _core.data_stack() == HEIGHTS
sys.stdout.flush()
