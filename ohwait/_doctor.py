"""`python -m ohwait doctor`: what runs here, and a self-test that really suspends and resumes."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Sequence
from functools import partial

import ohwait

from . import _core, _selftest
from ._loops import Loop
from ._support import SUPPORTED, interpreter
from ._terminal import Terminal

__all__ = ["examine"]


def examine(loops: Sequence[Loop], terminal: Terminal) -> bool:
    """Print the report. Returns whether every check of the self-test has passed."""
    terminal.line(terminal.paint(f"ohwait {ohwait.__version__}", "bold"))
    _list(_facts(), terminal)
    terminal.line(terminal.paint("\nEvent loops", "bold"))
    _list([(loop.name, _state(loop)) for loop in loops], terminal)
    terminal.line(terminal.paint("\nStatements that call plain functions which wait", "bold"))
    _list(_statements(), terminal)
    terminal.line(terminal.paint("\nSelf-test", "bold"))
    obstacle = _core.c_frames_status()  # Which the checks may change.
    passed = [_report(name, check, terminal) for name, check in _selftest.CHECKS]
    passed += _c_frames_checked(obstacle, terminal)
    for loop in loops:
        if loop.usable:
            name = f"runs tasks side by side under {loop.name}"
            passed.append(_report(name, partial(_selftest.under, loop), terminal))
    terminal.line(_verdict(passed, terminal))
    return all(passed)


def _c_frames_checked(obstacle: str | None, terminal: Terminal) -> list[bool]:
    """Suspending through C functions: nothing where it is switched off or unknown, a failure where it went wrong."""
    from ._selftest_c_frames import has_failed, in_a_process

    if obstacle is None:
        return [_report("suspends through C functions (tried in a process of its own)", in_a_process, terminal)]

    def fail() -> None:
        raise _selftest.Failed(f"{obstacle}; please report this")

    return [_report("keeps all registers when C stacks are exchanged", fail, terminal)] if has_failed(obstacle) else []


def _list(facts: Sequence[tuple[str, str]], terminal: Terminal) -> None:
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        terminal.line(f"  {name:<{width}}  {value}")


def _facts() -> list[tuple[str, str]]:
    assertions = "with assertions at each step (OHWAIT_DEBUG)" if _core.BUILD["checked"] else "without assertions"
    return [
        ("interpreter", interpreter()),
        ("executable", sys.executable or "(embedded)"),
        ("platform", f"{platform.system()} {platform.machine()}"),
        ("compiled for", f"CPython {_core.BUILD['version']}, {assertions}"),
        ("supported", SUPPORTED),
        ("C functions in between", _c_frames()),
    ]


def _c_frames() -> str:
    reason = _core.c_frames_status()
    if reason is None:
        return "can be suspended through (rehearsed here: all registers were kept)"
    return f"cannot be suspended through: {reason}"


def _state(loop: Loop) -> str:
    if loop.version is None:
        return "not installed"
    return loop.version if loop.usable else f"{loop.version}, cannot be used: {loop.obstacle}"


def _statements() -> list[tuple[str, str]]:
    def able(can: bool) -> str:
        return "suspends" if can else "is refused: this CPython goes through C there"

    entering, leaving, raising = _selftest.with_can_suspend()
    return [
        ("for, over ohwait.iterate()", able(_selftest.for_can_suspend())),
        ("with, entering", able(entering)),
        ("with, leaving", able(leaving)),
        ("with, leaving on an error", able(raising)),
    ]


def _report(name: str, check: Callable[[], None], terminal: Terminal) -> bool:
    try:
        check()
    except Exception as error:
        text = str(error) if isinstance(error, _selftest.Failed) else f"{type(error).__name__}: {error}"
        terminal.line(f"  {terminal.paint(terminal.signs['no'], 'red')} {name}: {text}")
        return False
    terminal.line(f"  {terminal.paint(terminal.signs['yes'], 'green')} {name}")
    return True


def _verdict(passed: list[bool], terminal: Terminal) -> str:
    if all(passed):
        return terminal.paint(f"\nAll {len(passed)} checks have passed.", "green")
    failed = f"\n{passed.count(False)} of {len(passed)} checks have failed: ohwait does not work properly here."
    return terminal.paint(failed, "red")
