"""Where C frames cannot be set aside, as on processors without assembly: built so, the core passes its tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.once, pytest.mark.slow]

ROOT = Path(__file__).resolve().parent.parent
TESTED = ["test_core_*", "test_helpers", "test_diagnosis", "test_errors", "test_cframes_api", "test_cstack_*"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree, built in place without the stack path."""
    pytest.importorskip("setuptools", reason="setuptools builds it; it is in the extra `test`")
    tree = tmp_path_factory.mktemp("without-stack")
    built = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    for folder in ("csrc", "docs", "ohwait", "tests"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=built)
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tree)
    flags = f"{os.environ.get('CFLAGS', '')} -DOHWAIT_WITHOUT_STACK"
    run(tree, "setup.py", "-q", "build_ext", "--inplace", CFLAGS=flags)
    return tree


def run(tree: Path, *arguments: str, **variables: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(tree)} | variables
    done = subprocess.run([sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout


def test_says_why_there_is_no_stack_path(tree: Path) -> None:
    script = "from ohwait import _core; print(_core.__file__, _core.c_frames_status())"
    said = run(tree, "-c", script)
    assert said.startswith(str(tree)) and "OHWAIT_WITHOUT_STACK" in said


def test_the_core_passes_its_tests(tree: Path) -> None:
    files = [str(path) for name in TESTED for path in sorted(tree.glob(f"tests/{name}.py"))]
    said = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, OHWAIT_TESTS_REPEAT="0")
    passed = re.search(r"(\d+) passed", said)
    assert passed and int(passed[1]) > 300, said[-6000:]
