"""The questions: one module each, whose docstring is the question.

A case's module has:

- `TITLE`: a few words for tables and plots.
- `UNIT`: "second" (of one operation) or "byte" (of one chain).
- `DEPTHS`: the depths that are measured; `QUICK_DEPTHS` those of `--quick`.
- `TARGETS`: what is to be reached.
- `measure(contender, depth, loops)`: seconds or bytes for `loops` operations.
- optionally `LOOPS`: how many operations a value is made of, where that must not be calibrated.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from benchmarks.contenders import NATIVE, Implementation

DEPTHS = (0, 1, 5, 20, 100)
QUICK_DEPTHS = (0, 1, 5, 20)


@dataclass(frozen=True)
class Target:
    """ohwait's figure divided by the one of `against`, at `depth`, is to be at most `at_most`."""

    depth: int
    at_most: float
    against: str = NATIVE.name


@dataclass(frozen=True)
class Case:
    """One question and how it is measured; the fields are those of the case's module."""

    name: str
    question: str
    title: str
    unit: str
    depths: tuple[int, ...]
    quick_depths: tuple[int, ...]
    targets: tuple[Target, ...]
    measure: Callable[[Implementation, int, int], float]
    loops: int | None


def case(name: str) -> Case:
    """The case called `name`. Raises ModuleNotFoundError."""
    module = import_module(f"{__name__}.{name}")
    return Case(
        name=name,
        question=" ".join((module.__doc__ or "").split()),
        title=module.TITLE,
        unit=module.UNIT,
        depths=module.DEPTHS,
        quick_depths=module.QUICK_DEPTHS,
        targets=module.TARGETS,
        measure=module.measure,
        loops=getattr(module, "LOOPS", None),
    )


def cases() -> tuple[Case, ...]:
    """All cases, timing before memory, otherwise by name."""
    found = (case(module.name) for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(found, key=lambda each: (each.unit != "second", each.name)))
