"""README.md's examples, run as a reader would run them."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PRINTED = ["3 [1, 3, 5]\n", "['ADA', 'GRACE']\n" * 2]


def test_every_example_is_known() -> None:
    assert len(EXAMPLES) == len(PRINTED)


@pytest.mark.parametrize(("example", "printed"), list(zip(EXAMPLES, PRINTED, strict=True)), ids=("first", "second"))
def test_example_prints_what_it_should(example: str, printed: str, tmp_path: Path) -> None:
    if "use_trio" in example and importlib.util.find_spec("trio") is None:
        pytest.skip("the example uses trio, which is not installed")
    script = tmp_path / "example.py"
    script.write_text(example)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (printed, "")
