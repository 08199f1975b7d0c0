"""The C API of Completion: threads without the GIL, ownership, the end of the interpreter, fork."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from loops import Loop, every_loop

from ohwait.completion import Completion, CompletionAbandoned, CompletionCancelled, CompletionStateError

HERE = Path(__file__).resolve().parent
OK, DONE, CANCELLED, ENDED = range(4)


def load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load(HERE.parent / "examples" / "c_workers" / "build_workers.py", "build_c_workers")
pytestmark = pytest.mark.skipif(not build.compiler(), reason="there is no C compiler to build a user of the API with")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    module: Path = build.build(HERE / "native" / "completion_native.c", tmp_path_factory.mktemp("native"))
    return module


@pytest.fixture(scope="module")
def loaded(path: Path) -> Any:
    return load(path, "completion_native")


@pytest.fixture
def native(loaded: Any) -> Iterator[Any]:
    yield loaded
    gc.collect()
    assert loaded.take_events() == []
    loaded.forget()


# ---- values: the thread works while this one keeps the GIL, so it cannot have taken it ----


@every_loop
def test_values_of_every_kind(loop: Loop, native: Any) -> None:
    async def main() -> None:
        for operation, value, expected in [
            ("none", 0, None),
            ("int64", 5, -(2**63) + 5),
            ("double", 3, 1.5),
            ("bytes", 3, b"a\0b"),
            ("bytes", 0, b""),
            ("gilstate", 0, "ensured"),
        ]:
            completion, handle = native.create()
            assert native.in_thread(handle, operation, value) == OK
            assert native.in_thread(handle, operation, value) == DONE
            assert native.in_thread(handle, "status") == DONE
            assert native.in_thread(handle, "release") == 0
            result = await completion
            assert result == expected and type(result) is type(expected)

    loop.run_coroutine(main)


@every_loop
def test_a_task_is_woken(loop: Loop, native: Any) -> None:
    async def main() -> None:
        completions = []
        for _ in range(100):
            completion, handle = native.create()
            completions.append(completion)
        native.storm(handle - 99, handle + 1, 2, 100_000)
        assert [await completion for completion in completions] == list(range(handle - 99, handle + 1))
        while native.storming():
            await loop.sleep(0.001)

    loop.run_coroutine(main)


@pytest.mark.parametrize(
    ("operation", "expected", "message"),
    [
        ("fail", RuntimeError, "no \ufffd luck"),
        ("fail_value", ValueError, "no luck"),
        ("error", LookupError, "made"),
        ("stop", RuntimeError, "StopIteration"),
        ("nothing", SystemError, "without an exception"),
        ("fail_wrongly", TypeError, "StopIteration"),
    ],
)
def test_failures(native: Any, operation: str, expected: type[Exception], message: str) -> None:
    completion, handle = native.create()
    assert native.in_thread(handle, operation) == OK
    native.in_thread(handle, "release")
    with pytest.raises(expected, match=message):
        asyncio.run(wait(completion))


async def wait(completion: Completion[Any]) -> object:
    return await completion


def test_made_values_are_made_once_or_dropped_once(native: Any) -> None:
    completion, handle = native.create()
    assert native.in_thread(handle, "list") == OK
    assert native.in_thread(handle, "list") == DONE
    native.in_thread(handle, "release")
    assert completion.done() and completion.result() == [handle]
    assert native.take_events() == [("made", handle)]

    completion, handle = native.create()
    assert native.in_thread(handle, "list") == OK
    del completion  # Nobody looks at it; the helper, which needs the GIL, has not come yet.
    native.in_thread(handle, "release")
    events = until(native.take_events)
    assert events in ([("dropped", handle)], [("made", handle)])


def until(function: Any, seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while not (result := function()) and time.monotonic() < deadline:
        time.sleep(0.001)
    return result


def test_with_the_gil(native: Any) -> None:
    completion, handle = native.create()
    value = object()
    assert native.set_object(handle, value) == OK
    assert native.set_object(handle, value) == DONE
    assert completion.result() is value
    native.in_thread(handle, "release")
    for given, expected in [(ValueError("x"), ValueError), (LookupError, LookupError), (3, TypeError)]:
        completion, handle = native.create()
        assert native.set_exception(handle, given) == OK
        assert type(completion.exception()) is expected
        native.in_thread(handle, "release")


# ---- who is first ----


def test_python_and_threads_compete(native: Any) -> None:
    completion, handle = native.create()
    completion.set_result("Python's")
    assert native.in_thread(handle, "int64") == DONE
    native.in_thread(handle, "release")
    assert completion.result() == "Python's"

    completion, handle = native.create()
    assert native.in_thread(handle, "int64") == OK
    with pytest.raises(CompletionStateError, match="complete already"):
        completion.set_result("Python's")
    assert completion.cancel() is False
    native.in_thread(handle, "release")


def test_cancellation_is_seen(native: Any) -> None:
    completion, handle = native.create()
    native.watch(handle)
    with pytest.raises(RuntimeError, match="a watcher already"):
        native.watch(handle)
    assert native.in_thread(handle, "status") == OK
    completion.cancel()
    assert native.take_events() == [("cancelled", handle)]
    assert native.in_thread(handle, "status") == CANCELLED
    assert native.in_thread(handle, "list") == CANCELLED
    native.in_thread(handle, "release")
    with pytest.raises(CompletionCancelled):
        completion.result()
    assert native.take_events() == []


def test_a_watcher_is_told_of_every_end(native: Any) -> None:
    completion, handle = native.create()
    native.watch(handle)
    native.in_thread(handle, "int64")
    assert until(native.take_events) == [("over", handle)]
    native.watch(handle)  # Over already: at once.
    assert native.take_events() == [("over", handle)]
    native.in_thread(handle, "release")
    completion, handle = native.create()
    native.watch(handle)
    del completion
    assert native.take_events() == [("cancelled", handle)]
    assert native.in_thread(handle, "status") == CANCELLED
    assert native.in_thread(handle, "int64") == CANCELLED
    native.in_thread(handle, "release")


# ---- life ----


@every_loop
def test_the_last_handle_given_up_is_an_error_not_a_hang(loop: Loop, native: Any) -> None:
    async def main() -> None:
        completion, handle = native.create()
        native.in_thread(handle, "retain")
        native.in_thread(handle, "release")
        assert not completion.done()
        threading.Timer(0.01, native.in_thread, (handle, "release")).start()
        with pytest.raises(CompletionAbandoned, match="last handle"):
            await completion

    loop.run_coroutine(main)


def test_a_handle_of_a_completion_made_in_python(native: Any) -> None:
    completion: Completion[int] = Completion()
    first, second = native.handle(completion), native.handle(completion)
    native.in_thread(first, "release")
    assert native.in_thread(second, "double", 4) == OK
    native.in_thread(second, "release")
    assert completion.result() == 2.0
    late = native.handle(completion)
    assert native.in_thread(late, "none") == DONE
    native.in_thread(late, "release")
    completion = Completion()
    completion.cancel()
    late = native.handle(completion)
    assert native.in_thread(late, "status") == CANCELLED
    native.in_thread(late, "release")
    with pytest.raises(TypeError, match="Completion is needed, not int"):
        native.handle(1)


def test_awaited_and_promised_it_stays(native: Any) -> None:
    """Nobody in Python holds it but the task that waits for it: the handle keeps both."""

    async def main() -> int:
        completion, handle = native.create()
        reference = weakref.ref(completion)
        task: Any = asyncio.create_task(wait(completion))
        await asyncio.sleep(0)
        results: list[Any] = []
        task.add_done_callback(lambda task: results.append(task.result()))
        del completion, task
        gc.collect()
        assert reference() is not None
        native.in_thread(handle, "int64", 1)
        native.in_thread(handle, "release")
        while not results:
            await asyncio.sleep(0.001)
        assert until(lambda: not gc.collect() and reference() is None)  # The helper may be about to let it go.
        return int(results[0])

    assert asyncio.run(main()) == -(2**63) + 1


def test_when_nobody_waits_any_more_it_goes(native: Any) -> None:
    async def main() -> None:
        completion, handle = native.create()
        reference = weakref.ref(completion)
        task = asyncio.create_task(wait(completion))
        await asyncio.sleep(0)
        del completion
        task.cancel()
        await asyncio.wait([task])
        del task
        gc.collect()
        assert reference() is None
        assert native.in_thread(handle, "int64") == CANCELLED
        native.in_thread(handle, "release")

    asyncio.run(main())


def test_a_callback_is_called_by_the_helper_thread(native: Any) -> None:
    seen: list[object] = []
    completion, handle = native.create()
    completion.add_done_callback(lambda completion: seen.append((completion.result(), threading.get_ident())))
    native.in_thread(handle, "double", 2)
    native.in_thread(handle, "release")
    ((result, thread),) = until(lambda: seen)
    assert result == 1.0
    assert thread != threading.get_ident()


def test_many_while_python_is_busy(native: Any) -> None:
    """Threads complete without a pause while Python computes; cancellations in between; nothing is lost or leaked."""

    async def main() -> None:
        for _ in range(3):
            pairs = [native.create() for _ in range(3000)]
            completions = [completion for completion, _ in pairs]
            tasks = [asyncio.create_task(wait(completion)) for completion in completions]
            await asyncio.sleep(0)
            native.storm(pairs[0][1], pairs[-1][1] + 1, 3)
            for task in tasks[::5]:
                task.cancel()
            for completion in completions[1::5]:
                completion.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for number, (result, (completion, handle)) in enumerate(zip(results, pairs)):
                if number % 5 == 0:
                    assert result == handle or isinstance(result, asyncio.CancelledError)
                elif number % 5 == 1:
                    assert result == handle or isinstance(result, asyncio.CancelledError)  # gather()'s own
                else:
                    assert result == handle
                assert completion.waiting == 0
            while native.storming():
                await asyncio.sleep(0.001)

    asyncio.run(main())
    assert not native.storming()


def test_handles_do_not_leak(native: Any) -> None:
    async def main() -> None:
        for operation in ("int64", "list", "fail", "bytes"):
            completion, handle = native.create()
            task = asyncio.create_task(wait(completion))
            await asyncio.sleep(0)
            native.in_thread(handle, operation, 1)
            native.in_thread(handle, "release")
            await asyncio.wait([task])
            assert task.exception() is None or operation == "fail"
        completion, handle = native.create()
        native.in_thread(handle, "release")

    blocks = []
    with asyncio.Runner() as runner:
        for _ in range(4):
            for _ in range(100):
                runner.get_loop().run_until_complete(main())
                native.take_events()
            time.sleep(0.01)
            gc.collect()
            blocks.append([sys.getallocatedblocks(), getattr(sys, "gettotalrefcount", int)()])
    assert max(after - before for before, after in zip(blocks[-2], blocks[-1])) < 100, blocks


# ---- the end, and fork: in processes of their own ----


def run(path: Path, script: str) -> subprocess.CompletedProcess[str]:
    program = f"""
import asyncio, atexit, os, sys, threading, time
sys.path.insert(0, {str(path.parent)!r})
import completion_native as native
from ohwait.completion import Completion
async def wait(completion): return await completion
{textwrap.dedent(script)}
"""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)


def test_threads_that_complete_while_the_interpreter_ends(path: Path) -> None:
    done = run(
        path,
        """
        completions = [native.create()[0] for _ in range(50000)]
        native.storm(0, 50000, 3, 10_000)
        print(asyncio.run(wait(completions[100])))
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "100\n", "")


def test_completing_after_the_end_is_refused_and_harmless(path: Path) -> None:
    done = run(
        path,
        """
        (kept, first), (late, second), (never, third) = native.create(), native.create(), native.create()
        late.add_done_callback(print)
        def after():  # Called after ohwait's, which was registered later.
            print(native.in_thread(second, "int64"), native.in_thread(second, "status"), late.done(), kept.result())
            native.in_thread(second, "release")
        from ohwait import _completion
        atexit.unregister(_completion.end)
        atexit.register(after)
        atexit.register(_completion.end)
        native.in_thread(first, "double", 4)  # Accepted before: settled.
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{ENDED} {ENDED} False 2.0\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_completes_and_is_completed(path: Path) -> None:
    done = run(
        path,
        """
        import warnings
        warnings.simplefilter("ignore")
        inherited, handle = native.create()
        native.in_thread(native.create()[1], "int64")  # The helper has work just now.
        if (pid := os.fork()) == 0:
            native.in_thread(handle, "double", 2)
            completions = [native.create() for _ in range(100)]
            native.storm(completions[0][1], completions[-1][1] + 1, 2, 1000)
            async def child():
                return [await completion for completion, _ in completions], await inherited
            results, mine = asyncio.run(child())
            os._exit(0 if len(results) == 100 and mine == 1.0 else 1)
        status = os.waitpid(pid, 0)[1]
        assert not inherited.done()
        native.in_thread(handle, "double", 6)
        print(status, asyncio.run(wait(inherited)))
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 3.0\n", "")


def test_the_helper_under_tracemalloc_takes_no_gil(path: Path) -> None:
    done = run(
        path,
        """
        import tracemalloc
        tracemalloc.start()
        completion, handle = native.create()
        assert native.in_thread(handle, "bytes", 3) == 0
        assert native.in_thread(handle, "release") == 0
        print(asyncio.run(wait(completion)))
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "b'a\\x00b'\n", "")


def test_a_loop_that_was_closed_is_reported(path: Path) -> None:
    done = run(
        path,
        """
        completion, handle = native.create()
        loop = asyncio.new_event_loop()
        task = loop.create_task(wait(completion))
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        native.in_thread(handle, "double", 2)
        while completion.waiting or not completion.done():
            time.sleep(0.001)
        time.sleep(0.05)
        print(completion.result())
        """,
    )
    assert (done.returncode, done.stdout) == (0, "1.0\n")
    assert "cannot be woken: Event loop is closed" in done.stderr
