"""Hot loops that wait below sorted(): code that a JIT has made stands between then, and cannot be set aside."""

import sys

from core_tools import pause, ready

from ohwait import CFunctionError, _core, ohwait

ROUNDS = int(sys.argv[1])


def wait(n):
    return ohwait(pause(n) if n % 97 == 0 else ready(n))


def loop(rounds):
    total = 0
    for n in range(rounds):
        total += sorted([n], key=wait)[0]
    return total


async def plain(rounds):
    return loop(rounds)


async def host(rounds):
    total = 0
    for n in range(rounds):
        total += sorted([n], key=wait)[0]
    return total


def drive(coroutine):
    sent = None
    while True:
        try:
            sent = coroutine.send(sent)
        except StopIteration as stop:
            return stop.value
        except CFunctionError:
            return None


results = [drive(function(ROUNDS)) for function in (host, plain) for _ in range(4)]
expected = sum(range(ROUNDS))
assert set(results) <= {None, expected}, results
assert _core.stats()["suspensions_by_stack"] > 0
assert _core.stats()["slices_alive"] == 0
refused = results.count(None)
print("refused:", refused, "jit", bool(getattr(sys, "_jit", None) and sys._jit.is_enabled()))
