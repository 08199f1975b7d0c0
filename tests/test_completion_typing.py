"""mypy --strict over a sample that uses everything public of ohwait.completion."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="mypy is not installed")
pytestmark = pytest.mark.once

SAMPLE = """
import contextvars
from typing import assert_type

from ohwait import ohwait
from ohwait.completion import Completion, CompletionAbandoned, CompletionCancelled, CompletionError
from ohwait.completion import CompletionLoopError, CompletionStateError, get_include


async def main() -> None:
    completion = Completion[int]()
    completion.set_result(1)
    completion.set_result("text")  # wrong
    completion.set_exception(ValueError)
    assert_type(await completion, int)
    assert_type(ohwait(completion), int)
    assert_type(completion.result(), int)
    assert_type(completion.exception(), BaseException | None)
    assert_type(completion.cancel("why"), bool)
    completion.add_done_callback(tell, context=contextvars.copy_context())
    assert_type(completion.remove_done_callback(tell), int)
    assert_type(completion.waiting, int)
    assert_type(get_include(), str)


def tell(completion: Completion[int]) -> None: ...


errors: list[type[CompletionError]] = [CompletionAbandoned, CompletionCancelled]
errors += [CompletionLoopError, CompletionStateError]
"""


def test_a_user_is_checked(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(SAMPLE)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", sample], capture_output=True, text=True, check=False
    )
    (wrong,) = [number for number, line in enumerate(SAMPLE.splitlines(), 1) if line.endswith("# wrong")]
    assert f"sample.py:{wrong}: error: Argument 1" in done.stdout, done.stdout
    assert "Found 1 error in 1 file" in done.stdout, done.stdout
