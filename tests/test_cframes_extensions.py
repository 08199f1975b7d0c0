"""Waiting below extension modules: our own C and Cython, built here; cffi, NumPy and lxml where they are installed."""

# ruff: noqa: C416 - what C functions call is the point
from __future__ import annotations

import functools
import importlib
import importlib.util
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cframes_tools import Driven, Scenario, Wait, every_way, host, makes_classes, needs_c_frames, waiting

pytestmark = [needs_c_frames, makes_classes]

ARM64 = platform.machine() in ("aarch64", "arm64")
SOURCES = Path(__file__).parent / "cframes_sources"
FLAGS = {
    "O0": ["-O0"],
    "O2": ["-O2"],
    "O3": ["-O3", "-fomit-frame-pointer"],
    "frame pointers": ["-O2", "-fno-omit-frame-pointer"],
    "protected": [
        "-O2",
        "-fstack-protector-all",
        "-mbranch-protection=standard" if ARM64 else "-fcf-protection=full",  # Signed return addresses, here.
    ],
}


def compiled(source: Path, folder: Path, *flags: str) -> ModuleType:
    """The extension module, compiled in `folder` and imported."""
    name = source.stem
    target = folder / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    include = [f"-I{sysconfig.get_path(kind)}" for kind in ("include", "platinclude")]
    command = [compiler, "-shared", "-fPIC", "-w", *flags, *include, str(source), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the C compiler fails: {done.stderr.strip()[-300:]}")
    spec = importlib.util.spec_from_file_location(name, target)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def installed(name: str) -> Any:
    """The extension module. Debian installs the Python part of some for more CPythons than the compiled one."""
    try:
        return importlib.import_module(name)
    except ImportError:
        pytest.skip(f"{name} is not installed for this CPython")


@functools.cache
def c_module(flags: str, folder: Path) -> ModuleType:
    folder = folder / flags.replace(" ", "-")
    folder.mkdir()
    return compiled(SOURCES / "calling_back.c", folder, *FLAGS[flags])


@functools.cache
def cython_module(folder: Path) -> ModuleType:
    pytest.importorskip("Cython", reason="Cython is not installed")
    source = folder / "cython_calls.c"
    command = [sys.executable, "-m", "cython", "-3", str(SOURCES / "cython_calls.pyx"), "-o", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return compiled(source, folder, "-O2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("extensions")


@pytest.mark.parametrize("flags", FLAGS)
@every_way
def test_c_functions_built_here(folder: Path, flags: str, way: Any, rand: Any) -> None:
    module = c_module(flags, folder)

    def run(wait: Wait) -> Any:
        return (
            module.many_values(wait),
            [module.sized_frame(size, lambda: wait(size)) for size in (1, 100, 5000)],
            module.linked_list(6, lambda: wait([])),
            module.aligned_frame(lambda: module.many_values(lambda n: wait(n + 1))),
            module.sized_frame(3000, lambda: module.aligned_frame(lambda: module.linked_list(2, lambda: wait(["x"])))),
        )

    way(Scenario(run, maybe_inline=False), rand)


@every_way
def test_cython_functions_built_here(folder: Path, way: Any, rand: Any) -> None:
    module = cython_module(folder)

    def run(wait: Wait) -> Any:
        box = module.Box(wait)
        return (
            module.loop(wait, 4),
            module.nested(wait, 3),
            module.handling(wait),
            list(module.numbers(wait, 3)),
            [n for n in module.numbers(lambda n: module.loop(wait, n), 3)],
            (box.kept, box["key"], box + 1, box.slow),
        )

    way(Scenario(run, maybe_inline=False), rand)


@every_way
def test_cffi_callbacks(way: Any, rand: Any) -> None:
    installed("_cffi_backend")
    cffi = installed("cffi")
    interface = cffi.FFI()
    interface.cdef("void qsort(void *, size_t, size_t, int (*)(const void *, const void *));")
    library = interface.dlopen(None)

    def run(wait: Wait) -> Any:
        lost: list[str] = []

        def on_error(kind: type, value: object, traceback: object) -> int:
            lost.append(kind.__name__)
            return 0

        @interface.callback("int(const void *, const void *)", onerror=on_error)
        def compare(a: Any, b: Any) -> int:
            return int(wait(interface.cast("int *", a)[0] - interface.cast("int *", b)[0]))

        numbers = interface.new("int[]", [3, 1, 2])
        library.qsort(numbers, 3, interface.sizeof("int"), compare)
        return list(numbers), lost

    way(Scenario(run, maybe_inline=False), rand)


@every_way
def test_numpy(way: Any, rand: Any) -> None:
    numpy = installed("numpy")

    class Number:
        def __init__(self, wait: Wait, n: int) -> None:
            self.wait, self.n = wait, n

        def __add__(self, other: Any) -> Any:
            return self.wait(self.n + getattr(other, "n", other))

        __radd__ = __add__

        def __lt__(self, other: Any) -> bool:
            return bool(self.wait(self.n < other.n))

        def __float__(self) -> float:
            return float(self.wait(self.n / 2))

    def run(wait: Wait) -> Any:
        table = numpy.arange(6).reshape(2, 3)
        objects = numpy.array([Number(wait, n) for n in (3, 1, 2)], dtype=object)
        ordered = objects.copy()
        ordered.sort()
        return (
            numpy.vectorize(lambda n: wait(n * 2), otypes=[int])(table).tolist(),
            numpy.apply_along_axis(lambda row: wait(row.sum()), 1, table).tolist(),
            numpy.frompyfunc(lambda a, b: wait(a + b), 2, 1)(table, 1).tolist(),
            numpy.frompyfunc(lambda a, b: wait(a + b), 2, 1).reduce(numpy.arange(4)),
            numpy.fromiter((wait(n) for n in range(3)), dtype=int).tolist(),
            (objects + 1).tolist(),
            [each.n for each in ordered],
            objects.astype(float).tolist(),
        )

    way(Scenario(run, maybe_inline=False), rand)


@every_way
def test_lxml(way: Any, rand: Any) -> None:
    etree = installed("lxml.etree")
    document = etree.XML("<r><a>1</a><a>2</a></r>")
    style = etree.XML(
        "<x:stylesheet version='1.0' xmlns:x='http://www.w3.org/1999/XSL/Transform' xmlns:o='o'>"
        "<x:template match='/'><out><x:for-each select='//a'><x:value-of select='o:f(string(.))'/></x:for-each>"
        "</out></x:template></x:stylesheet>"
    )

    def run(wait: Wait) -> Any:
        def function(context: Any, text: str) -> str:
            return str(wait(text + "!"))

        class Target:
            def __init__(self) -> None:
                self.seen: list[Any] = []

            def start(self, tag: str, attributes: object) -> None:
                self.seen.append(wait(tag))

            def close(self) -> Any:
                return wait(self.seen)

        evaluate = etree.XPathEvaluator(document, namespaces={"o": "o"}, extensions={("o", "f"): function})
        found = [evaluate("o:f(string(//a[1]))"), [each.text for each in evaluate("//a[o:f(string(.)) = '2!']")]]
        transformed = str(etree.XSLT(style, extensions={("o", "f"): function})(document).getroot().text)
        return found, transformed, etree.XML("<p><q/></p>", etree.XMLParser(target=Target()))

    way(Scenario(run, maybe_inline=False), rand)


def test_the_address_of_a_local_variable_of_c_is_the_same_at_other_depths(folder: Path) -> None:
    """C code keeps pointers into its own stack: resumed elsewhere, its frames must be where they were."""
    module = c_module("O2", folder)

    def deep(n: int, function: Any) -> Any:
        return function() if n == 0 else module.sized_frame(64 * n, lambda: deep(n - 1, function))

    coroutines = [
        Driven(host(Scenario(lambda wait: module.linked_list(20, lambda: [wait(1), wait(2)]), False), waiting))
        for _ in range(6)
    ]
    for depth, driven in enumerate(coroutines):
        deep(depth, driven.step)
    for turn in range(2):
        for depth, driven in enumerate(coroutines):
            deep((depth * 5 + turn) % 7, driven.step)
    assert {str(driven.outcome) for driven in coroutines} == {str(("return", [1, 2, *range(21)]))}
