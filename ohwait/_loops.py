"""The event loops that the command line knows: which are installed, and how each is started by its own means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from importlib import import_module, metadata, util
from typing import Any, NamedTuple, TypeVar, cast

T = TypeVar("T")

__all__ = ["NAMES", "Loop", "find"]

NAMES = ("asyncio", "uvloop", "trio", "curio")


class Loop(NamedTuple):
    """An event loop by name."""

    name: str
    version: str | None
    """None if it is not installed; the standard library's loop has the version "standard library"."""
    obstacle: str | None
    """Why it cannot be used although it is installed."""

    @property
    def usable(self) -> bool:
        return self.version is not None and self.obstacle is None

    def run(self, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run an async function under this loop, started the loop's own way, and return its result."""
        return cast(T, _RUN[self.name](main))


def find(name: str) -> Loop:
    """Look whether the loop is installed, and import it if so."""
    if util.find_spec(name) is None:
        return Loop(name, None, None)
    version = "standard library" if name == "asyncio" else _version(name)
    try:
        _import(name)
    except Exception as error:  # Whatever a foreign package raises while it is imported.
        return Loop(name, version, f"{type(error).__name__}: {error}")
    return Loop(name, version, None)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown version"


def _import(name: str) -> Any:
    if name == "curio":
        from . import use_auto, use_curio

        use_curio()  # Imports it, also where its newest release does not import by itself.
        use_auto()
    return import_module(name)


def _run_uvloop(main: Callable[[], Coroutine[Any, Any, Any]]) -> object:
    with asyncio.Runner(loop_factory=import_module("uvloop").new_event_loop) as runner:
        return runner.run(main())


_RUN: dict[str, Callable[[Callable[[], Coroutine[Any, Any, Any]]], object]] = {
    "asyncio": lambda main: asyncio.run(main()),
    "uvloop": _run_uvloop,
    "trio": lambda main: _import("trio").run(main),
    "curio": lambda main: _import("curio").run(main),
}
