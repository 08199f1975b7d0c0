"""The code that use_awaiter makes: every await of an async function awaits hook[x], and nothing else is different."""

import ast
import asyncio
import dis
import importlib
import inspect
import sys
import traceback
from types import CodeType, FunctionType

import pytest

from ohwait.dispatch._code import with_hook
from ohwait.dispatch._errors import DispatchError


class Log:
    """A hook that notes what is awaited."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def __getitem__(self, awaited: object) -> object:
        self.seen.append(awaited)
        return Ready(awaited) if isinstance(awaited, int) else awaited


class Ready:
    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self):
        return self.value
        yield


def hooked(function) -> tuple[FunctionType, Log]:
    log = Log()
    return with_hook(function, log), log


def result(coroutine) -> object:
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    return stop.value.value


def test_every_await_and_nothing_else() -> None:
    class Manager:
        async def __aenter__(self) -> int:
            return 3

        async def __aexit__(self, *error: object) -> None:
            pass

    async def items():
        yield 1
        yield 2

    async def function(a, *, b=2):
        async with Manager() as c:
            total = [await a, await b, await (a if c else b)]
            async for item in items():
                total.append(await item)
        total += [await item for item in (7, 8)]
        total += [item async for item in items()]
        nested = [[await (x + y) for x in (10, 20)] for y in (1, 2)]

        async def inner():
            return await Ready("inner's own")

        return [*total, *nested, await inner()]

    copy, log = hooked(function)
    assert result(copy(1)) == [1, 2, 1, 1, 2, 7, 8, 1, 2, [11, 21], [12, 22], "inner's own"]
    assert [value for value in log.seen if type(value) is int] == [1, 2, 1, 1, 2, 7, 8, 11, 21, 12, 22]


def test_closures_defaults_and_names() -> None:
    outside = 1

    async def function(a, b=2, /, *rest, c=3, **more):
        nonlocal outside
        outside += await a
        return a, b, rest, c, more, outside, __class__

    __class__ = int
    copy, _ = hooked(function)
    assert result(copy(5, 6, 7, c=8, d=9)) == (5, 6, (7,), 8, {"d": 9}, 6, int) and outside == 6
    assert copy.__qualname__ == function.__qualname__ and copy.__globals__ is function.__globals__
    assert inspect.iscoroutinefunction(copy)


def test_without_source_and_without_awaits() -> None:
    namespace: dict[str, object] = {}
    exec("async def function(x): return await x\nasync def none(): return 1", namespace)
    assert result(hooked(namespace["function"])[0](4)) == 4
    none = namespace["none"]
    assert with_hook(none, Log()).__code__ == none.__code__


def test_errors_are_where_they_were() -> None:
    """Lines, columns and handlers of what an await raises, also of one inside try, with and loops."""

    class Bad:
        def __await__(self):
            raise KeyError("bad")
            yield

    async def function(bad):
        log = []
        for _ in range(2):
            try:
                with_something = 1
                log.append(await bad)
            except KeyError as error:
                log.append(error.__traceback__)
            finally:
                log.append(with_something)
        return log

    copy, _ = hooked(function)
    ours, native = result(copy(Bad())), result(function(Bad()))
    assert ours[1::2] == [1, 1] == native[1::2]
    for one, other in zip(ours[::2], native[::2]):
        (mine, *_), (theirs, *_) = traceback.extract_tb(one), traceback.extract_tb(other)
        assert (mine.lineno, mine.end_lineno, mine.colno, mine.end_colno) == (
            theirs.lineno,
            theirs.end_lineno,
            theirs.colno,
            theirs.end_colno,
        )


@pytest.mark.parametrize("constants", [3, 300])
@pytest.mark.parametrize("length", [1, 200, 1_000])
def test_long_functions(constants: int, length: int) -> None:
    """Jumps and constants that need longer instructions."""
    many = "".join(f"    many = {n}.5\n" for n in range(constants))
    body = "    total += await u\n" + "    total = total + u * 1 - u\n" * length
    function = compiled(f"async def function(u):\n    total = 0\n{many}{body * 2}    return total, many")
    copy, log = hooked(function)
    assert result(copy(3)) == (6, constants - 0.5) and log.seen == [3, 3]
    lines = [*dis.findlinestarts(function.__code__)]
    assert [*dis.findlinestarts(copy.__code__)][: len(lines)] == lines


def test_a_function_that_is_too_long() -> None:
    body = "    total = total + u * 1 - u\n" * 12_000
    function = compiled(f"async def function(u):\n    total = await u\n{body}")
    with pytest.raises(DispatchError, match=r"function\(\) in <string>, line 1, is too long for use_awaiter"):
        hooked(function)


def compiled(source: str) -> FunctionType:
    namespace: dict[str, FunctionType] = {}
    exec(source, namespace)
    return namespace["function"]


def async_functions(module: object):
    for value in vars(module).values():
        members = vars(value).values() if isinstance(value, type) else [value]
        for member in members:
            if inspect.iscoroutinefunction(member) and isinstance(member, FunctionType):
                yield member


@pytest.mark.parametrize("name", ["asyncio.tasks", "asyncio.streams", "asyncio.base_events", "asyncio.locks"])
def test_tables_of_the_standard_librarys_functions(name: str) -> None:
    """Each instruction of the original has its old place, position and handler; each tail has those of its await."""
    found = 0
    for function in async_functions(importlib.import_module(name)):
        old, new = function.__code__, with_hook(function, Log()).__code__
        positions = [*new.co_positions()]
        assert positions[: len(old.co_code) // 2] == [*old.co_positions()]
        assert len(positions) == len(new.co_code) // 2
        awaits = [i.offset for i in dis.get_instructions(old) if i.opname == "GET_AWAITABLE" and not i.arg]
        found += len(awaits)
        tails = [i.offset for i in dis.get_instructions(new) if i.offset >= len(old.co_code) and i.opname == "SWAP"]
        assert len(tails) == len(awaits)
        for tail, start in zip(tails, awaits):
            assert positions[tail // 2] == [*old.co_positions()][start // 2]
            assert handler(new, tail) == handler(old, start)
            assert handler(new, start) == handler(old, start)
    assert found


def handler(code: CodeType, offset: int) -> object:
    for entry in dis.Bytecode(code).exception_entries:
        if entry.start <= offset < entry.end:
            return entry.target, entry.depth, entry.lasti
    return None


def test_asyncios_own_functions_run_with_it() -> None:
    """wait_for, gather's friends, queues, locks and streams, each with hooked awaits, do what they did."""
    logs = []

    def swap(module: object, name: str) -> None:
        copy, log = hooked(getattr(module, name))
        logs.append((module, name, getattr(module, name), log))
        setattr(module, name, copy)

    swap(asyncio.tasks, "sleep")
    swap(asyncio.Queue, "get")
    swap(asyncio.Queue, "put")
    swap(asyncio.Lock, "acquire")
    swap(asyncio.Event, "wait")
    swap(asyncio.StreamReader, "readline")
    swap(asyncio.StreamReader, "readuntil")
    swap(asyncio.StreamReader, "_wait_for_data")
    try:
        asyncio.run(_use_them())
    finally:
        for module, name, original, _ in logs:
            setattr(module, name, original)
    assert [name for _, name, _, log in logs if not log.seen] == [], "each has awaited through its hook"


async def _use_them() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    lock, event = asyncio.Lock(), asyncio.Event()

    async def producer() -> None:
        for n in range(0, 10, 2):
            async with lock:
                await queue.put(n)
                await queue.put(n + 1)
                await asyncio.tasks.sleep(0.0001)
        event.set()

    task = asyncio.create_task(producer())
    assert [await queue.get() for _ in range(10)] == [*range(10)]
    await event.wait()
    waiting = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, waiting.set)
    await waiting.wait()
    await task
    await lock.acquire()
    other = asyncio.create_task(lock.acquire())
    await asyncio.tasks.sleep(0)
    lock.release()
    assert await other
    reader = asyncio.StreamReader()
    asyncio.get_running_loop().call_later(0.001, reader.feed_data, b"line\nrest")
    assert await reader.readline() == b"line\n"
    cancelled = asyncio.create_task(asyncio.Event().wait())
    await asyncio.tasks.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled


def test_tracing_and_profiling_work_on_it() -> None:
    async def function(x):
        for _ in range(3):
            y = await x
        return y

    copy, _ = hooked(function)
    lines = []

    def trace(frame, event, arg):
        if frame.f_code is copy.__code__ and event == "line":
            lines.append(frame.f_lineno - copy.__code__.co_firstlineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        assert result(copy(1)) == 1
    finally:
        sys.settrace(before)
    assert lines == [1, 2, 1, 2, 1, 2, 1, 3]


def test_source_is_found() -> None:
    async def function(x):
        return await x

    copy, _ = hooked(function)
    assert "return await x" in inspect.getsource(copy)
    assert ast.parse(inspect.getsource(copy).strip())
