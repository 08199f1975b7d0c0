"""The guide's examples and the example program, run as a reader would run them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "dispatch.md"

pytestmark = pytest.mark.skipif(not GUIDE.is_file(), reason="the documentation is not installed with the package")


def run(script: Path) -> str:
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, cwd=script.parent)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_guides_examples(tmp_path: Path) -> None:
    examples = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    printed = [
        "['MainThread', 'pool', 'pool', 'MainThread']\n",
        "pool MainThread\n['received']\n['received', 'processed']\n",
        "value True\n",
    ]
    assert len(examples) == len(printed)
    for example, expected in zip(examples, printed):
        script = tmp_path / "example.py"
        script.write_text(example, encoding="utf-8")
        assert run(script) == expected


def test_moving_py() -> None:
    out = run(ROOT / "examples" / "moving.py")
    assert "sqlite3 in database\n  back in MainThread\n" in out and "'late']" in out
    assert out.count(" in pool") == 3 and "and then MainThread" in out
    assert "detached: ['accepted'] and then ['accepted', 'delivered']" in out
    assert out.endswith("the event loop ran meanwhile: True\n")
