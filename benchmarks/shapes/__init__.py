"""The functions that wait, of the same shape for every contender: native ones in contenders/native.py, plain ones here.

A host is a coroutine that calls a function which calls itself `depth` times; the innermost one waits. With depth 0
there is one function between the host and the awaitable, so that there is a chain at all.

`plain`, `direct` and `entered` are modules of which each contender gets a copy of its own, with names that they find
in it. Closures would do as well, but their variables take room in every frame, which native ones need not have.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

MakeAwaitable = Callable[[], Awaitable[Any]]
Host = Coroutine[Any, Any, None]
Wait = Callable[[Awaitable[Any]], Any]
Enter = Callable[..., Awaitable[Any]]

KINDS = ("decorator with *args", "__init__", "with", "sorted(key=)")
"""What stands between the host and the function that waits, for `Hosts.through`."""


class Failure(Exception):
    """What an awaitable raises for `Hosts.failing`."""


@dataclass(frozen=True)
class Hosts:
    """What a contender can be asked for. Each function makes a host, which is to be driven to its end."""

    one_wait: Callable[[int, MakeAwaitable], Host]
    """One chain of (depth), which waits for (make)() once."""
    new_chains: Callable[[int, MakeAwaitable, int], Host]
    """(count) chains, one after the other, each of which waits for (make)() once."""
    many_waits: Callable[[int, MakeAwaitable, int], Host]
    """One chain, which waits for (make)() (count) times."""
    failing: Callable[[int, MakeAwaitable, int], Host]
    """As `new_chains`; what each awaitable raises, a `Failure`, is caught by the host."""
    through: Callable[[str, MakeAwaitable, int], Host]
    """As `new_chains`, through what is named (one of `KINDS`)."""
    inside: Callable[[MakeAwaitable, int], Host]
    """One call of `sorted`, whose key function waits for (make)() (count) times."""
    visit: Callable[[MakeAwaitable, int], Host]
    """Goes where plain functions can wait, calls one that does not, and then itself awaits (make)() (count) times."""


def copy_of(module: str, package: str = __name__, **names: Any) -> ModuleType:
    """A new copy of one of the modules here (or of another `package`), with `names` in it."""
    spec = find_spec(f"{package}.{module}")
    assert spec is not None and spec.loader is not None
    made = module_from_spec(spec)
    vars(made).update(names)
    spec.loader.exec_module(made)
    return made


def _hosts(module: ModuleType) -> Hosts:
    return Hosts(**{name: getattr(module, name) for name in Hosts.__dataclass_fields__})


def direct(wait: Wait) -> Hosts:
    """The hosts of a contender whose plain functions are simply called."""
    return _hosts(copy_of("direct", chain=copy_of("plain", wait=wait)))


def prepared(wait: Wait, first: Callable[[], Awaitable[Any]]) -> Hosts:
    """As `direct`, for a contender that must have awaited `first()` in the same task."""

    def after(make_host: Callable[..., Host]) -> Callable[..., Host]:
        async def host(*arguments: Any) -> None:
            await first()
            await make_host(*arguments)

        return host

    calling = direct(wait)
    return Hosts(**{name: after(getattr(calling, name)) for name in Hosts.__dataclass_fields__})


def entered(wait: Wait, enter: Enter) -> Hosts:
    """The hosts of a contender that calls plain functions by `await enter(function, *arguments)`."""
    return _hosts(copy_of("entered", chain=copy_of("plain", wait=wait), enter=enter))
