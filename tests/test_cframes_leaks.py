"""Nothing is leaked by any way of ending a suspended slice (without classes and event loops, which leave blocks)."""

from __future__ import annotations

import contextvars
import functools
import gc
import itertools
import json
import operator
import re
import sys
import weakref
from typing import Any

import pytest
from cframes_tools import (
    Scenario,
    Scenarios,
    Wait,
    closed,
    dropped,
    needs_c_frames,
    once,
    several_times,
    side_by_side,
    thrown,
)
from core_tools import finish, host_of, pause

from ohwait import _core, ohwait

pytestmark = [needs_c_frames, pytest.mark.unrepeatable("it repeats itself, with more warm-ups")]
scenarios = Scenarios()


@scenarios()
def functions(wait: Wait) -> Any:
    return (
        sorted([3, 1, 2], key=lambda n: wait(-n)),
        list(map(wait, "ab")),
        functools.reduce(lambda a, b: wait([a, b]), range(4)),
        functools.partial(operator.call, wait)(5),
        min([2, 1], key=wait),
    )


@scenarios()
def generators(wait: Wait) -> Any:
    def numbers() -> Any:
        try:
            for n in range(3):
                yield wait([n])
        finally:
            wait("finally")

    return list(numbers()), sum((len(n) for n in numbers()), 0), list(itertools.chain(numbers(), map(wait, "ab")))


@scenarios()
def callbacks(wait: Wait) -> Any:
    encoded = json.dumps([{1}, {2}], default=lambda numbers: wait(sorted(numbers)))
    decoded = json.loads('{"a": {"b": [1, 2.5]}}', object_hook=lambda made: wait(sorted(made.items(), key=repr)))
    return encoded, decoded, re.sub("[ab]", lambda match: wait(match[0] * 2), "cabc")


@scenarios()
def exceptions(wait: Wait) -> Any:
    def failing(n: int) -> int:
        try:
            return 1 // (wait(n) - 1)
        except ZeroDivisionError:
            wait([n])
            raise

    caught = []
    for numbers in ([0, 1], [1, 2], [3, 4]):
        try:
            caught.append(list(map(failing, numbers)))
        except ZeroDivisionError as error:
            caught.append(wait(str(error)))
    return caught


@scenarios()
def contexts(wait: Wait) -> Any:
    def inside(n: int) -> Any:
        return wait([n]), contextvars.copy_context().run(wait, n) if n else None

    return [contextvars.Context().run(inside, n) for n in range(3)]


@scenarios()
def deep(wait: Wait) -> Any:
    def level(depth: int) -> Any:
        return wait([depth]) if depth == 0 else [*map(level, [depth - 1])]

    return level(12)


RUNS = 60
WAYS = [once, several_times, thrown, closed, dropped, side_by_side]


@pytest.mark.parametrize("scenario", scenarios)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_nothing_is_leaked(scenario: Scenario, way: Any, rand: Any) -> None:
    grown = [after_some(way, scenario, rand) for _ in range(2)]
    while grown[-1] > RUNS // 2 and len(grown) < 8:  # CPython's caches take their time to fill.
        grown.append(after_some(way, scenario, rand))
    assert grown[-1] <= RUNS // 2, f"blocks after each {RUNS} runs: {grown}"


def after_some(way: Any, scenario: Scenario, rand: Any) -> int:
    """How many blocks of memory so many runs have left."""
    before = sys.getallocatedblocks()
    for _ in range(RUNS):
        way(scenario, rand)
    gc.collect()
    _core.free_spares()
    return sys.getallocatedblocks() - before


def test_containers_go_while_many_finalizers_of_what_they_held_are_suspended() -> None:
    """CPython counts containers that go inside of one another, and puts off all further ones from some fifty on."""

    class Waits:
        def __del__(self) -> None:
            ohwait(pause())

    class Noted:
        pass

    def drop() -> None:
        held = [([Waits()],)]
        del held

    suspended = []
    for _ in range(100):
        suspended.append(host_of(drop))
        suspended[-1].send(None)
        noted = Noted()
        reference, containers = weakref.ref(noted), [([noted],)]
        del noted, containers
        assert reference() is None
    for coroutine in reversed(suspended):
        finish(coroutine)
