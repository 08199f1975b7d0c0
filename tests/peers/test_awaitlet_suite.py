"""awaitlet's own tests, run against ohwait.compat.awaitlet.

Nothing of them is kept here: the source distribution is fetched with pip into a temporary directory, where a package
named `awaitlet` stands for ours.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.unrepeatable]

RELEASE = "awaitlet==0.0.1"
ROOT = Path(__file__).resolve().parents[2]

EXCEPTIONS = {
    "test_awaitletonly_error": "asks that a coroutine awaited by awaitlet() cannot call it again: with ohwait it can",
}
"""Its tests that fail here, and why they should."""

ALIAS = "from ohwait.compat.awaitlet import *\nfrom ohwait.compat.awaitlet import __all__\n"
TYPES = "from typing import Literal, Self, TypeGuard\n"


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the unpacked source distribution."""
    where = tmp_path_factory.mktemp("awaitlet")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "-d", where, RELEASE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    archives = list(where.glob("*.tar.gz"))
    if not archives:
        pytest.skip(f"no package index with {RELEASE}: {(done.stderr.strip() or done.stdout).splitlines()[-1]}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(where, filter="data")
    return next(path for path in where.iterdir() if path.is_dir())


def outcomes(suite: Path, alias: Path) -> dict[str, str]:
    """ "passed", "failed" or "skipped" for each test of the suite."""
    report = alias / "report.xml"
    path = os.pathsep.join([str(alias), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", "tests"],
        cwd=suite,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert report.exists(), done.stdout + done.stderr
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {element.tag for element in case}
        found[case.attrib["name"]] = (
            "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        )
    return found


def test_its_suite_passes(suite: Path, tmp_path: Path) -> None:
    package = tmp_path / "awaitlet"
    shutil.move(suite / "awaitlet", suite / "theirs")
    shutil.copytree(suite / "theirs" / "util", package / "util")  # Helpers of its tests.
    (package / "__init__.py").write_text(ALIAS)
    if importlib.util.find_spec("typing_extensions") is None:
        (tmp_path / "typing_extensions.py").write_text(TYPES)
    found = outcomes(suite, tmp_path)
    assert len([name for name, outcome in found.items() if outcome == "passed"]) >= 7
    assert {name for name, outcome in found.items() if outcome == "failed"} == set(EXCEPTIONS)
