"""The core was compiled for the interpreter that runs it."""

import sys

from ohwait import _core


def test_core_was_compiled_against_this_version() -> None:
    assert _core.BUILD["cpython"] == "{}.{}".format(*sys.version_info)


def test_core_was_compiled_for_this_kind_of_build() -> None:
    assert _core.BUILD["interpreter_debug"] == hasattr(sys, "gettotalrefcount")
