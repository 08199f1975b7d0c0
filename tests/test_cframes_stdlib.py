"""Waiting inside callbacks of the standard library's C modules, and while a module is imported."""

from __future__ import annotations

import asyncio
import csv
import ctypes
import importlib
import io
import json
import pickle
import re
import string
import struct
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cframes_tools import Driven, Scenario, Scenarios, Wait, every_way, host, makes_classes, needs_c_frames, waiting
from core_tools import host_of

from ohwait import ohwait

sqlite3 = pytest.importorskip("sqlite3", reason="this CPython was built without sqlite3")

pytestmark = [needs_c_frames, makes_classes]
scenarios = Scenarios()


@scenarios()
def json_hooks(wait: Wait) -> Any:
    class Encoder(json.JSONEncoder):
        def default(self, thing: object) -> Any:
            return wait("thing")

    text = json.dumps([object(), {"a": object()}], default=lambda thing: wait(["thing"]))
    read = json.loads('{"a": {"b": 1.5}, "c": [2]}', object_hook=lambda made: wait(sorted(made)), parse_float=wait)
    pairs = json.loads('{"a": 1, "b": {"c": 2}}', object_pairs_hook=wait, parse_int=lambda digits: wait(int(digits)))
    return text, read, pairs, json.dumps([object()], cls=Encoder, indent=1), "".join(Encoder().iterencode([object()]))


class Pickled:
    """Its waits are those of the scenario that runs now."""

    wait: Wait

    def __init__(self, n: int) -> None:
        self.n = n

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (Pickled.made, (Pickled.wait(self.n),), {"state": Pickled.wait("state")})

    def __setstate__(self, state: Any) -> None:
        self.state = Pickled.wait(state)

    @staticmethod
    def made(n: int) -> Pickled:
        return Pickled(Pickled.wait(n))


@scenarios()
def pickle_hooks(wait: Wait) -> Any:
    class Pickler(pickle.Pickler):
        def persistent_id(self, thing: Any) -> Any:
            return wait("persistent") if thing is Ellipsis else None

        def reducer_override(self, thing: Any) -> Any:
            if isinstance(thing, range):
                return wait(list), ((thing.start, thing.stop),)
            return NotImplemented

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, name: Any) -> Any:
            return wait(name)

        def find_class(self, module: str, name: str) -> Any:
            return super().find_class(wait(module), name)

    class Written(io.RawIOBase):
        """A file in Python."""

        def __init__(self) -> None:
            self.parts: list[bytes] = []

        def write(self, data: Any) -> int:
            self.parts.append(wait(bytes(data)))
            return len(data)

    Pickled.wait = staticmethod(wait)
    file = Written()
    Pickler(file).dump([Pickled(1), ..., range(3), Pickled(2)])
    first, persistent, numbers, second = Unpickler(io.BytesIO(b"".join(file.parts))).load()
    return first.n, first.state, persistent, numbers, second.n


@scenarios()
def regular_expressions(wait: Wait) -> Any:
    increased = re.sub(r"\d", lambda match: wait(str(int(match[0]) + 1)), "a1b2c3")
    counted = re.compile("b+").subn(lambda match: wait(match[0].upper()), "abbab", count=1)
    scanned, rest = re.Scanner([(r"\d+", lambda _, text: wait(int(text))), (r"\s+", None)]).scan("12 34 x")
    return increased, counted, scanned, rest


@scenarios()
def templates_and_formatters(wait: Wait) -> Any:
    class Values(dict[str, Any]):
        def __missing__(self, key: str) -> Any:
            return wait(key)

    class Formatter(string.Formatter):
        def get_value(self, key: Any, args: Any, kwargs: Any) -> Any:
            return wait(key)

    return string.Template("$a and $b").substitute(Values()), "{a}".format_map(Values()), Formatter().format("{a:>3}")


@scenarios()
def printing_to_a_file_in_python(wait: Wait) -> Any:
    written: list[Any] = []

    class File:
        def write(self, text: str) -> int:
            written.append(wait(text))
            return len(text)

        def flush(self) -> None:
            written.append(wait("flush"))

    class Shown:
        def __str__(self) -> str:
            return str(wait("shown"))

    print("a", Shown(), 1, file=File(), flush=True)
    print(end="", file=File())
    return written


@scenarios()
def files_in_python_below_io(wait: Wait) -> Any:
    class Raw(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray(b"one\ntwo\nthree")

        def readable(self) -> bool:
            return bool(wait(True))

        def readinto(self, buffer: Any) -> int:
            part = self.data[: min(5, len(buffer))]
            del self.data[: len(part)]
            buffer[: len(part)] = part
            return int(wait(len(part)))

    raw, whole = Raw(), Raw()
    return raw.read(2), raw.readline(), list(raw), whole.readall()


@scenarios()
def csv_rows(wait: Wait) -> Any:
    written: list[Any] = []

    class File:
        def write(self, text: str) -> Any:
            return written.append(wait(text))

    class Cell:
        def __str__(self) -> str:
            return str(wait("cell"))

    csv.writer(File()).writerows([1, Cell()] for _ in range(2))
    return list(csv.reader(wait(line) for line in ["a,b", "1,2"])), written


@scenarios()
def sqlite_functions(wait: Wait) -> Any:
    class Sum:
        def __init__(self) -> None:
            self.total = 0

        def step(self, n: int) -> None:
            self.total += wait(n)

        def finalize(self) -> Any:
            return wait(self.total)

    with closing(sqlite3.connect(":memory:")) as base:
        base.create_function("increased", 1, lambda n: wait(n + 1))
        base.create_aggregate("total_of", 1, Sum)
        base.create_collation("backwards", lambda a, b: wait((a < b) - (a > b)))
        base.execute("create table numbers (n integer, name text)")
        base.executemany("insert into numbers values (?, ?)", ((wait(n), f"name {n}") for n in range(3)))
        rows = base.execute("select increased(n) from numbers").fetchall()
        (total,) = base.execute("select total_of(n) from numbers").fetchone()
        names = base.execute("select name from numbers order by name collate backwards").fetchall()
        base.row_factory = lambda cursor, row: wait(row[0])
        return rows, total, names, list(base.execute("select n from numbers"))


@scenarios()
def ctypes_callbacks(wait: Wait) -> Any:
    """ctypes reports exceptions and goes on, with a result that it leaves to chance."""
    library, seen = ctypes.CDLL(None), []
    pointer = ctypes.POINTER(ctypes.c_int)

    def compare(a: Any, b: Any) -> int:
        try:
            return int(wait(a[0] - b[0]))
        except BaseException as error:
            seen.append(type(error).__name__)
            return 0

    numbers = (ctypes.c_int * 4)(4, 2, 3, 1)
    comparison = ctypes.CFUNCTYPE(ctypes.c_int, pointer, pointer)(compare)
    library.qsort(numbers, len(numbers), ctypes.sizeof(ctypes.c_int), comparison)
    note = ctypes.CFUNCTYPE(None, ctypes.c_double)(lambda n: seen.append(wait(2 * n)))
    note(1.5)
    return list(numbers), seen


@scenarios()
def locals_of_threads(wait: Wait) -> Any:
    class Local(threading.local):
        def __init__(self, n: int) -> None:
            self.n = wait(n)

        def __getattr__(self, name: str) -> Any:
            return wait(name)

    local = Local(5)
    return local.n, local.other


@scenarios()
def struct_and_memory(wait: Wait) -> Any:
    class Number:
        def __index__(self) -> int:
            return int(wait(3))

    return struct.pack("ii", Number(), 1), bytearray(Number()), [1] * Number(), "ab"[:: Number()], bytes([Number()])


@scenarios()
def module_attributes(wait: Wait) -> Any:
    module = type(sys)("made_here")
    module.__getattr__ = lambda name: wait(name)
    return module.first, module.second


# ---- what cannot run many times in one process, or not side by side ----

BODY = """
from ohwait_tests_waiting import wait
first = wait(1)
class Object:
    second = wait(2)
from ohwait_tests_inner import third
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module whose body waits, which imports another one."""
    (tmp_path / "ohwait_tests_outer.py").write_text(BODY)
    (tmp_path / "ohwait_tests_inner.py").write_text("from ohwait_tests_waiting import wait\nthird = wait(3)\n")
    tool = type(sys)("ohwait_tests_waiting")
    monkeypatch.setitem(sys.modules, "ohwait_tests_waiting", tool)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield tool
    for name in ("ohwait_tests_outer", "ohwait_tests_inner"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("how", ["import statement", "import_module", "__import__"])
def test_importing_a_module_whose_body_waits(package: Any, how: str) -> None:
    package.wait = waiting

    def plain() -> Any:
        if how == "import_module":
            return importlib.import_module("ohwait_tests_outer")
        if how == "__import__":
            return __import__("ohwait_tests_outer")
        import ohwait_tests_outer

        return ohwait_tests_outer

    driven = Driven(host_of(plain)).run()
    assert driven.steps == 3 and driven.outcome is not None
    module = driven.outcome[1]
    assert (module.first, module.Object.second, module.third) == (1, 2, 3)
    assert sys.modules["ohwait_tests_outer"] is module


def test_an_import_that_is_thrown_into_leaves_no_half_module(package: Any) -> None:
    package.wait = waiting
    for steps in (1, 2, 3):
        driven = Driven(host(Scenario(lambda wait: importlib.import_module("ohwait_tests_outer"), False), waiting))
        driven.run(steps)
        driven.step(driven.coroutine.throw, KeyError("thrown"))
        assert driven.outcome == ("raise", "KeyError", "'thrown'")
        assert not {"ohwait_tests_outer", "ohwait_tests_inner"} & set(sys.modules)


def test_other_tasks_run_while_a_module_is_imported(package: Any) -> None:
    package.wait = lambda value: ohwait(asyncio.sleep(0.001, value))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> Any:
        counting = asyncio.create_task(count())
        module = importlib.import_module("ohwait_tests_outer")
        counting.cancel()
        return module.third

    assert asyncio.run(main()) == 3
    assert turns > 3


@every_way
@pytest.mark.parametrize("scenario", scenarios)
def test_waiting_inside(scenario: Scenario, way: Any, rand: Any) -> None:
    way(scenario, rand)
