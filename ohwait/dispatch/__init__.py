"""A coroutine moves to another thread, or lets its caller go on: with `use_awaiter`, or from plain code with nothing.

::

    @use_awaiter
    async def report(executor):
        rows = await fetch()                       # in the event loop
        await dispatch_to_executor(executor)
        return render(rows)                        # in the executor, awaits included

    def plain(executor):                           # no async, no decorator
        with in_executor(executor):
            return render(ohwait(fetch()))

The guide is docs/dispatch.md. After the awaiters of C#: https://devblogs.microsoft.com/premier-developer/
dissecting-the-async-methods-in-c/, as `awaiter` brought them to Python by rewriting source.
"""

from __future__ import annotations

from ._awaiter import Awaiter, AwaiterMixin, Continuation, use_awaiter
from ._errors import DispatchError
from ._plain import Switched, call_in_executor, in_executor, switch_back, switch_to_executor, switch_to_loop
from ._targets import Detached, detach, dispatch_to_executor, dispatch_to_loop

__all__ = [
    "Awaiter",
    "AwaiterMixin",
    "Continuation",
    "Detached",
    "DispatchError",
    "Switched",
    "call_in_executor",
    "detach",
    "dispatch_to_executor",
    "dispatch_to_loop",
    "in_executor",
    "switch_back",
    "switch_to_executor",
    "switch_to_loop",
    "use_awaiter",
]
