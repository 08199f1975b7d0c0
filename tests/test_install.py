"""The package as users get it: an sdist that holds all it takes, installed from there, used outside the tree."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OHWAIT"))}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("build", reason="the `build` package makes the sdist; it is in the extra `test`")
    directory = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "build", "--sdist", "--outdir", directory, ROOT, cwd=directory)
    (path,) = directory.glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def python(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment's interpreter, with nothing in it but the sdist's build."""
    directory = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "venv", directory / "venv", cwd=directory)
    python = directory / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(python, "-m", "pip", "install", "--quiet", sdist, cwd=directory)
    return python


def test_sdist_holds_every_source(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    sources = [path for top in ("csrc", "ohwait") for path in (ROOT / top).rglob("*")]
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in sources
        if path.suffix in {".c", ".h", ".py", ".pyi", ".pyx", ".typed"}
    }
    assert {"csrc/module.c", "csrc/refuse.c", "csrc/cpython/py311.h", "ohwait/py.typed"} <= wanted
    assert wanted | {"LICENSE", "README.md", "setup.py", "pyproject.toml"} <= held


def test_sdist_holds_nothing_built(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        assert [name for name in archive.getnames() if name.endswith((".so", ".pyd", ".pyc", ".o"))] == []


def test_installed_package_awaits_outside_the_tree(python: Path, tmp_path: Path) -> None:
    script = tmp_path / "plain.py"
    script.write_text(
        "import asyncio, ohwait\n"
        "def plain(n):\n"
        "    return ohwait.ohwait(asyncio.sleep(0.01, n)) + 1\n"
        "async def main():\n"
        "    return plain(1), [plain(n) for n in range(3)]\n"
        "print(asyncio.run(main()), ohwait.__file__)\n"
    )
    answer = run(python, script, cwd=tmp_path)
    assert answer.startswith("(2, [1, 2, 3])")
    assert str(python.parent.parent) in answer


def test_installed_package_needs_nothing_else(python: Path, tmp_path: Path) -> None:
    listed = run(python, "-m", "pip", "list", "--format=freeze", cwd=tmp_path)
    names = {line.partition("==")[0] for line in listed.splitlines()}
    assert names - {"pip", "setuptools"} == {"ohwait"}


def test_installed_package_is_typed(python: Path, tmp_path: Path) -> None:
    show = "import os, ohwait; print(*os.listdir(os.path.dirname(ohwait.__file__)))"
    installed = run(python, "-c", show, cwd=tmp_path).split()
    assert {"py.typed", "_core.pyi"} <= set(installed)


def test_version_is_the_same_everywhere(python: Path, tmp_path: Path) -> None:
    show = "import importlib.metadata as m, ohwait; print(m.version('ohwait'), ohwait.__version__)"
    declared, told = run(python, "-c", show, cwd=tmp_path).split()
    assert declared == told
    assert f"## {told}" in (ROOT / "CHANGES.md").read_text()


def test_unknown_cpython_is_refused_by_naming_the_file_to_write(sdist: Path, python: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    header = tree / "csrc" / "cpython" / "py{}{}.h".format(*sys.version_info)
    header.unlink()
    done = subprocess.run([python, "-m", "pip", "install", tree], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert f"write csrc/cpython/{header.name}" in done.stdout + done.stderr
