"""What the tests of the stack path share: scenarios that wait inside C functions' callbacks, and the ways to run each.

A scenario is a function of `wait`. Its oracle is the same function with a `wait` that returns, or raises, at once: a
suspension must make no difference that the scenario could see.
"""

# ruff: noqa: C417 - what C functions call is the point
from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import operator
import platform
import random
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from core_tools import below, difference, function_names, host_of, pause, version

from ohwait import _core, ohwait

Wait = Callable[..., Any]

STATUS = _core.c_frames_status()
COUNTS_ALL_CALLS = _core.BUILD["cpython"] != "3.11" or platform.machine() == "x86_64"
"""Whether it is known what C functions have counted; until they go on, CPython 3.11 counts that for others too."""
makes_classes = pytest.mark.unrepeatable("classes leave entries in CPython's caches; see test_cframes_leaks.py")
event_loop = pytest.mark.unrepeatable("event loops leave blocks behind by themselves")
needs_c_frames = pytest.mark.skipif(STATUS is not None, reason=f"C frames cannot be set aside here: {STATUS}")


class Scenario(NamedTuple):
    run: Callable[[Wait], Any]
    """Returns something that can be compared."""
    maybe_inline: bool
    """Whether some CPython runs the callback without C in between."""


class Scenarios(list[Any]):
    """A decorator that collects, as pytest's parameters."""

    def __call__(self, *, inline: bool = False) -> Callable[[Any], Any]:
        def add(run: Callable[[Wait], Any]) -> Callable[[Wait], Any]:
            self.append(pytest.param(Scenario(run, inline), id=run.__name__))
            return run

        return add


class Thrown(Exception):
    """What the ways of running throw in."""


Outcome = tuple[Any, ...]


def outcome_of(function: Callable[[], Any]) -> Outcome:
    try:
        return "return", function()
    except BaseException as error:
        if isinstance(error, (AssertionError, pytest.fail.Exception)):
            raise
        return "raise", type(error).__name__, str(error)


def told_at_once(
    scenario: Scenario, at: int = 0, error: Callable[[], BaseException] = AssertionError
) -> tuple[Outcome, int]:
    """The oracle: the outcome with a `wait` that never suspends and raises at call `at`; how often it was called."""
    calls = 0

    def wait(value: object = None) -> object:
        nonlocal calls
        calls += 1
        if calls == at:
            raise error()
        return value

    with unraisable_ignored():
        return outcome_of(lambda: scenario.run(wait)), calls


@contextlib.contextmanager
def unraisable_ignored() -> Iterator[list[Any]]:
    """Exceptions that C code loses are not reported; yields the list of their types."""
    before, lost = sys.unraisablehook, []
    sys.unraisablehook = lambda unraisable: lost.append(unraisable.exc_type)
    try:
        yield lost
    finally:
        sys.unraisablehook = before


def by_stack() -> int:
    return _core.stats()["suspensions_by_stack"]


def slices() -> tuple[int, int]:
    stats = _core.stats()
    return stats["slices_alive"], stats["slice_bytes"]


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    alive = slices()
    with unraisable_ignored():
        yield
    assert slices() == alive, "slices left behind"


@contextlib.contextmanager
def through_c(scenario: Scenario) -> Iterator[None]:
    """Inside, the stack path is taken (where no CPython may do without C), and no slice is left behind."""
    before = by_stack()
    with nothing_left():
        yield
    assert scenario.maybe_inline or by_stack() > before, "no C frame was set aside: the test proves nothing"


def waiting(value: object = None) -> object:
    """Suspend once; whoever drives sends back what came out."""
    return ohwait(pause(value))


def waiting_thrice(value: object = None) -> object:
    return waiting(waiting(waiting(value)))


async def host(scenario: Scenario, wait: Wait) -> Any:
    return scenario.run(wait)


class Driven:
    """A coroutine driven by hand, step by step: what has come out is sent back in."""

    def __init__(self, coroutine: Any) -> None:
        self.coroutine = coroutine
        self.came: Any = None
        self.outcome: Outcome | None = None
        self.steps = 0

    def step(self, function: Callable[..., Any] | None = None, *args: Any) -> bool:
        """Whether it has suspended (again)."""
        try:
            self.came = function(*args) if function is not None else self.coroutine.send(self.came)
        except StopIteration as stop:
            self.outcome = "return", stop.value
        except BaseException as error:
            self.outcome = "raise", type(error).__name__, str(error)
            if self.outcome[1] == "AssertionError":
                raise
        else:
            self.steps += 1
        return self.outcome is None

    def run(self, steps: int | None = None) -> Driven:
        while self.outcome is None and (steps is None or self.steps < steps):
            self.step()
        return self


# ---- ways to run a scenario ----


def once(scenario: Scenario, rand: random.Random) -> None:
    expected, calls = told_at_once(scenario)
    assert calls, "the scenario does not wait"
    with through_c(scenario):
        driven = Driven(host(scenario, waiting)).run()
    assert (driven.outcome, driven.steps) == (expected, calls)


def several_times(scenario: Scenario, rand: random.Random) -> None:
    expected, calls = told_at_once(scenario)
    left = _core.recursion_left()
    with through_c(scenario):
        driven = Driven(host(scenario, waiting_thrice))
        while driven.step():
            assert not COUNTS_ALL_CALLS or _core.recursion_left() == left, (
                "what is suspended takes no calls from others"
            )
    assert (driven.outcome, driven.steps) == (expected, 3 * calls)
    assert _core.recursion_left() == left


def thrown(scenario: Scenario, rand: random.Random) -> None:
    with through_c(scenario):
        for at in moments(scenario):
            expected, calls = told_at_once(scenario, at, Thrown)
            with nothing_left():
                driven = Driven(host(scenario, waiting)).run(at)
                driven.step(driven.coroutine.throw, Thrown())
                driven.run()
            assert (driven.outcome, driven.steps) == (expected, calls), f"thrown at wait {at}"


def closed(scenario: Scenario, rand: random.Random) -> None:
    def wait(value: object = None) -> object:
        waiting(value)
        return value

    with through_c(scenario):
        for at in moments(scenario):
            expected, calls = told_at_once(scenario, at, GeneratorExit)
            with nothing_left():
                driven = Driven(host(scenario, wait)).run(at)
                if calls > at:
                    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
                        driven.coroutine.close()
                    driven.steps += 1
                    driven.run()
                    assert driven.steps == calls
                elif expected[0] == "return" or expected[1] == "GeneratorExit":
                    assert driven.coroutine.close() is None or expected[0] == "return"
                else:
                    with pytest.raises(Exception) as caught:
                        driven.coroutine.close()
                    assert type(caught.value).__name__ == expected[1]


def dropped(scenario: Scenario, rand: random.Random) -> None:
    def ends(at: int) -> bool:
        """Otherwise it waits again when it is closed; natively, too, its `finally` blocks are lost then."""
        return told_at_once(scenario, at, GeneratorExit)[1] <= at

    ending = [at for at in moments(scenario) if ends(at)]
    if not ending:
        pytest.skip("it goes on waiting after GeneratorExit, wherever that is raised")
    with through_c(scenario):
        for at in ending:
            waits = 0

            def counting(value: object = None) -> object:
                nonlocal waits
                waits += 1
                return waiting(value)

            with nothing_left():
                Driven(host(scenario, counting)).run(at)
                gc.collect(1)
            assert waits == at, f"dropped at wait {at}"


def moments(scenario: Scenario) -> range:
    """At which waits something is to happen: not too many."""
    _, calls = told_at_once(scenario)
    return range(1, calls + 1, 1 + calls // 6)


def side_by_side(scenario: Scenario, rand: random.Random) -> None:
    """Many at once, in random order, each step at another depth of the stack."""
    expected, calls = told_at_once(scenario)
    with through_c(scenario):
        alive = [Driven(host(scenario, waiting)) for _ in range(10)]
        while alive:
            driven = rand.choice(alive)
            if not at_some_depth(rand, driven.step):
                assert (driven.outcome, driven.steps) == (expected, calls)
                alive.remove(driven)


def at_some_depth(rand: random.Random, function: Callable[[], Any]) -> Any:
    """Call it below some more Python and C frames."""
    for _ in range(rand.choice([0, 0, 1, 1, 2, 5])):
        function = deeper(rand, function)
    return function()


def deeper(rand: random.Random, function: Callable[[], Any]) -> Callable[[], Any]:
    if rand.random() < 0.5:
        return lambda: next(map(lambda _: function(), "x"))
    frames = rand.choice([0, 1, 5, 40])
    return lambda: below(frames, function)


def looked_at(scenario: Scenario, rand: random.Random) -> None:
    """The stack reads the same before and after each wait, and can be walked, and garbage collected, at each moment."""

    def looking(value: object = None) -> object:
        before = function_names(sys._getframe())
        value = waiting(value)
        assert function_names(sys._getframe()) == before
        traceback.format_stack()
        gc.collect(rand.choice([0, 0, 0, 0, 1]))
        return value

    expected, calls = told_at_once(scenario)
    with through_c(scenario):
        driven = Driven(host(scenario, looking))
        names = function_names(sys._getframe(), "")
        while driven.step():
            traceback.format_stack()
            assert function_names(sys._getframe(), "") == names
            assert [frame.name for frame in traceback.extract_stack(driven.coroutine.cr_frame)][-1] == "host"
            gc.collect(rand.choice([0, 0, 0, 0, 1]))
    assert (driven.outcome, driven.steps) == (expected, calls)


async def echo(value: object) -> object:
    await asyncio.sleep(0)
    return value


def under_asyncio(scenario: Scenario, rand: random.Random) -> None:
    expected, _ = told_at_once(scenario)

    async def one() -> Outcome:
        return outcome_of(lambda: scenario.run(lambda value=None: ohwait(echo(value))))

    async def main() -> list[Outcome]:
        return await asyncio.gather(*[one() for _ in range(5)])

    with through_c(scenario):
        assert asyncio.run(main()) == [expected] * 5


def cancelled(scenario: Scenario, rand: random.Random) -> None:
    """Tasks are cancelled after some turns of the loop."""

    async def main(turns: int) -> None:
        waits = 0

        def wait(value: object = None) -> object:
            nonlocal waits
            waits += 1
            return ohwait(echo(value))

        async def one() -> Outcome:
            return "return", scenario.run(wait)

        task = asyncio.create_task(one())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        expected, calls = told_at_once(scenario, turns, asyncio.CancelledError)
        assert waits == calls
        if isinstance(ended, BaseException):
            assert (type(ended).__name__, str(ended)) == expected[1:]
        else:
            assert ended == expected

    with through_c(scenario):
        for turns in moments(scenario):
            asyncio.run(main(turns))


WAYS = [once, several_times, thrown, closed, dropped, side_by_side, looked_at, under_asyncio, cancelled]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


# ---- without scenarios ----


def by_c(function: Callable[[], Any]) -> Any:
    """Call it through one C function."""
    return next(map(lambda _: function(), "x"))


def waiting_by_c(value: object = None) -> object:
    return by_c(lambda: waiting(value))


def suspended_by_c(value: object = None) -> Any:
    """A coroutine that waits inside a C function, suspended."""
    coroutine = host_of(lambda: waiting_by_c(value))
    assert coroutine.send(None) is value
    return coroutine


# ---- scenarios written with await (core_tools.as_if_awaited) ----


def as_if_awaited_through_c(test: Any, by: Callable[..., Any] = operator.call) -> Callable[..., None]:
    """As core_tools.as_if_awaited, with a C function between each plain function and what calls it."""
    native, plain = version(test, False), version(test, True, by)

    @functools.wraps(test)
    def both(*args: Any, **kwargs: Any) -> None:
        expected = native(*args, **kwargs)
        assert expected, "the scenario must return what is to be compared"
        before = by_stack()
        result = plain(*args, **kwargs)
        assert result == expected, f"(natively, through C) differ at {difference(expected, result)}"
        assert by_stack() > before, "no C frame was set aside: the comparison proves nothing"

    return both
