"""CPython's JIT (3.14 and later) must not compile across the hidden functions' returns, which may lead elsewhere."""

from __future__ import annotations

import sys

import pytest
from core_tools import TESTS, passes, python

pytestmark = pytest.mark.unrepeatable("each test is a process of its own")


def has_jit() -> bool:
    jit = getattr(sys, "_jit", None)
    return bool(jit and jit.is_available())


def test_hot_loops_without_jit() -> None:
    assert "jit False" in passes("jit_stress.py", "1200", PYTHON_JIT="0")


@pytest.mark.skipif(not has_jit(), reason="this CPython was built without the JIT")
def test_hot_loops_with_jit() -> None:
    assert "jit True" in passes("jit_stress.py", "6000", PYTHON_JIT="1", timeout=300)


SUITES = ["hosts", "generators", "errors", "experiment_weaknesses", "random", "threads_and_gc", "data_stack"]


@pytest.mark.slow
@pytest.mark.skipif(not has_jit(), reason="this CPython was built without the JIT")
def test_the_cores_tests_with_jit() -> None:
    files = [str(TESTS / f"test_core_{suite}.py") for suite in SUITES]
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *files]
    done = python(*arguments, PYTHON_JIT="1", OHWAIT_TESTS_REPEAT="0", timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
