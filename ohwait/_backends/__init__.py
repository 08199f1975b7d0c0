"""The event loops that ohwait knows by name, and which of them runs now. Each is imported when it is first used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from .._errors import BackendError

if TYPE_CHECKING:
    from ._protocol import Backend

__all__ = ["backend_named", "check_backend", "register_backend", "running_backend", "runs_now"]

_BUILT_IN = {"curio": "CurioBackend", "trio": "TrioBackend", "asyncio": "AsyncioBackend"}
_INNERMOST_FIRST = ("curio", "trio", "asyncio")
"""A loop that can run inside another one's callbacks (trio's guest mode) comes before it."""

_factories: dict[str, Callable[[], Backend]] = {}
_backends: dict[str, Backend] = {}


def register_backend(name: str, factory: Callable[[], Backend]) -> None:
    """Make an event loop known by name, so that ``use_backend(name)`` and `use_auto` find it.

    Args:
        name: any name but those of the loops that ohwait comes with. Registering a name again replaces the factory.
        factory: makes the `Backend`; called once, when it is first needed. The class itself will do.

    Raises:
        BackendError: the name belongs to a loop that ohwait comes with.
    """
    if name in _BUILT_IN:
        raise BackendError(f"register_backend({name!r}): ohwait comes with a backend of this name; choose another")
    _factories[name] = factory
    _backends.pop(name, None)


def backend_named(name: str) -> Backend:
    """The backend of this name.

    Raises:
        BackendError: there is none, or its event loop is not installed or does not import.
    """
    if (backend := _backends.get(name)) is not None:
        return backend
    if name in _factories:
        backend = check_backend(_factories[name]())
    elif name in _BUILT_IN:
        backend = _built_in(name)
    else:
        known = ", ".join([*_BUILT_IN, *_factories])
        raise BackendError(f"no backend is called {name!r}; there are: {known}. See ohwait.register_backend")
    return _backends.setdefault(name, backend)


def _built_in(name: str) -> Backend:
    try:
        backend: Backend = getattr(import_module(f"{__name__}.{name}"), _BUILT_IN[name])()
    except ModuleNotFoundError as error:
        if error.name not in {name, "outcome"}:
            raise
        raise BackendError(f"{name} is not installed: pip install {name}") from None
    return backend


def check_backend(backend: Backend) -> Backend:
    """Return `backend` if it has the members of the protocol.

    Raises:
        BackendError: names those that are missing.
    """
    members = ("name", "cancelled", "running", "run", "sleep", "current_task", "start_task", "cancel_task", "event")
    missing = [member for member in members if not hasattr(backend, member)]
    if missing:
        raise BackendError(f"{backend!r} is not a backend: it has no {', '.join(missing)} (see ohwait.Backend)")
    return backend


def running_backend() -> Backend | None:
    """The backend of the loop that runs now in this thread, or None. Imports no event loop that is not imported yet."""
    for name in (*_factories, *_INNERMOST_FIRST):
        if (backend := _if_running(name)) is not None:
            return backend
    return None


def runs_now(backend: Backend) -> bool:
    """Whether the loop of this backend runs now in this thread, and none inside it of those that can."""
    if not backend.running():
        return False
    if backend.name not in _INNERMOST_FIRST:
        return True
    inside = _INNERMOST_FIRST[: _INNERMOST_FIRST.index(backend.name)]
    return all(_if_running(name) is None for name in inside)


def _if_running(name: str) -> Backend | None:
    if name in _BUILT_IN and sys.modules.get(name) is None:
        return None
    backend = backend_named(name)
    return backend if backend.running() else None
