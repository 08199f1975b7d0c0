"""`await` from a plain function: ``ohwait(awaitable)`` suspends it and all plain functions down to a coroutine.

Nothing has to be set up, under asyncio, uvloop, trio, curio or a loop of one's own::

    from ohwait import ohwait

    def plain(url):                      # never written for async
        return ohwait(fetch(url)).title()

    async def main():
        print(plain("..."))
"""

from __future__ import annotations

from os import environ

from ._errors import BackendError, CFunctionError, NoCoroutineError, OhwaitError, UnsupportedInterpreterError

try:
    from ._core import ohwait
except ImportError as error:
    from ._support import unsupported

    raise unsupported(error) from error

from . import _core
from ._diagnosis import WaitCheck, can_wait, refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._c_frames import Stats, configure, stats
    from ._helpers import as_sync, enter, iterate
    from ._runtime import (
        Backend,
        current_backend,
        current_task,
        register_backend,
        run,
        sleep,
        use_asyncio,
        use_auto,
        use_backend,
        use_curio,
        use_trio,
    )
    from ._scope import Handle, Scope, scope

__version__ = "0.1.0"

__all__ = [
    "Backend",
    "BackendError",
    "CFunctionError",
    "Handle",
    "NoCoroutineError",
    "OhwaitError",
    "Scope",
    "Stats",
    "UnsupportedInterpreterError",
    "WaitCheck",
    "as_sync",
    "can_wait",
    "configure",
    "current_backend",
    "current_task",
    "enter",
    "iterate",
    "ohwait",
    "register_backend",
    "run",
    "scope",
    "sleep",
    "stats",
    "use_asyncio",
    "use_auto",
    "use_backend",
    "use_curio",
    "use_trio",
]

_LATER = {"as_sync": "_helpers", "enter": "_helpers", "iterate": "_helpers"}
_LATER |= dict.fromkeys(("Handle", "Scope", "scope"), "_scope")
_LATER |= dict.fromkeys(("Stats", "configure", "stats"), "_c_frames")
"""Where to find what is imported when first used, so that `import ohwait` is quick; all the others are in _runtime."""


_core.configure(refusal=refusal)
if environ.get("OHWAIT_C_FRAMES") == "0":
    _core.allow_c_frames(False)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_LATER.get(name, '_runtime')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
