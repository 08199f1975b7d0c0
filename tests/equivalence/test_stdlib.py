"""The tests of the standard library that await pass when their awaits are calls of plain functions."""

import pytest

from . import groups
from .conftest import Compared, Record
from .runs import Module

pytestmark = pytest.mark.skipif(bool(groups.stdlib_missing()), reason=groups.stdlib_missing() or "not missing")


@pytest.mark.parametrize("module", groups.stdlib_modules(), ids=lambda module: module.name)
def test_what_passes_with_await_passes_with_ohwait(module: Module, compared: Compared, record_property: Record) -> None:
    comparison = compared(module)
    record_property("equivalence", comparison.summary())
    if comparison.baseline.trouble:
        pytest.skip(f"{module.name} cannot be run unmodified: {comparison.baseline.trouble}")
    if set(comparison.baseline.outcomes.values()) == {"skipped"}:
        pytest.skip(f"{module.name} skips all of its tests on this machine")
    assert comparison.rewritten.rewritten > 0
    assert comparison.good, comparison.text()
