"""The guide to ohwait.eager and its example, run as a reader would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "eager.md"

pytestmark = pytest.mark.skipif(not GUIDE.is_file(), reason="the documents are not installed with the package")


def run(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_every_block_of_the_guide(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        script = tmp_path / "block.py"
        script.write_text(block, encoding="utf-8")
        out = run(str(script))
    assert out.startswith("cached() failed to complete synchronously: it suspended at ")


def test_the_guide_names_everything_that_is_public() -> None:
    from ohwait import eager

    text = GUIDE.read_text(encoding="utf-8")
    beside_the_point = {"SynchronousAbort", "TaskLikeFuture", "coro_is_finished"}
    assert [name for name in eager.__all__ if name not in text and name not in beside_the_point] == []


def test_eager_start_py() -> None:
    out = run(str(ROOT / "examples" / "eager_start.py"))
    assert "sent before anything was awaited: first, second, third\n" in out
    assert "answers: FIRST and SECOND, THIRD\n" in out
    assert float(re.findall(r"together: ([\d.]+) s", out)[0]) < 0.29
