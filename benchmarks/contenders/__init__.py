"""The ways to wait that are compared: one file each, and a line in `CONTENDERS`.

A contender's module has the functions of `Implementation`. Its library is imported by the worker alone,
so this package can be read where none of them is installed.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

MakeAwaitable = Callable[[], Awaitable[Any]]
Host = Coroutine[Any, Any, None]


class Implementation(Protocol):
    """How one contender waits below `depth` functions.

    The coroutine (the host) calls a function that calls itself `depth` times, and the innermost call waits.
    With depth 0 there is one function between the host and the awaitable, so that there is a chain at all.
    Every contender uses functions of the same shape: native ones are coroutine functions, the others plain.
    """

    def one_wait(self, depth: int, make: MakeAwaitable) -> Host:
        """A host with one chain, which waits for `make()` once."""

    def new_chains(self, depth: int, make: MakeAwaitable, count: int) -> Host:
        """A host with `count` chains, one after the other, each of which waits for `make()` once."""

    def many_waits(self, depth: int, make: MakeAwaitable, count: int) -> Host:
        """A host with one chain, which waits for `make()` `count` times."""


@dataclass(frozen=True)
class Contender:
    """One way to wait.

    `packages` are installed for it and their versions recorded; "ohwait" stands for the source tree that is measured.
    """

    name: str
    title: str
    packages: tuple[str, ...] = ()


NATIVE = Contender("native", "native await")
OHWAIT = Contender("ohwait", "ohwait", ("ohwait",))
CONTENDERS = (
    NATIVE,
    OHWAIT,
    Contender("awaitlet", "greenlet (awaitlet)", ("awaitlet", "greenlet")),
)


def contender(name: str) -> Contender:
    """The contender called `name`. Raises KeyError."""
    return {each.name: each for each in CONTENDERS}[name]


def implementation(name: str) -> Implementation:
    """The functions of the contender called `name`. Raises ImportError where its library is not installed."""
    return cast(Implementation, import_module(f"{__name__}.{name}"))
