"""What the tests of the core share: things to wait for, drivers, and scenarios that run natively and through ohwait."""

from __future__ import annotations

import ast
import functools
import inspect
import os
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ohwait import _core, ohwait

TESTS = Path(__file__).parent
SCRIPTS = TESTS / "subprocesses"


@types.coroutine
def pause(value: object = None):
    """Suspend once: `value` goes out, what is sent in comes back."""
    return (yield value)


async def pause_async(value: object = None):
    return await pause(value)


class Waiting:
    """An awaitable of one's own: yields the values, returns what was sent in."""

    def __init__(self, *values: object) -> None:
        self.values = values
        self.sent: list[object] = []

    def __await__(self):
        for value in self.values:
            self.sent.append((yield value))
        return self.sent


async def ready(value: object = None) -> object:
    """Never suspends."""
    return value


async def failing(error: BaseException, value: object = None) -> None:
    await pause(value)
    raise error


def below(depth: int, function: Callable[[], Any]) -> Any:
    """Call `function` through `depth` further plain frames (without `*args`, which CPython 3.11 calls through C)."""
    return function() if depth <= 0 else below(depth - 1, function)


async def host_of(function: Callable[[], Any]) -> Any:
    """A coroutine whose only work is to call a plain function."""
    return function()


def drive(coroutine: Any, sent: Iterable[object] = ()) -> Any:
    """Run to the end, sending the values and then None; the result."""
    values = iter(sent)
    value = None
    try:
        while True:
            coroutine.send(value)
            value = next(values, None)
    except StopIteration as stop:
        return stop.value


def finish(coroutine: Any, sent: Iterable[object] = ()) -> Any:
    """Send the values to a coroutine that is suspended already, and then None; the result."""
    values = iter(sent)
    try:
        while True:
            coroutine.send(next(values, None))
    except StopIteration as stop:
        return stop.value


def start(coroutine: Any) -> Any:
    """The first step, which must suspend; the coroutine."""
    coroutine.send(None)
    return coroutine


# ---- outcomes that can be compared ----


def step(function: Callable[..., Any], *args: Any) -> tuple[str, Any]:
    """One step of a coroutine: what came out, and how."""
    try:
        return "yield", function(*args)
    except StopIteration as stop:
        return "return", stop.value
    except BaseException as error:
        return "raise", describe(error)


def outcome(coroutine: Any, *steps: Any) -> list[tuple[str, Any]]:
    """Drive by hand: each step is a value to send or an exception to throw; after them None until the end."""
    seen = [step(coroutine.send, None)]
    pending = list(steps)
    while seen[-1][0] == "yield":
        value = pending.pop(0) if pending else None
        thrown = isinstance(value, BaseException) or (isinstance(value, type) and issubclass(value, BaseException))
        seen.append(step(coroutine.throw if thrown else coroutine.send, value))
    return seen


def describe(error: BaseException | None, levels: int = 8) -> Any:
    """Everything about an exception that a reader of its traceback sees."""
    if error is None or levels == 0:
        return None
    return {
        "type": type(error).__name__,
        "text": str(error),
        "notes": getattr(error, "__notes__", []),
        "frames": [] if LOSES_FRAMES and error.__context__ else places(error),
        "cause": describe(error.__cause__, levels - 1),
        "context": describe(error.__context__, levels - 1),
        "suppressed": error.__suppress_context__,
        "parts": [describe(part, levels - 1) for part in getattr(error, "exceptions", ())],
    }


def places(error: BaseException) -> list[tuple[str, str, int | None]]:
    """The traceback: (file, function, line), outermost first."""
    found = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        found.append((Path(code.co_filename).name, code.co_name, traceback.tb_lineno))
        traceback = traceback.tb_next
    return found


async def _handling() -> None:
    try:
        raise KeyError
    except KeyError:
        await pause()


def _loses_frames() -> bool:
    coroutine = start(_handling())
    try:
        coroutine.throw(ValueError())
    except ValueError as error:
        return len(places(error)) < 3
    return False


LOSES_FRAMES = _loses_frames()
"""CPython 3.11 forgets the inner frames of what is thrown through a coroutine that handles an exception; ohwait not."""


def function_names(frame: types.FrameType | None, until: str = "host") -> list[str]:
    """Names along f_back, innermost first, up to the coroutine named `until`."""
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        if names[-1] == until:
            break
        frame = frame.f_back
    return names


# ---- one scenario, twice ----


class _Plainly(ast.NodeTransformer):
    """`async def plain_x` becomes `def`, `await plain_x()` a call, any other `await` inside of it an `ohwait()`."""

    inside = False

    def __init__(self, by: str | None) -> None:
        self.by = by
        """Name of a C function that makes those calls, if not the interpreter itself is to."""

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        before, self.inside = self.inside, node.name.startswith("plain")
        self.generic_visit(node)
        made: ast.AST = node
        if self.inside:
            made = ast.FunctionDef(**{name: getattr(node, name, []) for name in ast.FunctionDef._fields})
            made.type_comment = None
            ast.copy_location(made, node)
        self.inside = before
        return made

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        before, self.inside = self.inside, False
        self.generic_visit(node)
        self.inside = before
        return node

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        value = node.value
        name = value.func if isinstance(value, ast.Call) else None
        called = getattr(name, "id", getattr(name, "attr", ""))
        if called.startswith("plain"):
            return self.call_of(value)
        if not self.inside:
            return node
        call = ast.Call(func=ast.Name(id="ohwait", ctx=ast.Load()), args=[value], keywords=[])
        return ast.fix_missing_locations(ast.copy_location(call, node))

    def call_of(self, call: ast.Call) -> ast.AST:
        if self.by is None:
            return call
        by_c = ast.Call(func=ast.Name(id=self.by, ctx=ast.Load()), args=[call.func, *call.args], keywords=call.keywords)
        return ast.fix_missing_locations(ast.copy_location(by_c, call))


def version(function: types.FunctionType, plainly: bool, by: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A scenario as it is written, or with plain functions, which `by` calls instead of the interpreter itself."""
    lines, first = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines)))
    ast.increment_lineno(tree, first - 1)
    tree.body[0].decorator_list = []
    if plainly:
        tree = _Plainly(by and "by_c").visit(tree)
    scope: dict[str, Any] = {}
    code = compile(tree, function.__code__.co_filename, "exec", dont_inherit=True)
    exec(code, function.__globals__ | {"ohwait": ohwait, "by_c": by}, scope)
    return scope[function.__name__]


def as_if_awaited(test: types.FunctionType) -> Callable[..., None]:
    """Make a test of a scenario written with await: run as it stands and with `async def plain_...` made plain
    functions, it must return the same."""
    native, plain = version(test, False), version(test, True)

    @functools.wraps(test)
    def both(*args: Any, **kwargs: Any) -> None:
        expected = native(*args, **kwargs)
        assert expected, "the scenario must return what is to be compared"
        lifted = _core.counters()["lifted"]
        result = plain(*args, **kwargs)
        assert result == expected, f"(natively, with plain functions) differ at {difference(expected, result)}"
        assert _core.counters()["lifted"] > lifted, "no chain was suspended: the comparison proves nothing"

    return both


def difference(expected: Any, result: Any, path: str = "result") -> str:
    """Where two results differ first, and how."""
    if type(expected) is type(result) and isinstance(expected, (list, tuple)) and len(expected) == len(result):
        pairs = [(f"{path}[{n}]", a, b) for n, (a, b) in enumerate(zip(expected, result))]
    elif isinstance(expected, dict) and isinstance(result, dict) and expected.keys() == result.keys():
        pairs = [(f"{path}[{key!r}]", expected[key], result[key]) for key in expected]
    else:
        return f"{path}:\n  {expected}\n  {result}"
    return next((difference(a, b, at) for at, a, b in pairs if a != b), path)


# ---- subprocesses ----


def python(*args: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter on arguments, with the tests' folder and ohwait importable."""
    import ohwait as package

    paths = [str(TESTS), str(Path(package.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONFAULTHANDLER": "1"} | environment
    return subprocess.run(
        [sys.executable, *args], env=environ, capture_output=True, text=True, timeout=timeout, check=False
    )


def passes(source: str, *args: str, **options: Any) -> str:
    """Run a script (its text, or the name of a file in subprocesses/) that must end well; what it printed."""
    script = ["-c", textwrap.dedent(source)] if "\n" in source else [str(SCRIPTS / source)]
    done = python(*script, *args, **options)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def skip(reason: str) -> None:
    """End a script that passes_or_skips() runs: what it tests does not exist here."""
    print("skip:", reason)
    raise SystemExit(0)


def passes_or_skips(source: str, **options: Any) -> None:
    """Run a script that must end well, or by skip()."""
    import pytest

    printed = passes(source, **options)
    if printed.startswith("skip: "):
        pytest.skip(printed.removeprefix("skip: ").strip())
