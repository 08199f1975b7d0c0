"""How much memory does a suspended chain take that has C functions in it, whose part of the C stack is kept?

10,000 of them are suspended at the same time; what the kernel says this process has grown by is divided by their
number. Native await has nothing to keep there; its figure is of the nearest that one can write (see "through C
functions").
"""

from functools import partial

from benchmarks.cases import Target
from benchmarks.contenders import BARE
from benchmarks.driver import suspending
from benchmarks.resident import bytes_of_chains
from benchmarks.shapes import KINDS, Hosts

TITLE = "memory of a chain suspended through C functions"
AXIS = "what stands between"
POINTS = KINDS[1:]
QUICK = KINDS[1:2]
CONTENDERS = BARE
STEADY = True
UNITS = ("byte", "byte at the peak")
TARGETS = tuple(Target(kind, 1 / 2, "greenlet") for kind in POINTS)
CHAINS = 10_000


def gauge(contender: Hosts, kind: str) -> dict[str, float]:
    """Bytes of a chain through `kind`, and what the whole process took at its peak for each."""
    return bytes_of_chains(partial(contender.through, kind, suspending, 1), CHAINS)
