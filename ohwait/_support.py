"""Which interpreters ohwait runs on, and the error for the others. Imports nothing of the package but its errors."""

from __future__ import annotations

import sys

from ._errors import UnsupportedInterpreterError

__all__ = ["SUPPORTED", "interpreter", "unsupported"]

SUPPORTED = "CPython 3.11 to 3.15, release and debug builds with the GIL, in the main interpreter of the process"


def interpreter() -> str:
    """The running interpreter in words, for example ``"CPython 3.14.1 (debug build)"``."""
    import sysconfig

    names = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalPy"}
    name = names.get(sys.implementation.name, sys.implementation.name)
    traits = []
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        traits.append("free-threaded build")
    if hasattr(sys, "gettotalrefcount"):
        traits.append("debug build")
    return f"{name} {sys.version.split()[0]}" + (f" ({', '.join(traits)})" if traits else "")


def unsupported(cause: ImportError) -> UnsupportedInterpreterError:
    """The error to raise in place of the one that importing the C part gave."""
    reason = str(cause)
    if isinstance(cause, ModuleNotFoundError) and cause.name == f"{__package__}._core":
        reason = "its C part, ohwait._core, was not built for this interpreter; install it with this interpreter's pip"
    error = UnsupportedInterpreterError(
        f"ohwait cannot run on this interpreter, {interpreter()}: {reason}.\n  Supported: {SUPPORTED}."
    )
    error.name, error.path = cause.name, cause.path
    return error
