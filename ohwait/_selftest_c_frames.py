"""Checks that suspending through C functions works here, in a process of its own: a wrong guess could crash it.

``python -m ohwait._selftest_c_frames`` runs them; exit status 1, and the reason as the last line, if one fails.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import ohwait

from . import _core
from ._selftest import Failed, closes, descend, expect, host_of, pause

__all__ = ["has_failed", "in_a_process"]

T = TypeVar("T")
SECONDS = 60
ROUNDS = 40
"""More than CPython needs to specialise the instructions."""


def in_a_process() -> None:
    """Run the checks in a new interpreter.

    Raises:
        Failed: with what went wrong there.
    """
    command = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise Failed(f"no process could be run for it: {error}") from error
    if done.returncode < 0:
        raise Failed(f"the process crashed with signal {-done.returncode}; set OHWAIT_C_FRAMES=0 and report this")
    if done.returncode != 0:
        raise Failed((done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1])


def has_failed(reason: str) -> bool:
    """Whether C functions are not suspended (`_core.c_frames_status()`) because the core's own rehearsal has failed."""
    return "self-test has failed" in reason


class _Object:
    """Waits in its initialiser, a property, an operator, a look-up and an iterator."""

    def __init__(self) -> None:
        self.kept = ohwait.ohwait(pause(1))

    @property
    def found(self) -> Any:
        return ohwait.ohwait(pause(2))

    def __getattr__(self, name: str) -> Any:
        return ohwait.ohwait(pause(3))

    def __add__(self, other: object) -> Any:
        return ohwait.ohwait(pause(4))

    def __iter__(self) -> Iterator[Any]:
        yield ohwait.ohwait(pause(5))


def _waits() -> list[Any]:
    thing = _Object()
    read = [thing.kept, thing.found, thing.missing, thing + 1, *thing]
    return [*read, *sorted([7, 6], key=_echo), *map(_echo, [8])]


def _echo(value: T) -> T:
    ohwait.ohwait(pause(value))
    return value


def _through_c(depth: int, function: Callable[[], T]) -> T:
    return function() if depth == 0 else next(map(lambda _: _through_c(depth - 1, function), "x"))  # noqa: C417


def suspends_through_c() -> None:
    before = ohwait.stats().suspensions_by_stack
    for number in range(ROUNDS):
        first, others = ((0, 0), (0, 9), (9, 0), (3, 4))[number % 4]
        expect([1, 2, 3, 4, 5, 6, 7, 8], _driven(first, others), f"what functions below C returned in round {number}")
    if ohwait.stats().suspensions_by_stack == before:
        raise Failed("no C frame was set aside")


def _driven(first: int, others: int) -> list[Any]:
    """Start and resume a host below so many C functions."""
    host = host_of(_waits)
    came = _through_c(first, lambda: host.send(None))
    while True:
        try:
            came = _resumed(host, others, came)
        except StopIteration as stop:
            result: list[Any] = stop.value
            return result


def _resumed(host: Coroutine[Any, Any, Any], depth: int, value: Any) -> Any:
    return _through_c(depth, lambda: descend(depth * 20, lambda: host.send(value)))


def _sorting(number: int) -> Coroutine[Any, Any, list[int]]:
    return host_of(lambda: sorted([number, -number], key=_echo))


def keeps_many() -> None:
    hosts = [_sorting(number) for number in range(500)]
    for number, host in enumerate(hosts):
        expect(number, host.send(None), "what came out of sorted()")
    for number, host in sorted(enumerate(hosts), key=lambda item: item[0] * 7 % 500):
        expect(-number, host.send(None), "what came out of sorted()")
    for number, host in enumerate(hosts):
        try:
            host.send(None)
        except StopIteration as stop:
            expect([-number, number], stop.value, "what sorted() returned")


def raises_through_c() -> None:
    def plain() -> str:
        try:
            sorted([1], key=_echo)
        except KeyError as error:
            return f"caught {error}"
        return "nothing raised"

    host = host_of(plain)
    host.send(None)
    try:
        host.throw(KeyError("it"))
    except StopIteration as stop:
        expect("caught 'it'", stop.value, "an except block around sorted()")


def closes_through_c() -> None:
    left: list[str] = []

    def key(value: int) -> int:
        try:
            return _echo(value)
        finally:
            left.append("finally")

    for _ in range(3):
        host = host_of(lambda: sorted([2, 1], key=key))
        host.send(None)
        host.close()
    expect(["finally"] * 3, left, "finally blocks run by close() below sorted()")
    closes()


def keeps_registers() -> None:
    for depth in (0, 20):
        reason = _through_c(depth, lambda: _core.rehearse(False))
        if reason is not None:
            raise Failed(reason)


def reads_the_stack_as_libgcc_does() -> None:
    frames, differences, first = _through_c(20, _core.compare_unwinders)
    if frames == 0 or differences:
        raise Failed(f"{differences} of {frames} C frames are read differently: {first}")


def leaves_nothing_behind() -> None:
    expect((0, 0), (ohwait.stats().slices_alive, ohwait.stats().slice_bytes), "slices and their bytes left over")


CHECKS = [
    reads_the_stack_as_libgcc_does,
    keeps_registers,
    suspends_through_c,
    keeps_many,
    raises_through_c,
    closes_through_c,
]


def main() -> int:
    """Run the checks here; returns the exit status."""
    reason = _core.c_frames_status()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    heights = _core.data_stack(), _core.recursion_left()
    try:
        for check in [*CHECKS, leaves_nothing_behind]:
            check()
        expect(heights, (_core.data_stack(), _core.recursion_left()), "the stacks' heights")
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
