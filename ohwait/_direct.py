"""An ``__exit__`` that the ``with`` statement calls within the interpreter loop, so that it can be suspended.

From 3.14 on CPython does so for methods. Before, it does so for a function that it finds as the attribute, but calls a
bound method through C.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from . import _core

__all__ = ["direct_exit"]

Method = TypeVar("Method", bound=Callable[..., Any])


class _FoundAsFunction:
    """Looked up on an instance it is a plain function, on the class the method."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: object, owner: type) -> Callable[..., Any]:
        method = self._method
        if instance is None:
            return method
        return lambda kind, error, traceback: method(instance, kind, error, traceback)


def direct_exit(method: Method) -> Method:
    """Decorates an ``__exit__`` method."""
    if _core.BUILD["with_calls_methods_inline"]:
        return method
    return cast(Method, _FoundAsFunction(method))
