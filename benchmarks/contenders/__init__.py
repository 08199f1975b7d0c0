"""The ways to wait that are compared: a line in `CONTENDERS`, and a file each that says how its functions wait.

Libraries are imported by the worker alone, so this package can be read where none of them is installed.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Contender:
    """One way to wait.

    `packages` are what pip installs for it; "ohwait" stands for the source tree that is measured. The first one's
    version is the contender's, and `module` is what a program imports of it. `way` tells a reader how it waits.
    """

    name: str
    title: str
    way: str
    packages: tuple[str, ...] = ()
    module: str = ""

    @property
    def distributions(self) -> tuple[str, ...]:
        """The names of `packages`, without the versions that are asked for."""
        return tuple(package.partition("==")[0] for package in self.packages)


NATIVE = Contender("native", "native await", "Coroutine functions all the way down: the baseline of every ratio.")
OHWAIT = Contender(
    "ohwait",
    "ohwait",
    "Plain functions; the innermost calls `ohwait`. Nothing is entered beforehand.",
    ("ohwait",),
    "ohwait",
)
CONTENDERS = (
    NATIVE,
    OHWAIT,
    Contender(
        "floor",
        "the floor",
        "Nobody's way to wait: native await, two empty calls more and the awaitable driven from C: what two switches "
        "cost in any design like ohwait's (repeated suspension only).",
    ),
    Contender(
        "greenlet",
        "raw greenlet",
        "A greenlet for each chain, switched by the host itself: as lean as Python code can be, without copying the "
        "context variables or checking anything.",
        ("greenlet",),
        "greenlet",
    ),
    Contender(
        "awaitlet",
        "awaitlet",
        "`async_def` makes a greenlet for each chain, `awaitlet` switches back to the coroutine.",
        ("awaitlet", "greenlet"),
        "awaitlet",
    ),
    Contender(
        "sqlalchemy",
        "SQLAlchemy greenlet_spawn",
        "`greenlet_spawn` makes a greenlet for each chain, `await_` switches back: what its asyncio extension runs on.",
        ("SQLAlchemy", "greenlet", "aiosqlite"),
        "sqlalchemy.ext.asyncio",
    ),
    Contender(
        "greenback",
        "greenback, one portal",
        "`ensure_portal` once in a task, then plain calls; every step of the task passes the portal from then on.",
        ("greenback", "greenlet"),
        "greenback",
    ),
    Contender(
        "greenback_call",
        "greenback, portal per call",
        "`with_portal_run_sync` around each chain.",
        ("greenback", "greenlet"),
        "greenback",
    ),
    Contender(
        "gevent",
        "gevent",
        "Greenlets on gevent's own loop: there is no coroutine, a chain waits by `gevent.sleep(0)`.",
        ("gevent", "greenlet"),
        "gevent",
    ),
    Contender(
        "asgiref",
        "asgiref threads",
        "`sync_to_async` runs the chain in a thread, `async_to_sync` goes back to the loop for the awaitable.",
        ("asgiref",),
        "asgiref.sync",
    ),
    Contender(
        "anyio",
        "anyio threads",
        "`to_thread.run_sync` runs the chain in a thread, `from_thread.run` goes back to the loop for the awaitable.",
        ("anyio",),
        "anyio",
    ),
    Contender(
        "nest_asyncio",
        "nest-asyncio2",
        "The chain runs the loop again inside itself until the awaitable is done: nothing below it goes on meanwhile "
        "unless it ends first.",
        ("nest-asyncio2",),
        "nest_asyncio2",
    ),
    Contender(
        "asynkit",
        "asynkit",
        "`await_sync` runs a coroutine that never suspends; the toolkit's cases use its C extension.",
        ("asynkit==0.20.0",),
        "asynkit",
    ),
)

BARE = ("native", "ohwait", "greenlet", "awaitlet", "sqlalchemy")
"""Those that run below any driver of coroutines, however small."""

IN_A_TASK = (*BARE, "greenback", "greenback_call", "gevent", "asgiref", "anyio", "nest_asyncio")
"""Those that can be compared under asyncio."""

DESCRIBED = (
    "**The original ohwait experiment** (CPython 3.8) is described, not run: it overwrites the bytecode of every "
    "function between `ohwait` and the event loop, in the code objects that all calls share, so that each function "
    "yields where it had called, and wraps it in a generator. It needs the interpreter of 2019 (plain frames as heap "
    "objects), room in the function behind the call, and two entries of its value stack; where they are missing it "
    "crashes, and a call site that calls waiting and other functions by turns misbehaves. No later CPython can run it."
)


def support(package: str) -> Contender:
    """A package that is no contender, but needed to measure."""
    return Contender(package, package, "", (package,))


def contender(name: str) -> Contender:
    """The contender called `name`. Raises KeyError."""
    return {each.name: each for each in CONTENDERS}[name]


def implementation(name: str) -> Any:
    """The `Hosts` (shapes) of the contender called `name`. Raises ImportError where its library is not installed."""
    return import_module(f"{__name__}.{name}").HOSTS
