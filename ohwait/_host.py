"""The coroutine under a plain function: what makes a task of one.

``fn(*args)`` compiles to an instruction that calls through C on some CPythons, and for a bound method on all of them,
and then nothing below could be suspended. So the call is made by a function with as many parameters as there are
arguments, whose call instruction stays in the interpreter loop.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from types import FunctionType, MethodType
from typing import Any

__all__ = ["call_plainly", "host"]

_Call = Callable[[Callable[..., Any], tuple[Any, ...]], Any]
_PLACEHOLDER: object = getattr(functools, "Placeholder", object())


async def host(fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Call ``fn(*args)``, a plain or a coroutine function, such that it can await; return what it returns."""
    call, fn, values = call_plainly(fn, args)
    result = call(fn, values)
    if isinstance(result, Coroutine):
        result = await result
    return result


def call_plainly(fn: Callable[..., Any], args: tuple[Any, ...]) -> tuple[_Call, Callable[..., Any], tuple[Any, ...]]:
    """How to call ``fn(*args)`` without a C function in between, where that is possible: as ``call(function, values)``.

    Sees through `functools.partial` and instances whose class defines ``__call__`` in Python.
    """
    keywords: dict[str, Any] = {}
    while not isinstance(fn, (FunctionType, MethodType)):
        method = inspect.getattr_static(type(fn), "__call__", None)
        if type(fn) is functools.partial and not any(arg is _PLACEHOLDER for arg in fn.args):
            args = *fn.args, *args
            keywords = {**fn.keywords, **keywords}
            fn = fn.func
        elif isinstance(method, FunctionType):
            fn = MethodType(method, fn)
        else:
            break
    return _call_of(len(args), tuple(keywords)), fn, (*args, *keywords.values())


@functools.cache
def _call_of(positional: int, keywords: tuple[str, ...]) -> _Call:
    names = [f"a{i}" for i in range(positional + len(keywords))]
    passed = [*names[:positional], *(f"{key}={name}" for key, name in zip(keywords, names[positional:]))]
    unpack = f"    {', '.join(names)}, = args\n" if names else ""
    source = f"def call(fn, args):\n{unpack}    return fn({', '.join(passed)})\n"
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, f"<{__name__}: a call with {len(names)} arguments>", "exec"), namespace)
    call: _Call = namespace["call"]
    return call
