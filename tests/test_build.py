"""The core was compiled for the interpreter that runs it."""

import sys

import pytest
from core_tools import passes

from ohwait import _core


def test_core_was_compiled_against_this_version() -> None:
    assert _core.BUILD["cpython"] == "{}.{}".format(*sys.version_info)


def test_core_was_compiled_for_this_kind_of_build() -> None:
    assert _core.BUILD["interpreter_debug"] == hasattr(sys, "gettotalrefcount")


@pytest.mark.unrepeatable("a subprocess")
def test_debug_and_release_builds_refuse_each_others_core() -> None:
    """Debian's debug builds load extensions of release builds; what tells them apart is what sys has."""
    passes("""
        import sys
        if hasattr(sys, "gettotalrefcount"): del sys.gettotalrefcount
        else: sys.gettotalrefcount = int
        try: import ohwait
        except ImportError as error: assert "being a debug build: build ohwait for it" in str(error), error
        else: raise AssertionError("imported")
    """)
