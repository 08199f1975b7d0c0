"""curio 1.6 looks up names that newer Pythons do not have: `use_curio` supplies them, or says that this is no help."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

installed = pytest.mark.skipif(find_spec("curio") is None, reason="curio is not installed")


def python(code: str, *path: Path) -> str:
    lines = f"import sys; sys.path[:0] = {[str(entry) for entry in path]!r}\n{code}"
    result = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


@installed
def test_use_curio_imports_it_on_every_python() -> None:
    code = """if True:
        import ohwait
        ohwait.use_curio()
        import curio
        print(curio.__version__, ohwait.run(curio.sleep, 0) > 0)
    """
    version, woke = python(code).split()
    assert tuple(map(int, version.split("."))) >= (1, 6)
    assert woke == "True"


@installed
def test_the_names_are_gone_afterwards() -> None:
    code = """if True:
        import multiprocessing.connection, ssl, ohwait
        def names():
            return {n for n in vars(multiprocessing.connection) if n.isupper()} | set(vars(ssl))
        before = names()
        ohwait.use_curio()
        print(names() == before)
    """
    assert python(code) == "True\n"


@installed
def test_use_curio_again_and_after_an_import_of_ones_own() -> None:
    code = """if True:
        import ohwait
        ohwait.use_curio()
        import curio
        ohwait.use_auto()
        ohwait.use_curio()
        print(sys.modules["curio"] is curio, ohwait.current_backend().name)
    """
    assert python(code) == "True curio\n"


@pytest.mark.parametrize("times", [1, 2])
def test_where_supplying_names_is_not_enough(tmp_path: Path, times: int) -> None:
    (tmp_path / "curio").mkdir()
    (tmp_path / "curio" / "__init__.py").write_text("from . import part\n")
    (tmp_path / "curio" / "part.py").write_text("import multiprocessing.connection as c\nc.CHALLENGE, c.GONE\n")
    code = f"""if True:
        import ohwait
        for _ in range({times}):
            try:
                ohwait.use_curio()
            except ohwait.BackendError as error:
                message = str(error)
        print(message)
        print([name for name in sys.modules if name.startswith("curio")], ohwait.current_backend().name)
    """
    message, state = python(code, tmp_path).splitlines()
    assert message.startswith(f"curio does not import on Python {sys.version.split()[0]}: AttributeError: ")
    assert "GONE" in message
    assert "use_asyncio() or use_trio()" in message
    assert state == "[] asyncio"
