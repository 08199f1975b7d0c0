"""Coroutines that await each other, suspended below C, are resumed here and, in vain, on other threads, at random."""

import gc
import random
import sys
import threading
import types

from cframes_tools import at_some_depth, by_c, waiting

import ohwait
from ohwait import _core

rand = random.Random(int(sys.argv[1]))


def key(value):
    try:
        for _ in range(rand.choice([1, 1, 2])):
            waiting(value)
    except KeyError:
        pass
    return value


def plain(depth):
    if depth == 0:
        return sorted([1, 2], key=key)
    return plain(depth - 1) if rand.random() < 0.5 else by_c(lambda: plain(depth - 1))


async def host():
    return plain(rand.randrange(4))


async def roomy():
    result = [0, *plain(2)]
    return result[1:]


async def outer(inner):
    stack = [1, 2, (3, await inner)]
    return stack[2][1]


@types.coroutine
def based(inner):
    return (yield from inner)


def begin():
    coroutine = rand.choice([host, roomy])()
    for _ in range(rand.randrange(4)):
        coroutine = rand.choice([outer, based])(coroutine)
    at_some_depth(rand, lambda: coroutine.send(None))
    return coroutine


def refused(coroutine):
    seen = []
    attempt = rand.choice(
        [
            lambda: coroutine.send(1),
            lambda: coroutine.throw(KeyError),
            lambda: coroutine.throw(GeneratorExit),
            coroutine.close,
        ]
    )

    def call():
        try:
            attempt()
        except BaseException as error:
            seen.append(type(error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert seen == [ohwait.OhwaitError], seen


def resumed(coroutine):
    """Whether it has ended."""
    way = rand.random()
    try:
        if way < 0.2:
            at_some_depth(rand, lambda: coroutine.throw(KeyError("at home")))
        elif way < 0.3:
            at_some_depth(rand, coroutine.close)
            return True
        elif way < 0.35:
            return True  # Dropped.
        else:
            at_some_depth(rand, lambda: coroutine.send(0))
    except StopIteration as stop:
        assert stop.value == [1, 2], stop.value
        return True
    return False


alive, refusals = [], 0
for _ in range(int(sys.argv[2])):
    if not alive or (len(alive) < 12 and rand.random() < 0.4):
        alive.append(begin())
        continue
    chosen = rand.randrange(len(alive))
    if rand.random() < 0.4:
        refused(alive[chosen])
        refusals += 1
    elif resumed(alive[chosen]):
        del alive[chosen]
    if rand.random() < 0.02:
        gc.collect()
alive.clear()
gc.collect()
stats = _core.stats()
assert stats["slices_alive"] == stats["slices_lost"] == _core.counters()["alive"] == 0, (stats, _core.counters())
print(refusals)
