"""Hot loops, which a JIT compiles, in plain functions that suspend now and then: the results must be right."""

import sys

from core_tools import pause, ready

from ohwait import ohwait

ROUNDS = int(sys.argv[1])


def rarely(n, rate, log):
    if n % rate == 0:
        got = ohwait(pause(n))
        log.append(got)
        return got
    return n


def always(n, rate, log):
    return ohwait(pause(n) if n % rate == 0 else ready(n))


def loop(rounds, rate, log, function):
    total = 0
    for n in range(rounds):
        total += function(n, rate, log)
        if total > 1_000_000:
            total -= 1_000_000
    return total


def nested(rounds, rate, log, function):
    total = 0
    for n in range(rounds // 10):
        for m in range(10):
            total += function(10 * n + m, rate, log)
    return total % 1_000_003


def handled(rounds, rate, log, function):
    total = 0
    for n in range(rounds):
        try:
            if n % 7 == 3:
                raise ValueError(n)
            total += function(n, rate, log)
        except ValueError as error:
            total += error.args[0]
        finally:
            total += function(n + 1, rate, log)
    return total % 1_000_003


def recursive(n, rate, log, function):
    return function(n, rate, log) + (recursive(n - 1, rate, log, function) if n else 0)


def recursing(rounds, rate, log, function):
    return sum([recursive(20, rate, log, function) for _ in range(rounds // 20)])


def while_loop(rounds, rate, log, function):
    n = total = 0
    items = [1, 2, 3]
    while n < rounds:
        total += function(n, rate, log) + items[n % 3]
        n += 1
    return total


class Object:
    def __init__(self):
        self.total = 0

    def add(self, n, rate, log, function):
        self.total += function(n, rate, log)
        return self


def methods(rounds, rate, log, function):
    it = Object()
    for n in range(rounds):
        it = it.add(n, rate, log, function)
    return it.total


async def host(shape, rounds, rate, log, function):
    first = shape(rounds, rate, log, function)
    return [first, shape(rounds, rate, log, function)]


async def hot_host(rounds, rate, log, function):
    total = 0
    for n in range(rounds):
        total += function(n, rate, log)
    return total


def drive(coroutine):
    steps = 0
    try:
        value = coroutine.send(None)
        while True:
            steps += 1
            value = coroutine.send(value)
    except StopIteration as stop:
        return stop.value, steps


def expected(shape, rounds, rate, function):
    return shape(rounds, rate, [], lambda n, rate, log: n)


def main():
    shapes = (loop, nested, handled, recursing, while_loop, methods)
    for rate in (1, 2, 3, 17, 100, 1000, 4099):
        for function in (rarely, always):
            for shape in shapes:
                log = []
                result, steps = drive(host(shape, ROUNDS, rate, log, function))
                right = expected(shape, ROUNDS, rate, function)
                assert result == [right, right], (shape.__name__, function.__name__, rate, result, right)
                assert steps >= 2, steps
            result, steps = drive(hot_host(ROUNDS, rate, [], function))
            assert result == ROUNDS * (ROUNDS - 1) // 2, (rate, result)
    # Many at once, in turn: traces made for one are run by the others.
    running = [host(shape, ROUNDS // 4, 50, [], rarely) for shape in shapes for _ in range(5)]
    values = dict.fromkeys(running)
    while values:
        for coroutine, value in list(values.items()):
            try:
                values[coroutine] = coroutine.send(value)
            except StopIteration:
                del values[coroutine]
    jit = getattr(sys, "_jit", None)
    print("jit", bool(jit and jit.is_enabled()))


main()
