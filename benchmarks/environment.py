"""An environment of its own for each interpreter, with the contenders installed, below the project's build folder."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contenders import OHWAIT, Contender, support

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "benchmarks"
SUFFIXES = (".c", ".h", ".py", ".pyi", ".pyx", ".typed")
SOURCES = ("csrc", "ohwait", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
TIMER = support("pyperf")
REPORTERS = ("rich", "matplotlib")

_DESCRIBE = """
import json, platform, sys, sysconfig
print(json.dumps({
    "id": "{}-{}.{}{}".format(sys.implementation.name, *sys.version_info[:2], sys.abiflags),
    "version": platform.python_version(),
    "compiler": platform.python_compiler(),
    "optimised": "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
    "executable": sys._base_executable,
}))
"""
_VERSIONS = """
import json, sys
from importlib.metadata import version
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


class BenchmarkError(Exception):
    """A measurement cannot be made; the text says why and what to do."""


@dataclass(frozen=True)
class Interpreter:
    """A CPython to measure on. `id` names its results, as "cpython-3.13"."""

    id: str
    version: str
    compiler: str
    optimised: bool
    executable: str


@dataclass
class Environment:
    """A virtual environment for `interpreter`. `missing` has the contenders that could not be installed, and why."""

    interpreter: Interpreter
    path: Path
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def clean_environ() -> dict[str, str]:
    """The environment variables for workers and installers: without those that change what is imported or built."""
    dropped = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "OHWAIT_DEBUG", "OHWAIT_DEV", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in dropped}


def run(command: Iterable[str | Path], doing: str) -> str:
    """Run `command` and return what it printed. Raises BenchmarkError that names what was being done."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, env=clean_environ(), cwd=ROOT)
    except OSError as error:
        raise BenchmarkError(f"{doing}: {words[0]} cannot be run ({error})") from error
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("WARNING: Location")]
        end = "\n".join(lines[-25:])
        raise BenchmarkError(f"{doing} failed (exit status {done.returncode}):\n{end}")
    return done.stdout


def interpreter(executable: str) -> Interpreter:
    """What the interpreter `executable` (a path or a name on PATH) is."""
    found = shutil.which(executable)
    if found is None:
        raise BenchmarkError(f"no interpreter {executable!r}: give --python a path or a name on PATH")
    return Interpreter(**json.loads(run([found, "-I", "-c", _DESCRIBE], f"asking {executable} for its version")))


def source_files(tree: Path) -> list[Path]:
    """The files of the ohwait source tree that its build depends on."""
    files: list[Path] = []
    for name in SOURCES:
        path = tree / name
        files += [path] if path.is_file() else sorted(path.rglob("*"))
    return [path for path in files if path.is_file() and (path.suffix in SUFFIXES or path.name in SOURCES)]


def fingerprint(tree: Path) -> str:
    """A short name for the contents of `source_files(tree)`."""
    digest = hashlib.sha256()
    for path in source_files(tree):
        digest.update(f"{path.relative_to(tree)}\0".encode())
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _clean_copy(tree: Path) -> Path:
    """A copy of the sources alone, so that no object file of another build (a debug one, say) gets in."""
    if not (tree / "setup.py").exists():
        raise BenchmarkError(f"{tree} has no setup.py: --tree takes a folder with ohwait's sources")
    copy = CACHE / "sources" / fingerprint(tree)
    if not copy.exists():
        partial = copy.with_name(f"{copy.name}.{os.getpid()}")
        for path in source_files(tree):
            target = partial / path.relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        partial.rename(copy)
    return copy


def _pip(environment: Environment, *arguments: str | Path) -> None:
    command = [environment.python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *arguments]
    run(command, f"installing {', '.join(str(each) for each in arguments if not str(each).startswith('-'))}")


def _install(environment: Environment, contender: Contender, tree: Path) -> None:
    if contender is OHWAIT:
        _pip(environment, "--no-deps", "--force-reinstall", _clean_copy(tree))
    else:
        _pip(environment, *contender.packages)


def _stamp(contender: Contender, tree: Path) -> str:
    """What changes when a contender has to be installed anew."""
    return fingerprint(tree) if contender is OHWAIT else " ".join(contender.packages)


def create(path: Path, executable: str) -> None:
    """Make a virtual environment at `path` unless there is one."""
    if not (path / "pyvenv.cfg").exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        run([executable, "-m", "venv", path], f"making an environment for {executable}")


def prepare(
    on: Interpreter, contenders: Iterable[Contender], tree: Path = ROOT, say: Callable[[str], Any] = print
) -> Environment:
    """The environment for `on` with `contenders` installed; what is there already is kept.

    ohwait, of the sources in `tree`, is installed anew when those have changed. Each tree has its own environment.
    A contender that cannot be installed there (no build for that CPython, say) is left out and listed in `missing`.
    """
    key = hashlib.sha256(f"{on.executable} {on.version} {on.compiler} {tree}".encode()).hexdigest()[:8]
    environment = Environment(on, CACHE / "environments" / f"{on.id}-{key}")
    create(environment.path, on.executable)
    stamp_file = environment.path / "installed.json"
    installed: dict[str, str] = json.loads(stamp_file.read_text()) if stamp_file.exists() else {}
    wanted = [each for each in (TIMER, *contenders) if each.packages]
    for each in wanted:
        stamp = _stamp(each, tree)
        if installed.get(each.name) != stamp:
            say(f"{on.id}: installing {each.title}")
            try:
                _install(environment, each, tree)
            except BenchmarkError as error:
                if each in (TIMER, OHWAIT):
                    raise
                environment.missing[each.name] = _cause(str(error))
                continue
            installed[each.name] = stamp
            stamp_file.write_text(json.dumps(installed, indent=1))
    names = {name for each in wanted if each.name not in environment.missing for name in each.distributions}
    asking: list[str | Path] = [environment.python, "-I", "-c", _VERSIONS, *sorted(names)]
    environment.versions.update(json.loads(run(asking, "asking for the contenders' versions")))
    return environment


def _cause(text: str) -> str:
    """The line of pip's output that says what went wrong, and what was being done."""
    doing, *lines = text.splitlines()
    causes = [line for line in lines if re.match(r"\s*(ERROR|error|fatal error):", line)]
    return f"{doing} {' '.join((causes or lines[-1:] or [''])[0].split())}".strip()


def restart_with_reporters(arguments: list[str]) -> None:
    """Run this command again in an environment that has what draws progress and plots. Does not return."""
    here = interpreter(sys.executable)
    path = CACHE / "environments" / f"reporter-{here.id}"
    create(path, here.executable)
    environment = Environment(here, path)
    complete = path / "complete"
    if not complete.exists():
        print("benchmarks: installing " + ", ".join(REPORTERS), file=sys.stderr)
        _pip(environment, *REPORTERS)
        complete.touch()
    command = [str(environment.python), "-m", "benchmarks", *arguments]
    raise SystemExit(subprocess.run(command, env=clean_environ(), cwd=ROOT).returncode)
