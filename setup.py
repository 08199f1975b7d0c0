"""Builds ``ohwait._core``: csrc/ compiled against the internals of the one CPython that runs this script.

Everything else about the package is in pyproject.toml.  Environment variables:

``OHWAIT_DEBUG=1``  an unoptimised build that asserts NOTES.md's invariants at each step (csrc/check.c)
``OHWAIT_DEV=1``    warnings are errors; for ``make lint`` and CI, never for users' builds
"""

import os
import sys
import sysconfig
from glob import glob

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

REFUSE = "csrc/refuse.c"
MODULES = "csrc/modules/"
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
HEADER = "cpython/py{}{}.h".format(*sys.version_info)

WARNINGS = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Wundef",
    "-Werror",
    # Slots and method tables have the shapes that CPython's API gives them.
    "-Wno-unused-parameter",
    "-Wno-missing-field-initializers",
    "-Wno-cast-function-type",
]


def enabled(variable: str) -> bool:
    return os.environ.get(variable, "0") not in ("", "0")


def core() -> Extension:
    """The extension for this interpreter: the real one, or one whose import says why there is none."""
    if FREE_THREADED:
        reason = "free-threaded builds of CPython are not supported yet"
        return Extension("ohwait._core", [REFUSE], define_macros=[("OHWAIT_REFUSE_REASON", f'"{reason}"')])
    return Extension(
        "ohwait._core",
        [source for source in files("csrc/**/*.c") if source != REFUSE and not source.startswith(MODULES)],
        include_dirs=["csrc"],
        depends=files("csrc/**/*.h"),
        define_macros=[("OHWAIT_CPYTHON_HEADER", f'"{HEADER}"')],
    )


def c_modules() -> list[Extension]:
    """The toolkit's: csrc/modules/NAME/*.c becomes ``ohwait._NAME``."""
    if FREE_THREADED:
        return []
    return [
        Extension(
            "ohwait._" + folder.removeprefix(MODULES),
            files(f"{folder}/*.c"),
            include_dirs=["csrc", "ohwait/include"],
            depends=files("csrc/**/*.h") + files("ohwait/include/*.h"),
            define_macros=[("OHWAIT_CPYTHON_HEADER", f'"{HEADER}"')],
        )
        for folder in files(MODULES + "*")
    ]


def cython_modules() -> list[Extension]:
    sources = files("ohwait/**/*.pyx")
    if FREE_THREADED or not sources:
        return []
    from Cython.Build import cythonize

    return cythonize(sources, language_level=3)


def files(pattern: str) -> list[str]:
    return sorted(path.replace(os.sep, "/") for path in glob(pattern, recursive=True))


def require_known_interpreter() -> None:
    if sys.implementation.name != "cpython":
        raise CompileError(f"ohwait works inside CPython's interpreter loop; this is {sys.implementation.name}")
    if not FREE_THREADED and not os.path.exists(f"csrc/{HEADER}"):
        known = files("csrc/cpython/py3*.h")
        raise CompileError(
            "ohwait does not know CPython {}.{}: write csrc/{} (the newest so far is {}; NOTES.md says how).".format(
                *sys.version_info[:2], HEADER, known[-1] if known else "none"
            )
        )


class BuildExt(build_ext):
    """Adds the flags, which depend on the compiler that was found."""

    def build_extensions(self) -> None:
        require_known_interpreter()
        self.force = True  # The flags may have changed since the last build.
        msvc = self.compiler.compiler_type == "msvc"
        for extension in self.extensions:
            extension.extra_compile_args += self.msvc_flags() if msvc else self.unix_flags()
        super().build_extensions()

    def msvc_flags(self) -> list[str]:
        if enabled("OHWAIT_DEBUG"):
            return ["/std:c11", "/Od", "/Zi", "/UNDEBUG", "/DOHWAIT_CHECKED=1"]
        return ["/std:c11", "/O2"]

    def unix_flags(self) -> list[str]:
        if enabled("OHWAIT_DEBUG"):
            flags = ["-O0", "-g", "-UNDEBUG", "-DOHWAIT_CHECKED=1"]
        else:
            # A debug interpreter's own flags say -O0 or -Og.
            flags = ["-O3", "-fvisibility=hidden", "-fno-plt"]
            if "gcc" in (sysconfig.get_config_var("CC") or ""):
                flags.append("-flto")  # A sixth less time for a suspension: its functions stand in several files.
        if enabled("OHWAIT_DEV"):
            paths = {sysconfig.get_path("include"), sysconfig.get_path("platinclude")}
            # CPython's own headers are not ours to mend. Canonical paths would follow Debian's links from the headers
            # of a debug build to those of the release build, and to its pyconfig.h.
            flags += [*WARNINGS, "-fno-canonical-system-headers"]
            flags += [flag for path in sorted(paths) for flag in ("-isystem", path)]
        return flags


os.chdir(os.path.dirname(os.path.abspath(__file__)))
setup(license="MIT", ext_modules=[core(), *c_modules(), *cython_modules()], cmdclass={"build_ext": BuildExt})
