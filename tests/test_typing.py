"""mypy --strict over the package, and over a sample that says which type every public name should have."""

import subprocess
import sys
from pathlib import Path

import pytest

import ohwait

pytest.importorskip("mypy", reason="mypy is not installed")
pytestmark = pytest.mark.once

SAMPLE = """
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import assert_type

import ohwait
from ohwait import CFunctionError, NoCoroutineError, OhwaitError, WaitCheck


class Manager:
    async def __aenter__(self) -> int:
        return 1

    async def __aexit__(self, *exc: object) -> None: ...


@contextlib.asynccontextmanager
async def opened(name: str) -> AsyncIterator[bytes]:
    yield name.encode()


async def fetch(number: int, name: str = "") -> float:
    return number / 2


async def replies() -> AsyncGenerator[int, str]:
    yield len((yield 1))


class Client:
    @ohwait.as_sync
    async def get(self, path: str) -> bytes:
        return path.encode()


def plain() -> float:
    value = ohwait.ohwait(fetch(1))
    assert_type(value, float)
    assert_type(ohwait.as_sync(fetch)(1, name="x"), float)
    assert_type(Client().get("/"), bytes)
    for number in ohwait.iterate(replies()):
        assert_type(number, int)
    assert_type(ohwait.iterate(replies()).send("x"), int)
    assert_type(ohwait.iterate(replies()).__next__(), int)
    with ohwait.enter(Manager()) as entered:
        assert_type(entered, int)
    with ohwait.enter(opened("x")) as handle:
        assert_type(handle, bytes)
    check = ohwait.can_wait()
    assert_type(check, WaitCheck)
    assert_type(check.callee, str | None)
    return value


def child(number: int) -> str:
    return str(number)


def program(number: int) -> str:
    ohwait.sleep(0.1)
    with ohwait.scope() as scope:
        one = scope.spawn(child, number)
        other = scope.spawn(fetch, number)
    assert_type(one.result(), str)
    assert_type(other.result(), float)
    return one.result()


assert_type(ohwait.run(program, 3), str)
ohwait.use_asyncio()
ohwait.use_auto()

try:
    plain()
except NoCoroutineError as error:
    assert_type(error.filename, str | None)
    assert_type(error.lineno, int | None)
except (CFunctionError, OhwaitError):
    pass

ohwait.as_sync(fetch)("x")  # type: ignore[arg-type]
ohwait.ohwait(3)  # type: ignore[arg-type]
ohwait.iterate([1])  # type: ignore[call-overload]
ohwait.enter(contextlib.nullcontext)  # type: ignore[arg-type]
ohwait.run(program, "x")  # type: ignore[arg-type]
"""


def mypy(*arguments: str, cwd: Path) -> str:
    """mypy's report; empty if it has nothing to say."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(cwd / "cache")]
    result = subprocess.run([*command, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300)
    return result.stdout + result.stderr


def test_the_package_is_typed_strictly(tmp_path: Path) -> None:
    package = Path(ohwait.__file__).parent
    assert (package / "py.typed").is_file()
    assert mypy("--python-version", "3.11", str(package), cwd=tmp_path) == ""


def test_public_names_have_the_types_they_should(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(SAMPLE, encoding="utf-8")
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\nmypy_path = {Path(ohwait.__file__).parent.parent}\n", encoding="utf-8")
    assert mypy("--config-file", str(config), str(sample), cwd=tmp_path) == ""


def test_the_examples_are_typed(tmp_path: Path) -> None:
    examples = Path(__file__).resolve().parent.parent / "examples"
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\nmypy_path = {Path(ohwait.__file__).parent.parent}\n", encoding="utf-8")
    assert mypy("--config-file", str(config), str(examples), cwd=tmp_path) == ""
