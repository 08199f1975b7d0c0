"""KeyboardInterrupt by a timer whose delay is swept over the time that a suspension and a resumption take."""

import signal
import sys
import types

from ohwait import _core, ohwait

NATIVE = sys.argv[1] == "native"
ROUNDS = int(sys.argv[2])


@types.coroutine
def pause():
    yield


def interrupt(number, frame):
    raise KeyboardInterrupt


def plain(depth, counts):
    try:
        counts[0] += 1
        if depth:
            return plain(depth - 1, counts)
        ohwait(pause())
        ohwait(pause())
    finally:
        counts[1] += 1


async def awaiting(depth, counts):
    try:
        counts[0] += 1
        if depth:
            return await awaiting(depth - 1, counts)
        await pause()
        await pause()
    finally:
        counts[1] += 1


async def host(depth, counts):
    try:
        counts[0] += 1
        if NATIVE:
            await awaiting(depth, counts)
        else:
            plain(depth, counts)
    finally:
        counts[1] += 1


def spin(coroutine):
    coroutine.send(None)
    coroutine.send(None)
    coroutine.close()


def main():
    signal.signal(signal.SIGALRM, interrupt)
    interrupted = 0
    for number in range(ROUNDS):
        counts = [0, 0]
        coroutines = [host(number % 6, counts) for _ in range(10)]
        try:
            signal.setitimer(signal.ITIMER_REAL, 1e-6 + (number % 400) * 2.5e-7)
            for coroutine in coroutines:
                spin(coroutine)
            while True:
                pass
        except KeyboardInterrupt:
            interrupted += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        for coroutine in coroutines:
            coroutine.close()
        assert counts[0] == counts[1], (number, counts)
    counters = _core.counters()
    assert counters["lifted"] == counters["spliced"] and counters["cleared"] == 0, counters
    print(interrupted)


main()
