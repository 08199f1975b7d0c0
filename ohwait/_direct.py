"""An ``__exit__`` that the ``with`` statement calls within the interpreter loop, so that it can be suspended.

Before 3.14, CPython does so for a function that it finds as the attribute, but calls a bound method through C.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, TypeVar, overload

__all__ = ["direct_exit"]

S = TypeVar("S")
R = TypeVar("R")


class direct_exit(Generic[S, R]):
    """Decorates an ``__exit__`` method. Looked up on an instance it is a plain function, on the class the method."""

    def __init__(
        self, method: Callable[[S, type[BaseException] | None, BaseException | None, TracebackType | None], R]
    ) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    @overload
    def __get__(
        self, instance: None, owner: type[S]
    ) -> Callable[[S, type[BaseException] | None, BaseException | None, TracebackType | None], R]: ...
    @overload
    def __get__(
        self, instance: S, owner: type[S]
    ) -> Callable[[type[BaseException] | None, BaseException | None, TracebackType | None], R]: ...
    def __get__(self, instance: S | None, owner: type[S]) -> Any:
        method = self._method
        if instance is None:
            return method
        return lambda kind, error, traceback: method(instance, kind, error, traceback)
