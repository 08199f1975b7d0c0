"""Does a suspended chain take more memory when there are many of them?

Chains of depth 5; what the kernel says this process has grown by is divided by their number.
"""

from functools import partial

from benchmarks.contenders import BARE
from benchmarks.driver import suspending
from benchmarks.resident import bytes_of_chains
from benchmarks.shapes import Hosts

TITLE = "memory by the number of chains"
AXIS = "suspended chains"
POINTS = (1_000, 10_000, 100_000)
QUICK = (1_000,)
CONTENDERS = BARE
STEADY = True
UNITS = ("byte", "byte at the peak")
DEPTH = 5


def gauge(contender: Hosts, chains: int) -> dict[str, float]:
    """Bytes of a chain, and what the whole process took at its peak for each."""
    return bytes_of_chains(partial(contender.one_wait, DEPTH, suspending), chains)
