"""The core's scenarios once more, natively and with a C function between each plain function and what calls it."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import FunctionType
from typing import Any

from cframes_tools import as_if_awaited_through_c, needs_c_frames

pytestmark = needs_c_frames

FILES = Path(__file__).parent.glob("test_core_*.py")
MODULES = sorted(path.stem for path in FILES if "\n@as_if_awaited\n" in path.read_text())

NATIVELY_DIFFERENT = {"test_i10_landings_are_silent"}
"""Compares all events of a profiler, which is told of C functions too."""


def marks(owner: Any) -> list[Any]:
    found = getattr(owner, "pytestmark", [])
    return found if isinstance(found, list) else [found]


def scenarios() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for test, value in vars(module).items():
            wrapped = getattr(value, "__wrapped__", None)
            if test in NATIVELY_DIFFERENT:
                continue
            if test.startswith("test_") and isinstance(wrapped, FunctionType) and wrapped.__module__ == name:
                both = as_if_awaited_through_c(wrapped)
                both.pytestmark = [*marks(module), *marks(value)]  # type: ignore[attr-defined]
                found[f"{test}_in_{name.removeprefix('test_')}"] = both
    return found


globals().update(scenarios())


def test_there_are_scenarios() -> None:
    assert sum(name.startswith("test_") for name in globals()) > 30
