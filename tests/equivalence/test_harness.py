"""The harness itself: what it rewrites, and that it notices what is lost."""

import asyncio
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import rewrite
from .baseline import DIRECTORY, baseline
from .compare import Comparison, compare, exceptions_here, version_matches
from .runs import Module, Run, run

Names = dict[str, Any]


@pytest.fixture
def execute(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[Names, int]]:
    """Run a source rewritten; a call instead of an await finishes a coroutine that never suspends."""

    def finish(awaitable: Any) -> Any:
        try:
            awaitable.send(None)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("it suspended")

    def run_source(source: str) -> tuple[Names, int]:
        names: Names = {}
        code, rewritten = rewrite.rewrite(textwrap.dedent(source), "source.py")
        exec(code, names)
        return names, rewritten

    monkeypatch.setattr("builtins." + rewrite.CALL_NAME, finish, raising=False)
    return run_source


HELPERS = """
async def one(): return 1
async def alist(ait): return [x async for x in ait]
"""


def test_every_await_becomes_a_call(execute: Callable[[str], tuple[Names, int]]) -> None:
    names, rewritten = execute(HELPERS + "async def f(): return await one() + (await one()) + [await one()][0]")
    assert rewritten == 3
    assert asyncio.run(names["f"]()) == 3
    assert inspect.iscoroutinefunction(names["f"])


def test_calls_are_reachable_from_class_bodies(execute: Callable[[str], tuple[Names, int]]) -> None:
    names, _ = execute(HELPERS + "class C:\n  async def m(self): return await one()")
    assert asyncio.run(names["C"]().m()) == 1


@pytest.mark.parametrize(
    "expression",
    [
        "(await one() for _ in 'ab')",
        "(1 for _ in 'ab' if await one())",
        "(1 for _ in 'ab' for _ in [await one()])",
        "([await one()][0] for _ in 'ab')",
        "([await one() for _ in 'c'][0] for _ in 'ab')",
    ],
)
def test_asynchronous_generator_expressions_stay_asynchronous(
    execute: Callable[[str], tuple[Names, int]], expression: str
) -> None:
    names, _ = execute(HELPERS + f"async def f():\n  g = {expression}\n  return g, await alist(g)")
    generator, values = asyncio.run(names["f"]())
    assert inspect.isasyncgen(generator)
    assert values == [1, 1]


@pytest.mark.parametrize(
    "expression", ["(x for x in [await one()])", "((y for y in [await one()]) for _ in 'a')", "(x for x in [1])"]
)
def test_generator_expressions_are_as_asynchronous_as_before(
    execute: Callable[[str], tuple[Names, int]], expression: str
) -> None:
    source = HELPERS + f"async def f(): return {expression}"
    names, _ = execute(source)
    original: Names = {}
    exec(source, original)
    kind = type(asyncio.run(original["f"]()))
    assert type(asyncio.run(names["f"]())) is kind


def test_positions_are_those_of_the_source() -> None:
    source = "async def f():\n    return await (\n        g())\n"
    code, _ = rewrite.rewrite(source, "source.py")
    native = compile(source, "source.py", "exec")

    def positions(module: Any) -> set[tuple[int | None, ...]]:
        (function,) = (const for const in module.co_consts if inspect.iscode(const))
        return set(function.co_positions())

    (await_position,) = {p for p in positions(native) if p[0] == 2 and p[1] == 3 and p[2] == 11}
    assert await_position in positions(code)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_plain_frames_keep_no_reference(depth: int) -> None:
    class Awaitable:
        pass

    def wait(awaitable: Any) -> int:
        raise ValueError(sys.getrefcount(awaitable))

    call = rewrite.plain_frames(wait, depth)
    with pytest.raises(ValueError) as raised:
        call(Awaitable())  # type: ignore[arg-type]
    frames = [entry for entry in raised.traceback if "rewrite.py" in str(entry.path)]
    assert len(frames) == depth
    assert not any(isinstance(value, Awaitable) for entry in frames for value in entry.locals.values())


def test_plain_frames_through_c_keep_no_reference() -> None:
    class Awaitable:
        pass

    def wait(awaitable: Any) -> tuple[int, list[str]]:
        return sys.getrefcount(awaitable), [frame.function for frame in inspect.stack(0)][1:3]

    references, frames = rewrite.plain_frames(wait, 2)(Awaitable())  # type: ignore[arg-type]
    assert frames == ["last", "first"]
    found = rewrite.plain_frames(wait, 2, through_c=True)(Awaitable())  # type: ignore[arg-type]
    assert found == (references, ["last", "first_through_c"])


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory on the path to put test modules in, found by processes too."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path


SUITE = """
import asyncio, os, time, unittest

class T(unittest.IsolatedAsyncioTestCase):
    async def test_a(self):
        await asyncio.sleep(0)

    async def test_b(self):
        {body}

    async def test_c(self):
        await asyncio.sleep(0)
"""
REWRITTEN = f"hasattr(__import__('builtins'), {rewrite.CALL_NAME!r})"


def compared(package: Path, body: str, exceptions: dict[str, str], **limits: float) -> Comparison:
    name = "suite_" + package.name.replace("-", "_")
    (package / f"{name}.py").write_text(SUITE.format(body=body))
    module = Module(name, (name,), **limits)  # type: ignore[arg-type]
    exceptions = {f"{name}.T.{test}": reason for test, reason in exceptions.items()}
    return compare(module, run(module, rewritten=False), run(module, rewritten=True), exceptions)


def lost(comparison: Comparison) -> dict[str, str]:
    return {test.rpartition(".")[2]: what for test, what in comparison.lost.items()}


def test_nothing_is_lost(package: Path) -> None:
    comparison = compared(package, "await asyncio.sleep(0)", {})
    assert comparison.rewritten.rewritten == 3
    assert list(comparison.rewritten.outcomes.values()) == ["passed"] * 3
    assert comparison.good, comparison.text()


def test_a_failure_is_noticed(package: Path) -> None:
    comparison = compared(package, f"self.assertFalse({REWRITTEN})", {})
    assert lost(comparison) == {"test_b": "failed"}
    assert not comparison.good
    assert "AssertionError" in comparison.text()


def test_a_crash_is_noticed_and_the_rest_is_run(package: Path) -> None:
    comparison = compared(package, f"{REWRITTEN} and os.abort()", {})
    assert lost(comparison) == {"test_b": "crashed"}
    assert "SIGABRT" in comparison.text()
    assert len(comparison.rewritten.outcomes) == 3


def test_a_hang_is_noticed_and_the_rest_is_run(package: Path) -> None:
    comparison = compared(package, f"{REWRITTEN} and time.sleep(100)", {}, test_seconds=1.0)
    assert lost(comparison) == {"test_b": "hung"}
    assert "test_b" in comparison.text()
    assert len(comparison.rewritten.outcomes) == 3


def test_an_exception_excuses_a_failure(package: Path) -> None:
    comparison = compared(package, f"self.assertFalse({REWRITTEN})", {"test_b": "looks for the rewriting"})
    assert comparison.good, comparison.text()


def test_an_exception_that_passes_is_stale(package: Path) -> None:
    comparison = compared(package, "await asyncio.sleep(0)", {"test_b": "none", "test_of_another_version": "none"})
    assert [test.rpartition(".")[2] for test in comparison.stale] == ["test_b"]
    assert not comparison.good
    assert "test_b: is in a list of exceptions, but passes" in comparison.text()


def test_a_baseline_is_kept_unless_it_failed(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = package / "kept"
    monkeypatch.setenv(DIRECTORY, str(kept))
    for body, files in (("self.fail()", 0), ("pass", 1)):
        name = f"suite_to_keep_{files}"
        (package / f"{name}.py").write_text(SUITE.format(body=body))
        first = baseline(Module(name, (name,)))
        again = baseline(Module(name, (name,)))
        assert first.outcomes == again.outcomes
        assert (first == again) is bool(files)
        assert len(list(kept.glob(f"{name}-*.json"))) == files


def test_exceptions_hold_for_their_versions(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.toml"
    path.write_text('["m.T.test"]\nreason = "reads its source"\npython = ">=3.12,<3.14"\n')
    assert exceptions_here(path, "3.13.1") == {"m.T.test": "reads its source"}
    assert exceptions_here(path, "3.14.0") == {}
    assert version_matches("3.15.0rc1", ">=3.14")
    path.write_text('["m.T.test"]\nreason = " "\n')
    with pytest.raises(ValueError, match="reason is missing"):
        exceptions_here(path, "3.13.1")


def test_an_incomplete_rewritten_run_is_no_success() -> None:
    baseline = Run(outcomes={"m.test": "passed"})
    comparison = Comparison(Module("m", ("m",)), baseline, Run(outcomes=dict(baseline.outcomes), trouble="crashed"))
    assert not comparison.good
