"""What the tests of scopes share: the ways to enter one, and functions to spawn."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

import ohwait
from ohwait import Scope, scope, sleep

Body = Callable[[Scope], Any]
Enter = Callable[[Body], Any]


def by_with(body: Body) -> Any:
    with scope() as s:
        return body(s)


def by_run(body: Body) -> Any:
    return scope().run(body)


def by_async_with(body: Body) -> Any:
    async def entering() -> Any:
        async with scope() as s:
            return body(s)

    return ohwait.ohwait(entering())


def by_exit_stack(body: Body) -> Any:
    stack = contextlib.ExitStack()
    s = stack.enter_context(scope())
    try:
        return body(s)
    finally:
        while s._running:  # Its `close` calls through C, where nothing can be waited for.
            sleep(0.001)
        stack.close()


every_form = pytest.mark.parametrize("within_scope", [by_with, by_run, by_async_with])
every_waiting_form = pytest.mark.parametrize("within_scope", [by_run, by_async_with])


def double(n: int, seconds: float = 0) -> int:
    sleep(seconds)
    return 2 * n


async def double_async(n: int) -> int:
    sleep(0)
    return 2 * n


def fail(error: BaseException, seconds: float = 0.001) -> None:
    sleep(seconds)
    raise error


class Forever:
    """A child that does not end by itself; keeps a log of how it did."""

    def __init__(self, cleanup: float | None = None) -> None:
        self.log: list[str] = []
        self.cleanup = cleanup

    def __call__(self) -> None:
        self.log.append("started")
        try:
            sleep(1000)
        finally:
            self.log.append("cancelled")
            self.clean_up()

    def clean_up(self) -> None:
        if self.cleanup is not None:
            sleep(self.cleanup)

    def wait_for_start(self) -> None:
        while not self.log:
            sleep(0.001)
