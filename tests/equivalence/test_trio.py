"""trio's own tests pass when their awaits are calls of plain functions."""

import pytest

from . import groups
from .conftest import Compared, Record
from .runs import Module

pytestmark = pytest.mark.skipif(bool(groups.trio_missing()), reason=groups.trio_missing() or "not missing")


@pytest.mark.parametrize("module", groups.trio_modules(), ids=lambda module: module.name)
def test_what_passes_with_await_passes_with_ohwait(module: Module, compared: Compared, record_property: Record) -> None:
    comparison = compared(module)
    record_property("equivalence", comparison.summary())
    assert not comparison.baseline.trouble
    assert comparison.rewritten.rewritten > 0
    assert comparison.good, comparison.text()
