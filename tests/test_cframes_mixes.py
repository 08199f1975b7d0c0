"""The scenarios of all other files at once: begun and stepped in random order, each step at another depth of the stack,
thrown into, closed and dropped at random waits, while tools and the collector come and go."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import test_cframes_callers
import test_cframes_classes
import test_cframes_operators
import test_cframes_stdlib
from cframes_tools import (
    Driven,
    Scenario,
    Thrown,
    at_some_depth,
    by_stack,
    host,
    makes_classes,
    needs_c_frames,
    nothing_left,
    told_at_once,
    waiting,
)

from ohwait import ohwait

pytestmark = [needs_c_frames, makes_classes]

SOURCES = (test_cframes_callers, test_cframes_classes, test_cframes_operators, test_cframes_stdlib)
ALONE = {"pickle_hooks"}
"""They set something global: two at once would disturb each other."""
SCENARIOS: list[tuple[str, Scenario]] = [
    (str(param.id), param.values[0]) for source in SOURCES for param in source.scenarios if param.id not in ALONE
]
told = functools.cache(told_at_once)
ERRORS = {"throw": Thrown, "close": GeneratorExit, "drop": GeneratorExit}


class One:
    """A scenario, with what is to happen to it at which wait, and what must come of it."""

    def __init__(self, rand: Any, nested: int = 2) -> None:
        self.name, self.scenario = rand.choice(SCENARIOS)
        _, waits = told(self.scenario)
        self.plan = rand.choice(["", "", "", "throw", "close", "drop"])
        self.at = rand.randrange(1, waits + 1) if self.plan else 0
        self.expected, self.waits = told(self.scenario, self.at, ERRORS.get(self.plan, AssertionError))
        if self.plan == "drop" and self.waits > self.at:
            self.plan, self.at, (self.expected, self.waits) = "", 0, told(self.scenario)
        self.waited = 0
        self.nested = nested if not self.plan else 0
        self.rand = rand
        self.driven = Driven(host(self.scenario, self.wait))

    def wait(self, value: object = None) -> object:
        """Suspend; or let others run in here, which suspend."""
        self.waited += 1
        while self.nested and self.rand.random() < 0.1:
            other = One(self.rand, self.nested - 1)
            other.plan, other.at, (other.expected, other.waits) = "", 0, told(other.scenario)
            other.check(("return", ohwait(other.driven.coroutine)))
        waiting(value)
        return value

    def step(self) -> bool:
        """Whether it goes on."""
        if self.plan and self.driven.steps == self.at:
            return getattr(self, self.plan)()
        if self.driven.step():
            return True
        self.check(self.driven.outcome)
        return False

    def throw(self) -> bool:
        self.plan = ""
        if self.driven.step(self.driven.coroutine.throw, Thrown()):
            return True
        self.check(self.driven.outcome)
        return False

    def close(self) -> bool:
        self.plan = ""
        try:
            self.driven.coroutine.close()
        except RuntimeError as error:
            if "ignored GeneratorExit" in str(error) and self.waits > self.at:
                self.driven.steps += 1
                return True
            self.check(("raise", type(error).__name__, str(error)))
        except Exception as error:
            self.check(("raise", type(error).__name__, str(error)))
        else:
            assert self.expected[0] == "return" or self.expected[1] == "GeneratorExit", self.name
        return False

    def drop(self) -> bool:
        if self.rand.random() < 0.5:  # for the collector, wherever it is called
            cycle: list[Any] = [self.driven]
            cycle.append(cycle)
        del self.driven
        return False

    def check(self, outcome: Any) -> None:
        assert (outcome, self.waited) == (self.expected, self.waits), f"{self.name}, {self.at}"


def collector(rand: Any) -> Callable[[], object]:
    threshold = rand.choice([0, 0, 700, 50, 1])
    if rand.random() < 0.3:
        return lambda: at_some_depth(rand, gc.collect)
    return lambda: gc.set_threshold(threshold)


def tool(rand: Any) -> Callable[[], object]:
    def listen(*event: object) -> Any:
        return listen

    switch = rand.choice([sys.settrace, sys.setprofile])
    tool = rand.choice([None, listen])
    return lambda: switch(tool)


def mixed(rand: Any, rounds: int, at_once: int, disturbances: list[Any]) -> None:
    alive: list[One] = []
    for left in range(rounds, -1, -1):
        while left and len(alive) < at_once:
            alive.append(One(rand))
        while alive and (left == 0 or rand.random() < 0.9):
            if disturbances and rand.random() < 0.05:
                rand.choice(disturbances)(rand)()
            one = alive.pop(rand.randrange(len(alive)))
            if at_some_depth(rand, one.step):
                alive.append(one)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    tools = sys.gettrace(), sys.getprofile()
    yield
    gc.set_threshold(*threshold)
    sys.settrace(tools[0])
    sys.setprofile(tools[1])


def run(rand: Any, *disturbances: Any) -> None:
    before = by_stack()
    with nothing_left():
        mixed(rand, 60, 12, list(disturbances))
        gc.collect()
    assert by_stack() > before + 100


def test_all_at_once(rand: Any) -> None:
    run(rand)


def test_all_at_once_with_the_collector(rand: Any) -> None:
    run(rand, collector)


def test_all_at_once_with_tools_that_come_and_go(rand: Any) -> None:
    run(rand, tool)
