"""Small checks that ohwait suspends and resumes on the running interpreter, and what its statements can do."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

import ohwait

from . import _core
from ._direct import direct_exit
from ._loops import Loop

__all__ = ["CHECKS", "Failed", "for_can_suspend", "under", "with_can_suspend"]

T = TypeVar("T")
DEPTHS = (0, 1, 20, 200)


class Failed(Exception):
    """A check has failed; the text says what was expected and what came."""


def expect(wanted: object, got: object, what: str) -> None:
    if wanted != got:
        raise Failed(f"{what}: expected {wanted!r}, got {got!r}")


@coroutine
def pause(value: object) -> Generator[object, Any, Any]:
    """Suspend, hand `value` to whoever drives the coroutine, and return what that sends."""
    return (yield value)


def descend(depth: int, function: Callable[[], T]) -> T:
    """Call `function` with `depth` plain frames below it."""
    return function() if depth == 0 else descend(depth - 1, function)


def below(depth: int, function: Callable[[], T]) -> Callable[[], T]:
    """`descend`, as a function without arguments: functools.partial would be a C function in between."""
    return lambda: descend(depth, function)


def host_of(function: Callable[[], T]) -> Coroutine[Any, Any, T]:
    """A coroutine that calls the plain function."""

    async def host() -> T:
        return function()

    return host()


def drive(function: Callable[[], T]) -> T:
    """Run a plain function in a coroutine by hand, resuming it at once whenever it suspends."""
    host = host_of(function)
    while True:
        try:
            host.send(None)
        except StopIteration as stop:
            result: T = stop.value
            return result


# The checks.


def resumes_with_a_value() -> None:
    def plain() -> int:
        return int(ohwait.ohwait(pause("out"))) + 1

    for depth in DEPTHS:
        host = host_of(below(depth, plain))
        expect("out", host.send(None), f"what came out of {depth} plain frames")
        try:
            host.send(41)
        except StopIteration as stop:
            expect(42, stop.value, f"what {depth} plain frames returned")
        else:
            raise Failed(f"{depth} plain frames suspended a second time")


def resumes_many_times() -> None:
    def plain() -> list[int]:
        return [ohwait.ohwait(pause(number)) for number in range(50)]

    host = host_of(below(3, plain))
    came = [host.send(None)]
    try:
        while True:
            came.append(host.send(-came[-1]))
    except StopIteration as stop:
        expect([-number for number in range(50)], stop.value, "what one function was resumed with")
    expect(list(range(50)), came, "what came out of one function")


def raises_in_place() -> None:
    def plain() -> str:
        try:
            ohwait.ohwait(pause(None))
        except KeyError as error:
            return f"caught {error}"
        return "nothing raised"

    host = host_of(below(5, plain))
    host.send(None)
    try:
        host.throw(KeyError("it"))
    except StopIteration as stop:
        expect("caught 'it'", stop.value, "a plain function's except block")


def closes() -> None:
    left: list[str] = []

    def plain() -> None:
        try:
            ohwait.ohwait(pause(None))
        finally:
            left.append("finally")

    host = host_of(below(5, plain))
    host.send(None)
    host.close()
    expect(["finally"], left, "finally blocks run by close()")


def refuses_c_functions() -> None:
    def plain(key: int) -> Any:
        return ohwait.ohwait(pause(key))

    allowed = _core.c_frames_status() is None
    ohwait.configure(c_frames=False)
    try:
        drive(lambda: sorted([2, 1], key=plain))
    except ohwait.CFunctionError as error:
        expect("sorted()", error.callee, "the C function in between")
    else:
        raise Failed("ohwait() suspended through sorted()")
    finally:
        ohwait.configure(c_frames=allowed or None)


def refuses_plain_scripts() -> None:
    import threading

    errors: list[BaseException] = []

    def script() -> None:
        try:
            ohwait.ohwait(pause(None))
        except ohwait.NoCoroutineError as error:
            errors.append(error)

    thread = threading.Thread(target=script)
    thread.start()
    thread.join()
    expect(1, len(errors), "refusals in a thread without a coroutine")


def leaves_nothing_behind() -> None:
    counters = _core.counters()
    expect(counters["lifted"], counters["spliced"] + counters["cleared"], "chains put back of those taken")
    expect(0, counters["alive"], "chains left over")


CHECKS: list[tuple[str, Callable[[], None]]] = [
    ("suspends, and resumes with a value", resumes_with_a_value),
    ("suspends fifty times in one function", resumes_many_times),
    ("raises in place what is thrown in", raises_in_place),
    ("runs finally blocks when it is closed", closes),
    ("refuses to suspend through a C function where that is forbidden", refuses_c_functions),
    ("refuses to suspend without a coroutine", refuses_plain_scripts),
    ("leaves no suspended frames behind", leaves_nothing_behind),
]


def under(loop: Loop) -> None:
    """Two tasks of plain functions, side by side under the loop."""
    order: list[str] = []

    def plain(name: str) -> str:
        for _ in range(2):
            order.append(name)
            ohwait.sleep(0.002)
        return name

    def program() -> list[str]:
        with ohwait.scope() as scope:
            handles = [scope.spawn(plain, name) for name in "ab"]
        return [handle.result() for handle in handles]

    async def main() -> list[str]:
        return descend(5, program)

    expect(["a", "b"], loop.run(main), "results")
    expect((["a", "b"], ["a", "b"]), (sorted(order[:2]), sorted(order[2:])), "who ran before and after the first wait")


# What statements of this interpreter can do, found by trying.


def for_can_suspend() -> bool:
    """Whether a `for` statement over ``iterate()`` can suspend here."""

    async def items() -> Any:
        await pause(None)
        yield 1

    def plain() -> list[int]:
        got = []
        for item in ohwait.iterate(items()):
            got.append(item)
        return got

    try:
        return drive(plain) == [1]
    except ohwait.CFunctionError:
        return False


class _Asking:
    """A context manager over which `ohwait.enter` is built the same way, that asks whether it could suspend."""

    def __init__(self) -> None:
        self.answers: list[bool] = []

    def __enter__(self) -> None:
        self.answers.append(bool(ohwait.can_wait()))

    @direct_exit
    def __exit__(self, kind: object, value: object, traceback: object) -> bool:
        self.answers.append(bool(ohwait.can_wait()))
        return True


def with_can_suspend() -> tuple[bool, bool, bool]:
    """Whether a `with` statement can suspend here: when entering, leaving, leaving with an exception."""

    def plain() -> tuple[bool, bool, bool]:
        quiet, loud = _Asking(), _Asking()
        with quiet:
            pass
        with loud:
            raise KeyError
        return quiet.answers[0], quiet.answers[1], loud.answers[1]

    return drive(plain)
