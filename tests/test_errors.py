"""The exception classes, and what `import ohwait` does: quickly where it can, with a clear error where it cannot."""

import pickle
import subprocess
import sys
import textwrap

import pytest

import ohwait
from ohwait import _errors, _support

ERRORS = [ohwait.NoCoroutineError, ohwait.CFunctionError, ohwait.BackendError, ohwait.UnsupportedInterpreterError]


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("error", ERRORS)
def test_errors_are_below_one_base(error: type[Exception]) -> None:
    assert issubclass(error, ohwait.OhwaitError)
    assert issubclass(error, RuntimeError)


def test_unsupported_interpreter_is_an_import_error() -> None:
    assert issubclass(ohwait.UnsupportedInterpreterError, ImportError)


@pytest.mark.parametrize("error", [ohwait.OhwaitError, *ERRORS])
def test_errors_are_named_as_users_import_them(error: type[Exception]) -> None:
    assert f"{error.__module__}.{error.__qualname__}" == f"ohwait.{error.__name__}"
    assert getattr(ohwait, error.__name__) is error


def test_every_error_is_documented() -> None:
    assert all(getattr(_errors, name).__doc__ for name in _errors.__all__)


@pytest.mark.parametrize("kind", [ohwait.NoCoroutineError, ohwait.CFunctionError])
def test_errors_survive_pickling_with_what_they_know(kind: type[Exception]) -> None:
    error = kind("text")
    error.__dict__.update(function="f", filename="file.py", lineno=3, callee="sorted()")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == "text"
    assert (copy.function, copy.filename, copy.lineno, copy.callee) == ("f", "file.py", 3, "sorted()")


def test_unsupported_names_what_runs_and_what_is_supported() -> None:
    error = _support.unsupported(ImportError("free-threaded builds are not supported yet", name="ohwait._core"))
    assert "free-threaded builds are not supported yet" in str(error)
    assert _support.interpreter() in str(error)
    assert _support.SUPPORTED in str(error)
    assert error.name == "ohwait._core"


def test_interpreter_is_named_with_its_version() -> None:
    assert sys.version.split()[0] in _support.interpreter()
    assert _support.interpreter().startswith("CPython")
    assert ("debug build" in _support.interpreter()) is hasattr(sys, "gettotalrefcount")


def test_import_without_the_c_part_says_how_to_get_it() -> None:
    result = run_python(
        """
        import sys

        sys.modules["ohwait._core"] = None
        import ohwait
        """
    )
    assert result.returncode == 1
    assert "ohwait.UnsupportedInterpreterError: ohwait cannot run on this interpreter, CPython" in result.stderr
    assert "was not built for this interpreter" in result.stderr
    assert "Supported: CPython 3.11 to 3.15" in result.stderr


def test_import_refused_by_the_c_part_passes_its_reason_on() -> None:
    result = run_python(
        """
        import sys


        class Refusing:
            def find_spec(self, name, path, target=None):
                if name == "ohwait._core":
                    raise ImportError("a reason of its own")


        sys.meta_path.insert(0, Refusing())
        try:
            import ohwait
        except ImportError as error:
            assert isinstance(error, RuntimeError)
            assert isinstance(error.__cause__, ImportError)
            print(error)
        """
    )
    assert result.stdout.startswith("ohwait cannot run on this interpreter, CPython"), result.stderr
    assert "a reason of its own" in result.stdout


def test_import_is_quick_for_it_imports_nothing_big() -> None:
    result = run_python(
        """
        import sys

        before = set(sys.modules)
        import ohwait

        print(*sorted(set(sys.modules) - before))
        """
    )
    imported = set(result.stdout.split())
    assert "ohwait._core" in imported, result.stderr
    assert imported.isdisjoint(["asyncio", "trio", "curio", "typing", "dataclasses", "inspect", "dis", "threading"])


def test_public_names_are_there_and_listed() -> None:
    assert sorted(ohwait.__all__) == ohwait.__all__
    assert [name for name in ohwait.__all__ if not hasattr(ohwait, name)] == []
    assert set(ohwait.__all__) <= set(dir(ohwait))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'ohwait' has no attribute 'awaitlet'"):
        ohwait.awaitlet
    with pytest.raises(ImportError, match="cannot import name 'awaitlet'"):
        from ohwait import awaitlet  # noqa: F401
