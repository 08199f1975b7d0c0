"""The C stack's unwinder against libgcc's, from inside of C functions that call Python."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import heapq
import itertools
import json
import operator
import platform
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from core_tools import passes

from ohwait import _core

try:
    import sqlite3
except ImportError:  # some builds have none
    sqlite3 = None  # type: ignore[assignment]

pytestmark = pytest.mark.skipif(
    not hasattr(_core, "compare_unwinders"), reason="the C stack is not walked on this processor or system"
)

Call = Callable[[], Any]


def agree(at_least: int) -> None:
    frames, differences, first = _core.compare_unwinders()
    assert differences == 0, first
    assert frames >= at_least


# ---- one way each of calling Python from C ----


def by_sorted(call: Call) -> None:
    sorted([1], key=lambda _: call())


def by_map(call: Call) -> None:
    list(map(lambda _: call(), [1]))  # noqa: C417


def by_partial(call: Call) -> None:
    functools.partial(call)()


def by_reduce(call: Call) -> None:
    functools.reduce(lambda *_: call(), [1, 2])


def by_lru_cache(call: Call) -> None:
    functools.lru_cache(lambda: call())()


def by_cmp_to_key(call: Call) -> None:
    def compare(a: int, b: int) -> int:
        call()
        return a - b

    sorted([1, 2], key=functools.cmp_to_key(compare))


def by_substitution(call: Call) -> None:
    re.sub("a", lambda match: call() or "", "a")


def by_json(call: Call) -> None:
    json.dumps(object(), default=lambda _: call())


def by_format(call: Call) -> None:
    class Formatted:
        def __format__(self, spec: str) -> str:
            call()
            return spec

    f"{Formatted():x}"


def by_class_creation(call: Call) -> None:
    class Attribute:
        def __set_name__(self, owner: type, name: str) -> None:
            call()

    class Base:
        def __init_subclass__(cls) -> None:
            call()

    class Derived(Base):
        attribute = Attribute()


def by_construction(call: Call) -> None:
    class Meta(type):
        def __call__(cls) -> object:
            return super().__call__()

    class Made(metaclass=Meta):
        def __init__(self) -> None:
            call()

    Made()


def by_attribute(call: Call) -> None:
    class Dynamic:
        def __getattr__(self, name: str) -> object:
            return call()

        @property
        def attribute(self) -> object:
            return call()

    Dynamic().missing
    Dynamic().attribute


def by_operators(call: Call) -> None:
    class Operand:
        def __add__(self, other: object) -> object:
            return call()

        def __lt__(self, other: object) -> bool:
            return call() is None

        def __hash__(self) -> int:
            return call() is None

        def __eq__(self, other: object) -> bool:
            return call() is None

    Operand() + 1
    operator.add(Operand(), 1)
    heapq.heapify([Operand(), Operand()])
    {Operand(): 1}[Operand()]


def by_iteration(call: Call) -> None:
    class Endless:
        def __iter__(self) -> Endless:
            return self

        def __next__(self) -> object:
            return call()

    next(zip(Endless(), itertools.count()))


def by_generator(call: Call) -> None:
    list(map(lambda _: next(call() for _ in "a"), "a"))  # noqa: C417


def by_context_manager(call: Call) -> None:
    with contextlib.ExitStack() as stack:
        stack.callback(call)


def by_exec(call: Call) -> None:
    exec("call()", {"call": call})


def by_ctypes_qsort(call: Call) -> None:
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    numbers = (ctypes.c_int * 2)()
    ctypes.CDLL(None).qsort(numbers, 2, ctypes.sizeof(ctypes.c_int), compare(lambda a, b: call() or 0))


def by_sqlite3(call: Call) -> None:
    assert sqlite3 is not None
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.create_function("f", 0, lambda: call() or 0)
        connection.execute("select f()").fetchall()


WAYS = [function for name, function in sorted(globals().items()) if name.startswith("by_")]
if sqlite3 is None:
    # Left out here: a skip raised inside of another way's callback would be printed and ignored by C.
    WAYS.remove(by_sqlite3)


def through(ways: list[Callable[[Call], None]], call: Call) -> Call:
    """A function that makes the call from inside of all these, the last one innermost."""
    for way in reversed(ways):
        call = functools.partial(way, call)
    return call


def reached(ways: list[Callable[[Call], None]]) -> None:
    """Compare from inside; a failure in a callback must not get lost on the way."""
    failures: list[BaseException] = []
    visits = 0

    def compare() -> None:
        nonlocal visits
        visits += 1
        try:
            agree(at_least=len(ways) + 3)
        except BaseException as error:
            failures.append(error)

    through(ways, compare)()
    assert visits
    if failures:
        raise failures[0]


def test_there_are_ways() -> None:
    assert len(WAYS) >= 15
    if sqlite3 is None:
        pytest.skip("this CPython was built without sqlite3")


def test_from_plain_code() -> None:
    agree(at_least=3)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_each_way(way: Callable[[Call], None]) -> None:
    reached([way])
    reached([way] * 4)


@pytest.mark.parametrize("depth", [2, 5, 12])
def test_random_mixes(rand: Any, depth: int) -> None:
    for _ in range(30):
        # Some make more than one call: the number of comparisons stays small.
        ways = [rand.choice(WAYS) for _ in range(depth)]
        many = {by_operators, by_attribute, by_class_creation, by_cmp_to_key}
        reached([way for i, way in enumerate(ways) if i < 3 or way not in many])


def test_on_another_thread() -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            reached([by_sorted, by_ctypes_qsort])
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not failures


# ---- C code of our own ----

LIBRARY = """
#include <stdlib.h>
#include <string.h>
#include <alloca.h>
typedef int (*callback)(void);

/* A frame found through a register: the stack is realigned, and grows by an amount known only at run time. */
int realigned(callback f, int n)
{
    _Alignas(128) char buffer[256];
    char *more = alloca(n);
    memset(buffer, n, sizeof buffer);
    memset(more, n, n);
    int result = f();
    return result + buffer[n] - more[n - 1];
}
int many_arguments(callback f, int a, int b, int c, int d, int e, int g, int h, int i, int j)
{
    return f() + a + b + c + d + e + g + h + i + j;
}
/* Needs its registers only on one side: shrink-wrapped. */
int rarely(callback f, int n, int *numbers)
{
    if (n == 0) {
        return f();
    }
    int sum = 0;
    for (int i = 0; i < n; i++) {
        numbers[i] = f() + sum;
        sum += numbers[i];
    }
    return sum;
}
__attribute__((noreturn)) static void leave(callback f, void **where)
{
    f();
    __builtin_longjmp(where, 1);
}
/* The call of a function that never returns may be the last instruction. */
int last_call(callback f)
{
    void *where[5];
    if (__builtin_setjmp(where)) {
        return 0;
    }
    leave(f, where);
}
double floating(callback f, double a, double b, double c, double d)
{
    double p = a * b, q = b * c, r = c * d, s = d * a;
    f();
    return p + q + r + s + a + b + c + d;
}
"""


def compiled(folder: Path, source: str, *flags: str) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler for a library of the test's own")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "library.c").write_text(source)
    command = [compiler, "-shared", "-fPIC", "-w", *flags, "library.c", "-o", "library.so"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "library.so"


CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int)


def comparing() -> tuple[Any, list[tuple[int, int, str | None]]]:
    found: list[tuple[int, int, str | None]] = []

    def callback() -> int:
        found.append(_core.compare_unwinders())
        return 0

    return CALLBACK(callback), found


FLAGS = ["-O0", "-O1", "-O2", "-O3", "-Os", "-O2 -fno-omit-frame-pointer", "-O2 -fno-plt -fstack-protector-all"]
SIGNING = [
    "-O0 -mbranch-protection=standard",
    "-O2 -mbranch-protection=standard",
    "-O2 -mbranch-protection=pac-ret+leaf",
]
"""Return addresses are signed, which arm64 alone has."""


@pytest.mark.parametrize("flags", FLAGS + SIGNING * (platform.machine() == "aarch64"))
def test_functions_of_many_shapes(tmp_path: Path, flags: str) -> None:
    library = ctypes.CDLL(compiled(tmp_path, LIBRARY, *flags.split()))
    callback, found = comparing()
    library.realigned(callback, 100)
    library.many_arguments(callback, *range(9))
    library.rarely(callback, 0, None)
    library.rarely(callback, 3, (ctypes.c_int * 3)())
    library.last_call(callback)
    library.floating(callback, *map(ctypes.c_double, (1, 2, 3, 4)))
    assert len(found) == 8
    assert [first for frames, differences, first in found if differences] == []
    assert min(found)[0] > 5


def test_code_without_tables_ends_the_walk(tmp_path: Path) -> None:
    source = "int call(int (*f)(void)) { return f() + 1; }"
    whole = compiled(tmp_path / "with", source, "-O1")
    bare = compiled(tmp_path / "without", source, "-O1", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables")
    callback, found = comparing()
    ctypes.CDLL(whole).call(callback)
    ctypes.CDLL(bare).call(callback)
    assert [differences for _, differences, _ in found] == [0, 0]
    assert found[0][0] > found[1][0]


def test_a_library_is_replaced_by_another(tmp_path: Path) -> None:
    """What was known about its code must not be believed of what is loaded in its place."""
    sources = [
        f"int call(int (*f)(void), int n) {{ volatile char room[{size}]; room[n] = 1; return f() + room[n]; }}"
        for size in (16, 400, 16, 2000)
    ]
    paths = [compiled(tmp_path / str(number), source, "-O1") for number, source in enumerate(sources)]
    callback, found = comparing()
    places = set()
    for path in paths * 3:
        library = ctypes.CDLL(path)
        places.add(ctypes.cast(library.call, ctypes.c_void_p).value)
        library.call(callback, 1)
        library.call(callback, 1)
        ctypes.CDLL(None).dlclose(ctypes.c_void_p(library._handle))
    assert len(found) == 2 * 3 * len(paths)
    assert [first for _, differences, first in found if differences] == []
    if len(places) == 3 * len(paths):
        pytest.skip("each library got a place of its own here: nothing was replaced")


@pytest.mark.skipif(_core.c_frames_status() is not None, reason=f"no C frames here: {_core.c_frames_status()}")
@pytest.mark.parametrize("jit", ["0", "1"])
def test_hot_loops(jit: str) -> None:
    """Code that a JIT has made is refused, before anything is changed; without it all goes well."""
    printed = passes("jit_c_frames.py", "6000", PYTHON_JIT=jit, timeout=300)
    assert "refused: 0" in printed or "jit True" in printed


def test_repeated_walks_decode_nothing() -> None:
    def warm() -> None:
        by_sorted(lambda: agree(at_least=3))

    warm()
    warm()
    decoded, kept = _core.unwind_counts()
    warm()
    assert _core.unwind_counts() == (decoded, kept)
    assert 0 < kept <= decoded
