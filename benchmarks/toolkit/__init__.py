"""The toolkit's cases: each of its families beside asynkit's and what the standard library has.

asynkit's names and ohwait's are the same, so both run the same functions (shared.py); native.py has what one writes
without either. Nothing of either library is imported here: a family that is missing is the reason for a gap.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from benchmarks.shapes import copy_of

SUSPENSIONS = ("no suspension", "one suspension")
FROM = ("from a coroutine", "from a plain function")


class NotOffered(Exception):
    """The contender has nothing of the kind."""


def family(module: str) -> Callable[[str], ModuleType]:
    """What makes the subject of a contender: the functions of shared.py with the names of its `module`.

    `module` is of ohwait; asynkit has all of its names in one.
    """

    def subject(name: str) -> ModuleType:
        if name == "native":
            return import_module(f"{__name__}.native")
        library: Any = import_module(f"ohwait.{module}" if name == "ohwait" else name)
        return copy_of("shared", __name__, library=library)

    return subject
