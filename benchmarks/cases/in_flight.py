"""Does a suspension cost more when many chains are in flight?

Chains of depth 5 wait in a loop each, and are resumed one after the other, as an event loop with many tasks does it.
An operation resumes one of them, which then suspends again.
"""

import atexit
from collections.abc import Callable
from itertools import cycle, islice

from benchmarks.contenders import BARE
from benchmarks.driver import now, suspending
from benchmarks.shapes import Hosts

TITLE = "chains in flight"
AXIS = "chains in flight"
POINTS = (1, 10, 100, 1_000, 10_000)
QUICK = (1, 1_000)
CONTENDERS = BARE
SLOPE = "chain in flight"
DEPTH = 5
FOR_EVER = 1 << 60


_sends: dict[tuple[Hosts, int], list[Callable[[None], object]]] = {}


def suspended(contender: Hosts, chains: int) -> list[Callable[[None], object]]:
    """What resumes each of `chains` suspended chains. They are made once for all values; others are let go."""
    if (contender, chains) not in _sends:
        _sends.clear()
        hosts = [contender.many_waits(DEPTH, suspending, FOR_EVER) for _ in range(chains)]
        _sends[contender, chains] = [host.send for host in hosts]
        for send in _sends[contender, chains]:
            send(None)
    return _sends[contender, chains]


atexit.register(_sends.clear)


def measure(contender: Hosts, chains: int, loops: int) -> float:
    """Seconds for `loops` resumptions."""
    sends = suspended(contender, chains)
    start = now()
    for send in islice(cycle(sends), loops):
        send(None)
    return now() - start
