"""The questions: one module each, whose docstring is the question.

A case's module has:

- `TITLE`: a few words for tables and plots.
- `CONTENDERS`: the names of those that can answer.
- `POINTS`: at which depths, numbers or things it is asked, `AXIS` what they are; `QUICK` those of `--quick`.
- `measure(subject, point, loops)`: seconds for `loops` operations with a contender's implementation;
  or `gauge(subject, point)`: a figure for each unit in `UNITS`, of one process that does nothing else.

and where they apply:

- `TARGETS`: what is to be reached.
- `LOOPS`: how many operations a value is made of, where that must not be calibrated. A process gives one value then.
- `BASELINE`: what ratios are taken to, instead of native await.
- `subject(name)`: what stands for the contender called that, instead of its `Hosts`.
- `SLOPE`: the name of one step of the points, where the report is to say what one more of them costs.
- `CORE`: whether instructions are counted, and at which points.
- `CLOCK`: the clock behind `measure`.
- `STEADY`: whether a gauge hardly varies, so that a process or two tell everything.
- `PACKAGES`: what else has to be installed.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from benchmarks.contenders import NATIVE, implementation
from benchmarks.driver import CLOCK

Point = int | str

DEPTHS = (0, 1, 2, 5, 10, 20, 50, 100, 1000)
QUICK_DEPTHS = (0, 1, 5, 20)
ORDER = ("suspend_once", "suspend_repeatedly", "not_suspending", "memory")
"""The first cases of the report; the others follow by name, the toolkit's last."""


@dataclass(frozen=True)
class Target:
    """ohwait's figure divided by the one of `against`, at `point`, is to be at most `at_most`."""

    point: Point
    at_most: float
    against: str = NATIVE.name


@dataclass(frozen=True)
class Growth:
    """ohwait is to take at most `at_most` nanoseconds more for one more step of the points."""

    at_most: float


@dataclass(frozen=True)
class Case:
    """One question and how it is measured; the fields are those of the case's module."""

    name: str
    question: str
    title: str
    axis: str
    points: tuple[Point, ...]
    quick: tuple[Point, ...]
    contenders: tuple[str, ...]
    units: tuple[str, ...]
    targets: tuple[Target, ...]
    growth: Growth | None
    baseline: str
    subject: Callable[[str], Any]
    loops: int | None
    slope: str
    core: tuple[Point, ...]
    clock: str
    steady: bool
    packages: tuple[str, ...]
    measure: Callable[[Any, Any, int], float] | None
    gauge: Callable[[Any, Any], dict[str, float]] | None

    @property
    def unit(self) -> str:
        """The unit of the case's ratios: its first."""
        return self.units[0]

    @property
    def smooth(self) -> bool:
        """Whether the points are numbers, which a line may connect."""
        return all(isinstance(point, int) for point in self.points)


def case(name: str) -> Case:
    """The case called `name`. Raises ModuleNotFoundError."""
    module = import_module(f"{__name__}.{name}")
    return Case(
        name=name,
        question=" ".join((module.__doc__ or "").split()),
        title=module.TITLE,
        axis=module.AXIS,
        points=module.POINTS,
        quick=module.QUICK,
        contenders=module.CONTENDERS,
        units=getattr(module, "UNITS", ("second",)),
        targets=getattr(module, "TARGETS", ()),
        growth=getattr(module, "GROWTH", None),
        baseline=getattr(module, "BASELINE", NATIVE.name),
        subject=getattr(module, "subject", implementation),
        loops=getattr(module, "LOOPS", None),
        slope=getattr(module, "SLOPE", ""),
        core=getattr(module, "CORE", ()),
        clock=getattr(module, "CLOCK", CLOCK),
        steady=getattr(module, "STEADY", False),
        packages=getattr(module, "PACKAGES", ()),
        measure=getattr(module, "measure", None),
        gauge=getattr(module, "gauge", None),
    )


def cases() -> tuple[Case, ...]:
    """All cases, in the order of the report."""
    found = [case(module.name) for module in pkgutil.iter_modules(__path__)]

    def rank(each: Case) -> tuple[int, str]:
        if each.name in ORDER:
            return ORDER.index(each.name), ""
        return len(ORDER) + each.name.startswith("toolkit"), each.name

    return tuple(sorted(found, key=rank))
