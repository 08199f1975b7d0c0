"""Import curio, also where the standard library no longer has some names that it looks up when it is imported.

curio 1.6, its last release, reads three constants of `multiprocessing.connection` that CPython 3.12 renamed, and the
docstring of `ssl.wrap_socket`, which 3.12 removed. Nothing in curio but its own `curio.ssl.wrap_socket` (not the
method of that name of its contexts) needs the latter afterwards.
"""

from __future__ import annotations

import importlib
import multiprocessing.connection
import ssl
import sys
from types import ModuleType
from typing import Any

from .._errors import BackendError

__all__ = ["import_curio"]

_RENAMED = ("CHALLENGE", "WELCOME", "FAILURE")


def import_curio() -> Any:
    """The module `curio`.

    The names that curio misses are there only while it is being imported, so that nobody else comes to rely on them.

    Raises:
        BackendError: curio is not installed, or supplying these names is not enough to import it.
    """
    if (curio := sys.modules.get("curio")) is not None:
        return curio
    supplied = [*_supply_renamed(), *_supply_removed()]
    before = set(sys.modules)
    try:
        return importlib.import_module("curio")
    except ModuleNotFoundError as error:
        if error.name == "curio":
            raise BackendError("curio is not installed: pip install curio") from None
        raise _refused(before, error) from error
    except Exception as error:
        raise _refused(before, error) from error
    finally:
        for module, name in supplied:
            delattr(module, name)


def _supply_renamed() -> list[tuple[ModuleType, str]]:
    module = multiprocessing.connection
    missing = [name for name in _RENAMED if not hasattr(module, name) and hasattr(module, f"_{name}")]
    for name in missing:
        setattr(module, name, getattr(module, f"_{name}"))
    return [(module, name) for name in missing]


def _supply_removed() -> list[tuple[ModuleType, str]]:
    if hasattr(ssl, "wrap_socket"):
        return []

    def wrap_socket(*args: object, **options: object) -> None:
        """Removed from the standard library: use `SSLContext.wrap_socket`."""

    vars(ssl)["wrap_socket"] = wrap_socket
    return [(ssl, "wrap_socket")]


def _refused(before: set[str], error: Exception) -> BackendError:
    """The error to raise; forgets the half of curio that was imported, so that the next attempt fails the same way."""
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "curio":
            del sys.modules[name]
    return BackendError(
        f"curio does not import on Python {sys.version.split()[0]}: {type(error).__name__}: {error}. "
        "use_curio() supplies the names that curio 1.6 is known to miss, but that is not enough here: "
        "run on the newest Python where it is, or use_asyncio() or use_trio()."
    )
