"""Greenlets of gevent's loop. There are no coroutines: the hosts are functions, and waiting is `gevent.sleep(0)`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gevent

from benchmarks.shapes import MakeAwaitable, copy_of


def _wait(awaitable: Any) -> None:
    awaitable.close()
    gevent.sleep(0)


_chain = copy_of("plain", wait=_wait)
_once = _chain.once


def _new_chains(depth: int, make: MakeAwaitable, count: int) -> None:
    for _ in range(count):
        _once(depth, make)


def _visit(make: MakeAwaitable, count: int) -> None:
    _chain.nothing()
    for _ in range(count):
        gevent.sleep(0)


class HOSTS:
    """What of `Hosts` there is, as functions of no arguments for `run`."""

    new_chains = partial(partial, _new_chains)
    many_waits = partial(partial, _chain.repeatedly)
    visit = partial(partial, _visit)

    @staticmethod
    def run(function: Callable[[], Any]) -> Any:
        """Run `function` in a greenlet of its own and return its result."""
        return gevent.spawn(function).get()
