"""Which path is taken, how to see it, and how to forbid the stack path: stats(), configure(), OHWAIT_C_FRAMES."""

from __future__ import annotations

import dataclasses
import gc
import platform
import re
import sys
import sysconfig
import warnings
from pathlib import Path
from typing import Any

import pytest
from cframes_tools import by_c, needs_c_frames, suspended_by_c, waiting, waiting_by_c
from core_tools import below, drive, finish, host_of, passes, pause, start

import ohwait as package
from ohwait import CFunctionError, _core, ohwait


def test_c_frames_can_be_set_aside_where_they_ought_to_be() -> None:
    """Not to skip all of these tests unnoticed."""
    if "OHWAIT_WITHOUT_STACK" in (_core.c_frames_status() or ""):
        pytest.skip("built without the stack path")
    known = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
    if not known or sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert _core.c_frames_status() is not None
    else:
        assert _core.c_frames_status() is None


# ---- stats ----


def paths(function: Any) -> tuple[int, int]:
    """How often a plain function, run in a coroutine, is suspended by (frames, stack)."""
    before = package.stats()
    drive(host_of(function))
    after = package.stats()
    return (
        after.suspensions_by_frames - before.suspensions_by_frames,
        after.suspensions_by_stack - before.suspensions_by_stack,
    )


@needs_c_frames
def test_the_stack_path_is_taken_only_where_c_functions_are_in_the_way() -> None:
    assert paths(waiting) == (1, 0)
    assert paths(lambda: below(20, waiting)) == (1, 0)
    assert paths(waiting_by_c) == (0, 1)
    assert paths(lambda: sorted([3, 1, 2], key=lambda n: waiting() or n)) == (0, 3)
    assert paths(lambda: (waiting(), waiting_by_c(), below(3, waiting))) == (2, 1)
    assert paths(lambda: by_c(lambda: by_c(waiting))) == (0, 1)


@needs_c_frames
def test_a_coroutine_in_between_begins_anew() -> None:
    """Below C functions a coroutine that is driven by ohwait() has its own plain functions above it."""

    async def inner() -> object:
        return below(2, waiting)

    assert paths(lambda: ohwait(inner())) == (2, 0)
    assert paths(lambda: by_c(lambda: ohwait(inner()))) == (1, 1)


@needs_c_frames
def test_what_is_alive_and_how_many_bytes_it_takes() -> None:
    before = package.stats()
    small = [suspended_by_c() for _ in range(5)]
    with_small = package.stats()
    assert with_small.slices_alive == before.slices_alive + 5
    size = (with_small.slice_bytes - before.slice_bytes) / 5
    assert 200 < size < 20_000
    large = host_of(lambda: below(100, waiting_by_c))
    large.send(None)
    assert package.stats().slice_bytes - with_small.slice_bytes > size + 100 * 64
    for coroutine in [*small, large]:
        coroutine.close()
    assert dataclasses.replace(package.stats(), suspensions_by_stack=0) == dataclasses.replace(
        before, suspensions_by_stack=0
    )


def test_stats_are_a_frozen_record_of_numbers() -> None:
    stats = package.stats()
    assert isinstance(stats, package.Stats)
    assert all(type(value) is int and value >= 0 for value in dataclasses.asdict(stats).values())
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.slices_alive = 1  # type: ignore[misc]
    assert "suspensions_by_stack=" in repr(stats)


@pytest.mark.unrepeatable("a process of its own")
def test_nothing_is_paid_where_no_c_frame_is_met() -> None:
    """Neither is the C stack looked at, nor anything imported for it."""
    passes(
        """
        import sys
        import ohwait
        from ohwait import _core
        before = set(sys.modules)
        import types

        @types.coroutine
        def pause(): yield 1

        def plain(): return ohwait.ohwait(pause())

        async def host(): return plain()

        coroutine = host()
        coroutine.send(None)
        try: coroutine.send(None)
        except StopIteration: pass
        assert "ohwait._c_frames" not in sys.modules and "subprocess" not in sys.modules
        """
    )


# ---- configure ----


@needs_c_frames
@pytest.mark.usefixtures("without_c_frames")
def test_forbidden_before_the_awaitable_is_started() -> None:
    started = []

    async def awaitable() -> None:
        started.append(1)

    def plain() -> None:
        with pytest.raises(CFunctionError) as caught:
            by_c(lambda: ohwait(awaitable()))
        text = str(caught.value)
        assert "next()" in text and "configure(c_frames" in text
        assert caught.value.filename is not None and caught.value.lineno is not None

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drive(host_of(plain))
        gc.collect()
    assert not started
    assert paths(lambda: below(20, waiting)) == (1, 0)


@needs_c_frames
def test_switched_in_the_middle() -> None:
    """What is suspended goes on; what comes after is refused; and it may be allowed again."""
    coroutine = start(host_of(lambda: [waiting_by_c(1), attempt(), waiting(2), attempt()]))

    def attempt() -> object:
        try:
            return waiting_by_c(3)
        except CFunctionError:
            return "refused"

    package.configure(c_frames=False)
    try:
        assert "configure(c_frames=False)" in str(_core.c_frames_status())
        assert coroutine.send("a") == 2
    finally:
        package.configure(c_frames=True)
    assert _core.c_frames_status() is None
    package.configure()
    assert finish(coroutine, ["b", "c"]) == ["a", "refused", "b", "c"]


@pytest.mark.parametrize("value", [0, 1, "no", object()])
def test_configure_takes_a_bool(value: Any) -> None:
    before = _core.c_frames_status()
    with pytest.raises(TypeError, match="c_frames must be True, False or None, not " + type(value).__name__):
        package.configure(c_frames=value)
    with pytest.raises(TypeError):
        package.configure(True)  # type: ignore[misc]
    assert _core.c_frames_status() == before


SCRIPT = """
import ohwait, types
@types.coroutine
def pause(): return (yield 1)
async def host(): return sorted([2, 1], key=lambda n: ohwait.ohwait(pause()))
coroutine = host()
try:
    coroutine.send(None); coroutine.close(); print("suspended")
except ohwait.CFunctionError as error: print("refused", error)
"""


@pytest.mark.unrepeatable("processes")
@needs_c_frames
@pytest.mark.parametrize(("value", "expected"), [("0", "refused"), ("1", "suspended"), ("", "suspended")])
def test_the_environment_variable(value: str, expected: str) -> None:
    printed = passes(SCRIPT, OHWAIT_C_FRAMES=value)
    assert printed.startswith(expected)
    assert ("OHWAIT_C_FRAMES=0" in printed) is (expected == "refused")
    allowing = SCRIPT.replace("coroutine = ", "ohwait.configure(c_frames=True); coroutine = ")
    assert passes(allowing, OHWAIT_C_FRAMES="0") == "suspended\n"


# ---- errors ----


@needs_c_frames
def test_where_there_is_no_coroutine_the_error_is_the_same_as_ever() -> None:
    with pytest.raises(package.NoCoroutineError, match="no coroutine runs below this call"):
        by_c(lambda: ohwait(pause()))


@needs_c_frames
def test_what_await_refuses_is_refused_below_c() -> None:
    for thing in (None, 1, "text", [pause()]):
        with pytest.raises(TypeError, match="await"):
            drive(host_of(lambda thing=thing: by_c(lambda: ohwait(thing))))


@needs_c_frames
def test_refusal_of_another_kind_is_an_error_with_the_reason_as_its_text() -> None:
    from ohwait._diagnosis import refusal

    error = refusal("thread", None, "this coroutine must be resumed in its own thread")
    assert type(error) is package.OhwaitError
    assert str(error) == "this coroutine must be resumed in its own thread"


@needs_c_frames
def test_the_reason_is_part_of_the_text() -> None:
    from ohwait._diagnosis import refusal

    error = refusal("c-function", sys._getframe(), "the moon is full")
    assert "  Its C frames cannot be set aside: the moon is full.\n" in str(error)
    assert "ohwait.configure(" not in str(error)


# ---- docs/c-frames.md ----

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "c-frames.md"
PRINTED = ["[1, -2, 3]\n[256]\n", r"Stats\(suspensions_by_frames=0, .*\)\nFalse\n"]


@needs_c_frames
@pytest.mark.unrepeatable("processes")
@pytest.mark.skipif(not GUIDE.is_file(), reason="the documentation is not installed with the package")
def test_the_examples_of_the_guide() -> None:
    examples = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) == len(PRINTED)
    assert passes(examples[0]) == PRINTED[0]
    assert re.fullmatch(PRINTED[1], passes(examples[1]))
