"""Around every test: no suspended chain, data stack, recursion and, where it can be repeated, memory is lost."""

from __future__ import annotations

import gc
import itertools
import os
import random
import sys
import time
from array import array
from collections.abc import Callable, Iterator

import pytest

import ohwait
from ohwait import _core

pytest.register_assert_rewrite("core_tools")

JIT = getattr(sys, "_jit", None)
COMPILES = JIT is not None and JIT.is_enabled()
"""With the JIT on memory is not steady: traces are made and dropped while tests run, in 3.14 above all when tracing is
switched (what is held is checked all the same)."""
COUNTS_REFERENCES = hasattr(sys, "gettotalrefcount")
"""Debug builds of CPython count references."""

REPEAT = os.environ.get("OHWAIT_TESTS_REPEAT", "1") != "0"
REPEATABLE = 0.1
"""Seconds that a test may take to be repeated for the memory check."""
WARM_UPS, ROUNDS = 2, 4
FEW, MANY = 2, 20
"""Runs a round: a few to find what may leak, many to be sure that it grows with their number."""


class Rand(random.Random):
    """A generator of random numbers whose repr, shown with a failing test, tells how to get them again."""

    def __init__(self, start: int) -> None:
        self.start = start
        super().__init__(start)

    def __repr__(self) -> str:
        return f"<Rand: repeat with OHWAIT_SEED={self.start}>"


@pytest.fixture
def rand() -> Rand:
    return Rand(int(os.environ.get("OHWAIT_SEED", 0)) or random.SystemRandom().randrange(1, 2**32))


@pytest.fixture
def without_c_frames() -> Iterator[None]:
    """C frames are not set aside: C functions in between are refused, as where it cannot be done."""
    ohwait.configure(c_frames=False)
    yield
    ohwait.configure(c_frames=os.environ.get("OHWAIT_C_FRAMES") != "0")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes seconds; -m 'not slow' leaves it out")
    config.addinivalue_line("markers", "unrepeatable: its memory is not checked by repeating it, for the reason given")


def pytest_report_header() -> str:
    build = _core.BUILD
    return f"ohwait {ohwait.__version__} for CPython {build['version']}, checked: {build['checked']}"


@pytest.fixture(scope="module", autouse=True)
def _what_exists_already_is_no_garbage() -> None:
    """Collections look only at what is newer, which makes them quick."""
    gc.collect()
    gc.freeze()


def collect() -> None:
    for _ in range(5):
        if not gc.collect():
            break
    _core.free_spares()


def held() -> dict[str, object]:
    """What a test must leave as it was, at this depth of the stack."""
    counters = _core.counters()
    return {
        "chains suspended (lifted - spliced - cleared)": counters["lifted"] - counters["spliced"] - counters["cleared"],
        "Chain objects alive": counters["alive"],
        "(chunks, words) of the data stack": _core.data_stack(),
        "calls left before RecursionError": _core.recursion_left(),
        "C frames set aside (slices, bytes)": (ohwait.stats().slices_alive, ohwait.stats().slice_bytes),
    }


def memory(seen: array[int]) -> None:
    """Note the allocated blocks, and the references where this interpreter counts them."""
    collect()
    seen.pop(0)
    seen.append(sys.getallocatedblocks())
    if COUNTS_REFERENCES:
        seen.pop(0)
        seen.append(sys.gettotalrefcount())


def growth(run: Callable[[], object], runs: int) -> list[list[int]]:
    """Memory before and after each round of runs: the blocks, and the references. What notes it does not grow."""
    numbers = 1 + COUNTS_REFERENCES
    seen = array("q", [0] * (numbers * (ROUNDS + 1)))
    for _ in range(WARM_UPS):
        run()
    memory(seen)
    for _ in range(ROUNDS):
        for _ in range(runs):
            run()
        memory(seen)
    return [seen[number::numbers].tolist() for number in range(numbers)]


def grows(seen: list[list[int]], runs: int) -> bool:
    """Whether one of the numbers is larger after every round by what one object a run would make."""
    return any(all(b - a >= runs for a, b in itertools.pairwise(numbers)) for numbers in seen)


def repeatable(item: pytest.Function, seconds: float) -> bool:
    params = item.callspec.params if hasattr(item, "callspec") else {}
    fixtures = set(item._fixtureinfo.argnames) - set(params) - {"rand"}
    return (
        REPEAT
        and not COMPILES
        and item.path.name.startswith(("test_core_", "test_cframes_"))
        and seconds < REPEATABLE
        and not fixtures
        and item.get_closest_marker("unrepeatable") is None
    )


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Call the test and check. A hook and not a fixture: before and after must be at the same depth of the stack."""
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    test = pyfuncitem.obj

    def run() -> None:
        if "rand" in arguments:
            arguments["rand"].seed(arguments["rand"].start)
        test(**arguments)

    collect()
    before = held()
    began = time.perf_counter()
    run()
    seconds = time.perf_counter() - began
    collect()
    after = held()
    assert after == before, "left behind by the test"
    if repeatable(pyfuncitem, seconds):
        if grows(growth(run, FEW), FEW):
            seen = growth(run, MANY)
            assert not grows(seen, MANY), f"memory grows with each of {MANY} runs a round: blocks[, references]"
        after = held()
        assert after == before
    return True
