"""asynkit's own test suite, run against `ohwait.compat.asynkit`.

The suite is in asynkit's source distribution, which pip downloads; an alias lets it import ours as ``asynkit``. Its
conftest.py and what its tests of priorities lend to other files are not in the distribution: the fixtures that
the suite asks for are made here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import ohwait

pytest.importorskip("anyio", reason="asynkit's tests run under anyio's pytest plugin")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SDIST = "asynkit==0.20.*"
ENOUGH = 500
"""Tests that must pass: fewer means that the suite was not found."""

EXCEPTIONS = {
    "test_compat_eager.py::test_version_specific_behavior": (
        "patches sys.version_info within asynkit.compat; ohwait looks at what asyncio has instead"
    ),
}
"""Tests of the suite that are left out, and why."""

ALIAS = """
import importlib, pkgutil, sys
import ohwait.compat.asynkit as ours

if not any(arg == "import asynkit" for arg in sys.orig_argv):
    for module in pkgutil.walk_packages(ours.__path__, ours.__name__ + "."):
        importlib.import_module(module.name)
for name in list(sys.modules):
    if name == ours.__name__ or name.startswith(ours.__name__ + "."):
        sys.modules["asynkit" + name.removeprefix(ours.__name__)] = sys.modules[name]
"""

OUTER_CONFTEST = """
import pathlib, sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "src"))
import asynkit
"""

INNER_CONFTEST = """
import asyncio, warnings

import pytest

import asynkit

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    Base = asyncio.DefaultEventLoopPolicy


def pytest_configure(config):
    for name in ("trio", "eager_tasks"):
        config.addinivalue_line("markers", f"{name}: of the suite")


class SchedulingEventLoopPolicy(Base):
    def __init__(self, request=None):
        super().__init__()

    def new_event_loop(self):
        return asynkit.DefaultSchedulingEventLoop()


def make_loop_factory(policy):
    return policy.new_event_loop


@pytest.fixture
def corostart_type():
    return asynkit.CoroStart
"""

PRIORITY = """
from asynkit.experimental.priority import DefaultPriorityEventLoop

from ..conftest import Base


class PriorityEventLoopPolicy(Base):
    def __init__(self, request=None):
        super().__init__()

    def new_event_loop(self):
        return DefaultPriorityEventLoop()
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite's folder."""
    folder = tmp_path_factory.mktemp("asynkit")
    pip = [sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--no-binary", ":all:", "-d", str(folder), SDIST]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=300)
    found = list(folder.glob("asynkit-*.tar.gz"))
    if not found:
        pytest.skip(f"pip found no source distribution of {SDIST}: {done.stderr.strip()[-300:]}")
    with tarfile.open(found[0]) as archive:
        archive.extractall(folder, filter="data")
    root = next(path for path in folder.iterdir() if path.is_dir())
    for path in (root / "src" / "asynkit", root / "src" / "asynkit.egg-info"):
        path.rename(root / f"theirs-{path.name}")  # Nothing of it may be imported by mistake.
    (root / "src" / "asynkit.py").write_text(ALIAS)
    (root / "conftest.py").write_text(OUTER_CONFTEST)
    (root / "tests" / "__init__.py").touch()
    (root / "tests" / "conftest.py").write_text(INNER_CONFTEST)
    (root / "tests" / "experimental").mkdir(exist_ok=True)
    (root / "tests" / "experimental" / "__init__.py").touch()
    (root / "tests" / "experimental" / "test_priority.py").write_text(PRIORITY)
    return root


def test_suite_passes(suite: Path) -> None:
    left_out = [part for name in EXCEPTIONS for part in ("--deselect", f"tests/{name}")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pytest.ini", "tests", *left_out]
    (suite / "pytest.ini").write_text("[pytest]\nfilterwarnings =\n    ignore::pytest.PytestUnknownMarkWarning\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(ohwait.__file__).resolve().parent.parent)}
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) >= ENOUGH, done.stdout[-2000:]
