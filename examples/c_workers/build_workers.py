"""Compiles one C file to an extension module, by the compiler that CPython was built with.

A package would have setuptools do it: ``Extension("workers", ["workers.c"], include_dirs=[get_include()])``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from ohwait.completion import get_include


def compiler() -> list[str]:
    """The C compiler's command; empty if there is none."""
    candidates = [os.environ.get("CC", ""), sysconfig.get_config_var("CC") or "", "cc", "gcc", "clang"]
    commands = [shlex.split(command) for command in candidates if command]
    return next((command for command in commands if shutil.which(command[0])), [])


def build(source: Path, directory: Path) -> Path:
    """Compile, and return the path of the module; CalledProcessError with the compiler's words if that fails."""
    suffix: str = sysconfig.get_config_var("EXT_SUFFIX")
    module = directory / f"{source.stem}{suffix}"
    paths = sysconfig.get_paths()
    includes = [f"-I{path}" for path in dict.fromkeys([paths["include"], paths["platinclude"], get_include()])]
    shared = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    flags = ["-O2", "-Wall", "-fPIC", "-pthread", *shared]
    subprocess.run([*compiler(), *flags, *includes, str(source), "-o", str(module)], check=True)
    return module


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    (here / "build").mkdir(exist_ok=True)
    print(build(here / "workers.c", here / "build"))
