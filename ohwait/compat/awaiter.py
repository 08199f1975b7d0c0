"""The names of the package `awaiter`, over `ohwait.dispatch`.

What is different: no source is read or rewritten, so every `await` of every async function can be a split; a
continuation runs once (there, its variables are cells, and a second call runs the rest again); and nothing runs in an
event loop of its own within the executor, so awaits hold no thread of it and may be of the original loop.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, overload

from .. import dispatch
from ..dispatch import Awaiter, detach, dispatch_to_executor, dispatch_to_loop

__all__ = ["Awaiter", "detach", "dispatch_to_executor", "dispatch_to_loop", "use_awaiter"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def use_awaiter(func: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]: ...
@overload
def use_awaiter(
    func: None = None, *, deco_name: str = ..., debug: bool = ...
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]: ...
def use_awaiter(
    func: Callable[..., Any] | None = None, *, deco_name: str = "use_awaiter", debug: bool = False
) -> Callable[..., Any]:
    """`ohwait.dispatch.use_awaiter`; `deco_name`, by which the decorator was found in the source, is not needed."""
    decorator = dispatch.use_awaiter(debug=debug)
    return decorator if func is None else decorator(func)
