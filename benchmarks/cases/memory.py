"""How much memory does a suspended chain of functions take?

10,000 of them are suspended at the same time; what the kernel says this process has grown by is divided by their
number.
"""

from functools import partial

from benchmarks.cases import QUICK_DEPTHS, Target
from benchmarks.contenders import BARE
from benchmarks.driver import suspending
from benchmarks.resident import bytes_of_chains
from benchmarks.shapes import Hosts

TITLE = "memory of a suspended chain"
AXIS = "depth of the chain"
POINTS = (0, 1, 2, 5, 10, 20, 50, 100)
QUICK = QUICK_DEPTHS
CONTENDERS = BARE
STEADY = True
UNITS = ("byte", "byte at the peak")
TARGETS = (Target(1, 1.0), Target(5, 1.0), Target(20, 1.0), Target(1, 1 / 4, "awaitlet"))
CHAINS = 10_000


def gauge(contender: Hosts, depth: int) -> dict[str, float]:
    """Bytes of a chain, and what the whole process took at its peak for each."""
    return bytes_of_chains(partial(contender.one_wait, depth, suspending), CHAINS)
