"""Plain functions, the innermost of which calls `wait`."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from benchmarks.shapes import MakeAwaitable, Wait

wait: Wait = globals()["wait"]


def _once(depth: int, make: MakeAwaitable) -> object:
    if depth:
        return _once(depth - 1, make)
    return wait(make())


def _repeatedly(depth: int, make: MakeAwaitable, count: int) -> object:
    if depth:
        return _repeatedly(depth - 1, make, count)
    for _ in range(count):
        wait(make())
    return None


def _nothing() -> None:
    return None


def _decorator(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        return function(*args, **options)

    return wrapper


@_decorator
def _decorated(make: MakeAwaitable) -> object:
    return wait(make())


class _Thing:
    def __init__(self, make: MakeAwaitable) -> None:
        self.value = wait(make())


class _Manager:
    def __init__(self, make: MakeAwaitable) -> None:
        self.make = make

    def __enter__(self) -> object:
        return wait(self.make())

    def __exit__(self, *details: object) -> None:
        return None


def _with(make: MakeAwaitable) -> None:
    with _Manager(make):
        pass


def _sorted(make: MakeAwaitable) -> object:
    return sorted((0,), key=lambda _: wait(make()) or 0)


def _inside(make: MakeAwaitable, count: int) -> object:
    return sorted(range(count), key=lambda _: wait(make()) or 0)


once, repeatedly, inside, nothing = _once, _repeatedly, _inside, _nothing
through = {"decorator with *args": _decorated, "__init__": _Thing, "with": _with, "sorted(key=)": _sorted}
