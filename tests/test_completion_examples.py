"""The examples in C and in Rust: built, and run under every event loop."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from loops import Loop, every_loop
from test_completion_native import build as c_build
from test_completion_native import load

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
REGISTRY = Path(os.environ.get("OHWAIT_CARGO_REGISTRY", "/usr/share/cargo/registry"))

rust_build = load(EXAMPLES / "rust_async" / "build_rust.py", "build_rust_async")
no_compiler = pytest.mark.skipif(not c_build.compiler(), reason="there is no C compiler")
no_rust = pytest.mark.skipif(rust_build.obstacle(REGISTRY) is not None, reason=str(rust_build.obstacle(REGISTRY)))


def run(script: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(
        [sys.executable, script, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_the_example_of_the_guide(tmp_path: Path) -> None:
    guide = (EXAMPLES.parent / "docs" / "completion.md").read_text()
    script = tmp_path / "guide.py"
    script.write_text(re.findall(r"```python\n(.*?)```", guide, re.DOTALL)[0])
    assert run(script) == "499500 499501\n"


@pytest.mark.parametrize("case", range(6))
def test_the_benchmark_runs(case: int) -> None:
    benchmark = load(EXAMPLES.parent / "benchmarks" / "completion.py", "benchmark_completion")
    _, function, batch, _ = benchmark.CASES[case]
    for contender in (benchmark.FUTURE, benchmark.COMPLETION):
        processor, clock = benchmark.measure(function, contender, min(batch, 10), 100, asyncio.new_event_loop)
        assert 0 < processor < 1 and 0 < clock < 1


@no_compiler
def test_c_threads_complete_thousands_a_second(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "c_workers", tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "build", ignore_errors=True)
    assert run(tmp_path / "build_workers.py").strip().endswith(".so")
    printed = run(tmp_path / "run_workers.py", "10000")
    rate = re.search(r"10000 jobs in [\d.]+ s, ([\d,]+) Completions a second: 6171 takes 261 steps", printed)
    assert rate is not None, printed
    assert int(rate[1].replace(",", "")) > 2000
    assert "were cancelled before" in printed


@pytest.fixture(scope="module")
def rust_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where rust_async is built; kept by CI from one CPython to the next, as the module serves all of them."""
    kept = os.environ.get("OHWAIT_RUST_BUILD")
    directory = Path(kept) if kept else tmp_path_factory.mktemp("rust")
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(EXAMPLES / "rust_async" / "run_rust.py", directory)
    rust_build.build(directory / "build", REGISTRY)
    return directory


@no_rust
@every_loop
def test_rust_under_every_loop(loop: Loop, rust_directory: Path) -> None:
    printed = run(rust_directory / "run_rust.py", loop.name)
    assert re.findall(r": +(.*)$", printed, re.MULTILINE) == [
        "499500",
        "11",
        "[0, 1, 4, 9, 16]",
        "True <Completion cancelled>",
    ]


MORE = """
import asyncio, gc, sys, time
sys.path.insert(0, sys.argv[1])
import rust_async

async def outcome(awaitable):
    try:
        return await awaitable
    except Exception as error:
        return type(error).__name__, str(error)

async def fails(argument):
    await asyncio.sleep(0)
    raise LookupError(argument)

async def never(argument):
    try:
        await asyncio.sleep(60)
    finally:
        print("left", argument)

async def main():
    print(await outcome(rust_async.total([2**64 - 1, 1])))              # an error of Rust's
    print(await outcome(rust_async.ask_twice(fails, "first", "no")))    # an error of Python's, through Rust
    print(await outcome(rust_async.ask_twice(int, "1", "2")))           # what is no awaitable
    print(await outcome(asyncio.wait_for(rust_async.ask_twice(never, "asked", "no"), 0.01)))
    print(await outcome(asyncio.wait_for(rust_async.total([1], 0.2), 0.01)))
    coroutine = rust_async.total([1], 0.05)
    task = asyncio.ensure_future(coroutine)
    await asyncio.sleep(0)
    print(await outcome(coroutine), await task)                         # awaited twice
    print(await rust_async.count(1000))
    await asyncio.sleep(0.3)

asyncio.run(main())
rust_async.total([1]).close()
gc.collect()
"""


@no_rust
def test_rust_errors_and_cancellation(rust_directory: Path, tmp_path: Path) -> None:
    script = tmp_path / "more.py"
    script.write_text(MORE)
    lines = run(script, str(rust_directory / "build")).splitlines()
    assert lines == [
        "('ValueError', 'the sum has more than 64 bits')",
        "('LookupError', 'first')",
        "('TypeError', 'Rust was given an object of type int to await, which has no __await__')",
        "left asked",
        "('TimeoutError', '')",
        "('TimeoutError', '')",
        "('RuntimeError', 'a coroutine is awaited once, and this one is or has been') 1",
        "1000",
    ]
