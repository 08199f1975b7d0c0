"""What does it cost to cancel a suspended chain of functions?

10,000 chains are suspended; then an exception is thrown into one after the other, and leaves through all functions.
"""

from benchmarks.contenders import BARE
from benchmarks.driver import now, suspending
from benchmarks.shapes import Host, Hosts

TITLE = "cancelling"
AXIS = "depth of the chain"
POINTS = (0, 1, 5, 20, 100)
QUICK = (5,)
CONTENDERS = BARE
LOOPS = 10_000
SLOPE = "frame"


class Cancelled(BaseException):
    """Stands for an event loop's."""


def cancel(hosts: list[Host]) -> int:
    """Throw into every one of `hosts`; return how many have ended with what was thrown."""
    ended = 0
    for host in hosts:
        try:
            host.throw(Cancelled())
        except Cancelled:
            ended += 1
    return ended


def measure(contender: Hosts, depth: int, loops: int) -> float:
    """Seconds for cancelling `loops` chains."""
    hosts = [contender.one_wait(depth, suspending) for _ in range(loops)]
    for host in hosts:
        host.send(None)
    start = now()
    ended = cancel(hosts)
    elapsed = now() - start
    if ended != loops:
        raise RuntimeError(f"only {ended} of {loops} chains were cancelled")
    return elapsed
